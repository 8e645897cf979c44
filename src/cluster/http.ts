import { createRequire } from 'node:module';
import type { Dispatcher } from 'undici';
import Pool from 'undici/lib/dispatcher/pool.js';
import type { Clock } from '../kit/clock.ts';
import { ApiError } from '../model/errors.ts';
import type { ChunkSink } from './cluster.ts';
import type { Credentials, RequestHeaders } from './credentials.ts';
import { pushConnector } from './push-connector.ts';
import { RefusedError, ResponseHandler } from './response-handler.ts';
import type { TlsOptions } from './tls-options.ts';

export interface HttpRequest {
  /** Path and query, below the server's own path prefix. */
  readonly path: string;
  /** Default GET. */
  readonly method?: 'POST' | 'PUT' | 'DELETE' | undefined;
  /** JSON, of a POST or PUT. */
  readonly body?: string | undefined;
  readonly accept: string;
  readonly signal: AbortSignal;
  /** Asks for gzip; the sink gets the plain bytes. */
  readonly compress?: boolean | undefined;
  /** A watch: silence is no error here, the reflector's idle watchdog judges it (RF-S18). */
  readonly isWatch?: boolean | undefined;
  readonly onOpen?: (() => void) | undefined;
}

/** The server itself gives up on a list after 60 s. */
const LIST_HEADERS_TIMEOUT_MS = 65_000;
/** A watch is accepted at once, or after 3 s of waiting for a fresh watch cache. */
const WATCH_HEADERS_TIMEOUT_MS = 30_000;
/** Silence in the middle of a list or an object. */
const BODY_TIMEOUT_MS = 30_000;
/** The API server closes idle connections after 90 s; before that we do, so that no request meets a closing one. */
const IDLE_CONNECTION_MS = 60_000;
/** RF-S17, for short requests: client-go tries ten times, a mirror has reflectors that come back anyway. */
const MAX_TRIES = 4;
const LONGEST_RETRY_AFTER_MS = 10_000;

/**
 * Requests to one API server: keep-alive connections over HTTP/1.1, as many as there are watches (callers bound the
 * rest), credentials asked per request and renewed once after a 401. HTTP/2 is not offered: measured 0.50 CPU s per 100 MB against 0.25.
 */
export class HttpClient {
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  readonly #userAgent: string;
  readonly #prefix: string;
  #dispatcher: Dispatcher | null = null;
  /** What #dispatcher was made with. */
  #tls: TlsOptions | null = null;
  #isClosed = false;

  constructor(options: { readonly credentials: Credentials; readonly clock: Clock; readonly version: string }) {
    this.#credentials = options.credentials;
    this.#clock = options.clock;
    this.#userAgent = `kubefold/${options.version}`;
    this.#prefix = options.credentials.server.pathname.replace(/\/+$/, '');
  }

