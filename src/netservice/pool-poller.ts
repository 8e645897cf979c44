import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import type { Random } from '../kit/random.ts';
import { messageOf } from '../model/errors.ts';
import type { PoolStatus } from '../model/status.ts';
import { Alarm } from '../kit/alarm.ts';
import { POOL_QUERIES, type PoolQuery, poolPath, readAnswer } from './answer.ts';
import { PoolServer, type ServerTls } from './pool-server.ts';
import type { ServerList } from './server-list.ts';

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
  readonly servers: ServerList;
  /** As the NetService calls the cluster. */
  readonly cluster: string;
  readonly documents: PoolDocuments;
  readonly tls: ServerTls;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

type Polled = { readonly alarm: Alarm; stored: number; failed: number; failures: number; storedAt: number | null; error: string | null };

/**
 * Copies the IP pools that a NetService keeps for the cluster into two documents, each by itself. Only an answer that is what was asked for is written: after
 * any other the document stays as it was, until the next poll.
 */
export class PoolPoller {
  readonly #options: PoolPollerOptions;
  /** By address. */
  readonly #servers = new Map<string, PoolServer>();
  readonly #polled: ReadonlyMap<PoolQuery, Polled>;

  constructor(options: PoolPollerOptions) {
    this.#options = options;
    this.#polled = new Map(
      POOL_QUERIES.map((query) => [query, { alarm: new Alarm(options.clock), stored: 0, failed: 0, failures: 0, storedAt: null, error: null }]),
    );
  }

  /** How each document does. */
  status(): readonly PoolStatus[] {
    return [...this.#polled].map(([{ document }, { alarm: _alarm, ...polled }]) => ({ document, ...polled }));
  }

  /** Polls until `signal` aborts; what is being asked then is cut. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const following = this.#options.servers.follow(signal, () => this.#askAgain());
    await Promise.all([...this.#polled].map(([query, polled]) => this.#follow(query, polled, signal)));
    await following;
    await Promise.all([...this.#servers.values()].map((server) => server.close()));
  }

  /** There are servers that were not there: what could not be had from others is asked of them. */
  #askAgain(): void {
    for (const { failures, alarm } of this.#polled.values()) if (failures > 0) alarm.set(0);
  }

  async #follow(query: PoolQuery, polled: Polled, signal: AbortSignal): Promise<void> {
    const { clock, log, documents, cluster } = this.#options;
    const { document } = query;
    while (!signal.aborted) {
      const since = clock.now();
      try {
        const data = await this.#ask(query, signal);
        signal.throwIfAborted();
        await documents.put(document, `${document}-${cluster}`, data);
        if (polled.failures > 0) log.info('the IP pools are stored again', { document, failures: polled.failures });
        polled.stored++;
        polled.storedAt = clock.wall();
        polled.failures = 0;
        polled.error = null;
      } catch (cause) {
        if (signal.aborted) return;
        polled.failed++;
        polled.failures++;
        polled.error = messageOf(cause);
        const fields = { document, error: polled.error, failures: polled.failures };
        log[polled.failures < LOUD_AFTER ? 'warn' : 'error']('the IP pools could not be stored: their document stays as it is until the next poll', fields);
      }
      await polled.alarm.wait(Math.max(0, POLL_EVERY_MS - (clock.now() - since)), signal);
    }
  }

  #serverAt(endpoint: string): PoolServer {
    let server = this.#servers.get(endpoint);
    if (server === undefined) {
      server = new PoolServer({ ...this.#options, endpoint });
      this.#servers.set(endpoint, server);
    }
    return server;
  }

  /** Asks servers from a random one on. The next one is for when one gives no answer, or is busy: an answer, right or wrong, is the answer. */
  async #ask(query: PoolQuery, signal: AbortSignal): Promise<Buffer> {
    const endpoints = await this.#options.servers.endpoints(signal);
    for (const [endpoint, server] of this.#servers) {
      if (endpoints.includes(endpoint)) continue;
      this.#servers.delete(endpoint);
      void server.retire();
    }
    const first = Math.floor(this.#options.random.next() * endpoints.length);
    const inTurn = [...endpoints.slice(first), ...endpoints.slice(0, first)].map((endpoint) => this.#serverAt(endpoint));
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
