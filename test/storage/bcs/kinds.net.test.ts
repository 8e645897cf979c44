import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../src/kit/log.ts';
import type { Kind } from '../../../src/model/kind.ts';
import { BcsStorage, NO_EVENTS } from '../../../src/storage/bcs/bcs-storage.ts';
import { DEPLOYMENTS, del, key, NODES, outcomes, PODS, scope, wholeIndex } from '../build.ts';
import { bcsRig, connectionTo, putObject, type Rig } from './engine.ts';

const EVENTS = { ...PODS, resource: 'events', kind: 'Event' };
const OTHER = { ...DEPLOYMENTS, group: 'other.example.com' };

let rig: Rig;
beforeEach(async () => {
  rig = await bcsRig({ service: { checksRevisions: false } });
});
afterEach(() => rig.remove());

const paths = (): string[] => rig.journal.filter(({ key: at }) => !at.includes('KubefoldRecord')).map(({ method, key: at }) => `${method} ${at}`);
const rest = (path: string, init: RequestInit = {}): Promise<Response> => fetch(`${rig.service.url}/bcsstorage/v1${path}`, init);

describe('events', () => {
  test('are put once, never deleted, not indexed and not compared: the service keeps them by age', async () => {
    expect(await outcomes(rig.storage, [putObject('a/e1', '5', { kind: EVENTS }), putObject('a/e2', '6', { kind: EVENTS, uid: 'u2' })])).toEqual([
      'written',
      'written',
    ]);
    expect(await outcomes(rig.storage, [del('a/e1', '7', { kind: EVENTS })])).toEqual(['written']);
    expect(paths()).toEqual(['PUT prod/events/e1', 'PUT prod/events/e2']);
    expect(await wholeIndex(rig.storage, 'events')).toEqual([]);
    await expect(rig.storage.reader().list({ cluster: 'prod', kind: 'events', limit: 10 })).rejects.toThrow(NO_EVENTS);
    expect((await rig.reader.list({ cluster: 'prod', kind: 'events', limit: 10 })).map((row) => row.key)).toEqual(['a/e1', 'a/e2']);
  });

  test('that the service has are not put again by the next process', async () => {
    await rig.storage.write([putObject('a/e1', '5', { kind: EVENTS })], []);
    const next = await rig.again();
    expect(await wholeIndex(next, 'events')).toEqual([]);
    expect(await outcomes(next, [putObject('a/e1', '5', { kind: EVENTS })])).toEqual(['unchanged']);
    expect(paths()).toHaveLength(1);
  });

  test('hold up no end of their kind: it is only there while its scopes are followed', async () => {
    await rig.storage.write([putObject('a/e1', '5', { kind: EVENTS })], [scope('5', { kind: 'events' })]);
    expect(await rig.storage.kinds()).toEqual(['events']);
    await rig.storage.write([], [{ ...scope('5', { kind: 'events' }), retired: true }]);
    expect(await rig.storage.kinds()).toEqual([]);
  });
});

describe('two kinds of one Kind (4.1 #24)', () => {
  test('overwrite nothing of each other: the second is stored by a name of its own, which is said and stays', async () => {
    const said: string[] = [];
    const log = { ...silentLogger, warn: (_text: string, more?: object) => void said.push(JSON.stringify(more)) };
    const storage = new BcsStorage({ ...connectionTo([rig.service.url]), cluster: 'prod', log });
    await storage.open();
    await storage.write([putObject('a/x', '5', { kind: DEPLOYMENTS }), putObject('a/x', '6', { kind: OTHER, uid: 'u2' })], []);
    expect(paths().sort()).toEqual(['PUT prod/a/Deployment.other.example.com/x', 'PUT prod/a/Deployment/x']);
    expect(said).toEqual(['{"kind":"deployments.other.example.com","type":"Deployment.other.example.com"}']);
    await storage.close();

    const next = await rig.again();
    next.learn([OTHER, DEPLOYMENTS]);
    expect(await wholeIndex(next, 'deployments.other.example.com')).toEqual([{ key: 'a/x', uid: 'u2', revision: '6' }]);
    expect(await wholeIndex(next, 'deployments.apps')).toEqual([{ key: 'a/x', uid: 'u1', revision: '5' }]);
  });
});