  /**
   * Hands the body to `sink` chunk by chunk, straight from the socket; resolves at its clean end. Refusals reject with
   * RefusedError (an ApiError inside), a cut connection with the transport's error. Nothing is retried but one 401.
   */
  async stream(request: HttpRequest, sink: ChunkSink): Promise<void> {
    request.signal.throwIfAborted();
    const headers = await this.#credentials.headers();
    try {
      await this.#once(request, headers, sink);
    } catch (cause) {
      if (!(cause instanceof RefusedError) || cause.refusal.error.status !== 401) throw cause;
      if (!(await this.#credentials.renew(headers))) throw cause;
      await this.#once(request, await this.#credentials.headers(), sink);
    }
  }

  /** A whole short body. Retries what carries Retry-After (RF-S17), and once a kept connection that the server had just closed. */
  async body(request: HttpRequest): Promise<Buffer> {
    for (let tries = 1; ; tries++) {
      const chunks: Buffer[] = [];
      try {
        // The chunk is the socket's buffer, so it is copied.
        await this.stream(request, (chunk) => chunks.push(Buffer.from(chunk)));
        return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
      } catch (cause) {
        const waitMs = retryDelayMs(cause, tries, chunks.length > 0);
        if (waitMs === null || request.signal.aborted) throw cause;
        await this.#clock.sleep(waitMs, request.signal);
        request.signal.throwIfAborted();
      }
    }
  }

  /** Ends every connection; running requests reject. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const dispatcher = this.#dispatcher;
    this.#dispatcher = null;
    await dispatcher?.destroy();
  }

  async #once(request: HttpRequest, headers: RequestHeaders, sink: ChunkSink): Promise<void> {
    request.signal.throwIfAborted();
    const { server } = this.#credentials;
    const path = this.#prefix + request.path;
    const { method = 'GET', body } = request;
    const dispatcher = this.#current();
    await new Promise<void>((resolve, reject) => {
      const handler = new ResponseHandler({
        sink,
        signal: request.signal,
        resolve,
        reject,
        onOpen: request.onOpen,
        request: `${method} ${path.split('?', 1)[0] ?? path}`,
        clock: this.#clock,
      });
      dispatcher.dispatch(
        {
          origin: server.origin,
          path,
          method,
          ...(body === undefined ? {} : { body }),
          headers: {
            ...headers,
            accept: request.accept,
            'user-agent': this.#userAgent,
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            ...(request.compress === true ? { 'accept-encoding': 'gzip' } : {}),
          },
          headersTimeout: request.isWatch === true ? WATCH_HEADERS_TIMEOUT_MS : LIST_HEADERS_TIMEOUT_MS,
          bodyTimeout: request.isWatch === true ? 0 : BODY_TIMEOUT_MS,
        },
        handler,
      );
    });
  }

  #current(): Dispatcher {
    if (this.#isClosed) throw new Error(`The client of ${this.#credentials.server.host} is closed`);
    const { tls, server, proxy } = this.#credentials;
    if (this.#dispatcher === null || this.#tls !== tls) {
      // Running requests end on the old connections, which then close.
      void this.#dispatcher?.close().catch(() => {});
      this.#tls = tls;
      this.#dispatcher = proxy === null ? direct(server, tls) : throughProxy(proxy, tls);
    }
    return this.#dispatcher;
  }
}

/** No bound on connections: each watch holds one. */
const POOL = { pipelining: 1, allowH2: false, keepAliveTimeout: IDLE_CONNECTION_MS, keepAliveMaxTimeout: IDLE_CONNECTION_MS } as const;

function direct(server: URL, tls: TlsOptions): Dispatcher {
  return new Pool(server.origin, { ...POOL, connect: pushConnector(tls) });
}

/**
 * undici opens the tunnel and the TLS inside it; chunks come from ordinary stream buffers here. The whole of undici is loaded, and only
 * for a proxy: its index gives every dispatcher the connect() that opens a tunnel, which its single files lack.
 */
function throughProxy(proxy: URL, tls: TlsOptions): Dispatcher {
  const { ProxyAgent } = createRequire(import.meta.url)('undici') as typeof import('undici');
  return new ProxyAgent({ ...POOL, uri: proxy.href, requestTls: { ...tls, allowH2: false } });
}

/** Milliseconds to wait before the next try, or null for none. */
function retryDelayMs(cause: unknown, tries: number, hasBody: boolean): number | null {
  if (tries >= MAX_TRIES) return null;
  const error = cause instanceof RefusedError ? cause.refusal.error : cause;
  if (error instanceof ApiError) {
    const mayRetry = (error.status === 429 || error.status >= 500) && error.retryAfterMs !== null;
    return mayRetry ? Math.min(error.retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS) : null;
  }
  const code = error instanceof Error && 'code' in error ? error.code : '';
  return tries === 1 && !hasBody && (code === 'UND_ERR_SOCKET' || code === 'ECONNRESET') ? 0 : null;
}
