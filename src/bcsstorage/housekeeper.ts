import type { Clock } from '../kit/clock.ts';
import type { Random } from '../kit/random.ts';
import type { Service } from './service.ts';

const HOUR_MS = 3_600_000;
/** Between two cleanings; up to half an hour more, at random, so that many services do not clean at once. */
const EVERY_MS = HOUR_MS;
const JITTER_MS = HOUR_MS / 2;
/** A deleted document is remembered at least so long: its revision keeps a PUT that was late from bringing it back. */
const DELETED_FOR_MS = HOUR_MS;
/** The copy of an event among the documents. */
const EVENT_COPY_MS = HOUR_MS;
const DAY_MS = 24 * HOUR_MS;

/** The hourly cleaner: forgets what was deleted, copies of events and old events. Every type is cleaned, whenever its first document came. */
export class Housekeeper {
  readonly #service: Service;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #eventDays: number;
  /** Takes the next round away; null when stopped. */
  #cancel: (() => void) | null = null;

  constructor(options: { readonly service: Service; readonly clock: Clock; readonly random: Random; readonly eventDays: number }) {
    this.#service = options.service;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#eventDays = options.eventDays;
  }

  start(): void {
    this.#cancel = this.#clock.after(EVERY_MS + JITTER_MS * this.#random.next(), () => {
      const again = (): void => {
        if (this.#cancel !== null) this.start();
      };
      // A database that cannot be written to just now is cleaned an hour later.
      this.clean().then(again, again);
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  async clean(): Promise<void> {
    const { documents, events, writer } = this.#service;
    const now = this.#clock.wall();
    await writer.submit('many', (log) => {
      for (const key of documents.olderThan('Event', now - EVENT_COPY_MS)) documents.delete(key, now, { entries: [], changes: log.changes });
      documents.purge(now - DELETED_FOR_MS);
      events.prune(now - this.#eventDays * DAY_MS);
    });
  }
}
