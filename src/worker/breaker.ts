import { type BackoffCurve, backoffDelay } from '../kit/backoff.ts';
import type { Random } from '../kit/random.ts';

/**
 * - `settled`: storage settled at least one row, whatever its outcome: it works.
 * - `failed`: every row was a `retry`, and at least one of them had not failed before.
 * - `failed again`: every row was a `retry`, and each had failed before: it may be the rows.
 * - `nothing`: no row was to be written. `bug`: storage threw at every row; that says nothing of its condition.
 */
export type BatchResult = 'settled' | 'failed' | 'failed again' | 'nothing' | 'bug';

/** Answer of enter() to who must wait. */
export const REFUSED = -1;

/** So many failed batches in a row open it. One or two are a blip (a lock, a reconnect) that the backoff of each key passes over without anybody being stopped. */
export const FAILURES = 3;
/**
 * One row that cannot be written is tried again after 5 ms, 10 ms and so on, at most 9 times with less than a second between: that must not stop the
 * others. A few objects that change all the time during an outage come faster than that.
 */
export const REPEATS = 20;
const REPEAT_GAP_MS = 1_000;
/**
 * 0.25 to 0.38 s, then 0.5 to 0.75 s: one small batch in that time is no load on anybody, and writing begins at once after any outage. An outage of 10 s
 * was over for the copy 3.3 to 4.1 s late and a change waited 7 s in the median with a cap of 15 s, 0.08 to 0.50 s and 2.4 s with 1.5 s, and so it is 0.07 to
 * 0.10 s and 2.2 s (the laboratory's load `outage`, 20 seeds, 30 writers, 87 ms; the partitioned design, which never stops trying: 1.3 to 1.9 s and 1.5 s).
 */
const PROBE_DELAY: BackoffCurve = { baseMs: 250, capMs: 500, jitter: 0.5 };
/** Rows of a probe. More than one, so that a row which cannot be written does not decide for all. */
export const PROBE_ROWS = 8;
/** After a probe the batches at a time, and the rows of each, double with every round that succeeds; beyond so many at a time nothing is held back. */
export const FULL_WIDTH = 32;

export type BreakerState = 'closed' | 'open' | 'probing' | 'ramping';

/**
 * Whether batches may go to storage, which is one for all kinds. Told how each ended; keeps no time of its own.
 *
 *   closed ── FAILURES in a row ──► open ── delay ──► probing ── settled ──► ramping ── settled by rounds ──► closed
 *                                    ▲ ◄── failed ───────┘                      │
 *                                    └──────────────── failed ──────────────────┘
 *
 * The delay doubles with every opening until it is closed again, so a storage that flaps is not asked more often than one that is away.
 */
export class Breaker {
  readonly #random: Random;
  #state: BreakerState = 'closed';
  /** Grows with every opening. A batch that was let in before the last one says nothing any more: it met the outage, or outlived it. */
  #round = 0;
  /** Failed batches in a row that counted, while closed or ramping. */
  #failures = 0;
  #repeats = 0;
  #failedAt = Number.NEGATIVE_INFINITY;
  /** Openings since it was closed last. */
  #openings = 0;
  /** When the next probe may go; meaningful while open. */
  #probeAt = 0;
  /** The ramp's round: 2^level batches at a time. 0 is the probe. */
  #level = 0;
  /** Batches of this level that were settled. */
  #settled = 0;
  /** Batches under way that were let in since the last opening; kept while ramping. */
  #inFlight = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** How often it has opened. */
  get round(): number {
    return this.#round;
  }

  /** When the next probe may go; null unless it is open. */
  get probeAt(): number | null {
    return this.#state === 'open' ? this.#probeAt : null;
  }

  /** The most rows that a batch may have now, of the `limit` that it has in good times. */
  rows(limit: number): number {
    return this.#state === 'closed' ? limit : Math.min(limit, PROBE_ROWS * 2 ** (this.#state === 'ramping' ? this.#level : 0));
  }

  /** How many batches would be let in now. */
  free(now: number): number {
    switch (this.#state) {
      case 'closed':
        return Number.POSITIVE_INFINITY;
      case 'open':
        return now >= this.#probeAt ? 1 : 0;
      case 'probing':
        return 0;
      case 'ramping':
        return Math.max(0, 2 ** this.#level - this.#inFlight);
      default:
        return this.#state satisfies never;
    }
  }

  /** Lets a batch in, or answers REFUSED. What it returns is to be given to leave() when the batch has ended, once. */
  enter(now: number): number {
    if (this.#state === 'closed') return this.#round;
    if (this.free(now) === 0) return REFUSED;
    if (this.#state === 'open') this.#state = 'probing';
    else this.#inFlight++;
    return this.#round;
  }

  /** A batch that was let in has ended. `isMore`: somebody has more to write just now. Without that there is nothing to ramp up, and nothing to stampede. */
  leave(admission: number, result: BatchResult, now: number, isMore: boolean): void {
    if (admission !== this.#round) return;
    if (this.#state === 'probing') this.#endProbe(result, now, isMore);
    else if (this.#state !== 'open') this.#endBatch(result, now, isMore);
  }

  #endProbe(result: BatchResult, now: number, isMore: boolean): void {
    if (result === 'nothing') {
      // Nothing was learnt, and nothing asked of storage: the turn is the next one's.
      this.#state = 'open';
      this.#probeAt = now;
    } else if (result !== 'settled') {
      this.#open(now);
    } else if (isMore) {
      this.#state = 'ramping';
      this.#level = 1;
    } else {
      this.#close();
    }
  }

  #endBatch(result: BatchResult, now: number, isMore: boolean): void {
    const isRamping = this.#state === 'ramping';
    if (isRamping) this.#inFlight--;
    if (result === 'failed') this.#failures++;
    if (result === 'failed again') this.#repeats = now - this.#failedAt > REPEAT_GAP_MS ? 1 : this.#repeats + 1;
    if (result === 'failed' || result === 'failed again') {
      this.#failedAt = now;
      if (this.#failures >= (isRamping ? 1 : FAILURES) || this.#repeats >= REPEATS) this.#open(now);
    } else if (result === 'settled') {
      this.#failures = 0;
      this.#repeats = 0;
      if (isRamping) this.#rampUp(isMore);
    }
  }

  #rampUp(isMore: boolean): void {
    if (++this.#settled >= 2 ** this.#level) {
      this.#level++;
      this.#settled = 0;
    }
    if (2 ** this.#level > FULL_WIDTH || (!isMore && this.#inFlight === 0)) this.#close();
  }

  #open(now: number): void {
    this.#state = 'open';
    this.#round++;
    this.#probeAt = now + backoffDelay(PROBE_DELAY, this.#openings++, this.#random);
    this.#failures = 0;
    this.#repeats = 0;
    this.#level = 0;
    this.#settled = 0;
    this.#inFlight = 0;
  }

  /** What is under way was let in like any other, and may fail like any other. */
  #close(): void {
    this.#state = 'closed';
    this.#openings = 0;
    this.#level = 0;
    this.#settled = 0;
    this.#inFlight = 0;
  }
}
