import { Agent, createServer, request as forward, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../src/kit/clock.ts';

/** A write as it passes. */
export interface Passing {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

/**
 * Stands before an HTTP service, holds every write (PUT, DELETE) up for a while, and knows from outside which of them are under way
 * at the same time: two writes to one path at once are told in `doubles`.
 */
export class SlowGateway implements AsyncDisposable {
  /** Paths to which a write came while another was under way. */
  readonly doubles: string[] = [];
  /** Writes that have passed. */
  passed = 0;
  /** How long a write is held up before the service sees it, in milliseconds. */
  delayMs = 0;
  /** While true every write is answered with 503, as by a service that is away. */
  isAway = false;
  readonly #server: Server;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #target: URL;
  readonly #underWay = new Map<string, number>();
  readonly #watched: (passing: Passing) => boolean;

  private constructor(target: string, watched: (passing: Passing) => boolean) {
    this.#target = new URL(target);
    this.#watched = watched;
    this.#server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => void this.#pass(request, response));
  }

  /** `watched` is shown each write when it comes, and says which of them count; by default all. */
  static async before(target: string, watched: (passing: Passing) => boolean = () => true): Promise<SlowGateway> {
    const gateway = new SlowGateway(target, watched);
    await new Promise<void>((resolve) => gateway.#server.listen(0, '127.0.0.1', 4_096, resolve));
    return gateway;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Writes under way just now. */
  get underWay(): number {
    return this.#underWay.size;
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const sent = Buffer.concat(chunks);
    const passing = { method: request.method ?? '', path: (request.url ?? '').split('?')[0] ?? '', body: sent.toString() };
    const isWrite = passing.method === 'PUT' || passing.method === 'DELETE';
    const isWatched = isWrite && this.#watched(passing);
    if (isWatched) this.#enter(passing.path);
    try {
      if (isWrite && this.delayMs > 0) await systemClock.sleep(this.delayMs);
      if (isWrite && this.isAway) {
        response.writeHead(503).end('away');
        return;
      }
      await this.#forward(request, sent, response, () => {
        // Before the client can hear of it, so that its next write of the same key comes after this one has left.
        if (isWatched) this.#leave(passing.path);
      });
      if (isWatched) this.passed += 1;
    } catch {
      response.destroy();
    } finally {
      if (isWatched) this.#leave(passing.path);
    }
  }

  #forward(request: IncomingMessage, body: Buffer, response: ServerResponse, onAnswer: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = this.#target;
      const headers = { ...request.headers, host: this.#target.host };
      const sent = forward({ hostname, port, agent: this.#agent, method: request.method, path: request.url, headers }, (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('error', reject);
        answer.on('end', () => {
          onAnswer();
          response.writeHead(answer.statusCode ?? 502, answer.headers).end(Buffer.concat(parts));
          resolve();
        });
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  #enter(path: string): void {
    const before = this.#underWay.get(path) ?? 0;
    if (before > 0) this.doubles.push(path);
    this.#underWay.set(path, before + 1);
  }

  #leave(path: string): void {
    const count = this.#underWay.get(path);
    if (count === undefined) return;
    if (count > 1) this.#underWay.set(path, count - 1);
    else this.#underWay.delete(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#agent.destroy();
  }
}
