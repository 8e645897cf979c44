import { partitionOf } from '../queue/strategies/partition.ts';
import type { Load } from './load/load.ts';

/**
 * How long after its burst a load is in lines of snapshots, by arithmetic alone: each line writes one after the other, `latencyMs` each, from the first change
 * of it on, and the longest line ends last. One line is the serial design. In milliseconds; 0 when the lines keep up.
 */
export function impliedDrainMs(load: Load, lines: number, latencyMs: number): number {
  const freeAt = new Float64Array(lines);
  for (const { key, atMs } of load.changes()) {
    const line = partitionOf(key, lines);
    freeAt[line] = Math.max(freeAt[line] ?? 0, atMs) + latencyMs;
  }
  return Math.max(0, Math.max(...freeAt) - load.durationMs);
}

/** What the fullest of N lines gets of a load, as a multiple of its even share: why N lines are not N times as fast. */
export function fullestShare(load: Load, lines: number): number {
  const counts = new Uint32Array(lines);
  let changes = 0;
  for (const { key } of load.changes()) {
    const line = partitionOf(key, lines);
    counts[line] = (counts[line] ?? 0) + 1;
    changes++;
  }
  return changes === 0 ? 1 : (Math.max(...counts) * lines) / changes;
}
