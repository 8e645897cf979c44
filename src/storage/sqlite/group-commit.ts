import { SLAB_BYTES, SLAB_ROWS } from './slab-pool.ts';

/** Something to be committed whole. */
export interface Call {
  readonly rows: number;
  readonly bytes: number;
}

/**
 * So many rows or bytes are a transaction worth making at once: more rows gain nothing (design.md section 4). While one transaction runs a
 * second one of at least this size is sent after it, so that the thread never waits for this one; smaller ones wait and merge.
 */
const FULL_ROWS = 100;
const FULL_BYTES = 512 * 1024;
/** One that runs, one that is ready to. */
const MOST_IN_FLIGHT = 2;

/** Decides when calls that wait become a transaction, and which. Knows no clock: lingerEnded() is called when the time is over. */
export class GroupCommit<T extends Call> {
  #waiting: T[] = [];
  #rows = 0;
  #bytes = 0;
  #inFlight = 0;
  /** The oldest call that waits has waited long enough. */
  #isDue = false;

  /** Calls that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  get isIdle(): boolean {
    return this.#waiting.length === 0 && this.#inFlight === 0;
  }

  add(call: T): void {
    this.#waiting.push(call);
    this.#rows += call.rows;
    this.#bytes += call.bytes;
  }

  lingerEnded(): void {
    this.#isDue = this.#waiting.length > 0;
  }

  finished(): void {
    this.#inFlight--;
  }

  /** The calls of the next transaction, or null when it is not time yet. A call is never split, so one alone may be larger than the bounds. */
  next(): readonly T[] | null {
    if (this.#waiting.length === 0 || this.#inFlight >= MOST_IN_FLIGHT) return null;
    const isFull = this.#rows >= FULL_ROWS || this.#bytes >= FULL_BYTES;
    if (!isFull && (this.#inFlight > 0 || !this.#isDue)) return null;
    let rows = 0;
    let bytes = 0;
    let count = 0;
    for (const call of this.#waiting) {
      if (count > 0 && (rows + call.rows > SLAB_ROWS || bytes + call.bytes > SLAB_BYTES)) break;
      rows += call.rows;
      bytes += call.bytes;
      count++;
    }
    const calls = this.#waiting.splice(0, count);
    this.#rows -= rows;
    this.#bytes -= bytes;
    this.#inFlight++;
    // What is left came before this moment and has waited its part.
    this.#isDue = this.#waiting.length > 0;
    return calls;
  }

  /** Everything that waits, given up. What is in flight is the caller's to settle. */
  drop(): readonly T[] {
    const calls = this.#waiting;
    this.#waiting = [];
    this.#rows = 0;
    this.#bytes = 0;
    this.#isDue = false;
    return calls;
  }
}
