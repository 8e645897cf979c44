import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ObjectTree } from '../../src/hollow/objects.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { seedCluster } from '../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { spawn } from '../support/spawn.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { TestMirror } from './test-mirror.ts';
import { kubefold, MAIN } from '../commands/kubefold.ts';

let hollow: Hollow;
let mirror: TestMirror;
const ALL = [] as string[];
/** For tests that are about the rules: what they leave out goes, however much it is. */
const UNFENCED = { fence: { maxDeleteShare: 1 } } as const;

beforeAll(async () => {
  hollow = await startHollow();
  seedCluster(hollow, { pods: 60, nodes: 2, namespaces: 2, bytes: 1_500 });
  hollow.create('secrets', { metadata: { name: 's', namespace: 'default' }, type: 'Opaque', data: { a: 'YQ==' } });
  ALL.push(...[...hollow.world.kinds()].map(({ id }) => id).filter((id) => id !== 'secrets' && id !== 'leases.coordination.k8s.io'));
  mirror = await TestMirror.start(hollow, { follow: true });
  await mirror.ready();
});

afterAll(async () => {
  await mirror[Symbol.asyncDispose]();
  await hollow.close();
});

test('worker counts apply live, without a new list of anything', async () => {
  expect(mirror.kind('pods')?.workers).toBe(4);
  mirror.configure({ workers: { default: 2, pods: 7 } });
  await until('pods have seven workers', () => mirror.kind('pods')?.workers === 7, { everyMs: 20 });
  expect(mirror.kind('services')?.workers).toBe(2);
  expect(await mirror.metric('kubefold_lists_total{resource="pods",reason="first"}')).toBe(1);
  hollow.create('pods', { metadata: { name: 'after-workers', namespace: 'default' }, spec: { containers: [] } });
  await mirror.copy.equals(hollow);
});

test('the log level applies live', async () => {
  mirror.configure({ log: { level: 'error' } });
  await until('it is applied', () => mirror.kind('pods')?.workers === 4, { everyMs: 20 });
  const silentFrom = mirror.log.length;
  hollow.cutWatches('reset', 'pods');
  hollow.create('pods', { metadata: { name: 'silently', namespace: 'default' }, spec: { containers: [] } });
  await mirror.copy.equals(hollow);
  expect(mirror.log.slice(silentFrom)).toBe('');
  mirror.configure({});
  await until('debug is back', () => /configuration applied/.test(mirror.log.slice(silentFrom)), { everyMs: 20 });
});

test('how often the audit goes round applies live, and that it is off', async () => {
  const everySeconds = (): number | null => mirror.app.status().audit.everySeconds;
  expect(everySeconds()).toBe(300);
  mirror.configure({ audit: { everySeconds: 90 } });
  await until('a round is 90 s', () => everySeconds() === 90, { everyMs: 20 });
  mirror.configure({ audit: { everySeconds: null } });
  await until('it is off', () => everySeconds() === null, { everyMs: 20 });
  mirror.configure({});
  await until('the default is back', () => everySeconds() === 300, { everyMs: 20 });
});

test('a kind that a rule now leaves out stops and its rows go; one that a rule now asks for comes', async () => {
  mirror.configure({ ...UNFENCED, resources: [{ kinds: ['pods', '*.apps'], mirror: false }, { kinds: ['leases.coordination.k8s.io'] }] });
  const kinds = [...ALL.filter((id) => id !== 'pods' && !id.endsWith('.apps')), 'leases.coordination.k8s.io'];
  await mirror.copy.equals(hollow, { kinds });
  expect(mirror.kind('pods')).toBeUndefined();
  expect(mirror.app.status().left.find(({ id }) => id === 'pods')?.why).toMatch(/resources\[0\].*mirror: false/);
  expect((await mirror.get('/metrics')).text).not.toContain('kubefold_objects{resource="pods"}');
  await mirror.ready();
  mirror.configure({});
  await mirror.copy.equals(hollow, { kinds: ALL });
  await mirror.ready();
});

test('a rule with a selector removes what does not match, and its end brings it back', async () => {
  mirror.configure({ ...UNFENCED, resources: [{ kinds: ['pods'], names: { include: ['after-workers'] } }] });
  await mirror.copy.equals(hollow, { kinds: ALL, stored: (tree, kind) => (kind === 'pods' && tree.metadata?.name !== 'after-workers' ? null : tree) });
  mirror.configure({});
  await mirror.copy.equals(hollow, { kinds: ALL });
});

test('a mask that comes later rewrites the rows that are there, and its end as well', async () => {
  mirror.configure({ resources: [{ kinds: ['nodes'], mask: ['metadata.labels.*'] }] });
  const masked = Object.fromEntries(Object.keys(hollow.list('nodes')[0]?.metadata?.labels ?? {}).map((key) => [key, '***']));
  expect(masked).not.toEqual({});
  const stored = (tree: ObjectTree, kind: string): ObjectTree => (kind === 'nodes' ? { ...tree, metadata: { ...tree.metadata, labels: masked } } : tree);
  await mirror.copy.equals(hollow, { kinds: ALL, stored });
  mirror.configure({});
  await mirror.copy.equals(hollow, { kinds: ALL });
});

