/** One line at the bottom of a terminal that is redrawn in place; other lines are written above it. */
export class LiveLine {
  readonly #write: (text: string) => void;
  readonly #columns: () => number;
  #shown = '';

  constructor(write: (text: string) => void, columns: () => number) {
    this.#write = write;
    this.#columns = columns;
  }

  show(text: string): void {
    const width = Math.max(20, this.#columns() - 1);
    const line = text.length > width ? `${text.slice(0, width - 1)}…` : text;
    if (line === this.#shown) return;
    this.#shown = line;
    this.#write(`\r\u001b[2K${line}`);
  }

  /** Writes whole lines above. */
  above(text: string): void {
    if (this.#shown === '') return this.#write(text);
    this.#write(`\r\u001b[2K${text}${this.#shown}`);
  }

  end(): void {
    if (this.#shown !== '') this.#write('\n');
    this.#shown = '';
  }
}