describe('a takeover from the old program', () => {
  test('finds its documents by what discovery says of kinds, all pages, and puts none of them again (4.1 #6, #9)', async () => {
    const rows = Array.from({ length: 3_300 }, (_, index) => putObject(`node-${index}`, '5', { kind: NODES, uid: `u${index}` }));
    for (const { meta, body } of rows)
      await fetch(`${rig.service.url}/bcsstorage/v1/k8s/dynamic/cluster_resources/clusters/prod/Node/${meta.key}`, {
        method: 'PUT',
        body: `{"data":${Buffer.from(body).toString()}}`,
      });
    rig.journal.length = 0;
    const storage = await rig.again();
    expect(await wholeIndex(storage, 'nodes')).toEqual([]);
    storage.learn([PODS, NODES]);
    expect(await wholeIndex(storage, 'nodes')).toHaveLength(3_300);
    expect(new Set(await outcomes(storage, rows))).toEqual(new Set(['unchanged']));
    expect(await outcomes(storage, [del('node-3299', '6', { kind: NODES, uid: 'u3299' })])).toEqual(['written']);
    expect(paths()).toEqual(['DELETE prod//Node/node-3299']);
  });
});

describe('records', () => {
  test('are documents of the mirrored cluster: what wipes its data takes them along, and they promise nothing that is gone', async () => {
    await rig.storage.write([putObject('a/x', '5')], [scope('5')]);
    expect(await rig.reader.clusters()).toEqual(['prod']);
    await fetch(`${rig.service.url}/bcsstorage/v1/clusters/prod/data`, { method: 'DELETE' });
    const next = await rig.again();
    expect([await next.scopes(), await next.kinds(), await rig.reader.clusters()]).toEqual([[], [], []]);
  });

  test('follow the rows of their call: a record is written after them, never before', async () => {
    rig.service.faults.add({ effect: { type: 'delay', ms: 80, when: 'before' }, path: '/Pod/', methods: ['PUT'] });
    await rig.storage.write([putObject('a/x', '5'), putObject('a/y', '6')], [scope('6')]);
    const order = rig.journal.map(({ key: at }) => at).filter((at) => at.includes('/Pod/') || at.includes('scope:'));
    expect(order.at(-1)).toBe('prod//KubefoldRecord/scope:pods:');
    expect(order).toHaveLength(3);
  });

  test('that cannot be written hold up no row; alone they fail, for nothing else was asked', async () => {
    await rig.storage.write([putObject('a/x', '5')], []);
    const mend = rig.service.faults.add({ effect: { type: 'refuse' }, path: 'KubefoldRecord', methods: ['PUT'] });
    expect(await outcomes(rig.storage, [putObject('a/x', '6')], [scope('6')])).toEqual(['written']);
    await expect(rig.storage.write([], [scope('6')])).rejects.toThrow(/Cannot keep the records of the mirror/);
    mend();
    await rig.storage.write([], [scope('7')]);
    expect((await rig.storage.scopes()).map(({ watermark }) => watermark)).toEqual(['7']);
  });
});

test('a document is as the contract says, readable by whoever read the old program’s (2.4, 3.2)', async () => {
  await rig.storage.write([putObject('shop/web-1', '5', { spec: '{"n":12345678901234567890}' })], []);
  const answer = await (await rest('/k8s/dynamic/namespace_resources/clusters/prod/namespaces/shop/Pod/web-1')).text();
  expect(answer).toContain(
    '"data":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web-1","namespace":"shop","uid":"u1","resourceVersion":"5"},"spec":{"n":12345678901234567890}}',
  );
  expect(await rig.reader.get('prod', 'pods', key('shop/web-1'))).toMatchObject({ uid: 'u1', revision: '5', apiVersion: 'v1', kind: 'Pod' });
});

