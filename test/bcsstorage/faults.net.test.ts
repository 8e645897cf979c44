import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FaultRule, Faults, parseFault } from '../../src/bcsstorage/faults.ts';
import type { WriteEntry } from '../../src/bcsstorage/journal.ts';
import { startBcsStorage } from '../../src/bcsstorage/server.ts';
import { seededRandom } from '../../src/kit/random.ts';
import { UsageError } from '../../src/model/errors.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { CLUSTER, object, pod, pods, type TestService, testService } from './client.ts';

let service: TestService;
beforeEach(async () => {
  service = await testService();
});
afterEach(() => service[Symbol.asyncDispose]());

const put = (name: string) => service.put(pod('ns', name), object(name));
const stored = async (): Promise<number> => (await service.get(pods('ns'))).json.data.length;
const once = (rule: Omit<FaultRule, 'times'>): void => void service.server.faults.add({ ...rule, times: 1 });

describe('faults', () => {
  test.each([400, 429, 500, 503])('HTTP %i with an envelope of failure, nothing committed, Retry-After when asked', async (status) => {
    once({ effect: { type: 'status', status, retryAfterSeconds: 7 } });
    const answer = await put('a');
    expect([answer.status, answer.json.result, answer.json.code, answer.headers.get('retry-after')]).toEqual([status, false, 1405082, '7']);
    expect(await stored()).toBe(0);
    expect((await put('a')).json.result).toBe(true);
  });

  test('HTTP 503 as plain text', async () => {
    once({ effect: { type: 'status', status: 503, body: 'text' } });
    const answer = await put('a');
    expect([answer.status, answer.headers.get('content-type'), answer.headers.get('retry-after')]).toEqual([503, 'text/plain; charset=utf-8', null]);
  });

  test('HTTP 500 with result true: committed', async () => {
    once({ effect: { type: 'status', status: 500, body: 'success' } });
    const answer = await put('a');
    expect([answer.status, answer.json.result]).toEqual([500, true]);
    expect(await stored()).toBe(1);
  });

  test('result false with HTTP 200: nothing committed', async () => {
    once({ effect: { type: 'refuse' } });
    expect((await put('a')).text).toBe(
      '{"result":false,"code":1405082,"message":"(kubefold storage): put resource failed. The service was told to refuse.","data":{}}',
    );
    expect(await stored()).toBe(0);
  });

  test.each([
    ['before', 0],
    ['after', 1],
  ] as const)('a connection cut %s the commit', async (when, count) => {
    once({ effect: { type: 'reset', when } });
    await expect(put('a')).rejects.toThrow('fetch failed');
    expect(await stored()).toBe(count);
  });

  test.each([
    ['before', 0],
    ['after', 1],
  ] as const)('no answer, ever, %s the commit; the connection counts until the client leaves', async (when, count) => {
    once({ effect: { type: 'hang', when } });
    const leaving = new AbortController();
    const hanging = fetch(service.base + pod('ns', 'a'), { method: 'PUT', body: '{"data":{}}', signal: leaving.signal });
    await until('the request is in hand and has gone as far as it goes', async () => service.server.stats().requests === 1 && (await stored()) === count, {
      everyMs: 5,
    });
    leaving.abort();
    await expect(hanging).rejects.toThrow();
    await until('nothing is in hand', () => service.server.stats().requests === 0, { everyMs: 5 });
  });

  test.each([
    ['html', /^<html>/, 'text/html'],
    ['half', /^\{"result":true,"code":0,$/, 'application/json'],
    ['empty', /^$/, 'application/json'],
  ] as const)('an answer that is %s: committed', async (form, text, type) => {
    once({ effect: { type: 'wrong-body', form } });
    const answer = await fetch(service.base + pod('ns', 'a'), { method: 'PUT', body: '{"data":{}}' });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, type]);
    expect((await answer.text()).slice(0, 24)).toMatch(text);
    expect(await stored()).toBe(1);
  });

  test('a slow body arrives in parts', async () => {
    once({ effect: { type: 'slow-body', bytes: 20, everyMs: 100 } });
    const answer = await fetch(service.base + pod('ns', 'a'), { method: 'PUT', body: '{"data":{}}' });
    const reader = answer.body?.getReader();
    const parts: string[] = [];
    for (;;) {
      const part = await reader?.read();
      if (part?.done !== false) break;
      parts.push(Buffer.from(part.value).toString());
      service.clock.advance(100);
    }
    expect(parts.join('')).toBe('{"result":true,"code":0,"message":"success","data":{}}');
    expect(parts.length).toBeGreaterThan(1);
  });

  test('latency passes before the commit, delay after the commit before the answer', async () => {
    service.server.faults.setLatency(87);
    once({ effect: { type: 'delay', ms: 1_000, when: 'after' } });
    const answer = put('a');
    await until('the request waits', () => service.clock.nextInMs === 87, { everyMs: 1 });
    expect(service.writes).toEqual([]);
    service.clock.advance(87);
    await until('the answer waits', () => service.clock.nextInMs === 1_000, { everyMs: 1 });
    expect(service.writes).toHaveLength(1);
    service.clock.advance(1_000);
    expect((await answer).json.result).toBe(true);
  });

  test('rules choose by method, path, share and number, and are taken away again', async () => {
    const { faults } = service.server;
    faults.add({ effect: { type: 'refuse' }, methods: ['PUT'], path: '/Pod/', times: 2 });
    expect((await service.get(pods('ns'))).json.result).toBe(true);
    expect((await service.put(pod('ns', 'a').replace('/Pod/', '/Job/'), {})).json.result).toBe(true);
    expect([(await put('a')).json.result, (await put('a')).json.result, (await put('a')).json.result]).toEqual([false, false, true]);
    const remove = faults.add({ effect: { type: 'refuse' } });
    expect((await put('a')).json.result).toBe(false);
    remove();
    expect((await put('a')).json.result).toBe(true);
    faults.add({ effect: { type: 'refuse' } });
    faults.setLatency(5, 5);
    faults.clear();
    expect((await put('a')).json.result).toBe(true);
  });

  test('a share is kept, and the same seed hits the same requests', () => {
    const hits = (seed: number): string => {
      const faults = new Faults(seededRandom(seed));
      faults.add({ effect: { type: 'refuse' }, share: 0.1 });
      return Array.from({ length: 2_000 }, () => faults.hit('PUT', '/x').length).join('');
    };
    expect(hits(7)).toBe(hits(7));
    expect(hits(7)).not.toBe(hits(8));
    expect(hits(7).split('1').length - 1).toBeGreaterThan(150);
    expect(hits(7).split('1').length - 1).toBeLessThan(250);
  });

  test.each<[unknown, RegExp]>([
    [{ effect: { type: 'explode' } }, /"effect.type" must be one of .*current value is "explode"/],
    [{ effect: { type: 'status', status: 99 } }, /"status" lacks a value/],
    [{ effect: { type: 'reset' } }, /"reset" lacks a value/],
    [{ effect: { type: 'refuse' }, share: 0 }, /"share" must be in \(0, 1\]/],
    [{ effect: { type: 'refuse' }, times: 1.5 }, /"times" must be an integer/],
  ])('%j is refused', (rule, message) => {
    expect(() => service.server.faults.add(rule as FaultRule)).toThrow(message);
  });

  test.each([-1, Number.NaN])('a latency of %d is refused', (ms) => {
    expect(() => service.server.faults.setLatency(ms)).toThrow(UsageError);
  });
});

