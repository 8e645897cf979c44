import { expect, test } from 'vitest';
import { seedCluster } from '../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { until } from '../support/until.ts';
import { CRDS, widgetCrd, WIDGETS } from './support/widgets.ts';
import { TestMirror } from './test-mirror.ts';

/** `version` is the one that the cluster stores. */
function widget(hollow: Hollow, name: string, version = 'v1'): void {
  hollow.create(WIDGETS, { apiVersion: `example.com/${version}`, kind: 'Widget', metadata: { name, namespace: 'default' }, spec: { size: name.length } });
}

test('a CRD that comes while the mirror runs: its objects are mirrored, a version change writes all of them anew, and its end takes them away', async () => {
  await using hollow = await startHollow();
  await using mirror = await TestMirror.start(hollow);
  await mirror.ready();
  hollow.create(CRDS, widgetCrd(['v1alpha1']));
  for (const name of ['a', 'bb']) widget(hollow, name, 'v1alpha1');
  await mirror.copy.equals(hollow);
  expect(mirror.copy.rows(WIDGETS).map((row) => [row.key, row.apiVersion, row.body['apiVersion']])).toEqual([
    ['default/a', 'example.com/v1alpha1', 'example.com/v1alpha1'],
    ['default/bb', 'example.com/v1alpha1', 'example.com/v1alpha1'],
  ]);
  await mirror.ready();

  // v1 is served and preferred now, and stored.
  hollow.update(CRDS, { ...widgetCrd(['v1', 'v1alpha1'], 'v1') });
  widget(hollow, 'ccc');
  await mirror.copy.equals(hollow);
  expect(new Set(mirror.copy.rows(WIDGETS).map((row) => row.apiVersion))).toEqual(new Set(['example.com/v1']));

  // Only v1 is served: nothing changes for the copy.
  hollow.update(CRDS, { ...widgetCrd(['v1']) });
  widget(hollow, 'dddd');
  await mirror.copy.equals(hollow);

  hollow.delete(CRDS, WIDGETS);
  await mirror.copy.equals(hollow);
  expect(mirror.copy.kinds()).not.toContain(WIDGETS);
  await until('the kind is not followed any more', () => mirror.kind(WIDGETS) === undefined && mirror.app.isReady(), { everyMs: 20 });

  hollow.create(CRDS, widgetCrd(['v1']));
  widget(hollow, 'again');
  await mirror.copy.equals(hollow);
  expect(mirror.copy.row(WIDGETS, 'default/again')).toBeDefined();
}, 40_000);

test('a preferred version that is served but not stored is what the copy holds', async () => {
  await using hollow = await startHollow();
  hollow.create(CRDS, widgetCrd(['v1', 'v1beta1'], 'v1beta1'));
  widget(hollow, 'a', 'v1beta1');
  await using mirror = await TestMirror.start(hollow);
  await mirror.ready();
  await mirror.copy.equals(hollow, { stored: (tree, kind) => (kind === WIDGETS ? { ...tree, apiVersion: 'example.com/v1' } : tree) });
});

test.each(['aggregated', 'legacy'] as const)('one broken group never hides the others, and its rows stay until it is back (%s discovery)', async (form) => {
  await using hollow = await startHollow();
  seedCluster(hollow, { pods: 30, nodes: 2, namespaces: 2 });
  hollow.discovery.aggregated = form === 'aggregated';
  hollow.create(CRDS, widgetCrd(['v1']));
  widget(hollow, 'a');
  // An aggregated API that never worked, from the start.
  hollow.discovery.broken = ['metrics.example.org/v1'];
  await using mirror = await TestMirror.start(hollow);
  await mirror.ready();
  await mirror.copy.equals(hollow);
  expect(mirror.app.status().broken.map(({ groupVersion }) => groupVersion)).toEqual(['metrics.example.org/v1']);
  expect((await mirror.get('/readyz?verbose')).text).toMatch(/\[!\] metrics\.example\.org\/v1: cannot be discovered/);

  // One that worked breaks in the middle.
  hollow.discovery.broken = ['example.com/v1'];
  hollow.cutWatches('reset', WIDGETS);
  hollow.patch(CRDS, WIDGETS, { metadata: { labels: { touched: 'yes' } } });
  await until('it is known to be broken', () => mirror.app.status().broken.some(({ groupVersion }) => groupVersion === 'example.com/v1'), { everyMs: 20 });
  widget(hollow, 'bb');
  hollow.create('configmaps', { metadata: { name: 'meanwhile', namespace: 'default' } });
  await until('the others go on', () => mirror.copy.row('configmaps', 'default/meanwhile'), { everyMs: 20 });
  expect(mirror.copy.rows(WIDGETS).map(({ key }) => key)).toEqual(['default/a']);

  hollow.discovery.broken = [];
  await mirror.copy.equals(hollow);
  await until('nothing is broken', () => mirror.app.status().broken.length === 0, { everyMs: 20 });
});

test('403 on one kind from the start: the others are mirrored, readiness says so, and a grant is enough', async () => {
  await using hollow = await startHollow({ forbidden: ['services'] });
  seedCluster(hollow, { pods: 30, nodes: 2, namespaces: 2 });
  await using mirror = await TestMirror.start(hollow);
  const others = [...hollow.world.kinds()].map(({ id }) => id).filter((id) => !['services', 'secrets', 'leases.coordination.k8s.io'].includes(id));
  await mirror.copy.equals(hollow, { kinds: others });
  await until('the refusal is known', () => mirror.kind('services')?.httpStatus === 403, { everyMs: 20 });
  expect(mirror.app.isReady()).toBe(false);
  // Between two tries it is listing for a moment.
  const refused = /^\[ \] services: 0 objects, waiting, .*cannot list resource "services"/m;
  const { code, text } = await until('readiness says so', async () => [await mirror.get('/readyz')].find((answer) => refused.test(answer.text)), {
    everyMs: 5,
  });
  expect(code).toBe(503);
  expect(text).not.toMatch(/pods/);
  hollow.forbidden.clear();
  await mirror.ready();
  await mirror.copy.equals(hollow);
});

test('403 on one kind in the middle: its rows stay, the others go on, readiness tells the age', async () => {
  await using hollow = await startHollow();
  seedCluster(hollow, { pods: 30, nodes: 2, namespaces: 2 });
  await using mirror = await TestMirror.start(hollow);
  await mirror.ready();
  const pods = mirror.copy.rows('pods').map(({ key }) => key);
  hollow.forbidden.add('pods');
  hollow.cutWatches('end', 'pods');
  await until('the refusal is known', () => mirror.kind('pods')?.httpStatus === 403, { everyMs: 20 });
  for (const key of hollow.keys('pods').slice(0, 5)) hollow.delete('pods', key);
  hollow.create('configmaps', { metadata: { name: 'meanwhile', namespace: 'default' } });
  await until('the others go on', () => mirror.copy.row('configmaps', 'default/meanwhile'), { everyMs: 20 });
  expect(mirror.copy.rows('pods').map(({ key }) => key)).toEqual(pods);
  const refused = /^\[\+\] pods: 30 objects, waiting, .*cannot (list|watch) resource "pods"/m;
  const { text } = await until('readiness says so', async () => [await mirror.get('/readyz?verbose')].find((answer) => refused.test(answer.text)), {
    everyMs: 5,
  });
  expect(text).toMatch(/the copy is (current|up to)/);
  hollow.forbidden.clear();
  await mirror.copy.equals(hollow);
});
