import { UsageError } from '../model/errors.ts';
import type { Load } from './load/load.ts';
import { LOAD_NAMES, loadOf } from './load/loads.ts';
import { PUBLISHED } from './published.ts';
import type { TargetName } from './result.ts';
import { LATENCY_MS } from './run.ts';
import { STRATEGY_NAMES, type StrategyName } from './strategy/strategies.ts';

export const STORAGE_NAMES: readonly TargetName[] = ['memory', 'http', 'sqlite'];

/** What somebody wants compared. */
export interface Choice {
  /** Undefined for all: then storages that take real time get a part of them, see REAL_LOADS. */
  readonly loads?: readonly string[] | undefined;
  readonly strategies?: readonly string[] | undefined;
  readonly storages?: readonly string[] | undefined;
  /** Every contestant runs so often under every load, each time with the next seed, the same one for all. */
  readonly rounds: number;
  readonly seed: number;
  /** Of a write; undefined for the latency of the published tables. */
  readonly latencyMs?: number | undefined;
  readonly consumers?: number | undefined;
  /** Everything small and short: it shows that all of it works, and its figures say little. */
  readonly quick: boolean;
}

/** One run to come. */
export interface PlannedRun {
  readonly strategy: StrategyName;
  readonly load: Load;
  readonly target: TargetName;
  readonly clock: 'virtual' | 'real';
  /** From 0. */
  readonly round: number;
  readonly latencyMs: number;
  readonly consumers: number | undefined;
  /** After its burst a run in real time is given up so late, with what is left. Undefined: only when it will never end. */
  readonly limitMs: number | undefined;
}

/**
 * Loads for storages that take real time, when none was named: those whose point shows within a second. The others (an outage of 10 s, writes of 5 s, a
 * first list of 10,000 objects, Kubemark, the ladder, the calm of `steady`) take minutes each there, and seconds on the virtual clock.
 */
export const REAL_LOADS = ['hot-object', 'hot-set', 'storms', 'skewed', 'noise'] as const;
const QUICK_LOADS = ['ladder-117', 'ladder-352', 'hot-object', 'storms'] as const;
const QUICK_REAL_LOADS = ['hot-object', 'storms'] as const;
/** So large that it is run once: it takes as long as all others together, and its figures are those of the next smaller one. */
const ONCE = 'kubemark-150k';

/** Bursts in real time: at 87 ms every queue that falls behind shows it within a second. */
const REAL_MS = 1_000;
const REAL_LIMIT_MS = 1_200;
const QUICK_MS = 500;
const QUICK_VIRTUAL_MS = 2_000;

/** The runs of a choice, in the order in which they are carried out: contestants take turns, and begin in another order in each round. */
export function planRuns(choice: Choice): readonly PlannedRun[] {
  const strategies = chosen('--strategy', choice.strategies, STRATEGY_NAMES) as readonly StrategyName[];
  const storages = chosen('--storage', choice.storages, STORAGE_NAMES) as readonly TargetName[];
  const runs: PlannedRun[] = [];
  for (let round = 0; round < choice.rounds; round++) {
    for (const target of storages) {
      for (const name of loadsFor(target, choice)) {
        if (name === ONCE && round > 0) continue;
        const load = loadFor(name, target, choice, choice.seed + round);
        const latencyMs = choice.latencyMs ?? latencyOf(name);
        const isReal = target !== 'memory';
        // What a load's trouble does shows only when it has passed.
        const limitMs = isReal && load.troubles.length === 0 ? REAL_LIMIT_MS : undefined;
        for (const strategy of rotated(strategies, round))
          runs.push({ strategy, load, target, clock: isReal ? 'real' : 'virtual', round, latencyMs, consumers: choice.consumers, limitMs });
      }
    }
  }
  return runs;
}

function loadsFor(target: TargetName, { loads, quick }: Choice): readonly string[] {
  if (loads !== undefined) return [...new Set(loads)];
  if (quick) return target === 'memory' ? QUICK_LOADS : QUICK_REAL_LOADS;
  return target === 'memory' ? LOAD_NAMES : REAL_LOADS;
}

function loadFor(name: string, target: TargetName, { quick }: Choice, seed: number): Load {
  const whole = loadOf(name, { seed });
  const longestMs = target === 'memory' ? (quick ? QUICK_VIRTUAL_MS : whole.durationMs) : quick ? QUICK_MS : REAL_MS;
  // A load with trouble in it is that trouble: cut short it would be another load.
  return whole.troubles.length > 0 || longestMs >= whole.durationMs ? whole : loadOf(name, { seed, durationMs: longestMs });
}

/** The rungs of the ladder have the latency that was published with them. */
function latencyOf(load: string): number {
  const [, rate] = /^ladder-(\d+)$/.exec(load) ?? [];
  return PUBLISHED.find(({ offeredPerSecond }) => offeredPerSecond === Number(rate))?.latencyMs ?? LATENCY_MS;
}

function chosen(option: string, given: readonly string[] | undefined, all: readonly string[]): readonly string[] {
  for (const name of given ?? []) if (!all.includes(name)) throw new UsageError(`${option} must be one of ${all.join(', ')}, found "${name}"`);
  return given === undefined ? all : [...new Set(given)];
}

function rotated<T>(items: readonly T[], by: number): readonly T[] {
  const at = by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}
