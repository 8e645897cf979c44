const SMALLEST = 1_024;

/** Durations in milliseconds, as many as there are: for quantiles of a whole run. */
export class Latencies {
  #values = new Float64Array(SMALLEST);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(ms: number): void {
    if (this.#count === this.#values.length) {
      const larger = new Float64Array(this.#count * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#count++] = ms;
  }

  /** The value below which each of `shares` of the values lie; null when there are none. */
  quantiles(shares: readonly number[]): readonly (number | null)[] {
    const sorted = this.#values.slice(0, this.#count).sort();
    return shares.map((share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null);
  }
}
