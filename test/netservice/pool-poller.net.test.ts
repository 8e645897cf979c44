import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startBcsStorage } from '../../src/bcsstorage/server.ts';
import { systemClock } from '../../src/kit/clock.ts';
import type { Logger } from '../../src/kit/log.ts';
import { StorageError } from '../../src/model/errors.ts';
import { type PoolDocuments, PoolPoller } from '../../src/netservice/pool-poller.ts';
import { fixedServers } from '../../src/netservice/server-list.ts';
import { openLooseDocuments } from '../../src/storage/open.ts';
import { TestAuthority } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';
import { DETAIL_DATA, FakeNetService, good, silent, STATIC_DATA, withStatus } from './fake-netservice.ts';

const CLUSTER = 'BCS-K8S-1';
const cleanups: (() => unknown)[] = [];
let fake: FakeNetService;
let clock: ManualClock;
let lines: string[];
/** Everything that was put. */
let puts: (readonly [string, string, string])[];

beforeEach(async () => {
  fake = await FakeNetService.start();
  clock = new ManualClock();
  lines = [];
  puts = [];
  cleanups.push(() => fake.close());
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const collecting: PoolDocuments = {
  put: async (type, name, data) => {
    puts.push([type, name, data.toString()]);
    await Promise.resolve();
  },
};

function recordingLog(): Logger {
  const write = (level: string) => (message: string, fields?: object) => void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  const log: Logger = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error'), child: () => log };
  return log;
}

/** Runs until the end of the test, or until it is ended. */
function poll(
  options: {
    readonly endpoints?: readonly string[];
    readonly documents?: PoolDocuments;
    readonly chance?: number;
    readonly tls?: { readonly ca?: Buffer };
  } = {},
): () => Promise<void> {
  const { endpoints = [fake.url], documents = collecting, chance = 0, tls = {} } = options;
  const ending = new AbortController();
  const poller = new PoolPoller({
    servers: fixedServers(endpoints),
    cluster: CLUSTER,
    documents,
    tls,
    clock,
    random: { next: () => chance },
    log: recordingLog(),
  });
  const running = poller.run(ending.signal);
  const end = async (): Promise<void> => {
    ending.abort();
    await running;
  };
  cleanups.push(end);
  return end;
}

/** When each of both loops has only one timer left: the one of its next poll. */
async function untilAsleep(): Promise<void> {
  await until('both polls are over', () => clock.pending === 2 && clock.nextInMs !== null && clock.nextInMs > 20_000, { everyMs: 2, withinMs: 5_000 });
}

const documentsOf = (type: string): readonly string[] => puts.filter(([put]) => put === type).map(([, , data]) => data);
const linesWith = (text: string): readonly string[] => lines.filter((line) => line.includes(text));

test('both documents are put at once and every 60 s, from requests as the old program sent them', async () => {
  poll();
  await untilAsleep();
  expect(puts.toSorted()).toEqual([
    ['IPPoolStatic', `IPPoolStatic-${CLUSTER}`, STATIC_DATA],
    ['IPPoolStaticDetail', `IPPoolStaticDetail-${CLUSTER}`, DETAIL_DATA],
  ]);
  expect(fake.requests.map(({ method, url }) => `${method} ${url}`).toSorted()).toEqual([`GET /v1/pool/${CLUSTER}`, `GET /v1/pool/${CLUSTER}?info=detail`]);
  for (const { headers } of fake.requests) expect(headers).toMatchObject({ accept: 'application/json', 'bcs-clusterid': CLUSTER });
  clock.advance(59_999);
  expect(fake.requests).toHaveLength(2);
  clock.advance(1);
  await until('it asks again', () => puts.length === 4, { everyMs: 2, withinMs: 5_000 });
  expect(lines).toEqual([]);
});

test.each([400, 500])('after HTTP %i a server is asked twice more, 1 s apart', async (status) => {
  fake.static = [withStatus(status), withStatus(status), good];
  poll();
  for (const times of [1, 2]) {
    await fake.untilAsked('static', times);
    await until('it waits for a second', () => clock.nextInMs === 1_000, { everyMs: 2, withinMs: 5_000 });
    clock.advance(999);
    expect(fake.asked('static')).toBe(times);
    clock.advance(1);
  }
  await until('the third answer is stored', () => documentsOf('IPPoolStatic').length === 1, { everyMs: 2, withinMs: 5_000 });
  expect(fake.asked('static')).toBe(3);
  expect(lines).toEqual([]);
});

test('a server that stays busy is left alone until the next poll, grows louder in the log, and the other document is stored all the same', async () => {
  fake.static = [withStatus(500)];
  poll();
  for (let failures = 1; failures <= 3; failures++) {
    for (let times = 1; times <= 2; times++) {
      await until('it waits for a second', () => clock.nextInMs === 1_000, { everyMs: 2, withinMs: 5_000 });
      clock.advance(1_000);
    }
    await untilAsleep();
    expect(fake.asked('static')).toBe(3 * failures);
    expect(lines).toHaveLength(failures);
    if (failures < 3) {
      clock.advance(58_000);
      await until('both have begun again', () => fake.asked('detail') === failures + 1 && fake.asked('static') > 3 * failures, { everyMs: 2, withinMs: 5_000 });
    }
  }
  expect(lines.map((line) => line.split(' ', 1)[0])).toEqual(['warn', 'warn', 'error']);
  expect(lines[0]).toMatch(/"document":"IPPoolStatic","error":"the NetService at http:\S+ answered HTTP 500, 3 times"/);
  expect(documentsOf('IPPoolStatic')).toEqual([]);
  expect(documentsOf('IPPoolStaticDetail')).toHaveLength(3);
});

test('a wrong type is told and not stored, is not asked for again before the next poll, and its end is told', async () => {
  fake.static = [(response) => void response.end(`{"type":5,"code":0,"data":${DETAIL_DATA}}`), good];
  poll();
  await untilAsleep();
  expect(documentsOf('IPPoolStatic')).toEqual([]);
  expect(documentsOf('IPPoolStaticDetail')).toHaveLength(1);
  expect(fake.asked('static')).toBe(1);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^warn the IP pools could not be stored: .*answered type 5 where 9 was asked for, so this is no IPPoolStatic/);
  clock.advance(60_000);
  await until('it is stored', () => documentsOf('IPPoolStatic').length === 1, { everyMs: 2, withinMs: 5_000 });
  expect(linesWith('info the IP pools are stored again')).toHaveLength(1);
});

test('an answer that does not come within 20 s is given up, and the next server is asked', async () => {
  const slow = await FakeNetService.start();
  cleanups.push(() => slow.close());
  slow.static = [silent];
  slow.detail = [silent];
  poll({ endpoints: [slow.url, fake.url] });
  await slow.untilAsked('static', 1);
  await slow.untilAsked('detail', 1);
  clock.advance(19_999);
  expect(fake.requests).toHaveLength(0);
  clock.advance(1);
  await until('the other answers', () => puts.length === 2, { everyMs: 2, withinMs: 5_000 });
  expect(lines).toEqual([]);
});

test('chance says which server is asked first', async () => {
  const other = await FakeNetService.start();
  cleanups.push(() => other.close());
  poll({ endpoints: [fake.url, other.url], chance: 0.99 });
  await untilAsleep();
  expect([fake.requests.length, other.requests.length]).toEqual([0, 2]);
});

test('without any server that answers, each is named with what is wrong', async () => {
  const port = await freePort();
  poll({ endpoints: [`http://127.0.0.1:${port}`] });
  await untilAsleep();
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(new RegExp(`the NetService at http://127.0.0.1:${port} cannot be asked: .*ECONNREFUSED.*; is this the address of a NetService\\?`));
});

test('an answer without end is cut', async () => {
  fake.static = [
    (response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(1 << 20, 0x20)));
        response.once('drain', more);
      };
      more();
    },
  ];
  poll();
  await untilAsleep();
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('answered more than 16777216 bytes');
});

