import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { CLUSTER, type Json, object, pod, type TestService, testService } from './client.ts';

let service: TestService;
beforeEach(async () => {
  service = await testService();
});
afterEach(() => service[Symbol.asyncDispose]());

const PODS = `/dynamic/watch/${CLUSTER}/Pod`;
const BREAK = '{"type":-1,"value":null}';
const brief = ({ type, value }: Json): string => `${type} ${value?.resourceName ?? ''}`;

test('a change is an object without a separator, its keys as the old service stores them', async () => {
  const watch = await service.watch(PODS, '{}');
  await service.put(pod('ns', 'a'), object('a', { labels: { 'app.kubernetes.io/name': 'w.b', $x: '1' } }));
  await watch.take(1);
  expect(watch.text).toBe(
    '{"type":1,"value":{"_id":"000000000000000000000001","clusterId":"BCS-K8S-1","createTime":"2026-01-01T00:00:00.000Z","data":{"metadata":{"name":"a",' +
      '"labels":{"app．kubernetes．io/name":"w.b","＄x":"1"}}},"namespace":"ns","resourceName":"a","resourceType":"Pod","updateTime":"2026-01-01T00:00:00.000Z"}}',
  );
});

test('add 1, change 3, soft delete 2 and then 3, creation anew 3; live only, and of this type and cluster only', async () => {
  await service.put(pod('ns', 'before'), object('before'));
  const watch = await service.watch(PODS, '{}');
  await service.put(pod('ns', 'a'), object('a'));
  await service.put(pod('ns', 'a').replace('/Pod/', '/Job/'), object('a'));
  await service.put(pod('ns', 'a').replace(CLUSTER, 'other'), object('a'));
  await service.put(pod('ns', 'a'), object('a', { labels: { x: 'y' } }));
  await service.ask('DELETE', pod('ns', 'a'));
  await service.ask('DELETE', pod('ns', 'a'));
  await service.put(pod('ns', 'a'), object('a'));
  const events = await watch.take(5);
  expect(events.map(brief)).toEqual(['1 a', '3 a', '2 a', '3 a', '3 a']);
  expect(events.map(({ value }) => value._isBcsObjectDeleted ?? false)).toEqual([false, false, true, true, false]);
  expect(watch.text.match(/"type"/g)).toHaveLength(5);
});

test('a stale PUT changes nothing and is not told', async () => {
  const watch = await service.watch(PODS, '{}');
  for (const revision of ['5', '4', '6']) await service.put(pod('ns', 'a'), object('a', { uid: 'u', revision }));
  expect((await watch.take(2)).map(({ value }) => value.data.metadata.resourceVersion)).toEqual(['5', '6']);
});

test('the order is that of the commits, under hundreds of concurrent writes, for every watcher', async () => {
  const watchers = await Promise.all([1, 2, 3].map(() => service.watch(PODS, '{}')));
  const keys = Array.from({ length: 20 }, (_, at) => `p${at}`);
  await Promise.all(
    Array.from({ length: 400 }, (_, at) => service.put(pod('ns', keys[at % 20] ?? ''), object('x', { uid: 'u', revision: String(1_000 + at) }))),
  );
  const accepted = service.writes.filter(({ outcome }) => outcome !== 'stale').map(({ key, resourceVersion }) => `${key.split('/').at(-1)} ${resourceVersion}`);
  expect(accepted.length).toBeGreaterThan(20);
  for (const watch of watchers) {
    const told = (await watch.take(accepted.length)).map(({ value }) => `${value.resourceName} ${value.data.metadata.resourceVersion}`);
    expect(told).toEqual(accepted);
  }
});

test('a document nested deeper than any stack is told as it is, and its PUT succeeds', async () => {
  const watch = await service.watch(PODS, '{"maxEvents":1}');
  const deep = `${'['.repeat(60_000)}${']'.repeat(60_000)}`;
  expect((await service.ask('PUT', pod('ns', 'deep'), `{"data":{"a.b":${deep}}}`)).json.result).toBe(true);
  await watch.whole();
  expect(watch.text).toContain(`"data":{"a.b":${deep}}`);
});

test('maxEvents ends the stream with a break object', async () => {
  const watch = await service.watch(PODS, '{"maxEvents":2,"selfOnly":true,"timeout":5}');
  for (const name of ['a', 'b', 'c']) await service.put(pod('ns', name), object(name));
  expect((await watch.whole()).map(brief)).toEqual(['1 a', '1 b', '-1 ']);
  expect(watch.text.endsWith(BREAK)).toBe(true);
});

test('mustDiff leaves out updates that change nothing', async () => {
  const watch = await service.watch(PODS, '{"mustDiff":"true"}');
  const plain = await service.watch(PODS, '{}');
  for (const rest of [{}, {}, { spec: 1 }]) await service.put(pod('ns', 'a'), object('a', { rest }));
  expect((await watch.take(2)).map(({ type, value }) => `${type} ${value.data.spec ?? ''}`)).toEqual(['1 ', '3 1']);
  expect((await plain.take(3)).map(brief)).toEqual(['1 a', '3 a', '3 a']);
});

test('a service that closes ends every stream with a break object', async () => {
  const watch = await service.watch(PODS, '{}');
  await service.server.close();
  expect(await watch.whole()).toEqual([{ type: -1, value: null }]);
});

test('a client that leaves leaves nothing behind', async () => {
  const watch = await service.watch(PODS, '{}');
  expect(service.server.stats().watches).toBe(1);
  watch.leave();
  await until('the watch is gone', () => service.server.stats().watches === 0, { everyMs: 5 });
});

describe('a request that cannot be read is answered with a break object', () => {
  test.each([
    ['an empty body', PODS, ''],
    ['no JSON', PODS, '{'],
    ['no object', PODS, '[]'],
    ['a text for a number', PODS, '{"maxEvents":"2"}'],
    ['events of no cluster', '/events/watch', '{}'],
  ])('%s', async (_name, path, body) => {
    const answer = await service.ask('POST', path, body);
    expect([answer.status, answer.text]).toEqual([200, BREAK]);
  });
});

test('events are watched by cluster; a duplicate is not told', async () => {
  const watch = await service.watch(`/events/watch?clusterId=${CLUSTER}`, '{}');
  const event = (name: string, clusterId = CLUSTER) => ({
    clusterId,
    eventTime: 1,
    level: 'Normal',
    data: { metadata: { name, namespace: 'ns', resourceVersion: '1' } },
  });
  for (const body of [event('a'), event('a'), event('b', 'other'), event('c')]) await service.send('PUT', '/events', body);
  const told = await watch.take(2);
  expect(told.map(({ type, value }) => `${type} ${value.data.metadata.name} ${value.level}`)).toEqual(['1 a Normal', '1 c Normal']);
});

test('the copies of events among the documents are watched as documents', async () => {
  const watch = await service.watch(`/dynamic/watch/${CLUSTER}/Event`, '{}');
  await service.send('PUT', '/events', { clusterId: CLUSTER, eventTime: 1, data: { metadata: { name: 'a', namespace: 'ns', resourceVersion: '1' } } });
  expect((await watch.take(1)).map(brief)).toEqual(['1 a']);
});
