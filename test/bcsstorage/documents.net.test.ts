import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { allPods, CLUSTER, extra, node, nodes, object, pod, pods, type TestService, testService } from './client.ts';

let service: TestService;
beforeEach(async () => {
  service = await testService();
});
afterEach(() => service[Symbol.asyncDispose]());

const SUCCESS = '{"result":true,"code":0,"message":"success","data":{}}';
const names = async (path: string): Promise<string> =>
  ((await service.get(path)).json.data as { resourceName: string }[]).map((row) => row.resourceName).join(' ');

describe('one document', () => {
  test('a PUT answers the envelope of success, and a GET the stored document, byte for byte', async () => {
    const put = await service.ask(
      'PUT',
      pod('ns', 'a'),
      '{ "data" : {"kind":"Pod","big":12345678901234567890,"metadata":{"name":"a","labels":{"app.kubernetes.io/name":"w$b"}}} }',
    );
    expect([put.status, put.text]).toEqual([200, SUCCESS]);
    const got = await service.get(pod('ns', 'a'));
    expect(got.text).toBe(
      '{"result":true,"code":0,"message":"success","data":{"_id":"000000000000000000000001","clusterId":"BCS-K8S-1","createTime":"2026-01-01T00:00:00.000Z",' +
        '"data":{"kind":"Pod","big":12345678901234567890,"metadata":{"name":"a","labels":{"app.kubernetes.io/name":"w$b"}}},"namespace":"ns","resourceName":"a","resourceType":"Pod",' +
        '"updateTime":"2026-01-01T00:00:00.000Z"}}',
    );
  });

  test('a cluster-scoped document has no namespace', async () => {
    await service.put(node('n1'), object('n1'));
    expect((await service.get(node('n1'))).json.data).toEqual({
      _id: '000000000000000000000001',
      clusterId: CLUSTER,
      createTime: '2026-01-01T00:00:00.000Z',
      data: { metadata: { name: 'n1' } },
      resourceName: 'n1',
      resourceType: 'Node',
      updateTime: '2026-01-01T00:00:00.000Z',
    });
  });

  test('an update replaces data whole and moves updateTime; createTime and _id stay', async () => {
    await service.put(pod('ns', 'a'), { metadata: { name: 'a' }, old: 1 });
    service.clock.advance(1_500);
    await service.put(pod('ns', 'a'), { metadata: { name: 'a' }, new: 2 });
    expect((await service.get(pod('ns', 'a'))).json.data).toMatchObject({
      _id: '000000000000000000000001',
      createTime: '2026-01-01T00:00:00.000Z',
      data: { metadata: { name: 'a' }, new: 2 },
      updateTime: '2026-01-01T00:00:01.500Z',
    });
    expect((await service.get(pod('ns', 'a'))).json.data.data).not.toHaveProperty('old');
  });

  test('absent: 1405087 with an empty object; DELETE of what is absent is a success', async () => {
    const got = await service.get(pod('ns', 'a'));
    expect([got.status, got.text]).toEqual([200, '{"result":false,"code":1405087,"message":"(kubefold storage): resource does not exist.","data":{}}']);
    expect((await service.ask('DELETE', pod('ns', 'a'))).text).toBe(SUCCESS);
  });

  test('a deleted document is gone for readers; a PUT revives its row with a new createTime', async () => {
    await service.put(pod('ns', 'a'), object('a'));
    expect((await service.ask('DELETE', pod('ns', 'a'))).text).toBe(SUCCESS);
    expect((await service.get(pod('ns', 'a'))).json.code).toBe(1405087);
    expect((await service.get(pods('ns'))).json.data).toEqual([]);
    service.clock.advance(60_000);
    await service.put(pod('ns', 'a'), object('a'));
    expect((await service.get(pod('ns', 'a'))).json.data).toMatchObject({ _id: '000000000000000000000001', createTime: '2026-01-01T00:01:00.000Z' });
    expect(service.writes.map(({ outcome }) => outcome)).toEqual(['created', 'deleted', 'revived']);
  });

  test('names with slashes, blanks and percent signs travel escaped', async () => {
    const name = 'a/b c%2F{}é';
    await service.put(pod('ns', encodeURIComponent(name)), object(name));
    expect((await service.get(pod('ns', encodeURIComponent(name)))).json.data.resourceName).toBe(name);
  });

  test('extra of a PUT is stored beside data, but never in place of what the path says', async () => {
    await service.put(`${pod('ns', 'a')}?extra=${extra({ owner: 'team', namespace: 'other', data: 1, _id: 'x' })}`, object('a'));
    expect((await service.get(pod('ns', 'a'))).json.data).toMatchObject({ owner: 'team', namespace: 'ns', data: object('a'), _id: '000000000000000000000001' });
    await service.put(`${pod('ns', 'a')}?extra=${extra({ stage: 'prod' })}`, object('a'));
    expect((await service.get(pod('ns', 'a'))).json.data).toMatchObject({ owner: 'team', stage: 'prod' });
  });

  test('extra of a GET narrows it, and cannot reach into another namespace', async () => {
    await service.put(pod('ns', 'a'), object('a'));
    await service.put(pod('other', 'a'), object('a'));
    expect((await service.get(`${pod('ns', 'a')}?extra=${extra({ namespace: 'other' })}`)).json.code).toBe(1405087);
    expect((await service.get(`${pod('ns', 'a')}?extra=${extra({ 'data.metadata.name': 'a' })}`)).json.data.namespace).toBe('ns');
    expect(await names(`${pods('ns')}?extra=${extra({ namespace: 'other' })}`)).toBe('');
  });

  test('a conditional DELETE leaves alone what does not meet the condition', async () => {
    await service.put(pod('ns', 'a'), object('a', { labels: { app: 'web' } }));
    await service.ask('DELETE', `${pod('ns', 'a')}?labelSelector=app=db`);
    expect(await names(pods('ns'))).toBe('a');
    await service.ask('DELETE', `${pod('ns', 'a')}?labelSelector=app=web`);
    expect(await names(pods('ns'))).toBe('');
  });
});