test('a storage that does not take it is told, and tried again at the next poll', async () => {
  let isAway = true;
  const documents: PoolDocuments = {
    put: async (...args) => {
      if (isAway) throw new StorageError('storage is away', { retryable: true });
      await collecting.put(...args);
    },
  };
  poll({ documents });
  await untilAsleep();
  expect(linesWith('storage is away')).toHaveLength(2);
  isAway = false;
  clock.advance(60_000);
  await until('both are stored', () => puts.length === 2, { everyMs: 2, withinMs: 5_000 });
});

test('over https the certificate of a server is verified', async () => {
  const authority = new TestAuthority();
  cleanups.push(() => authority.remove());
  const { cert, key } = authority.issue({ commonName: 'netservice', names: ['IP:127.0.0.1'] });
  const server = createServer({ cert, key }, (request, response) => good(response, request.url?.includes('?') === true));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => server.close());
  cleanups.push(() => server.closeAllConnections());
  const endpoints = [`https://127.0.0.1:${(server.address() as AddressInfo).port}`];
  const end = poll({ endpoints });
  await untilAsleep();
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/cannot be asked: .*certificate/);
  await end();
  expect(puts).toEqual([]);
  poll({ endpoints, tls: { ca: authority.cert } });
  await untilAsleep();
  expect(puts).toHaveLength(2);
});

test('its end cuts what is being asked, and leaves no timer', async () => {
  fake.static = [silent];
  fake.detail = [silent];
  const end = poll();
  await fake.untilAsked('static', 1);
  await fake.untilAsked('detail', 1);
  await end();
  expect(clock.pending).toBe(0);
  expect([puts, lines]).toEqual([[], []]);
});

test('the storage service has both as cluster-scoped documents, with the bytes of the answer', async () => {
  const service = await startBcsStorage();
  cleanups.push(() => service.close());
  const documents = openLooseDocuments(service.url.replace('http:', 'bcs+http:'), { cluster: CLUSTER, clock: systemClock });
  if (documents === null) throw new Error('bcs+http has a place for documents');
  cleanups.push(() => documents.close());
  poll({ documents });
  await untilAsleep();
  expect(lines).toEqual([]);
  for (const [type, data] of Object.entries({ IPPoolStatic: STATIC_DATA, IPPoolStaticDetail: DETAIL_DATA })) {
    const path = `/bcsstorage/v1/k8s/dynamic/cluster_resources/clusters/${CLUSTER}/${type}/${type}-${CLUSTER}`;
    const text = await (await fetch(service.url + path)).text();
    expect(text).toContain(`"data":${data}`);
    expect(JSON.parse(text)).toMatchObject({ result: true, data: { clusterId: CLUSTER, resourceType: type, resourceName: `${type}-${CLUSTER}` } });
  }
  expect(openLooseDocuments('memory:', { cluster: CLUSTER, clock: systemClock })).toBeNull();
});
