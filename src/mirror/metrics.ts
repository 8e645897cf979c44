import Gauge from 'prom-client/lib/gauge.js';
import Counter from 'prom-client/lib/counter.js';
import Registry from 'prom-client/lib/registry.js';
import type { Metric } from 'prom-client';
import type { Drift } from '../audit/diff.ts';
import { Buckets, Tally } from '../kit/tallies.ts';
import type { KindId } from '../model/kind.ts';
import type { Outcome } from '../model/outcome.ts';
import { QUEUE_DURATION_BUCKETS, QUEUE_METRICS, type QueueInstruments, type QueueSnapshot } from '../queue/queue-metrics.ts';
import type { ListReason } from '../reflector/reflector.ts';
import type { Write } from '../storage/storage.ts';

/** Gauges are read when asked for, so that nothing is kept up to date for nobody. */
export interface KindGauges {
  readonly id: KindId;
  /** `Pod`; '' for a kind that is not there any more and whose rows go. */
  readonly kind: string;
  readonly objects: number;
  readonly parked: number;
  readonly held: number;
  readonly oldestPendingSeconds: number;
  readonly heardAtSeconds: number | null;
  readonly lagRevisions: number | null;
  readonly lagSeconds: number;
  readonly queue: Pick<QueueSnapshot, 'depth' | 'unfinishedSeconds' | 'longestSeconds'>;
}

/** 1 ms to 2 minutes, in seconds: a commit takes milliseconds, an outage minutes. */
const LATENCY_BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 30, 60, 120];

/** 1 s to 1 hour: managedFields know whole seconds only, so a finer bound would say nothing. */
const WRITTEN_BUCKETS = [1, 2, 3, 5, 10, 20, 40, 80, 160, 320, 640, 1800, 3600];

/** What one kind counts; kept when the kind is started anew, so that counters never go back. */
export class KindMetrics {
  readonly changes = { added: new Tally(), modified: new Tally(), deleted: new Tally() };
  readonly lists: Record<ListReason, Tally> = { first: new Tally(), expired: new Tally(), regressed: new Tally(), rules: new Tally(), audit: new Tally() };
  readonly writes = { put: outcomeTallies(), delete: outcomeTallies() };
  readonly drift: Record<Drift, Tally> = { missing: new Tally(), surplus: new Tally(), uid: new Tally(), revision: new Tally(), body: new Tally() };
  readonly audited = new Tally();
  readonly latency = new Buckets(LATENCY_BUCKETS);
  readonly written = new Buckets(WRITTEN_BUCKETS);
  readonly queue = {
    adds: new Tally(),
    retries: new Tally(),
    queueDuration: new Buckets(QUEUE_DURATION_BUCKETS),
    workDuration: new Buckets(QUEUE_DURATION_BUCKETS),
  } satisfies QueueInstruments;

  settled(op: Write['type'], outcome: Outcome['kind']): void {
    this.writes[op][outcome].inc();
  }

  stored(seconds: number): void {
    this.latency.observe(seconds);
  }

  writtenToStored(seconds: number): void {
    this.written.observe(seconds);
  }
}

function outcomeTallies(): Record<Outcome['kind'], Tally> {
  return { written: new Tally(), unchanged: new Tally(), stale: new Tally(), rejected: new Tally(), retry: new Tally() };
}

/** Every metric of the process, by the names that design.md section 7 promises and client-go's for the queues. */
export class Metrics {
  readonly registry = new Registry();
  readonly kinds: () => readonly KindGauges[];
  readonly #kinds = new Map<KindId, KindMetrics>();