describe('documents of kinds that nobody asks for, from the old program (4.1 #5)', () => {
  const store = async (type: string, name: string, data: object, namespace?: string): Promise<void> => {
    const place = namespace === undefined ? 'cluster_resources/clusters/prod' : `namespace_resources/clusters/prod/namespaces/${namespace}`;
    const metadata = { name, namespace, uid: `u-${name}`, resourceVersion: '5' };
    const response = await rest(`/k8s/dynamic/${place}/${type}/${name}`, { method: 'PUT', body: JSON.stringify({ data: { metadata, ...data } }) });
    expect(await response.json()).toMatchObject({ result: true });
  };
  const kindOf = (group: string, resource: string, kind: string): Kind => ({ ...DEPLOYMENTS, group, resource, kind });

  test('are found by what discovery says of kinds, and nothing is said of what a record of ours tells or nobody has', async () => {
    await store('Deployment', 'a', { apiVersion: 'apps/v1' }, 'shop');
    await rig.storage.write([putObject('n1', '5', { kind: NODES })], []);
    const next = await rig.again();
    next.learn([PODS, DEPLOYMENTS, NODES]);
    expect(await next.kinds()).toEqual(['deployments.apps', 'nodes']);
    expect(['deployments.apps', 'nodes'].map((id) => next.isUnclaimed(id))).toEqual([true, false]);
    expect(await wholeIndex(next, 'deployments.apps')).toEqual([{ key: 'shop/a', uid: 'u-a', revision: '5' }]);
    expect(await outcomes(next, [del('shop/a', '6', { kind: { ...DEPLOYMENTS, kind: '', version: '' }, uid: 'u-a' })])).toEqual(['written']);
    expect(await next.kinds()).toEqual(['nodes']);
  });

  test('are found by definitions of custom kinds that it stored, when the kinds themselves are gone', async () => {
    const spec = { group: 'example.com', scope: 'Namespaced', names: { kind: 'Widget', plural: 'widgets' } };
    await store('CustomResourceDefinition', 'widgets.example.com', { apiVersion: 'apiextensions.k8s.io/v1', spec });
    await store('CustomResourceDefinition', 'odd.example.com', { spec: { group: 7, names: null } });
    await store('Widget', 'w', { apiVersion: 'example.com/v1' }, 'shop');
    const next = await rig.again();
    next.learn([PODS]);
    expect(await next.kinds()).toEqual(['widgets.example.com']);
    expect(next.isUnclaimed('widgets.example.com')).toBe(true);
    expect(await wholeIndex(next, 'widgets.example.com')).toEqual([{ key: 'shop/w', uid: 'u-w', revision: '5' }]);
  });

  test('are no kind’s when two groups have the Kind, nor of another group than their own; Events go by themselves', async () => {
    await store('Job', 'j', { apiVersion: 'batch/v1' }, 'shop');
    await store('Event', 'e', { apiVersion: 'v1' }, 'shop');
    await store('Ingress', 'i', { apiVersion: 'extensions/v1beta1' }, 'shop');
    const next = await rig.again();
    next.learn([PODS, EVENTS, kindOf('batch', 'jobs', 'Job'), kindOf('batch.volcano.sh', 'jobs', 'Job'), kindOf('networking.k8s.io', 'ingresses', 'Ingress')]);
    expect(await next.kinds()).toEqual(['ingresses.networking.k8s.io']);
    // Once its rows were looked at they are known to be of another group.
    expect(await wholeIndex(next, 'ingresses.networking.k8s.io')).toEqual([]);
    expect(await next.kinds()).toEqual([]);
  });

  test('are asked for once, all at the same time', async () => {
    const next = await rig.again();
    next.learn(Array.from({ length: 40 }, (_, index) => kindOf('example.com', `kinds${index}`, `Kind${index}`)));
    rig.service.faults.setLatency(100);
    rig.service.resetStats();
    expect(await next.kinds()).toEqual([]);
    expect(rig.service.stats().mostRequests).toBe(40);
    rig.service.resetStats();
    expect(await next.kinds()).toEqual([]);
    expect(rig.service.stats().mostRequests).toBe(0);
  });

  test('are indexed without another request when they have one page, and the pages of one that has more are read at the same time', async () => {
    await Promise.all(Array.from({ length: 2_100 }, (_, index) => store('Deployment', `d${index}`, { apiVersion: 'apps/v1' }, 'shop')));
    await store('Node', 'n', { apiVersion: 'v1' });
    const next = await rig.again();
    next.learn([DEPLOYMENTS, NODES]);
    expect(await next.kinds()).toEqual(['deployments.apps', 'nodes']);
    rig.service.faults.setLatency(50);
    rig.service.resetStats();
    expect(await wholeIndex(next, 'nodes')).toHaveLength(1);
    expect(rig.service.stats().mostRequests).toBe(0);
    expect(await wholeIndex(next, 'deployments.apps')).toHaveLength(2_100);
    expect(rig.service.stats().mostRequests).toBeGreaterThanOrEqual(4);
  });
});
