import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { describeConnectError } from '../../src/cluster/connect-error.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { ApiDouble, sendJson } from '../support/api-double.ts';
import { TestAuthority } from '../support/certificates.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';
import { clusterUnderTest } from './cluster-under-test.ts';

const authority = new TestAuthority();
const pair = authority.issue({ commonName: 'api', names: ['IP:127.0.0.1', 'DNS:api.internal'] });
const elsewhere = authority.issue({ commonName: 'elsewhere', names: ['DNS:elsewhere.example.com'] });
const jane = authority.issue({ commonName: 'jane' });
const ca = { 'certificate-authority-data': authority.cert.toString('base64') };
afterAll(() => authority.remove());

let api: ApiDouble;
let dir: TempDir;
const open: (Cluster | ApiDouble)[] = [];
const live = new AbortController().signal;

const uidOfClient = (): ((request: { readonly socket: unknown }, response: Parameters<typeof sendJson>[0]) => void) => (request, response) => {
  const peer = (request.socket as TLSSocket).getPeerCertificate?.();
  sendJson(response, 200, { metadata: { uid: peer?.subject?.CN ?? 'nobody' } });
};

beforeAll(async () => {
  api = await ApiDouble.start(uidOfClient(), { cert: pair.cert, key: pair.key });
});
afterAll(() => api.stop());
beforeEach(() => {
  dir = tempDir('connect');
});
afterEach(async () => {
  for (const item of open.splice(0)) await (item instanceof ApiDouble ? item.stop() : item.close());
  dir.remove();
});

async function identityOf(...arguments_: Parameters<typeof clusterUnderTest> extends [TempDir, ...infer Rest] ? Rest : never): Promise<string | null> {
  const cluster = await clusterUnderTest(dir, ...arguments_);
  open.push(cluster);
  try {
    return await cluster.identity(live);
  } catch (cause) {
    throw new Error(describeConnectError(cause, cluster.address), { cause });
  }
}

describe('TLS', () => {
  test('a server whose CA is in the kubeconfig is trusted', async () => {
    expect(await identityOf({ cluster: { server: api.url, ...ca } })).toBe('nobody');
  });

  test('a certificate that is not trusted is refused, and the message names the CA option', async () => {
    await expect(identityOf({ cluster: { server: api.url } })).rejects.toThrow(
      /^the certificate of 127\.0\.0\.1:\d+ is not trusted .*certificate-authority-data/,
    );
  });

  test('insecure-skip-tls-verify is honoured', async () => {
    expect(await identityOf({ cluster: { server: api.url, 'insecure-skip-tls-verify': true } })).toBe('nobody');
  });

  test('a certificate for another host is refused, and accepted under its name with tls-server-name', async () => {
    const other = await ApiDouble.start(uidOfClient(), { cert: elsewhere.cert, key: elsewhere.key });
    open.push(other);
    await expect(identityOf({ cluster: { server: other.url, ...ca } })).rejects.toThrow(/is for another name .*tls-server-name/);
    expect(await identityOf({ cluster: { server: other.url, ...ca, 'tls-server-name': 'elsewhere.example.com' } })).toBe('nobody');
  });

  test('a client certificate is shown to a server that demands one', async () => {
    const strict = await ApiDouble.start(uidOfClient(), { cert: pair.cert, key: pair.key, ca: authority.cert, requestCert: true, rejectUnauthorized: true });
    open.push(strict);
    const user = { 'client-certificate-data': jane.cert.toString('base64'), 'client-key-data': jane.key.toString('base64') };
    expect(await identityOf({ cluster: { server: strict.url, ...ca }, user })).toBe('jane');
    await expect(identityOf({ cluster: { server: strict.url, ...ca } })).rejects.toThrow(/client certificate|was cut/);
  });

  test('a new client certificate from an exec plugin is shown on new connections, and never resumes a session of the old one', async () => {
    const strict = await ApiDouble.start(uidOfClient(), { cert: pair.cert, key: pair.key, ca: authority.cert, requestCert: true, rejectUnauthorized: true });
    open.push(strict);
    const credential = (of: { readonly cert: Buffer; readonly key: Buffer }): void => {
      const status = { clientCertificateData: of.cert.toString(), clientKeyData: of.key.toString() };
      writeFileSync(dir.file('credential'), JSON.stringify({ kind: 'ExecCredential', apiVersion: 'client.authentication.k8s.io/v1', status }));
    };
    credential(jane);
    const user = { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'cat', args: [dir.file('credential')] } };
    const clock = new ManualClock({ wallMs: systemClock.wall() });
    const cluster = await clusterUnderTest(dir, { cluster: { server: strict.url, ...ca }, user }, { clock });
    open.push(cluster);
    expect(await cluster.identity(live)).toBe('jane');
    credential(authority.issue({ commonName: 'john' }));
    clock.advance(20_000);
    const { answer } = strict;
    strict.answer = (_, response) => {
      strict.answer = answer;
      sendJson(response, 401, { kind: 'Status', reason: 'Unauthorized', code: 401 });
    };
    expect(await cluster.identity(live)).toBe('john');
    expect(await cluster.identity(live)).toBe('john');
  });

  test('the second connection resumes the TLS session of the first', async () => {
    const reused: boolean[] = [];
    const watched = await ApiDouble.start(
      (request, response) => {
        reused.push((request.socket as TLSSocket).isSessionReused());
        sendJson(response, 200, { metadata: { uid: 'u' } }, { connection: 'close' });
      },
      { cert: pair.cert, key: pair.key },
    );
    const cluster = await clusterUnderTest(dir, { cluster: { server: watched.url, ...ca } });
    open.push(cluster, watched);
    for (let i = 0; i < 3; i++) await cluster.identity(live);
    expect(reused).toEqual([false, true, true]);
  });

  test('https to a server without TLS is said to be so', async () => {
    const plain = await ApiDouble.start(uidOfClient());
    open.push(plain);
    await expect(identityOf({ cluster: { server: plain.url.replace('http:', 'https:') } })).rejects.toThrow(/does not speak TLS as expected|was cut/);
    expect(await identityOf({ cluster: { server: plain.url } })).toBe('nobody');
  });
});

