import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { apply, applyCrd, configMap, crd, deployment, podsRun, populate } from './support/ground.ts';
import { compareEveryObject, query } from './support/independent-comparison.ts';
import { MirrorProcess } from './support/mirror-process.ts';

/**
 * kubefold as a process on a real control plane whose nodes are simulated: one mirror lives through all cases in order. Each
 * ends with provesExact(): an independent comparison of every object, and kubefold verify.
 */

const dir = tempDir('mirror-changes');
const database = dir.file('copy.db');
let plane: ControlPlane;
let mirror: MirrorProcess;

beforeAll(async () => {
  plane = await startControlPlane({ nodes: 5 });
  await populate(plane);
  // PodTemplates change slowly here, so that the folding of a burst can be seen; everything else is as by default.
  writeFileSync(dir.file('kubefold.yaml'), 'resources:\n  - kinds: [podtemplates]\n    minIntervalSeconds: 1\n');
  mirror = await MirrorProcess.startReady({ kubeconfig: plane.kubeconfigPath, database, flags: ['--config', dir.file('kubefold.yaml')] });
});

afterAll(async () => {
  const exit = await mirror?.child.stop(30_000);
  await plane?.close();
  dir.remove();
  expect(exit?.code, exit?.stderr.slice(-3_000)).toBe(0);
});

const count = (resource: string, where = '1 = 1'): number =>
  query<{ readonly n: number }>(database, `SELECT count(*) AS n FROM objects WHERE resource = ? AND ${where}`, resource)[0]?.n ?? 0;

const bodyOf = <T>(resource: string, name: string): T | null => {
  const [row] = query<{ readonly body: string }>(database, 'SELECT body FROM objects WHERE resource = ? AND name = ?', resource, name);
  return row === undefined ? null : (JSON.parse(row.body) as T);
};

const patch = (path: string, body: object): Promise<unknown> => plane.apiOk(path, { method: 'PATCH', body });

test('existing state is mirrored exactly, every kind of it', async () => {
  const { kinds, objects } = await mirror.provesExact(plane);
  expect(kinds).toBeGreaterThan(45);
  expect(objects).toBeGreaterThan(200);
  expect(count('clusterroles', "name LIKE '%:%'")).toBeGreaterThan(20);
  for (const resource of ['apiservices', 'flowschemas', 'customresourcedefinitions', 'nodes', 'endpointslices', 'events', 'islands', 'boats']) {
    expect(count(resource), resource).toBeGreaterThan(0);
  }
  expect([count('secrets'), count('leases')]).toEqual([0, 0]);
  const secretText = query<{ readonly n: number }>(database, "SELECT count(*) AS n FROM objects WHERE body LIKE '%must not be stored%'");
  expect(secretText[0]?.n).toBe(0);
});

test('an object that is unchanged is not written again when its node only sends heartbeats', async () => {
  const before = await mirror.metric('kubefold_storage_writes_total', 'resource="nodes"', 'outcome="written"');
  const heartbeat = {
    status: {
      conditions: [
        { type: 'Ready', status: 'True', reason: 'x', message: 'y', lastHeartbeatTime: '2030-01-01T00:00:00Z', lastTransitionTime: '2026-01-01T00:00:00Z' },
      ],
    },
  };
  // Twice: the first may bring more than a heartbeat.
  await plane.apiOk('/api/v1/nodes/hollow-1/status', { method: 'PATCH', body: heartbeat });
  await mirror.becomesEqual(plane);
  const between = await mirror.metric('kubefold_storage_writes_total', 'resource="nodes"', 'outcome="written"');
  await plane.kubectl(['annotate', 'node', 'hollow-2', 'a=1']);
  await mirror.provesExact(plane);
  const after = await mirror.metric('kubefold_storage_writes_total', 'resource="nodes"', 'outcome="written"');
  expect(between - before).toBeLessThan(10);
  expect(after).toBeGreaterThan(between);
});

test('a rollout of 200 pods is followed to the last status', async () => {
  await apply(plane, [deployment('web', 200, { image: 'one', graceSeconds: 0 })]);
  await patch('/apis/apps/v1/namespaces/default/deployments/web', { spec: { strategy: { rollingUpdate: { maxSurge: '100%' } } } });
  await podsRun(plane, 'web', 200);
  await mirror.provesExact(plane);
  expect(count('pods', "body ->> '$.spec.containers[0].image' = 'one'")).toBe(200);
  await plane.kubectl(['set', 'image', 'deployment/web', 'c=two']);
  await plane.kubectl(['rollout', 'status', 'deployment/web', '--timeout=100s']);
  await podsRun(plane, 'web', 200);
  await mirror.provesExact(plane);
  expect(count('pods', "body ->> '$.spec.containers[0].image' = 'two'")).toBe(200);
  expect(count('pods', "body ->> '$.spec.containers[0].image' = 'one'")).toBe(0);
});

