import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/kit/clock.ts';
import { StorageError, UsageError } from '../../../src/model/errors.ts';
import { kindId } from '../../../src/model/kind.ts';
import { BcsStorage } from '../../../src/storage/bcs/bcs-storage.ts';
import { MOST_CONNECTIONS } from '../../../src/storage/bcs/http-client.ts';
import { TestAuthority } from '../../support/certificates.ts';
import { freePort } from '../../support/free-port.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { until } from '../../support/until.ts';
import { DEPLOYMENTS, NODES, outcomes, PODS, wholeIndex } from '../build.ts';
import { bcsRig, connectionTo, putObject } from './engine.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function rigged(options: Parameters<typeof bcsRig>[0] = {}): ReturnType<typeof bcsRig> {
  const rig = await bcsRig(options);
  cleanups.push(rig.remove);
  return rig;
}

async function engine(origins: readonly string[], more: Parameters<typeof connectionTo>[1] = {}): Promise<BcsStorage> {
  const storage = new BcsStorage({ ...connectionTo(origins, more), cluster: 'prod', log: null });
  cleanups.push(() => storage.close());
  await storage.open();
  return storage;
}

const noTls = { caFile: null, certFile: null, keyFile: null };

describe('connections', () => {
  test('are kept and used again: 300 writes one after the other need one (4.1 #25)', async () => {
    const { service, storage } = await rigged();
    service.resetStats();
    for (let index = 0; index < 300; index++) await storage.write([putObject('a/x', String(index + 1))], []);
    expect(service.stats().connectionsEver).toBeLessThanOrEqual(2);
  });

  test(`are at most ${MOST_CONNECTIONS}, however many writes are handed in, and all kinds write at once (4.1 #13); the rate at 87 ms is printed`, async () => {
    const { service, storage } = await rigged();
    await wholeIndex(storage);
    service.faults.setLatency(87);
    service.resetStats();
    const begin = systemClock.now();
    const writes = Array.from({ length: 5_000 }, (_, index) => putObject(`a/x${index}`, '1'));
    const settled = await storage.write(writes, []);
    const seconds = (systemClock.now() - begin) / 1000;
    expect(new Set(settled.map(({ kind }) => kind))).toEqual(new Set(['written']));
    const { mostConnections, mostRequests } = service.stats();
    expect(mostConnections).toBeLessThanOrEqual(MOST_CONNECTIONS);
    expect(mostRequests).toBeGreaterThan(177);
    process.stdout.write(`5,000 writes at 87 ms, service in the same process: ${Math.round(5_000 / seconds)} a second over ${mostConnections} connections\n`);
  });

  test.each([PODS, DEPLOYMENTS, NODES])('one slow document of $kind holds up no other (4.1 #13)', async (kind) => {
    const { service, storage } = await rigged();
    await wholeIndex(storage, kindId(kind));
    service.faults.add({ effect: { type: 'hang', when: 'before' }, path: `/${kind.kind}/slow`, times: 1 });
    let isSlowSettled = false;
    const slow = storage.write([putObject(kind.namespaced ? 'a/slow' : 'slow', '1', { kind })], []).then(() => {
      isSlowSettled = true;
    });
    expect(
      await outcomes(
        storage,
        Array.from({ length: 500 }, (_, index) => putObject(kind.namespaced ? `a/x${index}` : `x${index}`, '1', { kind })),
      ),
    ).toHaveLength(500);
    expect(isSlowSettled).toBe(false);
    service.cutConnections();
    await slow;
  });

  test('every request carries the bearer token of the file', async () => {
    using dir = tempDir('bcs');
    const tokenFile = dir.file('token');
    writeFileSync(tokenFile, 't0ken\n');
    const { service } = await rigged({ service: { token: () => 't0ken' }, connection: { tokenFile } });
    expect(await outcomes(await engine([service.url], { tokenFile }), [putObject('a/x', '1')])).toEqual(['written']);
    const without = await engine([service.url]);
    expect(await without.write([putObject('a/y', '1')], [])).toEqual([{ kind: 'retry', error: expect.stringContaining('storage.tokenFile') }]);
  });
});

describe('several endpoints', () => {
  test('the next one is asked when the first cannot be reached, within the same write', async () => {
    const { service } = await rigged();
    const dead = `http://127.0.0.1:${await freePort()}`;
    const storage = await engine([dead, service.url]);
    expect(await outcomes(storage, [putObject('a/x', '1'), putObject('a/y', '1')])).toEqual(['written', 'written']);
  });

  test('what may have been done at the first is not sent to the second before a look', async () => {
    const { service, journal } = await rigged({ service: { checksRevisions: false } });
    const broken = await listening(createServer((request) => request.socket.destroy()));
    const storage = await engine([broken, service.url]);
    const all = Array.from({ length: 5 }, () => outcomes(storage, [putObject('a/x', '5')]));
    const kinds = (await Promise.all(all)).flat();
    await until('it is written', async () => (await outcomes(storage, [putObject('a/x', '5')]))[0] === 'unchanged', { everyMs: 20 });
    expect(kinds.every((kind) => ['retry', 'written', 'unchanged'].includes(kind))).toBe(true);
    expect(journal.filter(({ key: at }) => at.endsWith('Pod/x'))).toHaveLength(1);
  });
});

