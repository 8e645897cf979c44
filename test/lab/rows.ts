import type { StrategyResult } from '../../src/lab/result.ts';

/** A run that went as a run of folding goes, unless `over` says otherwise. */
export function result(over: Partial<StrategyResult> = {}): StrategyResult {
  return {
    ...{ strategy: 'folding', cannot: {}, consumers: 30, batch: 1, load: 'hot-set', seed: 1, target: 'memory', clock: 'virtual', latencyMs: 87 },
    ...{ storedBefore: 0, changes: 1_000, durationMs: 10_000, offeredPerSecond: 100, writes: 500, writesPerChange: 0.5, writesPerSecond: 50 },
    ...{ failed: 0, refused: 0, drainedMs: 100, exactMs: 100, p50Ms: 90, p99Ms: 150, maxMs: 200, uncovered: 0, peakItems: 40, peakBytes: 4_096, discarded: 0 },
    ...{ orderViolations: 0, wrongRows: 0, wrong: { missing: 0, stale: 0, surplus: 0 }, cpuSeconds: 0.1, peakMemoryMiB: 10, tookMs: 20 },
    samples: [
      { atMs: 0, items: 1, bytes: 10, writes: 0 },
      { atMs: 9_950, items: 35, bytes: 350, writes: 490 },
      { atMs: 10_100, items: 0, bytes: 0, writes: 500 },
    ],
    ...over,
  };
}

/** A run that was given up with so much left. */
export function givenUp(items: number, over: Partial<StrategyResult> = {}): StrategyResult {
  const samples = [
    { atMs: 9_900, items: items + 100, bytes: 10, writes: 10 },
    { atMs: 11_500, items, bytes: 10, writes: 20 },
  ];
  return result({ drainedMs: null, exactMs: null, wrongRows: 7, wrong: { missing: 0, stale: 7, surplus: 0 }, samples, ...over });
}
