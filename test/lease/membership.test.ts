import { afterEach, describe, expect, test } from 'vitest';
import type { LeaseDirectory, LeasePlace, LeaseStore } from '../../src/cluster/cluster.ts';
import { silentLogger } from '../../src/kit/log.ts';
import { Membership } from '../../src/lease/membership.ts';
import { ELECTION_LABEL, leaseNames, SHARDS_LABEL } from '../../src/lease/roster.ts';
import { ApiError } from '../../src/model/errors.ts';
import { ManualClock, settled } from '../support/manual-clock.ts';
import { LeaseServer } from './lease-server.ts';

const NAMES = leaseNames('copy');
const TIMINGS = { leaseMs: 15_000, renewMs: 10_000, retryMs: 2_000 };
const refuse = (status: number): never => {
  throw new ApiError(`refused with ${status}`, { status });
};
type Stored = { readonly metadata: { readonly name: string; readonly resourceVersion: string; readonly labels?: Readonly<Record<string, string>> } };

/** Leases behind an API server, on one manual clock. */
class Town implements LeaseStore, LeaseDirectory {
  readonly clock = new ManualClock();
  readonly servers = new Map<string, LeaseServer>();
  readonly #watchers = new Set<(event: unknown) => void>();
  readonly members: Membership[] = [];
  isDown = false;
  mayWatch = true;
  #revision = 0;

  names(): readonly string[] {
    return [...this.servers].flatMap(([name, { lease }]) => (lease === null ? [] : [name])).sort();
  }

