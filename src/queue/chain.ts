/** What a chain needs of its members. Both ends are null while the member is in no chain. */
export interface Link<T> {
  next: T | null;
  prev: T | null;
}

/**
 * A doubly linked line through its members: push, shift and remove in constant time, nothing allocated.
 * A member is in at most one chain at a time; the caller knows which.
 */
export class Chain<T extends Link<T>> {
  #first: T | null = null;
  #last: T | null = null;

  get first(): T | null {
    return this.#first;
  }

  push(member: T): void {
    const last = this.#last;
    member.prev = last;
    if (last === null) this.#first = member;
    else last.next = member;
    this.#last = member;
  }

  shift(): T | null {
    const first = this.#first;
    if (first !== null) this.remove(first);
    return first;
  }

  /** The links of the removed member are cleared, so that it keeps no neighbour alive (WQ-S6). */
  remove(member: T): void {
    const { next, prev } = member;
    if (prev === null) this.#first = next;
    else prev.next = next;
    if (next === null) this.#last = prev;
    else next.prev = prev;
    member.next = null;
    member.prev = null;
  }
}
