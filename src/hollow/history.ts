import type { Version } from './objects.ts';

/** One write to one object. */
export interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  /** Rising; for DELETED that of the deletion, not of the object. */
  readonly revision: number;
  /** The state after; for DELETED the last state. */
  readonly version: Version;
  /** The state before; null for ADDED. */
  readonly previous: Version | null;
}

export interface HistoryBounds {
  /** Changes kept per kind. */
  readonly count: number;
  /** Bytes that only the kept changes hold, per kind; approximate. */
  readonly bytes: number;
}

/**
 * The recent changes of one kind: a ring that many readers follow, each with a cursor of its own (WC-S10). A place is a number that
 * only rises; a reader whose place is below `first` was overtaken and must start again.
 */
export class History {
  readonly #bounds: HistoryBounds;
  /** The change at place p is at p % bounds.count; places outside [#first, #next) hold undefined. */
  readonly #ring: ({ readonly change: Change; readonly cost: number } | undefined)[] = [];
  #first = 0;
  #next = 0;
  #bytes = 0;
  #floor: number;

  /** `floor`: the revision the history starts after. */
  constructor(bounds: HistoryBounds, floor: number) {
    if (!Number.isInteger(bounds.count) || bounds.count < 1) {
      throw new RangeError(`Cannot keep a history: "count" must be an integer >= 1, current value is ${bounds.count}`);
    }
    this.#bounds = bounds;
    this.#floor = floor;
  }

  /** The place of the oldest change kept. */
  get first(): number {
    return this.#first;
  }

  /** The place of the next change. */
  get next(): number {
    return this.#next;
  }

  /** The oldest revision that can be resumed from: every later change is here (WC-S3). */
  get floor(): number {
    return this.#floor;
  }

  /** `cost`: bytes that this change keeps alive. */
  append(change: Change, cost: number): void {
    if (this.#next - this.#first >= this.#bounds.count) this.#evict();
    this.#ring[this.#next % this.#bounds.count] = { change, cost };
    this.#next += 1;
    this.#bytes += cost;
    // The newest change is always kept, however large, or its own watchers would be overtaken by it.
    while (this.#bytes > this.#bounds.bytes && this.#next - this.#first > 1) this.#evict();
  }

  /** The change at a place in [first, next). */
  at(place: number): Change {
    const entry = place >= this.#first ? this.#ring[place % this.#bounds.count] : undefined;
    if (entry === undefined || place >= this.#next) throw new RangeError(`No change at place ${place}: the history holds [${this.#first}, ${this.#next})`);
    return entry.change;
  }

  /** The place of the first change newer than `revision`; null when older ones are missing. */
  after(revision: number): number | null {
    if (revision < this.#floor) return null;
    let low = this.#first;
    let high = this.#next;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.at(middle).revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Forgets everything up to `floor` (compaction, restart). Places do not go back (WC-S4), so readers inside notice. */
  clear(floor: number): void {
    while (this.#first < this.#next) this.#evict();
    // A reader that waits at the end has missed nothing, but its place must stay valid: it is first and next at once.
    this.#floor = floor;
  }

  #evict(): void {
    const slot = this.#first % this.#bounds.count;
    const entry = this.#ring[slot];
    if (entry !== undefined) {
      this.#floor = Math.max(this.#floor, entry.change.revision);
      this.#bytes -= entry.cost;
    }
    this.#ring[slot] = undefined;
    this.#first += 1;
  }
}
