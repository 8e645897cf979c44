import type { Dispatcher } from 'undici';
import Pool from 'undici/lib/dispatcher/pool.js';
import type { Clock } from '../kit/clock.ts';
import { messageOf } from '../model/errors.ts';
import { VERSION } from '../model/version.ts';

const TIMEOUT_MS = 20_000;
/** More than a document of the storage service may have. */
const MOST_BYTES = 16 * 2 ** 20;
/** Far less than the time between two polls: servers close idle connections, and no request is to meet a closing one. */
const IDLE_CONNECTION_MS = 4_000;

/** PEM; for https alone. Without `ca` the system's are trusted. */
export interface ServerTls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** One NetService, which is only ever read. */
export class PoolServer {
  /** `http://host:port`. */
  readonly endpoint: string;
  readonly #clock: Clock;
  readonly #pool: Dispatcher;
  readonly #headers: Readonly<Record<string, string>>;

  constructor({ endpoint, cluster, tls, clock }: { readonly endpoint: string; readonly cluster: string; readonly tls: ServerTls; readonly clock: Clock }) {
    this.endpoint = new URL(endpoint).origin;
    this.#clock = clock;
    const connect = { ...tls, timeout: TIMEOUT_MS };
    this.#pool = new Pool(this.endpoint, { connections: 2, allowH2: false, keepAliveTimeout: IDLE_CONNECTION_MS, headersTimeout: 0, bodyTimeout: 0, connect });
    this.#headers = { accept: 'application/json', 'BCS-ClusterID': cluster, 'user-agent': `kubefold/${VERSION}` };
  }

  /** A whole answer, whatever its status. Rejects, with a phrase after the address of the server, when there is none in time, or `signal` aborts. */
  get(path: string, signal: AbortSignal): Promise<{ readonly status: number; readonly body: Buffer }> {
    return new Promise((resolve, reject) => {
      let controller: Dispatcher.DispatchController | null = null;
      let isOver = false;
      const end = (): boolean => {
        if (isOver) return false;
        isOver = true;
        cancel();
        signal.removeEventListener('abort', giveUp);
        return true;
      };
      const fail = (phrase: string): void => {
        if (!end()) return;
        reject(new Error(phrase));
        controller?.abort(new Error('given up'));
      };
      const giveUp = (): void => fail('is not asked any more');
      const cancel = this.#clock.after(TIMEOUT_MS, () => fail(`did not answer within ${TIMEOUT_MS / 1000} s`));
      signal.addEventListener('abort', giveUp, { once: true });
      const chunks: Buffer[] = [];
      let bytes = 0;
      let status = 0;
      const handler: Dispatcher.DispatchHandler = {
        onRequestStart(started) {
          if (isOver) started.abort(new Error('given up'));
          else controller = started;
        },
        onResponseStart(_controller, code) {
          if (code >= 200) status = code;
        },
        onResponseData(_controller, chunk) {
          bytes += chunk.length;
          if (bytes > MOST_BYTES) fail(`answered more than ${MOST_BYTES} bytes`);
          else chunks.push(chunk);
        },
        onResponseEnd() {
          if (end()) resolve({ status, body: Buffer.concat(chunks) });
        },
        onResponseError: (_controller, error) => fail(`cannot be asked: ${messageOf(error)}; is this the address of a NetService?`),
      };
      if (signal.aborted) giveUp();
      else this.#pool.dispatch({ path, method: 'GET', headers: this.#headers }, handler);
    });
  }

  /** Nobody asks it any more; what is under way may end. */
  async retire(): Promise<void> {
    await this.#pool.close().catch(() => {});
  }

  /** Cuts what is under way. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}
