import type { Clock } from '../../kit/clock.ts';

const TICK_MS = 5;
const LONG_MS = 20;

/**
 * Measures how late a timer of 5 ms fires: the time for which nothing else could run, by our doing or because the machine gave the core away.
 * The CPU time of this thread in the same span says which it was.
 */
export class LoopWatch {
  /** Milliseconds of the longest block since begin(). */
  longestMs = 0;
  /** Milliseconds of CPU in the span in which this thread used most of it. */
  longestOwnMs = 0;
  /** Blocks of more than 20 ms. */
  long = 0;
  readonly #clock: Clock;
  #dueMs = 0;
  #cpuMs = 0;
  #cancel: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  begin(): void {
    this.longestMs = 0;
    this.longestOwnMs = 0;
    this.long = 0;
    this.#arm();
  }

  end(): void {
    this.#cancel();
  }

  #arm(): void {
    this.#cpuMs = threadCpuMs();
    this.#dueMs = this.#clock.now() + TICK_MS;
    this.#cancel = this.#clock.after(TICK_MS, () => {
      const lateMs = this.#clock.now() - this.#dueMs;
      if (lateMs > LONG_MS) this.long++;
      this.longestMs = Math.max(this.longestMs, lateMs);
      this.longestOwnMs = Math.max(this.longestOwnMs, threadCpuMs() - this.#cpuMs);
      this.#arm();
    });
  }
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
