import { chmodSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { Semaphore } from '../../src/kit/semaphore.ts';
import { ApiError } from '../../src/model/errors.ts';
import { objectKey } from '../../src/model/key.ts';
import { type Answer, ApiDouble, sendJson } from '../support/api-double.ts';
import { TestAuthority } from '../support/certificates.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';
import { clusterUnderTest, pods } from './cluster-under-test.ts';

const authority = new TestAuthority();
const serverPair = authority.issue({ commonName: 'api', names: ['IP:127.0.0.1', 'DNS:api.internal'] });
afterAll(() => authority.remove());

let api: ApiDouble;
let dir: TempDir;
let cluster: Cluster;
const live = new AbortController().signal;
const ca = { 'certificate-authority-data': authority.cert.toString('base64') };
const status = (code: number, fields: object = {}): object => ({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code, ...fields });

beforeAll(async () => {
  api = await ApiDouble.start(() => {}, { cert: serverPair.cert, key: serverPair.key });
});
afterAll(() => api.stop());
beforeEach(async () => {
  dir = tempDir('http');
  api.requests.length = 0;
  api.connections = 0;
  cluster = await clusterUnderTest(dir, { cluster: { server: api.url, ...ca }, user: { token: 'abc' } });
});
afterEach(async () => {
  await cluster.close();
  dir.remove();
});

/** Reads a list whole, copying as a caller must. */
async function list(from: Cluster = cluster, signal: AbortSignal = live): Promise<{ readonly text: string; readonly chunks: number }> {
  const chunks: Buffer[] = [];
  await from.list(pods, '', { limit: 500 }, (chunk) => chunks.push(Buffer.from(chunk)), signal);
  return { text: Buffer.concat(chunks).toString('utf8'), chunks: chunks.length };
}

async function caught(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'no error',
    (cause: unknown) => cause,
  );
}

describe('bodies', () => {
  test('a large list arrives whole, in many chunks, whatever the sizes in which it was sent', async () => {
    const parts = Array.from({ length: 3000 }, (_, i) => `${i}:`.padEnd((i * 7919) % 6000, 'x'));
    api.answer = (_, response) => {
      for (const part of parts) response.write(part);
      response.end();
    };
    const { text, chunks } = await list();
    expect(text === parts.join('')).toBe(true);
    expect(chunks).toBeGreaterThan(100);
  });

  test('many bodies at once do not mix, although they share the read buffer', async () => {
    api.answer = (request, response) => {
      const name = request.url?.split('/').at(-1) ?? '';
      for (let i = 0; i < 200; i++) response.write(name.repeat(300));
      response.end();
    };
    const names = Array.from({ length: 8 }, (_, i) => `pod${i}`);
    const bodies = await Promise.all(names.map((name) => cluster.get(pods, objectKey('a', name), live)));
    bodies.forEach((body, i) => {
      expect(Buffer.from(body ?? []).toString() === `pod${i}`.repeat(60_000)).toBe(true);
    });
  });

  test('requests after one another use one connection, and carry path, token and name', async () => {
    api.answer = (_, response) => sendJson(response, 200, { items: [] });
    for (let i = 0; i < 5; i++) expect((await list()).text).toBe('{"items":[]}\n');
    expect(api.connections).toBe(1);
    expect(api.requests[0]).toMatchObject({
      url: '/api/v1/pods?limit=500',
      headers: { authorization: 'Bearer abc', accept: 'application/json', 'user-agent': 'kubefold/0.0.0' },
    });
    expect(api.requests[0]?.headers['accept-encoding']).toBeUndefined();
  });

  test('compressed lists come out plain when they are wanted', async () => {
    const compressed = await clusterUnderTest(dir, { cluster: { server: api.url, ...ca } }, { compressLists: true });
    const body = JSON.stringify({ items: Array.from({ length: 20_000 }, (_, i) => i) });
    api.answer = (_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' });
      response.end(gzipSync(body));
    };
    expect((await list(compressed)).text).toBe(body);
    expect(api.requests[0]?.headers['accept-encoding']).toBe('gzip');
    api.answer = (_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' });
      response.end(gzipSync(body).subarray(0, 500));
    };
    expect(await caught(list(compressed))).toMatchObject({ code: 'Z_BUF_ERROR' });
    await compressed.close();
  });

  test('a sink that throws ends the request with its own error', async () => {
    const closed = new Promise<void>((resolve) => {
      api.answer = (_, response) => {
        response.on('close', resolve);
        response.write('first');
      };
    });
    const mistake = new Error('sink is broken');
    const sink = (): void => {
      throw mistake;
    };
    expect(await caught(cluster.list(pods, '', {}, sink, live))).toBe(mistake);
    await closed;
  });

  test('a body that is cut off is an error, never a short answer', async () => {
    api.answer = (_, response) => {
      response.write('{"items":[');
      setImmediate(() => response.socket?.destroy());
    };
    const error = await caught(list());
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(ApiError);
    expect(error).toHaveProperty('code');
  });
});

