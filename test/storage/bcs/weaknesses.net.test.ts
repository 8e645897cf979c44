import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { adopt, create, workloadIn } from '../../mirror/support/owned.ts';
import { until } from '../../support/until.ts';
import { BcsWorld, documentPath, type Running, SMALL } from './bcs-world.ts';

/* Weaknesses of the old program (table 4.1 of its specification) of which the whole program is to show that it has them not. The table: weaknesses.ts. */

const WIDGETS = 'widgets.example.com';
const CRDS = 'customresourcedefinitions.apiextensions.k8s.io';

let world: BcsWorld;
beforeEach(async () => {
  world = await BcsWorld.start();
});
afterEach(() => world[Symbol.asyncDispose]());

function crd(versions: readonly string[], scope = 'Namespaced'): Record<string, unknown> {
  return {
    metadata: { name: WIDGETS },
    spec: {
      group: 'example.com',
      scope,
      names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
      versions: versions.map((name, index) => ({ name, served: true, storage: index === 0, schema: { openAPIV3Schema: { type: 'object' } } })),
    },
  };
}

function widget(key: string, more: { readonly version?: string; readonly labels?: Record<string, string>; readonly spec?: object } = {}): void {
  const [namespace, name] = key.includes('/') ? key.split('/') : [undefined, key];
  const { version = 'v1', labels = {}, spec = {} } = more;
  const metadata = { name: name ?? '', ...(namespace === undefined ? {} : { namespace }), labels };
  world.hollow.create(WIDGETS, { apiVersion: `example.com/${version}`, kind: 'Widget', metadata, spec });
}

const put = (path: string, data: object): Promise<Response> => world.rest(path, { method: 'PUT', body: JSON.stringify({ data }) });
const failing = (methods: readonly string[] = ['PUT', 'DELETE']): (() => void) =>
  world.service.faults.add({ effect: { type: 'status', status: 503 }, methods });

async function metrics(one: Running): Promise<string> {
  return await (await fetch(`${one.app.url}/metrics`)).text();
}

describe('what was lost', () => {
  test('4.1 #1, #27: while the service takes nothing, 7,200 changes of 120 objects wait as 120 keys, each with at most one body, and all of them arrive', async () => {
    const one = await world.mirror();
    await one.ready();
    const mend = failing();
    for (let round = 1; round <= 60; round++) world.change(SMALL.pods, round);
    await until('all changes were received', () => one.app.changes() >= 60 * SMALL.pods, { everyMs: 5 });
    expect(one.kind('pods')?.unsettled).toBe(SMALL.pods);
    expect(one.app.status().pendingBytes).toBeLessThan(1024 * 1024);
    const before = world.objects().length;
    mend();
    await world.exact();
    // Not one write for each change: the newest state of each key.
    expect(world.objects().length - before).toBeLessThan(3 * SMALL.pods);
  });

  test('4.1 #2: puts of the first sync and deletes that the service refuses for long are done when it takes them again', async () => {
    const mend = failing();
    const one = await world.mirror();
    await until('it is known that the service takes nothing', () => one.app.status().storage.open);
    const gone = world.hollow.keys('pods').slice(0, 20);
    for (const key of gone) world.hollow.delete('pods', key);
    expect(world.objects()).toEqual([]);
    mend();
    await world.exact();
    const again = failing();
    for (const key of world.hollow.keys('pods').slice(0, 20)) world.hollow.delete('pods', key);
    await until('the deletes wait', () => (one.kind('pods')?.unsettled ?? 0) > 0, { everyMs: 5 });
    again();
    await world.exact();
    expect(one.app.isReady()).toBe(true);
  });

  test('4.1 #5: documents of a CRD that was deleted while nobody looked go, with those of its namespace', async () => {
    const kinds = ['pods', 'namespaces', WIDGETS];
    world.hollow.create(CRDS, crd(['v1']));
    for (const name of ['a', 'b']) widget(`default/${name}`);
    const first = await world.mirror({ kinds });
    await world.exact(WIDGETS);
    await first.ready();
    await first.stop();
    world.hollow.delete(CRDS, WIDGETS);
    const second = await world.mirror({ kinds });
    await until(
      'the documents are gone',
      async () => (await world.document('default/a', 'Widget')) === null && (await world.document('default/b', 'Widget')) === null,
    );
    await second.ready();
  });

  test('4.1 #10: a list after an expired watch writes no document of an unchanged object, whatever its managedFields are', async () => {
    const one = await world.mirror({ listen: '127.0.0.1:0' });
    await one.ready();
    const before = world.objects().length;
    // Other kinds move the history on, and what the pods' watch would go on from is compacted away.
    for (let number = 0; number < 50; number++) world.hollow.create('configmaps', { metadata: { name: `c${number}`, namespace: 'default' } });
    world.hollow.patch('pods', world.hollow.keys('pods')[0] ?? '', { metadata: { labels: { seen: 'yes' } } });
    world.hollow.cutWatches('reset', 'pods');
    world.hollow.compact();
    await until('the kind was listed anew', async () =>
      /kubefold_lists_total\{[^}]*resource="pods"[^}]*reason="expired"[^}]*\} [1-9]|kubefold_lists_total\{[^}]*reason="expired"[^}]*resource="pods"[^}]*\} [1-9]/.test(
        await metrics(one),
      ),
    );
    await world.exact();
    await one.ready();
    expect(world.objects().length - before).toBe(1);
  });
});

