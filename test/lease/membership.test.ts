import { afterEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/kit/log.ts';
import { Membership } from '../../src/lease/membership.ts';
import { ELECTION_LABEL, leaseNames, SHARDS_LABEL } from '../../src/lease/roster.ts';
import { settled } from '../support/manual-clock.ts';
import { LeaseServer } from './lease-server.ts';
import { LeaseTown } from './lease-town.ts';

const NAMES = leaseNames('copy');
const TIMINGS = { leaseMs: 15_000, renewMs: 10_000, retryMs: 2_000 };

class Town extends LeaseTown {
  readonly members: Membership[] = [];

  member(id: string, changes: string[] = []): Membership {
    const parts = { leases: this, namespace: 'ops', election: 'copy', names: NAMES, shards: 2, timings: TIMINGS, clock: this.clock, log: silentLogger };
    const member = new Membership({ ...parts, identity: `host_${id}`, id, onChange: () => changes.push(member.roster.members(this.clock.now()).join()) });
    this.members.push(member);
    member.start();
    return member;
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

  test('counts on one that is dead until its lease has run out, to the moment, and removes that, so that one who comes later is not misled', async () => {
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
    await town.clock.advanceAsync(14_990);
    expect([changes.at(-1), town.names()]).toEqual(['host_a,host_b', ['copy-member-a', 'copy-member-b']]);
    await town.clock.advanceAsync(20);
    expect(changes.at(-1)).toBe('host_a');
    expect(changes.length - seenAt, 'one a round, and one when it ran out').toBeLessThanOrEqual(9);
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
