import type { BackoffCurve } from '../kit/backoff.ts';
import type { Clock } from '../kit/clock.ts';
import type { Random } from '../kit/random.ts';
import type { QueuedKey } from '../model/control.ts';
import type { ObjectKey } from '../model/key.ts';
import { Chain, type Link } from './chain.ts';
import { Dedup } from './dedup.ts';
import { Delays } from './delays.ts';
import { BackoffLimiter, DEFAULT_BACKOFF } from './limiter.ts';
import { ReadyOrder } from './priority.ts';
import { PriorityLabels, type QueueInstruments, QueueRecorder, type QueueSnapshot } from './queue-metrics.ts';
import { LIVE, type Priority, type WorkQueue } from './queue.ts';
import { NO_SLOT, type Ticket } from './ticket.ts';

export interface WorkQueueOptions {
  /** The kind, as metrics and errors name it. */
  readonly name: string;
  readonly clock: Clock;
  /** For the jitter of retries. */
  readonly random: Random;
  /** Without them no time is read or kept for a plain add, take and done. */
  readonly metrics?: QueueInstruments | undefined;
  /** Of rate-limited keys; what is absent is taken from DEFAULT_BACKOFF. */
  readonly backoff?: Partial<BackoffCurve> | undefined;
}

/** A work queue whose state can be asked for. */
export interface ObservedQueue extends WorkQueue {
  /** The gauges, now. */
  snapshot(): QueueSnapshot;
  /** Keys in any state: queued, held or waiting. */
  readonly size: number;
  /** The first `max` of them, the oldest first: for a person who looks for what is stuck. */
  contents(max: number): readonly QueuedKey[];
  /** Whether the key is neither queued nor held nor waiting: nobody will do anything with it unless somebody asks. */
  isIdle(key: ObjectKey): boolean;
}

/** Throws RangeError for a backoff that makes no sense. */
export function createWorkQueue(options: WorkQueueOptions): ObservedQueue {
  const backoff = { ...DEFAULT_BACKOFF, ...options.backoff };
  const check = (field: keyof BackoffCurve, isValid: boolean, rule: string): void => {
    if (!isValid)
      throw new RangeError(`Cannot create the work queue of ${options.name}: "backoff.${field}" must be ${rule}, current value is ${backoff[field]}`);
  };
  check('baseMs', Number.isFinite(backoff.baseMs) && backoff.baseMs > 0, 'a number > 0');
  check('capMs', Number.isFinite(backoff.capMs) && backoff.capMs >= backoff.baseMs, `a number >= "backoff.baseMs" (${backoff.baseMs})`);
  check('jitter', Number.isFinite(backoff.jitter) && backoff.jitter >= 0, 'a number >= 0');
  return new KeyQueue(options, backoff);
}

/**
 * The longest timer that is set while keys wait; then it is set again. So a timer that is lost or comes early costs at
 * most this, and none ever reaches the 2^31 ms at which Node fires at once (DQ-S7).
 */
const LONGEST_TIMER_MS = 10_000;

/** A taker that found nothing. */
class Waiter implements Link<Waiter> {
  readonly max: number;
  readonly resolve: (keys: readonly ObjectKey[]) => void;
  next: Waiter | null = null;
  prev: Waiter | null = null;

  constructor(max: number, resolve: (keys: readonly ObjectKey[]) => void) {
    this.max = max;
    this.resolve = resolve;
  }
}

/** Time and promises around the cores: what is asked goes through them, what is ready goes to whoever waits. SPEC.md has the table. */
class KeyQueue implements ObservedQueue {
  readonly name: string;
  readonly #clock: Clock;
  readonly #dedup = new Dedup();
  /** The tickets that are dirty and not busy, all of them. */
  readonly #ready = new ReadyOrder();
  /** Tickets that are not dirty; busy ones too. Empty once #phase is not 'open'. */
  readonly #delays = new Delays();
  readonly #limiter: BackoffLimiter;
  readonly #recorder: QueueRecorder | null;
  readonly #labels = new PriorityLabels();
  /** Takers that found nothing, longest waiting first. While #ready has keys too, #isServing: they meet when the burst is over. */
  readonly #waiters = new Chain<Waiter>();
  #isServing = false;
  #phase: 'open' | 'draining' | 'down' = 'open';
  #drained: PromiseWithResolvers<void> | null = null;
  /** When the armed timer fires; Infinity when none is. Less than 1 ms after the earliest deadline, or before it. */
  #armedAt = Number.POSITIVE_INFINITY;
  #disarm: (() => void) | null = null;

