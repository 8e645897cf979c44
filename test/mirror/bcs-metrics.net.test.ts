import { expect, test } from 'vitest';
import { seedCluster } from '../../src/hollow/load.ts';
import { startHollow } from '../../src/hollow/server.ts';
import { TestMirror } from './test-mirror.ts';

test('the old names are on /metrics when they are asked for, and only then', async () => {
  const hollow = await startHollow();
  try {
    seedCluster(hollow, { pods: 30, nodes: 2, namespaces: 2, bytes: 800 });
    const cluster = { name: 'BCS-K8S-1' };
    await using plain = await TestMirror.start(hollow, { config: { cluster } });
    await using both = await TestMirror.start(hollow, { config: { cluster, metrics: { bcsNames: true } } });
    await Promise.all([plain.ready(), both.ready()]);
    expect((await plain.get('/metrics')).text).not.toMatch(/k8s_?watch/);
    const pods = 'cluster_id="BCS-K8S-1",handler="k8s_cluster_namespace_type_name",resource_type="Pod",method="PUT",status="success"';
    expect(await both.metric(`bkbcs_k8swatch_storage_request_total_num{${pods}}`)).toBe(30);
    expect(await both.metric(`bkbcs_k8swatch_storage_request_latency_time_count{${pods}}`)).toBe(30);
    const nodes = 'cluster_id="BCS-K8S-1",handler="k8s_cluster_type_name",resource_type="Node",method="PUT",status="success"';
    expect(await both.metric(`bkbcs_k8swatch_storage_request_total_num{${nodes}}`)).toBe(2);
    expect(await both.metric('bcs_k8s_watch_cache_keys_num{watcher="Pod"}')).toBe(30);
    expect((await both.get('/metrics')).text).toContain('bkbcs_k8swatch_queue_handler_total_num{cluster_id="BCS-K8S-1",handler="Pod"} 0');
    expect(await both.metric('kubefold_objects{resource="pods"}')).toBe(30);
  } finally {
    await hollow.close();
  }
});