test('a deployment scaled down to nothing leaves no rows of its pods', async () => {
  await plane.kubectl(['scale', 'deployment/web', '--replicas=0']);
  await podsRun(plane, 'web', 0);
  await mirror.provesExact(plane);
  expect(count('pods', "body ->> '$.metadata.labels.app' = 'web'")).toBe(0);
});

test('a namespace deleted with all that is in it leaves no rows', async () => {
  await plane.kubectl(['create', 'namespace', 'doomed']);
  const maps = Array.from({ length: 60 }, (_, i) => configMap(`m${i}`, { i: String(i) }, 'doomed'));
  await apply(plane, [
    ...maps,
    { apiVersion: 'demo.example.com/v1', kind: 'Boat', metadata: { name: 'b', namespace: 'doomed' } },
    deployment('app', 20, { namespace: 'doomed', graceSeconds: 0 }),
  ]);
  await plane.kubectl(['-n', 'doomed', 'create', 'role', 'a:b', '--verb=get', '--resource=pods']);
  await podsRun(plane, 'app', 20, 'doomed');
  await mirror.becomesEqual(plane);
  const inside = (): number => query<{ readonly n: number }>(database, "SELECT count(*) AS n FROM objects WHERE namespace = 'doomed'")[0]?.n ?? 0;
  expect(inside()).toBeGreaterThan(100);
  await plane.kubectl(['delete', 'namespace', 'doomed', '--timeout=60s']);
  await mirror.provesExact(plane);
  expect(inside()).toBe(0);
});

test('an object deleted and created again under the same name is the new one', async () => {
  await apply(plane, [configMap('phoenix', { life: '1' })]);
  await until('it is stored', () => bodyOf('configmaps', 'phoenix') !== null);
  for (let life = 2; life <= 20; life += 1) {
    await plane.apiOk('/api/v1/namespaces/default/configmaps/phoenix', { method: 'DELETE' });
    await plane.apiOk('/api/v1/namespaces/default/configmaps', { method: 'POST', body: configMap('phoenix', { life: String(life) }) });
  }
  await mirror.provesExact(plane);
  expect(bodyOf<{ readonly data: object }>('configmaps', 'phoenix')?.data).toEqual({ life: '20' });
});

test('a custom kind is followed from its definition over a new version to its end', async () => {
  await applyCrd(plane, crd('kites', 'Kite', { scope: 'Namespaced', versions: ['v1'] }));
  const kite = (i: number, version = 'v1'): object => ({
    apiVersion: `demo.example.com/${version}`,
    kind: 'Kite',
    metadata: { name: `k${i}`, namespace: 'default' },
    spec: { i },
  });
  await apply(
    plane,
    Array.from({ length: 30 }, (_, i) => kite(i)),
  );
  await mirror.provesExact(plane);
  expect(count('kites')).toBe(30);

  await plane.kubectl(['patch', 'boats.demo.example.com', 'ground', '--type=merge', '-p', '{"spec":{"sails":3}}']);
  await plane.kubectl(['delete', 'kites.demo.example.com', 'k0', 'k1', 'k2']);
  await mirror.provesExact(plane);
  expect(count('kites')).toBe(27);

  // A higher version becomes the preferred one: every row shows its object in it, at an unchanged revision.
  const both = crd('kites', 'Kite', { scope: 'Namespaced', versions: ['v1', 'v2'] }) as { readonly spec: object };
  await patch('/apis/apiextensions.k8s.io/v1/customresourcedefinitions/kites.demo.example.com', { spec: both.spec });
  await until('v2 is served', async () => (await plane.api('/apis/demo.example.com/v2/kites')).status === 200);
  await apply(plane, [kite(100, 'v2')]);
  await mirror.provesExact(plane);
  expect(count('kites', "api_version = 'demo.example.com/v2'")).toBe(28);

  await plane.kubectl(['delete', 'crd', 'kites.demo.example.com', '--timeout=30s']);
  await until('its rows are gone', () => count('kites') === 0);
  await mirror.provesExact(plane);
  const scopes = query<{ readonly n: number }>(database, "SELECT count(*) AS n FROM scopes WHERE resource = 'kites'");
  expect(scopes[0]?.n).toBe(0);

  // The same name again, with another scope.
  await applyCrd(plane, crd('kites', 'Kite', { scope: 'Cluster', versions: ['v3'] }));
  await apply(plane, [{ apiVersion: 'demo.example.com/v3', kind: 'Kite', metadata: { name: 'high' } }]);
  await mirror.provesExact(plane);
  expect(count('kites', "namespace = ''")).toBe(1);
});

