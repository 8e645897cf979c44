import type { ObjectCache } from '../cache/object-cache.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { Alarm } from '../kit/alarm.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import { within } from '../kit/within.ts';
import { ApiError, messageOf } from '../model/errors.ts';
import type { Kind } from '../model/kind.ts';
import type { ObjectKey } from '../model/key.ts';
import type { ObjectMeta } from '../model/object.ts';
import { BACKGROUND, type WorkQueue } from '../queue/queue.ts';
import { scanObject } from './scan-object.ts';

const TIMEOUT_MS = 5_000;
const RETRY_MS = 5_000;
/** Nothing is due: only a new request ends the wait. */
const IDLE_MS = 3_600_000;

export interface SecondLookOptions {
  readonly kind: Kind;
  readonly cluster: Cluster;
  readonly cache: ObjectCache;
  readonly queue: WorkQueue;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Storage has refused a put as older than what it knows. In a history that goes on the news of that is on its way. But when the object is, in the
 * cluster and now, exactly what was refused, then storage knows it, or its deletion, from a history that is no more: it is written by force.
 * Until it was looked at the state is contested, and the watermark waits: after a crash the watch brings it again.
 */
export class SecondLook {
  readonly #options: SecondLookOptions;
  readonly #alarm: Alarm;
  readonly #wanted = new Map<ObjectKey, ObjectMeta>();

  constructor(options: SecondLookOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.clock);
  }

  request(refused: ObjectMeta): void {
    this.#wanted.set(refused.key, refused);
    this.#alarm.set(0);
  }

  /** States that are contested still. */
  get waiting(): number {
    return this.#wanted.size;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    while (!signal.aborted) {
      const [refused] = this.#wanted.values();
      if (refused === undefined) {
        await this.#alarm.wait(IDLE_MS, signal);
        continue;
      }
      try {
        await this.#look(refused, signal);
        if (this.#wanted.get(refused.key) === refused) this.#wanted.delete(refused.key);
      } catch (cause) {
        if (signal.aborted) return;
        if (cause instanceof ApiError && cause.status === 403) {
          // Nobody will ever tell, and a watermark that waits for ever would make every start a list.
          log.warn('storage refused an object as old, and the API server refuses to show it: storage is believed', { key: refused.key, error: cause.message });
          this.#options.cache.concede(refused);
          if (this.#wanted.get(refused.key) === refused) this.#wanted.delete(refused.key);
          continue;
        }
        log.debug('cannot look again at an object that storage refused as old, will retry', { key: refused.key, error: messageOf(cause) });
        // The others first: one that cannot be read must not hold them up.
        this.#wanted.delete(refused.key);
        this.#wanted.set(refused.key, refused);
        await this.#options.clock.sleep(RETRY_MS, signal);
      }
    }
  }

  async #look(refused: ObjectMeta, signal: AbortSignal): Promise<void> {
    const { kind, cluster, cache, queue, clock, log } = this.#options;
    if (!cache.isContested(refused)) return;
    const bytes = await within(clock, TIMEOUT_MS, signal, (bounded) => cluster.get(kind, refused.key, bounded));
    const found = bytes === null ? null : scanObject(kind, bytes);
    if (found === null || found.uid !== refused.uid || found.revision !== refused.revision) return cache.concede(refused);
    if (!cache.isContested(refused)) return;
    log.warn('storage knows an object, or its deletion, from a history that is no more: the object is written by force', { key: refused.key });
    if (cache.doubt(refused.key, clock.now())) queue.add(refused.key, BACKGROUND);
  }
}