describe('parseFault()', () => {
  test.each<[string, FaultRule]>([
    ['500=0.01', { effect: { type: 'status', status: 500 }, share: 0.01 }],
    ['429=x3:5', { effect: { type: 'status', status: 429, retryAfterSeconds: 5 }, times: 3 }],
    ['refuse=1', { effect: { type: 'refuse' }, share: 1 }],
    ['reset-after=0.5', { effect: { type: 'reset', when: 'after' }, share: 0.5 }],
    ['slow-body=x1', { effect: { type: 'slow-body', bytes: 16, everyMs: 20 }, times: 1 }],
  ])('%s', (text, rule) => {
    expect(parseFault(text)).toEqual(rule);
  });

  test.each(['500', '500=', '200=1', 'boom=1', 'constructor=1', '500=2', '500=x0', '500=x1.5', 'refuse=1:5', '500=1.2.3'])(
    '%s is refused with a way out',
    (text) => {
      expect(() => parseFault(text)).toThrow(UsageError);
    },
  );
});

describe('the log of writes', () => {
  test('goes to the journal in the order of commits, before the client hears of it', async () => {
    using dir = tempDir('journal');
    const entries: WriteEntry[] = [];
    const lines = (): WriteEntry[] =>
      readFileSync(dir.file('journal'), 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as WriteEntry);
    await using journaled = await testService({ journal: dir.file('journal'), onWrite: (entry) => void entries.push(entry) });
    const write = (revision: number) => journaled.put(pod('ns', `p${revision % 5}`), object('x', { uid: 'u', revision: String(revision) }));
    await write(1);
    expect(lines()).toEqual([{ time: journaled.clock.wall(), method: 'PUT', key: `${CLUSTER}/ns/Pod/p1`, uid: 'u', resourceVersion: '1', outcome: 'created' }]);
    await Promise.all(Array.from({ length: 200 }, (_, at) => write(at + 2)));
    await journaled.ask('DELETE', pod('ns', 'p1'));
    await journaled.ask('DELETE', pod('ns', 'p1'));
    expect(lines()).toEqual(entries);
    expect(lines()).toHaveLength(203);
    expect(
      lines()
        .slice(-2)
        .map(({ method, outcome }) => `${method} ${outcome}`),
    ).toEqual(['DELETE deleted', 'DELETE absent']);
    // What the journal calls accepted is what was stored: per key the revisions only rise.
    for (let key = 0; key < 5; key++) {
      const revisions = lines()
        .filter((entry) => entry.key.endsWith(`/p${key}`) && entry.method === 'PUT' && entry.outcome !== 'stale')
        .map(({ resourceVersion }) => Number(resourceVersion));
      expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
    }
  });

  test('is added to by a later start, and a file that cannot be written is named', async () => {
    using dir = tempDir('journal');
    for (const name of ['a', 'b']) {
      await using journaled = await testService({ journal: dir.file('journal') });
      await journaled.put(pod('ns', name), {});
    }
    expect(readFileSync(dir.file('journal'), 'utf8').split('\n')).toHaveLength(3);
    await expect(startBcsStorage({ journal: dir.file('none/journal') })).rejects.toThrow(/The journal .*none\/journal cannot be written/);
  });
});

