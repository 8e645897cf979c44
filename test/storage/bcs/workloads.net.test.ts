import { afterEach, beforeEach, expect, test } from 'vitest';
import { readWorkload } from '../../../src/transform/workload.ts';
import { adopt, create } from '../../mirror/support/owned.ts';
import { until } from '../../support/until.ts';
import { BcsWorld } from './bcs-world.ts';

const KINDS = { kinds: ['pods', 'replicasets.apps', 'deployments.apps', 'namespaces'] };
const PODS = 30;

let world: BcsWorld;
beforeEach(async () => {
  world = await BcsWorld.start({ pods: 0, nodes: 1, namespaces: 1, bytes: 500 });
  create(world.hollow, 'Deployment/web');
  create(world.hollow, 'ReplicaSet/web-1', 'Deployment/web');
  for (let number = 0; number < PODS; number++) create(world.hollow, `Pod/web-1-${number}`, 'ReplicaSet/web-1');
  create(world.hollow, 'Pod/free');
});
afterEach(() => world[Symbol.asyncDispose]());

const puts = (): number => world.objects().filter(({ method, key }) => method === 'PUT' && key.includes('/Pod/')).length;

/** How many pods are told to belong to what, as readers of the service see it. */
async function told(): Promise<Readonly<Record<string, number>>> {
  const response = await world.rest('/k8s/dynamic/all_resources/clusters/prod/Pod');
  const { data } = (await response.json()) as { readonly data: readonly { readonly data: object }[] };
  const counts: Record<string, number> = {};
  for (const document of data) {
    const workload = readWorkload(Buffer.from(JSON.stringify(document.data)));
    const top = workload === null ? 'none' : `${workload.kind}/${workload.name}`;
    counts[top] = (counts[top] ?? 0) + 1;
  }
  return counts;
}

async function become(expected: Readonly<Record<string, number>>): Promise<void> {
  await until(`pods belong to ${JSON.stringify(expected)}`, async () => {
    expect(await told()).toEqual(expected);
    return true;
  });
}

test('pods in the storage of bcs-k8s-watch name their top workload without a rule, once each, and again when an owner changes (4.1 #34)', async () => {
  const mirror = await world.mirror(KINDS);
  await mirror.ready();
  expect([await told(), puts()]).toEqual([{ 'Deployment/web': PODS, none: 1 }, PODS + 1]);
  adopt(world.hollow, 'ReplicaSet/web-1', null);
  await become({ 'ReplicaSet/web-1': PODS, none: 1 });
  expect(puts()).toBe(2 * PODS + 1);
  // Its audit compares the rest.
  const finishedAt = (): number => mirror.app.status().audit.last?.finishedAt ?? 0;
  for (let round = 0; round < 2; round++) {
    const before = finishedAt();
    await until('a round of the audit is over', () => finishedAt() > before);
  }
  expect([mirror.app.status().audit.last?.drift, puts()]).toEqual([0, 2 * PODS + 1]);
  await mirror.stop();
});

test('a restart sends nothing, and an owner that changed meanwhile is sent with each of its pods', async () => {
  const first = await world.mirror(KINDS);
  await first.ready();
  await first.stop();
  const second = await world.mirror(KINDS);
  await second.ready();
  adopt(world.hollow, 'ReplicaSet/web-1', 'Deployment/other');
  await become({ 'Deployment/other': PODS, none: 1 });
  await second.stop();
  expect(puts()).toBe(2 * PODS + 1);
  adopt(world.hollow, 'ReplicaSet/web-1', 'Deployment/third');
  const third = await world.mirror(KINDS);
  await become({ 'Deployment/third': PODS, none: 1 });
  await third.ready();
  await third.stop();
  expect(puts()).toBe(3 * PODS + 1);
});

test('a rule can say that they are not wanted', async () => {
  const mirror = await world.mirror({ ...KINDS, resources: [{ kinds: ['pods'], annotateWorkload: false }] });
  await mirror.ready();
  expect([await told(), puts()]).toEqual([{ none: PODS + 1 }, PODS + 1]);
  await mirror.stop();
});