  constructor(sources: { readonly kinds: () => readonly KindGauges[]; readonly pendingBytes: () => number }) {
    this.kinds = sources.kinds;
    this.#counter('kubefold_changes_total', 'Changes received from watch or list', ['resource', 'type'], (kind) =>
      Object.entries(kind.changes).map(([type, tally]) => [[type], tally]),
    );
    this.#counter('kubefold_lists_total', 'Full lists of a scope begun', ['resource', 'reason'], (kind) =>
      Object.entries(kind.lists).map(([reason, tally]) => [[reason], tally]),
    );
    this.#counter('kubefold_drift_total', 'Rows that the audit found to differ from the cluster, and had mended', ['resource', 'cause'], (kind) =>
      Object.entries(kind.drift).map(([cause, tally]) => [[cause], tally]),
    );
    this.#counter('kubefold_audited_objects_total', 'Objects and rows that the audit compared', ['resource'], (kind) => [[[], kind.audited]]);
    this.#counter('kubefold_storage_writes_total', 'Writes settled by storage', ['resource', 'op', 'outcome'], (kind) =>
      Object.entries(kind.writes).flatMap(([op, outcomes]) => Object.entries(outcomes).map(([outcome, tally]): [string[], Tally] => [[op, outcome], tally])),
    );
    this.#counter(QUEUE_METRICS.adds, 'Keys added to the queue', ['name'], (kind) => [[[], kind.queue.adds]]);
    this.#counter(QUEUE_METRICS.retries, 'Keys added again with a delay', ['name'], (kind) => [[[], kind.queue.retries]]);
    this.#histogram(
      'kubefold_change_to_stored_seconds',
      'From the receipt of the oldest change that a write covers until it was durable',
      'resource',
      (kind) => kind.latency,
    );
    this.#histogram(
      'kubefold_written_to_stored_seconds',
      'From the newest managedFields time of an object, by the clock of the API server and cut to whole seconds (so up to 1 s too long; 0 when that clock is ahead), until it was durable; of at most 100 watch events a second',
      'resource',
      (kind) => kind.written,
    );
    this.#histogram(QUEUE_METRICS.queueDuration, 'How long a key waited before it was taken', 'name', (kind) => kind.queue.queueDuration);
    this.#histogram(QUEUE_METRICS.workDuration, 'How long a key was held', 'name', (kind) => kind.queue.workDuration);
    const gauge = (name: string, help: string, label: 'resource' | 'name', read: (kind: KindGauges) => number | null): void =>
      this.#gauge({ name, help, label }, sources.kinds, read);
    gauge('kubefold_objects', 'Objects known', 'resource', (kind) => kind.objects);
    gauge('kubefold_held_deletions', 'Rows whose deletion waits until somebody confirms it', 'resource', (kind) => kind.held);
    gauge('kubefold_parked', 'Objects that storage refused, waiting for a change or a person', 'resource', (kind) => kind.parked);
    gauge(
      'kubefold_oldest_pending_seconds',
      'Age of the oldest change that is not durable, except what is parked or held',
      'resource',
      (kind) => kind.oldestPendingSeconds,
    );
    gauge('kubefold_heard_timestamp_seconds', 'When the API server was last heard', 'resource', (kind) => kind.heardAtSeconds);
    gauge(
      'kubefold_watermark_lag_revisions',
      'Revisions of the cluster, of whatever kind, between the watermark and the newest one delivered; none while there is no watermark',
      'resource',
      (kind) => kind.lagRevisions,
    );
    gauge(
      'kubefold_watermark_lag_seconds',
      'How long the watermark has stood behind a change that is not durable, parked and held ones included',
      'resource',
      (kind) => kind.lagSeconds,
    );
    gauge(QUEUE_METRICS.depth, 'Keys that are dirty', 'name', (kind) => kind.queue.depth);
    gauge(QUEUE_METRICS.unfinished, 'Sum of the ages of all keys held', 'name', (kind) => kind.queue.unfinishedSeconds);
    gauge(QUEUE_METRICS.longest, 'Age of the key held longest', 'name', (kind) => kind.queue.longestSeconds);
    this.gauge('kubefold_pending_bytes', 'Memory of bodies that wait to be written', () => sources.pendingBytes());
  }

  /** A gauge of the whole process. */
  gauge(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers: [this.registry],
      collect(): void {
        gauge.set(read());
      },
    });
  }

  forKind(id: KindId): KindMetrics {
    let metrics = this.#kinds.get(id);
    if (metrics === undefined) {
      metrics = new KindMetrics();
      this.#kinds.set(id, metrics);
    }
    return metrics;
  }

  /** Changes received since the start, over all kinds. */
  changes(): number {
    let sum = 0;
    for (const { changes } of this.#kinds.values()) sum += changes.added.value + changes.modified.value + changes.deleted.value;
    return sum;
  }

  #counter(name: string, help: string, labelNames: readonly string[], read: (kind: KindMetrics) => readonly (readonly [readonly string[], Tally])[]): void {
    const kinds = this.#kinds;
    const counter: Counter = new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.registry],
      collect(): void {
        counter.reset();
        for (const [id, metrics] of kinds) for (const [labels, tally] of read(metrics)) counter.labels(id, ...labels).inc(tally.value);
      },
    });
  }

  #gauge(
    { name, help, label }: { name: string; help: string; label: string },
    kinds: () => readonly KindGauges[],
    read: (kind: KindGauges) => number | null,
  ): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [this.registry],
      collect(): void {
        gauge.reset();
        for (const kind of kinds()) {
          const value = read(kind);
          if (value !== null) gauge.labels(kind.id).set(value);
        }
      },
    });
  }

  /** prom-client's histogram takes observations only. */
  #histogram(name: string, help: string, label: string, read: (kind: KindMetrics) => Buckets): void {
    const values = (): Sample[] => [...this.#kinds].flatMap(([id, metrics]) => bucketValues(name, { [label]: id }, read(metrics)));
    this.computed({ name, help, type: 'histogram', read: values });
  }

  /** A metric whose samples are made when somebody asks. The registry asks a metric for nothing but its name and its values. */
  computed({ name, help, type, read }: ComputedMetric): void {
    const metric = { name, help, type, get: () => ({ name, help, type, aggregator: 'sum', values: read() }) };
    this.registry.registerMetric(metric as unknown as Metric);
  }
}

export interface ComputedMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly read: () => readonly Sample[];
}

/** One line of the exposition. */
export type Sample = { readonly metricName: string; readonly labels: Readonly<Record<string, string | number>>; readonly value: number };

/** The samples of one histogram as Prometheus wants them: cumulative, ending in +Inf, then sum and count. */
export function bucketValues(name: string, labels: Readonly<Record<string, string>>, buckets: Buckets): Sample[] {
  let cumulative = 0;
  const samples: Sample[] = buckets.counts.map((count, index) => {
    cumulative += count;
    return { metricName: `${name}_bucket`, labels: { le: buckets.upper[index] ?? '+Inf', ...labels }, value: cumulative };
  });
  return [...samples, { metricName: `${name}_sum`, labels, value: buckets.sum }, { metricName: `${name}_count`, labels, value: buckets.count }];
}
