import { SlabPool } from '../../cache/body-pool.ts';
import { isDirty, ObjectCache } from '../../cache/object-cache.ts';
import { WriteTimes } from '../../cache/write-times.ts';
import type { Clock } from '../../kit/clock.ts';
import { type Logger, silentLogger } from '../../kit/log.ts';
import type { Random } from '../../kit/random.ts';
import { Semaphore } from '../../kit/semaphore.ts';
import type { Body, ByteSource } from '../../model/body.ts';
import type { ObjectKey } from '../../model/key.ts';
import { type Kind, type KindId, kindId } from '../../model/kind.ts';
import type { ObjectMeta } from '../../model/object.ts';
import { BACKGROUND, LIVE } from '../../queue/queue.ts';
import type { Backlog, Change, Strategy } from '../../queue/strategy.ts';
import { createWorkQueue, type ObservedQueue } from '../../queue/work-queue.ts';
import { aroundStorage } from '../../storage/around.ts';
import type { Put, Storage, Write } from '../../storage/storage.ts';
import { StorageGate } from '../../worker/gate.ts';
import { Parked } from '../../worker/parked.ts';
import { WorkerPool } from '../../worker/pool.ts';

/** Half of the default of cache.pendingBytes, as the product gives it to bodies. */
const POOL_BYTES = 64 * 1024 * 1024;
/** An object that was let go is read from the API server again in so long. */
const READ_MS = 5;
/** What stands before the first change of a run. */
const BEFORE = '1';

/** A row that was there before the run. */
export interface StoredBefore extends ObjectMeta {
  readonly kind: Kind;
}

export interface FoldingOptions {
  readonly name: string;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  /** Writes under way at once, over all kinds. */
  readonly consumers: number;
  /** Workers of each kind; default `consumers`. */
  readonly workersOfKind?: number | undefined;
  /** Rows in one write, at the most. */
  readonly batch: number;
  /** The object as it is in the cluster now, for a body that was let go; null when it is gone. */
  readonly read: (kind: Kind, key: ObjectKey) => Put | null;
  /** Rows that storage holds at the start. */
  readonly stored: Iterable<StoredBefore>;
  readonly log?: Logger | undefined;
}

/**
 * The product: its cache, its work queue, its workers and its breaker, one set for each kind, as mirror/kind-mirror.ts wires them. Only keys wait; what a
 * worker writes is the newest state when it took the key.
 */
export class Folding implements Strategy {
  readonly name: string;
  readonly cannot = {};
  readonly consumers: number;
  readonly discarded = 0;
  readonly #options: FoldingOptions;
  readonly #gate: StorageGate;
  readonly #slots: Semaphore;
  readonly #pool = new SlabPool(POOL_BYTES);
  readonly #kinds = new Map<KindId, FoldedKind>();
  #reading = 0;
  /** Bodies that wait, by kind and key; those under way are in #inHand. */
  readonly #waitingBytes = new Map<string, number>();
  #waiting = 0;
  #inHand = 0;

  constructor(options: FoldingOptions) {
    const { clock, random, log = silentLogger } = options;
    this.name = options.name;
    this.consumers = options.consumers;
    this.#options = options;
    this.#gate = new StorageGate({ clock, random, log });
    this.#slots = new Semaphore(options.consumers);
    for (const row of options.stored) this.#kindOf(row.kind).cache.load({ key: row.key, uid: row.uid, revision: row.revision }, 'keep');
  }

