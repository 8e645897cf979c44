import { createServer as createPlainServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A small HTTP(S) server on loopback that answers as a test tells it and remembers what it was asked. */
export class ApiDouble {
  readonly requests: { readonly url: string; readonly headers: IncomingMessage['headers'] }[] = [];
  /** Connections ever opened, TLS or plain. */
  connections = 0;
  answer: Answer;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #isTls: boolean;

  constructor(answer: Answer, tls: ServerOptions | null) {
    this.answer = answer;
    this.#isTls = tls !== null;
    const handle: Answer = (request, response) => {
      this.requests.push({ url: request.url ?? '', headers: request.headers });
      this.answer(request, response);
    };
    this.#server = tls === null ? createPlainServer(handle) : (createServer(tls, handle) as unknown as Server);
    this.#server.on(tls === null ? 'connection' : 'secureConnection', (socket: Socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(answer: Answer, tls: ServerOptions | null = null): Promise<ApiDouble> {
    const double = new ApiDouble(answer, tls);
    await new Promise<void>((resolve) => double.#server.listen(0, '127.0.0.1', resolve));
    return double;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `${this.#isTls ? 'https' : 'http'}://127.0.0.1:${this.port}`;
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** Answers JSON with a status. */
export function sendJson(response: ServerResponse, status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(`${JSON.stringify(body)}\n`);
}
