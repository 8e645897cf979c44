import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import Pool from 'undici/lib/dispatcher/pool.js';
import type { Clock } from '../../kit/clock.ts';
import { Semaphore } from '../../kit/semaphore.ts';
import { messageOf } from '../../model/errors.ts';
import { VERSION } from '../../model/version.ts';
import { describeFailure } from './connect-error.ts';
import { Endpoints } from './endpoints.ts';
import { type Reply, retryAfterMs } from './envelope.ts';
import { ROOT } from './routes.ts';
import type { TlsMaterial } from './tls.ts';

/** Over all endpoints. At 87 ms a request, 177 are needed for 2,000 requests a second. */
export const MOST_CONNECTIONS = 256;
/** Below what proxies and Node's own server close idle connections after where we had to guess: a server that says its time in Keep-Alive is believed. */
const IDLE_CONNECTION_MS = 30_000;
/** A service that asks for more than this is asked again all the same. */
const LONGEST_PAUSE_MS = 60_000;
/** A page of names is more work for the service than one document. */
const LIST_TIMEOUT_MS = 30_000;

export interface BcsRequest {
  readonly method: 'GET' | 'PUT' | 'DELETE';
  /** Path and query below `/bcsstorage/v1`. */
  readonly path: string;
  readonly body?: Buffer | undefined;
  readonly isList?: boolean | undefined;
}

/**
 * A write that was not answered in time is left on its connection for so many times that time more: its answer is the only proof that it cannot be carried
 * out any more. A service that is overloaded works off what it has read, however long ago its client left, and must not be given more of it.
 */
const LATE_TIMES = 2;

/** What may still be heard of a request that was not answered in time. */
export interface Late {
  /** Its answer; null when its connection was cut before. */
  readonly reply: Promise<Reply | null>;
  /** Cuts it: nobody needs to know any more. */
  cut(): void;
}

/** A request got no answer, at least not in time. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
  /** `no`: the service has seen nothing of it. `maybe`: it was cut or not answered in time, and what became of it is not known. */
  readonly wasSent: 'no' | 'maybe';
  /** Null when there is nothing more to be heard of it. */
  readonly late: Late | null;

  constructor(message: string, wasSent: 'no' | 'maybe', late: Late | null = null) {
    super(message);
    this.wasSent = wasSent;
    this.late = late;
  }
}

/** What carries requests to one origin, as undici's pools do. */
export type Transport = Pick<Dispatcher, 'dispatch'> & { close(): Promise<void>; destroy(): Promise<void> };

export interface BcsHttpOptions {
  /** `http://host:port`, each; in the order in which they are preferred. */
  readonly origins: readonly string[];
  /** What stands before ROOT in every path: `''` or `/some/prefix`. */
  readonly prefix: string;
  readonly timeoutMs: number;
  readonly tls: TlsMaterial;
  readonly token: string | null;
  readonly clock: Clock;
  /** In place of our own connections. */
  readonly transport?: ((origin: string) => Transport) | undefined;
}

/**
 * Requests to a storage service with one or more endpoints: keep-alive connections, at most MOST_CONNECTIONS with a request each, a timeout, and another
 * endpoint for what surely did not reach the first. Nothing that may have been carried out is ever sent twice here.
 */
export class BcsHttpClient {
  readonly #options: BcsHttpOptions;
  readonly #endpoints: Endpoints;
  readonly #slots = new Semaphore(MOST_CONNECTIONS);
  readonly #pools = new Map<number, Transport>();
  readonly #headers: Record<string, string>;
  /** Which endpoint was asked last. */
  #current = 0;

