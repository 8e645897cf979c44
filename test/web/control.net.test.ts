import { rmSync, writeFileSync } from 'node:fs';
import { request as secureRequest } from 'node:https';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Control, HeldPass, HeldToken, ParkedChoice, ParkedObject } from '../../src/model/control.ts';
import { objectKey } from '../../src/model/key.ts';
import { startWeb, type Web } from '../../src/web/server.ts';
import { TestAuthority } from '../support/certificates.ts';
import { tempDir } from '../support/temp-dir.ts';
import { statusOf } from './statuses.ts';

const KEYS = Array.from({ length: 25 }, (_, i) => objectKey('default', `pod-${i}`));
const PASS: HeldPass = { kind: 'pods', token: '7.1', count: 25, of: 60, since: 7, why: 'a list did not contain them', keys: [] };
const PARKED: ParkedObject = { kind: 'pods', key: objectKey('default', 'big'), uid: 'u', revision: '5', error: 'too large', attempts: 2, since: 7 };

/** Says what was decided; knows one kind with held deletions. */
class Decisions implements Control {
  readonly clusterName = 'test';
  readonly made: unknown[] = [];
  held(keys: number): readonly HeldPass[] {
    return [{ ...PASS, keys: KEYS.slice(0, keys) }];
  }
  queues(): ReturnType<Control['queues']> {
    return [];
  }
  confirm(shown: HeldToken): ReturnType<Control['confirm']> {
    this.made.push(['confirm', shown]);
    return shown.token === PASS.token ? { released: shown.count } : { refused: 'other deletions are held now' };
  }
  async parked(): Promise<readonly ParkedObject[]> {
    return [PARKED];
  }
  async retry(choice: ParkedChoice): ReturnType<Control['retry']> {
    this.made.push(['retry', choice]);
    return { retried: 1 };
  }
  async drop(choice: ParkedChoice): ReturnType<Control['drop']> {
    this.made.push(['drop', choice]);
    return { dropped: 1 };
  }
}

let control: Decisions;
let web: Web;
const common = (): Parameters<typeof startWeb>[0] => ({
  host: '127.0.0.1',
  port: 0,
  status: () => statusOf([]),
  metrics: async () => ({ text: '', contentType: 'text/plain' }),
  control,
  secured: null,
});
beforeEach(async () => {
  control = new Decisions();
  web = await startWeb(common());
});
afterEach(() => web.close());

const OURS = { 'Content-Type': 'application/json', 'X-Kubefold-Control': '1' };
const CONFIRM = { kind: 'pods', token: '7.1', count: 25 };

async function ask(path: string, init: RequestInit = {}): Promise<{ readonly code: number; readonly body: Record<string, unknown> }> {
  const response = await fetch(`${web.url}${path}`, init);
  expect(response.headers.get('content-type')).toBe('application/json');
  return { code: response.status, body: (await response.json()) as Record<string, unknown> };
}

function post(path: string, body: unknown, headers: Record<string, string> = OURS): ReturnType<typeof ask> {
  return ask(path, { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) });
}

describe('what is waiting', () => {
  test('held deletions are shown with their first keys, or as many as are asked for', async () => {
    expect(await ask('/control/held')).toEqual({ code: 200, body: { cluster: 'test', held: [{ ...PASS, keys: KEYS.slice(0, 10) }] } });
    const keysOf = async (query: string): Promise<unknown> => ((await ask(`/control/held${query}`)).body['held'] as HeldPass[])[0]?.keys;
    expect(await keysOf('?keys=2')).toEqual(KEYS.slice(0, 2));
    expect(await keysOf('?keys=all')).toEqual(KEYS);
    expect(await keysOf('?keys=-1')).toEqual(KEYS.slice(0, 10));
  });

  test('parked objects are shown whole', async () => {
    expect(await ask('/control/parked')).toEqual({ code: 200, body: { cluster: 'test', parked: [PARKED] } });
  });
});

