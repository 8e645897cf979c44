import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CLUSTER, type Json, object, pod, type TestService, testService } from './client.ts';

let service: TestService;
beforeEach(async () => {
  service = await testService();
});
afterEach(() => service[Symbol.asyncDispose]());

const inCluster = (cluster: string, namespace: string, name: string): string => pod(namespace, name).replace(CLUSTER, cluster);
const resourceNames = (answer: { readonly json: Json }): string => answer.json.data.map((row: Json) => row.resourceName).join(' ');

describe('multicluster_resources', () => {
  beforeEach(async () => {
    await service.put(inCluster('c1', 'a', 'p1'), object('p1', { labels: { app: 'web' }, rest: { status: { phase: 'Running', restarts: 3 } } }));
    await service.put(inCluster('c1', 'b', 'p2'), object('p2', { labels: { app: 'db' }, rest: { status: { phase: 'Pending', restarts: 0 } } }));
    await service.put(inCluster('c2', 'a', 'p3'), object('p3', { labels: { app: 'web' }, rest: { status: { phase: 'Failed', restarts: 7 } } }));
    await service.put(inCluster('c3', 'a', 'p4'), object('p4'));
  });
  const ask = (body: object) => service.send('POST', '/k8s/dynamic/multicluster_resources/Pod', body);
  const both = [{ clusterId: 'c1', namespaces: [] }, { clusterId: 'c2' }];

  test('newest first, with total, page size and offset', async () => {
    const answer = await ask({ clusteredNamespaces: both, offset: 1, limit: 1, field: 'resourceName' });
    expect(answer.text).toBe(
      '{"result":true,"code":0,"message":"success","data":[{"_id":"000000000000000000000002","resourceName":"p2"}],"total":3,"pageSize":1,"offset":1}',
    );
  });

  test.each<[string, object, string]>([
    ['clusters', { clusteredNamespaces: both }, 'p3 p2 p1'],
    [
      'namespaces, each of its own cluster',
      {
        clusteredNamespaces: [
          { clusterId: 'c1', namespaces: ['b'] },
          { clusterId: 'c2', namespaces: ['b'] },
        ],
      },
      'p2',
    ],
    ['labels', { clusteredNamespaces: both, labelSelector: 'app=web' }, 'p3 p1'],
    ['eq', { clusteredNamespaces: both, conditions: [{ Op: 'eq', Value: { 'data.status.phase': 'Failed' } }] }, 'p3'],
    ['one tree instead of a list', { clusteredNamespaces: both, conditions: { Op: 'eq', Value: { 'data.status.phase': 'Failed' } } }, 'p3'],
    ['in', { clusteredNamespaces: both, conditions: [{ op: 'in', value: { 'data.status.phase': ['Failed', 'Running'] } }] }, 'p3 p1'],
    [
      'gt and lt',
      {
        clusteredNamespaces: both,
        conditions: [
          { Op: 'gt', Value: { 'data.status.restarts': 0 } },
          { Op: 'lt', Value: { 'data.status.restarts': 7 } },
        ],
      },
      'p1',
    ],
    ['con', { clusteredNamespaces: both, conditions: [{ Op: 'con', Value: { 'data.status.phase': 'ing' } }] }, 'p2 p1'],
    [
      'or and not',
      {
        clusteredNamespaces: both,
        conditions: [
          {
            Op: 'or',
            Children: [
              { Op: 'eq', Value: { namespace: 'b' } },
              { Op: 'not', Children: [{ Op: 'nin', Value: { resourceName: ['p3'] } }] },
            ],
          },
        ],
      },
      'p3 p2',
    ],
    ['exists', { clusteredNamespaces: both, conditions: [{ Op: 'exists', Value: { 'data.status.nothing': true } }] }, ''],
  ])('by %s', async (_name, body, expected) => {
    expect(resourceNames(await ask(body))).toBe(expected);
  });

  test.each<[string, unknown, RegExp]>([
    ['no clusters', {}, /clusteredNamespaces is required/],
    ['no list', [], /the body must be an object/],
    ['an empty cluster', { clusteredNamespaces: [{ clusterId: '' }] }, /needs a clusterId/],
    ['a condition that is none', { clusteredNamespaces: both, conditions: 'x' }, /a condition must be an object with Op/],
    ['an unknown Op', { clusteredNamespaces: both, conditions: [{ Op: 'like', Value: { a: 1 } }] }, /no Op "like"/],
    ['a negative limit', { clusteredNamespaces: both, limit: -1 }, /limit must be a whole number/],
    ['a bad selector', { clusteredNamespaces: both, labelSelector: 'a=(b' }, /labelSelector/],
  ])('%s is refused with 1405085', async (_name, body, message) => {
    const answer = await service.send('POST', '/k8s/dynamic/multicluster_resources/Pod', body);
    expect([answer.status, answer.json.code, answer.json.data]).toEqual([200, 1405085, []]);
    expect(answer.json.message).toMatch(message);
  });

  test('conditions nested without end are refused', async () => {
    let conditions: Json = { Op: 'tr' };
    for (let depth = 0; depth < 50; depth++) conditions = { Op: 'and', Children: [conditions] };
    expect((await ask({ clusteredNamespaces: both, conditions: [conditions] })).json.message).toMatch(/nested too deeply/);
  });
});

