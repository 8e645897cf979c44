interface Waiter {
  start(): void;
}

/**
 * Bounds how many of something run at once. First come, first served; waiting can be aborted; the bound changes live
 * (a smaller one lets the running ones finish). Used instead of bottleneck's maxConcurrent: 0.2 µs a job against 250 µs.
 */
export class Semaphore {
  #capacity: number;
  #inUse = 0;
  /** In order of arrival; whoever is here holds nothing. Empty while #inUse < #capacity. */
  readonly #waiting = new Set<Waiter>();

  constructor(capacity: number) {
    this.#capacity = checked(capacity);
  }

  get inUse(): number {
    return this.#inUse;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Resolves with the function that gives the place back; calling it twice does no harm. Rejects with the signal's reason. */
  acquire(signal?: AbortSignal): Promise<() => void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#inUse < this.#capacity) return Promise.resolve(this.#take());
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.delete(waiter);
        reject(signal?.reason);
      };
      const waiter: Waiter = {
        start: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve(this.#take());
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(waiter);
    });
  }

  /** Runs `job` while holding a place, and gives it back however the job ends. */
  async run<T>(job: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const release = await this.acquire(signal);
    try {
      return await job();
    } finally {
      release();
    }
  }

  /** A larger bound starts waiters at once; 0 holds everybody until the next resize. */
  resize(capacity: number): void {
    this.#capacity = checked(capacity);
    this.#startWaiters();
  }

  #take(): () => void {
    this.#inUse++;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#inUse--;
      this.#startWaiters();
    };
  }

  #startWaiters(): void {
    for (const waiter of this.#waiting) {
      if (this.#inUse >= this.#capacity) return;
      this.#waiting.delete(waiter);
      waiter.start();
    }
  }
}

function checked(capacity: number): number {
  if (Number.isInteger(capacity) && capacity >= 0) return capacity;
  throw new RangeError(`Cannot size a semaphore: the capacity must be an integer >= 0, current value is ${capacity}`);
}
