import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { ObjectTree } from '../../src/hollow/objects.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { until } from '../support/until.ts';
import { TestMirror, type TestMirrorOptions } from './test-mirror.ts';

/** A mirror of the kinds that its rules name, and nothing else. */
async function mirrored(
  seed: (hollow: Hollow) => void,
  config: object,
  options: TestMirrorOptions = {},
): Promise<{ hollow: Hollow; mirror: TestMirror } & AsyncDisposable> {
  const hollow = await startHollow();
  seed(hollow);
  const mirror = await TestMirror.start(hollow, { ...options, config });
  await mirror.ready();
  return {
    hollow,
    mirror,
    async [Symbol.asyncDispose]() {
      await mirror[Symbol.asyncDispose]();
      await hollow.close();
    },
  };
}

function configMap(hollow: Hollow, name: string, more: { namespace?: string; labels?: Record<string, string>; data?: Record<string, string> } = {}): void {
  const { namespace = 'default', labels = {}, data = {} } = more;
  hollow.create('configmaps', { metadata: { name, namespace, labels }, data });
}

const keys = (mirror: TestMirror, kind: string): readonly string[] => mirror.copy.rows(kind).map(({ key }) => key);

/** Every file of the mirror's folder (database, log of the database, lock), and what it logged. */
function traces(mirror: TestMirror): string {
  const files = readdirSync(mirror.dir.path).filter((name) => name !== 'kubeconfig');
  return files.map((name) => readFileSync(mirror.dir.file(name), 'latin1')).join('\n') + mirror.log;
}

test('a mask hides values before file and log; the rest of the object stays', async () => {
  const canary = 'canary-4711';
  await using pair = await mirrored((hollow) => configMap(hollow, 'masked', { data: { token: canary, open: 'yes' } }), {
    kinds: ['configmaps'],
    resources: [{ kinds: ['configmaps'], mask: ['data.token'] }],
  });
  const { hollow, mirror } = pair;
  hollow.patch('configmaps', 'default/masked', { data: { open: 'still', token: `${canary}-2` } });
  const stored = (tree: ObjectTree): ObjectTree => ({ ...tree, data: { ...(tree['data'] as object), token: '***' } });
  await mirror.copy.equals(hollow, { kinds: ['configmaps'], stored });
  await mirror.stop();
  expect(traces(mirror)).not.toContain(canary);
});

test.each([
  ['a mask', 'configmaps', {}, { mask: ['data.token'] }],
  ['hashed Secrets instead of plain ones', 'secrets', { secrets: 'plain' }, {}],
] as const)('%s that came while nothing ran: no old value is left in a row, each was written once, and then nothing is', async (_, kind, before, after) => {
  const value = Buffer.from('canary-4712').toString('base64');
  const config = (rule: object): object => ({ kinds: [kind], resources: [{ kinds: [kind], ...rule }] });
  await using pair = await mirrored((hollow) => {
    for (let n = 0; n < 300; n += 1) hollow.create(kind, { metadata: { name: `n${n}`, namespace: 'default' }, data: { token: value } });
  }, config(before));
  const { hollow, mirror } = pair;
  const open = ({ copy }: TestMirror): number => copy.rows(kind).filter(({ text }) => text.includes(value)).length;
  expect({ open: open(mirror), writes: mirror.copy.writes() }).toEqual({ open: 300, writes: 300 });
  await mirror.stop();
  await using second = await TestMirror.start(hollow, { dir: mirror.dir, config: config(after) });
  await second.ready();
  expect({ open: open(second), rows: second.copy.rows(kind).length, writes: second.copy.writes() }).toEqual({ open: 0, rows: 300, writes: 600 });
  await second.stop();
  await using third = await TestMirror.start(hollow, { dir: mirror.dir, config: config(after) });
  await third.ready();
  expect({ open: open(third), writes: third.copy.writes() }).toEqual({ open: 0, writes: 600 });
});

