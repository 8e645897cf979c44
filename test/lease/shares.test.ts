import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import { type Random, seededRandom } from '../../src/kit/random.ts';
import { type Claim, type Holdings, movesOf, targetsOf } from '../../src/lease/shares.ts';

const seed = Number(process.env['KUBEFOLD_SEED'] ?? systemClock.wall() % 2 ** 32);

describe('who should have which shard', () => {
  test.each<[title: string, holdings: Holdings, expected: readonly (string | null)[]]>([
    ['one that is alone gets all', { members: ['a'], holders: [null, null, null] }, ['a', 'a', 'a']],
    ['without anybody nothing is asked of anybody', { members: [], holders: ['gone', null] }, [null, null]],
    ['two get one each', { members: ['b', 'a'], holders: [null, null] }, ['a', 'b']],
    ['of an odd number the first one gets one more', { members: ['b', 'a'], holders: [null, null, null] }, ['a', 'a', 'b']],
    ['who has one more already keeps it, whatever its name', { members: ['a', 'b'], holders: ['b', 'b', null] }, ['b', 'b', 'a']],
    ['one that comes gets its part of who has too much', { members: ['a', 'b'], holders: ['a', 'a', 'a', 'a'] }, ['a', 'a', 'b', 'b']],
    ['what a dead one held goes to who lacks most by the order of names', { members: ['a', 'c'], holders: ['a', null, 'c', null] }, ['a', 'a', 'c', 'c']],
    ['who is no member loses what it holds', { members: ['a'], holders: ['stranger', 'a'] }, ['a', 'a']],
    ['more members than shards: some get none', { members: ['c', 'b', 'a'], holders: ['c', null] }, ['c', 'a']],
    ['nothing moves when shares are even', { members: ['a', 'b', 'c'], holders: ['c', 'b', 'c', 'a'] }, ['c', 'b', 'c', 'a']],
  ])('%s', (_, holdings, expected) => {
    expect(targetsOf(holdings)).toEqual(expected);
  });

  const claims = (held: readonly number[], trying: readonly number[] = [], ending: readonly number[] = []): ReadonlyMap<number, Claim> =>
    new Map([
      ...held.map((shard): [number, Claim] => [shard, 'held']),
      ...trying.map((shard): [number, Claim] => [shard, 'trying']),
      ...ending.map((shard): [number, Claim] => [shard, 'ending']),
    ]);

  test('each is told only of its own moves, and of each once', () => {
    const holdings: Holdings = { members: ['a', 'b'], holders: ['a', 'a', 'a', null] };
    expect(movesOf('a', holdings, claims([0, 1, 2]))).toEqual({ take: [], drop: [], release: [2] });
    expect(movesOf('a', holdings, claims([0, 1], [], [2]))).toEqual({ take: [], drop: [], release: [] });
    expect(movesOf('b', holdings, claims([]))).toEqual({ take: [2, 3], drop: [], release: [] });
    expect(movesOf('b', holdings, claims([], [2, 3]))).toEqual({ take: [], drop: [], release: [] });
    expect(movesOf('stranger', holdings, claims([]))).toEqual({ take: [], drop: [], release: [] });
  });

  test('what another one should have by now is not tried for any longer', () => {
    expect(movesOf('b', { members: ['a', 'b', 'c'], holders: ['a', 'c', 'b'] }, claims([2], [0, 1]))).toEqual({ take: [], drop: [0, 1], release: [] });
  });

  test('what it holds it knows better than a list that is behind', () => {
    expect(movesOf('a', { members: ['a', 'b'], holders: [null, null] }, claims([1]))).toEqual({ take: [], drop: [], release: [] });
    expect(movesOf('a', { members: ['a'], holders: ['a', 'a'] }, claims([1]))).toEqual({ take: [0], drop: [], release: [] });
  });

  test('one that counts no more gives back what it has, but to nobody it gives nothing', () => {
    expect(movesOf('a', { members: ['b'], holders: ['a'] }, claims([0]))).toEqual({ take: [], drop: [], release: [0] });
    expect(movesOf('a', { members: [], holders: ['a'] }, claims([0]))).toEqual({ take: [], drop: [], release: [] });
  });
});

const NAMES = ['a', 'b', 'c', 'd'];

function draw(random: Random): Holdings {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random.next() * list.length)] as T;
  const members = NAMES.filter(() => random.next() < 0.6);
  const holders = Array.from({ length: 1 + Math.floor(random.next() * 6) }, () => pick([...NAMES, 'stranger', null]));
  return { members, holders };
}

const countOf = (targets: readonly (string | null)[], member: string): number => targets.filter((target) => target === member).length;

/** Every way to give each shard to a member so that shares differ by one at the most. */
function* evenWays(shards: number, members: readonly string[]): Generator<readonly string[]> {
  const walk = function* (chosen: readonly string[]): Generator<readonly string[]> {
    if (chosen.length < shards) {
      for (const member of members) yield* walk([...chosen, member]);
      return;
    }
    const counts = members.map((member) => countOf(chosen, member));
    if (Math.max(...counts) - Math.min(...counts) <= 1) yield chosen;
  };
  yield* walk([]);
}

/** What has to move away from a member that is there. */
function moved({ members, holders }: Holdings, targets: readonly (string | null)[]): number {
  return holders.filter((holder, shard) => holder !== null && members.includes(holder) && targets[shard] !== holder).length;
}

test(`shares are even, no even way moves less, and no move changes another target (KUBEFOLD_SEED=${seed})`, () => {
  const random = seededRandom(seed);
  for (let round = 0; round < 400; round++) {
    const holdings = draw(random);
    const { members, holders } = holdings;
    const told = JSON.stringify(holdings);
    const targets = targetsOf(holdings);
    expect(targetsOf({ members: [...members].reverse(), holders }), told).toEqual(targets);
    if (members.length === 0) {
      expect(targets, told).toEqual(holders.map(() => null));
      continue;
    }
    const ways = [...evenWays(holders.length, members)];
    expect(ways, told).toContainEqual(targets);
    expect(moved(holdings, targets), told).toBe(Math.min(...ways.map((way) => moved(holdings, way))));
    // Any part of the moves, in any order: what is released is free, what is free or held by nobody who counts is taken.
    let now = [...holders];
    for (let step = 0; step < 20; step++) {
      const shard = Math.floor(random.next() * now.length);
      const holder = now[shard] ?? null;
      if (holder === targets[shard]) continue;
      now = now.with(shard, holder === null ? (targets[shard] ?? null) : null);
      expect(targetsOf({ members, holders: now }), `${told} with ${JSON.stringify(now)}`).toEqual(targets);
    }
  }
});
