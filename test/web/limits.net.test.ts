import { copyFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import { type LogFields, type Logger, silentLogger } from '../../src/kit/log.ts';
import { WEB_LIMITS, type WebLimits } from '../../src/web/limits.ts';
import { startWeb, type Web } from '../../src/web/server.ts';
import { writeFileSync } from 'node:fs';
import { type CertificatePair, TestAuthority } from '../support/certificates.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { NO_DECISIONS } from './no-decisions.ts';
import { kindIn, statusOf } from './statuses.ts';

/** What a stranger can do to the surface by holding on to it. */

/** Short enough to be waited for. */
const SHORT: WebLimits = { ...WEB_LIMITS, requestMs: 400, stillMs: 800, answerMs: 2_000, keepMs: 200 };

const files = tempDir('limits');
const authority = new TestAuthority();
const sockets: Socket[] = [];
let web: Web | null = null;

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await web?.close();
  web = null;
});

afterAll(() => {
  files.remove();
  authority.remove();
});

interface Client {
  readonly socket: Socket;
  /** What was received so far. */
  text(): string;
  /** Resolves when the other side has ended or cut the connection. */
  readonly closed: Promise<void>;
}

function client(port: number): Promise<Client> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    let text = '';
    const closed = new Promise<void>((done) => socket.once('close', () => done()));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.once('connect', () => resolve({ socket, text: () => text, closed }));
    socket.on('error', reject);
  });
}

async function start(limits: WebLimits = SHORT, more: Partial<Parameters<typeof startWeb>[0]> = {}): Promise<number> {
  const status = statusOf([kindIn()], { cluster: 'c'.repeat(1000) });
  const metrics = async (): Promise<{ text: string; contentType: string }> => ({ text: 'm'.repeat(64 * 1024 * 1024), contentType: 'text/plain' });
  web = await startWeb({ host: '127.0.0.1', port: 0, status: () => status, metrics, control: NO_DECISIONS, secured: null, limits, ...more });
  return Number(new URL(web.url).port);
}

const isAlive = async (port: number): Promise<boolean> => (await fetch(`http://127.0.0.1:${port}/livez`)).status === 200;

