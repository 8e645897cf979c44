import type { Hollow } from '../../../src/hollow/server.ts';
import { systemClock } from '../../../src/kit/clock.ts';
import type { Random } from '../../../src/kit/random.ts';

const TICK_MS = 10;

export interface HollowChurnOptions {
  readonly random: Random;
  /** Kinds in which objects come, change, go and are replaced; each must have objects of which more can be made like. */
  readonly kinds: readonly string[];
}

/** Every sort of change to a hollow cluster, in a random order: while it runs, and in one go while nobody looks. */
export class HollowChurn {
  changes = 0;
  readonly #hollow: Hollow;
  readonly #options: HollowChurnOptions;
  /** How many objects each kind had at the start, and keeps within a fifth. */
  readonly #sizes: ReadonlyMap<string, number>;
  #made = 0;
  #cancel: (() => void) | null = null;

  constructor(hollow: Hollow, options: HollowChurnOptions) {
    this.#hollow = hollow;
    this.#options = options;
    this.#sizes = new Map(options.kinds.map((kind) => [kind, hollow.count(kind)]));
  }

  start(changesPerTick: number): void {
    const tick = (): void => {
      this.disturb(changesPerTick);
      this.#cancel = systemClock.after(TICK_MS, tick);
    };
    tick();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  /** So many changes at once. */
  disturb(changes: number): void {
    for (let n = 0; n < changes; n += 1) this.#change(this.#oneOf(this.#options.kinds));
  }

  #change(kind: string): void {
    this.changes += 1;
    const keys = this.#hollow.keys(kind);
    const size = this.#sizes.get(kind) ?? 0;
    const chance = this.#options.random.next();
    if (keys.length < size * 0.8 || (chance < 0.15 && keys.length < size * 1.2)) this.#create(kind, this.#oneOf(keys));
    else if (chance < 0.3) this.#hollow.delete(kind, this.#oneOf(keys));
    else if (chance < 0.45) this.#replace(kind, this.#oneOf(keys));
    else this.#hollow.patch(kind, this.#oneOf(keys), { metadata: { labels: { churn: String(this.changes) } } });
  }

  /** An object like the one at `key`, under a name that sometimes was in use before. */
  #create(kind: string, key: string): void {
    this.#made += 1;
    const like = this.#hollow.get(kind, key);
    const name = `made-${this.#made % 500}`;
    const namespace = like?.metadata?.namespace;
    if (this.#hollow.get(kind, namespace === undefined ? name : `${namespace}/${name}`) !== undefined) return;
    this.#hollow.create(kind, { ...like, metadata: { name, ...(namespace === undefined ? {} : { namespace }) } });
  }

  /** Deleted and created again under its name: another uid. */
  #replace(kind: string, key: string): void {
    const { metadata, ...rest } = this.#hollow.get(kind, key) ?? {};
    const { name = '', namespace } = metadata ?? {};
    this.#hollow.delete(kind, key);
    this.#hollow.create(kind, { ...rest, metadata: { name, ...(namespace === undefined ? {} : { namespace }), labels: { again: String(this.changes) } } });
  }

  #oneOf<T>(items: readonly T[]): T {
    return items[Math.floor(this.#options.random.next() * items.length)] as T;
  }
}
