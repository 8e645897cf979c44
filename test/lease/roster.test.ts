import { describe, expect, test } from 'vitest';
import { microTime, readLease, type SeenLease } from '../../src/lease/record.ts';
import { leaseNames, Roster, SHARDS_LABEL } from '../../src/lease/roster.ts';

const NAMES = leaseNames('copy');
const LEASE_MS = 15_000;

const roster = (): Roster => new Roster({ identity: 'me', names: NAMES, shards: 2 });

/** Born at 0, renewed at `renewedAt`. */
function lease(name: string, holder: string, revision: number, { renewedAt = revision, shards = 2 } = {}): SeenLease {
  const spec = {
    holderIdentity: holder,
    leaseDurationSeconds: LEASE_MS / 1000,
    leaseTransitions: 0,
    acquireTime: microTime(0),
    renewTime: microTime(renewedAt),
  };
  return readLease({ metadata: { name, resourceVersion: String(revision), labels: { [SHARDS_LABEL]: String(shards) } }, spec });
}
const member = (who: string, revision: number, more = {}): SeenLease => lease(NAMES.member(who), who, revision, more);
const shard = (index: number, holder: string, revision: number): SeenLease => lease(NAMES.shard(index), holder, revision);

describe('the roster', () => {
  test('knows members and holders, whatever else a list holds', () => {
    const one = roster();
    one.listed(0, [member('a', 3), shard(1, 'a', 4), shard(7, 'b', 5), lease('copy', 'b', 6), lease('another-member-c', 'c', 7)], '9');
    expect(one.members(0)).toEqual(['a']);
    expect(one.holders(0)).toEqual([null, 'a']);
  });

  test('counts a lease as alive for its duration after it was seen to change, whatever its times say', () => {
    const one = roster();
    one.listed(0, [member('a', 3), shard(0, 'a', 4)], '9');
    one.listed(10_000, [member('a', 3), shard(0, 'a', 12)], '12');
    expect(one.untilExpiry(10_000)).toBe(5_000);
    expect([one.members(15_000), one.holders(15_000)]).toEqual([[], ['a', null]]);
    expect(one.untilExpiry(15_000)).toBe(10_000);
    expect(one.holders(25_000)).toEqual([null, null]);
    expect(one.untilExpiry(25_000)).toBe(Number.POSITIVE_INFINITY);
  });

  test('counts a member from its first renewal on, by its own record', () => {
    const one = roster();
    one.listed(0, [member('a', 3, { renewedAt: 0 })], '3');
    expect(one.members(0)).toEqual([]);
    one.seen(2_000, member('a', 5));
    expect(one.members(2_000)).toEqual(['a']);
  });

  test('counts this process also when it could not renew for long: it lives, and gives nothing away by itself', () => {
    const one = roster();
    one.listed(0, [member('me', 3), member('a', 3)], '3');
    expect(one.members(60_000)).toEqual(['me']);
  });

  test('is set back by no answer that comes late, and knows who has gone', () => {
    const one = roster();
    one.listed(0, [member('a', 3), member('b', 4)], '4');
    one.seen(1_000, member('c', 8));
    one.listed(2_000, [member('a', 3), member('b', 4)], '7');
    expect(one.members(2_000)).toEqual(['a', 'b', 'c']);
    one.gone(member('b', 9));
    one.seen(3_000, member('b', 4));
    one.listed(4_000, [member('a', 10), member('c', 8)], '10');
    expect(one.members(4_000)).toEqual(['a', 'c']);
  });

  test('believes a list of a cluster that was restored', () => {
    const one = roster();
    one.listed(0, [shard(0, 'a', 900)], '900');
    one.listed(1_000, [shard(0, 'b', 100)], '101');
    expect(one.holders(1_000)).toEqual(['b', null]);
  });

  test('shows the remains of members whose lease has run out, never its own, nor those of shards', () => {
    const one = roster();
    one.listed(0, [member('a', 3), member('me', 3), shard(0, 'a', 4)], '4');
    expect(one.remains(LEASE_MS - 1)).toEqual([]);
    expect(one.remains(LEASE_MS).map(({ record }) => record.holder)).toEqual(['a']);
  });

  test('a shard that was released belongs to nobody at once', () => {
    const one = roster();
    one.listed(0, [shard(0, 'a', 4)], '4');
    one.seen(10, shard(0, '', 5));
    expect(one.holders(10)).toEqual([null, null]);
    expect(one.shard(0)).toMatchObject({ changedAt: 10 });
  });

  test('counts nobody who splits otherwise, and says who holds a shard of another split while its lease is alive', () => {
    const one = roster();
    one.listed(0, [member('a', 3), member('b', 4, { shards: 3 }), shard(0, 'a', 5), lease(NAMES.shard(2), 'b', 6, { shards: 3 })], '6');
    expect(one.members(0)).toEqual(['a']);
    expect([one.otherSplit(14_999), one.otherSplit(15_000)]).toEqual(['b', null]);
    expect(new Roster({ identity: 'me', names: NAMES, shards: 3 }).otherSplit(0)).toBeNull();
  });
});
