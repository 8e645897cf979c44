import { describe, expect, test } from 'vitest';
import { type Finding, findingsOf, publishedRows } from '../../src/lab/findings.ts';
import type { Reach } from '../../src/lab/reach.ts';
import type { StrategyResult } from '../../src/lab/result.ts';
import { reachCells, reachText } from '../../src/lab/report/reach.ts';
import { summarize } from '../../src/lab/summary.ts';
import { givenUp, result } from './rows.ts';

type Parts = Parameters<typeof findingsOf>[0];
function finding(asked: RegExp, results: readonly StrategyResult[], { growth = [], reach = [] }: Partial<Pick<Parts, 'growth' | 'reach'>> = {}): Finding {
  const rows = summarize(results);
  const found = findingsOf({ rows, reach, published: publishedRows(rows, [1], 30), growth, tookSeconds: null }).filter((one) => asked.test(one.asked));
  expect(found.map((one) => one.asked)).toHaveLength(1);
  return found[0] as Finding;
}
const behind = (exactMs: number | null): StrategyResult =>
  result({ strategy: 'partitioned', exactMs, drainedMs: exactMs, writes: 1_000, samples: [{ atMs: 9_900, items: 900, bytes: 0, writes: 0 }] });

describe('how much sooner folding drains', () => {
  test('is asked only where partitions end a burst with more than they have in hand', () => {
    expect(finding(/at least 5 times/, [behind(1_000), result({ exactMs: 100 })])).toMatchObject({ isMet: true, exceptions: [] });
    expect(finding(/at least 5 times/, [behind(400), result({ exactMs: 100 })])).toMatchObject({
      isMet: false,
      exceptions: ['hot-set: 4.0 times (0.40 s against 0.10 s)'],
    });
    expect(finding(/at least 5 times/, [result({ strategy: 'partitioned', consumers: 35 }), result()])).toMatchObject({
      isMet: null,
      seen: 'partitions were never behind',
    });
  });

  test('is not said when only one of both was run', () => {
    expect(finding(/at least 5 times/, [result()])).toMatchObject({ isMet: null, seen: 'not run' });
  });

  test('cannot be much where objects change once each, and then it is said how far anybody would get', () => {
    const reach = [reached({ partitionedMs: 10_000, foldingMs: 5_000, foldedMs: 4_900, leastMs: 4_500 })];
    expect(finding(/at least 5 times/, [behind(10_000), result({ exactMs: 5_000 })], { reach })).toMatchObject({
      isMet: false,
      exceptions: ['hot-set: 2.0 times (10.0 s against 5.00 s); a perfect folder would reach 2.0 times (4.90 s), and nobody more than 2.2 (4.50 s)'],
    });
  });

  test('is ten times with the defaults', () => {
    const defaults = result({ strategy: 'folding-defaults', exactMs: 100 });
    expect(finding(/at least 10 times/, [behind(990), defaults]).isMet).toBe(false);
    expect(finding(/at least 10 times/, [behind(1_000), defaults]).isMet).toBe(true);
  });

  test('of partitions that were given up is known only when their least is enough', () => {
    const cut = givenUp(500, { strategy: 'partitioned' });
    expect(finding(/at least 5 times/, [cut, result({ exactMs: 100 })])).toMatchObject({ isMet: true });
    expect(finding(/at least 5 times/, [cut, result({ exactMs: 1_000 })])).toMatchObject({ isMet: null });
  });
});

/** Of two of which times are known. */
function reached(over: Pick<Reach, 'partitionedMs' | 'foldingMs' | 'foldedMs' | 'leastMs'> & Partial<Reach>): Reach {
  const { partitionedMs, foldingMs, foldedMs, leastMs } = over;
  return {
    ...{ load: 'hot-set', writers: 30, writeMs: 87, isAtLeast: false, isBehind: true },
    ...{ times: partitionedMs / foldingMs, foldedTimes: partitionedMs / foldedMs, mostTimes: partitionedMs / leastMs },
    ...over,
  };
}

