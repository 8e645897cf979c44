import { Buckets } from '../kit/tallies.ts';
import type { Outcome } from '../model/outcome.ts';
import { isEvent } from '../storage/bcs/routes.ts';
import type { Write } from '../storage/storage.ts';
import { bucketValues, type ComputedMetric, type KindGauges, type Metrics, type Sample } from './metrics.ts';

/*
 * The names under which bcs-k8s-watch told about itself (specs/bcs-k8s-watch.md section 2.9), filled with what ours is, so that its dashboards go on working.
 * `bkbcs_k8swatch_queue_latency_time` is not among them: the old program never observed it.
 */

/** The bounds of the old program, in seconds. */
const LATENCY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3];

type RequestLabels = {
  readonly handler: 'k8s_cluster_namespace_type_name' | 'k8s_cluster_type_name' | 'events';
  readonly resource_type: string;
  readonly method: 'PUT' | 'DELETE';
  readonly status: 'success' | 'failure';
};

/** Null for what the old program would not have sent, or nobody has sent now: what storage holds already, what is older than that, and the end of an Event. */
export function requestLabels(write: Pick<Write, 'type' | 'kind'>, outcome: Outcome['kind']): RequestLabels | null {
  if (outcome === 'unchanged' || outcome === 'stale') return null;
  const { kind, namespaced } = write.kind;
  if (isEvent(write.kind) && write.type === 'delete') return null;
  return {
    handler: isEvent(write.kind) ? 'events' : namespaced ? 'k8s_cluster_namespace_type_name' : 'k8s_cluster_type_name',
    resource_type: kind,
    method: write.type === 'put' ? 'PUT' : 'DELETE',
    status: outcome === 'written' ? 'success' : 'failure',
  };
}

/** Writes by the labels of the old program: at most four series for a kind. */
export class BcsRequests {
  readonly #series = new Map<string, { readonly labels: RequestLabels; readonly latency: Buckets }>();

  observe(write: Pick<Write, 'type' | 'kind'>, outcome: Outcome['kind'], seconds: number): void {
    const labels = requestLabels(write, outcome);
    // Of a kind that is gone only the id is known.
    if (labels === null || labels.resource_type === '') return;
    const key = `${labels.handler} ${labels.resource_type} ${labels.method} ${labels.status}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { labels, latency: new Buckets(LATENCY_BUCKETS) };
      this.#series.set(key, series);
    }
    series.latency.observe(seconds);
  }

  series(): readonly { readonly labels: RequestLabels; readonly latency: Buckets }[] {
    return [...this.#series.values()];
  }
}

interface BcsSources {
  /** The value of `cluster_id`. */
  readonly cluster: string;
  readonly requests: BcsRequests;
  readonly kinds: () => readonly KindGauges[];
}

/** What is shown under the old names, computed when it is asked for. Kinds of one name in two groups are one series, as ever. */
function bcsMetrics({ cluster, requests, kinds }: BcsSources): readonly ComputedMetric[] {
  const perKind = (name: string, labelsOf: (kind: string) => Sample['labels'], count: (kind: KindGauges) => number) => (): Sample[] => {
    const sums = new Map<string, number>();
    for (const gauges of kinds()) if (gauges.kind !== '') sums.set(gauges.kind, (sums.get(gauges.kind) ?? 0) + count(gauges));
    return [...sums].map(([kind, value]) => ({ metricName: name, labels: labelsOf(kind), value }));
  };
  const handler = (kind: string): Sample['labels'] => ({ cluster_id: cluster, handler: kind });
  const watcher = (kind: string): Sample['labels'] => ({ watcher: kind });
  const total = 'bkbcs_k8swatch_storage_request_total_num';
  const latency = 'bkbcs_k8swatch_storage_request_latency_time';
  const queued = 'bkbcs_k8swatch_queue_handler_total_num';
  const discarded = 'bkbcs_k8swatch_queue_handler_discard_events';
  const cached = 'bcs_k8s_watch_cache_keys_num';
  const watched = 'bcs_k8s_watch_queue_watcher_queue_num';
  const counted = 'What storage held already and what was older than that is not counted, nor are reads';
  return [
    {
      name: total,
      help: `Writes that storage settled; rejected and to be repeated are failures. ${counted}`,
      type: 'counter',
      read: () => requests.series().map(({ labels, latency: { count } }) => ({ metricName: total, labels: { cluster_id: cluster, ...labels }, value: count })),
    },
    {
      name: latency,
      help: `Seconds from handing a write to the storage engine until it was settled, with whatever the engine repeats or looks up for it; where the engine writes batches, of the whole batch. ${counted}`,
      type: 'histogram',
      read: () => requests.series().flatMap(({ labels, latency: buckets }) => bucketValues(latency, { cluster_id: cluster, ...labels }, buckets)),
    },
    {
      name: queued,
      help: `Keys that wait to be written: the same as ${watched}, for one queue does the work of both. A kind has one handler, never Pod_0 and so on`,
      type: 'gauge',
      read: perKind(queued, handler, ({ queue }) => queue.depth),
    },
    {
      name: discarded,
      help: 'Always 0: queues hold keys and nothing is ever dropped',
      type: 'counter',
      read: perKind(discarded, handler, () => 0),
    },
    { name: cached, help: 'Objects known', type: 'gauge', read: perKind(cached, watcher, ({ objects }) => objects) },
    { name: watched, help: 'Keys that wait to be written', type: 'gauge', read: perKind(watched, watcher, ({ queue }) => queue.depth) },
  ];
}

/** Shows the old names beside ours. */
export function showBcsNames(metrics: Metrics, sources: Omit<BcsSources, 'kinds'>): void {
  for (const metric of bcsMetrics({ ...sources, kinds: metrics.kinds })) metrics.computed(metric);
}
