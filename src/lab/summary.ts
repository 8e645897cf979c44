import { median } from '../bench/report.ts';
import type { Sample, StrategyResult } from './result.ts';

/** One strategy under one load on one storage, over all of its rounds. Times are milliseconds; each figure is the median of the rounds unless it says otherwise. */
export interface Row {
  readonly target: StrategyResult['target'];
  readonly load: string;
  readonly strategy: string;
  readonly clock: StrategyResult['clock'];
  readonly consumers: number;
  readonly batch: number;
  readonly latencyMs: number | null;
  readonly rounds: number;
  readonly seeds: readonly number[];
  readonly durationMs: number;
  readonly changes: number;
  readonly offeredPerSecond: number;
  readonly writes: number;
  readonly writesPerChange: number;
  readonly writesPerSecond: number;
  /** From the end of the burst; null when most rounds never got there. */
  readonly exactMs: number | null;
  readonly drainedMs: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
  /** What waited or was under way when the burst ended. */
  readonly backlogAtEnd: number;
  readonly peakItems: number;
  readonly peakBytes: number;
  readonly cpuSeconds: number;
  readonly peakMemoryMiB: number;
  /** Rounds that were given up before they had drained, and what was left in them at most. What such a round holds says nothing about its correctness. */
  readonly unfinished: number;
  readonly leftItems: number;
  /** How long after its burst the run was looked at. */
  readonly watchedMs: number;
  /** Sums over the rounds. */
  readonly failed: number;
  readonly refused: number;
  readonly discarded: number;
  readonly orderViolations: number;
  /** Sums over the rounds that drained. */
  readonly wrongRows: number;
  readonly wrong: StrategyResult['wrong'];
  /** Seeds of the rounds that ended with wrong rows. */
  readonly wrongSeeds: readonly number[];
}

/** The rounds of each contestant in one row, in the order in which the contestants first appear. */
export function summarize(results: readonly StrategyResult[]): readonly Row[] {
  const groups = Map.groupBy(results, ({ target, load, strategy }) => `${target} ${load} ${strategy}`);
  return [...groups.values()].map(rowOf);
}

function rowOf(rounds: readonly StrategyResult[]): Row {
  const [first] = rounds as readonly [StrategyResult, ...StrategyResult[]];
  const { target, load, strategy, clock, consumers, batch, latencyMs } = first;
  const middle = (of: (result: StrategyResult) => number): number => median(rounds.map(of));
  const middleOrNull = (of: (result: StrategyResult) => number | null): number | null => {
    const value = median(rounds.map((result) => of(result) ?? Number.POSITIVE_INFINITY));
    return Number.isFinite(value) ? value : null;
  };
  const sum = (of: (result: StrategyResult) => number, among: readonly StrategyResult[] = rounds): number => among.reduce((all, one) => all + of(one), 0);
  const drained = rounds.filter(({ drainedMs }) => drainedMs !== null);
  return {
    ...{ target, load, strategy, clock, consumers, batch, latencyMs },
    rounds: rounds.length,
    seeds: rounds.map(({ seed }) => seed),
    durationMs: middle(({ durationMs }) => durationMs),
    changes: middle(({ changes }) => changes),
    offeredPerSecond: middle(({ offeredPerSecond }) => offeredPerSecond),
    writes: middle(({ writes }) => writes),
    writesPerChange: middle(({ writesPerChange }) => writesPerChange),
    writesPerSecond: middle(({ writesPerSecond }) => writesPerSecond),
    exactMs: middleOrNull(({ exactMs }) => exactMs),
    drainedMs: middleOrNull(({ drainedMs }) => drainedMs),
    p50Ms: middleOrNull(({ p50Ms }) => p50Ms),
    p99Ms: middleOrNull(({ p99Ms }) => p99Ms),
    maxMs: middleOrNull(({ maxMs }) => maxMs),
    backlogAtEnd: middle(backlogAtEnd),
    peakItems: middle(({ peakItems }) => peakItems),
    peakBytes: middle(({ peakBytes }) => peakBytes),
    cpuSeconds: middle(({ cpuSeconds }) => cpuSeconds),
    peakMemoryMiB: middle(({ peakMemoryMiB }) => peakMemoryMiB),
    unfinished: rounds.length - drained.length,
    leftItems: Math.max(0, ...rounds.filter(({ drainedMs }) => drainedMs === null).map(({ samples }) => samples.at(-1)?.items ?? 0)),
    watchedMs: middle(({ samples, durationMs }) => Math.max(0, (samples.at(-1)?.atMs ?? 0) - durationMs)),
    failed: sum(({ failed }) => failed),
    refused: sum(({ refused }) => refused),
    discarded: sum(({ discarded }) => discarded),
    orderViolations: sum(({ orderViolations }) => orderViolations),
    wrongRows: sum(({ wrongRows }) => wrongRows, drained),
    wrong: {
      missing: sum(({ wrong }) => wrong.missing, drained),
      stale: sum(({ wrong }) => wrong.stale, drained),
      surplus: sum(({ wrong }) => wrong.surplus, drained),
    },
    wrongSeeds: drained.filter(({ wrongRows }) => wrongRows > 0).map(({ seed }) => seed),
  };
}

/** The last look before the burst was over, so that what is written right after it does not hide what had piled up. */
function backlogAtEnd({ samples, durationMs }: Pick<StrategyResult, 'samples' | 'durationMs'>): number {
  return samples.findLast(({ atMs }) => atMs <= durationMs)?.items ?? 0;
}

/** At most `count` samples: of equal shares of the logarithm of time the highest backlog each, because drains differ by factors of a thousand. The last stays. */
export function thinned(samples: readonly Sample[], count: number): readonly Sample[] {
  const last = samples.at(-1);
  if (samples.length <= count || last === undefined) return samples;
  const share = (atMs: number): number => Math.floor((Math.log(Math.max(1, atMs)) / Math.log(Math.max(2, last.atMs + 1))) * (count - 1));
  const highest = new Map<number, Sample>();
  for (const sample of samples) {
    const slot = share(sample.atMs);
    const known = highest.get(slot);
    if (known === undefined || sample.items > known.items) highest.set(slot, sample);
  }
  const kept = [...highest.values()];
  return kept.at(-1) === last ? kept : [...kept, last];
}