describe('the revision precondition', () => {
  const put = (uid: string, revision: string) => service.put(pod('ns', 'a'), object('a', { uid, revision }));
  const stored = async (): Promise<string> => (await service.get(pod('ns', 'a'))).json.data.data.metadata.resourceVersion;

  test('an older revision of the same uid changes nothing, and is answered as a success that says so', async () => {
    await put('u', '100');
    const late = await put('u', '99');
    expect(late.text).toBe('{"result":true,"code":0,"message":"success","data":{},"stale":true}');
    expect(await stored()).toBe('100');
    expect(service.writes.at(-1)).toEqual({
      ...{ time: service.clock.wall(), method: 'PUT', key: `${CLUSTER}/ns/Pod/a`, uid: 'u', resourceVersion: '99', outcome: 'stale' },
    });
  });

  test.each([
    ['the same revision again', 'u', '100'],
    ['a newer one', 'u', '101'],
    ['one with more digits, beyond 64 bits', 'u', '99999999999999999999999'],
    ['an older one of another uid', 'v', '5'],
    ['one without a comparable revision', 'u', 'x5'],
    ['one without a uid', '', '5'],
  ])('%s is stored', async (_name, uid, revision) => {
    await put('u', '100');
    expect((await put(uid, revision)).text).toBe(SUCCESS);
    expect(await stored()).toBe(revision);
  });

  test('fewer digits are older', async () => {
    await put('u', '100000000000000000000000');
    expect((await put('u', '99999999999999999999999')).json.stale).toBe(true);
  });

  test('a deleted document is remembered: a PUT that was long on its way does not bring it back, until it is purged', async () => {
    await put('u', '100');
    await service.ask('DELETE', pod('ns', 'a'));
    expect((await put('u', '99')).json.stale).toBe(true);
    expect((await service.get(pod('ns', 'a'))).json.code).toBe(1405087);
    service.clock.advance(3_600_001);
    await service.server.clean();
    expect((await put('u', '99')).text).toBe(SUCCESS);
    expect(await stored()).toBe('99');
  });

  test('can be switched off', async () => {
    await using plain = await testService({ checksRevisions: false });
    await plain.put(pod('ns', 'a'), object('a', { uid: 'u', revision: '100' }));
    await plain.put(pod('ns', 'a'), object('a', { uid: 'u', revision: '99' }));
    expect((await plain.get(pod('ns', 'a'))).json.data.data.metadata.resourceVersion).toBe('99');
  });
});

