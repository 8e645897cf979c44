import { describe, expect, test } from 'vitest';
import { fullestShare, impliedDrainMs } from '../../src/lab/implied.ts';
import { loadOf } from '../../src/lab/load/loads.ts';
import { PUBLISHED } from '../../src/lab/published.ts';
import type { StrategyResult } from '../../src/lab/result.ts';
import { type RunOptions, runStrategy } from '../../src/lab/run.ts';
import { STRATEGY_NAMES } from '../../src/lab/strategy/strategies.ts';

const virtual = (strategy: RunOptions['strategy'], load: RunOptions['load'], more: Partial<RunOptions> = {}): Promise<StrategyResult> =>
  runStrategy({ strategy, load, target: 'memory', clock: 'virtual', ...more });

/** Without what is measured on the machine. */
const shown = ({ cpuSeconds: _cpu, peakMemoryMiB: _memory, tookMs: _took, ...rest }: StrategyResult): object => rest;

describe('the published ladder', () => {
  test.each(PUBLISHED)(
    '$design at $offeredPerSecond a second drains in what rate, lines and latency imply',
    async ({ design, offeredPerSecond, latencyMs }) => {
      const load = loadOf(`ladder-${offeredPerSecond}`);
      const result = await virtual(design, load, { latencyMs });
      const impliedMs = impliedDrainMs(load, design === 'serial' ? 1 : 30, latencyMs);
      expect((result.drainedMs ?? Number.NaN) / impliedMs).toBeGreaterThan(0.97);
      expect((result.drainedMs ?? Number.NaN) / impliedMs).toBeLessThan(1.03);
      expect(result).toMatchObject({ wrongRows: 0, orderViolations: 0, writes: offeredPerSecond * 10, exactMs: result.drainedMs });
    },
  );

  test.each(PUBLISHED.filter(({ design, offeredPerSecond }) => design === 'partitioned' && [352, 818, 1_164].includes(offeredPerSecond)))(
    'at $offeredPerSecond a second folding drains five times sooner with the same 30 writers, ten times with the defaults, and writes no more',
    async ({ offeredPerSecond, latencyMs }) => {
      const load = loadOf(`ladder-${offeredPerSecond}`);
      const [partitioned, folding, defaults] = [
        await virtual('partitioned', load, { latencyMs }),
        await virtual('folding', load, { latencyMs }),
        await virtual('folding-defaults', load, { latencyMs }),
      ];
      const drained = (result: StrategyResult): number => result.exactMs ?? Number.POSITIVE_INFINITY;
      expect(drained(partitioned) / drained(folding)).toBeGreaterThan(5);
      expect(drained(partitioned) / drained(defaults)).toBeGreaterThan(10);
      for (const result of [folding, defaults]) expect(result).toMatchObject({ wrongRows: 0, orderViolations: 0, uncovered: 0 });
      expect(folding.writes).toBeLessThanOrEqual(partitioned.writes);
    },
  );

  test('says of published drains what share of the fullest line they mean: one and a half to three times its own, as with 1,000 pods down to a few dozen', () => {
    const load = loadOf('ladder-736');
    expect(fullestShare(load, 1)).toBe(1);
    expect(fullestShare(load, 30)).toBeGreaterThan(1.3);
    expect(fullestShare(load, 30)).toBeLessThan(1.5);
    expect(fullestShare(loadOf('ladder-736', { objects: 60 }), 30)).toBeGreaterThan(2.3);
    for (const { offeredPerSecond, drainSeconds, latencyMs } of PUBLISHED.filter(({ design }) => design === 'partitioned')) {
      const implied = [1_000, 40].map((objects) => impliedDrainMs(loadOf(`ladder-${offeredPerSecond}`, { objects }), 30, latencyMs) / 1000);
      expect(drainSeconds, String(offeredPerSecond)).toBeGreaterThan(implied[0] ?? Number.NaN);
      expect(drainSeconds, String(offeredPerSecond)).toBeLessThan(implied[1] ?? Number.NaN);
    }
  });
});

