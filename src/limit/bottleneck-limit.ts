import Bottleneck from 'bottleneck';
import type { RateLimit } from './limit.ts';

interface Waiter {
  readonly permits: number;
  readonly grant: () => void;
}

/**
 * Bottleneck refills once per heartbeat of 250 ms, whatever smaller interval is asked. An interval of exactly 250 loses
 * a beat whenever the timer is a millisecond early (measured: 32 to 50 starts a second where 52 were asked), so half of it is asked.
 */
const BEATS_PER_SECOND = 4;
const REFILL_INTERVAL_MS = 125;
/** Leased ahead, so that a lease costs at most 100 jobs a second and most callers wait for none. */
const AHEAD_SECONDS = 0.01;

/**
 * The rate budget on bottleneck. One bottleneck job costs 0.2 ms of CPU and 2.3 ms of waiting, so a job is a *lease*:
 * its weight is what all present callers ask together and what the next 10 ms may, at most one beat's share, and the permits are handed out here.
 * Up to one second's budget, and those 10 ms, may be spent at once after a quiet time. Live callers are always served before background ones.
 */
export class BottleneckLimit implements RateLimit {
  #perSecond: number | null = null;
  /** null while there is no limit. */
  #limiter: Bottleneck | null = null;
  readonly #live = new Set<Waiter>();
  readonly #background = new Set<Waiter>();
  /** Leased from bottleneck and not yet handed out. */
  #permits = 0;
  #isLeasing = false;

  constructor(perSecond: number | null) {
    this.update(perSecond);
  }

  acquire(permits: number, priority: 'live' | 'background', signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#limiter === null || permits <= 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const line = priority === 'live' ? this.#live : this.#background;
      const onAbort = (): void => {
        line.delete(waiter);
        reject(signal.reason);
        this.#pump();
      };
      const waiter: Waiter = {
        permits,
        grant: () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      line.add(waiter);
      this.#pump();
    });
  }

  /** 0 pauses (a reservoir of 0; bottleneck's maxConcurrent 0 would reject instead). Waiters stay in line. */
  update(perSecond: number | null): void {
    if (perSecond !== null && !(Number.isFinite(perSecond) && perSecond >= 0)) {
      throw new RangeError(`Cannot set the rate limit: permits a second must be a number >= 0 or null, current value is ${perSecond}`);
    }
    if (perSecond === this.#perSecond) return;
    this.#perSecond = perSecond;
    const before = this.#limiter;
    this.#limiter = perSecond === null ? null : newLimiter(perSecond);
    this.#isLeasing = false;
    this.#permits = 0;
    // A lease that still waits in the old limiter would wait for ever once its heartbeat is gone; it is answered to nobody.
    void before?.disconnect();
    if (this.#limiter === null) this.#grantAll();
    this.#pump();
  }

  #pump(): void {
    let asked = this.#serve(this.#live);
    if (asked === 0) asked = this.#serve(this.#background);
    else for (const waiter of this.#background) asked += waiter.permits;
    if (asked > this.#permits) this.#lease(asked - this.#permits);
  }

  /** Hands permits out in order; returns what those left in this line still ask for. */
  #serve(line: Set<Waiter>): number {
    let asked = 0;
    for (const waiter of line) {
      if (asked === 0 && waiter.permits <= this.#permits) {
        this.#permits -= waiter.permits;
        line.delete(waiter);
        waiter.grant();
      } else {
        asked += waiter.permits;
      }
    }
    return asked;
  }

  #lease(asked: number): void {
    const limiter = this.#limiter;
    if (limiter === null || this.#isLeasing || this.#perSecond === null) return;
    this.#isLeasing = true;
    const ahead = Math.floor(this.#perSecond * AHEAD_SECONDS);
    const weight = Math.max(1, Math.min(asked + ahead, Math.floor(this.#perSecond / BEATS_PER_SECOND)));
    const settle = (got: number): void => {
      if (this.#limiter !== limiter) return;
      this.#isLeasing = false;
      this.#permits += got;
      this.#pump();
    };
    // Never rejects: the job does nothing, and no limiter is stopped while it may still be answered.
    void limiter.schedule({ weight }, () => Promise.resolve()).then(() => settle(weight));
  }

  #grantAll(): void {
    for (const line of [this.#live, this.#background]) {
      for (const waiter of line) waiter.grant();
      line.clear();
    }
  }
}

function newLimiter(perSecond: number): Bottleneck {
  const burst = perSecond === 0 ? 0 : Math.max(1, perSecond);
  return new Bottleneck({
    reservoir: burst,
    reservoirIncreaseInterval: REFILL_INTERVAL_MS,
    reservoirIncreaseAmount: perSecond / BEATS_PER_SECOND,
    reservoirIncreaseMaximum: burst,
  });
}
