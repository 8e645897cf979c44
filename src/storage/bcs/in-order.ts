/** Runs what concerns one key one after the other, in the order in which it was handed in; different keys at once. */
export class InOrder {
  readonly #last = new Map<string, Promise<unknown>>();

  get size(): number {
    return this.#last.size;
  }

  isBusy(key: string): boolean {
    return this.#last.has(key);
  }

  run<T>(key: string, job: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const mine = before === undefined ? job() : before.then(job, job);
    this.#last.set(key, mine);
    const end = (): void => {
      if (this.#last.get(key) === mine) this.#last.delete(key);
    };
    mine.then(end, end);
    return mine;
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#last.size > 0) await Promise.allSettled([...this.#last.values()]);
  }
}
