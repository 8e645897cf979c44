/** What one object, line or member may have at most, unless told otherwise. etcd refuses objects over 1.5 MB; escapes and a raised limit fit as well. */
export const LONGEST_BYTES = 16 * 2 ** 20;

const SMALLEST_BUFFER = 16 * 2 ** 10;
/** A buffer that one huge object made larger than this is let go as soon as it is empty: there is a reader for every kind. */
const LARGEST_KEPT_BUFFER = 256 * 2 ** 10;

/**
 * The bytes of an unfinished object between two chunks: chunks are the socket's own memory and valid only during the call. One
 * buffer that doubles, so that taking in n bytes piece by piece costs O(n).
 */
export class Tail {
  #bytes: Buffer = Buffer.alloc(0);
  #length = 0;

  /** The first `length` bytes count. Append may replace it. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  get length(): number {
    return this.#length;
  }

  append(source: Buffer, from: number, to: number): void {
    const length = this.#length + to - from;
    if (length > this.#bytes.length) {
      let size = Math.max(this.#bytes.length, SMALLEST_BUFFER);
      while (size < length) size *= 2;
      const larger = Buffer.allocUnsafeSlow(size);
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    source.copy(this.#bytes, this.#length, from, to);
    this.#length = length;
  }

  /** Forgets the first `count` bytes. */
  drop(count: number): void {
    if (count === 0) return;
    this.#bytes.copyWithin(0, count, this.#length);
    this.#length -= count;
    if (this.#length === 0 && this.#bytes.length > LARGEST_KEPT_BUFFER) this.#bytes = Buffer.alloc(0);
  }
}
