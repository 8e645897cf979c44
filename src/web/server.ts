import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AccessReviews } from '../cluster/cluster.ts';
import { type Clock, systemClock } from '../kit/clock.ts';
import { type Logger, silentLogger } from '../kit/log.ts';
import type { Control } from '../model/control.ts';
import type { MirrorStatus } from '../model/status.ts';
import { Access, type Denial } from './access.ts';
import { answerControl, isControlPath } from './control.ts';
import { Debug, isDebugPath, whyNoDebug } from './debug.ts';
import { boundConnections, serverOptions, WEB_LIMITS, type WebLimits } from './limits.ts';
import { STATUS_PAGE } from './page.ts';
import { readiness } from './readiness.ts';
import { startTlsServer } from './tls-server.ts';

// An import statement looks at every export of the module, and that loads Node's own fetch and WebSocket: 13 MiB of resident memory for nothing.
const { createServer } = process.getBuiltinModule('node:http');

export interface WebOptions {
  readonly host: string;
  readonly port: number;
  readonly status: () => MirrorStatus;
  /** The exposition text of every metric, and its content type. */
  readonly metrics: () => Promise<{ readonly text: string; readonly contentType: string }>;
  readonly control: Control;
  /** Null on loopback: plain HTTP, no credentials. */
  readonly secured: {
    readonly certFile: string;
    readonly keyFile: string;
    /** One token that may do everything; null: there is none. */
    readonly tokenFile: string | null;
    /** Who is asked about other tokens. Default: nobody. */
    readonly reviews?: AccessReviews | undefined;
  } | null;
  /** Serves /debug, to this machine alone. Default false. */
  readonly debug?: boolean | undefined;
  /** For what reviews of tokens are worth. Default: that of the system. */
  readonly clock?: Clock | undefined;
  /** Hears of certificates that change, and of tokens that cannot be checked. */
  readonly log?: Logger | undefined;
  /** Default WEB_LIMITS. */
  readonly limits?: WebLimits | undefined;
}

export interface Web {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves health, metrics, the status page and what people decide. Rejects with the socket's error when the address cannot be taken. */
export async function startWeb(options: WebOptions): Promise<Web> {
  const { secured, log = silentLogger, limits = WEB_LIMITS, clock = systemClock } = options;
  const access = secured === null ? null : new Access({ tokenFile: secured.tokenFile, reviews: secured.reviews ?? null, clock, log });
  const debug = options.debug === true && secured === null ? new Debug(options.control) : null;
  const served: Served = { ...options, access, opened: debug };
  // Whatever a request does to us stays its own trouble: a rejection that nobody takes would end the process.
  const listener: RequestListener = (request, response) => {
    answer(served, request, response).catch(() => {
      if (response.headersSent) response.destroy();
      else send(response, 500, 'text/plain; charset=utf-8', 'this could not be answered\n');
    });
  };
  const bounds = serverOptions(limits);
  const server: Server = secured === null ? createServer(bounds, listener) : await startTlsServer(secured, { options: bounds, listener, log });
  boundConnections(server, limits);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return {
    url: `${secured === null ? 'http' : 'https'}://${host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        access?.close();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The options of a surface that serves, and who guards it. */
interface Served extends WebOptions {
  /** Null: nobody is asked who they are. */
  readonly access: Access | null;
  /** What is behind /debug; null: nothing. */
  readonly opened: Debug | null;
}

async function answer(options: Served, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // Not every request target is a URL: `//` is none.
  const url = URL.parse(request.url ?? '/', 'http://localhost');
  if (url === null) return send(response, 400, 'text/plain; charset=utf-8', 'the path of the request cannot be read\n');
  if (isControlPath(url.pathname)) return control(options, request, response, url);
  // What is read here has no body; whoever sends one all the same is not listened to any longer.
  if (request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0) response.setHeader('Connection', 'close');
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'text/plain; charset=utf-8', 'only GET and HEAD are answered here\n');
  // Probes of a kubelet carry no credentials, and learn nothing but yes or no.
  if (url.pathname === '/livez') return send(response, 200, 'text/plain; charset=utf-8', 'ok\n');
  const verbose = url.searchParams.has('verbose');
  if (url.pathname === '/readyz' && !verbose) {
    const { code, text } = readiness(options.status(), 'short');
    return send(response, code, 'text/plain; charset=utf-8', options.secured === null ? text : code === 200 ? 'ok\n' : 'not ready\n');
  }
  const denial = await denialOf(options, request, url.pathname);
  if (denial !== null) return refuse(response, denial);
  if (options.opened !== null && isDebugPath(url.pathname)) {
    const why = whyNoDebug(request);
    return why === null ? options.opened.answer(url, response) : send(response, 403, 'text/plain; charset=utf-8', `${why}\n`);
  }
  switch (url.pathname) {
    case '/readyz': {
      const { code, text } = readiness(options.status(), 'verbose');
      return send(response, code, 'text/plain; charset=utf-8', text);
    }
    case '/metrics': {
      const { text, contentType } = await options.metrics();
      return send(response, 200, contentType, text);
    }
    case '/status.json':
      return send(response, 200, 'application/json', JSON.stringify(options.status()));
    case '/':
      response.setHeader('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'");
      return send(response, 200, 'text/html; charset=utf-8', STATUS_PAGE);
    default:
      return send(response, 404, 'text/plain; charset=utf-8', 'not found; there are /, /livez, /readyz, /readyz?verbose, /metrics and /status.json\n');
  }
}

async function control(options: Served, request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
  const denial = await denialOf(options, request, url.pathname);
  if (denial !== null) return refuse(response, denial);
  const { code, body, headers = {} } = await answerControl(options.control, request, url);
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  send(response, code, 'application/json', JSON.stringify(body));
}

/** Every cluster lets everybody get /readyz (system:public-info-viewer), and with details it says as much as /status.json: it takes the same right. */
const ASKED_AS: Readonly<Record<string, string>> = { '/readyz': '/status.json' };
/** For a Retry-After. */
const REVIEW_AGAIN_SECONDS = 2;

async function denialOf({ access }: Served, request: IncomingMessage, pathname: string): Promise<Denial | null> {
  if (access === null) return null;
  // HEAD tells less than GET.
  const verb = request.method === 'HEAD' ? 'get' : (request.method ?? '').toLowerCase();
  return access.refusal(request.headers.authorization, { verb, path: ASKED_AS[pathname] ?? pathname });
}

function refuse(response: ServerResponse, { code, text }: Denial): void {
  if (code === 401) response.setHeader('WWW-Authenticate', 'Bearer');
  if (code === 503) response.setHeader('Retry-After', String(REVIEW_AGAIN_SECONDS));
  send(response, code, 'text/plain; charset=utf-8', text);
}

function send(response: ServerResponse, code: number, contentType: string, text: string): void {
  response.writeHead(code, { 'Content-Type': contentType, 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' });
  response.end(text);
}
