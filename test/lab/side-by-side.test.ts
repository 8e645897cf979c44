import { describe, expect, test } from 'vitest';
import { type PlannedRun, planRuns } from '../../src/lab/plan.ts';
import type { StrategyResult } from '../../src/lab/result.ts';
import { runStrategy } from '../../src/lab/run.ts';
import { runSideBySide, threadsFor } from '../../src/lab/side-by-side.ts';

const plan = (strategies: readonly string[]): readonly PlannedRun[] =>
  planRuns({ loads: ['storms', 'outage'], strategies, storages: ['memory'], rounds: 2, seed: 5, quick: true, consumers: 7 });
/** What was seen by the clock of the run; CPU, memory and how long it took are those of a machine. */
const shown = ({ cpuSeconds, peakMemoryMiB, tookMs, ...rest }: StrategyResult): object => rest;
const signal = new AbortController().signal;

describe('runs side by side', () => {
  test('show the same as one after the other, to the last figure, and in the same order', async () => {
    const runs = plan(['parallel', 'folding']);
    const begun: PlannedRun[] = [];
    const said: number[] = [];
    const onBegin = (run: PlannedRun): ((progress: { readonly changes: number }) => void) => {
      begun.push(run);
      return ({ changes }) => said.push(changes);
    };
    const results = await runSideBySide(runs, { threads: 3, signal, onBegin });
    const alone = [];
    for (const run of runs) alone.push(await runStrategy(run));
    expect(results.map(shown)).toEqual(alone.map(shown));
    expect(begun).toEqual(runs);
    expect(said.length).toBeGreaterThanOrEqual(runs.length);
    for (const { cpuSeconds, peakMemoryMiB } of results) expect([cpuSeconds > 0, peakMemoryMiB > 0]).toEqual([true, true]);
  });

  test('that are ended early finish what they have in hand, and begin nothing more', async () => {
    const ending = new AbortController();
    const runs = plan(['serial', 'folding']);
    let begun = 0;
    const onBegin = (): (() => void) => {
      if (++begun === 3) ending.abort();
      return () => {};
    };
    const results = await runSideBySide(runs, { threads: 2, signal: ending.signal, onBegin });
    expect(begun).toBe(3);
    expect(results.map(({ load, strategy, seed }) => `${load} ${strategy} ${seed}`)).toEqual(
      runs.slice(0, 3).map(({ load, strategy }) => `${load.name} ${strategy} ${load.seed}`),
    );
  });

  test('say which run failed, and why', async () => {
    const [run] = plan(['folding']);
    const bad = { ...run, consumers: 0 } as PlannedRun;
    await expect(runSideBySide([bad], { threads: 1, signal, onBegin: () => () => {} })).rejects.toThrow(
      /^The run of folding under storms with seed 5 failed: /,
    );
  });

  test('are worth threads only where there are cores and enough of them', () => {
    expect([threadsFor(300, 2), threadsFor(300, 64), threadsFor(300, 1), threadsFor(5, 8), threadsFor(6, 8), threadsFor(0, 8)]).toEqual([2, 4, 0, 0, 2, 0]);
  });
});
