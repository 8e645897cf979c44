import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AGGREGATED_TYPE } from '../../src/hollow/discovery.ts';
import { brief, testCluster } from './client.ts';
import type { TestCluster } from './client.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await testCluster();
});
afterEach(async () => {
  await cluster[Symbol.asyncDispose]();
});

const MAPS = '/api/v1/namespaces/default/configmaps';

describe('writes over HTTP', () => {
  test('create fills in what the server owns and answers 201; a second one is 409', async () => {
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'cm-', resourceVersion: '99' }, data: { a: 'b' } };
    const made = await cluster.send('POST', MAPS, body);
    expect(made.code).toBe(201);
    expect(made.json).toMatchObject({ kind: 'ConfigMap', metadata: { namespace: 'default', resourceVersion: '5', creationTimestamp: '2026-01-01T00:00:00Z' } });
    expect(made.json.metadata.name).toMatch(/^cm-[a-z0-9]{5}$/);
    const again = await cluster.send('POST', MAPS, { metadata: { name: made.json.metadata.name } });
    expect([again.code, again.json.reason]).toEqual([409, 'AlreadyExists']);
    expect((await cluster.send('POST', '/api/v1/namespaces/none/configmaps', { metadata: { name: 'a' } })).json.message).toBe('namespaces "none" not found');
  });

  test('update needs the current revision, keeps what the server owns, and a write without change keeps the revision', async () => {
    const made = cluster.config('a', { k: 'v' });
    const stale = await cluster.send('PUT', `${MAPS}/a`, { ...made, metadata: { ...made.metadata, resourceVersion: '1' } });
    expect([stale.code, stale.json.reason]).toEqual([409, 'Conflict']);
    const same = await cluster.send('PUT', `${MAPS}/a`, made);
    expect(same.json.metadata.resourceVersion).toBe('5');
    const changed = await cluster.send('PUT', `${MAPS}/a`, { ...made, metadata: { name: 'a', uid: 'forged' }, data: { k: 'w' } });
    expect(changed.json).toMatchObject({ metadata: { uid: made.metadata.uid, resourceVersion: '6' }, data: { k: 'w' } });
  });

  test.each<[type: string, patch: unknown]>([
    ['application/merge-patch+json', { metadata: { annotations: { a: 'b' } }, data: { k: null, l: '1' } }],
    ['application/strategic-merge-patch+json', { metadata: { annotations: { a: 'b' } }, data: { k: null, l: '1' } }],
    [
      'application/json-patch+json',
      [
        { op: 'add', path: '/metadata/annotations', value: { a: 'b' } },
        { op: 'remove', path: '/data/k' },
        { op: 'add', path: '/data/l', value: '1' },
      ],
    ],
  ])('patch with %s', async (type, patch) => {
    cluster.config('a', { k: 'v' });
    const answer = await cluster.send('PATCH', `${MAPS}/a`, patch, type);
    expect(answer.code).toBe(200);
    expect(answer.json).toMatchObject({ metadata: { annotations: { a: 'b' }, resourceVersion: '6' } });
    expect(answer.json.data).toEqual({ l: '1' });
    expect((await cluster.send('PATCH', `${MAPS}/a`, [{ op: 'remove', path: '/nope/x' }], 'application/json-patch+json')).code).toBe(422);
    expect((await cluster.send('PATCH', `${MAPS}/a`, {}, 'application/unheard-of')).code).toBe(415);
  });

  test('status and the rest are written separately; conditions merge by type; a change of spec counts a generation', async () => {
    cluster.hollow.create('pods', {
      metadata: { name: 'p', namespace: 'default' },
      spec: { nodeName: 'n' },
      status: { phase: 'Running', conditions: [{ type: 'A', status: 'True' }] },
    });
    const path = '/api/v1/namespaces/default/pods/p';
    const patch = {
      spec: { nodeName: 'x' },
      status: {
        conditions: [
          { type: 'B', status: 'True' },
          { type: 'A', status: 'False' },
        ],
      },
    };
    const status = await cluster.send('PATCH', `${path}/status`, patch, 'application/strategic-merge-patch+json');
    expect(status.json).toMatchObject({
      metadata: { generation: 1 },
      spec: { nodeName: 'n' },
      status: {
        phase: 'Running',
        conditions: [
          { type: 'A', status: 'False' },
          { type: 'B', status: 'True' },
        ],
      },
    });
    const main = await cluster.send('PATCH', path, { spec: { nodeName: 'x' }, status: { phase: 'Failed' } }, 'application/merge-patch+json');
    expect(main.json).toMatchObject({ metadata: { generation: 2 }, spec: { nodeName: 'x' }, status: { phase: 'Running' } });
    expect((await cluster.send('PUT', `${MAPS}/a/status`, {})).code).toBe(404);
  });

  test('delete answers Success with the uid; finalizers delay it until they are gone; a wrong uid is refused', async () => {
    const made = cluster.hollow.create('configmaps', { metadata: { name: 'a', namespace: 'default', finalizers: ['x/y'] } });
    const watch = await cluster.watch(`${MAPS}?watch=1&resourceVersion=5`);
    expect((await cluster.send('DELETE', `${MAPS}/a`, { preconditions: { uid: 'other' } })).code).toBe(409);
    const marked = await cluster.ask(`${MAPS}/a`, { method: 'DELETE' });
    expect(marked.json.metadata.deletionTimestamp).toBe('2026-01-01T00:00:00Z');
    await cluster.send('PATCH', `${MAPS}/a`, { metadata: { finalizers: null } }, 'application/merge-patch+json');
    expect((await watch.take(2)).map(brief)).toEqual(['MODIFIED default/a 6', 'DELETED default/a 7']);
    cluster.config('b');
    const gone = await cluster.ask(`${MAPS}/b`, { method: 'DELETE' });
    expect(gone.json).toMatchObject({ kind: 'Status', status: 'Success', details: { name: 'b', kind: 'configmaps' } });
    expect(made.metadata?.uid).not.toBe(gone.json.details.uid);
    expect((await cluster.ask(`${MAPS}/b`)).code).toBe(404);
  });

  test('deleting a namespace deletes what is in it, then the namespace', async () => {
    cluster.hollow.create('namespaces', { metadata: { name: 'gone' } });
    cluster.hollow.create('configmaps', { metadata: { name: 'a', namespace: 'gone' } });
    cluster.hollow.create('pods', { metadata: { name: 'p', namespace: 'gone' } });
    cluster.config('stays');
    const spaces = await cluster.watch('/api/v1/namespaces?watch=1&resourceVersion=8');
    const maps = await cluster.watch('/api/v1/configmaps?watch=1&resourceVersion=8');
    await cluster.ask('/api/v1/namespaces/gone', { method: 'DELETE' });
    const [ending, ended] = await spaces.take(2);
    expect(ending.object.status.phase).toBe('Terminating');
    const map = await maps.next();
    expect([ended.type, map.type, map.object.metadata.name]).toEqual(['DELETED', 'DELETED', 'a']);
    expect(Number(ended.object.metadata.resourceVersion)).toBeGreaterThan(Number(map.object.metadata.resourceVersion));
    expect([cluster.hollow.count('pods'), cluster.hollow.keys('configmaps')]).toEqual([0, ['default/stays']]);
  });
});

