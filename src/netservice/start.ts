import { readFile } from 'node:fs/promises';
import type { Config } from '../config/schema.ts';
import { messageOf, UsageError } from '../model/errors.ts';
import { PoolPoller, type PoolPollerOptions } from './pool-poller.ts';
import { fixedServers } from './server-list.ts';

/** The poller that a configuration asks for; null when it asks for none. Throws UsageError for a file that cannot be used. */
export async function createPoolPoller(
  { endpoints, zookeeper, zookeeperAuthFile }: Config['netservice'],
  options: Omit<PoolPollerOptions, 'servers'>,
): Promise<PoolPoller | null> {
  if (endpoints !== null) return new PoolPoller({ ...options, servers: fixedServers(endpoints) });
  if (zookeeper === null) return null;
  const auth = zookeeperAuthFile === null ? null : await readAuth(zookeeperAuthFile);
  // Loaded only when it is used.
  const { ZookeeperServers } = await import('./zookeeper-servers.ts');
  return new PoolPoller({ ...options, servers: new ZookeeperServers({ ...options, zookeepers: zookeeper, auth }) });
}

async function readAuth(file: string): Promise<Buffer> {
  let text: string;
  try {
    text = (await readFile(file, 'utf8')).trim();
  } catch (cause) {
    throw new UsageError(`Cannot read netservice.zookeeperAuthFile: ${messageOf(cause)}; correct the path`);
  }
  if (/^[^\s:]+:\S+$/.test(text)) return Buffer.from(text);
  throw new UsageError(`netservice.zookeeperAuthFile "${file}" must hold user:password on one line, and holds ${text === '' ? 'nothing' : 'something else'}`);
}