describe('what was written for nothing', () => {
  test('4.1 #11: heartbeats of nodes, with other times in their managedFields each, are 0 writes; a condition that changes is one', async () => {
    const one = await world.mirror();
    await one.ready();
    const [key = ''] = world.hollow.keys('nodes');
    const nodes = (): number => world.objects().filter(({ key: at }) => at.includes('/Node/')).length;
    const before = nodes();
    type Condition = { type: string; status: string; lastHeartbeatTime: string };
    const { conditions } = structuredClone(world.hollow.get('nodes', key)?.['status']) as { conditions: Condition[] };
    expect(conditions.length).toBeGreaterThan(0);
    for (let beat = 0; beat < 50; beat++) {
      const time = `2026-01-01T00:00:${String(beat).padStart(2, '0')}Z`;
      for (const condition of conditions) condition.lastHeartbeatTime = time;
      const managedFields = [{ manager: 'kubelet', operation: 'Update', apiVersion: 'v1', time, fieldsType: 'FieldsV1', fieldsV1: {}, subresource: 'status' }];
      world.hollow.patch('nodes', key, { metadata: { managedFields } });
      world.hollow.patch('nodes', key, { status: { conditions } }, 'status');
    }
    const last = world.hollow.get('nodes', key)?.metadata?.resourceVersion ?? '';
    await until('the heartbeats were heard', () => BigInt(one.kind('nodes')?.watermark ?? '0') >= BigInt(last), { everyMs: 10 });
    expect(nodes()).toBe(before);
    const [first] = conditions;
    if (first !== undefined) first.status = 'Unknown';
    world.hollow.patch('nodes', key, { status: { conditions } }, 'status');
    await until('the change is written', () => nodes() > before, { everyMs: 10 });
    await one.ready();
    expect(nodes()).toBe(before + 1);
  });
});

