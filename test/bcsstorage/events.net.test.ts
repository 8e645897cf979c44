import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CLUSTER, extra, type Json, type TestService, testService } from './client.ts';

let service: TestService;
beforeEach(async () => {
  service = await testService();
});
afterEach(() => service[Symbol.asyncDispose]());

const SUCCESS = '{"result":true,"code":0,"message":"success","data":{}}';
const COPIES = `/k8s/dynamic/namespace_resources/clusters/${CLUSTER}/namespaces/ns/Event`;

/** The body of section 2.4. */
function event(name: string, eventTime: number, more: { readonly revision?: string; readonly clusterId?: string; readonly fields?: object } = {}): Json {
  const { revision = '1', clusterId = CLUSTER, fields = {} } = more;
  return {
    ...{ id: '', env: 'k8s', kind: 'Pod', level: 'Normal', component: 'kubelet', type: 'Started', describe: 'Started container', clusterId, eventTime },
    extraInfo: { namespace: 'ns', name: 'web-0', kind: 'Pod' },
    data: { kind: 'Event', metadata: { name, namespace: 'ns', uid: `uid-${name}`, resourceVersion: revision }, count: 1 },
    ...fields,
  };
}

const put = (body: Json) => service.send('PUT', '/events', body);
const nameOf = (row: Json): string => row.data.metadata.name;
const names = async (query: string): Promise<string> => (await service.get(`/events?${query}`)).json.data.map(nameOf).join(' ');

test('PUT inserts an event, and puts its copy among the documents', async () => {
  expect((await put(event('e1', 1_700_000_000))).text).toBe(SUCCESS);
  const fields = {
    ...{ id: '', env: 'k8s', kind: 'Pod', level: 'Normal', component: 'kubelet', type: 'Started', describe: 'Started container' },
    ...{ extraInfo: { namespace: 'ns', name: 'web-0', kind: 'Pod' }, eventTime: '2023-11-14T22:13:20.000Z', data: event('e1', 0).data },
    ...{ _id: '000000000000000000000001', clusterId: CLUSTER, createTime: '2026-01-01T00:00:00.000Z' },
  };
  expect((await service.get(`/events?clusterId=${CLUSTER}`)).json).toEqual({ result: true, code: 0, message: 'success', data: [fields], total: 1 });
  expect((await service.get(`${COPIES}/e1`)).json.data).toEqual({
    ...{ ...fields, namespace: 'ns', resourceName: 'e1', resourceType: 'Event', updateTime: '2026-01-01T00:00:00.000Z' },
  });
});

test('the same event again, by name and resourceVersion, is a success that changes nothing', async () => {
  await put(event('e1', 1));
  service.clock.advance(1_000);
  expect((await put(event('e1', 2, { fields: { describe: 'other' } }))).text).toBe(SUCCESS);
  const list = (await service.get(`/events?clusterId=${CLUSTER}`)).json;
  expect([list.total, list.data[0].describe]).toEqual([1, 'Started container']);
  expect((await service.get(`${COPIES}/e1`)).json.data.updateTime).toBe('2026-01-01T00:00:00.000Z');
  expect(service.writes.map(({ key, outcome }) => `${key} ${outcome}`)).toEqual([`${CLUSTER}/events/e1 created`, `${CLUSTER}/events/e1 duplicate`]);
});

test('a newer revision is an event of its own, and its copy replaces the older one; a late older one does not', async () => {
  await put(event('e1', 1, { revision: '5' }));
  await put(event('e1', 2, { revision: '7' }));
  await put(event('e1', 1, { revision: '6' }));
  expect((await service.get(`/events?clusterId=${CLUSTER}`)).json.total).toBe(3);
  expect((await service.get(`${COPIES}/e1`)).json.data.data.metadata.resourceVersion).toBe('7');
});

test('an event whose data has no metadata is stored, each time, and crashes nobody', async () => {
  await put(event('x', 1, { fields: { data: {} } }));
  expect((await put(event('x', 2, { fields: { data: {} } }))).text).toBe(SUCCESS);
  expect((await service.get(`/events?clusterId=${CLUSTER}&field=data.metadata.name`)).json).toMatchObject({
    total: 2,
    data: [
      { _id: '000000000000000000000002', data: {} },
      { _id: '000000000000000000000001', data: {} },
    ],
  });
  expect((await service.get(COPIES)).json.data).toEqual([]);
});

test("Go's zero time is a time", async () => {
  await put(event('e1', -62_135_596_800));
  expect((await service.get(`/events?clusterId=${CLUSTER}`)).json.data[0].eventTime).toBe('0001-01-01T00:00:00.000Z');
});

