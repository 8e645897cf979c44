import { describe, expect, test } from 'vitest';
import type { LeaseStore } from '../../src/cluster/cluster.ts';
import { loadConfig } from '../../src/config/load.ts';
import { silentLogger } from '../../src/kit/log.ts';
import { seededRandom } from '../../src/kit/random.ts';
import { Leadership } from '../../src/mirror/leadership.ts';
import { type LeaseShown, leaseOf, showLeadership } from '../../src/mirror/leadership-metrics.ts';
import type { ComputedMetric } from '../../src/mirror/metrics.ts';
import { ApiError, EpochError, LeadershipLostError, StorageError } from '../../src/model/errors.ts';
import { createMemoryStorage, MemoryShelf } from '../../src/storage/memory/memory-storage.ts';
import { createNullStorage } from '../../src/storage/null/null-storage.ts';
import type { Storage, Writer } from '../../src/storage/storage.ts';
import { LeaseServer } from '../lease/lease-server.ts';
import { put } from '../storage/build.ts';
import { ManualClock, settled } from '../support/manual-clock.ts';

const conflict = (): never => {
  throw new ApiError('conflict', { status: 409 });
};

/** Candidates over one Lease and one memory, on one manual clock. */
class Town implements LeaseStore {
  readonly clock = new ManualClock();
  readonly server = new LeaseServer();
  readonly shelf = new MemoryShelf();
  /** Who cannot reach the API server. */
  isCut: (who: Leadership | null) => boolean = () => false;
  /** Throws instead of opening. */
  openFault: () => Error | null = () => null;

  async getLease(): Promise<unknown> {
    return structuredClone(this.server.lease);
  }

  async createLease(_: unknown, lease: object): Promise<unknown> {
    return structuredClone((this.server.create(lease) ?? conflict()).object);
  }

  async updateLease(_: unknown, lease: object): Promise<unknown> {
    return structuredClone((this.server.update(lease) ?? conflict()).object);
  }

  /** A server that lets nobody watch: candidates come at their own turns. */
  async watchLease(): Promise<void> {
    throw new ApiError('forbidden', { status: 403 });
  }

  candidate(engine: Storage = createMemoryStorage({ cluster: 'prod', shelf: this.shelf })): { leadership: Leadership; storage: Storage } {
    const who: { leadership: Leadership | null } = { leadership: null };
    const reach = async <T>(ask: () => Promise<T>): Promise<T> => {
      if (this.isCut(who.leadership)) throw Object.assign(new Error('no route'), { code: 'EHOSTUNREACH' });
      return await ask();
    };
    const leases: LeaseStore = {
      getLease: () => reach(() => this.getLease()),
      createLease: (place, lease) => reach(() => this.createLease(place, lease)),
      updateLease: (place, lease) => reach(() => this.updateLease(place, lease)),
      watchLease: () => this.watchLease(),
    };
    const settings = loadConfig({ text: 'leaderElection: { enabled: true }', file: 'a.yaml' }).leaderElection;
    const leadership = new Leadership({ settings, leases, namespace: 'ops', clock: this.clock, random: seededRandom(1), log: silentLogger });
    who.leadership = leadership;
    const guarded = leadership.guard(engine);
    const open = async (writer?: Writer): Promise<void> => {
      const fault = this.openFault();
      if (fault !== null) throw fault;
      await guarded.open(writer);
    };
    leadership.start({ ...guarded, open });
    return { leadership, storage: guarded };
  }
}

