import { EpochError, StorageError } from '../model/errors.ts';
import type { ObjectKey } from '../model/key.ts';
import { type KindId, kindId, type Scope } from '../model/kind.ts';
import type { Outcome } from '../model/outcome.ts';
import { createMemoryStorage, MemoryShelf } from '../storage/memory/memory-storage.ts';
import type { IndexRow, ScopeRecord, Storage, StorageReader, Write, Writer } from '../storage/storage.ts';
import type { VirtualClock } from './clock.ts';
import type { Draw } from './draw.ts';
import type { Ledger } from './ledger.ts';
import { WIDGETS } from './kinds.ts';
import { type Life, never } from './life.ts';
import type { Told } from './told.ts';
import type { Trace } from './trace.ts';
import type { StorageFault, Weather } from './weather.ts';

export const CLUSTER_NAME = 'simulated';
/** Bytes that no engine takes: so a poisoned object is refused, and recorded as such, by the engine itself. */
const NO_JSON = Buffer.from('{');
/** Longest time after which a write that timed out still commits. */
const LATEST_MS = 60_000;

interface Batch {
  readonly writes: readonly Write[];
  readonly scopes: readonly ScopeRecord[];
  /** When it was handed in. */
  readonly atMs: number;
}

export interface DatabaseParts {
  readonly clock: VirtualClock;
  readonly draw: Draw;
  readonly weather: Weather<StorageFault>;
  readonly ledger: Ledger;
  readonly trace: Trace;
  /** The most writes in a batch. */
  readonly batchLimit: number;
}

/** What outlives every process: the rows and guards of the memory engine, behind a connection that loses, delays and doubts. */
export class Database {
  readonly parts: DatabaseParts;
  /** For whoever looks on: it is never opened, and writes nothing. */
  readonly engine: Storage & StorageReader;
  readonly #shelf = new MemoryShelf();
  readonly #connections = new Set<Connection>();

  constructor(parts: DatabaseParts) {
    this.parts = parts;
    this.engine = this.createEngine();
  }