describe('watches', () => {
  const watch = (sink: (chunk: Uint8Array) => void, signal: AbortSignal, onOpen = (): void => {}): Promise<void> =>
    cluster.watch(pods, '', { resourceVersion: '5', timeoutSeconds: 300 }, sink, onOpen, signal);

  test('onOpen comes with the headers, chunks as they are sent, and a clean end resolves', async () => {
    const held = Promise.withResolvers<ServerResponse>();
    api.answer = (_, response) => {
      response.flushHeaders();
      held.resolve(response);
    };
    const opened = Promise.withResolvers<void>();
    const seen: string[] = [];
    const first = Promise.withResolvers<void>();
    const done = watch(
      (chunk) => {
        seen.push(Buffer.from(chunk).toString());
        first.resolve();
      },
      live,
      opened.resolve,
    );
    await opened.promise;
    const response = await held.promise;
    response.write('{"type":"ADDED"}\n');
    await first.promise;
    expect(seen).toEqual(['{"type":"ADDED"}\n']);
    response.end();
    await done;
    expect(api.requests[0]?.url).toBe('/api/v1/pods?watch=true&allowWatchBookmarks=true&timeoutSeconds=300&resourceVersion=5');
  });

  test('aborting rejects with the reason at once, ends the connection, and the sink hears no more', async () => {
    const closed = Promise.withResolvers<void>();
    api.answer = (_, response) => {
      response.on('close', closed.resolve);
      response.write('line\n');
    };
    const abort = new AbortController();
    const reason = new Error('kind is gone');
    let chunks = 0;
    const sink = (): void => {
      chunks++;
      abort.abort(reason);
    };
    expect(await caught(watch(sink, abort.signal))).toBe(reason);
    await closed.promise;
    expect(chunks).toBe(1);
    expect(await caught(watch(sink, abort.signal))).toBe(reason);
    expect(api.requests).toHaveLength(1);
  });

  test('a hundred watches run at the same time beside lists, and closing ends them all', async () => {
    let open = 0;
    const all = Promise.withResolvers<void>();
    api.answer = (request, response) => (request.url?.includes('watch=true') === true ? response.flushHeaders() : sendJson(response, 200, {}));
    const watches = Array.from({ length: 100 }, () =>
      caught(
        watch(
          () => {},
          live,
          () => {
            if (++open === 100) all.resolve();
          },
        ),
      ),
    );
    await all.promise;
    expect((await list()).text).toBe('{}\n');
    expect(api.openConnections).toBeGreaterThanOrEqual(101);
    await cluster.close();
    for (const ended of await Promise.all(watches)) expect(ended).toBeInstanceOf(Error);
  });

  test('lists wait for one another at the given bound, watches do not', async () => {
    const slots = new Semaphore(2);
    const bounded = await clusterUnderTest(dir, { cluster: { server: api.url, ...ca } }, { slots });
    const waiting: ServerResponse[] = [];
    const two = Promise.withResolvers<void>();
    api.answer = (_, response) => {
      if (waiting.push(response) === 2) two.resolve();
    };
    const lists = [list(bounded), list(bounded), list(bounded)];
    await two.promise;
    expect([slots.inUse, slots.waiting, waiting.length]).toEqual([2, 1, 2]);
    api.answer = (_, response) => sendJson(response, 200, {});
    for (const response of waiting) sendJson(response, 200, {});
    await Promise.all(lists);
    expect(slots.inUse).toBe(0);
    await bounded.close();
  });
});

