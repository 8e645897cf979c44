import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { TestAuthority } from '../support/certificates.ts';
import { ROOT } from '../support/readme.ts';
import { run, runOk } from '../support/spawn.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { apply, configMap } from './support/ground.ts';
import { query } from './support/independent-comparison.ts';
import { MirrorProcess } from './support/mirror-process.ts';

/** Who may mirror what, on a real API server: service accounts, missing rights, bad credentials, bad certificates. */

const dir = tempDir('mirror-rights');
let plane: ControlPlane;
let mirror: MirrorProcess | null = null;

beforeAll(async () => {
  plane = await startControlPlane({ users: [{ name: 'reader' }] });
  await plane.kubectl(['create', 'serviceaccount', 'mirror']);
  await plane.kubectl(['create', 'clusterrolebinding', 'mirror', '--clusterrole=kubefold', '--serviceaccount=default:mirror', '--user=reader']);
  await apply(plane, [configMap('a', { a: '1' }), configMap('b', { b: '1' })]);
});

afterEach(async () => {
  await mirror?.child.stop(30_000);
  mirror = null;
});

afterAll(async () => {
  await plane?.close();
  dir.remove();
});

/** The role that `kubefold rbac` prints, for `args`, put into the cluster. */
async function grant(...args: readonly string[]): Promise<string> {
  const role = await runOk(process.execPath, ['src/main.ts', 'rbac', '--kubeconfig', plane.kubeconfigPath, ...args], { cwd: ROOT });
  await plane.kubectl(['apply', '-f', '-'], role);
  return role;
}

function accountToken(): Promise<string> {
  return plane.serviceAccountToken('default', 'mirror');
}

const rows = (database: string, resource: string): number =>
  query<{ readonly n: number }>(database, 'SELECT count(*) AS n FROM objects WHERE resource = ?', resource)[0]?.n ?? 0;

test('a service account with exactly the role that rbac prints for the cluster mirrors everything', async () => {
  const role = await grant('--from-cluster');
  expect(role).not.toMatch(/- secrets\b|"\*"/);
  const database = dir.file('exact.db');
  mirror = await MirrorProcess.startReady({ kubeconfig: plane.writeKubeconfig('exact', await accountToken()), database });
  await mirror.provesExact(plane);
  await apply(plane, [configMap('c', { c: '1' })]);
  const { objects } = await mirror.provesExact(plane);
  expect(objects).toBeGreaterThan(150);
  expect(mirror.child.stderr()).not.toMatch(/forbidden/i);
});

test('the role that rbac prints without a cluster is enough for the kinds it names, and a bearer token from a file is used', async () => {
  await grant('--kinds', 'configmaps,namespaces');
  writeFileSync(dir.file('token'), `${plane.token('reader')}\n`);
  const kubeconfig = dir.file('token-file.kubeconfig');
  writeFileSync(kubeconfig, plane.kubeconfig('REPLACED').replace('"token":"REPLACED"', `"tokenFile":${JSON.stringify(dir.file('token'))}`));
  const database = dir.file('named.db');
  mirror = await MirrorProcess.startReady({ kubeconfig, database, flags: ['--kinds', 'configmaps,namespaces'] });
  await apply(plane, [configMap('d', { d: '1' })]);
  const { items } = await plane.apiOk<{ readonly items: readonly unknown[] }>('/api/v1/configmaps');
  const rowsWanted = items.length;
  await until('it is stored', () => rows(database, 'configmaps') === rowsWanted);
  expect(await mirror.verify()).toMatchObject({ code: 0, differences: 0, unknown: 0, kinds: 2 });
  expect(mirror.child.stderr()).not.toMatch(/forbidden/i);
  expect(mirror.child.stderr()).not.toContain(plane.token('reader'));
});

test('a right that is taken away costs no row: the kind waits, readiness names it, the others go on, and it comes back with the right', async () => {
  const role = await grant('--from-cluster');
  const database = dir.file('refused.db');
  const kubeconfig = plane.writeKubeconfig('refused', await accountToken());
  mirror = await MirrorProcess.startReady({ kubeconfig, database });
  await mirror.provesExact(plane);
  const before = rows(database, 'configmaps');
  expect(before).toBeGreaterThan(2);
  await mirror.stop();

  await plane.kubectl(['apply', '-f', '-'], role.replace(/^ +- configmaps\n/m, ''));
  await until('the right is gone', async () => (await plane.api('/api/v1/configmaps', { token: plane.token('reader') })).status === 403);
  // What happens to the kind meanwhile must be found later.
  await plane.kubectl(['delete', 'configmap', 'a']);
  await apply(plane, [configMap('e', { e: '1' })]);
  mirror = await MirrorProcess.start({ kubeconfig, database });
  const told = await until('readiness names the kind', async () => {
    const { status, text } = (await mirror?.get('/readyz')) ?? { status: 0, text: '' };
    const open = text.split('\n').filter((line) => line.startsWith('[ ]'));
    return status === 503 && open.length === 1 && /configmaps.*forbidden/.test(text) ? text : null;
  });
  // It began with a watch, for its rows are on record as complete.
  expect(told).toMatch(/^\[ \] configmaps: .*cannot (list|watch) resource "configmaps"/m);
  await plane.kubectl(['create', 'serviceaccount', 'beside']);
  await until('another kind goes on', () => query(database, "SELECT 1 FROM objects WHERE resource = 'serviceaccounts' AND name = 'beside'").length === 1);
  expect(rows(database, 'configmaps')).toBe(before);
  expect(await mirror.verify()).toMatchObject({ code: 2, verdict: 'could not tell', differences: 0, unknown: 1 });

  // --once must not wait for a person; on a file of its own, for one file has one writer.
  const once = ['src/main.ts', 'run', '--once', '--kubeconfig', kubeconfig, '--storage', `sqlite:${dir.file('once.db')}`, '--listen', 'off'];
  const ended = await run(process.execPath, once, { cwd: ROOT, withinMs: 60_000 });
  expect([ended.code, ended.stderr]).toEqual([1, expect.stringMatching(/^kubefold: the first sync is not complete: configmaps: .*forbidden.*kubefold rbac/m)]);

  await plane.kubectl(['apply', '-f', '-'], role);
  await mirror.ready(60_000);
  await mirror.provesExact(plane);
});