describe('typed queries', () => {
  const put = (type: string, name: string, data: object, namespace = 'ns') =>
    service.put(pod(namespace, name).replace('/Pod/', `/${type}/`), { metadata: { name, ...data } });
  const query = (path: string) => service.get(`/query/k8s/dynamic/clusters/${CLUSTER}/${path}`);

  beforeEach(async () => {
    await service.put(pod('a', 'p1'), {
      metadata: { name: 'p1' },
      status: { phase: 'Running', hostIP: '10.0.0.1', podIP: '1.1.1.1', startTime: '2026-01-01T10:00:00Z' },
    });
    await service.put(pod('b', 'p2'), { metadata: { name: 'p2' }, status: { phase: 'Pending', hostIP: '10.0.0.2', startTime: '2026-01-01T12:00:00+02:00' } });
    await put('Deployment', 'd1', { creationTimestamp: '2026-01-01T00:00:00Z' });
    await service.put(pod('ns', 'd2').replace('/Pod/', '/Deployment/'), {
      metadata: { name: 'd2', creationTimestamp: '2026-01-02T00:00:00Z' },
      spec: { strategy: { type: 'Recreate' } },
      status: { replicas: 3 },
    });
    await put('StatefulSet', 's1', { uid: 'u1', resourceVersion: '9', generation: 4 }, 'data');
  });
  const ten = Date.UTC(2026, 0, 1, 10) / 1_000;

  test.each([
    ['pod', 'p1 p2'],
    ['pod?status=Running,Failed', 'p1'],
    ['pod?hostIp=10.0.0.2&namespace=b', 'p2'],
    ['pod?name=p1,p2&limit=1&offset=1', 'p2'],
    ['pod?nonsense=1&podIp=', 'p1 p2'],
    [`pod?startTimeBegin=${ten - 1}&startTimeEnd=${ten + 1}`, 'p1 p2'],
    [`pod?startTimeBegin=${ten}`, ''],
    ['deployment?replicas=3', 'd2'],
    ['deployment?strategyType=Recreate', 'd2'],
    ['deployment?createTimeEnd=1767225601', 'd1'],
    ['statefulset?generation=4&uid=u1&resourceVersion=9', 's1'],
    ['statefulset?generation=5', ''],
    ['node', ''],
  ])('%s', async (path, expected) => {
    expect(resourceNames(await query(path))).toBe(expected);
  });

  test('POST takes the same as texts in a body', async () => {
    const answer = await service.send('POST', `/query/k8s/dynamic/clusters/${CLUSTER}/pod`, { status: 'Pending', field: 'resourceName' });
    expect(answer.json.data).toEqual([{ _id: '000000000000000000000002', resourceName: 'p2' }]);
  });

  test('namespace?used=1 names the namespaces that hold workloads or configuration', async () => {
    expect((await query('namespace?used=1')).text).toBe('{"result":true,"code":0,"message":"success","data":["data","ns"]}');
  });

  test('a counter that is no number is refused, an unknown kind is not found', async () => {
    expect((await query('deployment?replicas=3,4')).json).toMatchObject({ result: false, code: 1405085, data: [] });
    expect((await query('widget')).status).toBe(404);
    expect((await query('constructor')).status).toBe(404);
  });
});

