import type { Clock } from './clock.ts';

/** Times at which a loop wants to be awake. Those that fall due together are one waking. */
export class Alarm {
  readonly #clock: Clock;
  #due: number[] = [];
  #wake: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Asks for a waking in so many milliseconds; also for the next wait when nobody waits just now. */
  set(delayMs: number): void {
    this.#due.push(this.#clock.now() + delayMs);
    this.#wake?.();
  }

  /** Resolves when the next waking is due, after `atMostMs` in any case, or when `signal` aborts. */
  async wait(atMostMs: number, signal: AbortSignal): Promise<void> {
    const clock = this.#clock;
    const last = clock.now() + atMostMs;
    while (!signal.aborted) {
      const now = clock.now();
      const due = Math.min(last, ...this.#due);
      if (due <= now) break;
      const waking = new AbortController();
      this.#wake = () => waking.abort();
      await clock.sleep(due - now, AbortSignal.any([signal, waking.signal]));
      this.#wake = null;
    }
    const now = clock.now();
    this.#due = this.#due.filter((due) => due > now);
  }
}