test('a watch goes on when its right is taken away while it runs, and nothing is lost when the right is back', async () => {
  const role = await grant('--from-cluster');
  const database = dir.file('running.db');
  mirror = await MirrorProcess.startReady({ kubeconfig: plane.writeKubeconfig('running', await accountToken()), database });
  await plane.kubectl(['delete', 'clusterrole', 'kubefold']);
  await until('the right is gone', async () => (await plane.api('/api/v1/configmaps', { token: plane.token('reader') })).status === 403);
  await apply(plane, [configMap('f', { f: '1' })]);
  await mirror.becomesEqual(plane);
  // A new watch of every kind is now refused.
  await plane.stopApiServer('SIGKILL');
  await plane.startApiServer();
  await plane.kubectl(['delete', 'configmap', 'f']);
  await until('it is refused', async () => (await mirror?.get('/readyz?verbose'))?.text.match(/forbidden/g)?.length, { withinMs: 60_000 });
  expect(query(database, "SELECT 1 FROM objects WHERE resource = 'configmaps' AND name = 'f'")).toHaveLength(1);
  await plane.kubectl(['apply', '-f', '-'], role);
  await mirror.becomesEqual(plane, 70_000);
  await mirror.provesExact(plane);
});

test('a wrong token waits, says so without showing it, and goes on when the file holds a good one', async () => {
  await grant('--from-cluster');
  const tokenFile = dir.file('rotated');
  writeFileSync(tokenFile, 'not-a-good-token');
  const kubeconfig = dir.file('rotated.kubeconfig');
  writeFileSync(kubeconfig, plane.kubeconfig('REPLACED').replace('"token":"REPLACED"', `"tokenFile":${JSON.stringify(tokenFile)}`));
  mirror = await MirrorProcess.start({ kubeconfig, database: dir.file('rotated.db') });
  await mirror.child.printed(/"waiting for the API server"/, { on: 'stderr' });
  const { status, text } = await mirror.get('/readyz');
  expect(status).toBe(503);
  expect(text).toMatch(/401.*Unauthorized/);
  expect(mirror.child.stderr()).toMatch(/credentials|token/);
  expect(mirror.child.stderr()).not.toContain('not-a-good-token');
  writeFileSync(tokenFile, plane.token('reader'));
  await mirror.ready(90_000);
  await mirror.provesExact(plane);
});

test('a service account that is deleted is told as such, and its rows stay', async () => {
  await grant('--from-cluster');
  await plane.kubectl(['create', 'serviceaccount', 'shortlived']);
  await plane.kubectl(['create', 'clusterrolebinding', 'shortlived', '--clusterrole=kubefold', '--serviceaccount=default:shortlived']);
  const token = await plane.serviceAccountToken('default', 'shortlived');
  const kubeconfig = plane.writeKubeconfig('shortlived', token);
  const database = dir.file('shortlived.db');
  mirror = await MirrorProcess.startReady({ kubeconfig, database });
  await mirror.provesExact(plane);
  const before = rows(database, 'configmaps');
  await mirror.stop();
  await plane.kubectl(['delete', 'serviceaccount', 'shortlived']);
  // The API server remembers for 10 s that the token was good.
  await until('the token is refused', async () => (await plane.api('/api', { token })).status === 401);
  mirror = await MirrorProcess.start({ kubeconfig, database });
  await mirror.child.printed(/"waiting for the API server"/, { on: 'stderr' });
  expect((await mirror.get('/readyz')).text).toMatch(/401.*Unauthorized/);
  expect(rows(database, 'configmaps')).toBe(before);
  expect(await mirror.verify()).toMatchObject({
    code: 2,
    verdict: 'could not tell',
    stdout: expect.stringMatching(/the credentials are missing, wrong or expired/),
  });
  await mirror.stop();
});

test('a certificate that is not trusted is named, with the way out, and an orderly end is possible meanwhile', async () => {
  const authority = new TestAuthority();
  try {
    const kubeconfig = dir.file('untrusted.kubeconfig');
    const [own, other] = [Buffer.from(plane.ca).toString('base64'), authority.cert.toString('base64')];
    writeFileSync(kubeconfig, plane.kubeconfig().replace(own, other));
    mirror = await MirrorProcess.start({ kubeconfig, database: dir.file('untrusted.db') });
    await mirror.child.printed(/"waiting for the API server"/, { on: 'stderr' });
    expect((await mirror.get('/readyz')).text).toMatch(/the certificate of .* is not trusted.*certificate-authority-data/);
    expect(await mirror.verify()).toMatchObject({ code: 2, verdict: 'could not tell', stdout: expect.stringMatching(/is not trusted/) });
    const rbac = await run(process.execPath, ['src/main.ts', 'rbac', '--from-cluster', '--kubeconfig', kubeconfig], { cwd: ROOT });
    expect([rbac.code, rbac.stderr]).toEqual([1, expect.stringMatching(/^kubefold: the certificate of .* is not trusted/)]);
    await mirror.stop();
  } finally {
    authority.remove();
  }
});
