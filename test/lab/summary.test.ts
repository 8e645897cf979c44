import { describe, expect, test } from 'vitest';
import { summarize, thinned } from '../../src/lab/summary.ts';
import { givenUp, result } from './rows.ts';

describe('the rounds of a contestant', () => {
  test('become one row: medians of figures, sums of what went wrong, and the seeds that show it', () => {
    const [row, ...rest] = summarize([
      result({ seed: 1, writes: 10, exactMs: 100, orderViolations: 2 }),
      result({ seed: 2, writes: 30, exactMs: null, orderViolations: 3, wrongRows: 4, wrong: { missing: 1, stale: 2, surplus: 1 } }),
      result({ seed: 3, writes: 20, exactMs: 300 }),
    ]);
    expect(rest).toEqual([]);
    expect(row).toMatchObject({ rounds: 3, seeds: [1, 2, 3], writes: 20, exactMs: 300, orderViolations: 5, wrongRows: 4, wrongSeeds: [2], unfinished: 0 });
    expect(row?.wrong).toEqual({ missing: 1, stale: 2, surplus: 1 });
  });

  test('that mostly never became exact have no time of that', () => {
    expect(summarize([result({ exactMs: null }), result({ exactMs: null, seed: 2 }), result({ seed: 3 })])[0]?.exactMs).toBeNull();
  });

  test('that were given up are neither right nor wrong, and say what was left and how long they were watched', () => {
    const [row] = summarize([givenUp(40), givenUp(90, { seed: 2 })]);
    expect(row).toMatchObject({ unfinished: 2, leftItems: 90, wrongRows: 0, wrongSeeds: [], watchedMs: 1_500 });
  });

  test('say what waited at the end of the burst, not what was left after the next write', () => {
    expect(summarize([result()])[0]?.backlogAtEnd).toBe(35);
  });

  test('are kept apart by storage, load and strategy, in the order of their first appearance', () => {
    const rows = summarize([
      result({ target: 'http' }),
      result(),
      result({ load: 'storms' }),
      result({ strategy: 'serial' }),
      result({ target: 'http', seed: 2 }),
    ]);
    expect(rows.map(({ target, load, strategy, rounds }) => `${target} ${load} ${strategy} ${rounds}`)).toEqual([
      'http hot-set folding 2',
      'memory hot-set folding 1',
      'memory storms folding 1',
      'memory hot-set serial 1',
    ]);
  });
});

describe('samples for a chart', () => {
  const samples = Array.from({ length: 400 }, (_, index) => ({
    atMs: (index + 1) * 1_000,
    items: index === 37 ? 5_000 : 400 - index,
    bytes: 0,
    writes: index,
  }));

  test('are few, keep the highest backlog and the last look, and stay in order', () => {
    const few = thinned(samples, 50);
    expect(few.length).toBeLessThanOrEqual(51);
    expect(few).toContain(samples[37]);
    expect(few.at(-1)).toBe(samples.at(-1));
    expect(few.map(({ atMs }) => atMs)).toEqual(few.map(({ atMs }) => atMs).toSorted((a, b) => a - b));
  });

  test('stay as they are when there are few', () => {
    expect(thinned(samples.slice(0, 10), 50)).toEqual(samples.slice(0, 10));
    expect(thinned([], 50)).toEqual([]);
  });
});
