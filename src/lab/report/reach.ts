import { outOfReach } from '../findings.ts';
import type { Reach } from '../reach.ts';
import { seconds } from './figures.ts';

/** How far anybody could get, load by load: titles, and cells under them. */
export const REACH_HEADS = ['load', 'partitions s', 'folding s', 'times sooner', 'a perfect folder s', 'times', 'nobody before s', 'times at most'] as const;

export function reachCells({ load, isAtLeast, partitionedMs, foldingMs, times, foldedMs, foldedTimes, leastMs, mostTimes }: Reach): readonly string[] {
  const least = isAtLeast ? '> ' : '';
  const factor = (value: number): string => `${least}${value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(1)}`;
  return [
    ...[load, `${least}${seconds(partitionedMs)}`, seconds(foldingMs), factor(times), seconds(foldedMs), factor(foldedTimes)],
    ...[seconds(leastMs), factor(mostTimes)],
  ];
}

export const REACH_SAYS =
  'A perfect folder costs nothing, lets nobody wait while a writer is free, takes who waits longest first and writes its newest state; kinds that have queues of their own may end a little sooner. Before the last time nobody ends who has as many writers and one row a write, not even who knows the future: every object is written once, after its last change.';

/** On which loads the bar of times sooner cannot be met by anybody, and why; null when there is none. */
export function reachText(reach: readonly Reach[]): string | null {
  const never = outOfReach(reach);
  const [first] = never;
  if (first === undefined) return null;
  const { writers, writeMs } = first;
  const list = never.map(({ load, mostTimes, leastMs }) => `${load} (${mostTimes.toFixed(1)} times, for it takes ${seconds(leastMs)} s)`).join(', ');
  return `With ${writers} writers against ${writers}, 5 times sooner is impossible for anybody on ${list}: most of what changes there changes once, and each object costs one write, 1/${Math.round((writers * 1000) / writeMs)} s of all writers, whoever writes it.`;
}