const WIDGETS = {
  metadata: { name: 'widgets.demo.example.com' },
  spec: {
    group: 'demo.example.com',
    scope: 'Namespaced',
    names: { plural: 'widgets', kind: 'Widget', shortNames: ['wd'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        selectableFields: [{ jsonPath: '.spec.size' }],
        additionalPrinterColumns: [{ name: 'Size', type: 'string', jsonPath: '.spec.size' }],
      },
    ],
  },
};
const PATH = '/apis/demo.example.com/v1/widgets';

describe('custom kinds', () => {
  test('a CRD brings its kind: 404 in plain text before, discovery, sorted keys and list revision last after', async () => {
    const before = await cluster.ask(PATH);
    expect([before.code, before.text, before.headers.get('content-type')]).toEqual([404, '404 page not found\n', 'text/plain; charset=utf-8']);
    const made = await cluster.send('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', WIDGETS);
    expect(made.json.status.conditions.map((condition: { type: string; status: string }) => `${condition.type}=${condition.status}`)).toEqual([
      'NamesAccepted=True',
      'Established=True',
    ]);
    expect(made.json.spec.names).toMatchObject({ singular: 'widget', listKind: 'WidgetList' });
    cluster.hollow.create('widgets.demo.example.com', {
      apiVersion: 'demo.example.com/v1',
      kind: 'Widget',
      metadata: { name: 'w', namespace: 'default' },
      spec: { size: 'big' },
    });
    const list = await cluster.ask(PATH);
    expect(list.text).toMatch(
      /^\{"apiVersion":"demo.example.com\/v1","items":\[\{"apiVersion":"demo.example.com\/v1","kind":"Widget","metadata":\{.*"name":"w".*"resourceVersion":"6","uid":"[^"]*"\},"spec":\{"size":"big"\}\}\],"kind":"WidgetList","metadata":\{"continue":"","resourceVersion":"6"\}\}\n$/,
    );
    expect((await cluster.ask(`${PATH}?fieldSelector=spec.size%3Dsmall`)).json.items).toEqual([]);
    expect((await cluster.ask(`${PATH}?fieldSelector=spec.color%3Dred`)).code).toBe(400);
    const table = await cluster.ask(PATH, { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } });
    expect(table.json.rows[0].cells).toEqual(['w', 'big']);
    const discovery = await cluster.ask('/apis', { headers: { accept: AGGREGATED_TYPE } });
    expect(discovery.text).toContain(
      '{"metadata":{"name":"demo.example.com"},"versions":[{"version":"v1","resources":[{"resource":"widgets","responseKind":{"group":"demo.example.com","version":"v1","kind":"Widget"},"scope":"Namespaced","singularResource":"widget"',
    );
  });

  test('deleting the CRD deletes its instances, ends its watches cleanly, and the kind is 404; made again, old revisions are 410', async () => {
    cluster.hollow.create('customresourcedefinitions.apiextensions.k8s.io', WIDGETS);
    cluster.hollow.create('widgets.demo.example.com', { apiVersion: 'demo.example.com/v1', kind: 'Widget', metadata: { name: 'w', namespace: 'default' } });
    const watch = await cluster.watch(`${PATH}?watch=1&resourceVersion=6&allowWatchBookmarks=true`);
    cluster.hollow.delete('customresourcedefinitions.apiextensions.k8s.io', 'widgets.demo.example.com');
    expect(brief(await watch.next())).toBe('DELETED default/w 7');
    expect(await watch.ended()).toBe('clean');
    expect((await cluster.ask(`${PATH}?watch=1`)).text).toBe('404 page not found\n');
    cluster.hollow.create('customresourcedefinitions.apiextensions.k8s.io', WIDGETS);
    const old = await cluster.watch(`${PATH}?watch=1&resourceVersion=6`);
    expect((await old.next()).object).toMatchObject({ code: 410, reason: 'Expired', message: 'too old resource version: 6 (9)' });
  });

  test('a changed version: the new one serves the same objects, the removed one is 404 and its watch ends', async () => {
    cluster.hollow.create('customresourcedefinitions.apiextensions.k8s.io', WIDGETS);
    cluster.hollow.create('widgets.demo.example.com', {
      apiVersion: 'demo.example.com/v1',
      kind: 'Widget',
      metadata: { name: 'w', namespace: 'default' },
      spec: { size: 'big' },
    });
    const watch = await cluster.watch(`${PATH}?watch=1&resourceVersion=6`);
    const [v1] = WIDGETS.spec.versions;
    const versions = (...all: object[]): object => ({ spec: { ...WIDGETS.spec, versions: all } });
    cluster.hollow.patch('customresourcedefinitions.apiextensions.k8s.io', 'widgets.demo.example.com', {
      ...versions({ ...v1, storage: true }, { ...v1, name: 'v2', storage: false }),
    });
    expect((await cluster.ask('/apis/demo.example.com/v2/namespaces/default/widgets/w')).json).toMatchObject({
      apiVersion: 'demo.example.com/v2',
      spec: { size: 'big' },
    });
    expect((await cluster.ask('/apis/demo.example.com')).json.preferredVersion.version).toBe('v2');
    cluster.hollow.patch('customresourcedefinitions.apiextensions.k8s.io', 'widgets.demo.example.com', { ...versions({ ...v1, name: 'v2' }) });
    expect((await watch.next()).type).toBe('MODIFIED');
    expect(await watch.ended()).toBe('clean');
    expect((await cluster.ask(PATH)).code).toBe(404);
    expect((await cluster.ask('/apis/demo.example.com/v2/widgets')).text).toContain('"items":[{"apiVersion":"demo.example.com/v2"');
  });

  test('a CRD under a wrong name is refused', async () => {
    const answer = await cluster.send('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', { ...WIDGETS, metadata: { name: 'other' } });
    expect([answer.code, answer.json.details.causes[0].field]).toEqual([422, 'metadata.name']);
  });
});

describe('discovery', () => {
  test('aggregated: the exact content type, an ETag, and 304 to who knows it', async () => {
    const core = await cluster.ask('/api', { headers: { accept: `${AGGREGATED_TYPE},application/json` } });
    expect(core.headers.get('content-type')).toBe(AGGREGATED_TYPE);
    expect([core.headers.get('cache-control'), core.headers.get('vary')]).toEqual(['public', 'Accept']);
    expect(core.json.items).toHaveLength(1);
    expect(core.text).toContain(
      '{"metadata":{},"versions":[{"version":"v1","resources":[{"resource":"namespaces","responseKind":{"group":"","version":"","kind":"Namespace"}',
    );
    const etag = core.headers.get('etag') ?? '';
    const again = await cluster.ask('/api', { headers: { accept: AGGREGATED_TYPE, 'if-none-match': etag } });
    expect([again.code, again.text]).toEqual([304, '']);
    const apis = await cluster.ask('/apis', { headers: { accept: AGGREGATED_TYPE } });
    expect(apis.json.items.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual([
      'apps',
      'coordination.k8s.io',
      'discovery.k8s.io',
      'apiextensions.k8s.io',
      'events.k8s.io',
    ]);
  });

  test('legacy: versions, groups, resources; also for those who ask for the aggregated document when it is off', async () => {
    cluster.hollow.discovery.aggregated = false;
    const headers = { accept: `${AGGREGATED_TYPE},application/json` };
    const api = await cluster.ask('/api', { headers });
    expect(api.headers.get('content-type')).toBe('application/json');
    expect(api.json).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
    expect((await cluster.ask('/apis')).json.groups[0]).toMatchObject({ name: 'apps', preferredVersion: { groupVersion: 'apps/v1', version: 'v1' } });
    const resources = await cluster.ask('/api/v1');
    const pods = resources.json.resources.filter(({ kind }: { kind: string }) => kind === 'Pod');
    expect(pods.map(({ name }: { name: string }) => name)).toEqual(['pods', 'pods/status']);
    expect((await cluster.ask('/apis/none')).text).toBe('404 page not found\n');
    expect((await cluster.ask('/apis/none/v1')).text).toBe('404 page not found\n');
  });

  test('a broken aggregated API is stale and empty, 503 in the legacy documents, and hides nobody else', async () => {
    cluster.hollow.discovery.broken = ['metrics.k8s.io/v1beta1'];
    const apis = await cluster.ask('/apis', { headers: { accept: AGGREGATED_TYPE } });
    expect(apis.json.items.at(-1)).toEqual({ metadata: { name: 'metrics.k8s.io' }, versions: [{ version: 'v1beta1', resources: [], freshness: 'Stale' }] });
    expect((await cluster.ask('/apis/metrics.k8s.io/v1beta1')).code).toBe(503);
    expect((await cluster.ask('/apis/metrics.k8s.io')).json.versions).toHaveLength(1);
    expect((await cluster.ask('/apis/metrics.k8s.io/v1beta1/pods')).code).toBe(503);
    expect((await cluster.ask('/apis/apps/v1')).code).toBe(200);
  });

  test.each(['/healthz', '/livez', '/readyz'])('%s says ok in plain text', async (path) => {
    const answer = await cluster.ask(path);
    expect([answer.code, answer.text, answer.headers.get('content-type')]).toEqual([200, 'ok', 'text/plain; charset=utf-8']);
  });

  test('/version and /version/ have a version that parses', async () => {
    expect((await cluster.ask('/version/?timeout=5s')).json.gitVersion).toMatch(/^v\d+\.\d+\.\d+/);
  });
});
