import type { Revision } from '../model/revision.ts';

/** A point in a scope's history at which something was seen that is not durable yet. */
export interface Position {
  /** The newest revision before it: a watch from there sees it again. Null while the first list is not complete. */
  readonly before: Revision | null;
  /** When it was received, by the monotonic clock. */
  readonly at: number;
}

type Open = { before: Revision | null; readonly at: number; keys: number; parked: number };

/**
 * Knows the oldest change of a scope that is not durable, whatever order the keys are written in.
 * Positions are made in the order of history and closed in any order, so a queue whose head is closed moves on; nothing is sorted.
 */
export class Positions {
  /** In the order of history. Entries before #head are closed; closed ones behind it are skipped when it gets there. */
  #line: Open[] = [];
  #head = 0;
  /** Closed entries at or behind #head: when they are most of the line, it is cut down. One stuck key must not keep a history of the rest. */
  #closed = 0;
  #awaited = 0;

  /** Opens a position for one key. Changes seen at the same time share one. */
  open(before: Revision | null, at: number): Position {
    if (before === null) this.#awaited++;
    const last = this.#line.at(-1);
    if (last !== undefined && last.keys > 0 && last.before === before && last.at === at) {
      last.keys++;
      return last;
    }
    const position: Open = { before, at, keys: 1, parked: 0 };
    this.#line.push(position);
    return position;
  }

  /** One key of the position became durable (it was not parked, or is not any more), or was merged into an older position of the same key. */
  close(position: Position): void {
    const open = position as Open;
    if (open.keys === 0) throw new Error('Cannot close a position more often than it was opened');
    open.keys--;
    if (open.before === null) this.#awaited--;
    if (open.keys > 0) return;
    this.#closed++;
    while (this.#head < this.#line.length && this.#line[this.#head]?.keys === 0) {
      this.#head++;
      this.#closed--;
    }
    if (this.#head > 1024 && this.#head * 2 > this.#line.length) {
      this.#line = this.#line.slice(this.#head);
      this.#head = 0;
    } else if (this.#closed > 1024 && this.#closed * 2 > this.#line.length - this.#head) {
      this.#line = this.#line.slice(this.#head).filter((entry) => entry.keys > 0);
      this.#head = 0;
      this.#closed = 0;
    }
  }

  /** One key of the position waits for a person: nothing that waiting brings would close it. The position stays open all the same. */
  park(position: Position): void {
    const open = position as Open;
    open.parked++;
    if (open.before === null) this.#awaited--;
  }

  /** A parked key is waited for again. */
  unpark(position: Position): void {
    const open = position as Open;
    open.parked--;
    if (open.before === null) this.#awaited++;
  }

  /** The history is over: what is open stays open, but there is no revision left to watch from. */
  forgetHistory(): void {
    for (let index = this.#head; index < this.#line.length; index++) {
      const open = this.#line[index];
      if (open === undefined || open.before === null) continue;
      open.before = null;
      this.#awaited += open.keys - open.parked;
    }
  }

  /** Keys that must become durable before there is any revision to watch from: those of the first list that are open and do not wait for a person. */
  get awaited(): number {
    return this.#awaited;
  }

  /** Positions in memory, closed ones included. */
  get held(): number {
    return this.#line.length;
  }

  /** The oldest one that is not durable, or null when everything is. */
  oldest(): Position | null {
    return this.#line[this.#head] ?? null;
  }

  /** The oldest one that is waited for: not one of which every open key waits for a person. A pass of deletions that is held has one position in all. */
  oldestAwaited(): Position | null {
    for (let index = this.#head; index < this.#line.length; index++) {
      const open = this.#line[index];
      if (open !== undefined && open.keys > open.parked) return open;
    }
    return null;
  }
}
