import type { ObjectKey } from '../model/key.ts';
import { Chain } from './chain.ts';
import { Ticket } from './ticket.ts';

/**
 * Who has work to do and who is being worked on: the two independent marks of every key, and nothing of order or time.
 *
 * | state        | dirty | busy | lined up by the caller |
 * | queued       | yes   | no   | yes                    |
 * | held         | no    | yes  | no                     |
 * | held + dirty | yes   | yes  | no: release() says when |
 */
export class Dedup {
  /** Every key that is dirty, busy or waiting, once. A key in no such state is not here, so finished keys cost nothing (WQ-S6). */
  readonly #tickets = new Map<ObjectKey, Ticket>();
  /** The busy tickets, longest held first. A key is here at most once, so nobody else can hold it (WQ-S1). */
  readonly #hands = new Chain<Ticket>();
  /**
   * In #hands, or null when that is empty: who is likely to be released next. Holders are done with keys in the order in which
   * they took them, so it is mostly the one behind the last that was released, and a look-up is saved.
   */
  #likely: Ticket | null = null;
  /** Number of tickets with `dirty`: queued plus held + dirty (MET-S1). */
  #dirty = 0;
  /** Number of tickets in #hands. */
  #busy = 0;

  get dirty(): number {
    return this.#dirty;
  }

  get busy(): number {
    return this.#busy;
  }

  /** Keys known in any state. */
  get size(): number {
    return this.#tickets.size;
  }

  find(key: ObjectKey): Ticket | undefined {
    return this.#tickets.get(key);
  }

  /** The ticket of `key` when somebody holds it. */
  findHeld(key: ObjectKey): Ticket | undefined {
    const ticket = this.#likely?.key === key ? this.#likely : this.#tickets.get(key);
    return ticket?.busy === true ? ticket : undefined;
  }

  /** The ticket of `key`, made when absent. Whoever makes one marks it, or lets it wait, or drops it. */
  ticketOf(key: ObjectKey): Ticket {
    let ticket = this.#tickets.get(key);
    if (ticket === undefined) {
      ticket = new Ticket(key);
      this.#tickets.set(key, ticket);
    }
    return ticket;
  }

  /** Asks for one more processing of a key that is not dirty. True when the caller must line it up now: nobody holds it (WQ-S2). */
  mark(ticket: Ticket): boolean {
    ticket.dirty = true;
    this.#dirty++;
    return !ticket.busy;
  }

  /** A queued key goes into a holder's hands; what is asked from now on is another processing (WQ-S3). */
  hold(ticket: Ticket): void {
    ticket.dirty = false;
    this.#dirty--;
    ticket.busy = true;
    this.#busy++;
    this.#hands.push(ticket);
    this.#likely ??= ticket;
  }

  /** Ends holding. True when the key became dirty meanwhile and the caller must line it up now (WQ-S2, WQ-S4). */
  release(ticket: Ticket): boolean {
    ticket.busy = false;
    this.#busy--;
    const behind = ticket.next;
    this.#hands.remove(ticket);
    this.#likely = behind ?? this.#hands.first;
    return ticket.dirty;
  }

  /** Forgets a key that is neither dirty nor busy; the caller knows that it does not wait either. */
  drop(ticket: Ticket): void {
    this.#tickets.delete(ticket.key);
  }

  /** Every ticket, in whatever state, the oldest first. */
  all(): MapIterator<Ticket> {
    return this.#tickets.values();
  }

  /** Busy tickets, longest held first. */
  *held(): Generator<Ticket> {
    for (let ticket = this.#hands.first; ticket !== null; ticket = ticket.next) yield ticket;
  }
}