  async getLease({ name }: LeasePlace): Promise<unknown> {
    return structuredClone(this.#server(name).lease);
  }

  async createLease({ name }: LeasePlace, lease: object): Promise<unknown> {
    return this.#stored('ADDED', this.#server(name).create(lease)?.object ?? refuse(409));
  }

  async updateLease({ name }: LeasePlace, lease: object): Promise<unknown> {
    return this.#stored('MODIFIED', this.#server(name).update(lease)?.object ?? refuse(409));
  }

  async listLeases(_: string, selector: string): Promise<unknown> {
    if (this.isDown) refuse(503);
    const [key = '', value] = selector.split('=');
    const all = [...this.servers.values()].flatMap(({ lease }) => (lease === null ? [] : [lease as unknown as Stored]));
    return structuredClone({ metadata: { resourceVersion: String(this.#revision) }, items: all.filter(({ metadata }) => metadata.labels?.[key] === value) });
  }

  async watchLeases(_: string, __: string, onEvent: (event: unknown) => void, signal: AbortSignal): Promise<void> {
    if (!this.mayWatch) refuse(403);
    this.#watchers.add(onEvent);
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    this.#watchers.delete(onEvent);
  }

  async watchLease(): Promise<void> {
    refuse(403);
  }

  async deleteLease({ name }: LeasePlace, seen: { readonly resourceVersion: string }): Promise<void> {
    const { lease } = this.#server(name);
    if (lease === null) return refuse(404);
    const { metadata } = lease as unknown as Stored;
    if (metadata.resourceVersion !== seen.resourceVersion) refuse(409);
    this.servers.delete(name);
    const resourceVersion = String(++this.#revision);
    for (const tell of [...this.#watchers]) tell({ type: 'DELETED', object: { ...lease, metadata: { ...metadata, resourceVersion } } });
  }

  member(id: string, changes: string[] = []): Membership {
    const parts = { leases: this, namespace: 'ops', election: 'copy', names: NAMES, shards: 2, timings: TIMINGS, clock: this.clock, log: silentLogger };
    const member = new Membership({ ...parts, identity: `host_${id}`, id, onChange: () => changes.push(member.roster.members(this.clock.now()).join()) });
    this.members.push(member);
    member.start();
    return member;
  }

  #server(name: string): LeaseServer {
    if (this.isDown) refuse(503);
    const found = this.servers.get(name) ?? new LeaseServer(() => ++this.#revision);
    this.servers.set(name, found);
    return found;
  }

  #stored(type: string, object: Readonly<Record<string, unknown>>): unknown {
    for (const tell of [...this.#watchers]) tell({ type, object: structuredClone(object) });
    return structuredClone(object);
  }
}

let town = new Town();
afterEach(async () => {
  await Promise.all(town.members.map((member) => member.leave()));
  town = new Town();
});

describe('a member', () => {
  test('makes itself known by a labelled lease, and counts from its first renewal on', async () => {
    const one = town.member('a');
    await settled();
    expect(town.servers.get(NAMES.member('a'))?.lease).toMatchObject({
      metadata: { name: 'copy-member-a', labels: { [ELECTION_LABEL]: 'copy', [SHARDS_LABEL]: '2' } },
      spec: { holderIdentity: 'host_a', leaseDurationSeconds: 15 },
    });
    expect([one.hasLooked, one.roster.members(town.clock.now())]).toEqual([true, []]);
    await town.clock.advanceAsync(2_000);
    expect(one.roster.members(town.clock.now())).toEqual(['host_a']);
  });

  test('is told at once when another one comes or leaves, by the watch', async () => {
    const changes: string[] = [];
    town.member('a', changes);
    const other = town.member('b');
    await settled();
    await town.clock.advanceAsync(2_000);
    expect(changes.at(-1)).toBe('host_a,host_b');
    await other.leave();
    await town.clock.advanceAsync(1);
    expect(changes.at(-1)).toBe('host_a');
    expect(town.names()).toEqual(['copy-member-a']);
  });

  test('without the right to watch is told by its own rounds', async () => {
    town.mayWatch = false;
    const changes: string[] = [];
    town.member('a', changes);
    const other = town.member('b');
    await settled();
    await town.clock.advanceAsync(4_000);
    expect(changes.at(-1)).toBe('host_a,host_b');
    await other.leave();
    await town.clock.advanceAsync(2_000);
    expect(changes.at(-1)).toBe('host_a');
  });

  test('counts on one that is dead until its lease has run out, to the moment, and removes what it left long after', async () => {
    const changes: string[] = [];
    town.member('a', changes);
    const dead = town.member('b');
    await settled();
    await town.clock.advanceAsync(2_000);
    const stored = structuredClone(town.servers.get(NAMES.member('b'))?.lease ?? null);
    await dead.leave();
    const ghost = new LeaseServer(() => 1_000_000);
    ghost.create(stored as object);
    town.servers.set(NAMES.member('b'), ghost);
    await town.clock.advanceAsync(2_000);
    expect(changes.at(-1)).toBe('host_a,host_b');
    const seenAt = changes.length;
    await town.clock.advanceAsync(15_010);
    expect(changes.at(-1)).toBe('host_a');
    expect(changes.length - seenAt, 'one a round, and one when it ran out').toBeLessThanOrEqual(10);
    expect(town.names()).toContain('copy-member-b');
    await town.clock.advanceAsync(32_000);
    expect(town.names()).toEqual(['copy-member-a']);
  });

  test('goes on when the API server was away for longer than its lease, and is nobody while it was never there', async () => {
    town.isDown = true;
    const one = town.member('a');
    await town.clock.advanceAsync(20_000);
    expect(one.hasLooked).toBe(false);
    town.isDown = false;
    await town.clock.advanceAsync(4_000);
    expect(one.roster.members(town.clock.now())).toEqual(['host_a']);
    town.isDown = true;
    await town.clock.advanceAsync(60_000);
    town.isDown = false;
    await town.clock.advanceAsync(2_000);
    expect(one.roster.members(town.clock.now())).toEqual(['host_a']);
  });

  test('whose lease somebody deleted makes it again, and is no newcomer', async () => {
    const one = town.member('a');
    await settled();
    await town.clock.advanceAsync(2_000);
    town.servers.delete(NAMES.member('a'));
    await town.clock.advanceAsync(2_000);
    expect(town.names()).toEqual(['copy-member-a']);
    expect(one.roster.members(town.clock.now())).toEqual(['host_a']);
  });
});
