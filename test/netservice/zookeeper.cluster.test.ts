import zookeeper from 'node-zookeeper-client';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hurriedClock } from '../../src/bench/child/hurried-clock.ts';
import { type Clock, systemClock } from '../../src/kit/clock.ts';
import type { Logger } from '../../src/kit/log.ts';
import { systemRandom } from '../../src/kit/random.ts';
import { PoolPoller } from '../../src/netservice/pool-poller.ts';
import { ZookeeperServers } from '../../src/netservice/zookeeper-servers.ts';
import { TcpGate } from '../mirror/support/tcp-gate.ts';
import { until } from '../support/until.ts';
import { FakeNetService, STATIC_DATA } from './fake-netservice.ts';
import { change, HAS_ZOOKEEPER, RealZookeeper, register, unregister } from './real-zookeeper.ts';

const AUTH = 'platform:s3cret-word';
const server = (ip: string, more: object = {}): object => ({ ip, port: 8080, scheme: 'http', hostname: 'x', ...more });

// Not among what a machine of a developer needs; .ci/run installs it, and fails when this was skipped.
describe.skipIf(!HAS_ZOOKEEPER)('NetServices in a real ZooKeeper', () => {
  let real: RealZookeeper;
  let gate: TcpGate;
  const cleanups: (() => unknown)[] = [];
  const lines: string[] = [];

  beforeAll(async () => {
    real = await RealZookeeper.start();
    gate = await TcpGate.open(real.port);
  });
  afterAll(async () => {
    await gate?.[Symbol.asyncDispose]();
    await real?.close();
  });
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    expect(lines.join('\n'), 'nothing secret is logged').not.toContain('s3cret');
    lines.length = 0;
  });

  /** Looks servers up until the end of the test. */
  function follow(options: { readonly auth?: string; readonly ports?: readonly number[]; readonly clock?: Clock } = {}): {
    known(): readonly string[];
    readonly servers: ZookeeperServers;
  } {
    const write = (level: string) => (message: string, fields?: object) => void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
    const log: Logger = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error'), child: () => log };
    const { auth, ports = [gate.port], clock = systemClock } = options;
    const parts = { zookeepers: ports.map((port) => `127.0.0.1:${port}`), auth: auth === undefined ? null : Buffer.from(auth) };
    const servers = new ZookeeperServers({ ...parts, clock, random: systemRandom, log });
    const ending = new AbortController();
    const following = servers.follow(ending.signal, () => {});
    let known: readonly string[] = [];
    const looking = setInterval(() => {
      void servers.endpoints(ending.signal).then(
        (endpoints) => {
          known = endpoints;
        },
        () => {},
      );
    }, 20);
    cleanups.push(async () => {
      clearInterval(looking);
      ending.abort();
      await following;
    });
    return { known: () => known, servers };
  }

  async function registrar(auth?: string): Promise<Awaited<ReturnType<RealZookeeper['client']>>> {
    const client = await real.client(auth);
    cleanups.push(() => client.close());
    return client;
  }

  const knows = (one: { known(): readonly string[] }, ...hosts: readonly string[]): Promise<unknown> =>
    until(`known are ${hosts.join(', ')}`, () => {
      expect(one.known().toSorted()).toEqual(hosts.map((host) => `http://${host}:8080`).toSorted());
      return true;
    });

  test('who registers is known, who leaves is not any more, what changes is read again; the last one known stays', async () => {
    const one = follow();
    const client = await registrar();
    const first = await register(client, server('10.0.0.1'));
    await knows(one, '10.0.0.1');
    const second = await register(client, server('10.0.0.2'));
    await knows(one, '10.0.0.1', '10.0.0.2');
    await change(client, first, server('10.0.0.9'));
    await knows(one, '10.0.0.9', '10.0.0.2');
    await unregister(client, first);
    await knows(one, '10.0.0.2');
    await unregister(client, second);
    await until('it is said that nobody is left', () => lines.some((line) => line.includes('nobody is registered under /bcs/services/endpoints/netservice')));
    await knows(one, '10.0.0.2');
  });

  test('a registration that is none is named and left out, with nothing of what it holds', async () => {
    const one = follow();
    const client = await registrar();
    const bad = await register(client, 's3cret');
    const good = await register(client, server('10.0.0.3'));
    await knows(one, '10.0.0.3');
    await until('it is named', () => lines.some((line) => /_c_0a-[0-9]{10} holds 6 bytes that are not JSON/.test(line)));
    for (const path of [bad, good]) await unregister(client, path);
  });

  test('registrations that one user alone may read need that user, and the message says so', async () => {
    const client = await registrar(AUTH);
    const path = await register(client, server('10.0.0.4'), zookeeper.ACL.CREATOR_ALL_ACL);
    const stranger = follow();
    await until('the way out is said', () =>
      lines.some((line) => line.includes('may not be read: name a file with user:password in netservice.zookeeperAuthFile')),
    );
    expect(stranger.known()).toEqual([]);
    const one = follow({ auth: AUTH });
    await knows(one, '10.0.0.4');
    await unregister(client, path);
  });

  test('a cut connection, a server that hangs and one that is started anew: changes are known all the same', async () => {
    const one = follow({ clock: hurriedClock(10) });
    const client = await registrar();
    await register(client, server('10.0.1.1'));
    await knows(one, '10.0.1.1');

    await gate.cut();
    await until('the loss is said', () => lines.some((line) => line.includes('the connection was cut')));
    await until('it is tried again', () => lines.some((line) => /cannot be reached \(ECONNREFUSED\)/.test(line)));
    await register(client, server('10.0.1.2'));
    expect(one.known(), 'known ones stay').toEqual(['http://10.0.1.1:8080']);
    await gate.mend();
    await knows(one, '10.0.1.1', '10.0.1.2');

    // Nothing is told, and no connection is cut: only the bound of an answer tells.
    gate.become({ stalled: true });
    const third = await register(client, server('10.0.1.3'));
    await until('the silence is noticed', () => lines.some((line) => line.includes('did not answer within 10 s')));
    gate.become({});
    await knows(one, '10.0.1.1', '10.0.1.2', '10.0.1.3');

    await real.down();
    await real.up();
    await unregister(client, third);
    await knows(one, '10.0.1.1', '10.0.1.2');
    client.close();
    const next = await registrar();
    await register(next, server('10.0.1.4'));
    await knows(one, '10.0.1.4');
  });

  test('of several servers one that is there will do; one that is no ZooKeeper ends nothing', async () => {
    const web = await FakeNetService.start();
    cleanups.push(() => web.close());
    const webPort = Number(new URL(web.url).port);
    const client = await registrar();
    const path = await register(client, server('10.0.2.1'));
    await until('sessions of before are over', async () => {
      const one = follow();
      await until('something is known', () => one.known().length > 0);
      return one.known().length === 1;
    });
    const one = follow({ ports: [webPort, real.port, gate.port] });
    await knows(one, '10.0.2.1');
    await unregister(client, path);
  });

  test('pools are polled from the server that registers, as soon as it does', async () => {
    const fake = await FakeNetService.start();
    cleanups.push(() => fake.close());
    const { servers } = follow();
    const puts: string[] = [];
    const ending = new AbortController();
    const documents = { put: async (type: string, _name: string, data: Buffer) => void puts.push(`${type} ${data.toString()}`) };
    const log: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => log };
    const poller = new PoolPoller({ servers, cluster: 'c', documents, tls: {}, clock: systemClock, random: systemRandom, log });
    const polling = poller.run(ending.signal);
    const client = await registrar();
    const { hostname, port } = new URL(fake.url);
    const path = await register(client, { ip: hostname, port: Number(port), scheme: 'http' });
    await until('both documents are stored', () => puts.length >= 2);
    expect(puts).toContain(`IPPoolStatic ${STATIC_DATA}`);
    expect(poller.status().map(({ document, stored, error }) => ({ document, stored, error }))).toEqual([
      { document: 'IPPoolStatic', stored: 1, error: null },
      { document: 'IPPoolStaticDetail', stored: 1, error: null },
    ]);
    ending.abort();
    await polling;
    await unregister(client, path);
  });
});
