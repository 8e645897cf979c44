import { expect, test } from 'vitest';
import type { Discovery } from '../../src/cluster/cluster.ts';
import { discover, type FetchDocument } from '../../src/cluster/discovery.ts';
import { RefusedError } from '../../src/cluster/response-handler.ts';
import { ApiError } from '../../src/model/errors.ts';
import { kindId } from '../../src/model/kind.ts';

const all = ['create', 'delete', 'get', 'list', 'watch'];

function aggregated(resource: string, kind: string, fields: object = {}): object {
  return { resource, responseKind: { group: '', version: '', kind }, scope: 'Namespaced', singularResource: kind.toLowerCase(), verbs: all, ...fields };
}

const core = {
  kind: 'APIGroupDiscoveryList',
  apiVersion: 'apidiscovery.k8s.io/v2',
  items: [
    {
      metadata: {},
      versions: [
        {
          version: 'v1',
          freshness: 'Current',
          resources: [
            aggregated('pods', 'Pod', {
              shortNames: ['po'],
              categories: ['all'],
              subresources: [{ subresource: 'log', responseKind: { kind: 'Pod' }, verbs: all }],
            }),
            aggregated('events', 'Event'),
            aggregated('bindings', 'Binding', { verbs: ['create'] }),
            aggregated('componentstatuses', 'ComponentStatus', { verbs: ['get', 'list'], scope: 'Cluster' }),
            aggregated('nodes', 'Node', { scope: 'Cluster' }),
          ],
        },
      ],
    },
  ],
};

const named = {
  kind: 'APIGroupDiscoveryList',
  items: [
    { metadata: { name: 'events.k8s.io' }, versions: [{ version: 'v1', freshness: 'Current', resources: [aggregated('events', 'Event')] }] },
    {
      metadata: { name: 'example.com' },
      versions: [
        { version: 'v2', freshness: 'Current', resources: [aggregated('widgets', 'Widget')] },
        { version: 'v1', freshness: 'Current', resources: [aggregated('widgets', 'Widget'), aggregated('gadgets', 'Gadget')] },
      ],
    },
    { metadata: { name: 'metrics.k8s.io' }, versions: [{ version: 'v1beta1', freshness: 'Stale', resources: [] }] },
  ],
};

const legacy: Readonly<Record<string, object>> = {
  '/api': { kind: 'APIVersions', versions: ['v1'] },
  '/apis': {
    kind: 'APIGroupList',
    groups: [
      { name: 'events.k8s.io', versions: [{ version: 'v1' }], preferredVersion: { version: 'v1' } },
      { name: 'example.com', versions: [{ version: 'v1' }, { version: 'v2' }], preferredVersion: { version: 'v2' } },
      { name: 'metrics.k8s.io', versions: [{ version: 'v1beta1' }], preferredVersion: { version: 'v1beta1' } },
    ],
  },
  '/api/v1': {
    kind: 'APIResourceList',
    resources: [
      { name: 'pods', singularName: 'pod', kind: 'Pod', namespaced: true, verbs: all, shortNames: ['po'], categories: ['all'] },
      { name: 'pods/log', singularName: '', kind: 'Pod', namespaced: true, verbs: all },
      { name: 'events', singularName: 'event', kind: 'Event', namespaced: true, verbs: all },
      { name: 'bindings', singularName: 'binding', kind: 'Binding', namespaced: true, verbs: ['create'] },
      { name: 'nodes', singularName: '', kind: 'Node', namespaced: false, verbs: all },
    ],
  },
  '/apis/events.k8s.io/v1': { resources: [{ name: 'events', singularName: 'event', kind: 'Event', namespaced: true, verbs: all }] },
  '/apis/example.com/v2': { resources: [{ name: 'widgets', singularName: 'widget', kind: 'Widget', namespaced: true, verbs: all }] },
  '/apis/example.com/v1': {
    resources: [
      { name: 'widgets', singularName: 'widget', kind: 'Widget', namespaced: true, verbs: all },
      { name: 'gadgets', singularName: 'gadget', kind: 'Gadget', namespaced: true, verbs: all },
    ],
  },
};

const refused = (status: number): RefusedError => new RefusedError({ error: new ApiError(`refused with ${status}`, { status }), missingObject: null });

const legacyFetch: FetchDocument = (path) => {
  const document = legacy[path];
  return document === undefined ? Promise.reject(refused(503)) : Promise.resolve(document);
};

function names(discovery: Discovery): string[] {
  return discovery.kinds.map((kind) => `${kindId(kind)} ${kind.version} ${kind.namespaced ? 'namespaced' : 'cluster'} ${kind.kind} ${kind.singular}`);
}

const expected = [
  'pods v1 namespaced Pod pod',
  'events v1 namespaced Event event',
  'nodes v1 cluster Node node',
  'widgets.example.com v2 namespaced Widget widget',
  'gadgets.example.com v1 namespaced Gadget gadget',
];

test('the aggregated document takes two requests; a kind appears once, at the first version that serves it, events in the core group', async () => {
  const asked: string[] = [];
  const discovery = await discover((path) => {
    asked.push(path);
    return Promise.resolve(path === '/api' ? core : named);
  });
  expect(asked).toEqual(['/api', '/apis']);
  expect(names(discovery)).toEqual(expected);
  expect(discovery.kinds[0]).toEqual({
    group: '',
    version: 'v1',
    resource: 'pods',
    kind: 'Pod',
    namespaced: true,
    singular: 'pod',
    shortNames: ['po'],
    categories: ['all'],
  });
});

test('a stale group is listed as broken and hides no other', async () => {
  const discovery = await discover((path) => Promise.resolve(path === '/api' ? core : named));
  expect(discovery.broken).toEqual([{ groupVersion: 'metrics.k8s.io/v1beta1', error: expect.stringContaining('stale') }]);
});

test('an older server answers with plain lists: the same kinds, and one group that answers 503 is broken alone', async () => {
  const discovery = await discover(legacyFetch);
  expect(names(discovery)).toEqual(expected);
  expect(discovery.broken).toEqual([{ groupVersion: 'metrics.k8s.io/v1beta1', error: expect.stringContaining('refused with 503') }]);
});

test('a server that answers 406 to the aggregated wish is asked the plain way', async () => {
  const discovery = await discover((path, accept) => (accept === 'application/json' ? legacyFetch(path, accept) : Promise.reject(refused(406))));
  expect(names(discovery)).toEqual(expected);
});

test('events.k8s.io is kept when the core group has no events', async () => {
  const discovery = await discover((path) => Promise.resolve(path === '/api' ? { kind: 'APIGroupDiscoveryList', items: [] } : named));
  expect(discovery.kinds.map(kindId)).toContain('events.events.k8s.io');
});

test('no connection is an error of the whole, never an empty cluster', async () => {
  const lost = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  await expect(discover((path, accept) => (path === '/apis/example.com/v1' ? Promise.reject(lost) : legacyFetch(path, accept)))).rejects.toBe(lost);
  await expect(discover((path, accept) => (path === '/api/v1' ? Promise.reject(refused(503)) : legacyFetch(path, accept)))).rejects.toThrow('503');
  await expect(discover(() => Promise.reject(refused(403)))).rejects.toThrow('403');
});
