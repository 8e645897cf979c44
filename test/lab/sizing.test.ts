import { describe, expect, test } from 'vitest';
import { checkSizing } from '../../src/lab/sizing-check.ts';
import { adviseSize, type SizingQuestion } from '../../src/lab/sizing.ts';

const question = (over: Partial<SizingQuestion> = {}): SizingQuestion => ({
  ...{ objects: 5_000, changesPerSecond: 500, storageMs: 50, objectBytes: 4_096 },
  ...over,
});

describe('what the model says', () => {
  test('of calm objects is that every change is a write, and that 70 % of the writers are busy', () => {
    const { busy, load, writesPerSecond, lagMs, waiting } = adviseSize(question());
    expect(busy).toBeCloseTo(25, 0);
    expect(load).toBeLessThanOrEqual(0.7);
    expect(writesPerSecond / 500).toBeCloseTo(1, 1);
    expect(lagMs).toBeCloseTo(50, 0);
    expect(waiting).toBe(0);
  });

  test('of one hot object is one write after the other, whatever the number of changes', () => {
    const { concurrency, writesPerSecond, longestLagMs } = adviseSize(question({ objects: 1, changesPerSecond: 1_000 }));
    expect(writesPerSecond).toBeCloseTo(20, 1);
    expect(longestLagMs).toBe(100);
    expect(concurrency).toBe(2);
  });

  test('of too few writers is a bounded wait: no more than all objects, and less than all of them take', () => {
    const { load, waiting, waitMs, writesPerSecond } = adviseSize(question({ changesPerSecond: 100_000, concurrency: 10 }));
    expect(load).toBeGreaterThan(1);
    expect(waiting).toBeLessThan(5_000);
    expect(writesPerSecond).toBeCloseTo(200, 6);
    expect(waitMs).toBeLessThan((5_000 / 200) * 1_000);
  });

  test('of memory rises with objects and with what waits, up to the bound of bodies', () => {
    const memory = (over: Partial<SizingQuestion>): number => adviseSize(question(over)).memoryMiB;
    expect(memory({ objects: 105_000 }) - memory({})).toBeCloseTo((100_000 * 1_600) / 2 ** 20, 0);
    const slow = { objects: 100_000, changesPerSecond: 1e6, concurrency: 1 };
    expect(memory(slow) - memory({ objects: 100_000 })).toBeGreaterThan(100);
    expect(memory(slow) - memory({ objects: 100_000 })).toBeLessThanOrEqual(128);
  });

  test('of workers is one for each sixty writes at once', () => {
    expect(adviseSize(question({ concurrency: 300 })).workers).toBe(5);
    expect(adviseSize(question({ concurrency: 10 })).workers).toBe(4);
  });
});

describe('a run of the laboratory', () => {
  test.each<[string, Partial<SizingQuestion>]>([
    ['with room for all', {}],
    ['of few and restless objects', { objects: 40, changesPerSecond: 1_000, storageMs: 87 }],
    ['with too few writers', { objects: 1_000, changesPerSecond: 1_699, storageMs: 87, concurrency: 30 }],
    ['with far too few', { objects: 2_000, changesPerSecond: 400, storageMs: 100, concurrency: 5 }],
  ])('%s writes, waits and lags as predicted', async (_, over) => {
    const asked = question(over);
    const advice = adviseSize(asked);
    const seen = await checkSizing(asked, advice);
    const backlog = advice.waiting + Math.min(advice.busy, advice.concurrency);
    expect(Math.abs(seen.writesPerSecond / advice.writesPerSecond - 1)).toBeLessThan(0.1);
    expect(Math.abs((seen.medianLagMs ?? Number.NaN) / advice.lagMs - 1)).toBeLessThan(0.25);
    expect(seen.longestLagMs).toBeLessThan(advice.longestLagMs * 1.3);
    expect(Math.abs(seen.backlog - backlog)).toBeLessThan(Math.max(10, backlog * 0.25));
  });
});
