import type { ByteSource } from '../model/body.ts';

const OPEN_BRACE = 0x7b;
const NOTHING = Buffer.alloc(0);

/**
 * One object of a buffer, less some stretches and with something inserted after its opening brace. Reused; valid while the
 * buffer is unchanged.
 */
export class KeptJson implements ByteSource {
  #bytes: Buffer = NOTHING;
  #open = 0;
  #end = 0;
  #insert: Buffer = NOTHING;
  #size = 0;
  /** Begin and end of each stretch to leave out, ascending; the first `#cutCount` numbers count. */
  readonly #cuts: number[] = [0, 0];
  #cutCount = 0;

  get size(): number {
    return this.#size;
  }

  /** The object begins with the brace at `open`; nothing of it is cut yet. */
  begin(bytes: Buffer, open: number): void {
    this.#bytes = bytes;
    this.#open = open;
    this.#cutCount = 0;
  }

  /** Leaves out a stretch behind all earlier ones. */
  cut(from: number, to: number): void {
    this.#cuts[this.#cutCount++] = from;
    this.#cuts[this.#cutCount++] = to;
  }

  finish(end: number, insert: Buffer): void {
    this.#end = end;
    this.#insert = insert;
    let size = end - this.#open + insert.length;
    for (let k = 0; k < this.#cutCount; k += 2) size -= (this.#cuts[k + 1] as number) - (this.#cuts[k] as number);
    this.#size = size;
  }

  copyTo(target: Uint8Array, at: number): void {
    const bytes = this.#bytes;
    let to = at;
    let from = this.#open;
    const insert = this.#insert;
    if (insert.length > 0) {
      target[to++] = OPEN_BRACE;
      from++;
      target.set(insert, to);
      to += insert.length;
    }
    for (let k = 0; k < this.#cutCount; k += 2) {
      to += bytes.copy(target, to, from, this.#cuts[k]);
      from = this.#cuts[k + 1] as number;
    }
    bytes.copy(target, to, from, this.#end);
  }

  release(): void {
    this.#bytes = NOTHING;
    this.#open = 0;
    this.#cutCount = 0;
    this.finish(0, NOTHING);
  }
}