describe('a client that holds on', () => {
  test.each([
    ['says nothing at all', ''],
    ['begins a request and goes on for ever', 'GET /livez HTTP/1.1\r\nHost: x\r\n'],
    [
      'announces a body that does not come',
      'POST /control/parked/retry HTTP/1.1\r\nHost: x\r\nX-Kubefold-Control: 1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    ],
  ])('is cut when it %s', async (_, bytes) => {
    const port = await start();
    const held = await client(port);
    held.socket.write(bytes);
    const trickle = systemClock.now();
    // A byte now and then does not help: the bound is for the whole request.
    const drip = (async () => {
      while (!held.socket.destroyed && bytes !== '') {
        await systemClock.sleep(100);
        if (held.socket.writable) held.socket.write('X');
      }
    })();
    await held.closed;
    await drip;
    expect(systemClock.now() - trickle).toBeLessThan(5_000);
    if (bytes !== '') expect(held.text()).toMatch(/^HTTP\/1\.1 408 /);
    expect(await isAlive(port)).toBe(true);
  });

  test('is cut when it does not take its answer, and when it takes it by the byte', async () => {
    const port = await start();
    const still = await client(port);
    const sipping = await client(port);
    for (const { socket } of [still, sipping]) {
      socket.pause();
      socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
    }
    const since = systemClock.now();
    let isCut = false;
    void sipping.closed.then(() => {
      isCut = true;
    });
    const sips = (async () => {
      while (!isCut) {
        sipping.socket.resume();
        await systemClock.sleep(1);
        sipping.socket.pause();
        await systemClock.sleep(150);
        if (systemClock.now() - since > SHORT.answerMs + 1_000) sipping.socket.resume();
      }
    })();
    await sips;
    expect(sipping.text().length).toBeLessThan(64 * 1024 * 1024);
    still.socket.resume();
    await still.closed;
    expect(still.text().length).toBeLessThan(64 * 1024 * 1024);
    expect(await isAlive(port)).toBe(true);
  });

  test('with a body where none belongs is answered, and not listened to any longer', async () => {
    const port = await start();
    const talker = await client(port);
    talker.socket.write(`GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${'400\r\n'.padEnd(1_029, 'x')}\r\n`);
    await talker.closed;
    expect(talker.text()).toMatch(/^HTTP\/1\.1 200 .*connection: close/is);
  });

  test('with more headers or longer ones than anybody needs is refused or not heard to the end', async () => {
    const port = await start();
    const long = await client(port);
    long.socket.write(`GET /livez HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(SHORT.headerBytes)}\r\n\r\n`);
    await long.closed;
    expect(long.text()).toMatch(/^HTTP\/1\.1 431 /);
    expect(await isAlive(port)).toBe(true);
  });
});

describe('connections', () => {
  test('of one address are bounded, others are let in, and a place that is left is free again', async () => {
    const port = await start({ ...WEB_LIMITS, connectionsOfOne: 5 });
    const all = await Promise.all(Array.from({ length: 8 }, () => client(port)));
    const left: Client[] = [];
    await until('all above the bound are cut', () => all.filter(({ socket }) => socket.destroyed).length === 3);
    for (const one of all) if (!one.socket.destroyed) left.push(one);
    expect(left).toHaveLength(5);
    // Another address of this machine: a stranger does not take its place.
    const other = await new Promise<string>((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' }, () =>
        socket.write('GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
      );
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      socket.on('close', () => resolve(text));
      socket.on('error', reject);
    });
    expect(other).toMatch(/^HTTP\/1\.1 200 /);
    left[0]?.socket.destroy();
    await until('its place is free', () => isAlive(port));
  });
});

describe('TLS', () => {
  const certFile = files.file('tls.crt');
  const keyFile = files.file('tls.key');
  const tokenFile = files.file('token');
  let first: CertificatePair;
  let second: CertificatePair;

  beforeAll(() => {
    writeFileSync(tokenFile, 'token\n');
    first = authority.issue({ commonName: 'first', names: ['IP:127.0.0.1'] });
    second = authority.issue({ commonName: 'second', names: ['IP:127.0.0.1'] });
  });

  const use = (pair: { readonly certFile: string; readonly keyFile: string }): void => {
    copyFileSync(pair.certFile, certFile);
    copyFileSync(pair.keyFile, keyFile);
  };

  /** Whose certificate a new connection is shown. */
  const shown = (port: number): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connectTls({ host: '127.0.0.1', port, ca: authority.cert }, () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.destroy();
      });
      socket.on('error', reject);
    });

  test('a certificate that changes is shown to new connections; one that cannot be used changes nothing, and is told', async () => {
    use(first);
    const lines: string[] = [];
    const note = (message: string, fields?: LogFields): void => void lines.push(`${message} ${JSON.stringify(fields)}`);
    const log: Logger = { ...silentLogger, info: note, warn: note };
    const port = await start(WEB_LIMITS, { secured: { certFile, keyFile, tokenFile }, log });
    expect(await shown(port)).toBe('first');
    // As it is between the exchange of one file and of the other.
    copyFileSync(second.certFile, certFile);
    await until('the pair that does not belong together is told of', () => lines.some((line) => line.startsWith('a changed certificate cannot be used')));
    expect(await shown(port)).toBe('first');
    copyFileSync(second.keyFile, keyFile);
    await until('the second is shown', async () => (await shown(port)) === 'second');
    expect(lines.join('\n')).not.toContain('PRIVATE KEY');
    expect(lines.at(-1)).toMatch(/^certificate read again/);
  });

  test('who does not finish the handshake is cut', async () => {
    use(first);
    const port = await start(SHORT, { secured: { certFile, keyFile, tokenFile } });
    const held = await client(port);
    held.socket.write(Buffer.from([0x16, 0x03, 0x01]));
    await held.closed;
    expect(await shown(port)).toBe('first');
  });
});
