import { median, quantile } from '../bench/report.ts';
import { WatchReader } from '../json/watch-reader.ts';
import { type Random, seededRandom } from '../kit/random.ts';
import { type ObjectKey, objectKey } from '../model/key.ts';
import type { ObjectMeta } from '../model/object.ts';
import { WRITTEN } from '../model/outcome.ts';
import { compareRevisions, type Revision } from '../model/revision.ts';
import type { Change } from '../queue/strategy.ts';
import { ProcessClock, VirtualClock } from '../sim/clock.ts';
import { Life } from '../sim/life.ts';
import type { Storage } from '../storage/storage.ts';
import { putOf } from './bodies.ts';
import { collectGarbage, memoryInUse } from '../kit/heap.ts';
import { PODS } from './load/kinds.ts';
import type { LoadChange } from './load/load.ts';
import { Folding } from './strategy/folding.ts';
import { NOTHING_STORED } from './target/target.ts';

/** Numbers of objects that are compared. */
export const GROWTH_OBJECTS: readonly number[] = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000];
/** Changes that wait together when they are weighed: as many as the smallest cluster has objects. */
const WEIGHED = 1_000;
/** Changes that are timed together: some milliseconds, in which a busy machine may leave them alone. */
const TIMED = 250;
/** The sizes take turns so often. The first turns make the code fast, and are not counted. */
const TURNS = 128;
const WARM_UP = 32;
/** On a machine that others use, the quarter of the turns that were disturbed least says what a change costs. */
const UNDISTURBED = 0.25;
const BYTES = 4_096;
const WRITERS = 240;
const LATENCY_MS = 1;
/** Of the last turn of all, on the virtual clock. */
const LONGEST_MS = 60_000;

/** What one change costs in a cluster of so many objects. */
export interface GrowthPoint {
  readonly objects: number;
  /** The same when objects change one after the other as they were listed, so that what is known of them lies side by side in memory. */
  readonly microsInOrder: number;
  /** One change of an object picked at random, from the bytes of the watch to the settled write, in microseconds, with nothing to wait for: of the least disturbed quarter of the turns. */
  readonly microsPerChange: number;
  /** The plain limit: the same order, and nothing but the look-up in a Map of as many keys, uid and revision held against what was found, and the new revision kept. */
  readonly microsOfMap: number;
  /** Heap and buffers that one waiting change keeps, its body of 4 KiB included, in bytes. */
  readonly bytesPerWaitingChange: number;
  /** Heap that one object takes at rest: stored, nothing waits. In bytes. */
  readonly bytesPerObject: number;
}

/**
 * Measures the product's own reader, cache, queue and workers at each size, in turns so that the machine's disturbances meet all of them. No change folds (each of
 * a turn is of another object), so every size does the same work. `onTurn` is told how far it is and may end it early, by returning false.
 */
export async function measureGrowth(
  sizes: readonly number[],
  onTurn: (done: number, all: number) => boolean = () => true,
  turns = TURNS,
): Promise<readonly GrowthPoint[]> {
  const clusters = sizes.map((objects) => new Cluster(objects));
  const micros = clusters.map((): Record<Measured, number[]> => ({ shuffled: [], listed: [], map: [] }));
  for (let turn = 0; turn < turns; turn++) {
    if (!onTurn(turn, turns)) return [];
    for (let step = 0; step < clusters.length; step++) {
      // Each begins in its turn: garbage is collected every so many changes, and would meet the same size every time.
      const index = (turn + step) % clusters.length;
      for (const measured of ['shuffled', 'listed', 'map'] as const) {
        const cost = await clusters[index]?.time(measured);
        if (cost !== undefined && turn >= WARM_UP) micros[index]?.[measured].push(cost);
      }
    }
  }
  const points: GrowthPoint[] = [];
  for (const [index, cluster] of clusters.entries()) {
    const { objects, bytesPerObject } = cluster;
    const weights = [await cluster.weigh(), await cluster.weigh(), await cluster.weigh()];
    points.push({
      objects,
      microsInOrder: quantile(micros[index]?.listed ?? [], UNDISTURBED),
      microsPerChange: quantile(micros[index]?.shuffled ?? [], UNDISTURBED),
      microsOfMap: quantile(micros[index]?.map ?? [], UNDISTURBED),
      bytesPerWaitingChange: median(weights),
      bytesPerObject,
    });
    await cluster.stop();
  }
  return points;
}

/** In which order objects change; or the plain limit, in random order. */
type Order = 'shuffled' | 'listed';
type Measured = Order | 'map';

/** The product with so many objects, over a storage that takes its time and keeps nothing. */
class Cluster {
  readonly objects: number;
  readonly bytesPerObject: number;
  readonly #virtual = new VirtualClock();
  readonly #folding: Folding;
  readonly #plain: PlainMap;
  readonly #shuffled: Uint32Array;
  #at = 0;
  #revision = 10_000_000;
  #isOpen = true;
  readonly #held: (() => void)[] = [];