  get backlog(): Backlog {
    let items = this.#reading;
    for (const { queue } of this.#kinds.values()) items += queue.length + queue.held + queue.waiting;
    return { items, bytes: this.#waiting + this.#inHand };
  }

  offer({ write, bytes, isBackground = false }: Change): void {
    const { cache, queue } = this.#kindOf(write.kind);
    const now = this.#options.clock.now();
    const state = cache.scope('');
    const key = write.type === 'put' ? write.meta.key : write.key;
    const verdict =
      write.type === 'put' ? cache.see(state, write.meta, now, null, () => this.#store(write)) : cache.remove(state, key, write.uid, write.revision, now);
    const revision = write.type === 'put' ? write.meta.revision : write.revision;
    if (revision !== null) cache.advance(state, revision);
    if (!isDirty(verdict)) return;
    this.#weigh(`${kindId(write.kind)} ${key}`, bytes);
    queue.add(key, isBackground ? BACKGROUND : LIVE);
  }

  async stop(): Promise<void> {
    const kinds = [...this.#kinds.values()];
    for (const { queue, workers } of kinds) {
      workers.end();
      queue.shutDown();
    }
    await Promise.all(kinds.map(({ workers }) => workers.ended()));
    for (const { cache } of kinds) cache.clear();
  }

  #kindOf(kind: Kind): FoldedKind {
    const id = kindId(kind);
    let folded = this.#kinds.get(id);
    if (folded === undefined) {
      folded = this.#start(kind);
      this.#kinds.set(id, folded);
    }
    return folded;
  }

  #start(kind: Kind): FoldedKind {
    const { clock, random, consumers, workersOfKind = consumers, log = silentLogger } = this.#options;
    const cache = new ObjectCache(['']);
    // As after a restart on a complete copy: what changes from now on is told by the watch.
    cache.scope('').resume({ watermark: BEFORE, listedAt: null, heardAt: null });
    const queue = createWorkQueue({ name: kindId(kind), clock, random });
    const workers = new WorkerPool({
      kind,
      cache,
      queue,
      storage: this.#weighed(kind),
      gate: this.#gate,
      parked: new Parked(),
      clock,
      log,
      events: { settled() {}, stored() {}, writtenToStored() {} },
      writeTimes: new WriteTimes(),
      // Nobody else writes here, so what storage holds is newer and news of it is on its way.
      onContested: (refused) => cache.concede(refused),
      readAgain: (key) => this.#readAgain(kind, key),
      isCrowded: () => this.#pool.usedBytes > this.#pool.limitBytes / 2,
      records: () => [],
    });
    workers.resize(workersOfKind);
    return { cache, queue, workers };
  }

  #store({ body }: Put): Body | null {
    const source: ByteSource = { size: body.length, isChecked: true, copyTo: (target, at) => target.set(body, at) };
    return this.#pool.store(source);
  }

  #readAgain(kind: Kind, key: ObjectKey): void {
    this.#reading++;
    this.#options.clock.after(READ_MS, () => {
      this.#reading--;
      const found = this.#options.read(kind, key);
      const { cache, queue } = this.#kindOf(kind);
      if (found !== null) cache.restore(found.meta, () => this.#store(found));
      queue.add(key, BACKGROUND);
    });
  }

  /** The storage of one kind within the budget of all, with the batches that were asked for, and with an eye on what bodies weigh. */
  #weighed(kind: Kind): Storage {
    const { storage, batch } = this.#options;
    const id = kindId(kind);
    const nameOf = (write: Write): string => `${id} ${write.type === 'put' ? write.meta.key : write.key}`;
    const weighed = aroundStorage(storage, (writes, scopes) =>
      this.#slots.run(async () => {
        const taken = writes.map((write) => this.#lift(nameOf(write)));
        const sum = taken.reduce((all, bytes) => all + bytes, 0);
        this.#inHand += sum;
        const outcomes = await storage.write(writes, scopes);
        this.#inHand -= sum;
        for (const [index, write] of writes.entries()) {
          const name = nameOf(write);
          if (outcomes[index]?.kind === 'retry' && !this.#waitingBytes.has(name)) this.#weigh(name, taken[index] ?? 0);
        }
        return outcomes;
      }),
    );
    return { ...weighed, batchLimit: Math.min(batch, storage.batchLimit), lanes: undefined };
  }

  #weigh(name: string, bytes: number): void {
    this.#lift(name);
    this.#waiting += bytes;
    this.#waitingBytes.set(name, bytes);
  }

  #lift(name: string): number {
    const bytes = this.#waitingBytes.get(name) ?? 0;
    this.#waitingBytes.delete(name);
    this.#waiting -= bytes;
    return bytes;
  }
}

interface FoldedKind {
  readonly cache: ObjectCache;
  readonly queue: ObservedQueue;
  readonly workers: WorkerPool;
}
