import { SlabPool } from '../../src/cache/body-pool.ts';
import { isDirty, ObjectCache } from '../../src/cache/object-cache.ts';
import { WriteTimes } from '../../src/cache/write-times.ts';
import { type Logger, silentLogger } from '../../src/kit/log.ts';
import { seededRandom } from '../../src/kit/random.ts';
import { type ObjectKey, objectKey } from '../../src/model/key.ts';
import type { Kind } from '../../src/model/kind.ts';
import type { ObjectMeta } from '../../src/model/object.ts';
import { LIVE } from '../../src/queue/queue.ts';
import { createWorkQueue, type ObservedQueue } from '../../src/queue/work-queue.ts';
import { StorageGate } from '../../src/worker/gate.ts';
import { Parked } from '../../src/worker/parked.ts';
import { WorkerPool } from '../../src/worker/pool.ts';
import type { WorkloadsOfKind } from '../../src/worker/write-of.ts';
import { FaultyStorage } from '../mirror/faulty-storage.ts';
import { ManualClock } from '../support/manual-clock.ts';

export const PODS: Kind = { group: '', version: 'v1', resource: 'pods', kind: 'Pod', namespaced: true, singular: 'pod', shortNames: [], categories: [] };

interface Shared {
  readonly clock: ManualClock;
  readonly storage: FaultyStorage;
  readonly gate: StorageGate;
  readonly kind: Kind;
  readonly log: Logger;
}

/** One kind of workers on a manual clock; several may share a storage and its gate. */
export class World {
  readonly clock: ManualClock;
  readonly gate: StorageGate;
  readonly bodies = new SlabPool(8 * 1024 * 1024);
  readonly cache = new ObjectCache(['']);
  readonly parked = new Parked();
  readonly storage: FaultyStorage;
  readonly queue: ObservedQueue;
  readonly workers: WorkerPool;
  readonly settled: string[] = [];
  readonly latencies: number[] = [];
  readonly writeTimes = new WriteTimes();
  readonly writtenToStored: number[] = [];
  readonly readAgain: ObjectKey[] = [];
  readonly contested: ObjectMeta[] = [];
  isCrowded = false;
  workloads: WorkloadsOfKind = { of: () => null, settled: () => {} };
  onSettled = (): void => {};

  constructor(workers = 2, batchLimit = 100, { clock = new ManualClock(), storage = new FaultyStorage(clock, batchLimit), ...parts }: Partial<Shared> = {}) {
    const { kind = PODS, log = silentLogger } = parts;
    this.clock = clock;
    this.storage = storage;
    this.gate = parts.gate ?? new StorageGate({ clock, random: seededRandom(2), log });
    this.queue = createWorkQueue({ name: 'pods', clock: this.clock, random: seededRandom(1) });
    this.workers = new WorkerPool({
      kind,
      cache: this.cache,
      queue: this.queue,
      storage: this.storage,
      gate: this.gate,
      parked: this.parked,
      clock: this.clock,
      log,
      events: {
        settled: (op, outcome) => {
          this.onSettled();
          this.settled.push(`${op} ${outcome}`);
        },
        stored: (seconds) => void this.latencies.push(seconds),
        writtenToStored: (seconds) => void this.writtenToStored.push(seconds),
      },
      writeTimes: this.writeTimes,
      onContested: (refused) => void this.contested.push(refused),
      workloads: { of: (key, mayWait) => this.workloads.of(key, mayWait), settled: (key) => this.workloads.settled(key) },
      readAgain: (key) => void this.readAgain.push(key),
      isCrowded: () => this.isCrowded,
      records: () => [],
    });
    this.workers.resize(workers);
  }

  put(name: string, revision: number, uid = name, priority = LIVE, content: string | null = null, text = `${uid}@${revision}`): void {
    const key = objectKey('ns', name);
    const bytes = Buffer.from(text);
    const source = { size: bytes.length, copyTo: (target: Uint8Array, at: number) => target.set(bytes, at) };
    const verdict = this.cache.see(this.cache.scope(''), { key, uid, revision: String(revision) }, this.clock.now(), content, () => this.bodies.store(source));
    if (isDirty(verdict)) this.queue.add(key, priority);
  }

  remove(name: string, revision: number, uid = name): void {
    const key = objectKey('ns', name);
    if (isDirty(this.cache.remove(this.cache.scope(''), key, uid, String(revision), this.clock.now()))) this.queue.add(key);
  }

  /** Lets everything run that can run without time passing. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
  }

  async pass(ms: number): Promise<void> {
    await this.settle();
    this.clock.advance(ms);
    await this.settle();
  }

  rows(): Record<string, string> {
    return Object.fromEntries([...this.storage.rows].map(([id, row]) => [id, row.body]));
  }

  async end(): Promise<void> {
    this.workers.end();
    this.queue.shutDown();
    await this.workers.ended();
  }
}