describe('a run', () => {
  test.each(STRATEGY_NAMES)('of %s on the virtual clock is the same for the same seed, to the last figure, and another for another', async (strategy) => {
    const run = async (seed: number): Promise<object> => shown(await virtual(strategy, loadOf('storms', { seed, durationMs: 3_000 })));
    const first = await run(4);
    expect(await run(4)).toEqual(first);
    expect(await run(5)).not.toEqual(first);
  });

  test('shows what parallel does to the order: violations in every seed, wrong rows, deleted rows that came back', async () => {
    const seen = [];
    for (const seed of [1, 2, 3, 4, 5]) {
      const { orderViolations, wrongRows, wrong, exactMs } = await virtual('parallel', loadOf('storms', { seed, objects: 50, changesPerSecond: 300 }));
      expect(orderViolations, `seed ${seed}`).toBeGreaterThan(0);
      if (wrongRows > 0) expect(exactMs, `seed ${seed}`).toBeNull();
      seen.push({ wrongRows, ...wrong });
    }
    expect(
      seen.reduce((sum, { wrongRows }) => sum + wrongRows, 0),
      JSON.stringify(seen),
    ).toBeGreaterThan(0);
    expect(
      seen.reduce((sum, { surplus }) => sum + surplus, 0),
      JSON.stringify(seen),
    ).toBeGreaterThan(0);
  });

  test('is JSON, and says all that a reader of it needs', async () => {
    const result = await virtual('folding', loadOf('hot-set', { seed: 2, durationMs: 2_000 }));
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
    expect(result).toMatchObject({ strategy: 'folding', load: 'hot-set', seed: 2, target: 'memory', clock: 'virtual', latencyMs: 87, consumers: 30, batch: 1 });
    expect(result.offeredPerSecond).toBe(1_000);
    expect(result.writesPerChange).toBe(result.writes / 2_000);
    expect(result.p50Ms).toBeGreaterThan(60);
    expect(result.p99Ms).toBeGreaterThanOrEqual(result.p50Ms ?? Number.NaN);
    expect(result.samples.length).toBeGreaterThan(10);
    expect(result.samples.at(-1)).toMatchObject({ items: 0, bytes: 0, writes: result.writes });
    expect(result.cpuSeconds).toBeGreaterThan(0);
  });

  test('of a drain of more than twenty minutes takes seconds, and keeps a bounded number of samples', async () => {
    const result = await virtual('serial', loadOf('ladder-1699'), { latencyMs: 90 });
    expect(result.drainedMs).toBeGreaterThan(1_380_000);
    expect(result.tookMs).toBeLessThan(20_000);
    expect(result.samples.length).toBeLessThanOrEqual(400);
    expect(result.peakItems).toBeGreaterThan(16_000);
    expect(result.peakBytes).toBeGreaterThan(16_000 * 4_000);
  });

  test('that does not end in time says so, and what was left', async () => {
    const result = await virtual('serial', loadOf('ladder-298'), { limitMs: 10_000 });
    expect(result).toMatchObject({ drainedMs: null, exactMs: null });
    expect(result.wrongRows).toBeGreaterThan(0);
    expect(result.uncovered).toBeGreaterThan(2_000);
    expect(result.samples.at(-1)?.items).toBeGreaterThan(2_000);
  });

  test('of storage that fails for ten seconds counts what failed, and ends right with every design that keeps order', async () => {
    for (const strategy of STRATEGY_NAMES.filter((name) => name !== 'parallel')) {
      const result = await virtual(strategy, loadOf('outage'));
      expect(result.failed, strategy).toBeGreaterThan(0);
      expect(result, strategy).toMatchObject({ wrongRows: 0, orderViolations: 0 });
      expect(result.drainedMs, strategy).not.toBeNull();
    }
  });

  test('with partitions too small for its backlog loses changes, and says how many', async () => {
    // One that frees a place within the second loses nothing: there are five feeders, and each waits so long.
    const load = loadOf('ladder-100', { durationMs: 20_000 });
    const slow = { capacity: 20, latencyMs: 3_000 };
    const result = await virtual('partitioned', load, slow);
    expect(result.discarded).toBeGreaterThan(0);
    expect(result.uncovered).toBeGreaterThan(0);
    const keeping = await virtual('partitioned-keeping', load, slow);
    expect(keeping).toMatchObject({ discarded: 0, wrongRows: 0, uncovered: 0 });
  });

  test('of 5,000 nodes and 40,000 pods is one of many kinds, and folding ends it sooner and right', async () => {
    const load = loadOf('kubemark-5000', { durationMs: 10_000 });
    const [partitioned, folding] = [await virtual('partitioned', load), await virtual('folding', load)];
    expect(folding.storedBefore).toBe(52_000);
    expect(folding).toMatchObject({ wrongRows: 0, orderViolations: 0, uncovered: 0 });
    expect(folding.exactMs).toBeLessThan((partitioned.exactMs ?? Number.NaN) / 1.3);
    expect(folding.writes).toBeLessThan(partitioned.writes);
  });

  test('on the virtual clock is refused for a storage that takes its own time', async () => {
    await expect(runStrategy({ strategy: 'folding', load: loadOf('steady'), target: 'http', clock: 'virtual' })).rejects.toThrow(
      'needs the storage "memory", current value is "http"',
    );
    await expect(runStrategy({ strategy: 'folding', load: loadOf('steady'), target: 'sqlite', clock: 'real' })).rejects.toThrow('needs "folder"');
  });
});
