import { describe, expect, test } from 'vitest';
import { LOAD_NAMES } from '../../src/lab/load/loads.ts';
import { type Choice, type PlannedRun, planRuns, REAL_LOADS } from '../../src/lab/plan.ts';
import { STRATEGY_NAMES } from '../../src/lab/strategy/strategies.ts';

const plan = (over: Partial<Choice> = {}): readonly PlannedRun[] => planRuns({ rounds: 2, seed: 7, quick: false, ...over });
const named = ({ load, target, strategy, round }: PlannedRun): string => `${round} ${target} ${load.name} ${strategy}`;

describe('the runs of a comparison', () => {
  test('are every strategy under every load in memory, and under the short loads on storages that take their own time', () => {
    const runs = plan({ rounds: 1 });
    expect(new Set(runs.map(named)).size).toBe(runs.length);
    expect(runs.length).toBe(STRATEGY_NAMES.length * (LOAD_NAMES.length + 2 * REAL_LOADS.length));
    for (const { target, clock } of runs) expect(clock).toBe(target === 'memory' ? 'virtual' : 'real');
  });

  test('give all contestants of a round the same seed, and each round the next', () => {
    for (const { round, load } of plan()) expect(load.seed).toBe(7 + round);
  });

  test('alternate: the contestants of one load follow each other, and another one begins in the next round', () => {
    const runs = plan({ loads: ['hot-object'], strategies: ['serial', 'folding', 'parallel'], storages: ['memory'] });
    expect(runs.map(({ strategy }) => strategy)).toEqual(['serial', 'folding', 'parallel', 'folding', 'parallel', 'serial']);
  });

  test('leave the largest cluster out of later rounds', () => {
    const largest = plan({ loads: ['kubemark-150k', 'kubemark-100'], strategies: ['folding'], storages: ['memory'] });
    expect(largest.map(({ load, round }) => `${load.name} ${round}`)).toEqual(['kubemark-150k 0', 'kubemark-100 0', 'kubemark-100 1']);
  });

  test('cut bursts in real time to a second and are given up soon after, except those of loads with trouble in them', () => {
    const real = plan({ loads: ['hot-set', 'outage'], strategies: ['serial'], storages: ['http'], rounds: 1 });
    expect(real.map(({ load, limitMs }) => [load.name, load.durationMs, limitMs])).toEqual([
      ['hot-set', 1_000, 1_200],
      ['outage', 20_000, undefined],
    ]);
    const [virtual] = plan({ loads: ['hot-set'], strategies: ['serial'], storages: ['memory'], rounds: 1 });
    expect([virtual?.load.durationMs, virtual?.limitMs]).toEqual([10_000, undefined]);
  });

  test('have the published latency on the rungs of the ladder, unless another is asked for', () => {
    const latency = (load: string, over: Partial<Choice> = {}): number | undefined => plan({ loads: [load], storages: ['memory'], ...over })[0]?.latencyMs;
    expect([latency('ladder-117'), latency('ladder-352'), latency('ladder-400'), latency('steady')]).toEqual([90, 87, 87, 87]);
    expect(latency('ladder-117', { latencyMs: 5 })).toBe(5);
  });

  test('are few and short when they are to be quick', () => {
    const runs = plan({ quick: true, rounds: 1 });
    expect(runs.length).toBeLessThan(60);
    expect(Math.max(...runs.map(({ load }) => load.durationMs))).toBeLessThanOrEqual(2_000);
  });

  test('of names that there are not are refused with those that there are', () => {
    expect(() => plan({ loads: ['hot-objekt'] })).toThrow('There is no load "hot-objekt". They are: ladder-RATE, steady, hot-object');
    expect(() => plan({ strategies: ['fold'] })).toThrow('--strategy must be one of serial, parallel');
    expect(() => plan({ storages: ['postgres'] })).toThrow('--storage must be one of memory, http, sqlite, found "postgres"');
  });
});
