import { NO_SLOT, type Ticket } from './ticket.ts';

/** The arrays never get shorter than this. */
const SMALLEST = 64;

/**
 * Keys that wait for a deadline: a binary min-heap in three parallel arrays, ordered by deadline and, for equal
 * deadlines, by the call that set them (DQ-S3). It keeps no time: deadlines and `now` are numbers of one clock.
 * Deadlines lie in typed arrays, not in the tickets: a number with a fraction inside an object costs 16 bytes more.
 */
export class Delays {
  /** `tickets[i].slot === i` for all i; no ticket is here twice (DQ-S2). Shrinks with the heap, so nothing is kept alive. */
  readonly #tickets: Ticket[] = [];
  /** At least as long as #tickets; beyond its length meaningless. */
  #deadlines = new Float64Array(SMALLEST);
  #orders = new Float64Array(SMALLEST);
  #calls = 0;

  get size(): number {
    return this.#tickets.length;
  }

  /** The earliest deadline; Infinity when nothing waits. */
  get nextAt(): number {
    return this.#tickets.length === 0 ? Number.POSITIVE_INFINITY : at(this.#deadlines, 0);
  }

  /** Lets `ticket` wait until `deadline`. Of two deadlines of one key the earlier stays (DQ-S2). */
  put(ticket: Ticket, deadline: number): void {
    let slot = ticket.slot;
    if (slot === NO_SLOT) {
      slot = this.#tickets.length;
      if (slot === this.#deadlines.length) this.#resize(slot * 2);
      this.#tickets.push(ticket);
    } else if (deadline >= at(this.#deadlines, slot)) {
      return;
    }
    this.#siftUp(ticket, deadline, this.#calls++, slot);
  }

  /** The first key whose deadline has come, taken out; null when none has. Call until null: they come in deadline order. */
  takeDue(now: number): Ticket | null {
    const first = this.#tickets[0];
    if (first === undefined || at(this.#deadlines, 0) > now) return null;
    this.remove(first);
    return first;
  }

  /** Every waiting key, in no order; nothing waits afterwards. */
  takeAll(): readonly Ticket[] {
    const tickets = this.#tickets.splice(0);
    for (const ticket of tickets) ticket.slot = NO_SLOT;
    this.#resize(SMALLEST);
    return tickets;
  }

  /** Takes a waiting key out: it became ready by another way (DQ-S4). */
  remove(ticket: Ticket): void {
    const slot = ticket.slot;
    ticket.slot = NO_SLOT;
    const moved = this.#tickets.pop();
    const last = this.#tickets.length;
    if (moved !== undefined && moved !== ticket) {
      const deadline = at(this.#deadlines, last);
      const order = at(this.#orders, last);
      if (slot > 0 && this.#isBefore(deadline, order, (slot - 1) >> 1)) this.#siftUp(moved, deadline, order, slot);
      else this.#siftDown(moved, deadline, order, slot);
    }
    if (this.#deadlines.length > SMALLEST && last < this.#deadlines.length / 4) this.#resize(this.#deadlines.length / 2);
  }

  #siftUp(ticket: Ticket, deadline: number, order: number, from: number): void {
    let slot = from;
    while (slot > 0) {
      const parent = (slot - 1) >> 1;
      if (!this.#isBefore(deadline, order, parent)) break;
      this.#move(parent, slot);
      slot = parent;
    }
    this.#place(ticket, deadline, order, slot);
  }

  #siftDown(ticket: Ticket, deadline: number, order: number, from: number): void {
    const length = this.#tickets.length;
    let slot = from;
    for (let child = 2 * slot + 1; child < length; child = 2 * slot + 1) {
      const right = child + 1;
      if (right < length && this.#isBefore(at(this.#deadlines, right), at(this.#orders, right), child)) child = right;
      if (this.#isBefore(deadline, order, child)) break;
      this.#move(child, slot);
      slot = child;
    }
    this.#place(ticket, deadline, order, slot);
  }

  #isBefore(deadline: number, order: number, slot: number): boolean {
    const other = at(this.#deadlines, slot);
    return deadline < other || (deadline === other && order < at(this.#orders, slot));
  }

  #move(from: number, to: number): void {
    const ticket = this.#tickets[from];
    if (ticket !== undefined) this.#place(ticket, at(this.#deadlines, from), at(this.#orders, from), to);
  }

  #place(ticket: Ticket, deadline: number, order: number, slot: number): void {
    this.#tickets[slot] = ticket;
    this.#deadlines[slot] = deadline;
    this.#orders[slot] = order;
    ticket.slot = slot;
  }

  #resize(length: number): void {
    const deadlines = new Float64Array(length);
    const orders = new Float64Array(length);
    deadlines.set(this.#deadlines.subarray(0, Math.min(length, this.#deadlines.length)));
    orders.set(this.#orders.subarray(0, Math.min(length, this.#orders.length)));
    this.#deadlines = deadlines;
    this.#orders = orders;
  }
}

/** An element that the heap's own arithmetic keeps inside the array. */
function at(array: Float64Array, index: number): number {
  return array[index] ?? Number.NaN;
}
