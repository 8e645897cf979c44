import { describe, expect, test } from 'vitest';
import { loadOf } from '../../src/lab/load/loads.ts';
import { runStrategy } from '../../src/lab/run.ts';

/** What a timer of a busy machine may add to each write: a line of N writes is N times as late. */
const SLACK = 0.3;

describe('virtual and real time', () => {
  test.each([
    ['serial', 'ladder-60'],
    ['partitioned', 'hot-object'],
    ['folding', 'hot-set'],
  ] as const)('agree on %s under %s', async (strategy, name) => {
    const load = loadOf(name, { durationMs: 1_500, seed: 3 });
    const [fast, slow] = [
      await runStrategy({ strategy, load, target: 'memory', clock: 'virtual', latencyMs: 30, consumers: 10 }),
      await runStrategy({ strategy, load, target: 'memory', clock: 'real', latencyMs: 30, consumers: 10 }),
    ];
    expect(slow).toMatchObject({ changes: fast.changes, wrongRows: 0, orderViolations: 0, uncovered: 0 });
    const ratio = (of: 'writes' | 'p50Ms' | 'peakItems'): number => (slow[of] ?? Number.NaN) / (fast[of] ?? Number.NaN);
    expect(Math.abs(Math.log(ratio('writes')))).toBeLessThan(SLACK);
    expect(Math.abs(Math.log(ratio('peakItems')))).toBeLessThan(SLACK);
    const late = (slow.durationMs + (slow.drainedMs ?? Number.NaN)) / (fast.durationMs + (fast.drainedMs ?? Number.NaN));
    expect(Math.abs(Math.log(late))).toBeLessThan(SLACK);
  });
});