describe('lists', () => {
  beforeEach(async () => {
    for (const [namespace, name, labels] of [
      ['b', 'p2', { app: 'web', 'app.kubernetes.io/name': 'shop' }],
      ['a', 'p3', { app: 'db' }],
      ['b', 'p1', { app: 'web', tier: 'x' }],
      ['a', 'p1', undefined],
    ] as const) {
      await service.put(pod(namespace, name), object(name, { uid: `uid-${namespace}-${name}`, revision: '7', ...(labels === undefined ? {} : { labels }) }));
    }
    await service.put(node('n1'), object('n1'));
  });

  test('of a namespace, and of a cluster in the order of namespace and name; all_resources is the same', async () => {
    expect(await names(pods('b'))).toBe('p1 p2');
    expect(await names(allPods)).toBe('p1 p3 p1 p2');
    expect((await service.get(allPods)).text).toBe((await service.get(allPods.replace('all_resources', 'cluster_resources'))).text);
    expect(await names(nodes)).toBe('n1');
    expect(await names(pods('c'))).toBe('');
  });

  test('pages are stable and meet without a gap, also while documents come and go', async () => {
    expect(await names(`${allPods}?limit=2`)).toBe('p1 p3');
    expect(await names(`${allPods}?limit=2&offset=2`)).toBe('p1 p2');
    expect(await names(`${allPods}?limit=2&offset=4`)).toBe('');
    await service.put(pod('z', 'late'), object('late'));
    expect(await names(`${allPods}?limit=2&offset=2`)).toBe('p1 p2');
  });

  test('field projects dotted paths, and _id comes along', async () => {
    const answer = await service.get(`${pods('b')}?field=resourceName,data.metadata.labels.app.kubernetes.io/name&offset=1`);
    expect(answer.json.data).toEqual([
      { _id: '000000000000000000000001', resourceName: 'p2', data: { metadata: { labels: { 'app.kubernetes.io/name': 'shop' } } } },
    ]);
  });

  test('the projection that mirrors ask for at their start is the same from columns as from documents', async () => {
    await service.put(pod('b', 'bare'), { spec: {} });
    await service.put(pod('b', 'list'), [1]);
    const quick = await service.get(`${pods('b')}?field=resourceName,namespace,data.metadata.uid,data.metadata.resourceVersion`);
    const whole = await service.get(
      `${pods('b')}?field=resourceName,namespace,data.metadata.uid,data.metadata.resourceVersion,nothing&data.spec.none=&labelSelector=`,
    );
    expect(whole.json.data).toEqual([]);
    const slow = await service.get(`${pods('b')}?field=resourceName,namespace,data.metadata.uid,data.metadata.resourceVersion,data.metadata.nothing`);
    expect(quick.json.data).toEqual(slow.json.data);
    expect(quick.json.data).toEqual([
      { _id: expect.any(String), namespace: 'b', resourceName: 'bare', data: {} },
      { _id: expect.any(String), namespace: 'b', resourceName: 'list', data: [] },
      { _id: expect.any(String), namespace: 'b', resourceName: 'p1', data: { metadata: { uid: 'uid-b-p1', resourceVersion: '7' } } },
      { _id: expect.any(String), namespace: 'b', resourceName: 'p2', data: { metadata: { uid: 'uid-b-p2', resourceVersion: '7' } } },
    ]);
  });

  test.each([
    ['data.metadata.labels.app=web', 'p1 p2'],
    ['data.metadata.labels.app=db,web', 'p3 p1 p2'],
    ['data.metadata.labels.app=db,web&data.metadata.labels.app=db', 'p3'],
    ['data.metadata.labels.app.kubernetes.io/name=shop', 'p2'],
    ['data.metadata.labels.app．kubernetes．io/name=shop', 'p2'],
    ['resourceName=p1&namespace=a', 'p1'],
    ['x=', ''],
    ['data.metadata.labels.tier=', 'p1'],
    ['limit=&offset=&field=&extra=&labelSelector=&updateTimeBefore=', 'p1 p3 p1 p2'],
    ['labelSelector=app=web,tier', 'p1'],
    ['labelSelector=app%2Bin%2B(web,db)', 'p3 p1 p2'],
    ['labelSelector=app+in+(web)', 'p1 p2'],
    ['labelSelector=app%2Bnotin%2B(web)', 'p1 p3'],
    ['labelSelector=app%2B%3D%2Bdb', 'p3'],
    ['labelSelector=app%2B!%3D%2Bdb', 'p1 p1 p2'],
    ['labelSelector=app.kubernetes.io/name', 'p2'],
    ['updateTimeBefore=1767225600', ''],
    ['updateTimeBefore=1767225601', 'p1 p3 p1 p2'],
    ['updateTimeBefore=2026-01-01T00:00:00.001Z', 'p1 p3 p1 p2'],
  ])('?%s', async (query, expected) => {
    expect(await names(`${allPods}?${query}`)).toBe(expected);
  });

  test('at most 3000 documents when nobody says how many', async () => {
    await Promise.all(Array.from({ length: 3_010 }, (_, at) => service.put(pod('many', `p${at}`), object(`p${at}`))));
    expect((await service.get(`${pods('many')}?field=resourceName`)).json.data).toHaveLength(3_000);
    expect((await service.get(`${pods('many')}?field=resourceName&limit=0&offset=3000`)).json.data).toHaveLength(10);
    expect((await service.get(`${pods('many')}?field=resourceName&limit=5000`)).json.data).toHaveLength(3_010);
    const paged = new Set<string>();
    for (let offset = 0; offset < 3_010; offset += 500) {
      for (const row of (await service.get(`${pods('many')}?field=resourceName&limit=500&offset=${offset}`)).json.data) paged.add(row.resourceName);
    }
    expect(paged.size).toBe(3_010);
  });
});

