import { describe, expect, test } from 'vitest';
import { floorOf } from '../../src/lab/floor.ts';
import { PODS } from '../../src/lab/load/kinds.ts';
import type { Load, LoadChange, Trouble } from '../../src/lab/load/load.ts';
import { loadOf } from '../../src/lab/load/loads.ts';
import { JITTER, LATENCY_MS, runStrategy } from '../../src/lab/run.ts';
import { CONSUMERS, type StrategyName } from '../../src/lab/strategy/strategies.ts';
import { objectKey } from '../../src/model/key.ts';

type Told = readonly [atMs: number, name: string, type?: LoadChange['type']];

function told(
  changes: readonly Told[],
  over: { readonly durationMs?: number; readonly troubles?: readonly Trouble[]; readonly stored?: readonly string[] } = {},
): Load {
  const change = ([atMs, name, type = 'put']: Told, index: number): LoadChange => ({
    ...{ atMs, kind: PODS, key: objectKey('a', name), uid: name, revision: String(100 + index), type, bytes: type === 'put' ? 100 : 0 },
  });
  const { durationMs = 0, troubles = [], stored = [] } = over;
  return {
    ...{ name: 'told', summary: '', seed: 1, durationMs, objects: changes.length, troubles },
    initial: () => stored.map((name, index) => change([0, name], index - 100)),
    changes: () => changes.map(change),
  };
}
const ofTwo = (load: Load): readonly [number, number] => {
  const { leastMs, foldedMs } = floorOf(load, { writers: 2, latencyMs: 10 });
  return [leastMs, foldedMs];
};

describe('what arithmetic says of a load', () => {
  test('that changes every object once is one write of each, whoever writes', () => {
    expect(
      ofTwo(
        told([
          [0, 'a'],
          [0, 'b'],
          [0, 'c'],
          [0, 'd'],
          [0, 'e'],
        ]),
      ),
    ).toEqual([30, 30]);
    expect(floorOf(loadOf('initial-and-live', { changesPerSecond: 0.01, durationMs: 100_000, objects: 1_000 }), { writers: 30, latencyMs: 87 }).leastMs).toBe(
      0,
    );
  });

  test('is less for who knows that an object will change again than for who folds: he writes it once', () => {
    expect(
      ofTwo(
        told([
          [0, 'a'],
          [0, 'b'],
          [1, 'a'],
          [1, 'b'],
          [2, 'c'],
        ]),
      ),
    ).toEqual([21, 30]);
  });

  test('counts from the end of the burst, and nothing when all is written before', () => {
    expect(
      ofTwo(
        told(
          [
            [0, 'a'],
            [95, 'b'],
          ],
          { durationMs: 100 },
        ),
      ),
    ).toEqual([5, 5]);
    expect(ofTwo(told([[0, 'a']], { durationMs: 100 }))).toEqual([0, 0]);
  });

  test('leaves out what came and went before anybody could write it, and not the deletion of what is stored', () => {
    const changes: readonly Told[] = [
      [0, 'a'],
      [0, 'b'],
      [1, 'c'],
      [2, 'c', 'delete'],
    ];
    expect(ofTwo(told(changes))).toEqual([10, 10]);
    expect(ofTwo(told(changes, { stored: ['c'] }))).toEqual([20, 20]);
  });

  test('lets nobody write while storage is away, nor two write one object, and waits for who is slow', () => {
    const troubles: readonly Trouble[] = [{ type: 'fails', fromMs: 0, toMs: 50 }];
    expect(
      ofTwo(
        told(
          [
            [0, 'a'],
            [0, 'b'],
            [1, 'a'],
            [2, 'c'],
          ],
          { troubles },
        ),
      ),
    ).toEqual([70, 70]);
    expect(
      ofTwo(
        told([
          [0, 'a'],
          [1, 'a'],
        ]),
      ),
    ).toEqual([11, 20]);
    expect(
      ofTwo(
        told(
          [
            [0, 'a'],
            [1, 'b'],
          ],
          { troubles: [{ type: 'slow-key', key: objectKey('a', 'a'), ms: 100 }] },
        ),
      ),
    ).toEqual([110, 110]);
  });
});

/** Of every kind: repeats, storms, what changes once, trouble, several kinds. */
const LOADS = ['ladder-1049', 'hot-set', 'storms', 'initial-and-live', 'slow-key', 'outage', 'skewed', 'noise', 'kubemark-1000'] as const;

describe('a run', () => {
  const exactMs = async (strategy: StrategyName, load: Load, jitter?: number): Promise<number> => {
    const result = await runStrategy({ strategy, load, target: 'memory', clock: 'virtual', jitter });
    expect(result.wrongRows, `${strategy} under ${load.name}`).toBe(0);
    return result.exactMs ?? Number.NaN;
  };
  const floor = (load: Load): ReturnType<typeof floorOf> => floorOf(load, { writers: CONSUMERS, latencyMs: LATENCY_MS });

  test.each(LOADS)('under %s ends no sooner than anybody could, whatever the strategy', async (name) => {
    const load = loadOf(name, { seed: 3, durationMs: name === 'outage' ? 20_000 : 5_000 });
    const { leastMs, foldedMs } = floor(load);
    expect(leastMs).toBeLessThanOrEqual(foldedMs);
    for (const strategy of ['partitioned-keeping', 'folding'] as const) expect(await exactMs(strategy, load, 0), strategy).toBeGreaterThanOrEqual(leastMs - 1);
  });

  test.each(LOADS)('of folding under %s ends at most 5 %% and one write later than a perfect folder', async (name) => {
    const load = loadOf(name, { seed: 3 });
    expect(await exactMs('folding', load)).toBeLessThanOrEqual(floor(load).foldedMs * 1.05 + LATENCY_MS * (1 + JITTER));
  });

  test('of folding after an outage is exact at least five times sooner than partitions, with every seed', async () => {
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const load = loadOf('outage', { seed });
      expect((await exactMs('partitioned', load)) / (await exactMs('folding', load)), `seed ${seed}`).toBeGreaterThan(5);
    }
  });
});
