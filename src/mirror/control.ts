import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import type { Control, HeldPass, HeldToken, ParkedChoice, ParkedObject, QueuedKey, Refused } from '../model/control.ts';
import { LIVE } from '../queue/queue.ts';
import type { Storage } from '../storage/storage.ts';
import type { KindMirror } from './kind-mirror.ts';

export interface ControlParts {
  readonly clusterName: string;
  readonly storage: Storage;
  /** Every kind of which there are rows, those that leave included. */
  readonly mirrors: () => readonly KindMirror[];
  readonly clock: Clock;
  readonly log: Logger;
}

/** What people decide, carried out on the kinds that run just now. */
export class MirrorControl implements Control {
  readonly #parts: ControlParts;

  constructor(parts: ControlParts) {
    this.#parts = parts;
  }

  get clusterName(): string {
    return this.#parts.clusterName;
  }

  held(keys: number): readonly HeldPass[] {
    return this.#parts.mirrors().flatMap(({ held }) => held.show(keys) ?? []);
  }

  queues(keys: number): readonly { readonly kind: string; readonly size: number; readonly keys: readonly QueuedKey[] }[] {
    return this.#parts.mirrors().flatMap(({ id, queue }) => (queue.size === 0 ? [] : [{ kind: id, size: queue.size, keys: queue.contents(keys) }]));
  }

  confirm(shown: HeldToken): { readonly released: number } | Refused {
    const mirror = this.#mirror(shown.kind);
    return mirror === undefined
      ? { refused: `${shown.kind} is not mirrored here, so nothing of it is held. Look at what is held with kubefold confirm.` }
      : mirror.held.confirm(shown);
  }

  async parked(): Promise<readonly ParkedObject[]> {
    return this.#parts.mirrors().flatMap(({ id, parked }) => [...parked.list()].map(([key, row]) => ({ kind: id, key, ...row })));
  }

  async retry(choice: ParkedChoice): Promise<{ readonly retried: number } | Refused> {
    const { clock, log } = this.#parts;
    const chosen = this.#chosen(choice);
    if ('refused' in chosen) return chosen;
    let retried = 0;
    for (const { mirror, key } of chosen) {
      if (!mirror.cache.retry(key, clock.now())) continue;
      mirror.queue.add(key, LIVE);
      retried++;
    }
    log.info('refused objects are written once more', { objects: retried });
    return { retried };
  }

  async drop(choice: ParkedChoice): Promise<{ readonly dropped: number } | Refused> {
    const { storage, log } = this.#parts;
    const chosen = this.#chosen(choice);
    if ('refused' in chosen) return chosen;
    for (const { mirror, key } of chosen) {
      await storage.unpark(mirror.id, key);
      mirror.parked.release(key);
    }
    log.info('refused objects are forgotten as such', { objects: chosen.length });
    return { dropped: chosen.length };
  }

  #mirror(kind: string): KindMirror | undefined {
    return this.#parts.mirrors().find(({ id }) => id === kind);
  }

  #chosen(choice: ParkedChoice): { readonly mirror: KindMirror; readonly key: HeldPass['keys'][number] }[] | Refused {
    if ('all' in choice) return this.#parts.mirrors().flatMap((mirror) => [...mirror.parked.list()].map(([key]) => ({ mirror, key })));
    const mirror = this.#mirror(choice.kind);
    const isParked = mirror !== undefined && [...mirror.parked.list()].some(([key]) => key === choice.key);
    return isParked
      ? [{ mirror, key: choice.key }]
      : { refused: `${choice.kind} ${choice.key} is not parked: it was written, changed or deleted meanwhile. See kubefold parked list.` };
  }
}
