import { LADDER } from './load/traffic.ts';

/** One row of the published load tables of the partitioned design (design.md section 9). */
export interface PublishedRun {
  readonly design: 'serial' | 'partitioned';
  readonly offeredPerSecond: number;
  readonly latencyMs: number;
  readonly writesPerSecond: number;
  readonly drainSeconds: number;
}

const SERIAL = { writes: [9, 21, 29, 30, 33, 35], drain: [128, 360, 540, 720, 1_080, 1_380] };
const PARTITIONED = { writes: [118, 127, 173, 219, 225, 216, 164], drain: [20, 30, 34, 45, 45, 28, 40] };

export const PUBLISHED: readonly PublishedRun[] = [
  ...LADDER.serial.map((offeredPerSecond, row) => ({
    design: 'serial' as const,
    offeredPerSecond,
    latencyMs: 90,
    writesPerSecond: SERIAL.writes[row] ?? Number.NaN,
    drainSeconds: SERIAL.drain[row] ?? Number.NaN,
  })),
  ...LADDER.partitioned.map((offeredPerSecond, row) => ({
    design: 'partitioned' as const,
    offeredPerSecond,
    latencyMs: 87,
    writesPerSecond: PARTITIONED.writes[row] ?? Number.NaN,
    drainSeconds: PARTITIONED.drain[row] ?? Number.NaN,
  })),
];
