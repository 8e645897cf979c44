import type { Clock } from '../kit/clock.ts';

/** The audit asks the API server for at most one page a second, however short its round is to be. */
const LEAST_GAP_MS = 1_000;

/**
 * A round in a hurry: rows of an earlier process were taken over unseen, and a cluster that was restored meanwhile is to be found out within two minutes of
 * the start. What is left of them is for settling. Beyond 450,000 objects the API server counts for more, and it takes longer.
 */
const HURRIED_MS = 90_000;
const LEAST_HURRIED_GAP_MS = 100;

/** The time between two requests of a round that has `pages` of them, so that they spread over it. */
export function gapOf(roundMs: number | 'hurried', pages: number): number {
  const atLeast = Math.max(pages, 1);
  if (roundMs === 'hurried') return Math.min(LEAST_GAP_MS, Math.max(LEAST_HURRIED_GAP_MS, HURRIED_MS / atLeast));
  return Math.max(LEAST_GAP_MS, roundMs / atLeast);
}

/** Gives turns to whoever wants to ask, in the order in which they come, `gapMs` apart. */
export class Pace {
  readonly #clock: Clock;
  readonly #gapMs: number;
  #nextAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, gapMs: number) {
    this.#clock = clock;
    this.#gapMs = gapMs;
  }

  /** Resolves when it is the caller's turn. Throws when `signal` aborts. */
  async turn(signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    const at = Math.max(now, this.#nextAt);
    this.#nextAt = at + this.#gapMs;
    await this.#clock.sleep(at - now, signal);
    signal.throwIfAborted();
  }
}
