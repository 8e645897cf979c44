import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UsageError } from '../../src/model/errors.ts';
import type { FaultRule } from '../../src/hollow/faults.ts';
import { brief, testCluster } from './client.ts';
import type { Answer, TestCluster } from './client.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await testCluster({ tokens: { good: 'ann' } });
});
afterEach(async () => {
  await cluster[Symbol.asyncDispose]();
});

const AUTH = { authorization: 'Bearer good' };
const LIST = '/api/v1/namespaces/default/configmaps';
const ask = (path: string): Promise<Answer> => cluster.ask(path, { headers: AUTH });
const watch = (query: string) => cluster.watch(`${LIST}?watch=1&${query}`, AUTH);

describe('error bodies are those of a real server, byte for byte', () => {
  const golden = JSON.parse(readFileSync(new URL('./errors.golden.json', import.meta.url), 'utf8')) as Record<string, string>;
  const status = (message: string, rest: string): string =>
    `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":${JSON.stringify(message)},${rest}}\n`;

  test.each<[name: string, path: string]>([
    ['404 object', '/api/v1/namespaces/default/pods/nope'],
    ['404 deployment', '/apis/apps/v1/namespaces/default/deployments/nope'],
    ['404 resource', '/api/v1/widgets'],
    ['400 label', '/api/v1/pods?labelSelector=a%20in'],
    ['400 field', '/api/v1/pods?fieldSelector=spec.foo%3Dx'],
    ['422 match', '/api/v1/pods?resourceVersionMatch=Exact'],
  ])('%s', async (name, path) => {
    const answer = await ask(path);
    expect(answer.text).toBe(`${golden[name]}\n`);
    expect(answer.code).toBe(Number(name.slice(0, 3)));
  });

  test('401 for an unknown token, 403 for none', async () => {
    const unknown = await cluster.ask(LIST, { headers: { authorization: 'Bearer bad' } });
    expect([unknown.code, unknown.text]).toEqual([401, status('Unauthorized', '"reason":"Unauthorized","code":401')]);
    const none = await cluster.ask(LIST);
    expect(none.code).toBe(403);
    expect(none.json.message).toBe(
      'configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" in API group "" in the namespace "default"',
    );
    expect((await cluster.ask('/apis')).code).toBe(403);
  });

  test('403 for a forbidden kind, whether it exists or not', async () => {
    cluster.hollow.forbidden.add('pods');
    cluster.hollow.forbidden.add('nothings');
    const list = await ask('/api/v1/namespaces/r5/pods');
    expect(list.text).toBe(
      status(
        'pods is forbidden: User "ann" cannot list resource "pods" in API group "" in the namespace "r5"',
        '"reason":"Forbidden","details":{"kind":"pods"},"code":403',
      ),
    );
    expect((await ask('/api/v1/nothings')).code).toBe(403);
    expect((await ask(LIST)).code).toBe(200);
  });

  test('504 and 429', async () => {
    const late = ask(`${LIST}?resourceVersion=999999999`);
    while (cluster.clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
    cluster.clock.advance(3_000);
    expect((await late).text).toBe(`${golden['504 too large']?.replace('CURRENT', '4')}\n`);
    cluster.hollow.faults.add({ effect: { type: 'reject', status: 429, retryAfterSeconds: 1 } });
    expect((await ask(LIST)).text).toBe(`${golden['429 not ready']}\n`);
  });

  test('410 of a list, a page and a watch', async () => {
    for (const name of ['a', 'b', 'c']) cluster.config(name);
    const first = await ask(`${LIST}?limit=1`);
    cluster.config('d');
    cluster.hollow.compact();
    expect((await ask(`${LIST}?resourceVersion=5&resourceVersionMatch=Exact`)).text).toBe(`${golden['410 list']}\n`);
    const page = await ask(`${LIST}?continue=${first.json.metadata.continue}`);
    expect(page.text.replace(page.json.metadata.continue, 'TOKEN')).toBe(`${golden['410 page']}\n`);
  });
});

describe('faults', () => {
  test('429 so many times, with and without Retry-After, as a Status or as plain text', async () => {
    cluster.hollow.faults.add({ effect: { type: 'reject', status: 429, text: true, retryAfterSeconds: 1 }, times: 1, kinds: ['configmaps'], verbs: ['list'] });
    expect((await ask('/api/v1/pods')).code).toBe(200);
    const limited = await ask(LIST);
    expect([limited.code, limited.text, limited.headers.get('retry-after')]).toEqual([429, 'Too many requests, please try again later.\n', '1']);
    expect((await ask(LIST)).code).toBe(200);
    cluster.hollow.faults.add({ effect: { type: 'reject', status: 429 }, times: 1 });
    const bare = await ask(LIST);
    expect([bare.json.reason, bare.headers.get('retry-after')]).toEqual(['TooManyRequests', null]);
  });

  test('a share of requests', async () => {
    cluster.hollow.faults.add({ effect: { type: 'reject', status: 500 }, share: 0.5 });
    const codes = new Set<number>();
    for (let n = 0; n < 40; n += 1) codes.add((await ask(LIST)).code);
    expect(codes).toEqual(new Set([200, 500]));
  });

  test('410 on a watch in both shapes', async () => {
    cluster.hollow.faults.add({ effect: { type: 'expired', form: 'http' }, verbs: ['watch'], times: 1 });
    const http = await ask(`${LIST}?watch=1&resourceVersion=4`);
    expect([http.code, http.json.reason]).toEqual([410, 'Expired']);
    cluster.hollow.faults.add({ effect: { type: 'expired', form: 'event' }, verbs: ['watch'], times: 1 });
    const event = await watch('resourceVersion=4');
    expect([event.response.statusCode, (await event.next()).object.code]).toEqual([200, 410]);
    expect(await event.ended()).toBe('clean');
  });

  test('a page token that expires', async () => {
    for (const name of ['a', 'b']) cluster.config(name);
    cluster.hollow.faults.add({ effect: { type: 'expired', form: 'http' }, continued: true, times: 1 });
    const first = await ask(`${LIST}?limit=1`);
    expect(first.code).toBe(200);
    expect((await ask(`${LIST}?limit=1&continue=${first.json.metadata.continue}`)).code).toBe(410);
  });

  test('watches are cut by a reset or ended cleanly', async () => {
    const [a, b, pods] = [
      await watch('resourceVersion=4'),
      await watch('resourceVersion=4'),
      await cluster.watch('/api/v1/pods?watch=1&timeoutSeconds=60', AUTH),
    ];
    expect(cluster.hollow.watches()).toBe(3);
    cluster.hollow.cutWatches('reset', 'configmaps');
    expect([await a.ended(), await b.ended()]).toEqual(['cut', 'cut']);
    cluster.hollow.cutWatches('end');
    expect(await pods.ended()).toBe('clean');
    expect(cluster.hollow.watches()).toBe(0);
    expect(cluster.clock.pending).toBe(0);
  });

  test('a stalled watch is accepted and silent; a frozen one goes on after the thaw, with nothing lost', async () => {
    cluster.hollow.faults.add({ effect: { type: 'stall' }, verbs: ['watch'], times: 1 });
    const stalled = await watch('');
    const frozen = await watch('resourceVersion=4');
    cluster.hollow.freeze('configmaps');
    cluster.config('a');
    await new Promise((resolve) => setImmediate(resolve));
    expect(frozen.chunks).toEqual([]);
    cluster.hollow.thaw();
    expect(brief(await frozen.next())).toBe('ADDED default/a 5');
    expect([stalled.response.statusCode, stalled.chunks.length]).toEqual([200, 0]);
  });

  test('frames are split at every n bytes', async () => {
    cluster.config('ä', { k: 'é'.repeat(10) });
    cluster.hollow.faults.add({ effect: { type: 'split', bytes: 7 }, times: 2 });
    const split = await watch('');
    expect((await split.next()).object.metadata.name).toBe('ä');
    expect(split.chunks.length).toBeGreaterThan(10);
    expect(Math.max(...split.chunks.map(({ length }) => length))).toBeLessThanOrEqual(7);
    expect((await ask(LIST)).json.items).toHaveLength(1);
  });

  test.each(['reset', 'clean'] as const)('a list is cut short by a %s end', async (end) => {
    cluster.config('a', { k: 'x'.repeat(1_000) });
    cluster.hollow.faults.add({ effect: { type: 'truncate', afterBytes: 200, end }, times: 1 });
    const got = cluster.ask(LIST, { headers: AUTH });
    if (end === 'reset') await expect(got).rejects.toThrow();
    else await expect(got).rejects.toThrow(SyntaxError);
    expect((await ask(LIST)).code).toBe(200);
  });

  test('a slow answer comes when its time has come', async () => {
    cluster.hollow.faults.add({ effect: { type: 'slow', ms: 5_000 }, times: 1 });
    let isThere = false;
    const slow = ask(LIST).then((answer) => {
      isThere = true;
      return answer.code;
    });
    while (cluster.clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
    cluster.clock.advance(4_999);
    await ask('/version');
    expect(isThere).toBe(false);
    cluster.clock.advance(1);
    expect(await slow).toBe(200);
  });

  test('wrong content: a Table nobody asked for, and a sign-in page', async () => {
    cluster.hollow.faults.add({ effect: { type: 'wrong-content', form: 'table' }, times: 1 });
    expect((await ask(LIST)).json.kind).toBe('Table');
    cluster.hollow.faults.add({ effect: { type: 'wrong-content', form: 'html' }, times: 1 });
    expect((await ask(LIST)).headers.get('content-type')).toBe('text/html');
  });

  test('a restart cuts everything and empties the history; a wiped etcd counts from lower, with new uids, silently', async () => {
    const uid = cluster.hollow.get('namespaces', 'kube-system')?.metadata?.uid;
    for (let n = 0; n < 20; n += 1) cluster.config(`c${n}`);
    const open = await watch('resourceVersion=24');
    cluster.hollow.restart();
    expect(await open.ended()).toBe('cut');
    expect((await (await watch('resourceVersion=10')).next()).object.code).toBe(410);
    cluster.hollow.restart({ wipe: true });
    expect(cluster.hollow.revision).toBeLessThan(10);
    expect(cluster.hollow.count('configmaps')).toBe(0);
    expect(cluster.hollow.get('namespaces', 'kube-system')?.metadata?.uid).not.toBe(uid);
    const silent = await watch('resourceVersion=24&timeoutSeconds=3');
    cluster.config('new');
    cluster.clock.advance(3_000);
    expect(await silent.ended()).toBe('clean');
  });

  test('a restored backup has lost what was newer', () => {
    cluster.config('old');
    const { revision } = cluster.hollow;
    cluster.config('young');
    cluster.hollow.restart({ revision });
    expect([cluster.hollow.keys('configmaps'), cluster.hollow.revision]).toEqual([['default/old'], revision]);
  });

  test('the control route does the same over HTTP', async () => {
    const control = (body: unknown): Promise<Answer> => cluster.send('POST', '/hollow/faults', body);
    const set = await control({ add: [{ effect: { type: 'reject', status: 500 } }], forbid: ['secrets'], discovery: { aggregated: false } });
    expect(set.json).toMatchObject({ rules: [{ effect: { type: 'reject', status: 500 } }], forbidden: ['secrets'], discovery: { aggregated: false } });
    expect((await ask(LIST)).code).toBe(500);
    expect((await control({ clear: true })).json).toMatchObject({ rules: [], forbidden: [], discovery: { aggregated: true } });
    const open = await watch('resourceVersion=4');
    await control({ cutWatches: { how: 'end' } });
    expect(await open.ended()).toBe('clean');
    const wrong = await control({ cutWatch: true });
    expect([wrong.code, wrong.json.message]).toEqual([400, expect.stringContaining('Unknown switch "cutWatch": use some of clear, add')]);
  });

  test.each<[text: string, rule: unknown]>([
    ['"effect.type" must be one of', { effect: { type: 'explode' } }],
    ['lacks a value', { effect: { type: 'split', bytes: 0 } }],
    ['"share" must be in (0, 1]', { effect: { type: 'hang' }, share: 2 }],
    ['"times" must be an integer >= 1', { effect: { type: 'hang' }, times: 0 }],
    ['"verbs" must be some of', { effect: { type: 'hang' }, verbs: ['lsit'] }],
  ])('a rule that cannot be meant is refused: %s', (text, rule) => {
    expect(() => cluster.hollow.faults.add(rule as FaultRule)).toThrow(UsageError);
    expect(() => cluster.hollow.faults.add(rule as FaultRule)).toThrow(text);
  });
});

test.each([['HEAD'], ['OPTIONS']])('%s is 405', async (method) => {
  expect((await cluster.ask(LIST, { method, headers: AUTH })).code).toBe(405);
});

test('reviews: known tokens are their users, forbidden kinds are refused', async () => {
  const post = async (path: string, spec: unknown) =>
    (await cluster.ask(path, { method: 'POST', body: JSON.stringify({ spec }), headers: { ...AUTH, 'content-type': 'application/json' } })).json.status;
  expect(await post('/apis/authentication.k8s.io/v1/tokenreviews', { token: 'good' })).toMatchObject({ authenticated: true, user: { username: 'ann' } });
  expect(await post('/apis/authentication.k8s.io/v1/tokenreviews', { token: 'x' })).toMatchObject({ authenticated: false });
  cluster.hollow.forbidden.add('deployments.apps');
  const access = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
  expect(await post(access, { resourceAttributes: { group: 'apps', resource: 'deployments', verb: 'list' } })).toMatchObject({ allowed: false });
  expect(await post(access, { resourceAttributes: { resource: 'pods', verb: 'list' } })).toMatchObject({ allowed: true });
});