describe('a decision', () => {
  test('that fits is carried out, one that does not is a 409 that says why', async () => {
    expect(await post('/control/held/confirm', CONFIRM)).toEqual({ code: 200, body: { released: 25 } });
    expect(await post('/control/held/confirm', { ...CONFIRM, token: '6.1' })).toEqual({ code: 409, body: { error: 'other deletions are held now' } });
    expect(await post('/control/parked/retry', { all: true })).toEqual({ code: 200, body: { retried: 1 } });
    expect(await post('/control/parked/drop', { kind: 'pods', key: 'default/big' })).toEqual({ code: 200, body: { dropped: 1 } });
    expect(control.made).toEqual([
      ['confirm', CONFIRM],
      ['confirm', { ...CONFIRM, token: '6.1' }],
      ['retry', { all: true }],
      ['drop', { kind: 'pods', key: 'default/big' }],
    ]);
  });

  test.each<[string, string, unknown, Record<string, string>, number, RegExp]>([
    ['without our header', '/control/held/confirm', CONFIRM, { 'Content-Type': 'application/json' }, 403, /x-kubefold-control is missing/],
    ['of a form of another site', '/control/held/confirm', CONFIRM, { ...OURS, 'Content-Type': 'text/plain' }, 415, /application\/json/],
    ['of a page of another site', '/control/held/confirm', CONFIRM, { ...OURS, Origin: 'https://evil.example' }, 403, /web pages are refused/],
    ['of a page that calls itself this address', '/control/held/confirm', CONFIRM, { ...OURS, Origin: 'http://127.0.0.1:8080' }, 403, /web pages/],
    ['that a browser calls cross-site', '/control/held/confirm', CONFIRM, { ...OURS, 'Sec-Fetch-Site': 'cross-site' }, 403, /web pages/],
    ['that is no JSON', '/control/held/confirm', '{', OURS, 400, /no JSON/],
    ['of another shape', '/control/held/confirm', { kind: 'pods' }, OURS, 400, /./],
    ['with a key too much', '/control/held/confirm', { ...CONFIRM, all: true }, OURS, 400, /./],
    ['with a count that is no number', '/control/held/confirm', { ...CONFIRM, count: '25' }, OURS, 400, /count must be a number/],
    ['that chooses nothing', '/control/parked/retry', {}, OURS, 400, /\{"all": true\}/],
    ['that chooses all and one', '/control/parked/drop', { all: true, kind: 'pods', key: 'a/b' }, OURS, 400, /\{"all": true\}/],
    ['that is too long', '/control/parked/retry', `${' '.repeat(20_000)}{"all":true}`, OURS, 413, /not be longer than 16384 bytes/],
  ])('%s is refused, and nothing is decided', async (_, path, body, headers, code, message) => {
    const answer = await post(path, body, headers);
    expect(answer.code).toBe(code);
    expect(answer.body['error']).toMatch(message);
    expect(control.made).toEqual([]);
  });

  test('whose length is not told is bounded all the same', async () => {
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(8_192).fill(0x20)) });
    const answer = fetch(`${web.url}/control/parked/retry`, { method: 'POST', headers: OURS, body: endless, duplex: 'half' } as RequestInit);
    // Whether the answer is read or the connection is cut while it still writes is the client's luck.
    const code = await answer.then(
      (response) => response.status,
      () => 413,
    );
    expect(code).toBe(413);
    expect(control.made).toEqual([]);
    expect((await ask('/control/held')).code).toBe(200);
  });

  test('is made by POST, and looking by GET', async () => {
    for (const [path, method] of [
      ['/control/held/confirm', 'GET'],
      ['/control/held/confirm', 'DELETE'],
      ['/control/held', 'POST'],
    ] as const) {
      const response = await fetch(`${web.url}${path}`, { method, headers: OURS });
      expect([path, method, response.status, response.headers.get('allow')]).toEqual([path, method, 405, path === '/control/held' ? 'GET, HEAD' : 'POST']);
    }
    expect(await ask('/control/nothing')).toEqual({ code: 404, body: { error: expect.stringMatching(/there is no \/control\/nothing; GET .*POST /) } });
    expect(control.made).toEqual([]);
  });
});

describe('beyond loopback', () => {
  const authority = new TestAuthority();
  const pair = authority.issue({ commonName: 'kubefold', names: ['IP:127.0.0.1'] });
  const files = tempDir('control');
  const tokenFile = files.file('token');
  afterAll(() => {
    authority.remove();
    files.remove();
  });

  test('looking and deciding need the token', async () => {
    writeFileSync(tokenFile, 'geheim\n');
    const secure = await startWeb({ ...common(), secured: { certFile: pair.certFile, keyFile: pair.keyFile, tokenFile } });
    const codeOf = (method: string, path: string, token: string | null): Promise<number> =>
      new Promise((resolve, reject) => {
        const headers = { ...OURS, ...(token === null ? {} : { Authorization: `Bearer ${token}` }) };
        secureRequest(`${secure.url}${path}`, { method, headers, ca: authority.cert, agent: false }, (response) => {
          response.resume().on('end', () => resolve(response.statusCode ?? 0));
        })
          .on('error', reject)
          .end(method === 'POST' ? JSON.stringify(CONFIRM) : undefined);
      });
    try {
      for (const [method, path] of [
        ['GET', '/control/held'],
        ['POST', '/control/held/confirm'],
      ] as const) {
        expect(await codeOf(method, path, null)).toBe(401);
        expect(await codeOf(method, path, 'wrong')).toBe(401);
        expect(control.made).toEqual([]);
        expect(await codeOf(method, path, 'geheim')).toBe(200);
      }
      expect(control.made).toEqual([['confirm', CONFIRM]]);
      rmSync(tokenFile);
      expect(await codeOf('POST', '/control/held/confirm', 'geheim')).toBe(401);
    } finally {
      await secure.close();
    }
  });
});
