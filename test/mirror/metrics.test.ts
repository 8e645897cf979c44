import { expect, test } from 'vitest';
import { Metrics } from '../../src/mirror/metrics.ts';

function metricsOfPods(): Metrics {
  return new Metrics({
    kinds: () => [
      {
        id: 'pods',
        kind: 'Pod',
        objects: 3,
        parked: 1,
        held: 60,
        oldestPendingSeconds: 0.5,
        heardAtSeconds: null,
        lagRevisions: 41,
        lagSeconds: 7.5,
        queue: { depth: 2, unfinishedSeconds: 4, longestSeconds: 3, readyByPriority: new Map() },
      },
    ],
    pendingBytes: () => 1024,
  });
}

test('what rooms count is exposed under the promised names', async () => {
  const metrics = metricsOfPods();
  const pods = metrics.forKind('pods');
  pods.changes.added.inc();
  pods.changes.modified.inc(2);
  pods.lists.first.inc();
  pods.settled('put', 'written');
  pods.queue.adds.inc(3);
  const lines = (await metrics.registry.metrics()).split('\n');
  for (const line of [
    'kubefold_changes_total{resource="pods",type="added"} 1',
    'kubefold_changes_total{resource="pods",type="modified"} 2',
    'kubefold_lists_total{resource="pods",reason="first"} 1',
    'kubefold_storage_writes_total{resource="pods",op="put",outcome="written"} 1',
    'kubefold_storage_writes_total{resource="pods",op="delete",outcome="rejected"} 0',
    'kubefold_objects{resource="pods"} 3',
    'kubefold_parked{resource="pods"} 1',
    'kubefold_held_deletions{resource="pods"} 60',
    'kubefold_watermark_lag_revisions{resource="pods"} 41',
    'kubefold_watermark_lag_seconds{resource="pods"} 7.5',
    'kubefold_oldest_pending_seconds{resource="pods"} 0.5',
    'kubefold_pending_bytes 1024',
    'workqueue_adds_total{name="pods"} 3',
    'workqueue_depth{name="pods"} 2',
    'workqueue_unfinished_work_seconds{name="pods"} 4',
    'workqueue_longest_running_processor_seconds{name="pods"} 3',
  ]) {
    expect(lines).toContain(line);
  }
  expect(lines.filter((line) => line.startsWith('kubefold_heard_timestamp_seconds{'))).toEqual([]);
  expect(metrics.changes()).toBe(3);
});

test('asking twice gives the same numbers, and a kind that is started anew goes on counting', async () => {
  const metrics = metricsOfPods();
  metrics.forKind('pods').changes.added.inc();
  const first = await metrics.registry.metrics();
  expect(await metrics.registry.metrics()).toBe(first);
  metrics.forKind('pods').changes.added.inc();
  expect(await metrics.registry.metrics()).toContain('kubefold_changes_total{resource="pods",type="added"} 2');
});

test('a histogram is cumulative, bounds belong to their bucket, and nothing is lost beyond the last bound', async () => {
  const metrics = metricsOfPods();
  for (const seconds of [0.0005, 0.001, 0.0011, 500]) metrics.forKind('pods').stored(seconds);
  const lines = (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith('kubefold_change_to_stored_seconds_'));
  expect(lines).toContain('kubefold_change_to_stored_seconds_bucket{le="0.001",resource="pods"} 2');
  expect(lines).toContain('kubefold_change_to_stored_seconds_bucket{le="0.002",resource="pods"} 3');
  expect(lines).toContain('kubefold_change_to_stored_seconds_bucket{le="120",resource="pods"} 3');
  expect(lines).toContain('kubefold_change_to_stored_seconds_bucket{le="+Inf",resource="pods"} 4');
  expect(lines).toContain('kubefold_change_to_stored_seconds_count{resource="pods"} 4');
  expect(lines.find((line) => line.startsWith('kubefold_change_to_stored_seconds_sum'))).toMatch(/ 500\.0026$/);
});

test('from written to stored is counted in whole seconds, and its help says whose clock it goes by', async () => {
  const metrics = metricsOfPods();
  for (const seconds of [0, 0.9, 1.5, 90]) metrics.forKind('pods').writtenToStored(seconds);
  const text = await metrics.registry.metrics();
  const lines = text.split('\n');
  expect(lines).toContain('kubefold_written_to_stored_seconds_bucket{le="1",resource="pods"} 2');
  expect(lines).toContain('kubefold_written_to_stored_seconds_bucket{le="2",resource="pods"} 3');
  expect(lines).toContain('kubefold_written_to_stored_seconds_bucket{le="160",resource="pods"} 4');
  expect(text).toMatch(/# HELP kubefold_written_to_stored_seconds .*managedFields.*clock of the API server.*whole seconds.*100 watch events a second/);
});
