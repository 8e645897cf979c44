import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import { seededRandom } from '../../src/kit/random.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { ROOT } from '../support/readme.ts';
import { runOk } from '../support/spawn.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { apply, applyCrd, configMap, crd } from './support/ground.ts';
import { query } from './support/independent-comparison.ts';
import { type MirrorOptions, MirrorProcess } from './support/mirror-process.ts';
import { makeConfigMaps, PlaneChurn } from './support/plane-churn.ts';
import { TcpGate } from './support/tcp-gate.ts';

/**
 * What an operator, a network and a cluster do to a running kubefold, on a real control plane: rights and credentials that go and come back, a bad road,
 * a black hole, an API that breaks, an etcd restored or wiped. interruptions.cluster.test.ts has what ends and comes back whole. Each case ends with
 * the independent comparison and with verify. Those that take the history away come last: rights and accounts go with it.
 */

const MAPS = 300;
const seed = Number(process.env['KUBEFOLD_SEED'] ?? systemClock.wall() % 2 ** 32);

const dir = tempDir('mirror-faults');
const database = dir.file('copy.db');
const tokenFile = dir.file('token');
let plane: ControlPlane;
let gate: TcpGate;
let churn: PlaneChurn;
let options: MirrorOptions;
let mirror: MirrorProcess;
/** As `kubefold rbac` prints it for the cluster. */
let role: string;

beforeAll(async () => {
  plane = await startControlPlane({ apiServerFlags: ['--etcd-compaction-interval=0'], users: [{ name: 'reader' }] });
  await applyCrd(plane, crd('boats', 'Boat', { scope: 'Namespaced', versions: ['v1'] }));
  await apply(
    plane,
    [1, 2, 3].map((n) => ({ apiVersion: 'demo.example.com/v1', kind: 'Boat', metadata: { name: `boat-${n}` }, spec: { n } })),
  );
  await makeConfigMaps(plane, MAPS, (n) => `map-${n}`);
  role = await runOk(process.execPath, ['src/main.ts', 'rbac', '--kubeconfig', plane.kubeconfigPath, '--from-cluster'], { cwd: ROOT });
  await plane.kubectl(['apply', '-f', '-'], role);
  await plane.kubectl(['create', 'serviceaccount', 'mirror']);
  await plane.kubectl(['create', 'clusterrolebinding', 'mirror', '--clusterrole=kubefold', '--serviceaccount=default:mirror', '--user=reader']);
  gate = await TcpGate.open(Number(new URL(plane.url).port));
  const kubeconfig = dir.file('kubeconfig');
  writeFileSync(tokenFile, plane.token('reader'));
  writeFileSync(kubeconfig, gate.kubeconfig(plane.kubeconfig('REPLACED').replace('"token":"REPLACED"', `"tokenFile":${JSON.stringify(tokenFile)}`)));
  // The audit would mend what is to be found here; what the fence holds has tests of its own.
  writeFileSync(dir.file('kubefold.yaml'), 'audit: { everySeconds: null }\nfence: { maxDeleteShare: 1 }\n');
  options = { kubeconfig, database, flags: ['--config', dir.file('kubefold.yaml')] };
  churn = new PlaneChurn(plane, seededRandom(seed));
  mirror = await MirrorProcess.startReady(options);
});

afterEach(async () => {
  await churn?.stop();
  gate?.become({});
});

afterAll(async () => {
  await mirror?.child.stop(30_000);
  await gate?.[Symbol.asyncDispose]();
  await plane?.close();
  dir.remove();
});

const rows = (resource: string, where = '1 = 1'): number =>
  query<{ readonly n: number }>(database, `SELECT count(*) AS n FROM objects WHERE resource = ? AND ${where}`, resource)[0]?.n ?? 0;
const isStored = (name: string): boolean => rows('configmaps', `name = '${name}'`) === 1;

/** How many seconds until a config map created now is stored. */
async function secondsUntilStored(name: string): Promise<number> {
  const startMs = systemClock.now();
  await apply(plane, [configMap(name, {})]);
  await until(`${name} is stored`, () => isStored(name), { withinMs: 60_000, everyMs: 50 });
  return (systemClock.now() - startMs) / 1000;
}

/** The watches end, and are asked for again at once. */
async function reconnect(): Promise<void> {
  await gate.cut();
  await gate.mend();
}

/** A fresh process, so that the pauses of the case before are forgotten. */
async function startAnew(): Promise<void> {
  await mirror.stop();
  mirror = await MirrorProcess.startReady(options);
  await mirror.watchesAll();
}

const MAPS_PATH = '/api/v1/namespaces/default/configmaps';

