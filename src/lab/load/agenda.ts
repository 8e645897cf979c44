interface Entry<T> {
  readonly atMs: number;
  /** Entries of one time come out in the order in which they were put in. */
  readonly order: number;
  readonly item: T;
}

/** What is to happen, soonest first: a binary heap. */
export class Agenda<T> {
  readonly #heap: Entry<T>[] = [];
  #orders = 0;

  /** When the next thing happens; Infinity when nothing does. */
  get nextAt(): number {
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  put(atMs: number, item: T): void {
    const entry: Entry<T> = { atMs, order: this.#orders++, item };
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up] as Entry<T>;
      if (!isBefore(entry, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = entry;
  }

  /** Takes the next one out; undefined when there is none. */
  take(): { readonly atMs: number; readonly item: T } | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let down = at * 2 + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && isBefore(heap[down + 1] as Entry<T>, heap[down] as Entry<T>)) down++;
      const child = heap[down] as Entry<T>;
      if (!isBefore(child, last)) break;
      heap[at] = child;
      at = down;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