describe('customresources', () => {
  const PATH = '/dynamic/customresources/Quota';
  const put = (body: object) => service.send('PUT', PATH, body);

  test('without an index every PUT inserts; GET filters and pages, with total, page size and offset', async () => {
    await put({ name: 'a', size: 1 });
    await put({ name: 'a', size: 2, labels: { 'team.io/x': 'red' } });
    const all = await service.get(`${PATH}?limit=1&offset=1`);
    expect(all.text).toBe(
      '{"result":true,"code":0,"message":"success","data":[{"_id":"000000000000000000000002","name":"a","size":2,"labels":{"team.io/x":"red"},' +
        '"createTime":"2026-01-01T00:00:00.000Z","updateTime":"2026-01-01T00:00:00.000Z"}],"total":2,"pageSize":1,"offset":1}',
    );
    expect((await service.get(`${PATH}?labels.team.io/x=red&field=size`)).json).toMatchObject({
      total: 1,
      data: [{ _id: '000000000000000000000002', size: 2 }],
    });
  });

  test('with a unique index a PUT finds its document and replaces what it brings', async () => {
    await service.send('PUT', `${PATH}/index/by-name`, { cluster: { $numberInt: '1' }, name: 1 });
    await put({ cluster: 'c', name: 'a', size: 1, note: 'kept' });
    service.clock.advance(1_000);
    await put({ cluster: 'c', name: 'a', size: 2 });
    await put({ cluster: 'd', name: 'a', size: 3 });
    expect((await service.get(PATH)).json.data).toEqual([
      {
        _id: '000000000000000000000001',
        cluster: 'c',
        name: 'a',
        size: 2,
        note: 'kept',
        createTime: '2026-01-01T00:00:00.000Z',
        updateTime: '2026-01-01T00:00:01.000Z',
      },
      { _id: '000000000000000000000002', cluster: 'd', name: 'a', size: 3, createTime: '2026-01-01T00:00:01.000Z', updateTime: '2026-01-01T00:00:01.000Z' },
    ]);
  });

  test('an index over documents that are alike is refused and leaves nothing behind', async () => {
    await put({ name: 'a' });
    await put({ name: 'a' });
    const answer = await service.send('PUT', `${PATH}/index/by-name`, { name: 1 });
    expect([answer.status, answer.json.code, answer.json.data]).toEqual([200, 1405082, {}]);
    await put({ name: 'a' });
    expect((await service.get(PATH)).json.total).toBe(3);
  });

  test('a document that another index refuses changes nothing', async () => {
    await service.send('PUT', `${PATH}/index/by-name`, { name: 1 });
    await service.send('PUT', `${PATH}/index/by-size`, { size: 1 });
    await put({ name: 'a', size: 1 });
    await put({ name: 'b', size: 2 });
    expect((await put({ name: 'b', size: 1 })).json.code).toBe(1405082);
    expect((await service.get(`${PATH}?name=b`)).json.data[0].size).toBe(2);
  });

  test('an index that is deleted holds nobody any more; one that is not there is an error', async () => {
    await service.send('PUT', `${PATH}/index/by-name`, { name: 1 });
    await put({ name: 'a' });
    expect((await service.ask('DELETE', `${PATH}/index/by-name`)).json.result).toBe(true);
    await put({ name: 'a' });
    expect((await service.get(PATH)).json.total).toBe(2);
    expect((await service.ask('DELETE', `${PATH}/index/by-name`)).json.code).toBe(1405084);
  });

  test('DELETE takes what the query names, and is refused when it names nothing', async () => {
    for (const name of ['a', 'b', 'c']) await put({ name });
    expect((await service.ask('DELETE', PATH)).json.code).toBe(1405084);
    await service.ask('DELETE', `${PATH}?name=a,b`);
    expect((await service.get(`${PATH}?field=name`)).json.data).toEqual([{ _id: '000000000000000000000003', name: 'c' }]);
  });

  test.each([
    ['PUT', PATH, '[]', 1405080],
    ['PUT', PATH, '{', 1405080],
    ['PUT', `${PATH}/index/x`, '{}', 1405080],
    ['GET', `${PATH}?extra=x!`, undefined, 1405086],
  ])('%s %s with %s is refused with %i', async (method, path, body, code) => {
    const answer = await service.ask(method, path, body);
    expect([answer.status, answer.json.code]).toEqual([200, code]);
  });
});