  /** What one process writes with: of several over these rows the newest epoch writes. */
  createEngine(): Storage & StorageReader {
    return createMemoryStorage({ cluster: CLUSTER_NAME, now: () => this.parts.clock.wallMs, shelf: this.#shelf });
  }

  connect(life: Life, told: Told): Connection {
    const connection = new Connection(this, life, told);
    this.#connections.add(connection);
    return connection;
  }

  /** What is late is decided before the history changes: no guard of an engine could order it afterwards. */
  historyChanged(): void {
    for (const connection of this.#connections) connection.decideLate();
  }

  closed(connection: Connection): void {
    this.#connections.delete(connection);
  }

  /** One transaction, held against every invariant. The engine does its work during the call. Null when a newer writer has taken the place of this one: nothing has happened then. */
  async commit(engine: Storage, { writes, scopes, atMs }: Batch): Promise<readonly Outcome[] | null> {
    const { ledger, trace } = this.parts;
    const prepared = writes.map((write) => (write.type === 'put' && ledger.isPoison(write) ? { ...write, body: NO_JSON, isChecked: false } : write));
    const outcomes = await engine.write(prepared, scopes).catch(refusedByEpoch);
    trace.note('epoch', Number(outcomes === null), writes.length);
    if (outcomes === null) return null;
    if (outcomes.length !== writes.length) ledger.fail(`8: storage settled ${outcomes.length} of ${writes.length} writes`);
    for (const [index, write] of writes.entries()) {
      const outcome = outcomes[index] ?? { kind: 'retry', error: 'not settled' };
      const { key, revision } = write.type === 'put' ? write.meta : write;
      trace.note(write.type, Number(revision ?? 0), outcome.kind.length, () => `${kindId(write.kind)} ${key}@${revision ?? 'none'} ${outcome.kind}`);
      ledger.committed(write, outcome);
    }
    for (const record of scopes) {
      trace.note('record', Number(record.watermark ?? 0), Number(record.complete), () => shown(record));
      ledger.recorded(record, atMs);
    }
    return outcomes;
  }
}

/** The storage as one process has it. */
export class Connection implements Storage {
  readonly name = 'simulated';
  readonly cannot = {};
  readonly batchLimit: number;
  readonly #database: Database;
  readonly #life: Life;
  readonly #told: Told;
  readonly #engine: Storage;
  #isOpen = false;
  /** Handed in and undecided. */
  readonly #flying = new Set<Batch>();
  /** Their callers were told that they timed out. */
  readonly #late = new Set<Batch>();
  /** The kind whose rows were asked for last, until it has asked for the rest. */
  #beginning: KindId | null = null;
  /** Keys of writes whose caller waits for the outcome. */
  readonly #held = new Set<string>();

  constructor(database: Database, life: Life, told: Told) {
    this.#database = database;
    this.#life = life;
    this.#told = told;
    this.#engine = database.createEngine();
    this.batchLimit = database.parts.batchLimit;
  }

  open(writer: Writer): Promise<void> {
    this.#isOpen = true;
    return this.#engine.open(writer);
  }

  write(writes: readonly Write[], scopes: readonly ScopeRecord[]): Promise<readonly Outcome[]> {
    if (!this.#life.step()) return never();
    this.#checkOpen();
    const { clock, draw, weather } = this.#database.parts;
    const kind = writes[0] === undefined ? (scopes[0]?.kind ?? null) : kindId(writes[0].kind);
    const fault = weather.strike(kind, clock.nowMs);
    const keys = writes.map((write) => `${kindId(write.kind)} ${keyOf(write)}`);
    for (const key of keys) {
      if (this.#held.has(key)) this.#database.parts.ledger.fail(`1: ${key} was handed in while another write of it was under way`);
      this.#held.add(key);
    }
    for (const write of writes) if (write.type === 'delete') this.#told.of(kindId(write.kind)).deletes(write.key);
    const batch: Batch = { writes, scopes, atMs: clock.nowMs };
    this.#flying.add(batch);
    const { promise, resolve, reject } = Promise.withResolvers<readonly Outcome[]>();
    const settle = (how: () => void): void => {
      if (!this.#life.step()) return;
      for (const key of keys) this.#held.delete(key);
      how();
    };
    const answer = (outcomes: readonly Outcome[]): void => settle(() => resolve(outcomes));
    const ms = fault === 'slow' ? draw.small(20, 10_000) : fault === 'stuck' ? draw.small(1_000, 120_000) : draw.small(0, 12);
    clock.after(ms, () => {
      if (!this.#flying.has(batch)) return;
      void this.#decide(batch, fault, answer, (cause) => settle(() => reject(cause)));
    });
    return promise;
  }

  async #decide(batch: Batch, fault: StorageFault | null, answer: (outcomes: readonly Outcome[]) => void, fail: (cause: Error) => void): Promise<void> {
    const { clock, draw } = this.#database.parts;
    const { writes, scopes, atMs } = batch;
    const isLost = fault === 'down' || (fault === 'throws' && draw.chance(0.5));
    if (fault === 'late') {
      // The caller gets its memory back, so the engine must have copied what it still wants.
      const copy: Batch = { writes: writes.map((write) => (write.type === 'put' ? { ...write, body: Uint8Array.from(write.body) } : write)), scopes: [], atMs };
      this.#flying.delete(batch);
      this.#late.add(copy);
      clock.after(draw.small(10, LATEST_MS), () => {
        if (this.#late.delete(copy)) this.#commitLate(copy);
      });
      return answer(doubtful(writes));
    }
    this.#flying.delete(batch);
    if (isLost) return fault === 'throws' ? fail(new Error('simulated bug of storage')) : answer(doubtful(writes));
    if (fault === 'partial') {
      const isTaken = writes.map(() => draw.chance(0.5));
      const outcomes = await this.#commit({ writes: writes.filter((_, index) => isTaken[index]), scopes, atMs });
      if (outcomes === null) return;
      let next = 0;
      return answer(isTaken.map((taken) => (taken ? (outcomes[next++] as Outcome) : { kind: 'retry', error: 'simulated' })));
    }
    const outcomes = await this.#commit(batch);
    if (outcomes === null) return;
    if (fault === 'throws') fail(new Error('simulated bug of storage'));
    else answer(fault === 'unknown' ? doubtful(writes) : outcomes);
  }

  async *index(kind: KindId, scope: Scope): AsyncGenerator<readonly IndexRow[], void, undefined> {
    await this.#read(kind);
    const hearsay = this.#told.beginOrMeet(kind);
    this.#beginning = kind;
    for await (const rows of this.#database.engine.index(kind, scope)) {
      for (const { key, revision } of rows) hearsay.row(key, Number(revision));
      yield rows;
    }
  }

  async kinds(): Promise<readonly KindId[]> {
    await this.#read(null);
    return await this.#database.engine.kinds();
  }

  async scopes(): Promise<readonly ScopeRecord[]> {
    await this.#read(null);
    return await this.#database.engine.scopes();
  }

  async parked(): ReturnType<Storage['parked']> {
    await this.#read(null);
    const parked = await this.#database.engine.parked();
    this.#tellParked(parked);
    return parked;
  }

  /** A kind that begins asks for its rows, then for what is parked; then what nobody follows any more goes. */
  #tellParked(parked: Awaited<ReturnType<Storage['parked']>>): void {
    const id = this.#beginning;
    if (id === null) return;
    this.#beginning = null;
    const hearsay = this.#told.of(id);
    for (const { kind, key, revision } of parked) if (kind === id) hearsay.row(key, Number(revision));
    hearsay.allMet();
    if (id === WIDGETS.id) hearsay.abandoned();
  }

  async unpark(kind: KindId, key: ObjectKey): Promise<void> {
    await this.#read(kind);
    await this.#database.engine.unpark(kind, key);
  }

  async close(): Promise<void> {
    this.died();
  }

  /** The process is gone: of what it had handed in, some is durable and some is not. */
  died(): void {
    const { draw } = this.#database.parts;
    for (const batch of [...this.#flying]) if (draw.chance(0.5)) void this.#commit(batch);
    this.#flying.clear();
    this.decideLate();
    this.#database.closed(this);
  }

  decideLate(): void {
    const { draw } = this.#database.parts;
    for (const batch of [...this.#late]) if (draw.chance(0.5)) this.#commitLate(batch);
    this.#late.clear();
  }

  #commitLate({ writes, atMs }: Batch): void {
    const { ledger } = this.#database.parts;
    const left = writes.filter((write) => !ledger.isBeyondOrder(write));
    if (left.length > 0) void this.#commit({ writes: left, scopes: [], atMs });
  }

  /** Invariant 16, the half that is not the engine's. */
  #checkOpen(): void {
    if (!this.#isOpen) this.#database.parts.ledger.fail('16: a process that stands by asks storage');
  }

  #commit(batch: Batch): Promise<readonly Outcome[] | null> {
    return this.#database.commit(this.#engine, batch);
  }

  async #read(kind: KindId | null): Promise<void> {
    const { clock, draw, weather } = this.#database.parts;
    if (!this.#life.step()) return never();
    this.#checkOpen();
    const fault = weather.strike(kind, clock.nowMs);
    await new Promise<void>((resolve) => clock.after(draw.small(0, 5), resolve));
    if (!this.#life.step()) return never();
    if (fault === 'down') throw new StorageError('simulated: the database is away', { retryable: true });
  }
}

/** Only a process that is frozen can be refused so, and nobody there waits for the answer. */
function refusedByEpoch(cause: unknown): null {
  if (cause instanceof EpochError) return null;
  throw cause;
}

function keyOf(write: Write): ObjectKey {
  return write.type === 'put' ? write.meta.key : write.key;
}

function shown({ kind, scope, watermark, complete, objects, retired }: ScopeRecord): string {
  return `${kind} ${scope}: ${retired === true ? 'retired' : `watermark ${watermark ?? 'none'}, ${objects} objects, ${complete ? 'complete' : 'not complete'}`}`;
}

/** What a caller is told when nobody knows. */
function doubtful(writes: readonly Write[]): readonly Outcome[] {
  return writes.map(() => ({ kind: 'retry', error: 'simulated' }));
}
