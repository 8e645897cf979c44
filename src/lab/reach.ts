import { median } from '../bench/report.ts';
import { type Floor, floorOf } from './floor.ts';
import type { PlannedRun } from './plan.ts';
import { CONSUMERS } from './strategy/strategies.ts';
import type { Row } from './summary.ts';

/** How much sooner folding drains than as many partitions, beside how much sooner anybody could, under one load. Times in milliseconds after the burst. */
export interface Reach extends Floor {
  readonly load: string;
  /** Of either. */
  readonly writers: number;
  /** One write, on average. */
  readonly writeMs: number;
  readonly partitionedMs: number;
  /** Partitions were never right: `partitionedMs` is the least that they would have taken, and so are all times. */
  readonly isAtLeast: boolean;
  /** Whether partitions ended the burst with more than they can have in hand. */
  readonly isBehind: boolean;
  readonly foldingMs: number;
  /** How many times sooner than partitions: folding, a perfect folder, and who ends soonest of all. */
  readonly times: number;
  readonly foldedTimes: number;
  readonly mostTimes: number;
}

/** A run that was never behind ends when its last write is done; a drain that rounds to nothing is one write. */
const SHORTEST_MS = 1;

/** When all was right, after the burst; of a run that was given up the least that it would have taken. */
export function endOf({ exactMs, watchedMs }: Pick<Row, 'exactMs' | 'watchedMs'>): number {
  return Math.max(SHORTEST_MS, exactMs ?? watchedMs);
}

/** More waits at the end of the burst than its partitions can have in hand. */
export function isBehind({ backlogAtEnd, consumers }: Pick<Row, 'backlogAtEnd' | 'consumers'>): boolean {
  return backlogAtEnd > consumers;
}

/** Of every load under which both ran on the virtual clock. What arithmetic says is the median over the seeds, as what was seen is. */
export function reachOf(rows: readonly Row[], plan: readonly PlannedRun[]): readonly Reach[] {
  return rows.flatMap((folding) => {
    const { load, latencyMs } = folding;
    if (folding.strategy !== 'folding' || folding.clock !== 'virtual' || latencyMs === null) return [];
    const partitioned = rows.find((row) => row.strategy === 'partitioned' && row.clock === 'virtual' && row.load === load);
    if (partitioned === undefined) return [];
    const planned = plan.filter((run) => run.strategy === 'folding' && run.clock === 'virtual' && run.load.name === load);
    const floors = planned.map((run) => floorOf(run.load, { writers: run.consumers ?? CONSUMERS, latencyMs }));
    return [
      reached({ partitioned, folding, floor: { leastMs: median(floors.map((one) => one.leastMs)), foldedMs: median(floors.map((one) => one.foldedMs)) } }),
    ];
  });
}

function reached({ partitioned, folding, floor }: { readonly partitioned: Row; readonly folding: Row; readonly floor: Floor }): Reach {
  const partitionedMs = endOf(partitioned);
  const times = (ms: number): number => partitionedMs / Math.max(SHORTEST_MS, ms);
  return {
    ...{ load: folding.load, writers: folding.consumers, writeMs: folding.latencyMs ?? 0, ...floor },
    partitionedMs,
    isAtLeast: partitioned.exactMs === null,
    isBehind: isBehind(partitioned),
    foldingMs: endOf(folding),
    times: times(endOf(folding)),
    foldedTimes: times(floor.foldedMs),
    mostTimes: times(floor.leastMs),
  };
}