describe('what is possible at all', () => {
  const possible = reached({ load: 'storms', partitionedMs: 10_000, foldingMs: 1_000, foldedMs: 1_000, leastMs: 500 });
  const never = reached({ load: 'noise', partitionedMs: 10_000, foldingMs: 4_000, foldedMs: 3_900, leastMs: 2_500 });

  test('is asked of folding, and what is not is named with the most that anybody could reach', () => {
    expect(finding(/possible at all/, [], { reach: [possible, never] })).toEqual({
      asked: 'wherever 5 times is possible at all with as many writers, folding reaches it',
      seen: '1 of 1 loads; out of reach on 1: noise (4.0 times at the most)',
      isMet: true,
      exceptions: [],
    });
    const missed = reached({ load: 'outage', partitionedMs: 1_600, foldingMs: 400, foldedMs: 100, leastMs: 80 });
    expect(finding(/possible at all/, [], { reach: [missed] })).toMatchObject({
      isMet: false,
      exceptions: ['outage: 4.0 times; a perfect folder would reach 16.0 times (0.10 s), and nobody more than 20.0 (0.08 s)'],
    });
    expect(finding(/possible at all/, [])).toMatchObject({ isMet: null, seen: 'not run' });
  });

  test('is not claimed of loads under which partitions keep up, or were never right', () => {
    const apart = { partitionedMs: 100, foldingMs: 90, foldedMs: 90, leastMs: 90 };
    expect(finding(/possible at all/, [], { reach: [reached({ ...apart, isBehind: false })] })).toMatchObject({ isMet: null, seen: '0 of 0 loads' });
    expect(finding(/possible at all/, [], { reach: [reached({ ...apart, isAtLeast: true })] })).toMatchObject({ isMet: null, seen: '0 of 0 loads' });
  });

  test('is what folding comes near: a twentieth, and one write, later than a perfect folder is far', () => {
    const late = (foldingMs: number): boolean | null =>
      finding(/perfect folder/, [], { reach: [reached({ partitionedMs: 10_000, foldingMs, foldedMs: 1_000, leastMs: 500 })] }).isMet;
    expect([late(1_154), late(1_155)]).toEqual([true, false]);
    expect(finding(/perfect folder/, [], { reach: [possible, never] })).toMatchObject({ isMet: true, seen: '2 of 2 loads, at most 0 % later' });
  });

  test('stands beside what was seen in the report, and at its end what nobody can', () => {
    expect(reachCells(never)).toEqual(['noise', '10.0', '4.00', '2.5', '3.90', '2.6', '2.50', '4.0']);
    expect(reachCells({ ...never, isAtLeast: true })[1]).toBe('> 10.0');
    expect(reachText([possible, never])).toMatch(
      /^With 30 writers against 30, 5 times sooner is impossible for anybody on noise \(4\.0 times, for it takes 2\.50 s\): .*1\/345 s of all writers/,
    );
    expect(reachText([possible])).toBeNull();
  });
});

describe('what must never happen', () => {
  test('is that folding is slower, by more than one write', () => {
    const partitioned = result({ strategy: 'partitioned', exactMs: 100 });
    expect(finding(/never slower/, [partitioned, result({ exactMs: 200 })]).isMet).toBe(true);
    expect(finding(/never slower/, [partitioned, result({ exactMs: 210 })])).toMatchObject({
      isMet: false,
      exceptions: ['hot-set, folding: 0.21 s against 0.10 s'],
    });
    expect(finding(/never slower/, [partitioned, result({ exactMs: null, wrongRows: 1 })]).isMet).toBe(false);
  });

  test('is that folding writes more', () => {
    const partitioned = result({ strategy: 'partitioned', writes: 500 });
    expect(finding(/never writes more/, [partitioned, result()]).isMet).toBe(true);
    expect(finding(/never writes more/, [partitioned, result({ writes: 501 })])).toMatchObject({
      isMet: false,
      exceptions: ['hot-set, folding: 501 against 500 writes'],
    });
  });

  test('is that batches or the defaults write more, and whether they were up to date sooner is said: then there is nothing to fold', () => {
    const defaults = (backlog: number): StrategyResult =>
      result({ strategy: 'folding-defaults', writes: 1_100, samples: [{ atMs: 9_900, items: backlog, bytes: 0, writes: 0 }] });
    expect(finding(/does not write more either/, [behind(1_000), result({ writes: 900 })])).toMatchObject({ isMet: null, seen: 'not run' });
    expect(finding(/does not write more either/, [behind(1_000), defaults(12)])).toMatchObject({
      isMet: false,
      exceptions: [
        'hot-set, folding-defaults: 1,100 against 1,000 writes; at the end of the burst 12 changes wait, with partitions 900: who is up to date has nothing to fold',
      ],
    });
    expect(finding(/does not write more either/, [behind(1_000), defaults(900)]).exceptions).toEqual(['hot-set, folding-defaults: 1,100 against 1,000 writes']);
  });

  test('is not that in real time one change came just after its object was taken', () => {
    const partitioned = result({ strategy: 'partitioned', writes: 500, target: 'sqlite', clock: 'real' });
    const writes = (count: number): StrategyResult => result({ writes: count, target: 'sqlite', clock: 'real' });
    expect(finding(/never writes more/, [partitioned, writes(524)]).isMet).toBe(true);
    expect(finding(/never writes more/, [partitioned, writes(526)]).isMet).toBe(false);
  });

  test('is a wrong row, or an older state after a newer one, and the seed is named', () => {
    expect(finding(/0 wrong rows/, [result()]).isMet).toBe(true);
    expect(finding(/0 wrong rows/, [result({ orderViolations: 1, seed: 9 })]).exceptions[0]).toContain('1 out of order (seeds 9)');
    expect(finding(/0 wrong rows/, [result({ wrongRows: 1 })]).isMet).toBe(false);
  });
});