describe('a service that is not there', () => {
  test('at the start is said and waited for: nothing crashes, and the first call that finds it works (4.1 #21)', async () => {
    const said: string[] = [];
    const port = await freePort();
    const log = { debug() {}, info() {}, error() {}, warn: (text: string, more?: object) => void said.push(`${text}: ${JSON.stringify(more)}`) };
    const storage = new BcsStorage({ ...connectionTo([`http://127.0.0.1:${port}`]), cluster: 'prod', log: { ...log, child: () => log } as never });
    cleanups.push(() => storage.close());
    await storage.open();
    expect(said).toEqual([
      expect.stringMatching(/waiting for the storage service: .*nothing listens there: start the service, or correct storage\.url \(ECONNREFUSED\)/),
    ]);
    expect(await storage.write([putObject('a/x', '1')], [])).toEqual([{ kind: 'retry', error: expect.stringContaining('ECONNREFUSED') }]);
    await expect(storage.scopes()).rejects.toThrow(StorageError);
    await rigged({ service: { port } });
    await until('it writes', async () => (await outcomes(storage, [putObject('a/x', '1')]))[0] === 'written', { everyMs: 50 });
  });

  test('for its name is unknown says so', async () => {
    const storage = await engine(['http://storage.invalid:1']);
    expect(await storage.write([putObject('a/x', '1')], [])).toEqual([
      { kind: 'retry', error: expect.stringMatching(/its name (is not known|cannot be looked up)/) },
    ]);
  });

  test('or is none says what was found there', async () => {
    const url = await listening(createServer((_request, response) => void response.end('<html>hello</html>')));
    const storage = await engine([url]);
    await expect(storage.scopes()).rejects.toThrow(/18 bytes that are not JSON: is this the address of a bcs-storage/);
    const plain = await engine([url.replace('http:', 'https:')]);
    await expect(plain.scopes()).rejects.toThrow(/it does not speak TLS: use bcs\+http/);
  });
});

describe('TLS', () => {
  const authority = (): TestAuthority => {
    const made = new TestAuthority();
    cleanups.push(() => made.remove());
    return made;
  };

  test('the certificate of the service is verified, and one that is unknown, for another name or expired is named (4.1 #25)', async () => {
    const ca = authority();
    const good = ca.issue({ commonName: 'storage', names: ['IP:127.0.0.1'] });
    const { service } = await rigged({ service: { tls: good }, connection: { tls: { ...noTls, caFile: ca.certFile } } });
    const known = await engine([service.url], { tls: { ...noTls, caFile: ca.certFile } });
    expect(await outcomes(known, [putObject('a/x', '1')])).toEqual(['written']);
    await expect((await engine([service.url])).scopes()).rejects.toThrow(/name its CA in storage\.tls\.caFile/);

    const cases = [
      [ca.issue({ commonName: 'other', names: ['DNS:other.example'] }), /is for another name/],
      [ca.issue({ commonName: 'old', names: ['IP:127.0.0.1'], days: -1 }), /its certificate has expired: it has to be renewed there \(CERT_HAS_EXPIRED\)/],
    ] as const;
    for (const [tls, error] of cases) {
      const { service: wrong } = await rigged({ service: { tls }, connection: { tls: { ...noTls, caFile: ca.certFile } } });
      await expect((await engine([wrong.url], { tls: { ...noTls, caFile: ca.certFile } })).scopes()).rejects.toThrow(error);
    }
  });

  test('a client certificate is shown; one that is expired, not PEM, without its key or unreadable is refused at the start, by name', async () => {
    const ca = authority();
    const tls = { ...ca.issue({ commonName: 'storage', names: ['IP:127.0.0.1'] }), ca: ca.cert };
    const client = ca.issue({ commonName: 'kubefold' });
    const files = { caFile: ca.certFile, certFile: client.certFile, keyFile: client.keyFile };
    const { storage } = await rigged({ service: { tls }, connection: { tls: files } });
    expect(await outcomes(storage, [putObject('a/x', '1')])).toEqual(['written']);
    const open = (wrong: Partial<typeof files> | { certFile: null }): Promise<unknown> => engine(['https://127.0.0.1:1'], { tls: { ...files, ...wrong } });
    const old = ca.issue({ commonName: 'kubefold', days: -1 });
    await expect(open({ certFile: old.certFile, keyFile: old.keyFile })).rejects.toThrow(/storage\.tls\.certFile ".*" expired at .*: renew it/);
    await expect(open({ keyFile: old.keyFile })).rejects.toThrow(/must be the private key of storage\.tls\.certFile/);
    await expect(open({ certFile: client.keyFile })).rejects.toThrow(/must be a certificate in PEM form/);
    await expect(open({ caFile: '/nowhere/ca.crt' })).rejects.toThrow(/Cannot read storage\.tls\.caFile: .*correct the path/);
    await expect(open({ certFile: null })).rejects.toThrow(UsageError);
  });
});

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(
    () => server.closeAllConnections(),
    () => void server.close(),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
