import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { Copy } from '../mirror/copy.ts';
import { TestAuthority } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { kubefold, startKubefold } from './kubefold.ts';

const authority = new TestAuthority();
afterAll(() => authority.remove());

let dir: TempDir;
const open: Hollow[] = [];

beforeEach(() => {
  dir = tempDir('bad-cluster');
});
afterEach(async () => {
  for (const hollow of open.splice(0)) await hollow.close();
  dir.remove();
});

async function start(options: Parameters<typeof startHollow>[0] = {}): Promise<Hollow> {
  const hollow = await startHollow(options);
  open.push(hollow);
  return hollow;
}

function run(kubeconfig: string, ...more: string[]): readonly string[] {
  writeFileSync(dir.file('kubeconfig'), kubeconfig);
  return ['run', '--kubeconfig', dir.file('kubeconfig'), '--storage', `sqlite:${dir.file('copy.db')}`, '--log-format', 'json', '--listen', 'off', ...more];
}

const onErr = { on: 'stderr' } as const;

test('an API server that cannot be reached is waited for, and said so on status and log; when it comes up everything works', async () => {
  const port = await freePort();
  const kubeconfig = {
    'current-context': 'x',
    clusters: [{ name: 'x', cluster: { server: `http://127.0.0.1:${port}` } }],
    contexts: [{ name: 'x', context: { cluster: 'x' } }],
  };
  await using child = startKubefold(run(JSON.stringify(kubeconfig), '--listen', '127.0.0.1:0'));
  const [, url = ''] = await child.printed(/"status":"([^"]+)"/, onErr);
  await child.printed(new RegExp(`"error":"nobody listens at 127\\.0\\.0\\.1:${port} .*is the API server running.*waiting for the API server`), onErr);
  const ready = await fetch(`${url}/readyz`);
  expect(ready.status).toBe(503);
  expect(await ready.text()).toMatch(/\[!\] nobody listens at .*\nnot ready: connecting\n$/);
  expect((await fetch(`${url}/livez`)).status).toBe(200);
  const hollow = await start({ port });
  await child.printed(/first sync complete/, onErr);
  using copy = new Copy(dir.file('copy.db'));
  expect(copy.differences(hollow)).toEqual([]);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  expect((await child.stop()).code).toBe(0);
});

test('an API server that goes away and comes back while it is mirrored', async () => {
  const hollow = await start();
  await using child = startKubefold(run(hollow.kubeconfig()));
  await child.printed(/first sync complete/, onErr);
  const { port } = hollow;
  await hollow.close();
  const again = await start({ port, revision: 1_000 });
  again.create('configmaps', { metadata: { name: 'after', namespace: 'default' } });
  using copy = new Copy(dir.file('copy.db'));
  await copy.equals(again);
});

test('a credential plugin that is not there ends the start with 2, and says how to get it', async () => {
  const kubeconfig = dir.file('kubeconfig');
  const user = {
    exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'no-such-plugin', installHint: 'install it with care', interactiveMode: 'Never' },
  };
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server: 'http://127.0.0.1:1' } }],
      users: [{ name: 'u', user }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
  const exit = await kubefold(['run', '--kubeconfig', kubeconfig, '--storage', `sqlite:${dir.file('a.db')}`, '--listen', 'off']);
  expect(exit.code).toBe(2);
  expect(exit.stderr).toMatch(/no-such-plugin.*install it with care/);
});

describe('credentials that the API server refuses (401)', () => {
  test('--once does not wait for better ones: it ends with 1 and says so', async () => {
    await using hollow = await startHollow({ tokens: { right: 'admin' } });
    using dir = tempDir('refused');
    const kubeconfig = dir.file('kubeconfig');
    writeFileSync(kubeconfig, hollow.kubeconfig('wrong'));
    const exit = await kubefold(['run', '--once', '--kubeconfig', kubeconfig, '--storage', `sqlite:${dir.file('a.db')}`, '--listen', 'off']);
    expect(exit.code).toBe(1);
    expect(exit.stderr).toMatch(/401|Unauthorized/);
  });

  test('at the start: it says so, names the way out, tells no token, and goes on when they are good', async () => {
    const hollow = await start({ tokens: { 'good-geheim': 'jane' } });
    writeFileSync(dir.file('token'), 'expired-geheim');
    const kubeconfig = hollow.kubeconfig().replace('"token": "good-geheim"', `"tokenFile": ${JSON.stringify(dir.file('token'))}`);
    await using child = startKubefold(run(kubeconfig, '--log-level', 'debug'));
    await child.printed(/"error":"[^"]*(credentials|token)[^"]*".*waiting for the API server/, onErr);
    writeFileSync(dir.file('token'), 'good-geheim');
    await child.printed(/first sync complete/, { ...onErr, withinMs: 20_000 });
    const { stdout, stderr } = await child.stop();
    expect(stdout + stderr).not.toContain('geheim');
  });

  test('in the middle: rows stay, readiness says why, and a renewed token is enough', async () => {
    const hollow = await start({ tokens: { 'good-geheim': 'jane' } });
    writeFileSync(dir.file('token'), 'good-geheim');
    const kubeconfig = hollow.kubeconfig().replace('"token": "good-geheim"', `"tokenFile": ${JSON.stringify(dir.file('token'))}`);
    await using child = startKubefold(run(kubeconfig, '--listen', '127.0.0.1:0'));
    const [, url = ''] = await child.printed(/"status":"([^"]+)"/, onErr);
    await child.printed(/first sync complete/, onErr);
    hollow.faults.add({ effect: { type: 'reject', status: 401 } });
    hollow.cutWatches('reset');
    const verbose = async (): Promise<string> => (await fetch(`${url}/readyz?verbose`)).text();
    await until('readiness tells', async () => /^\[\+\] namespaces: 4 objects, waiting, .*401|Unauthorized/im.test(await verbose()));
    using copy = new Copy(dir.file('copy.db'));
    expect(copy.rows('namespaces')).toHaveLength(4);
    hollow.faults.clear();
    hollow.create('configmaps', { metadata: { name: 'after', namespace: 'default' } });
    await copy.equals(hollow);
    expect(child.stderr()).not.toContain('geheim');
  });

  test('verify could not tell: exit 2 with the reason, no token in it', async () => {
    const hollow = await start({ tokens: { 'good-geheim': 'jane' } });
    writeFileSync(dir.file('good'), hollow.kubeconfig());
    expect((await kubefold(run(hollow.kubeconfig(), '--once'))).code).toBe(0);
    writeFileSync(dir.file('bad'), hollow.kubeconfig().replace('good-geheim', 'expired-geheim'));
    const exit = await kubefold(['verify', '--kubeconfig', dir.file('bad'), '--storage', `sqlite:${dir.file('copy.db')}`]);
    expect(exit.code).toBe(2);
    expect(exit.stdout + exit.stderr).toMatch(/401|Unauthorized|credentials/i);
    expect(exit.stdout + exit.stderr).not.toContain('geheim');
  });
});

