import type { Clock } from '../../kit/clock.ts';

const TICK_MS = 5;
const LONG_MS = 20;

/** Measures how late a timer of 5 ms fires: the time for which nothing else could run, by our doing or because the machine gave the core away. */
export class LoopWatch {
  /** Milliseconds of the longest block since begin(). */
  longestMs = 0;
  /** Blocks of more than 20 ms. */
  long = 0;
  readonly #clock: Clock;
  #dueMs = 0;
  #cancel: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  begin(): void {
    this.longestMs = 0;
    this.long = 0;
    this.#arm();
  }

  end(): void {
    this.#cancel();
  }

  #arm(): void {
    this.#dueMs = this.#clock.now() + TICK_MS;
    this.#cancel = this.#clock.after(TICK_MS, () => {
      const lateMs = this.#clock.now() - this.#dueMs;
      if (lateMs > LONG_MS) this.long++;
      this.longestMs = Math.max(this.longestMs, lateMs);
      this.#arm();
    });
  }
}
