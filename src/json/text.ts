const BACKSLASH = 0x5c;

/** A view of the same bytes as a Buffer: socket chunks already are Buffers; anything else costs one small object. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What the walk reads. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * The text of a walked JSON string, from its opening quote at `from` to just after the closing one at `to`. Pure ASCII without escapes,
 * which API names are, takes the quick way (50 ns for a uid).
 */
export function decodeString(bytes: Buffer, from: number, to: number): string {
  for (let i = from; i < to; i++) {
    const c = bytes[i] as number;
    if (c === BACKSLASH || c >= 0x80) return JSON.parse(bytes.toString('utf8', from, to)) as string;
  }
  return bytes.toString('latin1', from + 1, to - 1);
}

type Word = { readonly which: number; readonly bytes: Buffer };

/** Names to look for among the keys of an object. They must be ASCII. */
export class Words {
  readonly #texts: readonly string[];
  /** Most keys have the length of no word at all, and hardly two words have the same. */
  readonly #byLength: readonly (readonly Word[])[];

  constructor(...texts: readonly string[]) {
    this.#texts = texts;
    const words = texts.map((text, which) => ({ which, bytes: Buffer.from(text) }));
    const longest = Math.max(...texts.map((text) => text.length));
    this.#byLength = Array.from({ length: longest + 1 }, (_, length) => words.filter(({ bytes }) => bytes.length === length));
  }

  /** Which of the words the walked JSON string between `from` and `to` (quotes included) spells, or -1. Escapes count as what they stand for. */
  indexOf(bytes: Buffer, from: number, to: number): number {
    const length = to - from - 2;
    const words = this.#byLength;
    if (length < words.length) {
      const same = words[length] as readonly Word[];
      for (let which = 0; which < same.length; which++) {
        const word = same[which] as Word;
        let k = 0;
        while (k < length && bytes[from + 1 + k] === word.bytes[k]) k++;
        if (k === length) return word.which;
      }
    }
    for (let i = from; i < to; i++) if (bytes[i] === BACKSLASH) return this.#texts.indexOf(decodeString(bytes, from, to));
    return -1;
  }
}