test('an invalid version is refused as a whole; log and readiness say why until a valid one comes', async () => {
  mirror.configure({ workers: { pods: 9 }, resources: [{ kinds: ['pods'], mirror: false }], wrokers: { pods: 1 } });
  const verbose = async (): Promise<string> => (await mirror.get('/readyz?verbose')).text;
  await until('it is refused', async () => /refused as a whole/.test(await verbose()), { everyMs: 20 });
  const text = await verbose();
  expect(text).toMatch(/wrokers.*did you mean "?workers/i);
  expect(text).toMatch(/^ready:/m);
  expect(mirror.log).toMatch(/"level":50.*wrokers.*a new configuration is refused as a whole/);
  expect(mirror.kind('pods')?.workers).toBe(4);
  await mirror.copy.equals(hollow, { kinds: ALL });

  mirror.configure('workers: [');
  await until('the new reason is told', async () => /not valid YAML/.test(await verbose()), { everyMs: 20 });
  mirror.configure({ workers: { pods: 5 } });
  await until('it is applied', () => mirror.kind('pods')?.workers === 5, { everyMs: 20 });
  expect(await verbose()).not.toMatch(/refused/);
});

test('what needs a restart is named in the log and changes nothing', async () => {
  const from = mirror.log.length;
  mirror.configure({ cache: { pendingBytes: '1MiB' }, workers: { pods: 6 } });
  await until('the rest is applied', () => mirror.kind('pods')?.workers === 6, { everyMs: 20 });
  expect(mirror.log.slice(from)).toMatch(/needs a restart: cache\.pendingBytes/);
  expect(mirror.app.status().configuration?.waitsForRestart).toEqual(['cache.pendingBytes']);
  expect((await mirror.get('/readyz?verbose')).text).toMatch(/in use only after a restart: cache\.pendingBytes/);
  mirror.configure({ workers: { pods: 6 } });
  await until('nothing waits any more', () => mirror.app.status().configuration?.waitsForRestart.length === 0, { everyMs: 20 });
  expect(mirror.app.status().warnings).toEqual([]);
});

test('limits apply live', async () => {
  mirror.configure({ limits: { storage: { concurrency: 1, perSecond: 1 } } });
  await until('it is applied', () => mirror.kind('pods')?.workers === 4, { everyMs: 20 });
  for (let n = 0; n < 30; n += 1) hollow.create('configmaps', { metadata: { name: `slow-${n}`, namespace: 'default' } });
  await until('the writes wait', () => (mirror.kind('configmaps')?.unsettled ?? 0) > 0, { everyMs: 2 });
  mirror.configure({});
  await mirror.copy.equals(hollow, { kinds: ALL });
});

test('namespaces that are followed one by one: the rows of those left out go, and a change of the list brings others', async () => {
  const inNamespaces = (...names: string[]) => ({
    kinds: ALL,
    stored: (tree: ObjectTree, kind: string): ObjectTree | null => (kind === 'pods' && !names.includes(tree.metadata?.namespace ?? '') ? null : tree),
  });
  mirror.configure({ ...UNFENCED, resources: [{ kinds: ['pods'], namespaces: { include: ['load-000', 'default'] } }] });
  await mirror.copy.equals(hollow, inNamespaces('load-000', 'default'));
  mirror.configure({ ...UNFENCED, resources: [{ kinds: ['pods'], namespaces: { include: ['load-001'] } }] });
  await mirror.copy.equals(hollow, inNamespaces('load-001'));
  hollow.create('pods', { metadata: { name: 'one-more', namespace: 'load-001' }, spec: { containers: [] } });
  await mirror.copy.equals(hollow, inNamespaces('load-001'));
  mirror.configure({});
  await mirror.copy.equals(hollow, { kinds: ALL });
});

test('a rule may name a kind that comes later with its CRD', async () => {
  const names = { plural: 'gadgets', singular: 'gadget', kind: 'Gadget' };
  mirror.configure({ resources: [{ kinds: ['gadgets.example.com'], mask: ['spec.token'] }] });
  await until('it warns of the kind', () => mirror.app.status().warnings.some((text) => /no kind "gadgets\.example\.com"/.test(text)), { everyMs: 20 });
  hollow.create('customresourcedefinitions.apiextensions.k8s.io', {
    metadata: { name: 'gadgets.example.com' },
    spec: { group: 'example.com', scope: 'Cluster', names, versions: [{ name: 'v1', served: true, storage: true }] },
  });
  hollow.create('gadgets.example.com', { apiVersion: 'example.com/v1', kind: 'Gadget', metadata: { name: 'a' }, spec: { token: 'canary', size: 1 } });
  await until('it is mirrored', () => mirror.copy.row('gadgets.example.com', 'a'), { everyMs: 20 });
  expect(mirror.copy.row('gadgets.example.com', 'a')?.body['spec']).toEqual({ token: '***', size: 1 });
  await until('the warning is gone', () => mirror.app.status().warnings.length === 0, { everyMs: 20 });
  hollow.delete('customresourcedefinitions.apiextensions.k8s.io', 'gadgets.example.com');
  await mirror.copy.equals(hollow, { kinds: ALL });
  mirror.configure({});
});

test('Secrets go from hashed to plain and back to nothing as rules say', async () => {
  mirror.configure({ resources: [{ kinds: ['secrets'] }] });
  const data = (): Record<string, string> | undefined => mirror.copy.row('secrets', 'default/s')?.body['data'] as Record<string, string> | undefined;
  await until('hashed', () => data(), { everyMs: 20 });
  expect(data()?.['a']).not.toBe('YQ==');
  mirror.configure({ resources: [{ kinds: ['secrets'], secrets: 'plain' }] });
  await until('plain', () => data()?.['a'] === 'YQ==', { everyMs: 20 });
  mirror.configure({ resources: [{ kinds: ['secrets'] }] });
  await until('hashed again', () => data() !== undefined && data()?.['a'] !== 'YQ==', { everyMs: 20 });
  mirror.configure({});
  await mirror.copy.equals(hollow, { kinds: ALL });
});

test('a configuration that is removed or emptied changes nothing, and says so', async () => {
  mirror.configure({ workers: { pods: 8 } });
  await until('it is applied', () => mirror.kind('pods')?.workers === 8, { everyMs: 20 });
  rmSync(mirror.dir.file('kubefold.yaml'));
  await until('its absence is told', () => mirror.app.status().warnings.some((text) => /there is no such file/.test(text)), { everyMs: 20 });
  mirror.configure('');
  await until('its emptiness is told', () => mirror.app.status().warnings.some((text) => /has become empty/.test(text)), { everyMs: 20 });
  expect(mirror.kind('pods')?.workers).toBe(8);
  mirror.configure({});
  await until('all is well', () => mirror.kind('pods')?.workers === 4 && mirror.app.status().warnings.length === 0, { everyMs: 20 });
});

test('an end while the rows of a kind are being removed slowly takes no longer than the grace', async () => {
  await using other = await TestMirror.start(hollow, { follow: true, config: { shutdown: { graceSeconds: 5 } } });
  await other.ready();
  other.configure({
    ...UNFENCED,
    shutdown: { graceSeconds: 5 },
    limits: { storage: { concurrency: 1, perSecond: 1 } },
    resources: [{ kinds: ['pods'], mirror: false }],
  });
  await until('rows are being removed', () => /removing the rows of a kind/.test(other.log) && (other.kind('pods')?.unsettled ?? 0) > 0, { everyMs: 5 });
  const startMs = systemClock.now();
  await other.stop();
  expect(systemClock.now() - startMs).toBeLessThan(5_000);
});

test('the real program follows a mounted ConfigMap through the swap of ..data', async () => {
  using dir = tempDir('configmap');
  const publish = (version: string, text: string): void => {
    mkdirSync(dir.file(version));
    writeFileSync(dir.file(`${version}/kubefold.yaml`), text);
    symlinkSync(version, dir.file('..data_tmp'));
    renameSync(dir.file('..data_tmp'), dir.file('..data'));
  };
  publish('..1', 'workers: { pods: 3 }\n');
  symlinkSync('..data/kubefold.yaml', dir.file('kubefold.yaml'));
  writeFileSync(dir.file('kubeconfig'), hollow.kubeconfig());
  const args = [
    'run',
    '--kubeconfig',
    dir.file('kubeconfig'),
    '--config',
    dir.file('kubefold.yaml'),
    '--storage',
    `sqlite:${dir.file('db')}`,
    '--listen',
    '127.0.0.1:0',
    '--log-format',
    'json',
  ];
  await using child = spawn(process.execPath, [MAIN, ...args]);
  const [, url = ''] = await child.printed(/"status":"([^"]+)"/, { on: 'stderr' });
  const workers = async (): Promise<number> => {
    const status = (await (await fetch(`${url}/status.json`)).json()) as { readonly kinds: readonly { readonly id: string; readonly workers: number }[] };
    return status.kinds.find(({ id }) => id === 'pods')?.workers ?? 0;
  };
  await until('the first version is in use', async () => (await workers()) === 3, { everyMs: 50 });
  publish('..2', 'workers: { pods: 5 }\n');
  await until('the second version is in use', async () => (await workers()) === 5, { everyMs: 50 });
  publish('..3', 'workers: { pods: 0 }\n');
  await child.printed(/workers\.pods.*refused as a whole/, { on: 'stderr' });
  expect(await workers()).toBe(5);
  expect((await child.stop()).code).toBe(0);
  expect((await kubefold(['verify', '--kubeconfig', dir.file('kubeconfig'), '--storage', `sqlite:${dir.file('db')}`])).code).toBe(0);
});
