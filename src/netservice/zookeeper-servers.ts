import { Alarm } from '../kit/alarm.ts';
import { backoffDelay } from '../kit/backoff.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import type { Random } from '../kit/random.ts';
import { messageOf } from '../model/errors.ts';
import { REGISTERED_UNDER, registeredEndpoint, registrations } from './registered.ts';
import type { ServerList } from './server-list.ts';
import { ZookeeperSession } from './zookeeper-session.ts';

/** Changes are told by watches; this is for those that are not. */
const READ_EVERY_MS = 60_000;
/** As often as the old program looked while nobody was registered. */
const READ_AGAIN_MS = 5_000;
/** Servers come and go together. */
const SETTLE_MS = 50;
/** For the first servers. */
const FIRST_WAIT_MS = 15_000;
const BACKOFF = { baseMs: 1_000, capMs: 30_000, jitter: 1 };
/** From so many failures in a row on, they are errors. */
const LOUD_AFTER = 3;

export interface ZookeeperServersOptions {
  /** `host:port`, at least one. */
  readonly zookeepers: readonly string[];
  /** `user:password`, for nodes that not everybody may read; a secret. */
  readonly auth: Buffer | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/**
 * The NetServices that are registered in a ZooKeeper just now. While it cannot be asked, or says that there is none, those known before stay: they may well be
 * there, and are asked before they are believed.
 */
export class ZookeeperServers implements ServerList {
  readonly #options: ZookeeperServersOptions;
  readonly #alarm: Alarm;
  #endpoints: readonly string[] = [];
  readonly #first = Promise.withResolvers<void>();
  /** A sentence; null while servers are known as of now. */
  #problem: string | null = 'the ZooKeeper has not answered yet';
  /** What was logged last, so that it is told once. */
  #told: string | null = null;

  constructor(options: ZookeeperServersOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.clock);
  }

  async endpoints(signal: AbortSignal): Promise<readonly string[]> {
    if (this.#endpoints.length === 0) {
      const waiting = new AbortController();
      await Promise.race([this.#first.promise, this.#options.clock.sleep(FIRST_WAIT_MS, AbortSignal.any([signal, waiting.signal]))]);
      waiting.abort();
    }
    if (this.#endpoints.length === 0) throw new Error(`no NetService is known: ${this.#problem}`);
    return this.#endpoints;
  }

  async follow(signal: AbortSignal, onFound: () => void): Promise<void> {
    const { clock, random, log, zookeepers } = this.#options;
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.#session(signal, onFound, () => {
          failures = 0;
        });
      } catch (cause) {
        if (signal.aborted) return;
        this.#problem = `the ZooKeeper at ${zookeepers.join(', ')} ${messageOf(cause)}`;
        const fields = { error: this.#problem, known: this.#endpoints, failures: ++failures };
        log[failures < LOUD_AFTER ? 'warn' : 'error']('NetServices cannot be looked up just now: those known before are asked', fields);
        await clock.sleep(backoffDelay(BACKOFF, failures - 1, random), signal);
      }
    }
  }

  /** Reads and follows over one session. Rejects when it is over. */
  async #session(signal: AbortSignal, onFound: () => void, onRead: () => void): Promise<void> {
    const { zookeepers, auth, clock } = this.#options;
    const session = await ZookeeperSession.open({ servers: zookeepers, auth, clock, onChange: () => this.#alarm.set(SETTLE_MS) }, signal);
    try {
      while (!signal.aborted) {
        const problem = await this.#read(session, signal, onFound);
        onRead();
        this.#tell(problem);
        await this.#alarm.wait(problem === null ? READ_EVERY_MS : READ_AGAIN_MS, signal);
        if (session.error !== null) throw session.error;
      }
    } finally {
      session.close();
    }
  }

  /** Takes what is registered; returns what keeps it from being told, as a sentence. */
  async #read(session: ZookeeperSession, signal: AbortSignal, onFound: () => void): Promise<string | null> {
    const children = await session.children(REGISTERED_UNDER, signal);
    if ('missing' in children)
      return children.missing === 'no node'
        ? `nobody has ever registered: there is no node ${REGISTERED_UNDER}`
        : `${REGISTERED_UNDER} may not be read: name a file with user:password in netservice.zookeeperAuthFile`;
    const names = registrations(children.value);
    const found = new Set<string>();
    const problems: string[] = [];
    for (const name of names) {
      const data = await session.data(`${REGISTERED_UNDER}/${name}`, signal);
      if ('missing' in data) {
        // Gone since: a watch tells.
        if (data.missing === 'no right') problems.push(`${name} may not be read: name a file with user:password in netservice.zookeeperAuthFile`);
        continue;
      }
      const server = registeredEndpoint(data.value);
      if ('endpoint' in server) found.add(server.endpoint);
      else problems.push(`${name} ${server.problem}`);
    }
    if (found.size > 0) this.#take([...found], onFound);
    if (problems.length > 0) return `of ${names.length} registered under ${REGISTERED_UNDER} some are left out: ${problems.join('; ')}`;
    return found.size > 0 ? null : `nobody is registered under ${REGISTERED_UNDER}`;
  }

  #take(endpoints: readonly string[], onFound: () => void): void {
    const before = this.#endpoints;
    if (endpoints.join() === before.join()) return;
    this.#endpoints = endpoints;
    this.#first.resolve();
    this.#options.log.info('NetServices found in ZooKeeper', { endpoints, before });
    if (endpoints.some((endpoint) => !before.includes(endpoint))) onFound();
  }

  #tell(problem: string | null): void {
    this.#problem = problem;
    if (problem !== null && problem !== this.#told) this.#options.log.warn('not every NetService is known', { reason: problem, known: this.#endpoints });
    this.#told = problem;
  }
}