describe('batch DELETE', () => {
  beforeEach(async () => {
    for (const [at, name] of ['a', 'b', 'c'].entries()) {
      await service.put(pod('ns', name), object(name, { labels: { at: String(at) } }));
      service.clock.advance(10_000);
    }
    await service.put(pod('other', 'x'), object('x'));
  });

  test('takes the documents of the path only', async () => {
    expect((await service.ask('DELETE', pods('ns'))).text).toBe('{"result":true,"code":0,"message":"success","data":[]}');
    expect(await names(allPods)).toBe('x');
    expect(service.writes.slice(-3).map(({ key, outcome }) => `${key} ${outcome}`)).toEqual(['a', 'b', 'c'].map((name) => `${CLUSTER}/ns/Pod/${name} deleted`));
  });

  test('keeps to the time bounds of the body', async () => {
    const second = service.clock.wall() / 1_000 - 30;
    await service.send('DELETE', pods('ns'), { updateTimeBegin: second + 5, updateTimeEnd: second + 15 });
    expect(await names(pods('ns'))).toBe('a c');
  });

  test('with a body that cannot be read deletes nothing', async () => {
    const answer = await service.ask('DELETE', pods('ns'), '{"updateTimeEnd":');
    expect([answer.status, answer.json.result, answer.json.code, answer.json.data]).toEqual([200, false, 1405080, []]);
    expect(await names(pods('ns'))).toBe('a b c');
  });

  test('keeps to the query', async () => {
    await service.ask('DELETE', `${pods('ns')}?labelSelector=at%2Bin%2B(0,2)`);
    expect(await names(pods('ns'))).toBe('b');
  });
});

test('DELETE of the data of a cluster takes its documents and events for good, and those of no other', async () => {
  await service.put(pod('ns', 'a'), object('a', { uid: 'u', revision: '100' }));
  await service.put(node('n1'), object('n1'));
  await service.put(pod('ns', 'a').replace(CLUSTER, 'other'), object('a'));
  await service.send('PUT', '/events', { clusterId: CLUSTER, eventTime: 1, data: { metadata: { name: 'e', resourceVersion: '1' } } });
  const answer = await service.ask('DELETE', `/clusters/${CLUSTER}/data`);
  expect(answer.json).toEqual({ result: true, code: 0, message: 'success', data: [{ clusterId: CLUSTER, deletedCounts: { dynamic: 2, event: 1 } }] });
  expect(await names(allPods)).toBe('');
  expect(await names(allPods.replace(CLUSTER, 'other'))).toBe('a');
  // Nothing of it is remembered, so revisions may begin anew.
  expect((await service.put(pod('ns', 'a'), object('a', { uid: 'u', revision: '1' }))).text).toBe(SUCCESS);
});

test('the hourly cleaner runs by itself', async () => {
  await service.put(pod('ns', 'a'), object('a', { uid: 'u', revision: '100' }));
  await service.ask('DELETE', pod('ns', 'a'));
  expect((await service.put(pod('ns', 'a'), object('a', { uid: 'u', revision: '1' }))).json.stale).toBe(true);
  // Two rounds of at most an hour and a half each.
  service.clock.advance(5_400_000);
  await service.get(pods('ns'));
  service.clock.advance(5_400_000);
  await service.get(pods('ns'));
  expect((await service.put(pod('ns', 'a'), object('a', { uid: 'u', revision: '1' }))).text).toBe(SUCCESS);
});
