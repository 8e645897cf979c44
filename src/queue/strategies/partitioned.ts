import type { Clock } from '../../kit/clock.ts';
import type { Random } from '../../kit/random.ts';
import type { ObjectKey } from '../../model/key.ts';
import { type KindId, kindId } from '../../model/kind.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Backlog, Change, Strategy } from '../strategy.ts';
import { createWorkQueue, type ObservedQueue } from '../work-queue.ts';
import { Line } from './line.ts';
import { partitionOf } from './partition.ts';

/** As in the program (specs/bcs-k8s-watch.md section 2.3), whatever its documents say. */
export const PARTITION_CAPACITY = 102_400;
/** How long a snapshot waits for room in its partition before it is given up. */
const PUSH_WAIT_MS = 1_000;
/** Workers of each kind that take keys, make snapshots of them and hand these over. */
const FEEDERS = 5;
/** After a failed write the key comes back in 0 to this long, evenly, for ever. */
const RETRY_MS = 5_000;

export interface PartitionedOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  readonly partitions: number;
  /** Snapshots that each partition holds; default PARTITION_CAPACITY. */
  readonly capacity?: number | undefined;
  /** What becomes of a snapshot that found no room for a second: `discard` as the old program does, `wait` for as long as it takes. */
  readonly whenFull: 'discard' | 'wait';
}

/** One kind before the partitions: a queue of keys, as an informer's handlers fill it. */
interface Front {
  readonly queue: ObservedQueue;
  /** The informer's cache: the newest state of every object, and deletions that are not handed over yet. */
  readonly newest: Map<ObjectKey, Change>;
}

/**
 * The design of bcs-k8s-watch: keys wait in a queue for one of a few feeders, which take snapshots and put each into the partition that the hash of its key
 * names. A partition is a FIFO of fixed capacity with one consumer. Keys fold until the snapshot is made, which is at once unless a partition is full.
 */
export class Partitioned implements Strategy {
  readonly name: string;
  readonly cannot: Strategy['cannot'];
  readonly consumers: number;
  discarded = 0;
  readonly #options: PartitionedOptions;
  readonly #fronts = new Map<KindId, Front>();
  readonly #partitions: readonly Line[];
  readonly #capacity: number;
  /** By partition: who waits for room, longest waiting first. */
  readonly #waiters: readonly Set<() => void>[];
  #isOver = false;

  constructor(options: PartitionedOptions) {
    const { storage, partitions, whenFull, capacity = PARTITION_CAPACITY } = options;
    this.#options = options;
    this.#capacity = capacity;
    this.name = whenFull === 'discard' ? 'partitioned' : 'partitioned-keeping';
    this.consumers = partitions;
    this.cannot = {
      folding: `${this.name}: a partition holds snapshots, and writes every one of them`,
      'bounded backlog': `${this.name}: ${partitions} partitions hold up to ${capacity} snapshots each, however few objects there are`,
      independence: `${this.name}: one slow write holds up all keys of its partition, and a full partition the feeders of its kind`,
      ...(whenFull === 'discard' ? { 'nothing lost': `${this.name}: what finds no room in its partition for a second is dropped, and its key forgotten` } : {}),
    };
    this.#waiters = Array.from({ length: partitions }, () => new Set<() => void>());
    this.#partitions = this.#waiters.map(
      (waiters) => new Line({ storage, consumers: 1, onFailed: (change) => this.#putBack(change), onRoom: () => firstOf(waiters)?.() }),
    );
  }

  get backlog(): Backlog {
    let items = 0;
    let bytes = 0;
    for (const { queue } of this.#fronts.values()) items += queue.length + queue.held + queue.waiting;
    for (const line of this.#partitions) {
      items += line.length + line.underWay;
      bytes += line.bytes;
    }
    return { items, bytes };
  }

  offer(change: Change): void {
    if (this.#isOver) return;
    const { queue, newest } = this.#frontOf(change);
    const key = keyOf(change);
    newest.set(key, change);
    queue.add(key);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    for (const { queue, newest } of this.#fronts.values()) {
      newest.clear();
      queue.shutDown();
    }
    for (const waiters of this.#waiters) for (const wake of [...waiters]) wake();
    await Promise.all(this.#partitions.map((line) => line.stop()));
  }

  #frontOf({ write: { kind } }: Change): Front {
    const id = kindId(kind);
    let front = this.#fronts.get(id);
    if (front === undefined) {
      const { clock, random } = this.#options;
      front = { queue: createWorkQueue({ name: id, clock, random }), newest: new Map() };
      this.#fronts.set(id, front);
      for (let feeder = 0; feeder < FEEDERS; feeder++) void this.#feed(front);
    }
    return front;
  }

  async #feed({ queue, newest }: Front): Promise<void> {
    for (;;) {
      const [key] = await queue.take(1);
      if (key === undefined) return;
      const change = newest.get(key);
      if (change?.write.type === 'delete') newest.delete(key);
      if (change !== undefined) await this.#handOver(key, change);
      queue.done(key);
    }
  }

  async #handOver(key: ObjectKey, change: Change): Promise<void> {
    const index = partitionOf(key, this.#partitions.length);
    const line = this.#partitions[index];
    const waiters = this.#waiters[index];
    if (line === undefined || waiters === undefined) return;
    while (line.length >= this.#capacity && !this.#isOver) {
      const hasRoom = await this.#room(waiters);
      if (hasRoom || this.#isOver) continue;
      this.discarded++;
      return;
    }
    line.push(change);
  }

  /** Resolves true when a place became free, false when that took too long. */
  #room(waiters: Set<() => void>): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (hasRoom: boolean): void => {
        cancel();
        waiters.delete(wake);
        resolve(hasRoom);
      };
      const wake = (): void => end(true);
      const cancel = this.#options.whenFull === 'wait' ? (): void => {} : this.#options.clock.after(PUSH_WAIT_MS, () => end(false));
      waiters.add(wake);
    });
  }

  /** The key goes back to its queue, and what is read then is the newest: nothing, when the object was deleted and the deletion is in the partition. */
  #putBack(change: Change): 'taken' {
    if (this.#isOver) return 'taken';
    const { queue, newest } = this.#frontOf(change);
    const key = keyOf(change);
    if (change.write.type === 'delete' && !newest.has(key)) newest.set(key, change);
    queue.addAfter(key, RETRY_MS * this.#options.random.next());
    return 'taken';
  }
}

function keyOf({ write }: Change): ObjectKey {
  return write.type === 'put' ? write.meta.key : write.key;
}

function firstOf<T>(items: ReadonlySet<T>): T | undefined {
  for (const item of items) return item;
  return undefined;
}
