import { readFileSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seedCluster } from '../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { until } from '../support/until.ts';
import { TestMirror } from './test-mirror.ts';

let hollow: Hollow;
let mirror: TestMirror;

beforeAll(async () => {
  hollow = await startHollow();
  seedCluster(hollow, { pods: 120, nodes: 4, namespaces: 3, bytes: 2_000 });
  hollow.create('events', { metadata: { name: 'pulled', namespace: 'default' }, involvedObject: { kind: 'Pod', name: 'x' }, reason: 'Pulled', type: 'Normal' });
  hollow.create('secrets', { metadata: { name: 'login', namespace: 'default' }, type: 'Opaque', data: { password: 'Y2FuYXJ5LXdlcnQ=' } });
  mirror = await TestMirror.start(hollow);
  await mirror.ready();
});

afterAll(async () => {
  await mirror[Symbol.asyncDispose]();
  await hollow.close();
});

test('when the first sync counts as complete, every object is in the file, each as the cluster has it', () => {
  expect(mirror.copy.differences(hollow)).toEqual([]);
  expect(mirror.copy.rows('pods')).toHaveLength(120);
});

test('no row carries managedFields', () => {
  expect(hollow.list('pods')[0]?.metadata?.managedFields).toBeDefined();
  expect(mirror.copy.all("SELECT count(*) AS n FROM objects WHERE body LIKE '%managedFields%'")).toEqual([{ n: 0 }]);
});

test('the body answers to the JSON functions of SQLite', () => {
  const rows = mirror.copy.all("SELECT body ->> '$.status.phase' AS phase, count(*) AS pods FROM objects WHERE resource = 'pods' GROUP BY phase");
  expect(rows.reduce((sum, row) => sum + Number(row['pods']), 0)).toBe(120);
  for (const { phase } of rows) expect(phase).toBeTypeOf('string');
});

describe('changes while it runs', () => {
  test('a new, a changed, a deleted and a recreated object', async () => {
    hollow.create('configmaps', {
      metadata: { name: 'one', namespace: 'default' },
      data: { a: '1', unicode: 'größer 🙂 \u2028', quoted: '"metadata":{"name":"x"}' },
    });
    await mirror.copy.equals(hollow);
    const first = mirror.copy.row('configmaps', 'default/one');
    hollow.patch('configmaps', 'default/one', { data: { a: '2' } });
    await mirror.copy.equals(hollow);
    expect(mirror.copy.row('configmaps', 'default/one')?.body['data']).toMatchObject({ a: '2' });
    hollow.delete('configmaps', 'default/one');
    hollow.create('configmaps', { metadata: { name: 'one', namespace: 'default' }, data: { a: '3' } });
    await mirror.copy.equals(hollow);
    expect(mirror.copy.row('configmaps', 'default/one')?.uid).not.toBe(first?.uid);
    hollow.delete('configmaps', 'default/one');
    await mirror.copy.equals(hollow);
    expect(mirror.copy.row('configmaps', 'default/one')).toBeUndefined();
  });

  test('a burst on one object ends with its newest state, in fewer writes than changes', async () => {
    hollow.create('configmaps', { metadata: { name: 'hot', namespace: 'default' }, data: { n: '0' } });
    await mirror.copy.equals(hollow);
    const before = mirror.copy.writes('configmaps');
    for (let n = 1; n <= 500; n += 1) hollow.patch('configmaps', 'default/hot', { data: { n: String(n) } });
    await mirror.copy.equals(hollow);
    expect(mirror.copy.row('configmaps', 'default/hot')?.body['data']).toEqual({ n: '500' });
    expect(mirror.copy.writes('configmaps') - before).toBeLessThan(100);
  });

  test('a namespace takes all that is in it', async () => {
    hollow.create('namespaces', { metadata: { name: 'short-lived' } });
    for (let n = 0; n < 20; n += 1) hollow.create('configmaps', { metadata: { name: `cm-${n}`, namespace: 'short-lived' } });
    await mirror.copy.equals(hollow);
    hollow.delete('namespaces', 'short-lived');
    await mirror.copy.equals(hollow);
    expect(mirror.copy.all("SELECT name FROM objects WHERE namespace = 'short-lived'")).toEqual([]);
  });

  test('an object of 1.5 MB and a name of 253 characters', async () => {
    const name = `${'n'.repeat(125)}.${'m'.repeat(127)}`;
    hollow.create('configmaps', { metadata: { name, namespace: 'default' }, data: { large: 'ü'.repeat(750_000) } });
    await mirror.copy.equals(hollow);
    expect(mirror.copy.row('configmaps', `default/${name}`)?.text.length).toBeGreaterThan(750_000);
    hollow.delete('configmaps', `default/${name}`);
    await mirror.copy.equals(hollow);
  });
});

test('events, which two groups serve, are mirrored once', async () => {
  hollow.create('events', {
    metadata: { name: 'killed', namespace: 'default' },
    involvedObject: { kind: 'Pod', name: 'x' },
    reason: 'Killing',
    type: 'Normal',
  });
  await mirror.copy.equals(hollow);
  expect(mirror.copy.kinds().filter((kind) => kind.startsWith('events'))).toEqual(['events']);
  expect(mirror.kind('events.events.k8s.io')).toBeUndefined();
  expect(mirror.copy.all('SELECT uid FROM objects GROUP BY uid HAVING count(*) > 1')).toEqual([]);
});

test('Secrets and Leases are left out by default, with the reason in the status, and no Secret value is in file or log', () => {
  expect(mirror.copy.kinds()).not.toContain('secrets');
  expect(mirror.copy.kinds()).not.toContain('leases.coordination.k8s.io');
  const left = new Map(mirror.app.status().left.map(({ id, why }) => [id, why]));
  expect(left.get('secrets')).toMatch(/off by default/);
  expect(left.get('leases.coordination.k8s.io')).toMatch(/off by default/);
  for (const name of readdirSync(mirror.dir.path)) expect(readFileSync(mirror.dir.file(name), 'latin1'), name).not.toContain('Y2FuYXJ5LXdlcnQ');
  expect(mirror.log).not.toContain('Y2FuYXJ5LXdlcnQ');
});

test('a heartbeat of a node is not worth a write, a change of its condition is', async () => {
  const [key = ''] = hollow.keys('nodes');
  const status = structuredClone(hollow.get('nodes', key)?.['status']) as { conditions: { type: string; status: string; lastHeartbeatTime: string }[] };
  const writes = mirror.copy.writes('nodes');
  const quiet = mirror.kind('nodes')?.watermark ?? '';
  for (let beat = 0; beat < 20; beat += 1) {
    for (const condition of status.conditions) condition.lastHeartbeatTime = `2026-01-01T00:00:${String(beat).padStart(2, '0')}Z`;
    hollow.setStatus('nodes', key, status);
  }
  const last = hollow.get('nodes', key)?.metadata?.resourceVersion ?? '';
  await until('the heartbeats were heard', () => BigInt(mirror.kind('nodes')?.watermark ?? '0') >= BigInt(last), { everyMs: 10 });
  expect(BigInt(last)).toBeGreaterThan(BigInt(quiet));
  expect(mirror.copy.writes('nodes')).toBe(writes);
  const [condition] = status.conditions;
  if (condition !== undefined) condition.status = 'Unknown';
  hollow.setStatus('nodes', key, status);
  await mirror.copy.equals(hollow);
  expect(mirror.copy.writes('nodes')).toBe(writes + 1);
});
