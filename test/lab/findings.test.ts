import { describe, expect, test } from 'vitest';
import { type Finding, findingsOf, publishedRows } from '../../src/lab/findings.ts';
import type { StrategyResult } from '../../src/lab/result.ts';
import { summarize } from '../../src/lab/summary.ts';
import { givenUp, result } from './rows.ts';

function finding(asked: RegExp, results: readonly StrategyResult[], growth: Parameters<typeof findingsOf>[0]['growth'] = []): Finding {
  const rows = summarize(results);
  const found = findingsOf({ rows, published: publishedRows(rows, [1], 30), growth, tookSeconds: null }).filter((one) => asked.test(one.asked));
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

  test('cannot be much where objects change once each, and then the time that their writes take is named', () => {
    const once = result({ writes: 5_000, exactMs: 5_000, durationMs: 10_000, samples: [] });
    expect(finding(/at least 5 times/, [behind(10_000), once]).exceptions[0]).toBe(
      'hot-set: 2.0 times (10.0 s against 5.00 s); 5,000 writes of 30 writers cannot end before 4.50 s: these are objects that change once',
    );
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
    findingsOf({ rows: [], published: [], growth: [], tookSeconds }).find(({ asked }) => asked.includes('10 minutes'));
  expect([all(599)?.isMet, all(600)?.isMet, all(null)]).toEqual([true, false, undefined]);
});

test('a cost is flat when the largest cluster has at most a fifth more', () => {
  const growth = (last: number) => [
    { objects: 1_000, microsInOrder: 8, microsPerChange: 10, bytesPerWaitingChange: 5_000, bytesPerObject: 400 },
    { objects: 300_000, microsInOrder: 9, microsPerChange: last, bytesPerWaitingChange: 5_000, bytesPerObject: 400 },
  ];
  expect(finding(/time in random order/, [result()], growth(11.9)).isMet).toBe(true);
  expect(finding(/time in random order/, [result()], growth(12.5))).toMatchObject({ isMet: false, exceptions: ['300,000 objects: 12.5 µs'] });
  expect(finding(/^time for one change/, [result()], growth(12.5)).isMet).toBe(true);
  expect(finding(/memory for one change/, [result()], growth(12.5)).isMet).toBe(true);
});
