import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

/**
 * Ports on 127.0.0.1 that were free a moment ago, all different. For programs that cannot listen on port 0 and tell which they got;
 * a server of our own listens on port 0 instead. Another process may take a port in between: start the program soon, and let a failed bind
 * fail the test with its own message.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listen));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** One free port; see freePorts. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error('Cannot find a free port on 127.0.0.1');
  return port;
}

function listen(): Promise<ReturnType<typeof createServer>> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}