test('the right to one kind is taken away while it runs: nothing of the kind is deleted, the others go on, and it comes back by itself', async () => {
  await mirror.provesExact(plane);
  const before = rows('configmaps');
  await plane.kubectl(['apply', '-f', '-'], role.replace(/^ +- configmaps\n/m, ''));
  await until('the right is gone', async () => (await plane.api('/api/v1/configmaps', { token: plane.token('reader') })).status === 403);
  await reconnect();
  await until('the kind is refused', async () => /configmaps: .*forbidden/.test((await mirror.get('/readyz?verbose')).text), { withinMs: 60_000 });
  for (const n of [1, 2, 3]) await plane.apiOk(`${MAPS_PATH}/map-${n}`, { method: 'DELETE' });
  await apply(plane, [configMap('unseen', {}), { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'beside' } }]);
  await until('another kind goes on', () => rows('serviceaccounts', "name = 'beside'") === 1, { withinMs: 60_000 });
  expect(rows('configmaps')).toBe(before);
  expect(await mirror.verify()).toMatchObject({ code: 2, differences: 0, unknown: 1 });
  await plane.kubectl(['apply', '-f', '-'], role);
  await mirror.becomesEqual(plane, 70_000);
  await mirror.provesExact(plane);
});

test('a token that is not taken any more: nothing is deleted, readiness says why, and another in its file is found without a restart', async () => {
  // As good as expired: it is bound to a Secret, and ends with it. The shortest life that an API server gives to a token is ten minutes.
  await apply(plane, [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'life-of-token' } }]);
  const { status } = await plane.apiOk<{ readonly status: { readonly token: string } }>('/api/v1/namespaces/default/serviceaccounts/mirror/token', {
    method: 'POST',
    body: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: 600, boundObjectRef: { apiVersion: 'v1', kind: 'Secret', name: 'life-of-token' } },
    },
  });
  writeFileSync(tokenFile, status.token);
  await startAnew();
  const before = rows('configmaps');
  await plane.kubectl(['delete', 'secret', 'life-of-token']);
  // The API server remembers for 10 s that it was good.
  await until('the token is refused', async () => (await plane.api('/api', { token: status.token })).status === 401);
  await reconnect();
  await until('every kind is refused', async () => /configmaps: .*401/.test((await mirror.get('/readyz?verbose')).text), { withinMs: 30_000 });
  await plane.apiOk(`${MAPS_PATH}/map-10`, { method: 'DELETE' });
  await apply(plane, [configMap('while-refused', {})]);
  expect(rows('configmaps')).toBe(before);
  writeFileSync(tokenFile, plane.token('reader'));
  await mirror.becomesEqual(plane, 70_000);
  await mirror.provesExact(plane);
  expect(mirror.child.stderr()).not.toContain(status.token);
});

test('an aggregated API that breaks keeps its rows, also over a restart of kubefold, and is followed again when it is back', async () => {
  await startAnew();
  const path = '/apis/apiregistration.k8s.io/v1/apiservices/v1.demo.example.com';
  const apiService = await plane.apiOk<{ readonly metadata: object; readonly spec: object }>(path);
  const boats = rows('boats');
  expect(boats).toBeGreaterThanOrEqual(3);
  // Without its label nobody puts it right again.
  const body = {
    ...apiService,
    metadata: { ...apiService.metadata, labels: {} },
    spec: { ...apiService.spec, service: { namespace: 'default', name: 'nobody' }, insecureSkipTLSVerify: true },
  };
  await plane.apiOk(path, { method: 'PUT', body });
  await until('it is broken', async () => (await plane.api('/apis/demo.example.com/v1/boats')).status === 503);
  await until('kubefold knows', async () => (await mirror.get('/readyz?verbose')).text.includes('[!] demo.example.com/v1: cannot be discovered'));
  await reconnect();
  expect(await secondsUntilStored('beside-the-broken-api')).toBeLessThan(30);
  expect(await mirror.verify()).toMatchObject({ code: 2, differences: 0, unknown: 1 });
  await mirror.stop();
  mirror = await MirrorProcess.start(options);
  expect(await secondsUntilStored('after-a-start-beside-the-broken-api')).toBeLessThan(30);
  // A second look at discovery would find a kind that is gone to be gone.
  await until('discovery was asked again', async () => (await mirror.get('/readyz?verbose')).text.includes('[!] demo.example.com/v1: cannot be discovered'));
  expect(rows('boats')).toBe(boats);
  await plane.apiOk(path, { method: 'DELETE' });
  await until('it is back', async () => (await plane.api('/apis/demo.example.com/v1/boats')).status === 200);
  await apply(plane, [{ apiVersion: 'demo.example.com/v1', kind: 'Boat', metadata: { name: 'boat-after' } }]);
  await mirror.becomesEqual(plane, 60_000);
  await mirror.provesExact(plane);
});

