import { type Clock, sleepOn } from '../../src/kit/clock.ts';

interface Timer {
  readonly dueMs: number;
  /** Timers due at the same time run in the order they were set. */
  readonly order: number;
  readonly run: () => void;
}

/** A clock that stands still until a test moves it. Timers run inside advance(), in order, each at its own time. */
export class ManualClock implements Clock {
  #nowMs: number;
  #wallOffsetMs: number;
  #orders = 0;
  readonly #timers = new Set<Timer>();

  constructor(options: { readonly nowMs?: number; readonly wallMs?: number } = {}) {
    this.#nowMs = options.nowMs ?? 0;
    this.#wallOffsetMs = (options.wallMs ?? Date.UTC(2026, 0, 1)) - this.#nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  wall(): number {
    return this.#nowMs + this.#wallOffsetMs;
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.size;
  }

  /** How long until the next timer runs; null when none waits. */
  get nextInMs(): number | null {
    const next = this.#next();
    return next === null ? null : next.dueMs - this.#nowMs;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { dueMs: this.#nowMs + Math.max(ms, 0), order: this.#orders++, run };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  /** Moves time on and runs what falls due, also timers set by timers. Promises settle later: await settled() before looking. */
  advance(ms: number): void {
    const end = this.#nowMs + ms;
    for (let next = this.#next(); next !== null && next.dueMs <= end; next = this.#next()) {
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      this.#timers.delete(next);
      next.run();
    }
    this.#nowMs = end;
  }

  /** As advance, but lets promises settle before every timer and at the end, so that loops of `await clock.sleep(…)` go on turning. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.#nowMs + ms;
    await settled();
    for (let next = this.#next(); next !== null && next.dueMs <= end; next = this.#next()) {
      this.advance(Math.max(next.dueMs - this.#nowMs, 0));
      await settled();
    }
    this.#nowMs = end;
  }

  /** The wall clock jumps (an administrator, NTP); monotonic time does not. */
  jumpWall(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  #next(): Timer | null {
    let first: Timer | null = null;
    for (const timer of this.#timers) {
      if (first === null || timer.dueMs < first.dueMs || (timer.dueMs === first.dueMs && timer.order < first.order)) first = timer;
    }
    return first;
  }
}

/** Lets every promise that can settle without time or IO settle. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
