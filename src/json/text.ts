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

/** Names to look for among the keys of an object. They must be ASCII, and not more than a handful: each key is compared with each. */
export class Words {
  readonly #texts: readonly string[];
  readonly #bytes: readonly Buffer[];

  constructor(...texts: readonly string[]) {
    this.#texts = texts;
    this.#bytes = texts.map((text) => Buffer.from(text));
  }

  /** Which of the words the walked JSON string between `from` and `to` (quotes included) spells, or -1. Escapes count as what they stand for. */
  indexOf(bytes: Buffer, from: number, to: number): number {
    const length = to - from - 2;
    const words = this.#bytes;
    for (let which = 0; which < words.length; which++) {
      const word = words[which] as Buffer;
      if (word.length !== length) continue;
      let k = 0;
      while (k < length && bytes[from + 1 + k] === word[k]) k++;
      if (k === length) return which;
    }
    for (let i = from; i < to; i++) if (bytes[i] === BACKSLASH) return this.#texts.indexOf(decodeString(bytes, from, to));
    return -1;
  }
}