  constructor({ name, clock, random, metrics }: WorkQueueOptions, backoff: BackoffCurve) {
    this.name = name;
    this.#clock = clock;
    this.#limiter = new BackoffLimiter(backoff, random);
    this.#recorder = metrics === undefined ? null : new QueueRecorder(metrics);
  }

  get length(): number {
    return this.#ready.size;
  }

  get held(): number {
    return this.#dedup.busy;
  }

  get waiting(): number {
    return this.#delays.size;
  }

  get size(): number {
    return this.#dedup.size;
  }

  isIdle(key: ObjectKey): boolean {
    return this.#dedup.find(key) === undefined;
  }

  add(key: ObjectKey, priority: Priority = LIVE): void {
    if (this.#phase !== 'open') return;
    this.#checkPriority(key, priority);
    this.#makeDirty(this.#dedup.ticketOf(key), priority);
  }

  addAfter(key: ObjectKey, delayMs: number, priority?: Priority): void {
    if (this.#phase !== 'open') return;
    if (!Number.isFinite(delayMs))
      throw new RangeError(`Cannot add ${key} to the queue of ${this.name}: "delayMs" must be a finite number, current value is ${delayMs}`);
    if (priority !== undefined) this.#checkPriority(key, priority);
    const ticket = this.#dedup.ticketOf(key);
    const wanted = priority ?? (ticket.busy ? ticket.takenPriority : LIVE);
    if (delayMs > 0) this.#recorder?.retried();
    if (delayMs <= 0 || ticket.dirty) {
      this.#makeDirty(ticket, wanted);
      return;
    }
    ticket.priority = ticket.slot === NO_SLOT ? wanted : Math.max(ticket.priority, wanted);
    const now = this.#clock.now();
    this.#delays.put(ticket, now + delayMs);
    this.#arm(now);
  }

  addRateLimited(key: ObjectKey, priority?: Priority): number {
    const delayMs = this.#limiter.delayFor(key);
    this.addAfter(key, delayMs, priority);
    return delayMs;
  }

  forget(key: ObjectKey): void {
    this.#limiter.forget(key);
  }

  requeues(key: ObjectKey): number {
    return this.#limiter.failures(key);
  }

  take(max: number): Promise<readonly ObjectKey[]> {
    if (!(max >= 1)) return Promise.reject(new RangeError(`Cannot take from the queue of ${this.name}: "max" must be >= 1, current value is ${max}`));
    if (this.#waiters.first === null) {
      if (this.#ready.size > 0) return Promise.resolve(this.#handOut(max));
      if (this.#isOver()) return Promise.resolve([]);
    }
    return new Promise((resolve) => this.#waiters.push(new Waiter(max, resolve)));
  }

  done(key: ObjectKey): void {
    const ticket = this.#dedup.findHeld(key);
    if (ticket === undefined) {
      throw new Error(`Cannot end holding ${key} in the queue of ${this.name}: nobody holds it; call done() once for every key that take() returned`);
    }
    this.#recorder?.done(ticket, this.#clock.now());
    if (this.#dedup.release(ticket)) this.#lineUp(ticket);
    else if (ticket.slot === NO_SLOT) this.#dedup.drop(ticket);
    if (this.#phase !== 'open') this.#endIfOver();
  }

  shutDown(): void {
    this.#close('down');
    this.#drained?.resolve();
    this.#endIfOver();
  }

  drain(): Promise<void> {
    if (this.#phase === 'down') return Promise.resolve();
    this.#drained ??= Promise.withResolvers();
    this.#close('draining');
    this.#endIfOver();
    return this.#drained.promise;
  }

  snapshot(): QueueSnapshot {
    const ages = this.#recorder?.ages(this.#dedup.held(), this.#clock.now());
    return {
      depth: this.#dedup.dirty,
      readyByPriority: this.#labels.count(this.#ready.sizes()),
      unfinishedSeconds: ages?.unfinishedSeconds ?? 0,
      longestSeconds: ages?.longestSeconds ?? 0,
    };
  }

  contents(max: number): readonly QueuedKey[] {
    const now = this.#clock.now();
    return this.#dedup
      .all()
      .take(max)
      .map((ticket): QueuedKey => {
        const { key, busy, dirty, priority, takenPriority } = ticket;
        const state = busy ? (dirty ? 'held, changed' : 'held') : dirty ? 'queued' : 'waiting';
        const forMs = busy ? now - ticket.takenAt : dirty ? now - ticket.dirtyAt : null;
        return { key, state, priority: busy ? takenPriority : priority, failures: this.#limiter.failures(key), forMs };
      })
      .toArray();
  }

  /** One more processing, as soon as possible. Merges with what is pending: highest priority, now (PQ-S3, DQ-S4). */
  #makeDirty(ticket: Ticket, priority: Priority): void {
    if (ticket.dirty) {
      if (priority > ticket.priority) this.#raise(ticket, priority);
      return;
    }
    if (ticket.slot === NO_SLOT) {
      ticket.priority = priority;
    } else {
      ticket.priority = Math.max(ticket.priority, priority);
      this.#delays.remove(ticket);
    }
    this.#recorder?.dirtied(ticket, this.#clock.now());
    if (this.#dedup.mark(ticket)) this.#lineUp(ticket);
  }

  /** A held key keeps its new priority for its next turn (PQ-S6); a queued one goes to the end of the new level (PQ-S3). */
  #raise(ticket: Ticket, priority: Priority): void {
    if (!ticket.busy) this.#ready.remove(ticket);
    ticket.priority = priority;
    if (!ticket.busy) this.#ready.push(ticket);
  }

  #lineUp(ticket: Ticket): void {
    this.#ready.push(ticket);
    if (this.#waiters.first === null || this.#isServing) return;
    this.#isServing = true;
    queueMicrotask(() => this.#serve());
  }

  /** The burst that woke it is over: whole batches for those who waited longest. */
  #serve(): void {
    this.#isServing = false;
    while (this.#ready.size > 0) {
      const waiter = this.#waiters.shift();
      if (waiter === null) break;
      waiter.resolve(this.#handOut(waiter.max));
    }
    this.#endIfOver();
  }

  #handOut(max: number): ObjectKey[] {
    const now = this.#recorder === null ? 0 : this.#clock.now();
    const keys: ObjectKey[] = [];
    while (keys.length < max) {
      const ticket = this.#ready.shift();
      if (ticket === null) break;
      this.#dedup.hold(ticket);
      ticket.takenPriority = ticket.priority;
      this.#recorder?.taken(ticket, now);
      keys.push(ticket.key);
    }
    return keys;
  }

  /** Sets the one timer to the earliest deadline. Rounded up: Node cuts fractions off, and a timer that comes early comes twice. */
  #arm(now: number): void {
    const next = this.#delays.nextAt;
    if (next > this.#armedAt - 1) return;
    this.#disarm?.();
    const ms = Math.min(Math.ceil(Math.max(next - now, 0)), LONGEST_TIMER_MS);
    this.#armedAt = now + ms;
    this.#disarm = this.#clock.after(ms, () => this.#wake());
  }

  #wake(): void {
    this.#armedAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    for (let ticket = this.#delays.takeDue(now); ticket !== null; ticket = this.#delays.takeDue(now)) this.#makeDirty(ticket, ticket.priority);
    if (this.#delays.size > 0) this.#arm(now);
  }

  /** No adds from now on; what waits for a deadline is abandoned (DQ-S6). */
  #close(phase: 'draining' | 'down'): void {
    this.#phase = phase;
    this.#disarm?.();
    for (const ticket of this.#delays.takeAll()) if (!ticket.busy) this.#dedup.drop(ticket);
  }

  /** Whether no taker will ever get a key again. While draining, a held key may still come back (WQ-S10). */
  #isOver(): boolean {
    if (this.#phase === 'open' || this.#ready.size > 0) return false;
    return this.#phase === 'down' || this.#dedup.busy === 0;
  }

  #endIfOver(): void {
    if (!this.#isOver()) return;
    for (let waiter = this.#waiters.shift(); waiter !== null; waiter = this.#waiters.shift()) waiter.resolve([]);
    this.#drained?.resolve();
  }

  #checkPriority(key: ObjectKey, priority: Priority): void {
    if (!Number.isSafeInteger(priority))
      throw new RangeError(`Cannot add ${key} to the queue of ${this.name}: "priority" must be an integer, current value is ${priority}`);
  }
}