test('a port where nobody listens is said to be so', async () => {
  const gone = await ApiDouble.start(() => {});
  const { url } = gone;
  await gone.stop();
  await expect(identityOf({ cluster: { server: url } })).rejects.toThrow(/^nobody listens at 127\.0\.0\.1:\d+ \(connection refused\)/);
});

test('a name that does not resolve is said to be so', async () => {
  await expect(identityOf({ cluster: { server: 'https://kubefold-test.invalid:6443' } })).rejects.toThrow(
    /^the name of kubefold-test\.invalid:6443 cannot be resolved/,
  );
});

test('a path in the server of the kubeconfig goes before every path', async () => {
  api.requests.length = 0;
  await identityOf({ cluster: { server: `${api.url}/k8s/clusters/c-1`, ...ca } });
  expect(api.requests[0]?.url).toBe('/k8s/clusters/c-1/api/v1/namespaces/kube-system');
});

describe('a proxy', () => {
  let proxy: Server;
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  let refuses = false;

  beforeEach(async () => {
    asked.length = 0;
    refuses = false;
    proxy = createServer();
    proxy.on('connect', (request, client: Socket) => {
      asked.push(`${request.url} ${request.headers['proxy-authorization'] ?? ''}`);
      sockets.add(client);
      client.on('error', () => {});
      if (refuses) return void client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      const upstream = connect(api.port, '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        upstream.pipe(client).pipe(upstream);
      });
      sockets.add(upstream);
      upstream.on('error', () => client.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    await new Promise<void>((resolve) => proxy.close(() => resolve()));
  });
  const port = (): number => (proxy.address() as AddressInfo).port;

  test('of the kubeconfig is asked for a tunnel, with its credentials, and TLS is verified through it', async () => {
    const proxied = { server: api.url, 'proxy-url': `http://user:pass@127.0.0.1:${port()}` };
    expect(await identityOf({ cluster: { ...proxied, ...ca } })).toBe('nobody');
    expect(asked).toEqual([`127.0.0.1:${api.port} Basic ${btoa('user:pass')}`]);
    await expect(identityOf({ cluster: proxied })).rejects.toThrow(/is not trusted/);
  });

  test('of HTTPS_PROXY is used for a name, which only the proxy must know, unless NO_PROXY exempts it', async () => {
    const cluster = { server: 'https://api.internal:6443', ...ca };
    const HTTPS_PROXY = `http://127.0.0.1:${port()}`;
    expect(await identityOf({ cluster }, { env: { HTTPS_PROXY } })).toBe('nobody');
    expect(asked).toEqual(['api.internal:6443 ']);
    await expect(identityOf({ cluster }, { env: { HTTPS_PROXY, NO_PROXY: '.internal' } })).rejects.toThrow(/cannot be resolved/);
  });

  test('that refuses is named as the cause, without its password', async () => {
    refuses = true;
    const failure = identityOf({ cluster: { server: api.url, ...ca, 'proxy-url': `http://user:pass@127.0.0.1:${port()}` } });
    await expect(failure).rejects.toThrow(/^the proxy towards .* refused or failed .*407/);
    await expect(failure).rejects.not.toThrow(/pass/);
  });
});

test.each([
  ['CERT_HAS_EXPIRED', /has expired/],
  ['UND_ERR_CONNECT_TIMEOUT', /cannot be reached/],
  ['ETIMEDOUT', /cannot be reached/],
  ['UND_ERR_HEADERS_TIMEOUT', /stopped answering/],
  ['ECONNRESET', /was cut/],
])('%s is put into a sentence, also inside of other errors', (code, sentence) => {
  const inner = Object.assign(new Error('raw'), { code });
  expect(describeConnectError(inner, 'api:6443')).toMatch(sentence);
  expect(describeConnectError(new Error('outer', { cause: new AggregateError([inner]) }), 'api:6443')).toMatch(sentence);
  expect(describeConnectError(new Error('something else'), 'api:6443')).toBe('something else');
});
