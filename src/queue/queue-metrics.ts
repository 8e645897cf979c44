import type { Counter, Histogram } from '../kit/metrics.ts';
import type { Priority } from './queue.ts';
import type { Ticket } from './ticket.ts';

/** The names of client-go; every one carries the label `name`, the name of the queue. */
export const QUEUE_METRICS = {
  depth: 'workqueue_depth',
  adds: 'workqueue_adds_total',
  queueDuration: 'workqueue_queue_duration_seconds',
  workDuration: 'workqueue_work_duration_seconds',
  unfinished: 'workqueue_unfinished_work_seconds',
  longest: 'workqueue_longest_running_processor_seconds',
  retries: 'workqueue_retries_total',
} as const;

/** Buckets of both histograms in seconds: 10 ns times powers of ten. */
export const QUEUE_DURATION_BUCKETS: readonly number[] = Array.from({ length: 10 }, (_, power) => 1e-8 * 10 ** power);

/** What a queue records as it happens; the labelled children of one queue, made once by the caller. */
export interface QueueInstruments {
  /** workqueue_adds_total: keys that became dirty, also while held; duplicates do not count (MET-S1). */
  readonly adds: Counter;
  /** workqueue_retries_total: calls that asked for a positive delay (DQ-S8). */
  readonly retries: Counter;
  /** workqueue_queue_duration_seconds: from the first dirty mark to the take (MET-S2). */
  readonly queueDuration: Histogram;
  /** workqueue_work_duration_seconds: from take to done. */
  readonly workDuration: Histogram;
}

/** The gauges of a queue, computed when asked for: nothing ticks for nobody (MET-S3). */
export interface QueueSnapshot {
  /** workqueue_depth: dirty keys, also those held meanwhile, so it can be 1 while `length` is 0 (MET-S1). */
  readonly depth: number;
  /** Ready keys by priority; at most 25 values, then OTHER_PRIORITIES (MET-S4). */
  readonly readyByPriority: ReadonlyMap<string, number>;
  /** workqueue_unfinished_work_seconds: ages of all held keys summed up. 0 without instruments: then no times are kept. */
  readonly unfinishedSeconds: number;
  /** workqueue_longest_running_processor_seconds: age of the key held longest. 0 without instruments. */
  readonly longestSeconds: number;
}

export const OTHER_PRIORITIES = 'other';
const PRIORITY_LABELS = 25;

/** Keeps the times of one queue in its tickets and records into the instruments. Times are milliseconds of one clock, handed in. */
export class QueueRecorder {
  readonly #instruments: QueueInstruments;

  constructor(instruments: QueueInstruments) {
    this.#instruments = instruments;
  }

  dirtied(ticket: Ticket, now: number): void {
    ticket.dirtyAt = now;
    this.#instruments.adds.inc();
  }

  taken(ticket: Ticket, now: number): void {
    ticket.takenAt = now;
    this.#instruments.queueDuration.observe((now - ticket.dirtyAt) / 1000);
  }

  done(ticket: Ticket, now: number): void {
    this.#instruments.workDuration.observe((now - ticket.takenAt) / 1000);
  }

  retried(): void {
    this.#instruments.retries.inc();
  }

  /** Ages of the held keys at `now`. Walks over them: they are as many as workers times batch, not as the queue. */
  ages(held: Iterable<Ticket>, now: number): Pick<QueueSnapshot, 'unfinishedSeconds' | 'longestSeconds'> {
    let sumMs = 0;
    let longestMs = 0;
    for (const ticket of held) {
      const ageMs = now - ticket.takenAt;
      sumMs += ageMs;
      longestMs = Math.max(longestMs, ageMs);
    }
    return { unfinishedSeconds: sumMs / 1000, longestSeconds: longestMs / 1000 };
  }
}

/** Keeps the number of priority labels bounded: the first 25 values that are seen keep their own, all others share one (MET-S4). */
export class PriorityLabels {
  /** At most PRIORITY_LABELS. */
  readonly #own = new Set<Priority>();

  count(sizes: readonly (readonly [Priority, number])[]): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const [priority, size] of sizes) {
      if (this.#own.size < PRIORITY_LABELS) this.#own.add(priority);
      const label = this.#own.has(priority) ? String(priority) : OTHER_PRIORITIES;
      counts.set(label, (counts.get(label) ?? 0) + size);
    }
    return counts;
  }
}
