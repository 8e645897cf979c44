import { writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hurriedClock } from '../../src/bench/child/hurried-clock.ts';
import { startHollow, type Hollow } from '../../src/hollow/server.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { seededRandom } from '../../src/kit/random.ts';
import { isInShard } from '../../src/model/shard.ts';
import { startBcsStorage } from '../../src/bcsstorage/server.ts';
import { WORKLOAD_NAME } from '../../src/transform/workload.ts';
import { openReader } from '../../src/storage/open.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { Copy } from './copy.ts';
import { HollowChurn } from './support/hollow-churn.ts';
import { adopt, create } from './support/owned.ts';
import { type ShardMirror, type ShardMirrorOptions, startShards } from './support/shard-mirrors.ts';

const seed = Number(process.env['KUBEFOLD_SEED'] ?? Date.now() % 1e9);
const KINDS = ['configmaps', 'pods'];
const clusterName = 'test';

let hollow: Hollow;
let dir: TempDir;
let running: readonly ShardMirror[] = [];
beforeEach(async () => {
  dir = tempDir('shards');
  hollow = await startHollow();
  for (let i = 0; i < 60; i++) {
    hollow.create('configmaps', { metadata: { namespace: 'default', name: `map-${i}` }, data: { n: String(i) } });
    hollow.create('pods', { metadata: { namespace: 'default', name: `pod-${i}` }, spec: { containers: [] } });
  }
  writeFileSync(dir.file('kubeconfig'), hollow.kubeconfig());
});
afterEach(async () => {
  await Promise.all(running.map((shard) => shard.stop()));
  running = [];
  await hollow.close();
  dir.remove();
});

async function start(count: number, more: Partial<ShardMirrorOptions> = {}): Promise<readonly ShardMirror[]> {
  const options = { kubeconfig: dir.file('kubeconfig'), url: `sqlite:${dir.file('copy.db')}`, clusterName, clock: hurriedClock(20), epoch: 1, ...more };
  running = await startShards(count, options);
  await Promise.all(running.map((shard) => shard.ready()));
  return running;
}

async function stop(): Promise<void> {
  await Promise.all(running.map((shard) => shard.stop()));
  running = [];
}

/** Uids as a cluster gives them. Those that differ only at their ends would hash alike. */
function uuids(from: number): () => string {
  const random = seededRandom(from);
  const part = (digits: number): string => Array.from({ length: digits }, () => Math.floor(random.next() * 16).toString(16)).join('');
  return () => [8, 4, 4, 4, 12].map(part).join('-');
}

/** What each shard says it stores, beside what the rows of its kinds are. */
function expectDisjoint(copy: Copy, shards: readonly ShardMirror[]): void {
  for (const kind of KINDS) {
    const uids = copy.rows(kind).map(({ uid }) => uid);
    const counts = shards.map(({ mirror }) => mirror.status().kinds.find(({ id }) => id === kind)?.objects);
    expect(counts).toEqual(shards.map((_, index) => uids.filter((uid) => isInShard(uid, { index, count: shards.length })).length));
    expect(Math.min(...counts.map((count) => count ?? 0))).toBeGreaterThan(0);
  }
}

describe.each([
  ['a server that splits', true, 'server'],
  ['a server that ignores the selector', false, 'us'],
] as const)(`two shards over one file, beside %s, with KUBEFOLD_SEED=${seed}`, (_name, splits, splitBy) => {
  test('are exact together and disjoint under churn with replacements, and go on without a list', async () => {
    hollow.splits = splits;
    const shards = await start(2);
    using copy = new Copy(dir.file('copy.db'));
    const churn = new HollowChurn(hollow, { random: seededRandom(seed), kinds: KINDS });
    churn.start(4);
    await until('there was churn', () => churn.changes > 1_500, { withinMs: 30_000 });
    churn.stop();
    await copy.equals(hollow);
    expectDisjoint(copy, shards);
    expect(shards.map(({ mirror }) => mirror.status().shard)).toEqual([0, 1].map((index) => ({ index, count: 2, splitBy })));
    for (const { log } of shards) expect(log).not.toMatch(/takes no writes|"level":"error"/);
    await stop();
    churn.disturb(100);
    const again = await start(2, { epoch: 2 });
    await copy.equals(hollow);
    expectDisjoint(copy, again);
    for (const shard of again) expect(await shard.lists()).toEqual({});
    const reader = openReader(`sqlite:${dir.file('copy.db')}`);
    const record = (await reader.scopes(clusterName)).filter(({ kind }) => kind === 'pods');
    expect(record).toMatchObject([{ scope: '', complete: true, objects: hollow.count('pods') }]);
    await reader.close();
  });
});

