import { needsBody, type ObjectCache } from '../cache/object-cache.ts';
import type { Cluster, ListQuery } from '../cluster/cluster.ts';
import { backoffDelay } from '../kit/backoff.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import type { Random } from '../kit/random.ts';
import type { Kind, Scope } from '../model/kind.ts';
import { namespaceOf, type ObjectKey } from '../model/key.ts';
import { messageOf } from '../model/errors.ts';
import { BACKGROUND, type WorkQueue } from '../queue/queue.ts';

const PAGE_SIZE = 500;
/** A page of 500 is reckoned as 12 gets (not measured): then a pass over the list pays when one object in 40 is wanted, and never for a few. */
const GETS_A_PAGE = 12;
const PAGE_FROM = 50;
/** How long an object that a get does not find waits for its DELETED event before it is looked at again. */
const ABSENT_RETRY_MS = 5_000;
const ERROR_RETRY_MS = 2_000;
/** One object that cannot be read must not hold up the others; so many in a row say that nothing can. */
const FAILURES_IN_A_ROW = 3;
const BACKOFF = { baseMs: 1_000, capMs: 30_000, jitter: 1 };

export interface RefillOptions {
  readonly kind: Kind;
  readonly scopes: readonly Scope[];
  readonly cache: ObjectCache;
  readonly queue: WorkQueue;
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /**
   * Reads one page and restores the body of each object that lacks it in just this state, transformed, if there is room.
   * Every one ends in delivered(). Returns the continue token of the next page.
   */
  readonly page: (scope: Scope, query: ListQuery, signal: AbortSignal) => Promise<string | null>;
  /** Finds the object in the bytes of a get and restores it likewise. Throws when they cannot be read. */
  readonly single: (bytes: Uint8Array) => void;
  readonly room: (signal: AbortSignal) => Promise<void>;
}

/**
 * Reads again what was let go: bodies that wait to be written are bounded, keys are not. By key, or by page when many wait.
 * A key it was given is added to the queue again when its body is back, or later when it could not be read: none is lost.
 */
export class Refill {
  readonly #options: RefillOptions;
  readonly #wanted = new Set<ObjectKey>();
  #wake: (() => void) | null = null;

  constructor(options: RefillOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#wanted.size;
  }

  request(key: ObjectKey): void {
    this.#wanted.add(key);
    this.#wake?.();
  }

  /** An object was seen, here or by a reflector: if its key waits for its body, it may go back to the queue. */
  delivered(key: ObjectKey): void {
    if (this.#wanted.has(key)) this.#isServed(key);
  }

  /** Works until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      if (this.#wanted.size === 0) await this.#requested(signal);
      try {
        await this.#options.room(signal);
        // After a failed pass the keys are tried one by one: a page that cannot be read must not hold them up for ever.
        if (failures % 2 === 0 && this.#pagesPay()) await this.#byPage(signal);
        // What a whole list did not bring is gone, newer by now, or did not fit: looking at it one by one settles each.
        await this.#byKey(signal);
        failures = 0;
      } catch (cause) {
        if (signal.aborted) return;
        const delayMs = Math.round(backoffDelay(BACKOFF, failures++, random));
        log.warn('cannot read objects again that were let go, will retry', { keys: this.#wanted.size, error: messageOf(cause), retryMs: delayMs });
        await clock.sleep(delayMs, signal);
      }
    }
  }

  async #requested(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', this.#wakeUp);
    });
    signal.removeEventListener('abort', this.#wakeUp);
    this.#wake = null;
  }

  readonly #wakeUp = (): void => this.#wake?.();

  #pagesPay(): boolean {
    return this.#wanted.size >= PAGE_FROM && this.#wanted.size * PAGE_SIZE >= this.#options.cache.size * GETS_A_PAGE;
  }

  async #byKey(signal: AbortSignal): Promise<void> {
    const { cluster, kind, log } = this.#options;
    let failures = 0;
    let gets = 0;
    for (const key of [...this.#wanted]) {
      if (this.#isServed(key)) continue;
      // A page brings what there is room for; of many keys most are still left, and for those a next pass may pay again.
      if (++gets > PAGE_FROM) return;
      await this.#options.room(signal);
      try {
        const bytes = await cluster.get(kind, key, signal);
        if (bytes !== null) this.#options.single(bytes);
        failures = 0;
        if (!this.#isServed(key)) this.#putOff(key, bytes === null ? ABSENT_RETRY_MS : ERROR_RETRY_MS);
      } catch (cause) {
        signal.throwIfAborted();
        this.#putOff(key, ERROR_RETRY_MS);
        if (++failures >= FAILURES_IN_A_ROW) throw cause;
        log.debug('cannot read an object again that was let go, will retry', { key, error: messageOf(cause) });
      }
    }
  }

  async #byPage(signal: AbortSignal): Promise<void> {
    const namespaces = new Set([...this.#wanted].map(namespaceOf));
    for (const scope of this.#options.scopes) {
      if (scope !== '' && !namespaces.has(scope)) continue;
      let token: string | null = null;
      do {
        await this.#options.room(signal);
        token = await this.#options.page(scope, token === null ? { limit: PAGE_SIZE } : { limit: PAGE_SIZE, continue: token }, signal);
      } while (token !== null && this.#wanted.size > 0);
    }
  }

  /** The worker decides again later: by then the object may have changed, be gone, or fit. */
  #putOff(key: ObjectKey, delayMs: number): void {
    if (this.#wanted.delete(key)) this.#options.queue.addAfter(key, delayMs, BACKGROUND);
  }

  /** Whether the key needs no reading any more; then it goes back to the queue. */
  #isServed(key: ObjectKey): boolean {
    const known = this.#options.cache.get(key);
    if (known !== undefined && needsBody(known)) return false;
    if (this.#wanted.delete(key) && known !== undefined && known.pending !== null) this.#options.queue.add(key, BACKGROUND);
    return true;
  }
}
