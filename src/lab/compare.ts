import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../kit/clock.ts';
import { VERSION } from '../model/version.ts';
import { collectGarbage } from '../kit/heap.ts';
import { type Finding, findingsOf, type PublishedRow, publishedRows } from './findings.ts';
import { GROWTH_OBJECTS, type GrowthPoint, measureGrowth } from './growth.ts';
import { type Machine, thisMachine } from './machine.ts';
import { type Choice, type PlannedRun, planRuns } from './plan.ts';
import { type Reach, reachOf } from './reach.ts';
import type { StrategyResult } from './result.ts';
import { type Progress, runStrategy } from './run.ts';
import { runSideBySide, threadsFor } from './side-by-side.ts';
import { CONSUMERS } from './strategy/strategies.ts';
import { type Row, summarize } from './summary.ts';

/** A comparison as a whole. All of it is JSON. */
export interface Comparison {
  readonly version: string;
  readonly command: string;
  /** Unix milliseconds. */
  readonly startedAt: number;
  readonly tookSeconds: number;
  readonly machine: Machine;
  readonly seeds: readonly number[];
  /** False when somebody ended it early: then it is about the runs that were made. */
  readonly isComplete: boolean;
  readonly loads: readonly { readonly name: string; readonly summary: string; readonly objects: number }[];
  readonly findings: readonly Finding[];
  readonly rows: readonly Row[];
  readonly reach: readonly Reach[];
  readonly published: readonly PublishedRow[];
  readonly growth: readonly GrowthPoint[];
  readonly runs: readonly StrategyResult[];
}

export interface CompareOptions extends Choice {
  /** As it stands in the report. */
  readonly command: string;
  readonly signal: AbortSignal;
  /** That may be used at once by runs on the virtual clock; default all. */
  readonly cores?: number | undefined;
  /** Told often; cheap to ignore. */
  readonly onProgress?: ((text: string) => void) | undefined;
}

/** Sizes of the growth chart when all is to be quick. */
const QUICK_GROWTH = GROWTH_OBJECTS.filter((objects) => objects <= 10_000);

/** Carries out all runs of a choice. Throws UsageError for names that there are not, before anything runs. */
export async function compareStrategies(options: CompareOptions): Promise<Comparison> {
  const { signal, quick, seed, rounds, command, onProgress = (): void => {} } = options;
  const plan = planRuns(options);
  const machine = thisMachine();
  const startedAt = systemClock.wall();
  const began = systemClock.now();
  let begun = 0;
  const onBegin = (planned: PlannedRun): ((progress: Progress) => void) => {
    const run = `${++begun} of ${plan.length}`;
    const say = (more: string): void => onProgress(`${run} · ${Math.round((systemClock.now() - began) / 1000)} s · ${nameOf(planned)}${more}`);
    say('');
    return (progress) => say(` · ${shown(progress)}`);
  };
  const runs = await carryOutAll(plan, { signal, cores: options.cores ?? machine.cores, onBegin });
  const isWhole = options.loads === undefined && options.strategies === undefined;
  const growth = !isWhole || signal.aborted ? [] : await grow(quick, signal, onProgress);
  const rows = summarize(runs);
  const reach = reachOf(rows, plan);
  const seeds = Array.from({ length: rounds }, (_, round) => seed + round);
  const published = publishedRows(rows, seeds, options.consumers ?? CONSUMERS);
  const tookSeconds = (systemClock.now() - began) / 1000;
  const isAll = isWhole && options.storages === undefined && !quick && !signal.aborted;
  const loads = new Map(plan.map(({ load: { name, summary, objects } }) => [name, { name, summary, objects }]));
  return {
    ...{ version: VERSION, command, startedAt, machine },
    tookSeconds,
    seeds,
    isComplete: !signal.aborted,
    loads: [...loads.values()],
    findings: findingsOf({ rows, reach, published, growth, tookSeconds: isAll ? tookSeconds : null }),
    ...{ rows, reach, published, growth, runs },
  };
}

/** Those on the virtual clock come first, side by side where there are cores for it. Those in real time follow one at a time: each has the machine for itself. */
async function carryOutAll(
  plan: readonly PlannedRun[],
  options: { readonly signal: AbortSignal; readonly cores: number; readonly onBegin: (run: PlannedRun) => (progress: Progress) => void },
): Promise<readonly StrategyResult[]> {
  const { signal, cores, onBegin } = options;
  const virtual = plan.filter(({ clock }) => clock === 'virtual');
  const threads = threadsFor(virtual.length, cores);
  const runs = threads === 0 ? [] : [...(await runSideBySide(virtual, { threads, signal, onBegin }))];
  for (const planned of threads === 0 ? plan : plan.filter(({ clock }) => clock === 'real')) {
    if (signal.aborted) break;
    runs.push(await carryOut(planned, onBegin(planned)));
  }
  return runs;
}

async function carryOut(
  { strategy, load, target, clock, latencyMs, consumers, limitMs }: PlannedRun,
  onProgress: (progress: Progress) => void,
): Promise<StrategyResult> {
  const folder = target === 'sqlite' ? await mkdtemp(join(tmpdir(), 'kubefold-laboratory-')) : undefined;
  try {
    collectGarbage();
    return await runStrategy({ strategy, load, target, clock, latencyMs, consumers, limitMs, folder, onProgress });
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }
}

async function grow(quick: boolean, signal: AbortSignal, onProgress: (text: string) => void): Promise<readonly GrowthPoint[]> {
  collectGarbage();
  return await measureGrowth(quick ? QUICK_GROWTH : GROWTH_OBJECTS, (done, all) => {
    onProgress(`cost of one change by the number of objects · ${Math.round((100 * done) / all)} %`);
    return !signal.aborted;
  });
}

function nameOf({ strategy, load, target, round }: PlannedRun): string {
  return `round ${round + 1} · ${load.name} · ${target} · ${strategy}`;
}

function shown({ atMs, changes, writes, backlog }: Progress): string {
  return `${(atMs / 1000).toFixed(0)} s · ${changes} changes · ${writes} writes · ${backlog} behind`;
}
