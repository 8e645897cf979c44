import { type Clock, sleepOn } from '../kit/clock.ts';
import type { Life } from './life.ts';

interface Timer {
  readonly dueMs: number;
  /** Timers due at the same time run in the order they were set. */
  readonly order: number;
  run: (() => void) | null;
}

/** Unix ms at which every simulation begins. */
const WALL_AT_START = Date.UTC(2026, 0, 1);

/** Time that stands still until advance() moves it: everything in a simulation that takes time takes it from here. */
export class VirtualClock {
  #nowMs = 0;
  #orders = 0;
  /** A binary heap, the earliest first. Cancelled timers stay in it until their time, without anything to run. */
  readonly #heap: Timer[] = [];

  get nowMs(): number {
    return this.#nowMs;
  }

  get wallMs(): number {
    return WALL_AT_START + this.#nowMs;
  }

  after(ms: number, run: () => void): () => void {
    const timer: Timer = { dueMs: this.#nowMs + Math.max(ms, 0), order: this.#orders++, run };
    this.#push(timer);
    return () => {
      timer.run = null;
    };
  }

  /** Moves time on by `ms`, timer by timer; every promise that can settle does so before the next. Ends early when `isOver` says so. */
  async advance(ms: number, isOver: () => boolean): Promise<void> {
    const end = this.#nowMs + ms;
    await settled();
    for (let next = this.#heap[0]; next !== undefined && next.dueMs <= end; next = this.#heap[0]) {
      if (isOver()) return;
      this.#pop();
      if (next.run === null) continue;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.run();
      await settled();
    }
    this.#nowMs = end;
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(timer);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up] as Timer;
      if (!isBefore(timer, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let down = at * 2 + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && isBefore(heap[down + 1] as Timer, heap[down] as Timer)) down++;
      const child = heap[down] as Timer;
      if (!isBefore(child, last)) break;
      heap[at] = child;
      at = down;
    }
    heap[at] = last;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}

/** Lets every promise that can settle without time settle. */
async function settled(): Promise<void> {
  await new Promise<void>((resolve) => void setImmediate(resolve));
}

/** The clock as one process sees it: it dies with the process, and none of its timers runs afterwards. */
export class ProcessClock implements Clock {
  readonly #clock: VirtualClock;
  readonly #life: Life;
  /** Timers that wait. A process that has ended in order leaves none. */
  pending = 0;

  constructor(clock: VirtualClock, life: Life) {
    this.#clock = clock;
    this.#life = life;
  }

  now(): number {
    return this.#clock.nowMs;
  }

  wall(): number {
    return this.#clock.wallMs;
  }

  after(ms: number, run: () => void): () => void {
    let isOpen = true;
    this.pending++;
    const cancel = this.#clock.after(ms, () => {
      this.pending--;
      isOpen = false;
      if (this.#life.step()) run();
    });
    return () => {
      if (isOpen) this.pending--;
      isOpen = false;
      cancel();
    };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }
}
