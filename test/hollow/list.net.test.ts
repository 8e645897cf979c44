import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Json, TestCluster } from './client.ts';
import { testCluster } from './client.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await testCluster({ history: 50 });
});
afterEach(async () => {
  await cluster[Symbol.asyncDispose]();
});

const LIST = '/api/v1/namespaces/default/configmaps';
const names = (json: Json): readonly string[] => json.items.map((item: Json) => item.metadata.name);

describe('list', () => {
  test('has the exact form of a real server: no kind in items of built-in kinds, the newest revision of the store, a line end', async () => {
    cluster.config('a', { k: 'v' });
    cluster.hollow.create('nodes', { metadata: { name: 'n1' } });
    const answer = await cluster.ask(LIST);
    const { uid, creationTimestamp } = answer.json.items[0].metadata;
    expect(answer.text).toBe(
      `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"6"},"items":[{"metadata":{"name":"a","namespace":"default","uid":"${uid}","resourceVersion":"5","creationTimestamp":"${creationTimestamp}","labels":{}},"data":{"k":"v"}}]}\n`,
    );
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.headers.get('cache-control')).toBe('no-cache, private');
    expect((await cluster.ask('/api/v1/namespaces/nope/pods')).text).toBe(
      '{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"6"},"items":[]}\n',
    );
  });

  test('SV-S1: pages show the snapshot of the first page: its revision, objects deleted since, none created since', async () => {
    for (const name of ['a', 'b', 'c', 'd']) cluster.config(name);
    const first = await cluster.ask(`${LIST}?limit=2`);
    expect(first.json.metadata).toMatchObject({ resourceVersion: '8', remainingItemCount: 2 });
    cluster.hollow.delete('configmaps', 'default/c');
    cluster.config('bb');
    cluster.config('e');
    const second = await cluster.ask(`${LIST}?limit=1&continue=${first.json.metadata.continue}`);
    expect([names(first.json), names(second.json)]).toEqual([['a', 'b'], ['c']]);
    expect(second.json.metadata).toMatchObject({ resourceVersion: '8', remainingItemCount: 1 });
    const last = await cluster.ask(`${LIST}?continue=${second.json.metadata.continue}&resourceVersion=0`);
    expect(names(last.json)).toEqual(['d']);
    expect(last.json.metadata).toEqual({ resourceVersion: '8' });
  });

  test('selectors filter before the page is filled, and remainingItemCount is left out', async () => {
    for (const [index, name] of ['a', 'b', 'c', 'd'].entries()) cluster.config(name, {}, index > 1 ? { late: 'yes' } : {});
    const page = await cluster.ask(`${LIST}?limit=1&labelSelector=late`);
    expect(names(page.json)).toEqual(['c']);
    expect(page.json.metadata.remainingItemCount).toBeUndefined();
    expect(names((await cluster.ask(`${LIST}?limit=1&labelSelector=late&continue=${page.json.metadata.continue}`)).json)).toEqual(['d']);
    expect(names((await cluster.ask(`${LIST}?fieldSelector=metadata.name%3Db`)).json)).toEqual(['b']);
  });

  test('SV-S3: a token whose history is gone answers 410 with a token to go on inconsistently, which works', async () => {
    for (const name of ['a', 'b', 'c']) cluster.config(name);
    const first = await cluster.ask(`${LIST}?limit=1`);
    cluster.config('d');
    cluster.hollow.compact();
    const gone = await cluster.ask(`${LIST}?limit=1&continue=${first.json.metadata.continue}`);
    expect([gone.code, gone.json.reason]).toEqual([410, 'Expired']);
    const onward = await cluster.ask(`${LIST}?limit=2&continue=${gone.json.metadata.continue}`);
    expect(names(onward.json)).toEqual(['b', 'c']);
    expect(onward.json.metadata.resourceVersion).toBe('8');
    cluster.config('e');
    const last = await cluster.ask(`${LIST}?continue=${onward.json.metadata.continue}`);
    expect([names(last.json), last.json.metadata.resourceVersion]).toEqual([['d'], '8']);
  });

  test('the revision rules of a list: any, at least, exactly, the legacy rule, and limit ignored at 0', async () => {
    for (const name of ['a', 'b', 'c']) cluster.config(name);
    const at = async (query: string): Promise<unknown> => {
      const { json } = await cluster.ask(`${LIST}?${query}`);
      return [json.metadata.resourceVersion, names(json).length];
    };
    expect(await at('resourceVersion=0&limit=1')).toEqual(['7', 3]);
    expect(await at('resourceVersion=6')).toEqual(['7', 3]);
    expect(await at('resourceVersion=6&limit=2')).toEqual(['6', 2]);
    expect(await at('resourceVersion=6&resourceVersionMatch=NotOlderThan&limit=5')).toEqual(['7', 3]);
    expect(await at('resourceVersion=5&resourceVersionMatch=Exact')).toEqual(['5', 1]);
    expect(await at('limit=-1')).toEqual(['7', 3]);
    cluster.hollow.compact();
    expect((await cluster.ask(`${LIST}?resourceVersion=5&resourceVersionMatch=Exact`)).json.message).toBe(
      'The resourceVersion for the provided list is too old.',
    );
  });

  test.each<[query: string, code: number, text: string]>([
    ['resourceVersion=abc', 400, 'BadRequest'],
    ['limit=x', 400, 'BadRequest'],
    ['continue=!!', 400, 'invalid continue token: continue key is not valid'],
    [`continue=${Buffer.from('{"v":"v2","rv":5,"start":"a\\u0000"}').toString('base64url')}`, 400, 'does not recognize'],
    [`continue=${Buffer.from('{"v":"meta.k8s.io/v1","rv":0,"start":"a\\u0000"}').toString('base64url')}`, 400, 'incorrect encoded start'],
    [
      `continue=${Buffer.from('{"v":"meta.k8s.io/v1","rv":4,"start":"a\\u0000"}').toString('base64url')}&resourceVersion=4`,
      400,
      'specifying resource version is not allowed when using continue',
    ],
    ['resourceVersionMatch=Exact', 422, 'resourceVersionMatch is forbidden unless resourceVersion is provided'],
    ['resourceVersionMatch=Exact&resourceVersion=0', 422, 'is forbidden for resourceVersion \\"0\\"'],
    ['resourceVersionMatch=Odd&resourceVersion=1', 422, 'FieldValueNotSupported'],
    ['sendInitialEvents=true', 422, 'sendInitialEvents is forbidden for list'],
    ['labelSelector=a,', 400, "expected: identifier after ','"],
    ['fieldSelector=spec.x%3D1', 400, 'is not a known field selector: only'],
  ])('%s is refused with %i', async (query, code, text) => {
    const answer = await cluster.ask(`${LIST}?${query}`);
    expect(answer.code).toBe(code);
    expect(answer.json).toMatchObject({ kind: 'Status', status: 'Failure', code });
    expect(answer.text).toContain(text);
  });

  test('WC-S14: a revision of the future is waited for, 3 s at most, then 504 with Retry-After', async () => {
    const late = cluster.ask(`${LIST}?resourceVersion=9`);
    await arrived(cluster, 1);
    cluster.clock.advance(2_999);
    cluster.clock.advance(1);
    const answer = await late;
    expect([answer.code, answer.headers.get('retry-after')]).toEqual([504, '1']);
    const soon = cluster.ask(`${LIST}?resourceVersion=5`);
    await arrived(cluster, 1);
    cluster.config('a');
    expect(names((await soon).json)).toEqual(['a']);
  });

  test('a body over 128 KiB is compressed when asked for, a small one never', async () => {
    cluster.config('big', { k: 'x'.repeat(200_000) });
    cluster.config('small');
    const big = await cluster.ask(LIST, { headers: { 'accept-encoding': 'gzip' } });
    expect(big.headers.get('content-encoding')).toBe('gzip');
    expect(names(big.json)).toEqual(['big', 'small']);
    expect((await cluster.ask(`${LIST}/small`, { headers: { 'accept-encoding': 'gzip' } })).headers.get('content-encoding')).toBeNull();
    expect((await cluster.ask(LIST, { headers: { 'accept-encoding': 'identity' } })).headers.get('content-encoding')).toBeNull();
  });

  test('pods are selected by node, phase and address; core events and their new form by what they are about', async () => {
    cluster.hollow.create('pods', { metadata: { name: 'a', namespace: 'default' }, spec: { nodeName: 'n1' }, status: { phase: 'Running', podIP: '10.0.0.1' } });
    cluster.hollow.create('pods', { metadata: { name: 'b', namespace: 'default' }, spec: {} });
    const pods = async (fields: string): Promise<readonly string[]> =>
      names((await cluster.ask(`/api/v1/pods?fieldSelector=${encodeURIComponent(fields)}`)).json);
    expect(await pods('spec.nodeName=n1')).toEqual(['a']);
    expect(await pods('spec.nodeName=')).toEqual(['b']);
    expect(await pods('status.phase!=Running')).toEqual(['b']);
    expect(await pods('status.podIP=10.0.0.1,spec.hostNetwork=false')).toEqual(['a']);
    cluster.hollow.setStatus('pods', 'default/a', { phase: 'Failed' });
    expect(await pods('status.phase=Failed')).toEqual(['a']);
    cluster.hollow.create('events', {
      metadata: { name: 'e', namespace: 'default' },
      involvedObject: { kind: 'Pod', name: 'a' },
      message: 'hello',
      type: 'Normal',
    });
    expect(names((await cluster.ask('/api/v1/events?fieldSelector=involvedObject.name%3Da,type%3DNormal')).json)).toEqual(['e']);
    const renamed = await cluster.ask('/apis/events.k8s.io/v1/namespaces/default/events?fieldSelector=regarding.kind%3DPod');
    expect(renamed.json.items[0]).toMatchObject({ regarding: { name: 'a' }, note: 'hello' });
    expect(renamed.json.items[0].message).toBeUndefined();
    expect((await cluster.ask('/api/v1/pods?fieldSelector=spec.x%3D1')).json.message).toBe('field label not supported: spec.x');
  });

  test.each<[accept: string, kind: string]>([
    ['application/json;as=Table;v=v1;g=meta.k8s.io,application/json', 'Table'],
    ['application/json;g=meta.k8s.io;v=v1;as=PartialObjectMetadataList', 'PartialObjectMetadataList'],
    ['application/vnd.kubernetes.protobuf', 'ConfigMapList'],
    ['application/vnd.kubernetes.protobuf,application/json', 'ConfigMapList'],
    ['*/*', 'ConfigMapList'],
    ['text/html', 'Status'],
    ['application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1', 'Status'],
  ])('Accept %s gives %s', async (accept, kind) => {
    cluster.config('a');
    const answer = await cluster.ask(LIST, { headers: { accept } });
    expect(answer.json.kind).toBe(kind);
    expect(answer.code).toBe(kind === 'Status' ? 406 : 200);
  });
});

/** Resolves when `count` requests wait in the server: their timers are the sign. */
async function arrived(one: TestCluster, count: number): Promise<void> {
  while (one.clock.pending < count) await new Promise((resolve) => setImmediate(resolve));
}
