import { hostname } from 'node:os';
import { resolve as resolvePath } from 'node:path';
import type { Clock } from '../../kit/clock.ts';
import type { Logger } from '../../kit/log.ts';
import { silentLogger } from '../../kit/log.ts';
import { messageOf, StorageError } from '../../model/errors.ts';
import type { ObjectKey } from '../../model/key.ts';
import type { KindId, Scope } from '../../model/kind.ts';
import { splitKindId } from '../../model/kind.ts';
import type { Outcome } from '../../model/outcome.ts';
import type { IndexRow, ParkedRow, ScopeRecord, Storage, Write, Writer } from '../storage.ts';
import { bodyBytes, packBatch } from './batch.ts';
import type { Unpark } from './batch.ts';
import { DEFAULT_HISTORY } from './change-log.ts';
import type { HistoryBounds } from './change-log.ts';
import { checkWritable } from './database-file.ts';
import { GroupCommit } from './group-commit.ts';
import { allRetry, settleCalls } from './settle.ts';
import type { WriteCall } from './settle.ts';
import { SlabPool } from './slab-pool.ts';
import { SqliteReader } from './sqlite-reader.ts';
import { startWorker, WriterLink } from './writer-link.ts';
import type { DoneMessage, StartWorker } from './writer-link.ts';
import { DEFAULT_WAL_BYTES } from './wal-cap.ts';
import { joinElectedWriters, takeWriterLock } from './writer-lock.ts';
import type { WriterLock } from './writer-lock.ts';

export interface SqliteStorageOptions {
  /** The database file; made when it is missing, its folder is not. */
  readonly path: string;
  /** The name under which this cluster's rows are stored. */
  readonly cluster: string;
  readonly clock: Clock;
  readonly log?: Logger | undefined;
  /** The shortest time from one small transaction to the next, in milliseconds; default LINGER_MS, 0 commits at the end of every turn. */
  readonly lingerMs?: number | undefined;
  /** How much of the change log is kept. Default 24 h and 1 GiB. */
  readonly history?: HistoryBounds | undefined;
  /** The most that the write-ahead log may take, in bytes. Default DEFAULT_WAL_BYTES. */
  readonly walBytes?: number | undefined;
  /** For tests: the longest value that SQLite takes. */
  readonly lengthLimit?: number | undefined;
  /** For tests: starts the writer's thread. */
  readonly startWorker?: StartWorker | undefined;
}

/**
 * 1,000 single-row writes of 4 KB a second, the driving loop included, 0 / 2 / 5 / 10 / 20 ms: CPU 152 / 131 / 89 / 70 / 62 µs a row, p99 until durable
 * 4 / 8 / 7 / 12 / 21 ms. Waking two threads costs more than the row, so waiting halves the cost; beyond 10 ms it only waits.
 * A write that comes after a quiet time does not wait at all: what counts is how often the thread is woken, not how long each write was held.
 */
export const LINGER_MS = 10;
/** A thread that could not be started again is tried anew after so long, by the next write. */
const REOPEN_AFTER_MS = 1_000;

/** The default engine: one SQLite file, written by a thread of its own, readable beside it by anything that speaks SQLite. */
export function createSqliteStorage(options: SqliteStorageOptions): Storage {
  return new SqliteStorage(options);
}

/**
 * - `new`: not opened. `open`: transactions are sent. `lost`: the thread ended and is being started again, calls wait.
 * - `broken`: it could not be started again, calls are a `retry` at once until the next attempt. `closing`, `closed`.
 */
type State = 'new' | 'open' | 'lost' | 'broken' | 'closing' | 'closed';

class SqliteStorage implements Storage {
  readonly name = 'sqlite';
  readonly cannot = {};
  /** Transactions of more rows are no faster, only later (design.md section 4). */
  readonly batchLimit = 100;

