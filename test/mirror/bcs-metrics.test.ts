import { expect, test } from 'vitest';
import { BcsRequests, requestLabels, showBcsNames } from '../../src/mirror/bcs-metrics.ts';
import { type KindGauges, Metrics } from '../../src/mirror/metrics.ts';
import { observedStorage } from '../../src/mirror/observed-storage.ts';
import type { Kind } from '../../src/model/kind.ts';
import { type Outcome, STALE, UNCHANGED, WRITTEN } from '../../src/model/outcome.ts';
import { createNullStorage } from '../../src/storage/null/null-storage.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { NODES, PODS, put } from '../storage/build.ts';
import { ManualClock } from '../support/manual-clock.ts';

const EVENTS: Kind = { ...PODS, resource: 'events', kind: 'Event' };
const OTHER_EVENTS: Kind = { ...EVENTS, group: 'events.k8s.io' };

function gauges(id: string, kind: string, objects: number, depth: number): KindGauges {
  const queue = { depth, unfinishedSeconds: 0, longestSeconds: 0, readyByPriority: new Map() };
  return { id, kind, objects, parked: 0, held: 0, oldestPendingSeconds: 0, heardAtSeconds: null, lagRevisions: null, lagSeconds: 0, queue };
}

function shown(requests: BcsRequests, kinds: readonly KindGauges[] = []): Promise<string> {
  const metrics = new Metrics({ kinds: () => kinds, pendingBytes: () => 0 });
  showBcsNames(metrics, { cluster: 'BCS-K8S-1', requests });
  return metrics.registry.metrics();
}

test('every old name has the type that the old program gave it', async () => {
  const text = await shown(new BcsRequests());
  const types = text.split('\n').filter((line) => /^# TYPE (?:bkbcs|bcs)_/.test(line));
  expect(types).toEqual([
    '# TYPE bkbcs_k8swatch_storage_request_total_num counter',
    '# TYPE bkbcs_k8swatch_storage_request_latency_time histogram',
    '# TYPE bkbcs_k8swatch_queue_handler_total_num gauge',
    '# TYPE bkbcs_k8swatch_queue_handler_discard_events counter',
    '# TYPE bcs_k8s_watch_cache_keys_num gauge',
    '# TYPE bcs_k8s_watch_queue_watcher_queue_num gauge',
  ]);
});

test.each<[string, Kind, 'put' | 'delete', Outcome['kind'], ReturnType<typeof requestLabels>]>([
  ['a namespaced kind', PODS, 'put', 'written', { handler: 'k8s_cluster_namespace_type_name', resource_type: 'Pod', method: 'PUT', status: 'success' }],
  ['a cluster-scoped kind', NODES, 'delete', 'written', { handler: 'k8s_cluster_type_name', resource_type: 'Node', method: 'DELETE', status: 'success' }],
  ['what is to be repeated', PODS, 'put', 'retry', { handler: 'k8s_cluster_namespace_type_name', resource_type: 'Pod', method: 'PUT', status: 'failure' }],
  ['what is refused', PODS, 'put', 'rejected', { handler: 'k8s_cluster_namespace_type_name', resource_type: 'Pod', method: 'PUT', status: 'failure' }],
  ['an Event', EVENTS, 'put', 'written', { handler: 'events', resource_type: 'Event', method: 'PUT', status: 'success' }],
  [
    'an Event of another group',
    OTHER_EVENTS,
    'put',
    'written',
    { handler: 'k8s_cluster_namespace_type_name', resource_type: 'Event', method: 'PUT', status: 'success' },
  ],
  ['the end of an Event', EVENTS, 'delete', 'written', null],
  ['what storage holds already', PODS, 'put', 'unchanged', null],
  ['what is older than what storage holds', PODS, 'put', 'stale', null],
])('the labels of %s', (_what, kind, type, outcome, labels) => {
  expect(requestLabels({ kind, type }, outcome)).toEqual(labels);
});

test('a request has its count and its latency, with the bounds of the old program', async () => {
  const requests = new BcsRequests();
  for (const seconds of [0.0005, 0.09, 7]) requests.observe({ type: 'put', kind: PODS }, 'written', seconds);
  const lines = (await shown(requests)).split('\n');
  const labels = 'cluster_id="BCS-K8S-1",handler="k8s_cluster_namespace_type_name",resource_type="Pod",method="PUT",status="success"';
  expect(lines).toContain(`bkbcs_k8swatch_storage_request_total_num{${labels}} 3`);
  const buckets = lines.filter((line) => line.startsWith('bkbcs_k8swatch_storage_request_latency_time_bucket'));
  expect(buckets.map((line) => [/le="([^"]+)"/.exec(line)?.[1], line.split(' ').at(-1)])).toEqual([
    ...['0.0005', '0.001', '0.0025', '0.005', '0.01', '0.025', '0.05'].map((bound) => [bound, '1']),
    ...['0.1', '0.25', '0.5', '1', '2', '3'].map((bound) => [bound, '2']),
    ['+Inf', '3'],
  ]);
  expect(buckets[0]).toContain(labels);
  expect(lines).toContain(`bkbcs_k8swatch_storage_request_latency_time_count{${labels}} 3`);
});

test('queues and caches are told by Kind: two groups with the same Kind are one series, and a kind that is gone has none', async () => {
  const kinds = [
    gauges('pods', 'Pod', 7, 2),
    gauges('events', 'Event', 3, 1),
    gauges('events.events.k8s.io', 'Event', 4, 5),
    gauges('gone.example.com', '', 9, 9),
  ];
  const text = await shown(new BcsRequests(), kinds);
  const lines = text.split('\n').filter((line) => /^(?:bkbcs|bcs)_/.test(line));
  expect(lines).toEqual([
    'bkbcs_k8swatch_queue_handler_total_num{cluster_id="BCS-K8S-1",handler="Pod"} 2',
    'bkbcs_k8swatch_queue_handler_total_num{cluster_id="BCS-K8S-1",handler="Event"} 6',
    'bkbcs_k8swatch_queue_handler_discard_events{cluster_id="BCS-K8S-1",handler="Pod"} 0',
    'bkbcs_k8swatch_queue_handler_discard_events{cluster_id="BCS-K8S-1",handler="Event"} 0',
    'bcs_k8s_watch_cache_keys_num{watcher="Pod"} 7',
    'bcs_k8s_watch_cache_keys_num{watcher="Event"} 7',
    'bcs_k8s_watch_queue_watcher_queue_num{watcher="Pod"} 2',
    'bcs_k8s_watch_queue_watcher_queue_num{watcher="Event"} 6',
  ]);
  expect(text).toContain('# HELP bkbcs_k8swatch_queue_handler_discard_events Always 0: queues hold keys and nothing is ever dropped');
});

test('writes are observed where storage settles them, each by its own outcome and with the time of its batch', async () => {
  const clock = new ManualClock();
  const outcomes: Outcome[] = [WRITTEN, { kind: 'retry', error: 'away' }, UNCHANGED, STALE];
  const engine: Storage = {
    ...createNullStorage(),
    write: async () => {
      clock.advance(87);
      return await Promise.resolve(outcomes);
    },
  };
  const requests = new BcsRequests();
  const storage = observedStorage(engine, requests, clock);
  const writes = ['a', 'b', 'c', 'd'].map((name) => put(name, '1'));
  expect(await storage.write(writes, [])).toBe(outcomes);
  expect(requests.series().map(({ labels, latency }) => [labels.status, latency.count, latency.sum])).toEqual([
    ['success', 1, 0.087],
    ['failure', 1, 0.087],
  ]);
});
