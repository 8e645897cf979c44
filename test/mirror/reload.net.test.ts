import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
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

test('a kind that a rule now leaves out stops and its rows go; one that a rule now asks for comes', async () => {
  mirror.configure({ resources: [{ kinds: ['pods', '*.apps'], mirror: false }, { kinds: ['leases.coordination.k8s.io'] }] });
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
  mirror.configure({ resources: [{ kinds: ['pods'], names: { include: ['after-workers'] } }] });
  await mirror.copy.equals(hollow, { kinds: ALL, stored: (tree, kind) => (kind === 'pods' && tree.metadata?.name !== 'after-workers' ? null : tree) });
  mirror.configure({});
  await mirror.copy.equals(hollow, { kinds: ALL });
});

test('a mask that comes later rewrites the rows that are there, and its end as well', async () => {
  mirror.configure({ resources: [{ kinds: ['nodes'], mask: ['metadata.labels.*'] }] });
  const masked = Object.fromEntries(Object.keys(hollow.list('nodes')[0]?.metadata?.labels ?? {}).map((key) => [key, '***']));
  expect(masked).not.toEqual({});
  const stored = (tree: Parameters<NonNullable<Parameters<typeof mirror.copy.differences>[1]>['stored'] & object>[0], kind: string): typeof tree =>
    kind === 'nodes' ? { ...tree, metadata: { ...tree.metadata, labels: masked } } : tree;
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
});

test('limits apply live', async () => {
  mirror.configure({ limits: { storage: { concurrency: 1, perSecond: 1 } } });
  await until('it is applied', () => mirror.kind('pods')?.workers === 4, { everyMs: 20 });
  for (let n = 0; n < 30; n += 1) hollow.create('configmaps', { metadata: { name: `slow-${n}`, namespace: 'default' } });
  await until('the writes wait', () => (mirror.kind('configmaps')?.unsettled ?? 0) > 0, { everyMs: 2 });
  mirror.configure({});
  await mirror.copy.equals(hollow, { kinds: ALL });
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
