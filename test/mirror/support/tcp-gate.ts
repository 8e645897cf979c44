import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { Transform } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { systemClock } from '../../../src/kit/clock.ts';

/** How bytes travel, both ways. */
export interface Road {
  /** Each chunk waits so long before it goes on. */
  readonly delayMs?: number;
  /** Chunks are cut into pieces of at most so many bytes, each sent alone. */
  readonly pieceBytes?: number;
  /** Nothing goes on at all, while connections stay open and new ones are taken. */
  readonly stalled?: boolean;
}

/** A road to a loopback port that can be cut, mended and spoilt, so that one client loses a server which goes on for all others. */
export class TcpGate implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #target: number;
  readonly #sockets: Set<Socket>;
  readonly #traffic: Traffic;

  private constructor(parts: { readonly server: Server; readonly target: number; readonly sockets: Set<Socket>; readonly traffic: Traffic }) {
    this.#server = parts.server;
    this.#target = parts.target;
    this.#sockets = parts.sockets;
    this.#traffic = parts.traffic;
    this.port = (parts.server.address() as AddressInfo).port;
  }

  static async open(target: number): Promise<TcpGate> {
    const sockets = new Set<Socket>();
    const traffic = new Traffic();
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
        // Or pieces would be put together again.
        to.setNoDelay(true);
        from.pipe(traffic.lane()).pipe(to);
      }
    });
    await listen(server, 0);
    return new TcpGate({ server, target, sockets, traffic });
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

  /** From now on, also on connections that are open; `{}` is a good road again. */
  become(road: Road): void {
    this.#traffic.become(road);
  }

  /** The text of a kubeconfig with its server behind this gate. */
  kubeconfig(text: string): string {
    return text.replace(`https://127.0.0.1:${this.#target}"`, `https://127.0.0.1:${this.port}"`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.cut();
  }
}

class Traffic {
  #road: Road = {};
  #changed = Promise.withResolvers<void>();

  become(road: Road): void {
    const before = this.#changed;
    this.#road = road;
    this.#changed = Promise.withResolvers();
    before.resolve();
  }

  lane(): Transform {
    const lane: Transform = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        const { delayMs, pieceBytes, stalled } = this.#road;
        if (delayMs === undefined && pieceBytes === undefined && stalled !== true) done(null, chunk);
        else void this.#carry(chunk, lane).then(() => done());
      },
    });
    return lane;
  }

  async #carry(chunk: Buffer, lane: Transform): Promise<void> {
    while (this.#road.stalled === true) await this.#changed.promise;
    const { delayMs = 0, pieceBytes = chunk.length } = this.#road;
    if (delayMs > 0) await systemClock.sleep(delayMs);
    for (let at = 0; at < chunk.length && !lane.destroyed; at += pieceBytes) {
      lane.push(chunk.subarray(at, at + pieceBytes));
      if (pieceBytes < chunk.length) await nextTurn();
    }
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
