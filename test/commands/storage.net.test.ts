import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { TestAuthority } from '../support/certificates.ts';
import { tempDir } from '../support/temp-dir.ts';
import { kubefold, startKubefold } from './kubefold.ts';

const POD = '/k8s/dynamic/namespace_resources/clusters/c/namespaces/ns/Pod/a';

test('kubefold storage says where it serves, keeps what it is given, writes the journal, and stops orderly with its counts', async () => {
  using dir = tempDir('storage-command');
  const args = ['storage', '--listen', '127.0.0.1:0', '--storage', `sqlite:${dir.file('s.db')}`, '--journal', dir.file('journal')];
  await using first = startKubefold(args);
  const [, base = ''] = await first.printed(/^serving \S+s\.db at (http:\/\/127\.0\.0\.1:\d+\/bcsstorage\/v1)$/m);
  const put = await fetch(base + POD, { method: 'PUT', body: '{"data":{"metadata":{"uid":"u","resourceVersion":"5"}}}' });
  expect(await put.text()).toBe('{"result":true,"code":0,"message":"success","data":{}}');
  const exit = await first.stop();
  expect([exit.code, exit.stderr]).toEqual([0, '']);
  expect(exit.stdout).toMatch(/^stopped after 1 requests, at most 1 at once over 1 connections$/m);
  expect(JSON.parse(readFileSync(dir.file('journal'), 'utf8'))).toMatchObject({ key: 'c/ns/Pod/a', uid: 'u', resourceVersion: '5', outcome: 'created' });

  await using second = startKubefold([...args, '--fault', '503=x1:9', '--no-revision-check']);
  const [, again = ''] = await second.printed(/ at (http\S+)/);
  const refused = await fetch(again + POD);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '9']);
  await fetch(again + POD, { method: 'PUT', body: '{"data":{"metadata":{"uid":"u","resourceVersion":"4"}}}' });
  const got = (await (await fetch(again + POD)).json()) as { readonly data: { readonly data: unknown } };
  expect(got.data.data).toEqual({ metadata: { uid: 'u', resourceVersion: '4' } });
  expect((await second.stop()).code).toBe(0);
});

test.each<[string, readonly string[], RegExp]>([
  [
    'an address that others reach',
    ['--listen', '0.0.0.0:0'],
    /--listen 0\.0\.0\.0:0 is not a loopback address.*--tls-cert and --tls-key, and --client-ca or --token-file/,
  ],
  ['every address', ['--listen', ':0'], /is not a loopback address/],
  ['a token without TLS on such an address', ['--listen', '[::]:0', '--token-file', 'token'], /is not a loopback address/],
  ['an address that is none', ['--listen', 'here'], /--listen must be HOST:PORT, found "here"/],
  ['another engine', ['--storage', 'postgres://x'], /--storage must be sqlite:FILE or memory:, found "postgres:\/\/x"/],
  ['an unknown fault', ['--fault', 'flood=0.5'], /There is no fault "flood"\. Names: .*reset-after/],
  ['a share above 1', ['--fault', 'refuse=2'], /"share" must be in \(0, 1\]/],
  ['a certificate without a key', ['--tls-cert', 'token'], /--tls-cert and --tls-key belong together/],
  [
    'a certificate that is none',
    ['--listen', '127.0.0.1:0', '--storage', 'memory:', '--tls-cert', 'token', '--tls-key', 'token'],
    /certificate and its key cannot be used/,
  ],
  ['a missing certificate', ['--tls-cert', 'nope', '--tls-key', 'nope'], /--tls-cert nope cannot be read/],
  ['an empty token file', ['--token-file', 'empty'], /--token-file empty cannot be read or is empty/],
  ['a journal in no folder', ['--listen', '127.0.0.1:0', '--storage', 'memory:', '--journal', 'none/journal'], /The journal none\/journal cannot be written/],
  ['a latency that is no number', ['--latency-ms', '-1'], /--latency-ms/],
])('%s is refused with exit code 2, and nothing is made', async (_name, args, message) => {
  using dir = tempDir('storage-command');
  writeFileSync(dir.file('token'), 'secret\n');
  writeFileSync(dir.file('empty'), '\n');
  const exit = await kubefold(['storage', ...args], { cwd: dir.path });
  expect(exit.stderr).toMatch(message);
  expect(exit.stderr).not.toContain('secret');
  expect(exit.code).toBe(2);
  expect(existsSync(dir.file('kubefold-storage.db'))).toBe(false);
});

test('any address is served with TLS and a token', async () => {
  using dir = tempDir('storage-command');
  writeFileSync(dir.file('token'), 'secret\n');
  const authority = new TestAuthority();
  try {
    const { certFile, keyFile } = authority.issue({ commonName: 'localhost', names: ['IP:127.0.0.1'] });
    const tls = ['--tls-cert', certFile, '--tls-key', keyFile, '--token-file', dir.file('token')];
    await using child = startKubefold(['storage', '--listen', '0.0.0.0:0', '--storage', 'memory:', ...tls]);
    const [, port = ''] = await child.printed(/ at https:\/\/0\.0\.0\.0:(\d+)\/bcsstorage\/v1/);
    const { request } = await import('node:https');
    const ask = (headers: Record<string, string>): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const options = { ca: authority.cert, agent: false as const, headers };
        request(`https://127.0.0.1:${port}/bcsstorage/v1${POD}`, options, (response) => void response.resume().on('end', () => resolve(response.statusCode)))
          .on('error', reject)
          .end();
      });
    expect([await ask({}), await ask({ authorization: 'Bearer secret' })]).toEqual([401, 200]);
    await child.stop();
  } finally {
    authority.remove();
  }
});
