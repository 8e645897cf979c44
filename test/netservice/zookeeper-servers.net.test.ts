import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { hurriedClock } from '../../src/bench/child/hurried-clock.ts';
import type { Logger } from '../../src/kit/log.ts';
import { systemRandom } from '../../src/kit/random.ts';
import { ZookeeperServers } from '../../src/netservice/zookeeper-servers.ts';
import { until } from '../support/until.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Answers whatever comes with these bytes. */
async function listening(answer: Buffer | null): Promise<number> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    cleanups.push(() => socket.destroy());
    socket.on('data', () => void (answer === null || socket.destroyed || socket.write(answer)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** What is logged of servers of which none will do. */
async function failure(port: number): Promise<string> {
  const lines: string[] = [];
  const write = (message: string, fields?: object): void => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const log: Logger = { debug: write, info: write, warn: write, error: write, child: () => log };
  const clock = hurriedClock(20);
  const servers = new ZookeeperServers({ zookeepers: [`127.0.0.1:${port}`], auth: Buffer.from('me:s3cret'), clock, random: systemRandom, log });
  const ending = new AbortController();
  const following = servers.follow(ending.signal, () => {});
  await until('it has failed twice', () => lines.length >= 2, { everyMs: 10 });
  await expect(servers.endpoints(ending.signal)).rejects.toThrow(/^no NetService is known: the ZooKeeper at 127\.0\.0\.1:/);
  ending.abort();
  await following;
  expect(lines.join()).not.toContain('s3cret');
  return lines[1] ?? '';
}

const frame = (...bytes: readonly number[]): Buffer => Buffer.from([0, 0, 0, bytes.length, ...bytes]);

test.each([
  ['that is not there', async () => 1, /cannot be reached \(ECONNREFUSED\)/],
  ['that never answers', () => listening(null), /did not answer within 10 s/],
  ['that speaks HTTP', () => listening(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')), /did not answer within 10 s/],
  ['whose answer is too short to be one', () => listening(frame(1)), /does not speak as a ZooKeeper does: is netservice\.zookeeper right\?/],
  ['that sends nonsense of the right length', () => listening(frame(...Array.from({ length: 60 }, () => 0xff))), /the ZooKeeper at 127\.0\.0\.1/],
])('a ZooKeeper %s is said, tried again, and ends nothing', async (_, start, message) => {
  expect(await failure(await start())).toMatch(message);
});
