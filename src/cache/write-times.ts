import type { ObjectKey } from '../model/key.ts';
import { compareRevisions, type Revision } from '../model/revision.ts';

/** One change of a kind is looked at in this time, at most: reading managedFields costs microseconds, and a burst must not pay them for each event. */
const LOOK_EVERY_MS = 10;
/** So many changes of a kind are remembered until they are durable, at most: an outage of the storage must not cost memory for this. */
const MOST_WAITING = 1_024;
/** Two API servers of one cluster may differ by so much before the later write counts as the earlier one. */
const CLOCKS_APART_MS = 5_000;

/**
 * When sampled changes of one kind were written in the cluster, until they are durable here. Pure.
 * A sample waits for its own revision or a newer one of its key: a burst is folded into one write, and its oldest sample counts.
 */
export class WriteTimes {
  readonly #waiting = new Map<ObjectKey, { readonly revision: Revision; readonly at: number }>();
  #lookedAt = Number.NEGATIVE_INFINITY;

  /** Samples that wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Whether the change at hand should be looked at; then the next ones need not be. `now` is monotonic. */
  isDue(now: number): boolean {
    if (now - this.#lookedAt < LOOK_EVERY_MS || this.#waiting.size >= MOST_WAITING) return false;
    this.#lookedAt = now;
    return true;
  }

  /** The state `revision` of `key` was written at `at` (Unix ms) and is to become durable. */
  note(key: ObjectKey, revision: Revision, at: number): void {
    if (!this.#waiting.has(key)) this.#waiting.set(key, { revision, at });
  }

  /** The state `revision` of `key` is durable: when the oldest sample that it covers was written, null when it covers none. */
  settle(key: ObjectKey, revision: Revision): number | null {
    if (this.#waiting.size === 0) return null;
    const sample = this.#waiting.get(key);
    if (sample === undefined || compareRevisions(sample.revision, revision) > 0) return null;
    this.#waiting.delete(key);
    return sample.at;
  }

  /** What is known of `key` will not become durable as it is: refused, deleted, or not worth a write. */
  drop(key: ObjectKey): void {
    if (this.#waiting.size > 0) this.#waiting.delete(key);
  }

  /** The history went back: revisions before and after cannot be compared. */
  clear(): void {
    this.#waiting.clear();
  }
}

/**
 * Tells the time of the change at hand from a left-over one. Not every write leaves its time in managedFields (the mark of a graceful deletion does
 * not, nor does taking a field away), and then the newest time there is that of an earlier write, hours ago perhaps. But the events of a watch come
 * in the order of their writes: what was written before something that came before it is such a left-over. One of these for each scope. Pure.
 */
export class WriteOrder {
  #listing: number | null = null;
  /** Nothing that the watch still brings was written before this; Unix ms, by whichever clock said so. */
  #since: number;

  /** `since` is when the last complete list ended that an earlier process knew of, in Unix ms. */
  constructor(since: number | null) {
    this.#since = since ?? Number.NEGATIVE_INFINITY;
  }

  listBegan(wall: number): void {
    this.#listing = wall;
  }

  /** The list is complete: what a watch from it brings was written after the list began. */
  listEnded(): void {
    if (this.#listing !== null) this.#since = Math.max(this.#since, this.#listing);
    this.#listing = null;
  }

  /** Whether an event that came just now, at `wall`, can be the write of `at`. */
  fits(at: number, wall: number): boolean {
    if (at < this.#since - CLOCKS_APART_MS) return false;
    // A client may write any time into managedFields: one from the future must not shut out all that follow.
    this.#since = Math.max(this.#since, Math.min(at, wall));
    return true;
  }
}
