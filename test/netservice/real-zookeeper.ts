import { once } from 'node:events';
import { existsSync } from 'node:fs';
import zookeeper, { type Client, type ZookeeperError } from 'node-zookeeper-client';
import { systemClock } from '../../src/kit/clock.ts';
import { REGISTERED_UNDER } from '../../src/netservice/registered.ts';
import { freePort } from '../support/free-port.ts';
import { type Child, spawn } from '../support/spawn.ts';
import { tempDir } from '../support/temp-dir.ts';

/** Where the package `zookeeper` of Debian and its relatives has its program; it brings Java along. */
const JAR = '/usr/share/java/zookeeper.jar';

const START_MS = 60_000;
const TRY_MS = 2_000;

export const HAS_ZOOKEEPER = existsSync(JAR);

/** A real ZooKeeper of one server on loopback, that can be ended and started again with what it holds. */
export class RealZookeeper {
  readonly port: number;
  readonly #dir: ReturnType<typeof tempDir>;
  #child: Child | null = null;

  private constructor(port: number) {
    this.port = port;
    this.#dir = tempDir('zookeeper');
  }

  static async start(): Promise<RealZookeeper> {
    const server = new RealZookeeper(await freePort());
    await server.up();
    return server;
  }

  async up(): Promise<void> {
    const settings = ['-Xmx128m', '-Dzookeeper.admin.enableServer=false', '-Dzookeeper.jmx.log4j.disable=true'];
    const main = ['-cp', JAR, 'org.apache.zookeeper.server.ZooKeeperServerMain', String(this.port), this.#dir.path, '500'];
    this.#child = spawn('java', [...settings, ...main], { withinMs: 300_000 });
    const client = await this.client();
    client.close();
  }

  async down(): Promise<void> {
    this.#child?.signal('SIGKILL');
    await this.#child?.exited;
    this.#child = null;
  }

  /** A session of its own, as somebody else has one. `auth`: `user:password`. */
  async client(auth?: string): Promise<Client> {
    const since = systemClock.now();
    while (systemClock.now() - since < START_MS) {
      const client = zookeeper.createClient(`127.0.0.1:${this.port}`, { sessionTimeout: 5_000, spinDelay: 50 });
      if (auth !== undefined) client.addAuthInfo('digest', Buffer.from(auth));
      const connected = once(client, 'connected', { signal: AbortSignal.timeout(TRY_MS) });
      client.connect();
      // One that was let in while the server was still starting is never answered.
      if (await connected.then(Boolean, () => false)) return client;
      client.close();
      client.connectionManager.socket?.destroy();
    }
    throw new Error(`The ZooKeeper takes no session: ${this.#child?.stderr().slice(-2_000)}`);
  }

  async close(): Promise<void> {
    await this.down();
    this.#dir.remove();
  }
}

function done<T>(run: (callback: (error: ZookeeperError | null, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    run((error, value) => (error === null || error === undefined ? resolve(value as T) : reject(error)));
  });
}

/** Registers as a NetService does: a node with a number, which ends with the session. Returns its path. */
export async function register(client: Client, data: object | string, acl = zookeeper.ACL.OPEN_ACL_UNSAFE): Promise<string> {
  await done<void>((callback) => client.mkdirp(REGISTERED_UNDER, callback));
  const bytes = Buffer.from(typeof data === 'string' ? data : JSON.stringify(data));
  return await done<string>((callback) => client.create(`${REGISTERED_UNDER}/_c_0a-`, bytes, acl, zookeeper.CreateMode.EPHEMERAL_SEQUENTIAL, callback));
}

export async function unregister(client: Client, path: string): Promise<void> {
  await done<void>((callback) => client.remove(path, callback));
}

export async function change(client: Client, path: string, data: object): Promise<void> {
  await done<void>((callback) => client.setData(path, Buffer.from(JSON.stringify(data)), callback));
}
