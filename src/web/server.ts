import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { carriesBearer, readBearer } from '../kit/bearer.ts';
import { type Logger, silentLogger } from '../kit/log.ts';
import { UsageError } from '../model/errors.ts';
import type { Control } from '../model/control.ts';
import type { MirrorStatus } from '../model/status.ts';
import { answerControl, isControlPath } from './control.ts';
import { Debug, isDebugPath, whyNoDebug } from './debug.ts';
import { boundConnections, serverOptions, WEB_LIMITS, type WebLimits } from './limits.ts';
import { STATUS_PAGE } from './page.ts';
import { readiness } from './readiness.ts';
import { startTlsServer } from './tls-server.ts';

export interface WebOptions {
  readonly host: string;
  readonly port: number;
  readonly status: () => MirrorStatus;
  /** The exposition text of every metric, and its content type. */
  readonly metrics: () => Promise<{ readonly text: string; readonly contentType: string }>;
  readonly control: Control;
  /** Null on loopback: plain HTTP, no credentials. */
  readonly secured: { readonly certFile: string; readonly keyFile: string; readonly tokenFile: string } | null;
  /** Serves /debug, to this machine alone. Default false. */
  readonly debug?: boolean | undefined;
  /** Hears of certificates that change. */
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
  const { secured, log = silentLogger, limits = WEB_LIMITS } = options;
  const debug = options.debug === true && secured === null ? new Debug(options.control) : null;
  // Whatever a request does to us stays its own trouble: a rejection that nobody takes would end the process.
  const listener: RequestListener = (request, response) => {
    answer(options, debug, request, response).catch(() => {
      if (response.headersSent) response.destroy();
      else send(response, 500, 'text/plain; charset=utf-8', 'this could not be answered\n');
    });
  };
  if (secured !== null && readBearer(secured.tokenFile) === null) {
    throw new UsageError(`auth.tokenFile ${secured.tokenFile} cannot be read or is empty: put one bearer token into it.`);
  }
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
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(options: WebOptions, debug: Debug | null, request: IncomingMessage, response: ServerResponse): Promise<void> {
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
  if (!isAllowed(options, request)) return refuse(response);
  if (debug !== null && isDebugPath(url.pathname)) {
    const why = whyNoDebug(request);
    return why === null ? debug.answer(url, response) : send(response, 403, 'text/plain; charset=utf-8', `${why}\n`);
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

async function control(options: WebOptions, request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
  if (!isAllowed(options, request)) return refuse(response);
  const { code, body, headers = {} } = await answerControl(options.control, request, url);
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  send(response, code, 'application/json', JSON.stringify(body));
}

function refuse(response: ServerResponse): void {
  response.setHeader('WWW-Authenticate', 'Bearer');
  send(response, 401, 'text/plain; charset=utf-8', 'a bearer token is needed here\n');
}

function isAllowed({ secured }: WebOptions, request: IncomingMessage): boolean {
  return secured === null || carriesBearer(request.headers.authorization, readBearer(secured.tokenFile));
}

function send(response: ServerResponse, code: number, contentType: string, text: string): void {
  response.writeHead(code, { 'Content-Type': contentType, 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' });
  response.end(text);
}