test('a certificate that is not trusted: it says which and what to do, and nothing is mirrored', async () => {
  const pair = authority.issue({ commonName: 'api', names: ['IP:127.0.0.1'] });
  const hollow = await start({ tls: { cert: pair.cert, key: pair.key, ca: authority.cert } });
  const untrusting = hollow.kubeconfig().replace(/,?\s*"certificate-authority-data": "[^"]*"/, '');
  await using child = startKubefold(run(untrusting));
  await child.printed(/the certificate of 127\.0\.0\.1:\d+ is not trusted .*certificate-authority-data.*waiting for the API server/, onErr);
  expect((await child.stop()).code).toBe(0);
  expect(hollow.watches()).toBe(0);
  expect((await kubefold(run(hollow.kubeconfig(), '--once'))).code).toBe(0);
});

test('a port in use is refused with a way out, and storage is left as it was', async () => {
  const hollow = await start();
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as AddressInfo;
  try {
    const exit = await kubefold(run(hollow.kubeconfig(), '--listen', `127.0.0.1:${port}`));
    expect(exit.code).toBe(2);
    expect(exit.stderr).toMatch(new RegExp(`Cannot listen on 127\\.0\\.0\\.1:${port} .*in use by another process.*--listen HOST:PORT`));
  } finally {
    taken.close();
  }
  expect((await kubefold(run(hollow.kubeconfig(), '--once'))).code).toBe(0);
});

describe('rules that name kinds which the cluster does not have', () => {
  const RULES = 'resources:\n  - kinds: [deploymens.apps]\nworkers: { po: 2, podz: 3 }\n';

  test('config check --against-cluster warns, with a suggestion; without a cluster the file is valid', async () => {
    const hollow = await start();
    writeFileSync(dir.file('kubefold.yaml'), RULES);
    writeFileSync(dir.file('kubeconfig'), hollow.kubeconfig());
    const alone = await kubefold(['config', 'check', dir.file('kubefold.yaml')]);
    expect([alone.code, alone.stderr]).toEqual([0, '']);
    const exit = await kubefold(['config', 'check', dir.file('kubefold.yaml'), '--against-cluster', '--kubeconfig', dir.file('kubeconfig')]);
    expect(exit.code).toBe(0);
    expect(exit.stderr).toMatch(/^warning: resources\[0\]\.kinds\[0\]: the cluster has no kind "deploymens\.apps"\. Did you mean "deployments\.apps"\?/m);
    expect(exit.stderr).toMatch(/^warning: workers\.podz: the cluster has no kind "podz"\. Did you mean "pods"\?/m);
    expect(exit.stderr).not.toMatch(/workers\.po:/);
    expect(exit.stdout).toMatch(/is valid, with 2 warnings/);
  });

  test('run mirrors the rest and shows the warning on /readyz?verbose', async () => {
    const hollow = await start();
    writeFileSync(dir.file('kubefold.yaml'), RULES);
    await using child = startKubefold(run(hollow.kubeconfig(), '--config', dir.file('kubefold.yaml'), '--listen', '127.0.0.1:0'));
    const [, url = ''] = await child.printed(/"status":"([^"]+)"/, onErr);
    await child.printed(/first sync complete/, onErr);
    await until('the warning is shown', async () =>
      /\[!\] resources\[0\]\.kinds\[0\]: the cluster has no kind "deploymens\.apps"/.test(await (await fetch(`${url}/readyz?verbose`)).text()),
    );
  });
});

test('a cluster that answers something else than an API server is named as such', async () => {
  const hollow = await start();
  hollow.faults.add({ effect: { type: 'reject', status: 500 }, verbs: ['discovery'] });
  await using child = startKubefold(run(hollow.kubeconfig()));
  await child.printed(/"error":"[^"]*500[^"]*".*waiting for the API server/, onErr);
  hollow.faults.clear();
  await child.printed(/first sync complete/, onErr);
});
