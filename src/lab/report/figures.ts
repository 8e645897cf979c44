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
