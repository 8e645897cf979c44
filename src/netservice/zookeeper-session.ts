import zookeeper, { type Client, type ZookeeperError } from 'node-zookeeper-client';
import type { Clock } from '../kit/clock.ts';

/** It holds nothing there that would have to end with it, so it may be long; a server that is silent is noticed by the bound of a request. */
const SESSION_MS = 30_000;
const ANSWER_MS = 10_000;
/** Between two rounds over the servers while no connection can be made. */
const ROUND_MS = 500;
/** How long the end of a session is waited for. */
const END_MS = 500;

export interface SessionOptions {
  /** `host:port`. */
  readonly servers: readonly string[];
  /** `user:password`; a secret. Null: none. */
  readonly auth: Buffer | null;
  readonly clock: Clock;
  /** Something that was read has changed since, or the session is over: read again. */
  readonly onChange: () => void;
}

/** What a node holds, or why it cannot be told. */
export type Found<T> = { readonly value: T } | { readonly missing: 'no node' | 'no right' };

/**
 * One session with a ZooKeeper, for reading. It ends with its connection, and another is opened: the package goes on over a second connection with what was
 * left of an answer of the first.
 */
export class ZookeeperSession {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #lost = Promise.withResolvers<never>();
  #error: Error | null = null;

  private constructor({ servers, auth, clock, onChange }: SessionOptions) {
    this.#clock = clock;
    this.#onChange = onChange;
    this.#client = zookeeper.createClient(servers.join(','), { sessionTimeout: SESSION_MS, spinDelay: ROUND_MS });
    if (auth !== null) this.#client.addAuthInfo('digest', auth);
    this.#lost.promise.catch(() => {});
    this.#client.on('disconnected', () => this.#lose('the connection was cut'));
    this.#client.on('expired', () => this.#lose('the session has expired'));
    this.#client.on('authenticationFailed', () => this.#lose('it refuses the user in netservice.zookeeperAuthFile'));
    this.#guard();
  }

  /** Rejects, with a phrase after the addresses of the servers, when none can be used, or `signal` aborts. */
  static async open(options: SessionOptions, signal: AbortSignal): Promise<ZookeeperSession> {
    const session = new ZookeeperSession(options);
    let reason: string | null = null;
    const { connectionManager } = session.#client;
    const onSocketError = connectionManager.onSocketError.bind(connectionManager);
    connectionManager.onSocketError = (error) => {
      reason = error.code ?? error.message;
      onSocketError(error);
    };
    try {
      await session.#inTime<void>(signal, (resolve) => {
        session.#client.once('connected', () => resolve());
        session.#client.connect();
      });
      return session;
    } catch (cause) {
      session.close();
      throw reason === null ? cause : new Error(`cannot be reached (${reason})`, { cause });
    }
  }

  /** Why the session is over; null while it is not. */
  get error(): Error | null {
    return this.#error;
  }

  /** The names of the children. Rejects when the session is over. */
  async children(path: string, signal: AbortSignal): Promise<Found<readonly string[]>> {
    return await this.#ask<readonly string[]>(signal, (done) => this.#client.getChildren(path, this.#onChange, done));
  }

  /** Rejects when the session is over. */
  async data(path: string, signal: AbortSignal): Promise<Found<Buffer>> {
    return await this.#ask<Buffer>(signal, (done) => this.#client.getData(path, this.#onChange, done));
  }

  close(): void {
    this.#error ??= new Error('the session was ended');
    const { connectionManager } = this.#client;
    this.#client.close();
    this.#clock.after(END_MS, () => connectionManager.socket?.destroy());
  }

  async #ask<T>(signal: AbortSignal, ask: (done: (error: ZookeeperError | null, value?: T) => void) => void): Promise<Found<T>> {
    return await this.#inTime<Found<T>>(signal, (resolve, reject) =>
      ask((error, value) => {
        if (error?.code === zookeeper.Exception.NO_NODE) resolve({ missing: 'no node' });
        else if (error?.code === zookeeper.Exception.NO_AUTH) resolve({ missing: 'no right' });
        else if (error !== null || value === undefined) reject(this.#error ?? new Error(`answered ${error?.message ?? 'nothing'}`));
        else resolve({ value });
      }),
    );
  }

  /** Rejects also when there is no answer in time: a server that hangs keeps its connection. */
  async #inTime<T>(signal: AbortSignal, begin: (resolve: (value: T | PromiseLike<T>) => void, reject: (error: Error) => void) => void): Promise<T> {
    if (this.#error !== null) throw this.#error;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const giveUp = (): void => reject(new Error('is not asked any more'));
    const cancel = this.#clock.after(ANSWER_MS, () => this.#lose(`did not answer within ${ANSWER_MS / 1000} s`));
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      if (signal.aborted) giveUp();
      else begin(resolve, reject);
      return await Promise.race([promise, this.#lost.promise]);
    } finally {
      cancel();
      signal.removeEventListener('abort', giveUp);
    }
  }

  #lose(phrase: string): void {
    if (this.#error !== null) return;
    this.#error = new Error(phrase);
    this.#lost.reject(this.#error);
    this.#onChange();
  }

  /** The package throws, out of anybody's reach, when bytes are no answer of a ZooKeeper. */
  #guard(): void {
    const { connectionManager } = this.#client;
    const read = connectionManager.onSocketData.bind(connectionManager);
    connectionManager.onSocketData = (data) => {
      try {
        read(data);
      } catch {
        this.#lose('does not speak as a ZooKeeper does: is netservice.zookeeper right?');
        connectionManager.socket?.destroy();
      }
    };
  }
}