describe('what made it crash or hang', () => {
  test('4.1 #18: documents and events of somebody else without metadata are left alone, said, and crash nothing', async () => {
    await put(documentPath('default/odd', 'Pod'), {});
    await put(documentPath('default/null', 'Pod'), { metadata: null });
    await world.rest('/events', { method: 'PUT', body: JSON.stringify({ clusterId: 'prod', data: {} }) });
    const one = await world.mirror({ kinds: ['pods', 'events', 'namespaces'] });
    await one.ready();
    await world.exact();
    expect(await world.document('default/odd')).not.toBeNull();
    expect(one.log()).toContain('have no uid and revision, are left alone');
    await one.stop();
  });

  test('4.1 #19, #33: a CRD that comes, changes its version or its scope, and goes while other kinds are written is followed, and disturbs none', async () => {
    const one = await world.mirror({ kinds: ['pods', 'namespaces', WIDGETS] });
    await one.ready();
    world.service.faults.setLatency(5, 20);
    const busy = (round: number): void => world.change(SMALL.pods, round);
    busy(1);
    world.hollow.create(CRDS, crd(['v1alpha1']));
    widget('default/a', { version: 'v1alpha1' });
    busy(2);
    await until('the first version is stored', async () => (await world.document('default/a', 'Widget'))?.data['apiVersion'] === 'example.com/v1alpha1');
    busy(3);
    world.hollow.update(CRDS, crd(['v1', 'v1alpha1']));
    await until('the preferred version is stored', async () => (await world.document('default/a', 'Widget'))?.data['apiVersion'] === 'example.com/v1');
    busy(4);
    world.hollow.delete(CRDS, WIDGETS);
    await until('its documents are gone', async () => (await world.document('default/a', 'Widget')) === null);
    busy(5);
    world.hollow.create(CRDS, crd(['v1'], 'Cluster'));
    widget('wide');
    await until('the cluster-scoped one is stored', async () => (await world.document('wide', 'Widget')) !== null);
    await world.exact();
    expect(one.log()).not.toMatch(/"level":"?(error|50)/);
  }, 60_000);

  test('4.1 #21: a set-based selector, a broken discovery of CRDs and a service whose lists fail for long end nothing: it degrades, and says what', async () => {
    world.hollow.discovery.broken = ['apiextensions.k8s.io/v1'];
    const mend = world.service.faults.add({ effect: { type: 'status', status: 500 }, methods: ['GET'] });
    const [key = '', other = ''] = world.hollow.keys('pods');
    world.hollow.patch('pods', key, { metadata: { labels: { tier: 'front' } } });
    world.hollow.patch('pods', other, { metadata: { labels: { tier: 'scratch' } } });
    const one = await world.mirror({ resources: [{ kinds: ['pods'], labels: 'tier in (front, back)' }] });
    await until('the service is known to fail', () => one.log().includes('answered HTTP 500'));
    expect(one.app.isReady()).toBe(false);
    mend();
    await one.ready();
    expect([...(await world.stored()).keys()]).toEqual([key]);
    expect(one.app.status().broken.map(({ groupVersion }) => groupVersion)).toEqual(['apiextensions.k8s.io/v1']);
  });

  test('4.1 #22: a kind that cannot be listed holds up no other, and readiness names it until it can', async () => {
    world.hollow.forbidden.add('nodes');
    const one = await world.mirror({ listen: '127.0.0.1:0' });
    await world.exact();
    await until('the refusal is known', () => one.kind('nodes')?.httpStatus === 403, { everyMs: 10 });
    const readiness = async (): Promise<{ code: number; text: string }> => {
      const answer = await fetch(`${one.app.url}/readyz`);
      return { code: answer.status, text: await answer.text() };
    };
    await until('readiness says so', async () => {
      const { code, text } = await readiness();
      return code === 503 && /nodes: .*cannot list resource "nodes"/.test(text) && !/pods/.test(text);
    });
    world.hollow.forbidden.clear();
    await one.ready();
    expect((await readiness()).code).toBe(200);
  });

  test('4.1 #23: one broken aggregated API hides no other kind, and is discovered again when it works', async () => {
    world.hollow.create('deployments.apps', { metadata: { name: 'web', namespace: 'default' }, spec: {} });
    world.hollow.discovery.broken = ['apps/v1', 'metrics.example.org/v1'];
    const one = await world.mirror({ kinds: ['*'] });
    await one.ready();
    await world.exact();
    await world.exact('nodes');
    await world.exact('services');
    expect(one.kind('deployments.apps')).toBeUndefined();
    world.hollow.discovery.broken = [];
    await until('the deployment is stored', async () => (await world.document('default/web', 'Deployment')) !== null, { withinMs: 20_000 });
    expect(one.app.status().broken).toEqual([]);
  });
});

describe('what was not the same for all kinds', () => {
  test('4.1 #32: filters of namespaces, names and labels and masks hold for custom resources too, and their documents of others stay', async () => {
    world.hollow.create(CRDS, crd(['v1']));
    widget('default/kept', { labels: { agent: 'ours' }, spec: { token: 'geheim', size: 1 } });
    widget('default/named', { labels: { agent: 'ours' } });
    widget('kube-system/hidden', { labels: { agent: 'ours' } });
    widget('default/theirs', { labels: { agent: 'theirs' } });
    const rule = { kinds: [WIDGETS], namespaces: { exclude: ['kube-system'] }, names: { exclude: ['named'] }, labels: 'agent=ours', mask: ['spec.token'] };
    const one = await world.mirror({ kinds: [WIDGETS, 'namespaces'], resources: [rule] });
    await one.ready();
    expect([...(await world.stored(WIDGETS)).keys()]).toEqual(['default/kept']);
    expect((await world.document('default/kept', 'Widget'))?.data['spec']).toEqual({ token: '***', size: 1 });
  });
});

describe('what was never refreshed', () => {
  test('4.1 #34: the workload that a Pod names is resolved anew when its ReplicaSet arrives, and when that changes its owner', async () => {
    create(world.hollow, 'Pod/web-1-a', 'ReplicaSet/web-1');
    const one = await world.mirror({ kinds: ['pods', 'replicasets.apps', 'deployments.apps', 'namespaces'] });
    const isOf = (workload: string): Promise<unknown> =>
      until(`it names ${workload}`, async () => workloadIn((await world.document('default/web-1-a'))?.data ?? {}) === workload);
    await isOf('ReplicaSet/web-1');
    create(world.hollow, 'Deployment/web');
    create(world.hollow, 'ReplicaSet/web-1', 'Deployment/web');
    await isOf('Deployment/web');
    create(world.hollow, 'Deployment/blue');
    adopt(world.hollow, 'ReplicaSet/web-1', 'Deployment/blue');
    await isOf('Deployment/blue');
    await one.ready();
  });
});

describe('what nobody could see', () => {
  test('4.1 #28: metrics and status walk over no objects: counts are kept, not made', async () => {
    await world[Symbol.asyncDispose]();
    const PODS = 3_000;
    world = await BcsWorld.start({ ...SMALL, pods: PODS, bytes: 100 });
    const one = await world.mirror({ listen: '127.0.0.1:0' });
    await one.ready();
    const walked: number[] = [];
    const restore = watchWalks((size) => void walked.push(size));
    try {
      one.app.status();
      one.app.isReady();
      expect(await metrics(one)).toMatch(new RegExp(`kubefold_objects\\{[^}]*resource="pods"[^}]*\\} ${PODS}\\b`));
    } finally {
      restore();
    }
    expect(walked.length).toBeGreaterThan(0);
    expect(Math.max(...walked)).toBeLessThan(PODS);
  });

  test('4.1 #29: a write is no log line, and one that fails is told without its object', async () => {
    const [key = ''] = world.hollow.keys('pods');
    world.hollow.patch('pods', key, { metadata: { annotations: { token: 'geheim-4711' } } });
    const one = await world.mirror();
    await one.ready();
    const lines = (): number => one.log().split('\n').length;
    const before = lines();
    for (let round = 1; round <= 5; round++) {
      world.change(SMALL.pods, round);
      await world.exact();
    }
    expect(lines() - before).toBeLessThan(20);
    const mend = failing();
    world.service.faults.add({ effect: { type: 'status', status: 413, body: 'text' }, methods: ['PUT'], path: `/Pod/${key.split('/')[1]}` });
    world.hollow.patch('pods', key, { metadata: { annotations: { token: 'geheim-4712' } } });
    await until('the failure is told', () => one.app.status().storage.error !== null || (one.kind('pods')?.parked ?? 0) > 0);
    mend();
    await until('the object is parked', () => one.kind('pods')?.parked === 1);
    expect(one.log()).not.toContain('geheim');
    expect(JSON.stringify(one.app.status())).not.toContain('geheim');
  });

  test('4.1 #30: nothing of the running program but what is promised is served: no profiles', async () => {
    const one = await world.mirror({ listen: '127.0.0.1:0' });
    for (const path of ['/debug/pprof/', '/debug/pprof/heap', '/debug/pprof/profile?seconds=1', '/debug/vars', '/json/list'])
      expect((await fetch(`${one.app.url}${path}`)).status, path).toBe(404);
  });

  test('4.1 #35: how old the oldest change is that is not stored, how long changes took, and which object was refused', async () => {
    const one = await world.mirror({ listen: '127.0.0.1:0' });
    await one.ready();
    const mend = failing();
    world.change(1, 1);
    const pending = async (): Promise<number> =>
      Number(/^kubefold_oldest_pending_seconds\{[^}]*resource="pods"[^}]*\} ([0-9.]+)/m.exec(await metrics(one))?.[1] ?? 0);
    await until('it is 4 s old', async () => (await pending()) > 4);
    mend();
    await world.exact();
    await until('nothing is pending', async () => (await pending()) === 0);
    const buckets = [
      ...(await metrics(one)).matchAll(
        /^kubefold_change_to_stored_seconds_bucket\{[^}]*le="([0-9.]+)"[^}]*resource="pods"|^kubefold_change_to_stored_seconds_bucket\{[^}]*resource="pods"[^}]*le="([0-9.]+)"/gm,
      ),
    ];
    expect(Math.max(...buckets.map(([, before, after]) => Number(before ?? after)))).toBeGreaterThan(3);
    const [key = ''] = world.hollow.keys('pods');
    world.service.faults.add({ effect: { type: 'status', status: 413, body: 'text' }, methods: ['PUT'], path: `/Pod/${key.split('/')[1]}` });
    world.hollow.patch('pods', key, { metadata: { labels: { large: 'yes' } } });
    await until('it is parked', () => one.kind('pods')?.parked === 1);
    expect(one.kind('pods')?.firstParked).toMatchObject({ key, error: expect.stringContaining('too large') });
  });
});

/** Tells the size of every map and set that anybody walks over. Returns how to take that away. */
function watchWalks(onWalk: (size: number) => void): () => void {
  const undo: (() => void)[] = [];
  for (const prototype of [Map.prototype, Set.prototype] as const) {
    for (const name of ['keys', 'values', 'entries', 'forEach', Symbol.iterator] as const) {
      const own = Object.getOwnPropertyDescriptor(prototype, name) as PropertyDescriptor;
      const walk = own.value as (...args: unknown[]) => unknown;
      Object.defineProperty(prototype, name, {
        ...own,
        value: function (this: Map<unknown, unknown>, ...args: unknown[]) {
          onWalk(this.size);
          return walk.apply(this, args);
        },
      });
      undo.push(() => Object.defineProperty(prototype, name, own));
    }
  }
  return () => {
    for (const one of undo) one();
  };
}
