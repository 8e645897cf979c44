import { ageOf } from './age.ts';
import type { Tree } from './tree.ts';
import { valueAt } from './tree.ts';

/** One column of a table. */
export interface Column {
  /** In capitals, as it is printed. */
  readonly title: string;
  /** Shown with `-o wide` only. */
  readonly isWide: boolean;
  /** The text of a cell, `''` for none. `isWide` tells whether it may be long. */
  readonly cell: (object: Tree, context: { readonly nowMs: number; readonly isWide: boolean }) => string;
}

export function column(title: string, cell: Column['cell']): Column {
  return { title, isWide: false, cell };
}

export function wideColumn(title: string, cell: Column['cell']): Column {
  return { title, isWide: true, cell };
}

export const NAME: Column = column('NAME', (object) => String(valueAt(object, 'metadata.name') ?? ''));
export const AGE: Column = column('AGE', (object, { nowMs }) => ageOf(valueAt(object, 'metadata.creationTimestamp'), nowMs));

/** As kubectl's own tab writer: three blanks between columns, none narrower than six. */
const GAP = 3;
const NARROWEST = 6;
/** Rows that are kept back to find the widths; the ones behind them are written at once, and a longer cell then only shifts its own row. */
const MEASURED_ROWS = 500;

/**
 * Lays rows out in columns, in bounded memory. The widths are those of the titles and of the first 500 rows. Text that could steer a terminal
 * is made visible. Everything pushed is written at the latest by end().
 */
export class TableWriter {
  readonly #write: (text: string) => void;
  readonly #rows: (readonly string[])[] = [];
  #widths: readonly number[] | null = null;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  push(cells: readonly string[]): void {
    const row = cells.map(printable);
    if (this.#widths !== null) this.#write(line(row, this.#widths));
    else if (this.#rows.push(row) > MEASURED_ROWS) this.#flush();
  }

  end(): void {
    if (this.#widths === null) this.#flush();
  }

  #flush(): void {
    const widths: number[] = [];
    for (const row of this.#rows) {
      for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? NARROWEST, widthOf(cell) + GAP);
    }
    this.#widths = widths;
    if (this.#rows.length > 0) this.#write(this.#rows.map((row) => line(row, widths)).join(''));
    this.#rows.length = 0;
  }
}

/** The last cell is not padded. A cell that is wider than its column still keeps the gap. */
function line(row: readonly string[], widths: readonly number[]): string {
  let text = '';
  for (const [index, cell] of row.entries()) {
    text += cell;
    if (index < row.length - 1) text += ' '.repeat(Math.max(GAP, (widths[index] ?? 0) - widthOf(cell)));
  }
  return `${text}\n`;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;
const PLAIN = /^[\u0020-\u007e]*$/;

/** A cell ends at its first line break, as in kubectl; other control characters are shown as `^[`. */
function printable(cell: string): string {
  if (PLAIN.test(cell)) return cell;
  const end = cell.search(/[\n\r\f]/);
  const first = end === -1 ? cell : `${cell.slice(0, end)}...`;
  return first.replace(CONTROL, (char) => (char < ' ' ? `^${String.fromCharCode(char.charCodeAt(0) + 64)}` : '\u{fffd}'));
}

function widthOf(cell: string): number {
  return PLAIN.test(cell) ? cell.length : [...cell].length;
}