test('Secrets that a rule asks for are stored with keyed hashes, and no value of theirs is in any file or log', async () => {
  const values = { password: Buffer.from('canary-wert-0815').toString('base64'), empty: '' };
  await using pair = await mirrored(
    (hollow) =>
      hollow.create('secrets', {
        metadata: {
          name: 'login',
          namespace: 'default',
          annotations: { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({ data: values }) },
        },
        type: 'Opaque',
        data: values,
      }),
    { kinds: ['secrets'] },
  );
  const { hollow, mirror } = pair;
  const hash = (): string => String((mirror.copy.row('secrets', 'default/login')?.body['data'] as Record<string, string> | undefined)?.['password']);
  const first = hash();
  expect(first).toMatch(/.{16,}/);
  expect(first).not.toContain(values.password);
  hollow.patch('secrets', 'default/login', { metadata: { labels: { touched: 'yes' } } });
  await until('the new label is stored', () => mirror.copy.row('secrets', 'default/login')?.body.metadata?.labels?.['touched'] === 'yes', { everyMs: 10 });
  expect(hash()).toBe(first);
  hollow.patch('secrets', 'default/login', { data: { password: Buffer.from('canary-wert-0816').toString('base64') } });
  await until('another value has another hash', () => hash() !== first, { everyMs: 10 });
  await mirror.stop();
  const all = traces(mirror);
  for (const secret of ['canary-wert', values.password.slice(0, -4)]) expect(all.includes(secret), secret).toBe(false);
});

test('an object that stops matching a label selector is removed, and is back when it matches again', async () => {
  await using pair = await mirrored(
    (hollow) => {
      configMap(hollow, 'kept', { labels: { tier: 'web' } });
      configMap(hollow, 'scratch', { labels: { tier: 'scratch' } });
    },
    { kinds: ['configmaps'], resources: [{ kinds: ['configmaps'], labels: 'tier!=scratch' }] },
  );
  const { hollow, mirror } = pair;
  expect(keys(mirror, 'configmaps')).toEqual(['default/kept']);
  hollow.patch('configmaps', 'default/kept', { metadata: { labels: { tier: 'scratch' } } });
  hollow.patch('configmaps', 'default/scratch', { metadata: { labels: { tier: 'web' } } });
  await until('they have changed places', () => String(keys(mirror, 'configmaps')) === 'default/scratch', { everyMs: 10 });
  hollow.patch('configmaps', 'default/kept', { metadata: { labels: { tier: null } } });
  await mirror.copy.equals(hollow, { kinds: ['configmaps'] });
});

test.each([
  ['that the server evaluates', 'spec.nodeName!=', { spec: { nodeName: 'node-1' } }],
  ['that only we can evaluate', 'spec.priority!=', { spec: { priority: 'high' } }],
] as const)('a field selector %s keeps what matches and removes what stops matching', async (_, fields, patch) => {
  await using pair = await mirrored(
    (hollow) => {
      for (const name of ['a', 'b']) hollow.create('pods', { metadata: { name, namespace: 'default' }, spec: { containers: [] } });
      hollow.patch('pods', 'default/a', patch);
    },
    { kinds: ['pods'], resources: [{ kinds: ['pods'], fields }] },
  );
  const { hollow, mirror } = pair;
  expect(keys(mirror, 'pods')).toEqual(['default/a']);
  hollow.patch('pods', 'default/b', patch);
  await mirror.copy.equals(hollow, { kinds: ['pods'] });
  const [field = ''] = Object.keys(patch.spec);
  hollow.patch('pods', 'default/a', { spec: { [field]: null } });
  await until('the other one is gone', () => String(keys(mirror, 'pods')) === 'default/b', { everyMs: 10 });
});

test.each([
  ['include, each scope followed on its own', { include: ['team-a', 'team-b'] }, ['team-a', 'team-b']],
  ['include with a glob', { include: ['team-*'] }, ['team-a', 'team-b']],
  ['exclude', { exclude: ['team-b', 'kube-*'] }, ['default', 'team-a', 'zone']],
])('namespaces: %s', async (_, namespaces, expected) => {
  const all = ['default', 'team-a', 'team-b', 'zone', 'kube-system'];
  await using pair = await mirrored(
    (hollow) => {
      for (const name of ['team-a', 'team-b', 'zone']) hollow.create('namespaces', { metadata: { name } });
      for (const namespace of all) configMap(hollow, 'first', { namespace });
    },
    { kinds: ['configmaps'], resources: [{ kinds: ['configmaps'], namespaces }] },
  );
  const { hollow, mirror } = pair;
  for (const namespace of all) configMap(hollow, 'later', { namespace });
  const stored = (tree: ObjectTree): ObjectTree | null => (expected.includes(tree.metadata?.namespace ?? '') ? tree : null);
  await mirror.copy.equals(hollow, { kinds: ['configmaps'], stored });
  for (const namespace of all) hollow.delete('configmaps', `${namespace}/first`);
  await mirror.copy.equals(hollow, { kinds: ['configmaps'], stored });
  expect(keys(mirror, 'configmaps')).toEqual(expected.map((namespace) => `${namespace}/later`));
});

