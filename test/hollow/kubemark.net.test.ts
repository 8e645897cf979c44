import { expect, test } from 'vitest';
import { startKubemark } from '../../src/hollow/kubemark.ts';
import { startProxies } from '../../src/hollow/proxies.ts';
import { kubemark } from '../../src/lab/load/kubemark-load.ts';
import { POD_LIFE } from '../../src/lab/load/kubemark.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { until } from '../support/until.ts';
import { type Json, testCluster } from './client.ts';

const shape = { nodes: 20, pods: 200, services: 8, namespaces: 4, podsPerSecond: 4, durationMs: 1 };

/** Which step of a pod's life an event shows, by what is in the object. */
function stepOf({ type, object }: Json): string {
  const { status, spec, metadata } = object;
  const condition = (name: string): string | undefined => status.conditions?.find((one: Json) => one.type === name)?.status;
  if (type === 'ADDED') return 'created';
  if (type === 'DELETED') return 'removed';
  if (metadata.deletionGracePeriodSeconds === 0) return 'released';
  if (status.phase === 'Succeeded') return 'ended';
  if (metadata.deletionTimestamp !== undefined) return 'terminating';
  if (status.phase === 'Running') return condition('Ready') === 'True' ? 'ready' : 'running';
  if (condition('PodReadyToStartContainers') === 'True') return 'sandbox';
  if (status.startTime !== undefined) return 'accepted';
  return spec.nodeName === undefined ? 'unknown' : 'bound';
}

test('a watcher sees every pod of a Kubemark cluster live through the steps of a real one, in their order', async () => {
  await using cluster = await testCluster();
  const run = startKubemark(cluster.hollow, { shape, seed: 2, clock: cluster.clock, podBytes: 4_096 });
  expect(cluster.hollow.count('pods')).toBeGreaterThanOrEqual(200);
  const watch = await cluster.watch(`/api/v1/pods?watch=1&resourceVersion=${cluster.hollow.revision}`);
  cluster.clock.advance(30_000);
  run.stop();
  cluster.hollow.create('pods', { metadata: { name: 'last', namespace: 'default' }, spec: {}, status: {} });
  const lives = new Map<string, string[]>();
  for (;;) {
    const event = await watch.next();
    const { name } = event.object.metadata;
    if (name === 'last') break;
    lives.set(name, [...(lives.get(name) ?? []), stepOf(event)]);
  }
  expect(lives.size).toBeGreaterThan(100);
  let created = 0;
  for (const [name, life] of lives) {
    const order = life.map((step) => POD_LIFE.indexOf(step as (typeof POD_LIFE)[number]));
    expect(order, `${name}: ${life.join(' ')}`).toEqual([...new Set(order)].sort((a, b) => a - b));
    expect(order[0], name).toBeGreaterThanOrEqual(0);
    if (life[0] !== 'created' || !life.includes('ready')) continue;
    created++;
    expect(life.slice(0, 4)).toEqual(['created', 'bound', 'accepted', 'sandbox']);
  }
  expect(created).toBeGreaterThan(50);
});

test('the cluster has the names of the load that the laboratory plays, and its endpoints follow the pods that are ready', async () => {
  await using cluster = await testCluster();
  const run = startKubemark(cluster.hollow, { shape, seed: 2, clock: cluster.clock, podBytes: 4_096 });
  cluster.clock.advance(20_000);
  run.stop();
  expect(run.changes).toBeGreaterThan(300);
  const addresses = new Set<string>();
  for (const pod of cluster.hollow.list('pods') as readonly Json[]) {
    const isReady = pod.status.conditions?.some((one: Json) => one.type === 'Ready' && one.status === 'True') === true;
    if (isReady && pod.metadata.deletionTimestamp === undefined) addresses.add(pod.status.podIP);
  }
  const endpoints = (cluster.hollow.list('endpointslices.discovery.k8s.io') as readonly Json[]).flatMap((slice) =>
    slice.endpoints.map((endpoint: Json) => endpoint.addresses[0]),
  );
  // What became ready or not in the last half second is still being gathered.
  const late = endpoints.filter((one) => !addresses.has(one)).length + [...addresses].filter((one) => !endpoints.includes(one)).length;
  expect(endpoints.length).toBeGreaterThan(150);
  expect(late).toBeLessThan(10);
  const leases = cluster.hollow.list('leases.coordination.k8s.io') as readonly Json[];
  expect(leases).toHaveLength(20);
  for (const { spec } of leases) expect(Date.parse(spec.renewTime)).toBeGreaterThan(cluster.clock.wall() - 10_001);
  const load = new Set([...kubemark('kubemark-100').initial()].map(({ kind, key }) => `${kind.resource} ${key}`));
  expect(load).toContain(`leases kube-node-lease/${leases[0]?.spec.holderIdentity}`);
});

test('hollow proxies follow services and endpoint slices, and come back when their watches end', async () => {
  await using cluster = await testCluster();
  const run = startKubemark(cluster.hollow, { shape, seed: 2, clock: cluster.clock, podBytes: 4_096 });
  const proxies = startProxies({ url: cluster.hollow.url, proxies: 5, clock: systemClock });
  await until('two watches of each proxy', () => cluster.hollow.watches() === 10);
  await until('what exists, at each proxy', () => proxies.events >= 5 * 16);
  const before = proxies.events;
  cluster.clock.advance(5_000);
  await until('a change, at each proxy', () => proxies.events >= before + 5);
  cluster.hollow.cutWatches('reset');
  await until('two watches of each proxy', () => cluster.hollow.watches() === 10);
  run.stop();
  await proxies.stop();
  await until('the end of the watches', () => cluster.hollow.watches() === 0);
  expect(cluster.hollow.watches()).toBe(0);
});

test('what was deleted by hand is not brought back by the life that goes on', async () => {
  await using cluster = await testCluster();
  const run = startKubemark(cluster.hollow, { shape, seed: 2, clock: cluster.clock, podBytes: 4_096 });
  const [first = ''] = cluster.hollow.keys('namespaces').filter((name) => name.startsWith('kubemark-'));
  cluster.hollow.delete('namespaces', first);
  cluster.clock.advance(20_000);
  run.stop();
  expect(cluster.hollow.keys('pods').filter((key) => key.startsWith(`${first}/`))).toEqual([]);
  expect(cluster.hollow.count('pods')).toBeGreaterThan(10);
});
