/** Batches that were handed to storage and may still wait for their budget: those can be wanted back. What has begun is not touched by it. */
export class Withdrawals {
  /** One for each: a signal that many wait for at once would be walked through by each of them. */
  readonly #batches = new Map<AbortController, 'puts' | 'mixed'>();

  /** Runs `write` with the signal that wants the batch back. */
  async during<T>(what: 'puts' | 'mixed', write: (withdrawn: AbortSignal) => Promise<T>): Promise<T> {
    const batch = new AbortController();
    this.#batches.set(batch, what);
    try {
      return await write(batch.signal);
    } finally {
      this.#batches.delete(batch);
    }
  }

  withdraw(which: 'puts' | 'all'): void {
    for (const [batch, what] of this.#batches) if (which === 'all' || what === 'puts') batch.abort();
  }
}
