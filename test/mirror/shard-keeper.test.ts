import { afterEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { silentLogger } from '../../src/kit/log.ts';
import { seededRandom } from '../../src/kit/random.ts';
import { onAbort } from '../../src/kit/within.ts';
import type { Leadership } from '../../src/mirror/leadership.ts';
import { ShardKeeper } from '../../src/mirror/shard-keeper.ts';
import type { ShardCopy } from '../../src/mirror/shard-unit.ts';
import { EpochError, LeadershipLostError } from '../../src/model/errors.ts';
import type { Shard } from '../../src/model/shard.ts';
import { createMemoryStorage, MemoryShelf } from '../../src/storage/memory/memory-storage.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { leaseNames } from '../../src/lease/roster.ts';
import { readLease } from '../../src/lease/record.ts';
import { LeaseTown } from '../lease/lease-town.ts';
import { put } from '../storage/build.ts';
import { settled } from '../support/manual-clock.ts';

const NAMES = leaseNames('copy');
const GRACE_MS = 9_000;

const aborted = (...signals: readonly AbortSignal[]): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of signals) onAbort(signal, resolve);
  });

/** One process of a town, whose mirrors write down what becomes of them. */
class Replica {
  readonly keeper: ShardKeeper;
  readonly journal: string[] = [];
  readonly storages = new Map<number, Storage>();
  readonly ending = new AbortController();
  readonly hurry = new AbortController();
  readonly over: Promise<void>;
  /** Mirrors that stop need this; null: nothing. */
  draining: Promise<void> | null = null;
  failure: Error | null = null;
  /** Nothing of it reaches the API server any more. */
  isCut = false;
  readonly #town: Town;

  constructor(town: Town, count: number) {
    this.#town = town;
    this.keeper = new ShardKeeper({
      settings: loadConfig({ text: 'leaderElection: { enabled: true, name: copy }', file: 'x' }).leaderElection,
      namespace: 'ops',
      count,
      leases: this.#cuttable(town),
      make: (shard, leadership) => this.#make(shard, leadership),
      graceMs: () => GRACE_MS,
      statusOf: () => null,
      clock: town.clock,
      random: seededRandom(1),
      log: silentLogger,
    });
    this.over = this.keeper.run(AbortSignal.any([this.ending.signal, this.keeper.lost]), this.hurry.signal);
    // Looked at by whoever ends it.
    this.over.catch(() => {});
    this.keeper.lost.addEventListener('abort', () => this.hurry.abort());
  }

  get own(): readonly number[] {
    return this.keeper.status().own.map(({ index }) => index);
  }

  get identity(): string {
    return this.keeper.status().identity;
  }

