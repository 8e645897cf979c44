/** One measured answer. `bar` is what issue and design ask for; the value is a ratio wherever a peer or a plain limit exists. */
export interface Answer {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly bar?: { readonly atMost: number } | { readonly atLeast: number } | undefined;
}

/** What a benchmark says: its question, the figures of every round, what follows from them. */
export interface Report {
  readonly question: string;
  /** The first row is the heading. */
  readonly table: readonly (readonly string[])[];
  readonly answers: readonly Answer[];
  /** What a reader must know before he trusts the figures. */
  readonly notes: readonly string[];
}

/** The middle of the values; of an even number of them the mean of both middles. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const high = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const low = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return (low + high) / 2;
}

/** The value below which `share` of the values lie. NaN for none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** The median of the ratios of the rounds: neighbours in time share their disturbances, so each round is compared with itself. */
export function medianRatio(ours: readonly number[], theirs: readonly number[]): number {
  return median(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)));
}

/** Null when no bar was set. */
export function isWithin({ value, bar }: Answer): boolean | null {
  if (bar === undefined) return null;
  return 'atMost' in bar ? value <= bar.atMost : value >= bar.atLeast;
}

export function formatReport(report: Report): string {
  const answers = report.answers.map((answer) => {
    const within = isWithin(answer);
    const bar =
      answer.bar === undefined
        ? ''
        : `   asked: ${'atMost' in answer.bar ? `at most ${answer.bar.atMost}` : `at least ${answer.bar.atLeast}`}, ${within === true ? 'met' : 'NOT met'}`;
    return `  ${answer.name}: ${shown(answer.value)}${answer.unit === '' ? '' : ` ${answer.unit}`}${bar}\n`;
  });
  const notes = report.notes.map((note) => `  ${note}\n`);
  return `${report.question}\n\n${formatTable(report.table)}\n${answers.join('')}${notes.length > 0 ? '\n' : ''}${notes.join('')}`;
}

/** Columns side by side, the first to the left and the others to the right. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) => `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ')}\n`)
    .join('');
}

/** Three digits that mean something. */
export function shown(value: number): string {
  if (!Number.isFinite(value)) return 'unknown';
  const size = Math.abs(value);
  if (size >= 1_000) return Math.round(value).toLocaleString('en-US');
  if (size >= 100 || Number.isInteger(value)) return value.toFixed(0);
  return value.toFixed(size >= 10 ? 1 : 2);
}