test('a road that cuts, delays, splits and stalls loses nothing', async () => {
  await startAnew();
  churn.start();
  for (let n = 0; n < 5; n += 1) {
    await systemClock.sleep(300);
    await reconnect();
  }
  gate.become({ delayMs: 40 });
  await systemClock.sleep(2_000);
  gate.become({ pieceBytes: 7 });
  await systemClock.sleep(2_000);
  // A start has the most to read.
  await using other = await MirrorProcess.start({ ...options, database: dir.file('other.db') });
  await other.ready(60_000);
  gate.become({ stalled: true });
  await systemClock.sleep(5_000);
  await reconnect();
  gate.become({ pieceBytes: 100, delayMs: 1 });
  await systemClock.sleep(2_000);
  gate.become({});
  await churn.stop();
  await mirror.becomesEqual(plane, 60_000);
  await mirror.provesExact(plane);
  await other.provesExact(plane);
});

test('an API server that is a black hole for a minute is waited for: freshness says so, a start waits too, and then both are exact', async () => {
  await startAnew();
  churn.start();
  await until('there is churn', () => churn.changes > 20);
  const heard = (): Promise<number> => mirror.metric('kubefold_heard_timestamp_seconds', 'resource="configmaps"');
  plane.pauseApiServer();
  let late: MirrorProcess | null = null;
  try {
    await systemClock.sleep(2_000);
    const before = await heard();
    late = await MirrorProcess.start({ ...options, database: dir.file('late.db') });
    await systemClock.sleep(58_000);
    expect(await heard()).toBe(before);
    expect(systemClock.wall() / 1000 - before).toBeGreaterThan(55);
    expect((await mirror.get('/livez')).status).toBe(200);
    expect((await late.get('/livez')).status).toBe(200);
    expect((await late.get('/readyz')).status).toBe(503);
  } finally {
    plane.resumeApiServer();
  }
  await churn.stop();
  expect(await secondsUntilStored('after-the-black-hole')).toBeLessThan(40);
  await mirror.provesExact(plane);
  await late.ready(60_000);
  await late.provesExact(plane);
  await late.stop();
});

/** Changes that a backup made before knows nothing of. */
async function changeMuch(batch: string): Promise<void> {
  for (let n = 20; n < 30; n += 1) {
    await plane.apiOk(`${MAPS_PATH}/map-${n}`, { method: 'DELETE' });
    await plane.apiOk(`${MAPS_PATH}/map-${n + 20}`, { method: 'PATCH', body: { data: { after: 'the backup' } } });
    await plane.apiOk(`${MAPS_PATH}/map-${n + 40}`, { method: 'DELETE' });
    await plane.apiOk(MAPS_PATH, { method: 'POST', body: configMap(`map-${n + 40}`, { replaced: 'after the backup' }) });
  }
  await makeConfigMaps(plane, 20, (n) => `lost-${batch}-${n}`);
}

/** From now on as the administrator, whose rights are in no etcd. */
async function becomeAdmin(): Promise<void> {
  writeFileSync(tokenFile, plane.adminToken);
  await startAnew();
}

test('an etcd restored from a backup while kubefold watches: what was lost goes, and what is old again is taken although it is older', async () => {
  await becomeAdmin();
  const backup = plane.backUpEtcd();
  await changeMuch('a');
  await mirror.provesExact(plane);
  const lists = await mirror.metric('kubefold_lists_total', 'resource="configmaps"', 'reason="regressed"');
  await plane.restoreEtcd(backup);
  await mirror.becomesEqual(plane, 90_000);
  await mirror.provesExact(plane);
  expect(await mirror.metric('kubefold_lists_total', 'resource="configmaps"', 'reason="regressed"')).toBeGreaterThan(lists);
  expect(rows('configmaps', "name LIKE 'lost-%'")).toBe(0);
  expect(await secondsUntilStored('after-the-restore')).toBeLessThan(10);
  await mirror.provesExact(plane);
});

test('an etcd restored from a backup while kubefold is down: the next start does not go on from its watermark', async () => {
  await startAnew();
  const backup = plane.backUpEtcd();
  await changeMuch('b');
  await mirror.provesExact(plane);
  await mirror.stop();
  await plane.restoreEtcd(backup);
  await apply(plane, [configMap('made-after-the-restore', {})]);
  mirror = await MirrorProcess.startReady(options);
  await mirror.provesExact(plane);
  expect(rows('configmaps', "name LIKE 'lost-%'")).toBe(0);
});

test('an etcd wiped while kubefold is down: the next start replaces the copy', async () => {
  await mirror.stop();
  await plane.wipeEtcd();
  await makeConfigMaps(plane, 5, (n) => `new-world-${n}`);
  mirror = await MirrorProcess.startReady(options);
  await mirror.provesExact(plane);
  expect(rows('configmaps', "name LIKE 'map-%'")).toBe(0);
  expect(await mirror.metric('kubefold_lists_total', 'resource="configmaps"', 'reason="regressed"')).toBe(1);
  expect(await secondsUntilStored('after-the-wipe')).toBeLessThan(10);
  await mirror.provesExact(plane);
});
