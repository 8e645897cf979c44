/** What happened, as a digest that two runs of one seed must share, and as lines when somebody wants to read them. */
export class Trace {
  readonly #now: () => number;
  readonly #codes = new Map<string, number>();
  #digest = 0x811c9dc5;
  readonly lines: string[] | null;

  constructor(options: { readonly now: () => number; readonly isRecording: boolean }) {
    this.#now = options.now;
    this.lines = options.isRecording ? [] : null;
  }

  get digest(): string {
    return (this.#digest >>> 0).toString(16).padStart(8, '0');
  }

  /** `a` and `b` go into the digest; `detail` is for readers only. */
  note(what: string, a: number, b: number, detail?: () => string): void {
    let code = this.#codes.get(what);
    if (code === undefined) {
      code = this.#codes.size + 1;
      this.#codes.set(what, code);
      for (let index = 0; index < what.length; index++) this.#mix(what.charCodeAt(index));
    }
    this.#mix(code);
    this.#mix(a);
    this.#mix(b);
    this.#mix(this.#now() * 16);
    this.tell(what, detail ?? (() => `${a} ${b}`));
  }

  /** For readers only. */
  tell(what: string, detail: () => string): void {
    if (this.lines === null) return;
    const seconds = (this.#now() / 1000).toFixed(3);
    this.lines.push(`${seconds.padStart(9)} ${what} ${detail()}`);
  }

  #mix(value: number): void {
    this.#digest = Math.imul(this.#digest ^ (value | 0), 0x01000193);
    this.#digest ^= this.#digest >>> 15;
  }
}