test('what parallel does wrong is counted, with the seeds that show it again', () => {
  const parallel = result({ strategy: 'parallel', orderViolations: 12, wrongRows: 3, wrong: { missing: 0, stale: 1, surplus: 2 }, seed: 5, exactMs: null });
  expect(finding(/parallel does wrong/, [parallel])).toMatchObject({
    isMet: true,
    seen: '12 order violations, 3 wrong rows under 1 of 1 loads',
    exceptions: ['hot-set: 3 wrong rows (2 came back, 1 stale, 0 missing) with seed 5'],
  });
  expect(finding(/parallel does wrong/, [result()]).isMet).toBeNull();
});

test('a rung of the ladder is held against what arithmetic says of its seed', () => {
  const rung = (drainedMs: number): StrategyResult => result({ strategy: 'serial', load: 'ladder-117', latencyMs: 90, drainedMs, exactMs: drainedMs });
  expect(finding(/published ladder/, [rung(95_300)])).toMatchObject({ isMet: true, seen: '1 of 13 rungs run, at most 0 % off' });
  expect(finding(/published ladder/, [rung(60_000)])).toMatchObject({ isMet: false, exceptions: ['serial at 117/s: 60.0 s, implied 95.3 s'] });
});

test('the time of the whole report is held against ten minutes', () => {
  const all = (tookSeconds: number | null): Finding | undefined =>
    findingsOf({ rows: [], reach: [], published: [], growth: [], tookSeconds }).find(({ asked }) => asked.includes('10 minutes'));
  expect([all(599)?.isMet, all(600)?.isMet, all(null)]).toEqual([true, false, undefined]);
});

test('a cost is flat when the largest cluster has at most a fifth more', () => {
  const growth = (last: number) => [
    { objects: 1_000, microsInOrder: 8, microsPerChange: 10, microsOfMap: 1, bytesPerWaitingChange: 5_000, bytesPerObject: 400 },
    { objects: 300_000, microsInOrder: 9, microsPerChange: last, microsOfMap: 2, bytesPerWaitingChange: 5_000, bytesPerObject: 400 },
  ];
  const random = /time in random order, with what/;
  expect(finding(random, [result()], { growth: growth(11.9) }).isMet).toBe(true);
  expect(finding(random, [result()], { growth: growth(12.5) })).toMatchObject({ isMet: false, exceptions: ['300,000 objects: 12.5 µs'] });
  expect(finding(/^time for one change/, [result()], { growth: growth(12.5) }).isMet).toBe(true);
  expect(finding(/memory for one change/, [result()], { growth: growth(12.5) }).isMet).toBe(true);
});

test('what a plain Map takes more in a larger cluster is named, and left out in a finding of its own', () => {
  const growth = [
    { objects: 1_000, microsInOrder: 10, microsPerChange: 10, microsOfMap: 1, bytesPerWaitingChange: 5_000, bytesPerObject: 400 },
    { objects: 300_000, microsInOrder: 10, microsPerChange: 14, microsOfMap: 4, bytesPerWaitingChange: 5_000, bytesPerObject: 400 },
  ];
  expect(finding(/time in random order, with what/, [result()], { growth })).toMatchObject({
    isMet: false,
    seen: '10.0 µs at first, at most 40 % more; the look-up in a plain Map alone takes 1.0 µs at first and 4.0 µs at last, 75 % of the difference',
  });
  const less = /time in random order, less what/;
  expect(finding(less, [result()], { growth })).toMatchObject({ isMet: true, seen: '9.0 µs at first, at most 11 % more' });
  const ours = growth.map((point) => ({ ...point, microsOfMap: 1 }));
  expect(finding(less, [result()], { growth: ours })).toMatchObject({ isMet: false, exceptions: ['300,000 objects: 13.0 µs'] });
});
