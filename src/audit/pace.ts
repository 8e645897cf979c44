import type { Clock } from '../kit/clock.ts';

/** The audit asks the API server for at most one page a second, however short its round is to be. */
const LEAST_GAP_MS = 1_000;

/** The time between two requests of a round that has `pages` of them, so that they spread over it. */
export function gapOf(roundMs: number, pages: number): number {
  return Math.max(LEAST_GAP_MS, roundMs / Math.max(pages, 1));
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
