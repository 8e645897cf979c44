import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { seedCluster } from '../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { whyNoDebug } from '../../src/web/debug.ts';
import { TestMirror } from '../mirror/test-mirror.ts';
import { until } from '../support/until.ts';

let hollow: Hollow;

beforeAll(async () => {
  hollow = await startHollow();
  seedCluster(hollow, { pods: 30, nodes: 2, namespaces: 1, bytes: 600 });
});

afterAll(() => hollow.close());

interface Answer {
  readonly code: number;
  readonly text: string;
  readonly file: string | undefined;
}

/** fetch() lets nobody choose Host, Origin or Sec-Fetch-Site. */
function ask(mirror: TestMirror, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request(`${mirror.app.url}${path}`, { headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const file = /filename="(.*)"/.exec(response.headers['content-disposition'] ?? '')?.[1];
        resolve({ code: response.statusCode ?? 0, text: Buffer.concat(chunks).toString(), file });
      });
      response.on('error', reject);
    })
      .on('error', reject)
      .end();
  });
}

test('there is no /debug unless the configuration asks for it', async () => {
  await using mirror = await TestMirror.start(hollow);
  for (const path of ['/debug', '/debug/heap', '/debug/queues', '/debug/profile']) expect((await ask(mirror, path)).code, path).toBe(404);
});

test('a configuration that would show it on an address that others reach is refused', () => {
  const exposed = { listen: '0.0.0.0:8443', tls: { certFile: 'a', keyFile: 'b' }, auth: { tokenFile: 'c' } };
  expect(() => loadConfig({ text: JSON.stringify({ ...exposed, debug: { enabled: true } }), file: 'x' })).toThrow(
    /debug\.enabled must be false unless listen is a loopback address, found true\. Set listen/,
  );
  expect(loadConfig({ text: JSON.stringify(exposed), file: 'x' }).debug.enabled).toBe(false);
});

describe('switched on', () => {
  let mirror: TestMirror;
  beforeAll(async () => {
    // A row a second: keys stay in the queues for as long as this takes.
    mirror = await TestMirror.start(hollow, {
      config: { debug: { enabled: true }, limits: { storage: { concurrency: 1, perSecond: 1 } }, workers: { default: 1 } },
    });
  });
  afterAll(() => mirror[Symbol.asyncDispose]());

  test('the keys in the queues are shown by kind, with what they wait for, as many as are asked for', async () => {
    interface Queues {
      readonly queues: readonly { readonly kind: string; readonly size: number; readonly keys: readonly { readonly key: string; readonly state: string }[] }[];
    }
    const pods = await until('pods are queued', async () => {
      const { queues } = JSON.parse((await ask(mirror, '/debug/queues?keys=3')).text) as Queues;
      return queues.find(({ kind, size }) => kind === 'pods' && size > 3);
    });
    expect(pods.keys).toHaveLength(3);
    for (const { key, state } of pods.keys) {
      expect(hollow.keys('pods')).toContain(key);
      expect(['queued', 'held', 'held, changed', 'waiting']).toContain(state);
    }
  });

  test('a CPU profile and a heap snapshot are what Chrome reads, and one is taken at a time', async () => {
    const profiling = ask(mirror, '/debug/profile?seconds=1');
    await until('the profile has begun', async () => (await ask(mirror, '/debug/profile?seconds=0')).code === 409, { everyMs: 10 });
    const profile = await profiling;
    expect([profile.code, profile.file]).toEqual([200, 'kubefold.cpuprofile']);
    expect(JSON.parse(profile.text)).toMatchObject({ nodes: expect.any(Array), samples: expect.any(Array), startTime: expect.any(Number) });
    const heap = await ask(mirror, '/debug/heap');
    expect([heap.code, heap.file]).toEqual([200, 'kubefold.heapsnapshot']);
    expect(JSON.parse(heap.text)).toMatchObject({ snapshot: { meta: expect.any(Object) }, nodes: expect.any(Array) });
  });

  test('a path that there is not names those that there are', async () => {
    const { code, text } = await ask(mirror, '/debug/nothing');
    expect([code, text]).toEqual([404, expect.stringMatching(/\/debug\/queues.*\/debug\/profile.*\/debug\/heap/s)]);
    expect(await ask(mirror, '/debug')).toMatchObject({ code: 200, text });
  });

  test.each([
    ['a page whose name was made to lead here', { Host: 'evil.example:8080' }, /ask for 127\.0\.0\.1/],
    ['a page of another site', { 'Sec-Fetch-Site': 'cross-site' }, /web pages are refused/],
    ['a script with an origin', { Origin: 'http://127.0.0.1:8080' }, /web pages are refused/],
  ])('%s gets nothing', async (_, headers, why) => {
    for (const path of ['/debug', '/debug/heap', '/debug/queues']) {
      const { code, text } = await ask(mirror, path, headers as unknown as Record<string, string>);
      expect([code, text]).toEqual([403, expect.stringMatching(why)]);
    }
  });
});

test.each([
  ['127.0.0.1', '127.0.0.1:8080', null],
  ['::1', '[::1]:8080', null],
  ['::ffff:127.0.0.1', 'localhost', null],
  ['10.0.0.7', '127.0.0.1:8080', '/debug is for this machine only'],
  [undefined, '127.0.0.1', '/debug is for this machine only'],
  ['127.0.0.1', 'localhost.evil.example', 'ask for 127.0.0.1, localhost or [::1]'],
  ['127.0.0.1', undefined, 'ask for 127.0.0.1, localhost or [::1]'],
])('from %s, asked as %s: %s', (remoteAddress, host, why) => {
  expect(whyNoDebug({ headers: host === undefined ? {} : { host }, socket: { remoteAddress } })).toBe(why);
});