describe('refusals', () => {
  test('list and watch hand an ApiError on without a second try (RF-S17 is for others)', async () => {
    api.answer = (_, response) =>
      sendJson(response, 429, status(429, { message: 'storage is (re)initializing', reason: 'TooManyRequests' }), { 'retry-after': '1' });
    expect(await caught(list())).toMatchObject({ name: 'ApiError', status: 429, reason: 'TooManyRequests', retryAfterMs: 1000 });
    const opened: string[] = [];
    const ended = cluster.watch(
      pods,
      '',
      { resourceVersion: '1', timeoutSeconds: 5 },
      () => opened.push('data'),
      () => opened.push('open'),
      live,
    );
    expect(await caught(ended)).toBeInstanceOf(ApiError);
    expect([opened, api.requests.length]).toEqual([[], 2]);
  });

  test('get tries again after Retry-After, a bounded number of times (RF-S17)', async () => {
    const clock = new ManualClock();
    const secured = await clusterUnderTest(dir, { cluster: { server: api.url, ...ca } }, { clock });
    const answers: Answer[] = [
      (_, response) => sendJson(response, 503, status(503), { 'retry-after': '2' }),
      (_, response) => sendJson(response, 200, { ok: true }),
    ];
    api.answer = (request, response) => answers[Math.min(api.requests.length, answers.length) - 1]?.(request, response);
    const got = secured.get(pods, objectKey('a', 'b'), live);
    while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(clock.nextInMs).toBe(2000);
    clock.advance(2000);
    expect(Buffer.from((await got) ?? []).toString()).toBe('{"ok":true}\n');
    answers.splice(0, 2, (_, response) => sendJson(response, 429, status(429), { 'retry-after': '0' }));
    api.requests.length = 0;
    const refused = caught(secured.get(pods, objectKey('a', 'b'), live));
    const pump = setInterval(() => clock.advance(1), 1);
    expect(await refused).toMatchObject({ name: 'ApiError', status: 429 });
    clearInterval(pump);
    expect(api.requests).toHaveLength(4);
    await secured.close();
  });

  test('get is null only for a 404 of this very object', async () => {
    api.answer = (_, response) =>
      sendJson(response, 404, status(404, { reason: 'NotFound', message: 'pods "b" not found', details: { name: 'b', kind: 'pods' } }));
    expect(await cluster.get(pods, objectKey('a', 'b'), live)).toBeNull();
    expect(await caught(cluster.get(pods, objectKey('a', 'c'), live))).toMatchObject({ status: 404 });
    api.answer = (_, response) => {
      response.writeHead(404, { 'content-type': 'text/plain' });
      response.end('404 page not found\n');
    };
    expect(await caught(cluster.get(pods, objectKey('a', 'b'), live))).toMatchObject({ name: 'ApiError', status: 404, reason: '' });
  });

  test('a refusal without end is read up to a bound', async () => {
    api.answer = (_, response) => {
      response.writeHead(500, { 'content-type': 'text/plain' });
      const more = (): void => {
        if (!response.destroyed && response.write('x'.repeat(64 * 1024))) setImmediate(more);
        else response.once('drain', more);
      };
      more();
    };
    const error = await caught(list());
    expect(error).toMatchObject({ name: 'ApiError', status: 500 });
    expect((error as Error).message.length).toBeLessThan(400);
  });

  test('identity is the uid of kube-system, and null when it may not be read', async () => {
    api.answer = (_, response) => sendJson(response, 200, { metadata: { uid: 'u-1' } });
    expect(await cluster.identity(live)).toBe('u-1');
    api.answer = (_, response) => sendJson(response, 403, status(403, { reason: 'Forbidden' }));
    expect(await cluster.identity(live)).toBeNull();
    api.answer = (_, response) => sendJson(response, 500, status(500));
    expect(await caught(cluster.identity(live))).toMatchObject({ status: 500 });
  });

  test('a connection that the server closed while it was idle is made anew for a short request', async () => {
    api.answer = (_, response) => sendJson(response, 200, { metadata: { uid: 'u-1' } });
    await cluster.identity(live);
    let cuts = 0;
    api.answer = (_, response) => {
      if (cuts++ === 0) response.socket?.destroy();
      else sendJson(response, 200, { metadata: { uid: 'u-2' } });
    };
    expect(await cluster.identity(live)).toBe('u-2');
    expect(cuts).toBe(2);
  });
});

describe('expired credentials', () => {
  const needs =
    (good: () => string): Answer =>
    (request, response) =>
      request.headers.authorization === `Bearer ${good()}`
        ? sendJson(response, 200, { items: [] })
        : sendJson(response, 401, status(401, { message: 'Unauthorized', reason: 'Unauthorized' }));

  test('a 401 runs the exec plugin again and repeats the request once', async () => {
    const plugin = dir.file('plugin');
    writeFileSync(dir.file('token'), 'old');
    writeFileSync(
      plugin,
      `#!/bin/sh\nprintf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}' "$(cat ${dir.file('token')})"\n`,
    );
    chmodSync(plugin, 0o755);
    const clock = new ManualClock();
    const exec = await clusterUnderTest(
      dir,
      { cluster: { server: api.url, ...ca }, user: { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: plugin } } },
      { clock },
    );
    api.answer = needs(() => 'old');
    await list(exec);
    writeFileSync(dir.file('token'), 'new');
    clock.advance(20_000);
    api.answer = needs(() => 'new');
    api.requests.length = 0;
    await Promise.all([list(exec), list(exec), list(exec)]);
    expect(api.requests.length).toBeLessThanOrEqual(6);
    expect((await list(exec)).text).toBe('{"items":[]}\n');
    await exec.close();
  });

  test('a rotated token file is read again after a 401', async () => {
    writeFileSync(dir.file('token'), 'old');
    const file = await clusterUnderTest(dir, { cluster: { server: api.url, ...ca }, user: { tokenFile: 'token' } }, { clock: new ManualClock() });
    api.answer = needs(() => 'old');
    await list(file);
    writeFileSync(dir.file('token'), 'new');
    api.answer = needs(() => 'new');
    expect((await list(file)).text).toBe('{"items":[]}\n');
    await file.close();
  });

  test('a token that cannot be renewed is a 401 after one try, and the token is not in the message', async () => {
    api.answer = needs(() => 'another');
    const error = await caught(list());
    expect(error).toMatchObject({ name: 'ApiError', status: 401, reason: 'Unauthorized' });
    expect(String(error)).not.toContain('abc');
    expect(api.requests).toHaveLength(1);
  });
});
