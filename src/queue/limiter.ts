import { type BackoffCurve, backoffDelay } from '../kit/backoff.ts';
import type { Random } from '../kit/random.ts';
import type { ObjectKey } from '../model/key.ts';

/**
 * 5 ms as in client-go. The cap is 30 s, not 1000 s: with the full jitter a key is tried again within a minute of the
 * end of any outage (RL-S7). Full jitter, [d, 2d): keys that failed together spread over as long as they waited.
 */
export const DEFAULT_BACKOFF: BackoffCurve = { baseMs: 5, capMs: 30_000, jitter: 1 };

/**
 * How long a failing key waits, by its own failures only: exponential, capped, jittered (RL-S2). No budget is shared
 * between keys: a shared bucket makes the last of 10,000 keys wait for all others (RL-S7).
 */
export class BackoffLimiter {
  readonly #curve: BackoffCurve;
  readonly #random: Random;
  /** Keys with at least one failure since their last forget(); no others, so memory is bounded by the failing keys. */
  readonly #failures = new Map<ObjectKey, number>();

  constructor(curve: BackoffCurve, random: Random) {
    this.#curve = curve;
    this.#random = random;
  }

  /** Keys with failures. */
  get size(): number {
    return this.#failures.size;
  }

  /** Milliseconds until the next try; counts one more failure (RL-S1). */
  delayFor(key: ObjectKey): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    return backoffDelay(this.#curve, failures, this.#random);
  }

  failures(key: ObjectKey): number {
    return this.#failures.get(key) ?? 0;
  }

  forget(key: ObjectKey): void {
    if (this.#failures.size > 0) this.#failures.delete(key);
  }
}
