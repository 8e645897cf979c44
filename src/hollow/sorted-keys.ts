/** Above this a chunk is split: insertion moves at most so many entries, counting looks at one number a chunk. */
const CHUNK_MAX = 1024;

/** A set of strings kept in order (by UTF-16 code unit, which for Kubernetes names is byte order), with ranks. */
export class SortedKeys {
  /** Never empty inside, in order; no chunk longer than CHUNK_MAX. */
  #chunks: string[][] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The key must not be in the set. */
  insert(key: string): void {
    this.#size += 1;
    if (this.#chunks.length === 0) {
      this.#chunks.push([key]);
      return;
    }
    const index = Math.max(this.#chunkOf(key), 0);
    const chunk = this.#chunks[index] ?? [];
    chunk.splice(lowerBound(chunk, key), 0, key);
    if (chunk.length > CHUNK_MAX) {
      // Appending in order, as seeding does, fills chunks instead of halving them.
      const isAppend = index === this.#chunks.length - 1 && chunk.at(-1) === key;
      const cut = isAppend ? chunk.length - 1 : chunk.length >> 1;
      this.#chunks.splice(index + 1, 0, chunk.splice(cut));
    }
  }

  delete(key: string): void {
    const index = this.#chunkOf(key);
    const chunk = this.#chunks[index];
    if (chunk === undefined) return;
    const at = lowerBound(chunk, key);
    if (chunk[at] !== key) return;
    chunk.splice(at, 1);
    this.#size -= 1;
    if (chunk.length === 0) this.#chunks.splice(index, 1);
  }

  /** How many keys are smaller. */
  rank(key: string): number {
    const index = this.#chunkOf(key);
    if (index < 0) return 0;
    let count = 0;
    for (let at = 0; at < index; at += 1) count += this.#chunks[at]?.length ?? 0;
    return count + lowerBound(this.#chunks[index] ?? [], key);
  }

  /** Keys from `start` on, in order. The set must not change meanwhile. */
  *from(start: string): Generator<string> {
    let index = Math.max(this.#chunkOf(start), 0);
    let at = lowerBound(this.#chunks[index] ?? [], start);
    for (; index < this.#chunks.length; index += 1, at = 0) {
      const chunk = this.#chunks[index] ?? [];
      for (; at < chunk.length; at += 1) yield chunk[at] as string;
    }
  }

  /** The last chunk whose first key is not larger; -1 when all are. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#chunks[middle]?.[0] ?? '') <= key) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
