import type { Row } from '../summary.ts';

/** Seconds with as many digits as mean something; `–` for what there is none of. */
export function seconds(ms: number | null): string {
  if (ms === null) return '–';
  const value = ms / 1000;
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(value >= 10 ? 1 : 2);
}

/** When storage was exact after the burst, or why that is not known. */
export function exact(row: Pick<Row, 'exactMs' | 'unfinished' | 'watchedMs'>): string {
  if (row.exactMs !== null) return seconds(row.exactMs);
  return row.unfinished > 0 ? `> ${seconds(row.watchedMs)}` : 'never';
}

/** What stands in the column of correctness. A run that was given up is neither right nor wrong. */
export function verdict(row: Pick<Row, 'wrongRows' | 'unfinished' | 'rounds' | 'leftItems'>): string {
  if (row.wrongRows > 0) return `${whole(row.wrongRows)} wrong`;
  return row.unfinished === row.rounds ? `${whole(row.leftItems)} left` : '0';
}

export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

export function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}

/** A figure of a contestant: its title and its cell together, so that neither can be under the other's neighbour. */
export interface Column {
  readonly title: string;
  readonly of: (row: Row) => string;
  /** Also where there is little room. */
  readonly isBrief: boolean;
}

const column = (title: string, of: Column['of'], isBrief = true): Column => ({ title, of, isBrief });

/** All but the name of the strategy and its correctness. */
export const COLUMNS: readonly Column[] = [
  column('writers', ({ consumers }) => String(consumers)),
  column('rows a write', ({ batch }) => String(batch), false),
  column('offered/s', ({ offeredPerSecond }) => whole(offeredPerSecond)),
  column('changes', ({ changes }) => whole(changes), false),
  column('writes', ({ writes }) => whole(writes)),
  column('per change', ({ writesPerChange }) => writesPerChange.toFixed(2)),
  column('writes/s', ({ writesPerSecond }) => whole(writesPerSecond)),
  column('exact s', exact),
  column('p50 s', ({ p50Ms }) => seconds(p50Ms)),
  column('p99 s', ({ p99Ms }) => seconds(p99Ms)),
  column('behind at end', ({ backlogAtEnd }) => whole(backlogAtEnd), false),
  column('peak items', ({ peakItems }) => whole(peakItems)),
  column('peak MiB', ({ peakBytes }) => mebibytes(peakBytes)),
  column('CPU s', ({ cpuSeconds }) => cpuSeconds.toFixed(2)),
  column('memory MiB', ({ peakMemoryMiB }) => peakMemoryMiB.toFixed(0)),
  column('failed', ({ failed }) => whole(failed), false),
  column('discarded', ({ discarded }) => whole(discarded)),
];