  readonly #options: SqliteStorageOptions;
  readonly #path: string;
  readonly #log: Logger;
  readonly #lingerMs: number;
  readonly #group = new GroupCommit<WriteCall>();
  readonly #slabs = new SlabPool();
  /** Transactions in the thread, by id, oldest first. */
  readonly #inFlight = new Map<number, readonly WriteCall[]>();
  readonly #reader: SqliteReader;
  #link: WriterLink | undefined;
  #lock: WriterLock | undefined;
  /** Null when nobody elects. */
  #writer: Writer | null = null;
  #state: State = 'new';
  #lastId = 0;
  #cancelLinger: (() => void) | undefined;
  #onIdle: (() => void) | undefined;
  /** Why the last transaction failed; null when it did not. Logged only when that changes. */
  #failure: string | null = null;
  #brokenAt = 0;
  /** When the last transaction was sent, by the monotonic clock. */
  #sentAt = Number.NEGATIVE_INFINITY;

  constructor(options: SqliteStorageOptions) {
    const { lingerMs = LINGER_MS } = options;
    if (!(lingerMs >= 0)) throw new RangeError(`Cannot create the SQLite storage: "lingerMs" must be a number >= 0, current value is ${lingerMs}`);
    this.#options = options;
    this.#path = resolvePath(options.path);
    this.#log = (options.log ?? silentLogger).child({ component: 'sqlite' });
    this.#lingerMs = lingerMs;
    this.#reader = new SqliteReader(this.#path);
  }