describe('leadership', () => {
  test('opens storage with the transitions of the lease as epoch, and then the tenure begins', async () => {
    const town = new Town();
    const { leadership } = town.candidate();
    await settled();
    expect(leadership.tenure.isLeading).toBe(true);
    expect(town.shelf.writer).toEqual({ epoch: 0, holder: leadership.status().identity });
    expect(leadership.status()).toMatchObject({ role: 'leader', holder: leadership.status().identity });
    await leadership.end();
  });

  test('of a lease that was made anew is raised above what storage knows before it writes', async () => {
    const town = new Town();
    town.shelf.writer = { epoch: 41, holder: 'of a lease that was deleted' };
    const { leadership, storage } = town.candidate();
    await settled();
    expect(leadership.status()).toMatchObject({ role: 'leader', epoch: 42 });
    expect(town.server.record?.transitions).toBe(42);
    expect(await storage.write([put('a/x', '1')], [])).toEqual([{ kind: 'written' }]);
    await leadership.end();
  });

  test('that cannot reach the API server ends after its renewal time, and the next one leads after the lease', async () => {
    const town = new Town();
    const first = town.candidate();
    await settled();
    const second = town.candidate();
    await settled();
    expect(second.leadership.status()).toMatchObject({ role: 'standby', holder: first.leadership.status().identity, epoch: null });
    town.isCut = (who) => who === first.leadership;
    await town.clock.advanceAsync(9_000);
    expect(first.leadership.lost.aborted).toBe(false);
    await town.clock.advanceAsync(1_500);
    expect(first.leadership.lost.reason).toBeInstanceOf(LeadershipLostError);
    expect(String(first.leadership.lost.reason)).toContain('it could not be renewed for 10 s');
    expect(second.leadership.isLeading).toBe(false);
    await town.clock.advanceAsync(6_000);
    expect(second.leadership.isLeading).toBe(true);
    await expect(first.storage.write([put('a/x', '9')], [])).rejects.toThrow(EpochError);
    await first.leadership.end();
    await second.leadership.end();
  });

  test('ends when storage has met a newer writer, whatever the lease says', async () => {
    const town = new Town();
    const { leadership, storage } = town.candidate();
    await settled();
    town.shelf.writer = { epoch: 99, holder: 'another' };
    await expect(storage.write([put('a/x', '9')], [])).rejects.toThrow(EpochError);
    expect(leadership.lost.reason).toBeInstanceOf(LeadershipLostError);
    expect(leadership.isLeading).toBe(false);
    await leadership.end();
  });

  test('asks nothing of a storage that knows no epochs once its lease may have run out', async () => {
    const town = new Town();
    const { leadership, storage } = town.candidate(createNullStorage());
    await settled();
    expect(await storage.write([put('a/x', '1')], [])).toEqual([{ kind: 'written' }]);
    // Frozen: its timers come late, its clock went on.
    const wakesAt = town.clock.now() + 10_000;
    town.clock.now = () => wakesAt;
    await expect(storage.write([put('a/x', '2')], [])).rejects.toThrow('the lease may have run out');
    expect(leadership.lost.aborted).toBe(true);
    await leadership.end();
  });

  test('goes on trying to open a storage that is busy, keeps the lease meanwhile, and stands by', async () => {
    const town = new Town();
    town.openFault = () => new StorageError('a frozen process holds the lock', { retryable: true });
    const { leadership } = town.candidate();
    await town.clock.advanceAsync(30_000);
    expect(leadership.status()).toMatchObject({ role: 'standby', holder: leadership.status().identity });
    town.openFault = () => null;
    await town.clock.advanceAsync(1_000);
    expect(leadership.isLeading).toBe(true);
    await leadership.end();
  });

  test('ends when its storage can never be opened, and gives the lease back', async () => {
    const town = new Town();
    town.openFault = () => new StorageError('a newer database', { retryable: false });
    const { leadership } = town.candidate();
    await settled();
    expect(leadership.lost.reason).toMatchObject({ name: 'StorageError', message: 'a newer database' });
    const ending = leadership.end();
    await town.clock.advanceAsync(100);
    await ending;
    expect(town.server.record?.holder).toBe('');
  });

  test('that ends in order gives the lease back, and the next one need not wait for it to run out', async () => {
    const town = new Town();
    const first = town.candidate();
    await settled();
    const second = town.candidate();
    await settled();
    await first.leadership.end();
    expect(town.server.record).toMatchObject({ holder: '', durationMs: 1_000 });
    await town.clock.advanceAsync(4_400);
    expect(second.leadership.isLeading).toBe(true);
    await second.leadership.end();
  });
});

test('metrics tell who leads, also where nobody elects', () => {
  const shown = (...leases: readonly LeaseShown[]): Record<string, number> => {
    const samples: Record<string, number> = {};
    const computed = ({ read }: ComputedMetric): void => {
      for (const { metricName, labels, value } of read()) samples[`${metricName} ${Object.values(labels).join()}`] = value;
    };
    showLeadership({ computed }, () => leases);
    return samples;
  };
  expect(shown(leaseOf(null))).toEqual({ 'kubefold_leader 0': 1 });
  expect(shown(leaseOf({ isLeading: false, slowPaths: 3, name: 'copy' }))).toEqual({
    'kubefold_leader 0': 0,
    'leader_election_master_status copy': 0,
    'leader_election_slowpath_total copy': 3,
  });
  const shard = (index: number, isLeading: boolean): LeaseShown => ({ name: `copy-shard-${index}`, shard: index, isLeading, slowPaths: index });
  expect(shown(shard(0, false), shard(1, true))).toEqual({
    'kubefold_leader 0': 0,
    'kubefold_leader 1': 1,
    'leader_election_master_status copy-shard-0': 0,
    'leader_election_master_status copy-shard-1': 1,
    'leader_election_slowpath_total copy-shard-0': 0,
    'leader_election_slowpath_total copy-shard-1': 1,
  });
});
