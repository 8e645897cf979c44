import type { ObjectCache } from '../cache/object-cache.ts';
import type { Cluster, ListQuery } from '../cluster/cluster.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import type { Kind, Scope } from '../model/kind.ts';
import type { ObjectKey } from '../model/key.ts';
import { messageOf } from '../model/errors.ts';
import { BACKGROUND, type WorkQueue } from '../queue/queue.ts';

/** From here on one pass over the list is cheaper for both sides than a request per object: a page of 500 costs about as much as 12 gets. */
const PAGE_FROM = 50;
const PAGE_SIZE = 500;
/** How long an object that a get does not find waits for its DELETED event before it is looked at again. */
const ABSENT_RETRY_MS = 5_000;
const ERROR_RETRY_MS = 2_000;

export interface RefillOptions {
  readonly kind: Kind;
  readonly scopes: readonly Scope[];
  readonly cache: ObjectCache;
  readonly queue: WorkQueue;
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly log: Logger;
  /**
   * Reads one page and delivers each object like anything else that is seen of the cluster: transformed, compared by
   * revision, stored if there is room. Every delivery ends in delivered(). Returns the continue token of the next page.
   */
  readonly page: (scope: Scope, query: ListQuery, signal: AbortSignal) => Promise<string | null>;
  /** Finds the object in the bytes of a get and delivers it likewise. */
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
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      if (this.#wanted.size === 0) await this.#requested(signal);
      try {
        await this.#options.room(signal);
        if (this.#wanted.size >= PAGE_FROM) await this.#byPage(signal);
        else await this.#byKey(signal);
      } catch (cause) {
        if (signal.aborted) return;
        log.warn('cannot read objects again that were let go, will retry', { keys: this.#wanted.size, error: messageOf(cause) });
        await clock.sleep(ERROR_RETRY_MS, signal);
      }
    }
  }

  async #requested(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#wake = null;
  }

  async #byKey(signal: AbortSignal): Promise<void> {
    const { cluster, kind, queue } = this.#options;
    for (const key of [...this.#wanted]) {
      if (this.#isServed(key)) continue;
      await this.#options.room(signal);
      const bytes = await cluster.get(kind, key, signal);
      if (bytes !== null) this.#options.single(bytes);
      if (this.#isServed(key)) continue;
      this.#wanted.delete(key);
      queue.addAfter(key, bytes === null ? ABSENT_RETRY_MS : ERROR_RETRY_MS, BACKGROUND);
    }
  }

  async #byPage(signal: AbortSignal): Promise<void> {
    for (const scope of this.#options.scopes) {
      let token: string | null = null;
      do {
        await this.#options.room(signal);
        token = await this.#options.page(scope, token === null ? { limit: PAGE_SIZE } : { limit: PAGE_SIZE, continue: token }, signal);
      } while (token !== null && this.#wanted.size > 0);
    }
    // What a whole list did not bring is gone, or did not fit: looking at it one by one settles either.
    if (this.#wanted.size >= PAGE_FROM) await this.#options.room(signal);
    await this.#byKey(signal);
  }

  /** Whether the key needs no reading any more; then it goes back to the queue. */
  #isServed(key: ObjectKey): boolean {
    const known = this.#options.cache.get(key);
    if (known !== undefined && known.pending !== null && known.body === null && !known.gone) return false;
    this.#wanted.delete(key);
    this.#options.queue.add(key, BACKGROUND);
    return true;
  }
}
