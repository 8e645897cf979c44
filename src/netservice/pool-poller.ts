import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import type { Random } from '../kit/random.ts';
import { messageOf } from '../model/errors.ts';
import { POOL_QUERIES, type PoolQuery, poolPath, readAnswer } from './answer.ts';
import { PoolServer, type ServerTls } from './pool-server.ts';

/** From the begin of one poll to the begin of the next; one that takes longer is followed by the next at once. */
const POLL_EVERY_MS = 60_000;
/** After HTTP 400 and 500, with which a NetService answers while it is busy. */
const RETRIES = 2;
const RETRY_AFTER_MS = 1_000;
/** From so many failures in a row on, they are errors. */
const LOUD_AFTER = 3;

/** Where the documents go. */
export interface PoolDocuments {
  /** Makes a cluster-scoped document hold `data`, which is JSON. Throws StorageError. */
  put(type: string, name: string, data: Buffer): Promise<void>;
}

export interface PoolPollerOptions {
  /** `http://host:port` or `https://host:port`, at least one. */
  readonly endpoints: readonly string[];
  /** As the NetService calls the cluster. */
  readonly cluster: string;
  readonly documents: PoolDocuments;
  readonly tls: ServerTls;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/**
 * Copies the IP pools that a NetService keeps for the cluster into two documents, each by itself. Only an answer that is what was asked for is written: after
 * any other the document stays as it was, until the next poll.
 */
export class PoolPoller {
  readonly #options: PoolPollerOptions;
  readonly #servers: readonly PoolServer[];

  constructor(options: PoolPollerOptions) {
    this.#options = options;
    this.#servers = options.endpoints.map((endpoint) => new PoolServer({ ...options, endpoint }));
  }

  /** Polls until `signal` aborts; what is being asked then is cut. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(POOL_QUERIES.map((query) => this.#follow(query, signal)));
    await Promise.all(this.#servers.map((server) => server.close()));
  }

  async #follow(query: PoolQuery, signal: AbortSignal): Promise<void> {
    const { clock, log, documents, cluster } = this.#options;
    const { document } = query;
    for (let failures = 0; !signal.aborted; ) {
      const since = clock.now();
      try {
        const data = await this.#ask(query, signal);
        signal.throwIfAborted();
        await documents.put(document, `${document}-${cluster}`, data);
        if (failures > 0) log.info('the IP pools are stored again', { document, failures });
        failures = 0;
      } catch (cause) {
        if (signal.aborted) return;
        failures++;
        const fields = { document, error: messageOf(cause), failures };
        log[failures < LOUD_AFTER ? 'warn' : 'error']('the IP pools could not be stored: their document stays as it is until the next poll', fields);
      }
      await clock.sleep(Math.max(0, POLL_EVERY_MS - (clock.now() - since)), signal);
    }
  }

  /** Asks servers from a random one on. The next one is for when one gives no answer, or is busy: an answer, right or wrong, is the answer. */
  async #ask(query: PoolQuery, signal: AbortSignal): Promise<Buffer> {
    const first = Math.floor(this.#options.random.next() * this.#servers.length);
    const inTurn = [...this.#servers.slice(first), ...this.#servers.slice(0, first)];
    const problems: string[] = [];
    for (const server of inTurn) {
      const answer = await this.#askOne(server, query, signal).catch((cause: unknown) => ({ busy: messageOf(cause) }));
      signal.throwIfAborted();
      if ('data' in answer) return answer.data;
      if ('problem' in answer) throw new Error(`the NetService at ${server.endpoint} ${answer.problem}`);
      problems.push(`the NetService at ${server.endpoint} ${answer.busy}`);
    }
    throw new Error(problems.join('; '));
  }

  /** Rejects when there is no answer. */
  async #askOne(server: PoolServer, query: PoolQuery, signal: AbortSignal): Promise<ReturnType<typeof readAnswer> | { readonly busy: string }> {
    const { clock, cluster } = this.#options;
    for (let retries = 0; ; retries++) {
      const { status, body } = await server.get(poolPath(cluster, query), signal);
      if (status !== 400 && status !== 500) return readAnswer(query, status, body);
      if (retries === RETRIES) return { busy: `answered HTTP ${status}, ${RETRIES + 1} times` };
      await clock.sleep(RETRY_AFTER_MS, signal);
      signal.throwIfAborted();
    }
  }
}