test('another number of shards lists every scope once and writes only what has changed; and so on the way back', async () => {
  using copy = await start(1).then(() => new Copy(dir.file('copy.db')));
  const before = copy.writes();
  for (const [count, epoch] of [
    [3, 2],
    [2, 3],
    [1, 4],
  ] as const) {
    await stop();
    hollow.patch('pods', 'default/pod-7', { metadata: { labels: { shards: String(count) } } });
    const shards = await start(count, { epoch });
    await copy.equals(hollow);
    expect(copy.writes() - before).toBe(epoch - 1);
    const kinds = shards[0]?.mirror.status().kinds.length ?? 0;
    for (const shard of shards) expect(await shard.lists()).toEqual({ first: kinds });
    expect(copy.all(`SELECT scope FROM scopes WHERE resource = 'pods' ORDER BY scope`).map(({ scope }) => scope)).toEqual(
      count === 1 ? [''] : Array.from({ length: count }, (_, index) => `#${index}-of-${count}`),
    );
  }
});

test.each([true, false])(
  'pods name the top workload also when their owners are of the other shard, and nothing is looked up (the server splits: %s)',
  async (splits) => {
    hollow.splits = splits;
    const uid = uuids(1);
    const owners = Array.from({ length: 12 }, (_, n) => [`Deployment/app-${n}/${uid()}`, `ReplicaSet/app-${n}-1/${uid()}`] as const);
    for (const [deployment, replicaSet] of owners) {
      create(hollow, deployment);
      create(hollow, replicaSet, deployment);
      create(hollow, `Pod/of-${replicaSet.split('/')[1]}/${uid()}`, replicaSet);
    }
    const shards = await start(2, { config: { resources: [{ kinds: ['pods'], annotateWorkload: true }] } });
    using copy = new Copy(dir.file('copy.db'));
    const told = (): readonly unknown[] =>
      owners.map(([, replicaSet]) => copy.row('pods', `default/of-${replicaSet.split('/')[1]}`)?.body.metadata?.annotations?.[WORKLOAD_NAME]);
    await until('every pod names its Deployment', () =>
      isDeepStrictEqual(
        told(),
        owners.map((_, n) => `app-${n}`),
      ),
    );
    // A ReplicaSet that gets another controller is mostly of another shard than its pod.
    const adopter = `Deployment/adopter/${uid()}`;
    create(hollow, adopter);
    for (const [, replicaSet] of owners) adopt(hollow, replicaSet, adopter);
    await until('every pod names the new one', () => told().every((name) => name === 'adopter'));
    const lookUps = shards.map(({ mirror }) => mirror.workloads);
    for (const counts of lookUps) expect(counts).toMatchObject({ lookUps: { found: 0, absent: 0 } });
  },
);

test('a kind whose definition is of another shard is mirrored at once', async () => {
  hollow.splits = true;
  // In real time, in which discovery is not asked again for a minute.
  const shards = await start(2, { clock: systemClock });
  using copy = new Copy(dir.file('copy.db'));
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'boats.demo.example.com' },
    spec: { group: 'demo.example.com', scope: 'Namespaced', names: { plural: 'boats', kind: 'Boat' }, versions: [{ name: 'v1', served: true, storage: true }] },
  };
  hollow.create('customresourcedefinitions.apiextensions.k8s.io', definition);
  for (let i = 0; i < 8; i++) hollow.create('boats.demo.example.com', { metadata: { namespace: 'default', name: `boat-${i}` } });
  await copy.equals(hollow, { keysOnly: ['boats.demo.example.com'] });
  expect(shards.every(({ mirror }) => mirror.status().kinds.some(({ id }) => id === 'boats.demo.example.com'))).toBe(true);
});

test('over the storage service, which takes whatever comes: a delete that is late does not take the document of the new object', async () => {
  await using service = Object.assign(await startBcsStorage({ checksRevisions: false }), {
    async [Symbol.asyncDispose]() {
      await service.close();
    },
  });
  const url = `bcs+${service.url}`;
  await start(2, { url, config: { audit: { everySeconds: null }, resources: [{ kinds: KINDS }, { kinds: ['*'], mirror: false }] } });
  const reader = openReader(url);
  const documents = async (): Promise<readonly string[]> =>
    (await reader.list({ cluster: clusterName, kind: 'configmaps', limit: 1_000 })).map(({ key, uid }) => `${key} ${uid}`).sort();
  const truth = (): readonly string[] =>
    hollow
      .list('configmaps')
      .map(({ metadata }) => `default/${metadata?.name} ${metadata?.uid}`)
      .sort();
  for (let round = 0; round < 5; round++) {
    await until('every document is of an object that is there', async () => isDeepStrictEqual(await documents(), truth()));
    for (const key of hollow.keys('configmaps')) {
      const { metadata, ...tree } = hollow.get('configmaps', key) ?? {};
      hollow.delete('configmaps', key);
      hollow.create('configmaps', { ...tree, metadata: { namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' } });
    }
  }
  await until('every document is of an object that is there', async () => isDeepStrictEqual(await documents(), truth()));
  expect(await documents()).toHaveLength(60);
  await reader.close();
});
