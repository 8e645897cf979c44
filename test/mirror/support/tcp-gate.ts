import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/** A road to a loopback port that can be cut and mended, so that one client loses a server which goes on for all others. */
export class TcpGate implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #target: number;
  readonly #sockets: Set<Socket>;

  private constructor(parts: { readonly server: Server; readonly target: number; readonly sockets: Set<Socket> }) {
    this.#server = parts.server;
    this.#target = parts.target;
    this.#sockets = parts.sockets;
    this.port = (parts.server.address() as AddressInfo).port;
  }

  static async open(target: number): Promise<TcpGate> {
    const sockets = new Set<Socket>();
    const server = createServer((incoming) => {
      const outgoing = connect(target, '127.0.0.1');
      for (const [from, to] of [
        [incoming, outgoing],
        [outgoing, incoming],
      ] as const) {
        sockets.add(from);
        from.on('error', () => to.destroy());
        from.on('close', () => {
          sockets.delete(from);
          to.destroy();
        });
        from.pipe(to);
      }
    });
    await listen(server, 0);
    return new TcpGate({ server, target, sockets });
  }

  /** Ends every connection and refuses new ones. */
  async cut(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Listens again, on the same port. */
  async mend(): Promise<void> {
    await listen(this.#server, this.port);
  }

  /** The text of a kubeconfig with its server behind this gate. */
  kubeconfig(text: string): string {
    return text.replace(`https://127.0.0.1:${this.#target}"`, `https://127.0.0.1:${this.port}"`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.cut();
  }
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}