  #cuttable(leases: Town): Town {
    return new Proxy(leases, {
      get: (_, name: keyof Town) => {
        const found: unknown = leases[name];
        if (typeof found !== 'function') return found;
        return async (...given: unknown[]): Promise<unknown> => {
          if (!this.isCut) return await Reflect.apply(found, leases, given);
          const signal = given.find((one) => one instanceof AbortSignal);
          await (signal === undefined ? new Promise(() => {}) : aborted(signal));
          throw signal?.reason;
        };
      },
    });
  }

  #make(shard: Shard, leadership: Leadership): ShardCopy {
    const { index } = shard;
    const guarded = leadership.guard(createMemoryStorage({ cluster: 'prod', shelf: this.#town.shelf }));
    const note = (what: string): void => void this.journal.push(`${what} ${index}`);
    const storage: Storage = {
      ...guarded,
      open: async (writer) => {
        await guarded.open(writer);
        note(`open with epoch ${writer?.epoch}`);
      },
      close: async () => {
        expect(this.#town.holderOf(index), 'nobody else has it before storage is closed').toBe(this.identity);
        note('close');
      },
    };
    return {
      storage,
      run: async (signal, hurry) => {
        this.storages.set(index, storage);
        note('mirror');
        if (this.failure !== null) throw this.failure;
        await aborted(signal);
        if (this.draining !== null) await Promise.race([this.draining, aborted(hurry)]);
        note(hurry.aborted ? 'cut' : 'drained');
        this.storages.delete(index);
      },
      close: async () => {},
    };
  }
}

class Town extends LeaseTown {
  readonly shelf = new MemoryShelf();
  readonly replicas: Replica[] = [];

  async join(count = 4): Promise<Replica> {
    const replica = new Replica(this, count);
    this.replicas.push(replica);
    await settled();
    return replica;
  }

  holderOf(index: number): string | null {
    const lease = this.servers.get(NAMES.shard(index))?.lease ?? null;
    return lease === null ? null : readLease(lease).record.holder;
  }
}

let town = new Town();
afterEach(async () => {
  town.isDown = false;
  for (const { ending, hurry, over } of town.replicas) {
    ending.abort();
    hurry.abort();
    await over.catch(() => {});
  }
  town = new Town();
});

describe('a process that shares shards', () => {
  test('takes all of them when it is alone, once it counts, each with an epoch of its own', async () => {
    const one = await town.join();
    expect([one.own, one.keeper.idlePhase]).toEqual([[], 'connecting']);
    await town.clock.advanceAsync(2_000);
    expect(one.own).toEqual([0, 1, 2, 3]);
    expect(one.keeper.status()).toMatchObject({ count: 4, members: 1, holders: [0, 1, 2, 3].map(() => one.identity), given: [], waits: null });
    expect(one.journal.filter((line) => line.startsWith('open'))).toEqual([0, 1, 2, 3].map((index) => `open with epoch 0 ${index}`));
    expect(one.keeper.leases()).toEqual([0, 1, 2, 3].map((shard) => ({ name: `copy-shard-${shard}`, shard, isLeading: true, slowPaths: 0 })));
  });

  test('gives one that comes its part, after the last write and the closing of storage, and goes on with the others', async () => {
    const one = await town.join();
    await town.clock.advanceAsync(2_000);
    const two = await town.join();
    await town.clock.advanceAsync(2_500);
    expect([one.own, two.own]).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(one.journal.slice(8)).toEqual(expect.arrayContaining(['drained 2', 'close 2', 'drained 3', 'close 3']));
    expect(two.journal.filter((line) => line.startsWith('open'))).toEqual(['open with epoch 1 2', 'open with epoch 1 3']);
    expect(one.keeper.status().given).toMatchObject([
      { index: 2, why: `4 shards are shared by 2 replicas, and ${two.identity} has less than its part` },
      { index: 3 },
    ]);
    expect(one.keeper.lost.aborted).toBe(false);
    expect(await one.storages.get(0)?.write([put('a/x', '1')], [])).toEqual([{ kind: 'written' }]);
  });

  test('gives a shard back after the grace, also when what is dirty cannot be written', async () => {
    const one = await town.join(2);
    await town.clock.advanceAsync(2_000);
    one.draining = new Promise(() => {});
    const two = await town.join(2);
    await town.clock.advanceAsync(GRACE_MS);
    expect([one.own.includes(0), two.own]).toEqual([true, []]);
    await town.clock.advanceAsync(4_000);
    expect(two.own).toEqual([1]);
    expect(one.journal).toContain('cut 1');
  });

  test('that ends takes itself off first, so that others wait for its leases already, and gives all of them back', async () => {
    const one = await town.join(2);
    await town.clock.advanceAsync(2_000);
    const two = await town.join(2);
    await town.clock.advanceAsync(2_500);
    let drained = (): void => {};
    one.draining = new Promise((resolve) => {
      drained = resolve;
    });
    one.ending.abort();
    await settled();
    expect(town.names().filter((name) => name.includes('-member-'))).toHaveLength(1);
    expect([one.keeper.idlePhase, town.holderOf(0)]).toEqual(['stopping', one.identity]);
    await town.clock.advanceAsync(1_000);
    drained();
    await one.over;
    await town.clock.advanceAsync(10);
    expect(two.own, 'at once').toEqual([0, 1]);
    expect(one.journal.slice(-2)).toEqual(['drained 0', 'close 0']);
  });

  test('takes what a dead one held when its leases have run out, counted from when they were seen to change', async () => {
    const one = await town.join(2);
    const two = await town.join(2);
    await town.clock.advanceAsync(4_000);
    expect([one.own.length, two.own.length]).toEqual([1, 1]);
    one.isCut = true;
    await town.clock.advanceAsync(12_900);
    expect(two.own).toHaveLength(1);
    await town.clock.advanceAsync(2_600);
    expect(two.own).toEqual([0, 1]);
    expect(one.keeper.lost.reason).toBeInstanceOf(LeadershipLostError);
  });

  test('ends when a lease could not be renewed, and gives back what it can', async () => {
    const one = await town.join(2);
    await town.clock.advanceAsync(2_000);
    town.isDown = true;
    await town.clock.advanceAsync(11_000);
    expect(one.keeper.lost.reason).toBeInstanceOf(LeadershipLostError);
    town.isDown = false;
    await one.over;
    expect(one.journal).toEqual(expect.arrayContaining(['cut 0', 'close 0', 'cut 1', 'close 1']));
  });

  test('ends when storage has met a newer writer of one of its shards, and the others are free at once', async () => {
    const one = await town.join(2);
    await town.clock.advanceAsync(2_000);
    const two = await town.join(2);
    await town.clock.advanceAsync(2_500);
    town.shelf.take({ epoch: 99, holder: 'another', shard: { index: 0, count: 2 } });
    await expect(one.storages.get(0)?.write([put('a/x', '1')], [])).rejects.toThrow(EpochError);
    await one.over;
    expect(one.keeper.lost.reason).toBeInstanceOf(LeadershipLostError);
    expect(two.keeper.lost.aborted).toBe(false);
  });

  test('takes none while another one holds a shard of another number of them, says so, and takes them when that has left', async () => {
    const old = await town.join(2);
    await town.clock.advanceAsync(2_000);
    const next = await town.join(4);
    await town.clock.advanceAsync(10_000);
    expect([old.own, next.own]).toEqual([[0, 1], []]);
    expect(next.keeper.status().waits).toBe(`${old.identity} holds a shard of another number of shards`);
    expect(next.keeper.idlePhase).toBe('standby');
    old.ending.abort();
    await old.over;
    await town.clock.advanceAsync(10);
    expect(next.own).toEqual([0, 1, 2, 3]);
    expect(next.keeper.status().waits).toBeNull();
  });

  test('that has more members than shards is a ready standby', async () => {
    const one = await town.join(1);
    const two = await town.join(1);
    await town.clock.advanceAsync(4_000);
    expect([one.own.length + two.own.length, [one, two].find(({ own }) => own.length === 0)?.keeper.idlePhase]).toEqual([1, 'standby']);
  });

  test('ends with what a mirror cannot go on with, and gives back all', async () => {
    const one = await town.join(2);
    one.failure = new Error('a bug');
    await town.clock.advanceAsync(2_000);
    await expect(one.over).rejects.toThrow('a bug');
    expect([town.holderOf(0), town.holderOf(1)]).toEqual(['', '']);
    expect(town.names().filter((name) => name.includes('-member-'))).toEqual([]);
  });
});