test('names: excluded ones, by name and by glob, never reach the copy', async () => {
  await using pair = await mirrored((hollow) => configMap(hollow, 'kube-root-ca.crt'), {
    kinds: ['configmaps'],
    resources: [{ kinds: ['configmaps'], names: { exclude: ['kube-root-ca.crt', 'tmp-*'] } }],
  });
  const { hollow, mirror } = pair;
  configMap(hollow, 'tmp-1');
  configMap(hollow, 'wanted');
  await until('the wanted one is there', () => keys(mirror, 'configmaps').includes('default/wanted'), { everyMs: 10 });
  expect(keys(mirror, 'configmaps')).toEqual(['default/wanted']);
});

test('ignoreChanges: a change only there is not written, but any other brings it along', async () => {
  await using pair = await mirrored((hollow) => configMap(hollow, 'one', { data: { noise: '0', value: '0' } }), {
    kinds: ['configmaps'],
    resources: [{ kinds: ['configmaps'], ignoreChanges: ['data.noise'] }],
  });
  const { hollow, mirror } = pair;
  expect(mirror.copy.writes('configmaps')).toBe(1);
  for (let n = 1; n <= 20; n += 1) hollow.patch('configmaps', 'default/one', { data: { noise: String(n) } });
  const last = BigInt(hollow.revision);
  await until('the noise was heard', () => BigInt(mirror.kind('configmaps')?.watermark ?? '0') >= last, { everyMs: 10 });
  expect(mirror.copy.writes('configmaps')).toBe(1);
  hollow.patch('configmaps', 'default/one', { data: { value: '1' } });
  await mirror.copy.equals(hollow, { kinds: ['configmaps'] });
  expect(mirror.copy.writes('configmaps')).toBe(2);
});

test('minIntervalSeconds: writes of one object keep their distance, and the newest state is stored in the end', async () => {
  const clock = systemClock;
  await using pair = await mirrored(
    (hollow) => configMap(hollow, 'hot'),
    { kinds: ['configmaps'], resources: [{ kinds: ['configmaps'], minIntervalSeconds: 0.4 }] },
    { clock },
  );
  const { hollow, mirror } = pair;
  const start = clock.now();
  for (let n = 0; clock.now() - start < 1_000; n += 1) {
    hollow.patch('configmaps', 'default/hot', { data: { n: String(n) } });
    await clock.sleep(10);
  }
  await mirror.copy.equals(hollow, { kinds: ['configmaps'] });
  const times = mirror.copy.all('SELECT written_at FROM changes ORDER BY seq').map((row) => Number(row['written_at']));
  expect(times.length).toBeGreaterThanOrEqual(3);
  expect(times.length).toBeLessThanOrEqual(5);
  // The distance is kept from settling to taking; the times are of the statement in between, so a few milliseconds are allowed.
  for (let index = 1; index < times.length; index += 1) expect((times[index] ?? 0) - (times[index - 1] ?? 0)).toBeGreaterThanOrEqual(380);
});

test('--namespace and --kinds narrow what the rules leave, cluster-scoped kinds go unless they are named', async () => {
  const seed = (hollow: Hollow): void => {
    hollow.create('namespaces', { metadata: { name: 'team-a' } });
    for (const namespace of ['default', 'team-a']) configMap(hollow, 'x', { namespace });
  };
  await using narrow = await mirrored(seed, {}, { flags: { namespaces: ['team-a'] } });
  expect(narrow.mirror.copy.kinds()).toEqual(['configmaps']);
  expect(keys(narrow.mirror, 'configmaps')).toEqual(['team-a/x']);
  expect(narrow.mirror.app.status().left.find(({ id }) => id === 'nodes')?.why).toMatch(/cluster-scoped, and namespaces/);
  await using named = await mirrored(seed, {}, { flags: { namespaces: ['team-a'], kinds: ['cm', 'Namespace'] } });
  expect(named.mirror.copy.kinds()).toEqual(['configmaps', 'namespaces']);
  expect(keys(named.mirror, 'namespaces')).toContain('default');
  expect(
    named.mirror.app
      .status()
      .kinds.map(({ id }) => id)
      .sort(),
  ).toEqual(['configmaps', 'namespaces']);
});