test('documents, events and indexes outlive the process; a file of somebody else is left alone', async () => {
  using dir = tempDir('bcsstorage');
  const path = dir.file('storage.db');
  {
    await using first = await testService({ path });
    await first.put(pod('ns', 'a'), object('a', { uid: 'u', revision: '5' }));
    await first.send('PUT', '/events', { clusterId: CLUSTER, eventTime: 1, data: { metadata: { name: 'e' } } });
    await first.send('PUT', '/dynamic/customresources/Q/index/i', { name: 1 });
  }
  {
    await using second = await testService({ path });
    expect((await second.get(pods('ns'))).json.data).toHaveLength(1);
    expect((await second.get(`/events?clusterId=${CLUSTER}`)).json.total).toBe(1);
    expect((await second.put(pod('ns', 'a'), object('a', { uid: 'u', revision: '4' }))).json.stale).toBe(true);
    for (const size of [1, 2]) await second.send('PUT', '/dynamic/customresources/Q', { name: 'a', size });
    expect((await second.get('/dynamic/customresources/Q')).json.total).toBe(1);
  }
  const { openWritable } = await import('../../src/storage/sqlite/database-file.ts');
  openWritable(dir.file('mirror.db'), { walBytes: 1_000_000 }).close();
  await expect(startBcsStorage({ path: dir.file('mirror.db') })).rejects.toThrow(/belongs to another program/);
  await expect(startBcsStorage({ path: dir.file('none/storage.db') })).rejects.toThrow(/the folder ".*none" does not exist/);
});

test('counts connections and requests, now and the most at once', async () => {
  service.server.faults.setLatency(50);
  const answers = Promise.all(Array.from({ length: 12 }, (_, at) => put(`p${at}`)));
  await until('all wait', () => service.clock.pending >= 12 + 1, { everyMs: 1 });
  expect(service.server.stats()).toMatchObject({ requests: 12, mostRequests: 12, connections: 12, mostConnections: 12, connectionsEver: 12 });
  service.clock.advance(50);
  await answers;
  await until('nothing is in hand', () => service.server.stats().requests === 0, { everyMs: 1 });
  expect(service.server.stats()).toMatchObject({ mostRequests: 12, byMethod: { PUT: 12 }, byOutcome: { created: 12 }, watches: 0 });
  service.server.resetStats();
  expect(service.server.stats()).toMatchObject({ mostRequests: 0, byMethod: {}, byOutcome: {} });
});
