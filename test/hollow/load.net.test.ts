import { expect, test } from 'vitest';
import { seedCluster, startChurn } from '../../src/hollow/load.ts';
import { makePod } from '../../src/hollow/load-pods.ts';
import { spawn } from '../support/spawn.ts';
import { testCluster } from './client.ts';
import type { TestCluster } from './client.ts';

test.each([[4_096], [10_240]])('makePod gives exactly %i bytes beside managedFields, of about the size asked for', (bytes) => {
  const { metadata, ...rest } = makePod(1_234_567, { bytes });
  const { managedFields, ...kept } = metadata ?? {};
  expect(JSON.stringify({ kind: 'Pod', apiVersion: 'v1', metadata: { ...kept, resourceVersion: '1234567' }, ...rest }).length).toBe(bytes);
  expect(JSON.stringify(managedFields).length).toBeGreaterThan(2_700);
  expect(makePod(0, { managedBytes: 0 }).metadata?.managedFields).toBeUndefined();
});

test('the same seed and clock give the same cluster and the same changes; another seed others', async () => {
  const run = async (seed: number): Promise<string> => {
    await using cluster: TestCluster = await testCluster();
    seedCluster(cluster.hollow, { pods: 60, nodes: 3, namespaces: 2 });
    const churn = startChurn(cluster.hollow, { pods: 60, nodes: 3, namespaces: 2, changesPerSecond: 500, seed, clock: cluster.clock });
    cluster.clock.advance(1_000);
    churn.stop();
    expect(churn.changes).toBeGreaterThanOrEqual(490);
    expect(churn.changes).toBeLessThanOrEqual(510);
    cluster.clock.advance(1_000);
    return JSON.stringify([...cluster.hollow.world.kinds()].map(({ id }) => cluster.hollow.list(id)));
  };
  const [first, again, other] = [await run(1), await run(1), await run(2)];
  expect(first).toBe(again);
  expect(first).not.toBe(other);
});

test('churn keeps the number of pods, and whoever follows the watch has the state of the cluster', async () => {
  await using cluster = await testCluster();
  seedCluster(cluster.hollow, { pods: 30, nodes: 2, namespaces: 2 });
  const watch = await cluster.watch('/api/v1/pods?watch=1');
  const churn = startChurn(cluster.hollow, {
    pods: 30,
    nodes: 2,
    namespaces: 2,
    changesPerSecond: 1_000,
    clock: cluster.clock,
    mix: { status: 1, rollout: 1 },
  });
  cluster.clock.advance(1_000);
  churn.stop();
  cluster.hollow.create('pods', { metadata: { name: 'last', namespace: 'default' } });
  const seen = new Map<string, unknown>();
  for (;;) {
    const { type, object } = await watch.next();
    const key = `${object.metadata.namespace}/${object.metadata.name}`;
    if (type === 'DELETED') seen.delete(key);
    else seen.set(key, object);
    if (object.metadata.name === 'last') break;
  }
  expect(cluster.hollow.count('pods')).toBe(31);
  expect([...seen].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object)).toEqual(cluster.hollow.list('pods'));
});

test.each([['identity'], ['gzip']])(
  'lists and streamed states of many batches are whole and in order, whatever the reader does meanwhile (%s)',
  async (encoding) => {
    await using cluster = await testCluster();
    seedCluster(cluster.hollow, { pods: 1_000, nodes: 2, namespaces: 3 });
    const expected = cluster.hollow.list('pods');
    const [one, two, watch] = await Promise.all([
      cluster.ask('/api/v1/pods', { headers: { 'accept-encoding': encoding } }),
      cluster.ask('/api/v1/pods', { headers: { 'accept-encoding': encoding } }),
      cluster.watch('/api/v1/pods?watch=1'),
    ]);
    watch.response.pause();
    await cluster.ask('/api/v1/pods');
    watch.response.resume();
    for (const list of [one, two]) expect(list.json.items.map((item: object) => ({ kind: 'Pod', apiVersion: 'v1', ...item }))).toEqual(expected);
    expect((await watch.take(1_000)).map(({ object }) => object)).toEqual(expected);
  },
);

test('churn survives the deletion of what it changes', async () => {
  await using cluster = await testCluster();
  seedCluster(cluster.hollow, { pods: 30, nodes: 2, namespaces: 1 });
  const churn = startChurn(cluster.hollow, { pods: 30, nodes: 2, namespaces: 1, changesPerSecond: 1_000, clock: cluster.clock });
  cluster.clock.advance(100);
  for (const key of cluster.hollow.keys('namespaces')) if (key.startsWith('load-')) cluster.hollow.delete('namespaces', key);
  for (const key of cluster.hollow.keys('nodes')) cluster.hollow.delete('nodes', key);
  cluster.clock.advance(500);
  churn.stop();
  expect(cluster.hollow.count('pods')).toBe(0);
});

const MAIN = new URL('../../src/hollow/main.ts', import.meta.url).pathname;

test('as a process it says where it is, serves, and ends with SIGTERM or its input', async () => {
  await using child = spawn(process.execPath, [MAIN, '--pods', '5', '--nodes', '1']);
  const { url, pid } = JSON.parse((await child.printed(/\{.*\}/))[0]) as { readonly url: string; readonly pid: number };
  expect(pid).toBe(child.pid);
  expect(((await (await fetch(`${url}/api/v1/pods`)).json()) as { readonly items: unknown[] }).items).toHaveLength(5);
  child.signal('SIGTERM');
  expect((await child.exited).code).toBe(0);
  await using other = spawn(process.execPath, [MAIN, '--until-stdin-closes']);
  expect((await other.exited).code).toBe(0);
  await using wrong = spawn(process.execPath, [MAIN, '--pods', 'many']);
  expect(await wrong.exited).toMatchObject({ code: 2, stderr: '--pods must be a number >= 0, current value is many\n' });
});
