import { readFileSync } from 'node:fs';
import { type IncomingMessage, request as plainRequest, type RequestOptions } from 'node:http';
import { X509Certificate } from 'node:crypto';
import { parseListen, securedBy } from '../config/listen.ts';
import type { Config } from '../config/schema.ts';
import { systemClock } from '../kit/clock.ts';
import { messageOf, UsageError } from '../model/errors.ts';
import { CONTROL_HEADER } from '../web/control.ts';
import type { OptionTable } from './command.ts';

/** Options of the commands that talk to a running mirror. */
export const RUNNING_MIRROR_OPTIONS: OptionTable = {
  config: { type: 'string', value: 'FILE', help: 'The configuration of the mirror: its address, and certificate and token where it needs them.' },
  filter: { type: 'string', value: 'FILE', help: 'The filter.json that belongs to a bcs-k8s-watch.json. Default: the one it names.' },
  listen: { type: 'string', value: 'HOST:PORT', help: 'Where the mirror listens. Default: that of the configuration, else 127.0.0.1:8080.' },
  'token-file': { type: 'string', value: 'FILE', help: 'The bearer token to show, where the mirror wants one. Default: auth.tokenFile of the configuration.' },
};

/** Longer than a mirror with a slow database takes to answer. */
const TIMEOUT_MS = 30_000;

/** Nobody answers where the mirror should listen. */
export class NoMirrorError extends Error {
  override readonly name = 'NoMirrorError';
}

/** What was asked for does not fit what is (409): the message says why. */
export class ConflictError extends Error {
  override readonly name = 'ConflictError';
}

/** Asks the running mirror that a configuration describes, over its own HTTP surface. */
export class MirrorClient {
  readonly url: string;
  readonly #config: Config;
  readonly #signal: AbortSignal;

  /** Throws UsageError when the configuration names no address that could be asked. */
  constructor(config: Config, signal: AbortSignal) {
    this.#config = config;
    this.#signal = signal;
    const address = config.listen === 'off' ? null : parseListen(config.listen);
    if (address === null)
      throw new UsageError('listen is off: such a mirror cannot be asked. Name the address of a mirror that listens with --listen HOST:PORT.');
    if (address.port === 0)
      throw new UsageError(`The port of ${config.listen} is chosen at every start: name the one the mirror logged with --listen HOST:PORT.`);
    // A server that listens on every address is asked on this machine's own.
    const host = ({ '': '127.0.0.1', '0.0.0.0': '127.0.0.1', '::': '::1' } as Readonly<Record<string, string>>)[address.host] ?? address.host;
    this.url = `${securedBy(config) === null ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
  }

  get(path: string): Promise<unknown> {
    return this.#ask('GET', path, null);
  }

  post(path: string, body: object): Promise<unknown> {
    return this.#ask('POST', path, JSON.stringify(body));
  }

  async #ask(method: string, path: string, body: string | null): Promise<unknown> {
    const { code, type, text } = await this.#send(method, path, body);
    const isOurs = type.startsWith('application/json');
    const answer: unknown = isOurs ? JSON.parse(text) : null;
    if (code === 200 && isOurs) return answer;
    const said = typeof answer === 'object' && answer !== null && 'error' in answer ? String(answer.error) : text.trim().slice(0, 200);
    if (code === 409) throw new ConflictError(said);
    if (code === 401) {
      const { tokenFile } = this.#config.auth;
      throw new Error(
        `The mirror at ${this.url} does not take ${tokenFile === null ? 'a request without a token' : `the token of ${tokenFile}`}: give --config the configuration it runs with, whose auth.tokenFile names its token, or --token-file a file with one that it takes`,
      );
    }
    const hint = isOurs || code === 403 || code === 503 ? '' : ': is that a kubefold of this version? Name another address with --listen HOST:PORT';
    throw new Error(`${this.url}${path} was answered with ${code}${said === '' ? '' : ` (${said})`}${hint}`);
  }

  async #send(method: string, path: string, body: string | null): Promise<{ readonly code: number; readonly type: string; readonly text: string }> {
    const { send, options } = await this.#transport();
    const headers = { ...options.headers, [CONTROL_HEADER]: '1', ...(body === null ? {} : { 'Content-Type': 'application/json' }) };
    const late = new AbortController();
    const cancel = systemClock.after(TIMEOUT_MS, () => late.abort());
    const signal = AbortSignal.any([this.#signal, late.signal]);
    const sending = new Promise<{ readonly code: number; readonly type: string; readonly text: string }>((resolve, reject) => {
      const fail = (cause: Error): void => reject(this.#explained(cause));
      send(`${this.url}${path}`, { ...options, method, headers, signal, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => void chunks.push(chunk));
        response.on('error', fail);
        response.on('end', () =>
          resolve({ code: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', text: Buffer.concat(chunks).toString('utf8') }),
        );
      })
        .on('error', fail)
        .end(body ?? undefined);
    });
    return sending.finally(cancel);
  }

  async #transport(): Promise<{
    readonly send: (url: string, options: RequestOptions, answered: (r: IncomingMessage) => void) => ReturnType<typeof plainRequest>;
    readonly options: RequestOptions;
  }> {
    const secured = securedBy(this.#config);
    if (secured === null) return { send: plainRequest, options: {} };
    const { request } = await import('node:https');
    const cert = readOwn('tls.certFile', secured.certFile);
    if (secured.tokenFile === null)
      throw new UsageError(
        'The mirror takes tokens of the cluster (auth.tokenReview): name a file that holds yours with --token-file FILE; kubectl create token ACCOUNT makes one.',
      );
    const token = readOwn('auth.tokenFile', secured.tokenFile).trim();
    const pinned = new X509Certificate(cert).raw;
    const options = {
      headers: { Authorization: `Bearer ${token}` },
      // The certificate of the configuration itself is what is trusted, by whichever name its server is asked.
      ca: cert,
      allowPartialTrustChain: true,
      checkServerIdentity: (_: string, found: { readonly raw: Buffer }) =>
        found.raw.equals(pinned)
          ? undefined
          : new Error(`it shows another certificate than tls.certFile ${secured.certFile}; a mirror that was not restarted since the file changed does`),
    };
    return { send: request, options };
  }

  #explained(cause: Error): Error {
    if (this.#signal.aborted) return new Error('Interrupted: it is not known whether the mirror has done what it was asked');
    const code = 'code' in cause ? String(cause.code) : '';
    const why: Readonly<Record<string, string>> = {
      ECONNREFUSED: 'nobody listens there',
      ENOTFOUND: 'the host name is not known',
      EHOSTUNREACH: 'there is no way to that host',
      ENETUNREACH: 'there is no way to that host',
      ETIMEDOUT: 'it does not answer',
    };
    const reason = cause.name === 'AbortError' ? `there was no answer within ${TIMEOUT_MS / 1000} s` : why[code];
    if (reason !== undefined) return new NoMirrorError(`No mirror answers at ${this.url}: ${reason}`, { cause });
    return new Error(`Cannot ask the mirror at ${this.url}: ${messageOf(cause)}`, { cause });
  }
}

function readOwn(key: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UsageError(`${key} ${path} cannot be read: ${messageOf(cause)}. The mirror needs it, and so does whoever asks it.`);
  }
}
