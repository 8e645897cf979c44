import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { Clock } from './clock.ts';

type IntervalHistogram = ReturnType<typeof monitorEventLoopDelay>;

/** Ten looks a second cost nothing that can be measured; what blocks for less does not harm anybody here. */
const RESOLUTION_MS = 100;
const WINDOW_MS = 60_000;

/**
 * How long the event loop was held up at the worst, in the last one to two minutes: whoever asks every minute misses nothing, and a second one who
 * asks takes nothing away from the first. Begins to look when it is asked for the first time; up to RESOLUTION_MS too short, never too long.
 */
export class EventLoopDelay {
  readonly #clock: Pick<Clock, 'now'>;
  #current: IntervalHistogram | null = null;
  #since = 0;
  /** Of the window before, in milliseconds. */
  #before = 0;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** Seconds. */
  worst(): number {
    const now = this.#clock.now();
    const worst = Math.max(this.#before, delayOf(this.#current));
    if (this.#current === null || now - this.#since >= WINDOW_MS) {
      // A reset histogram forgets when it looked last, and so a block that goes on just then; a new one beside it costs no more.
      this.#before = delayOf(this.#current);
      this.#current?.disable();
      this.#current = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
      this.#current.enable();
      this.#since = now;
    }
    return worst / 1000;
  }

  close(): void {
    this.#current?.disable();
    this.#current = null;
  }
}

/** Seconds in which the event loop of this thread had something to do, since the start. */
export function busySeconds(): number {
  return performance.eventLoopUtilization().active / 1000;
}

/** When the process began, in seconds of Unix time. */
export function startedAt(): number {
  return performance.timeOrigin / 1000;
}

/** What the longest step took beyond the time that lies between two looks anyway, in milliseconds. */
function delayOf(histogram: IntervalHistogram | null): number {
  return histogram === null || histogram.count === 0 ? 0 : Math.max(0, histogram.max / 1e6 - RESOLUTION_MS);
}