  async open(writer?: Writer): Promise<void> {
    if (this.#state !== 'new') throw new Error(`Cannot open the database "${this.#path}": it was opened before (it is ${this.#state})`);
    checkWritable(this.#path);
    this.#writer = writer ?? null;
    this.#lock =
      writer === undefined
        ? takeWriterLock(this.#path, { host: hostname(), pid: process.pid, since: this.#options.clock.wall() })
        : joinElectedWriters(this.#path);
    try {
      await this.#startThread();
    } catch (cause) {
      this.#lock.release();
      throw cause;
    }
    this.#state = 'open';
  }

  write(writes: readonly Write[], scopes: readonly ScopeRecord[]): Promise<readonly Outcome[]> {
    return this.#commit(writes, scopes);
  }

  parked(): Promise<readonly ParkedRow[]> {
    return this.#reader.parked(this.#options.cluster);
  }

  async unpark(kind: KindId, key: ObjectKey): Promise<void> {
    const [outcome] = await this.#commit([{ type: 'unpark', kind: { ...splitKindId(kind), version: '', kind: '' }, key }], []);
    if (outcome?.kind === 'retry') throw new StorageError(outcome.error, { retryable: true });
  }

  #commit(writes: readonly (Write | Unpark)[], scopes: readonly ScopeRecord[]): Promise<readonly Outcome[]> {
    if (this.#state === 'new' || this.#state === 'closed' || this.#state === 'closing') {
      return Promise.reject(new Error(`Cannot write to the database "${this.#path}": it is ${this.#state}`));
    }
    if (writes.length === 0 && scopes.length === 0) return Promise.resolve([]);
    if (this.#state === 'broken') {
      if (this.#options.clock.now() - this.#brokenAt < REOPEN_AFTER_MS) return Promise.resolve(allRetry(writes, this.#failure ?? ''));
      void this.#reopen();
    }
    return new Promise((settle, refuse) => {
      this.#group.add({ writes, scopes, rows: writes.length, bytes: bodyBytes(writes), settle, refuse });
      this.#send();
      if (this.#group.waiting > 0 && this.#cancelLinger === undefined) this.#linger();
    });
  }

  async *index(kind: KindId, scope: Scope): AsyncGenerator<readonly IndexRow[], void, undefined> {
    for (const page of this.#reader.indexPages({ cluster: this.#options.cluster, kind, scope })) {
      if (page.length > 0) yield page;
      // Reading is synchronous: sockets and timers get their turn between pages.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  kinds(): Promise<readonly KindId[]> {
    return this.#reader.kinds(this.#options.cluster);
  }

  scopes(): Promise<readonly ScopeRecord[]> {
    return this.#reader.scopes(this.#options.cluster);
  }

  async close(): Promise<void> {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    const wasOpen = this.#state === 'open';
    this.#state = wasOpen ? 'closing' : 'closed';
    if (!wasOpen) this.#giveUp('the database is being closed');
    this.#group.lingerEnded();
    this.#send();
    if (!this.#group.isIdle) await new Promise<void>((resolve) => (this.#onIdle = resolve));
    this.#cancelLinger?.();
    // The reader first: only the last connection of all can take the log away.
    await this.#reader.close();
    await this.#link?.close();
    this.#lock?.release();
    this.#state = 'closed';
  }

  #linger(): void {
    const end = (): void => {
      this.#cancelLinger = undefined;
      this.#group.lingerEnded();
      this.#send();
    };
    const waitMs = this.#sentAt + this.#lingerMs - this.#options.clock.now();
    if (waitMs > 0) {
      this.#cancelLinger = this.#options.clock.after(waitMs, end);
      return;
    }
    this.#cancelLinger = () => {};
    queueMicrotask(end);
  }

  #send(): void {
    if (this.#state !== 'open' && this.#state !== 'closing') return;
    for (let calls = this.#group.next(); calls !== null; calls = this.#group.next()) {
      let rows = 0;
      let bytes = 0;
      for (const call of calls) {
        rows += call.rows;
        bytes += call.bytes;
      }
      const id = ++this.#lastId;
      this.#sentAt = this.#options.clock.now();
      this.#inFlight.set(id, calls);
      this.#link?.post(packBatch(calls, { ...this.#slabs.take(rows, bytes), id, wallMs: this.#options.clock.wall() }));
    }
    if (this.#group.waiting === 0) {
      this.#cancelLinger?.();
      this.#cancelLinger = undefined;
    }
  }

  #done(message: DoneMessage): void {
    const calls = this.#inFlight.get(message.id) ?? [];
    this.#inFlight.delete(message.id);
    this.#group.finished();
    this.#noteFailure(message.failure);
    settleCalls(calls, message);
    this.#slabs.give(message);
    this.#send();
    if (this.#group.isIdle) this.#onIdle?.();
  }

  #noteFailure(failure: string | null): void {
    if (failure !== null && this.#failure === null) this.#log.warn('database takes no writes for now', { error: failure });
    if (failure === null && this.#failure !== null) this.#log.info('database takes writes again');
    this.#failure = failure;
  }

  async #startThread(): Promise<void> {
    const { clock, cluster, history = DEFAULT_HISTORY, walBytes = DEFAULT_WAL_BYTES, lengthLimit } = this.#options;
    const link = new WriterLink({
      start: this.#options.startWorker ?? startWorker,
      onDone: (message) => this.#done(message),
      onLost: (error) => this.#lost(error),
    });
    const { epoch, holder, shard = { index: 0, count: 1 } } = this.#writer ?? { epoch: null, holder: `${hostname()}:${process.pid}` };
    await link.open({ path: this.#path, cluster, epoch, holder, shard, wallMs: clock.wall(), history, walBytes, lengthLimit });
    this.#link = link;
  }

  /** What was in flight may or may not be committed; written again, it is `unchanged`. */
  #lost(error: string): void {
    this.#noteFailure(error);
    for (const calls of this.#inFlight.values()) {
      this.#group.finished();
      for (const call of calls) call.settle(allRetry(call.writes, error));
    }
    this.#inFlight.clear();
    if (this.#state === 'closing') {
      this.#giveUp(error);
      this.#onIdle?.();
      return;
    }
    void this.#reopen();
  }

  /** Never rejects. */
  async #reopen(): Promise<void> {
    this.#state = 'lost';
    try {
      await this.#startThread();
      // close() may have been called meanwhile.
      if (this.#state === 'lost') this.#state = 'open';
      else await this.#link?.close();
      this.#send();
    } catch (cause) {
      this.#failure = messageOf(cause);
      this.#brokenAt = this.#options.clock.now();
      if (this.#state === 'lost') this.#state = 'broken';
      this.#log.error('database cannot be opened again, will be tried at the next write', { error: this.#failure });
      this.#giveUp(this.#failure);
    }
  }

  #giveUp(error: string): void {
    for (const call of this.#group.drop()) call.settle(allRetry(call.writes, error));
  }
}
