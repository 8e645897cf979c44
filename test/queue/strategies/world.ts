import { Books } from '../../../src/lab/books.ts';
import { type Random, seededRandom } from '../../../src/kit/random.ts';
import type { Kind } from '../../../src/model/kind.ts';
import { kindId } from '../../../src/model/kind.ts';
import { objectKey } from '../../../src/model/key.ts';
import { type Outcome, WRITTEN } from '../../../src/model/outcome.ts';
import type { Strategy } from '../../../src/queue/strategy.ts';
import { PODS } from '../../../src/lab/load/kinds.ts';
import { createStrategy, type StrategyName } from '../../../src/lab/strategy/strategies.ts';
import { keyOf, NOTHING_STORED, stateOf } from '../../../src/lab/target/target.ts';
import { ProcessClock, VirtualClock } from '../../../src/sim/clock.ts';
import { Life } from '../../../src/sim/life.ts';
import type { Put, Storage, Write } from '../../../src/storage/storage.ts';

/** One write as storage meets it: how long it takes, and whether it fails, or storage throws. */
export type Behaviour = (write: Write, nowMs: number) => { readonly ms: number; readonly ends?: 'fails' | 'throws' | undefined };

export interface WorldOptions {
  readonly consumers?: number;
  readonly capacity?: number;
  readonly seed?: number;
  readonly storage?: Behaviour;
}

/** A strategy over a storage that does as it is told, on a clock that stands still until it is moved. What comes last counts. */
export class StrategyWorld {
  readonly books = new Books();
  readonly strategy: Strategy;
  readonly random: Random;
  /** Most items that ever waited, looked at after every offer. */
  peakItems = 0;
  /** Writes that were begun. */
  begun = 0;
  underWay = 0;
  mostUnderWay = 0;
  /** Bodies that were asked for again. */
  reads = 0;
  readonly #virtual = new VirtualClock();
  readonly #clock = new ProcessClock(this.#virtual, new Life(() => {}));
  readonly #newest = new Map<string, Put>();
  readonly #incarnations = new Map<string, number>();
  #revision = 1_000;

  constructor(name: StrategyName, { consumers = 4, capacity, seed = 1, storage = () => ({ ms: 10 }) }: WorldOptions = {}) {
    this.random = seededRandom(seed);
    this.strategy = createStrategy(name, {
      storage: this.#storage(storage),
      clock: this.#clock,
      random: seededRandom(seed + 1),
      consumers,
      capacity,
      hasLanes: true,
      read: (kind, key) => {
        this.reads++;
        return this.#newest.get(`${kindId(kind)} ${key}`) ?? null;
      },
      stored: [],
    });
  }

  get nowMs(): number {
    return this.#virtual.nowMs;
  }

  change(name: string, kind: Kind = PODS, bytes = 100): void {
    const key = objectKey('ns', name);
    const id = `${kindId(kind)} ${key}`;
    const revision = String(this.#revision++);
    const put: Put = { type: 'put', kind, meta: { key, uid: this.#uidOf(id), revision }, body: Buffer.alloc(bytes, '1'), isChecked: true };
    this.#newest.set(id, put);
    this.books.changed(id, stateOf(put), revision, this.nowMs);
    this.strategy.offer({ write: put, bytes });
    this.#look();
  }

  remove(name: string, kind: Kind = PODS): void {
    const key = objectKey('ns', name);
    const id = `${kindId(kind)} ${key}`;
    const revision = String(this.#revision++);
    const uid = this.#uidOf(id);
    this.#incarnations.set(id, (this.#incarnations.get(id) ?? 0) + 1);
    this.#newest.delete(id);
    this.books.changed(id, null, revision, this.nowMs);
    this.strategy.offer({ write: { type: 'delete', kind, key, uid, revision }, bytes: 0 });
    this.#look();
  }

  async pass(ms: number): Promise<void> {
    await this.#virtual.advance(ms, () => false);
  }

  /** Until nothing waits; throws when an hour of the clock does not do. */
  async untilIdle(): Promise<void> {
    const end = this.nowMs + 3_600_000;
    await this.pass(0);
    while (this.strategy.backlog.items > 0) {
      if (this.nowMs > end) throw new Error(`${this.strategy.backlog.items} items still wait after an hour`);
      await this.pass(10);
    }
  }

  async stopped(withinMs: number): Promise<boolean> {
    let isStopped = false;
    void this.strategy.stop().then(() => {
      isStopped = true;
    });
    await this.pass(withinMs);
    return isStopped;
  }

  #uidOf(id: string): string {
    return `${id}/${this.#incarnations.get(id) ?? 0}`;
  }

  #look(): void {
    this.peakItems = Math.max(this.peakItems, this.strategy.backlog.items);
  }

  #storage(behaviour: Behaviour): Storage {
    return {
      ...NOTHING_STORED,
      name: 'told',
      cannot: {},
      batchLimit: 100,
      write: async (writes): Promise<readonly Outcome[]> => {
        this.begun += writes.length;
        this.underWay++;
        this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay);
        const told = writes.map((write) => behaviour(write, this.nowMs));
        await this.#clock.sleep(Math.max(...told.map(({ ms }) => ms)));
        this.underWay--;
        if (told.some(({ ends }) => ends === 'throws')) throw new Error('simulated bug of a storage');
        return writes.map((write, index) => {
          if (told[index]?.ends === 'fails') return { kind: 'retry', error: 'told so' };
          const revision = write.type === 'put' ? write.meta.revision : write.revision;
          this.books.written(`${kindId(write.kind)} ${keyOf(write)}`, stateOf(write), revision, this.nowMs);
          return WRITTEN;
        });
      },
    };
  }
}