  constructor(options: BcsHttpOptions) {
    this.#options = options;
    this.#endpoints = new Endpoints(options.origins.length);
    this.#headers = {
      'content-type': 'application/json',
      'user-agent': `kubefold/${VERSION}`,
      ...(options.token === null ? {} : { authorization: `Bearer ${options.token}` }),
    };
  }

  /** Where requests go, for messages. */
  get address(): string {
    return this.#options.origins.join(', ');
  }

  /** Rejects with NoAnswer, and with nothing else. */
  async send(request: BcsRequest): Promise<Reply> {
    const release = await this.#slots.acquire();
    let late: Late | null = null;
    try {
      return await this.#trying(request);
    } catch (cause) {
      if (cause instanceof NoAnswer) ({ late } = cause);
      throw cause;
    } finally {
      // It has its connection as long as it may be answered.
      if (late === null) release();
      else void late.reply.then(release);
    }
  }

  /** Cuts what is under way. */
  async close(): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  async #trying(request: BcsRequest): Promise<Reply> {
    const { clock, origins } = this.#options;
    const tried = new Set<number>();
    let failure: NoAnswer | null = null;
    for (;;) {
      const index = this.#endpoints.choose(clock.now(), tried);
      if (index === null) throw failure ?? this.#paused();
      this.#use(index);
      try {
        const { reply, pauseMs } = await this.#once(index, request);
        this.#endpoints.answered(index);
        if (pauseMs !== null) this.#endpoints.pause(index, clock.now() + Math.min(pauseMs, LONGEST_PAUSE_MS));
        return reply;
      } catch (cause) {
        failure = cause instanceof NoAnswer ? cause : new NoAnswer(messageOf(cause), 'maybe');
        this.#endpoints.failed(index, clock.now(), failure.wasSent === 'no' ? 'unreachable' : 'broken');
        tried.add(index);
        // A read may be asked of anybody.
        if ((failure.wasSent === 'maybe' && request.method !== 'GET') || tried.size === origins.length) throw failure;
      }
    }
  }

  #paused(): NoAnswer {
    const now = this.#options.clock.now();
    const waitMs = (this.#endpoints.pausedUntil(now) ?? now) - now;
    return new NoAnswer(`the storage service at ${this.address} has asked to be left alone for another ${Math.ceil(waitMs / 1000)} s (Retry-After)`, 'no');
  }

  /** One set of connections at a time: those to the endpoint before close when their requests have ended, so that all together stay within the bound. */
  #use(index: number): void {
    if (index === this.#current) return;
    this.#current = index;
    for (const [other, pool] of this.#pools) {
      if (other === index) continue;
      this.#pools.delete(other);
      void pool.close().catch(() => {});
    }
  }

  #poolOf(index: number): Transport {
    let pool = this.#pools.get(index);
    if (pool === undefined) {
      const { origins, tls, timeoutMs, transport } = this.#options;
      const origin = origins[index] ?? '';
      pool =
        transport?.(origin) ??
        new Pool(origin, {
          connections: MOST_CONNECTIONS,
          pipelining: 1,
          allowH2: false,
          keepAliveTimeout: IDLE_CONNECTION_MS,
          headersTimeout: 0,
          bodyTimeout: 0,
          connect: { ...tls, timeout: timeoutMs, keepAlive: true },
        });
      this.#pools.set(index, pool);
    }
    return pool;
  }

  #once(index: number, request: BcsRequest): Promise<{ readonly reply: Reply; readonly pauseMs: number | null }> {
    const { clock, prefix, origins, timeoutMs } = this.#options;
    const address = origins[index] ?? '';
    const pool = this.#poolOf(index);
    return new Promise((resolve, reject) => {
      const boundMs = request.isList === true ? Math.max(timeoutMs, LIST_TIMEOUT_MS) : timeoutMs;
      let controller: Dispatcher.DispatchController | null = null;
      let isOver = false;
      /** From when it was not answered in time. */
      let settleLate: ((reply: Reply | null) => void) | null = null;
      let cancel = (): void => {};
      const end = (): boolean => {
        if (isOver) return false;
        isOver = true;
        cancel();
        return true;
      };
      const fail = (message: string): void => {
        if (!end()) return;
        if (settleLate === null) reject(new NoAnswer(message, controller === null ? 'no' : 'maybe'));
        else settleLate(null);
        // Destroys the connection: what was sent on it is read by nobody any more, unless it was read already.
        controller?.abort(new Error('given up'));
      };
      cancel = clock.after(boundMs, () => {
        const message = `the storage service at ${address} did not answer within ${boundMs / 1000} s`;
        if (controller === null || request.method === 'GET') return fail(message);
        const reply = new Promise<Reply | null>((answer) => {
          settleLate = answer;
        });
        cancel = clock.after(LATE_TIMES * boundMs, () => fail(message));
        reject(new NoAnswer(message, 'maybe', { reply, cut: () => fail(message) }));
      });
      const chunks: Buffer[] = [];
      let status = 0;
      let retryAfter: string | undefined;
      const handler: Dispatcher.DispatchHandler = {
        onRequestStart(started) {
          // Given up while it waited for a connection: nothing of it is sent.
          if (isOver) started.abort(new Error('given up'));
          else controller = started;
        },
        onResponseStart(_controller, code, headers: IncomingHttpHeaders) {
          if (code < 200) return;
          status = code;
          retryAfter = headers['retry-after'];
        },
        onResponseData: (_controller, chunk) => void chunks.push(chunk),
        onResponseEnd() {
          if (!end()) return;
          const body = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
          if (settleLate === null) resolve({ reply: { status, body }, pauseMs: retryAfterMs(status, retryAfter, clock.wall()) });
          else settleLate({ status, body });
        },
        onResponseError: (_controller, error) => fail(describeFailure(error, address)),
      };
      try {
        pool.dispatch({ path: `${prefix}${ROOT}${request.path}`, method: request.method, headers: this.#headers, body: request.body ?? null }, handler);
      } catch (cause) {
        fail(describeFailure(cause, address));
      }
    });
  }
}