test('50 updates a second on one object end with the newest stored, and where a rule spaces writes with few of them', async () => {
  const templates = '/api/v1/namespaces/default/podtemplates/ground';
  const maps = '/api/v1/namespaces/default/configmaps/hot';
  await apply(plane, [configMap('hot', { i: '0' })]);
  await mirror.becomesEqual(plane);
  const writesOf = async (resource: string): Promise<number> => mirror.metric('kubefold_storage_writes_total', `resource="${resource}"`, 'outcome="written"');
  const before = [await writesOf('configmaps'), await writesOf('podtemplates')] as const;
  const start = performance.now();
  const updates = 200;
  for (let i = 1; i <= updates; i += 1) {
    await Promise.all([patch(maps, { data: { i: String(i) } }), patch(templates, { metadata: { annotations: { i: String(i) } } })]);
    const ahead = i * 20 - (performance.now() - start);
    if (ahead > 0) await new Promise((resolve) => setTimeout(resolve, ahead));
  }
  const seconds = (performance.now() - start) / 1000;
  await mirror.provesExact(plane);
  expect(bodyOf<{ readonly data: object }>('configmaps', 'hot')?.data).toEqual({ i: String(updates) });
  expect(bodyOf<{ readonly metadata: { readonly annotations: object } }>('podtemplates', 'ground')?.metadata.annotations).toEqual({ i: String(updates) });
  expect((await writesOf('configmaps')) - before[0]).toBeLessThanOrEqual(updates);
  const spaced = (await writesOf('podtemplates')) - before[1];
  expect(spaced).toBeLessThanOrEqual(Math.ceil(seconds) + 2);
  expect(spaced).toBeGreaterThanOrEqual(2);
});

test('a broken aggregated API hides no other kind, and nothing of its group is concluded', async () => {
  const name = 'v1.broken.example.com';
  const service = { namespace: 'default', name: 'nobody' };
  await apply(plane, [
    {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name },
      spec: { group: 'broken.example.com', version: 'v1', service, insecureSkipTLSVerify: true, groupPriorityMinimum: 100, versionPriority: 100 },
    },
  ]);
  await apply(plane, [configMap('beside', { a: 'broken API' })]);
  await mirror.becomesEqual(plane);
  const told = await until('readiness names it', async () => {
    const { status, text } = await mirror.get('/readyz?verbose');
    return text.includes('[!] broken.example.com/v1: cannot be discovered') ? status : null;
  });
  expect(told).toBe(200);
  expect(await mirror.verify()).toMatchObject({ code: 2, differences: 0, unknown: 1 });
  await plane.kubectl(['delete', 'apiservice', name]);
  await mirror.provesExact(plane);
});

test('both comparisons see a row that is missing, one too many, another content and another revision', async () => {
  await mirror.provesExact(plane);
  const tampered = dir.file('tampered.db');
  query(database, 'VACUUM INTO ?', tampered);
  const db = new DatabaseSync(tampered);
  db.exec(`
    DELETE FROM objects WHERE resource = 'configmaps' AND name = 'large';
    INSERT INTO objects SELECT cluster, api_group, resource, namespace, 'ghost', api_version, kind, uid, resource_version, hash, epoch, written_at,
      json_set(body, '$.metadata.name', 'ghost') FROM objects WHERE name = 'kube-root-ca.crt' AND namespace = 'default';
    UPDATE objects SET body = json_set(body, '$.data.empty', 'full') WHERE resource = 'configmaps' AND name = 'unusual';
    UPDATE objects SET resource_version = '1', body = json_set(body, '$.metadata.resourceVersion', '1')
      WHERE resource = 'configmaps' AND name = 'kube-root-ca.crt' AND namespace = 'kube-system';
  `);
  db.close();
  // The cluster itself may move on meanwhile, but no config map of it does.
  const { differences } = await compareEveryObject(plane, tampered);
  expect(differences.filter((text) => text.includes('configmaps')).toSorted()).toEqual([
    expect.stringMatching(/^configmaps default unusual: the body differs at \.data\.empty: found "full", must be ""$/),
    expect.stringMatching(/^configmaps kube-system kube-root-ca\.crt: the body differs at \.metadata\.resourceVersion/),
    expect.stringMatching(/^no row: configmaps default large/),
    expect.stringMatching(/^surplus row: configmaps default ghost/),
  ]);
  const verify = await mirror.verify(tampered);
  expect(verify).toMatchObject({ code: 1, verdict: 'different' });
  const drifts = [...verify.stdout.matchAll(/"kind":"configmaps".*?"drift":"(\w+)"/g)].map((match) => match[1]);
  expect(drifts.toSorted()).toEqual(['body', 'missing', 'revision', 'surplus']);
});