  constructor(objects: number) {
    this.objects = objects;
    const random = seededRandom(objects);
    this.#shuffled = shuffled(objects, random);
    const clock = new ProcessClock(this.#virtual, new Life(() => {}));
    const storage: Storage = {
      ...NOTHING_STORED,
      name: 'nowhere',
      cannot: { conditional: 'nowhere: keeps nothing', durable: 'nowhere: keeps nothing' },
      batchLimit: 1,
      write: async (writes) => {
        await clock.sleep(LATENCY_MS);
        if (!this.#isOpen) await new Promise<void>((resolve) => void this.#held.push(resolve));
        return writes.map(() => WRITTEN);
      },
    };
    const before = clean();
    this.#folding = new Folding({
      ...{ name: 'folding', storage, clock, random, consumers: WRITERS, workersOfKind: WRITERS, batch: 1 },
      read: () => null,
      stored: existing(objects),
    });
    this.bytesPerObject = (clean() - before) / objects;
    this.#plain = new PlainMap(existing(objects));
  }

  /** Microseconds of CPU a change. */
  async time(measured: Measured): Promise<number> {
    if (measured === 'map') return this.#plain.time(this.#changes(TIMED, 'shuffled').map(({ key, uid, revision }) => ({ key, uid, revision })));
    const stream = this.#stream(TIMED, measured);
    const before = process.cpuUsage();
    for (const change of read(stream)) this.#folding.offer(change);
    await this.#settle();
    return microsSince(before) / TIMED;
  }

  /** Bytes that a change keeps while storage gives no answer. */
  async weigh(): Promise<number> {
    this.#isOpen = false;
    const before = clean();
    for (const change of read(this.#stream(WEIGHED, 'shuffled'))) this.#folding.offer(change);
    const bytes = (clean() - before) / WEIGHED;
    this.#isOpen = true;
    for (const go of this.#held.splice(0)) go();
    await this.#settle();
    return bytes;
  }

  async stop(): Promise<void> {
    await this.#folding.stop();
  }

  #settle(): Promise<void> {
    return this.#virtual.advance(LONGEST_MS, () => this.#folding.backlog.items === 0);
  }

  /** Watch events of as many objects, as an API server sends them. */
  #stream(count: number, order: Order): Buffer {
    const lines = this.#changes(count, order).map((change) => [Buffer.from('{"type":"MODIFIED","object":'), putOf(change).body, Buffer.from('}\n')]);
    return Buffer.concat(lines.flat());
  }

  #changes(count: number, order: Order): readonly LoadChange[] {
    return Array.from({ length: count }, () => {
      const at = this.#at++ % this.objects;
      return changeOf(order === 'listed' ? at : (this.#shuffled[at] as number), String(this.#revision++));
    });
  }
}

/** The least that anybody must do who knows each object of a cluster by its key: what this takes more in a larger cluster is the processor's and the Map's. */
class PlainMap {
  readonly #known = new Map<ObjectKey, { readonly uid: string; revision: Revision }>();

  constructor(rows: Iterable<ObjectMeta>) {
    for (const { key, uid, revision } of rows) this.#known.set(key, { uid, revision });
  }

  /** Microseconds of CPU a change. */
  time(changes: readonly ObjectMeta[]): number {
    const before = process.cpuUsage();
    for (const { key, uid, revision } of changes) {
      const known = this.#known.get(key);
      if (known === undefined || known.uid !== uid || compareRevisions(revision, known.revision) <= 0) throw new Error(`Cannot find ${key} as it was before`);
      known.revision = revision;
    }
    return microsSince(before) / changes.length;
  }
}

function read(stream: Buffer): readonly Change[] {
  const changes: Change[] = [];
  const fail = (error: Error): never => {
    throw error;
  };
  const reader = new WatchReader({
    kind: PODS.kind,
    apiVersion: PODS.version,
    onEvent(_, object) {
      const { namespace, name, uid, revision, size } = object;
      const body = Buffer.allocUnsafeSlow(size);
      object.copyTo(body, 0);
      const meta = { key: objectKey(namespace, name), uid, revision };
      changes.push({ write: { type: 'put', kind: PODS, meta, body, isChecked: true }, bytes: size });
    },
    onBookmark() {},
    onError: ({ message }) => fail(new Error(`The watch said: ${message}`)),
    onDamaged: fail,
  });
  reader.push(stream);
  return changes;
}

/** Of CPU, all threads: what is counted for the process is exact, where that of the running thread comes in steps of 4 ms on many kernels. */
function microsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

function clean(): number {
  collectGarbage();
  return memoryInUse();
}

function* existing(objects: number): Generator<LoadChange> {
  for (let number = 0; number < objects; number++) yield changeOf(number, String(1_000_000 + number));
}

function changeOf(number: number, revision: string): LoadChange {
  const uid = flat(`00000000-0000-4000-8000-${String(number).padStart(12, '0')}`);
  return { atMs: 0, kind: PODS, key: flat(keyOf(number)), uid, revision: flat(revision), type: 'put', bytes: BYTES };
}

function keyOf(number: number): ObjectKey {
  return objectKey(`load-${String(number % 20).padStart(2, '0')}`, `app-${number}-7d4b9c6f5-x2x4z`);
}

/**
 * The same text in one piece of memory, as storage and reader give it. What V8 puts together stays in pieces until somebody compares it: then a large
 * cluster, most of whose objects change for the first time while they are timed, would pay for that at every change, and a small one never.
 */
function flat<T extends string>(text: T): T {
  return Buffer.from(text, 'latin1').toString('latin1') as T;
}

function shuffled(count: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (let at = count - 1; at > 0; at--) {
    const other = Math.floor(random.next() * (at + 1));
    [order[at], order[other]] = [order[other] as number, order[at] as number];
  }
  return order;
}
