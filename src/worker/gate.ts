import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import type { Random } from '../kit/random.ts';
import type { StorageStatus } from '../model/status.ts';
import { type BatchResult, Breaker } from './breaker.ts';

/** Whoever was woken and did not come in had its keys taken by a neighbour: then it is the next one's turn, after so long. */
const RECHECK_MS = 50;

/** One who lines up at the gate: the workers of one kind. */
export interface Line {
  /** Whether it would write if it were let in now. One that would not is sent off to wait for keys. */
  hasWork(): boolean;
  /** Whether it is to be woken when storage fails once more, because it will not wait for another try. */
  isImpatient(): boolean;
}

type Waiter = { readonly line: Line; readonly wake: () => void };

/**
 * The door of storage, one for all kinds: the breaker with a clock and those who wait. Workers ask here before they look at an object,
 * so that during an outage keys stay queued, fold, and nobody holds a body.
 */
export class StorageGate {
  readonly #breaker: Breaker;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** In order of arrival. Whoever is here was refused, or has handed its keys back. */
  readonly #waiting = new Set<Waiter>();
  /** Since the first of the failed batches that nothing was settled after: Unix ms and monotonic. Null while storage takes writes. */
  #since: { readonly wall: number; readonly now: number } | null = null;
  /** Since it opened out of the closed state, monotonic; null once it is closed again. For the log, which has a line for each of both. */
  #openedAt: number | null = null;
  #error: string | null = null;
  #armedAt: number | null = null;
  #disarm = (): void => {};

  constructor(options: { readonly clock: Clock; readonly random: Random; readonly log: Logger }) {
    this.#breaker = new Breaker(options.random);
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Whether storage is held to be away: one probe at a time is all that it gets. */
  get isOpen(): boolean {
    return this.#breaker.state === 'open' || this.#breaker.state === 'probing';
  }

  /** How often it has opened. */
  get openings(): number {
    return this.#breaker.round;
  }

  /** As the breaker's. */
  rows(limit: number): number {
    return this.#breaker.rows(limit);
  }

  /** As the breaker's: to be called with keys in hand, and before anything is taken from the cache. */
  enter(): number {
    return this.#breaker.enter(this.#clock.now());
  }

  /** As the breaker's. `error` is what storage said when it failed. */
  leave(admission: number, result: BatchResult, error: string, isMore: boolean): void {
    // As long as storage works, this is all.
    if (result === 'settled' && this.#since === null && this.#openedAt === null) return;
    const now = this.#clock.now();
    const before = this.#breaker.round;
    this.#breaker.leave(admission, result, now, isMore || this.#hasWaitingWork());
    if (admission === before && result === 'settled') {
      this.#since = null;
      this.#error = null;
    } else if (admission === before && (result === 'failed' || result === 'failed again')) {
      this.#since ??= { wall: this.#clock.wall(), now };
      this.#error = error;
    }
    if (this.#breaker.round !== before) this.#opened(now);
    else if (this.#breaker.state === 'closed' && this.#openedAt !== null) this.#closed(now);
    this.#wake();
  }

  /** Waits until it is worth asking again. Asking may be refused all the same. */
  turn(line: Line): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.add({ line, wake: resolve });
      this.#wake();
    });
  }

  /** Wakes all of a line, for it is over. */
  dismiss(line: Line): void {
    this.#wakeAll((waiter) => waiter.line === line);
    this.#arm();
  }

  status(): StorageStatus {
    const since = this.#since;
    return {
      open: this.isOpen,
      since: since?.wall ?? null,
      failingMs: since === null ? 0 : this.#clock.now() - since.now,
      error: this.#error,
    };
  }

  #opened(now: number): void {
    const retryMs = Math.round((this.#breaker.probeAt ?? now) - now);
    if (this.#openedAt === null) {
      this.#log.error('storage takes no writes: changes are folded in memory, and one small batch at a time is tried until it does', {
        error: this.#error ?? '',
        retryMs,
      });
      this.#openedAt = now;
    } else {
      this.#log.debug('storage still takes no writes', { error: this.#error ?? '', retryMs });
    }
    this.#wakeAll((waiter) => waiter.line.isImpatient());
  }

  #closed(now: number): void {
    this.#log.info('storage takes writes again', { afterMs: Math.round(now - (this.#openedAt ?? now)) });
    this.#openedAt = null;
  }

  #hasWaitingWork(): boolean {
    for (const { line } of this.#waiting) if (line.hasWork()) return true;
    return false;
  }

  /** Wakes as many as would be let in; those on the way who have nothing to write take up no place. */
  #wake(): void {
    let free = this.#waiting.size === 0 ? 0 : this.#breaker.free(this.#clock.now());
    for (const waiter of this.#waiting) {
      if (free <= 0) break;
      this.#waiting.delete(waiter);
      if (waiter.line.hasWork()) free--;
      waiter.wake();
    }
    this.#arm();
  }

  #wakeAll(isMeant: (waiter: Waiter) => boolean): void {
    for (const waiter of this.#waiting) {
      if (!isMeant(waiter)) continue;
      this.#waiting.delete(waiter);
      waiter.wake();
    }
  }

  /** One timer, for when the next of those who wait may come in. In a ramp that is when a batch ends. */
  #arm(): void {
    const now = this.#clock.now();
    const nextAt = this.#breaker.free(now) > 0 ? now + RECHECK_MS : this.#breaker.probeAt;
    const dueAt = this.#waiting.size === 0 ? null : nextAt;
    if (dueAt === this.#armedAt || (dueAt !== null && this.#armedAt !== null && this.#armedAt < dueAt && this.#armedAt >= now)) return;
    this.#disarm();
    this.#disarm = () => {};
    this.#armedAt = dueAt;
    if (dueAt === null) return;
    this.#disarm = this.#clock.after(Math.ceil(dueAt - now), () => {
      this.#armedAt = null;
      this.#wake();
    });
  }
}