describe('queries', () => {
  beforeEach(async () => {
    await put(event('old', 100, { fields: { level: 'Warning' } }));
    await put(event('new', 300, { fields: { extraInfo: { namespace: 'kube', name: 'dns-1', kind: 'Pod' } } }));
    await put(event('mid', 200, { fields: { component: 'scheduler' } }));
    await put(event('far', 250, { clusterId: 'other' }));
  });
  const C = `clusterId=${CLUSTER}`;

  test.each([
    [C, 'new mid old'],
    [`${C},other`, 'new far mid old'],
    [`${C}&timeBegin=100&timeEnd=300`, 'mid'],
    [`${C}&timeBegin=0&timeEnd=&level=`, 'new mid old'],
    [`${C}&level=Warning`, 'old'],
    [`${C}&level=Warning,Normal&component=kubelet`, 'new old'],
    [`${C}&extraInfo.namespace=kube`, 'new'],
    [`${C}&extraInfo.name=web-0,x`, 'mid old'],
    [`${C}&extra=${extra({ 'data.metadata.name': ['mid', 'old'] })}`, 'mid old'],
    [`${C}&level=Warning&extra=${extra({ 'data.metadata.name': ['mid', 'old'] })}`, 'old'],
    [`${C}&extra_contain=${extra({ 'extraInfo.name': 'dns' })}`, 'new'],
    [`${C}&length=2`, 'new mid'],
    [`${C}&length=2&offset=2`, 'old'],
    ['clusterId=nobody', ''],
  ])('GET ?%s, newest first', async (query, expected) => {
    expect(await names(query)).toBe(expected);
  });

  test('total counts what the conditions let through, whatever the page is', async () => {
    expect((await service.get(`/events?${C},other&component=kubelet&length=1&offset=1`)).json).toMatchObject({ total: 3, data: [{ clusterId: 'other' }] });
  });

  test('POST takes the same as texts in a body', async () => {
    const answer = await service.send('POST', '/events', { clusterId: CLUSTER, level: 'Normal', length: '1', timeBegin: '150', field: 'data.metadata.name' });
    expect(answer.json).toEqual({
      ...{ result: true, code: 0, message: 'success', total: 2 },
      data: [{ _id: '000000000000000000000002', data: { metadata: { name: 'new' } } }],
    });
  });

  test.each([
    ['', 1405085, /clusterId is required/],
    [`${C}&timeBegin=x`, 1405085, /timeBegin must be Unix seconds, found "x"/],
    [`${C}&length=-1`, 1405085, /length must be a whole number/],
    [`${C}&extra=%%`, 1405086, /base64/],
    [`${C}&extra_contain=${extra({ a: 1 })}`, 1405085, /"a" must be a text/],
  ])('GET ?%s is refused with %i', async (query, code, message) => {
    const answer = await service.get(`/events?${query.replace('%%', '%25%25')}`);
    expect([answer.status, answer.json.result, answer.json.code, answer.json.data]).toEqual([200, false, code, []]);
    expect(answer.json.message).toMatch(message);
  });
});

test.each([
  ['not JSON', '{', /not valid JSON/],
  ['no object', '[]', /not a JSON object/],
  ['no cluster', '{"data":{}}', /no "clusterId"/],
  ['no data', '{"clusterId":"c"}', /no "data"/],
  ['a text for a time', '{"clusterId":"c","data":{},"eventTime":"now"}', /"eventTime" must be/],
  ['a time beyond all calendars', '{"clusterId":"c","data":{},"eventTime":99999999999999}', /"eventTime" must be/],
  ['a number for a level', '{"clusterId":"c","data":{},"level":1}', /"level" must be a text/],
])('a PUT with %s is refused with 1405080', async (_name, body, message) => {
  const answer = await service.ask('PUT', '/events', body);
  expect([answer.status, answer.json.code]).toEqual([200, 1405080]);
  expect(answer.json.message).toMatch(message);
});

test('events are kept for their days, and their copies for an hour', async () => {
  await using short = await testService({ eventDays: 2 });
  await short.send('PUT', '/events', event('e1', 1));
  short.clock.advance(3_600_001);
  await short.server.clean();
  expect((await short.get(COPIES)).json.data).toEqual([]);
  expect((await short.get(`/events?clusterId=${CLUSTER}`)).json.total).toBe(1);
  short.clock.advance(2 * 86_400_000);
  await short.server.clean();
  expect((await short.get(`/events?clusterId=${CLUSTER}`)).json.total).toBe(0);
});
