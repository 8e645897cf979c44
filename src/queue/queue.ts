import type { ObjectKey } from '../model/key.ts';

/** Larger is served first, within the stated starvation bound (PQ-S1, PQ-S11). */
export type Priority = number;
/** A change that was seen happening. */
export const LIVE: Priority = 0;
/** First list, relist without change, audit: work that nobody is waiting for (PQ-S2). */
export const BACKGROUND: Priority = -100;

/**
 * A rate-limited, de-duplicating queue of keys; one per kind. It never holds objects: whoever takes a key
 * looks the newest object up AFTER taking (WQ-S3). A key is in at most one holder's hands at a time (WQ-S1).
 */
export interface WorkQueue {
  /** The kind, as metrics show it. */
  readonly name: string;
  /** Queued keys that may be taken now; not those held, not those waiting for a deadline (WQ-S5, PQ-S7). */
  readonly length: number;
  /** Keys in holders' hands. */
  readonly held: number;
  /** Keys waiting for a deadline. */
  readonly waiting: number;

  /** Asks for one more processing. Merges with a queued or waiting entry: highest priority, earliest time (PQ-S3, DQ-S4). */
  add(key: ObjectKey, priority?: Priority): void;
  /**
   * As add, but not before `delayMs`; the earliest deadline wins (DQ-S2). At once when `delayMs <= 0` (DQ-S1).
   * Without a priority a held key keeps the one it was taken with (PQ-S10): so ask for a retry before done().
   */
  addAfter(key: ObjectKey, delayMs: number, priority?: Priority): void;
  /** As addAfter, by the key's own jittered exponential backoff; counts one failure. Returns the delay in milliseconds. */
  addRateLimited(key: ObjectKey, priority?: Priority): number;
  /** Clears the key's failures; a waiting entry stays (DQ-S5). */
  forget(key: ObjectKey): void;
  /** Failures counted since the last forget. */
  requeues(key: ObjectKey): number;

  /**
   * Between 1 and `max` keys, each held exclusively until done(key). Waits while there are none.
   * An empty array says that the queue was shut down and nothing is left for this taker.
   */
  take(max: number): Promise<readonly ObjectKey[]>;
  /** Ends holding. A key added meanwhile is queued again, once, at the tail (WQ-S4). Throws when the key is not held (WQ-S11). */
  done(key: ObjectKey): void;

  /** Ignores adds from now on; takers get what is queued, then an empty array (WQ-S7). Waiting keys are abandoned. */
  shutDown(): void;
  /** Like shutDown, but resolves only when queue and hands are both empty (WQ-S10), or when shutDown() is called (WQ-S8). */
  drain(): Promise<void>;
}
