import { LRUCache } from 'lru-cache';
import { jsonProblem } from '../../json/check.ts';
import type { Logger } from '../../kit/log.ts';
import { messageOf, StorageError } from '../../model/errors.ts';
import type { ObjectKey } from '../../model/key.ts';
import { type Kind, type KindId, kindId, type Scope } from '../../model/kind.ts';
import type { Outcome } from '../../model/outcome.ts';
import type { Shard } from '../../model/shard.ts';
import type { IndexRow, ParkedRow, Put, ScopeRecord, Storage, StorageReader, Write, Writer } from '../storage.ts';
import { BcsReader } from './bcs-reader.ts';
import { type Connection, connect } from './connection.ts';
import { InOrder } from './in-order.ts';
import { KindWriter, keyOf } from './kind-writer.ts';
import { Records } from './records.ts';
import { isEvent } from './routes.ts';
import type { BcsService } from './service.ts';
import type { Known } from './settle.ts';
import { elements } from './spans.ts';
import { pagePath, storedList, type StoredListOptions } from './stored-list.ts';
import { type NamedKind, TypeNames } from './type-names.ts';
import { definedKinds, unclaimedKinds } from './unclaimed.ts';

/** Writes of one worker under way at once: four workers of a kind make 192, and 177 are needed for 2,000 writes a second at 87 ms. */
const LANES = 60;
/** What was read for kinds() serves an index for so long. */
const FIRST_PAGE_LASTS_MS = 30_000;
/** Bodies whose hash is remembered. */
const HASHES = 50_000;

export const NO_EVENTS = 'the storage service keeps events by their age, not by what the cluster has, so they are not compared';

export interface BcsStorageOptions extends Connection {
  readonly cluster: string;
  readonly log: Logger | null;
}

/** One kind in the service. */
interface Table {
  readonly id: KindId;
  readonly named: NamedKind;
  readonly writer: KindWriter;
  /** Whether the guards know all that is stored. */
  isLoaded: boolean;
  loading: Promise<void> | null;
}

/** The engine of `bcs+http:` and `bcs+https:`; nothing is opened yet. `reader` sees what is stored over the same connections, once it is open. */
export class BcsStorage implements Storage {
  readonly name = 'bcs';
  readonly cannot = {
    conditional:
      'bcs: the service compares nothing. Revisions and uids are compared here, with what was listed at the start and written since, so nobody else may write ' +
      'the same documents; and a request that had no answer in three times its time, and is carried out more than 5 s after that, may overwrite a newer one until the audit mends it. ' +
      'Of several shards each compares with its own: where an object is replaced under its name by one of another shard, a put of the former that comes after ' +
      'the put of the new one and after a look at it may stand until the audit mends it; a delete names the uid',
    atomic:
      'bcs: every document is a request of its own. Scope records are written after the rows of the same call were settled, so they may lag and never lead. ' +
      'Events are only ever put: the service lets them go by age, so they are neither indexed nor deleted',
    epoch:
      'bcs: the service knows no writers, and takes what a leader that was frozen still sends. A leader whose lease may have run out asks nothing more of it, ' +
      'so only a request that was under way then can be late',
    kinds:
      'bcs: the service does not tell which types of documents it has. What another program stored is found when its kind is in discovery or in a ' +
      'CustomResourceDefinition that it stored too, and no other kind has the same Kind. Documents of any other type, those without uid and revision, and those ' +
      'of a group that is gone whose Kind another group has now, stay until somebody deletes them there',
  };
  readonly batchLimit = 1;
  readonly lanes = LANES;
  readonly #options: BcsStorageOptions;
  readonly #names = new TypeNames();
  readonly #tables = new Map<KindId, Table>();
  readonly #hashes = new LRUCache<string, string>({ max: HASHES });
  /** By kind and key. */
  readonly #order = new InOrder();
  /** Kinds on no record of which there is no document either. */
  readonly #empty = new Set<KindId>();
  /** Those of which there were some. */
  readonly #found = new Map<KindId, NamedKind>();
  /** First pages of indexes by their path, read for kinds(): kinds are started one after the other, and most have no second page. */
  readonly #firstPages = new Map<string, { readonly at: number; readonly page: Buffer }>();
  #hasReadDefinitions = false;
  #opened: { readonly service: BcsService; readonly records: Records; readonly shard: Shard | null } | null = null;

  constructor(options: BcsStorageOptions) {
    this.#options = options;
  }

  /** Throws UsageError for certificates that cannot be used. A service that cannot be reached is said, and waited for: every later call asks again. */
  async open(writer?: Writer): Promise<void> {
    const { cluster, log } = this.#options;
    const service = await connect(this.#options);
    const shard = writer?.shard !== undefined && writer.shard.count > 1 ? writer.shard : null;
    this.#opened = { service, records: new Records(service, cluster, shard), shard };
    await this.#records().catch((cause: unknown) => log?.warn('waiting for the storage service', { error: messageOf(cause) }));
  }

  /** The copy as this process writes it, for its audit. */
  reader(): StorageReader {
    return new BcsReader({ service: () => this.#now.service, clock: this.#options.clock, noEvents: NO_EVENTS, onClose: () => Promise.resolve() });
  }

  learn(kinds: readonly Kind[]): void {
    this.#names.learn(kinds);
  }

  async write(writes: readonly Write[], scopes: readonly ScopeRecord[]): Promise<readonly Outcome[]> {
    const outcomes = await Promise.all(writes.map((write) => this.#inOrder(kindId(write.kind), keyOf(write), () => this.#write(write))));
    if (scopes.length > 0) {
      const recorded = this.#records().then((records) => Promise.all(scopes.map((record) => records.setScope(record))));
      // A record that lags does no harm, and the next one comes in a second. Without rows it was all that was asked for.
      await (writes.length === 0 ? recorded : recorded.catch((cause: unknown) => this.#options.log?.debug('a scope record lags', { error: messageOf(cause) })));
    }
    return outcomes;
  }

  async *index(id: KindId, scope: Scope): AsyncGenerator<readonly IndexRow[], void, undefined> {
    await this.#records();
    const named = this.#names.find(id);
    if (named === null) return;
    const table = this.#tableOf(named.kind);
    if (isEvent(named.kind)) await this.#load(table);
    else if (scope === '') yield* this.#read(table);
    else yield* storedList(this.#listOf(table, scope));
  }

  async kinds(): Promise<readonly KindId[]> {
    const records = await this.#records();
    const found = new Set([...records.scopes.values(), ...records.parked.values()].map(({ kind }) => kind));
    const unclaimed = new Map([...(await this.#unclaimed()), ...this.#found]);
    // Rows of Events go by themselves.
    const kinds = new Map([...unclaimed, ...[...records.kinds].filter(([, { kind }]) => !isEvent(kind))]);
    await Promise.all(
      [...kinds].map(async ([id, named]) => {
        if (this.#empty.has(id)) return;
        const table = this.#tables.get(id);
        const isThere = table?.isLoaded === true ? table.writer.keys.rows.size > 0 : await this.#readFirstPage(id, named);
        if (isThere) found.add(id);
        if (isThere && unclaimed.has(id)) this.#found.set(id, named);
        // Whatever somebody else stores later is not ours to follow.
        else if (!records.kinds.has(id)) this.#empty.add(id);
      }),
    );
    return [...found].sort();
  }

  isUnclaimed(id: KindId): boolean {
    const records = this.#opened?.records;
    return records !== undefined && !records.kinds.has(id) && ![...records.scopes.values()].some(({ kind }) => kind === id);
  }

  /** Whether there are rows of a kind; its index begins with what is read here. */
  async #readFirstPage(id: KindId, named: NamedKind): Promise<boolean> {
    const path = pagePath(this.#placeOf(id, named, ''), 0);
    const page = await this.#now.service.list(path);
    if (elements(page).length === 0) return false;
    this.#firstPages.set(path, { at: this.#options.clock.now(), page });
    return true;
  }

  /** A page of an index. */
  async #page(path: string): Promise<Buffer> {
    const first = this.#firstPages.get(path);
    this.#firstPages.delete(path);
    return first !== undefined && this.#options.clock.now() - first.at < FIRST_PAGE_LASTS_MS ? first.page : await this.#now.service.list(path);
  }

  /** Kinds of which a program before us may have stored documents: those in discovery that no record tells of, and those whose definitions it stored. */
  async #unclaimed(): Promise<ReadonlyMap<KindId, NamedKind>> {
    if (!this.#hasReadDefinitions) {
      const defined = await definedKinds(this.#now.service, this.#options.cluster);
      const known = new Set([...this.#names.known()].map(kindId));
      this.#names.learn(defined.filter((kind) => !known.has(kindId(kind))));
      this.#hasReadDefinitions = true;
    }
    return unclaimedKinds(this.#names.known(), (type) => this.#names.isGiven(type));
  }

  async scopes(): Promise<readonly ScopeRecord[]> {
    return [...(await this.#records()).scopes.values()];
  }

  async parked(): Promise<readonly ParkedRow[]> {
    return [...(await this.#records()).parked.values()];
  }

  async unpark(kind: KindId, key: ObjectKey): Promise<void> {
    await this.#inOrder(kind, key, async () => (await this.#records()).unpark(kind, key));
  }

  async close(): Promise<void> {
    // What is under way ends within the time of a request and a look after it; a service that hangs is not waited for longer.
    const over = new AbortController();
    await Promise.race([this.#order.idle(), this.#options.clock.sleep(2 * this.#options.timeoutMs, over.signal)]);
    over.abort();
    await this.#opened?.service.close();
  }

  get #now(): { readonly service: BcsService; readonly records: Records; readonly shard: Shard | null } {
    if (this.#opened === null) throw new Error('The storage is not open');
    return this.#opened;
  }

  /** What is on record. Throws StorageError. */
  async #records(): Promise<Records> {
    const { records } = this.#now;
    await records.load((named) => this.#names.record(named));
    return records;
  }

  async #inOrder<T>(kind: KindId, key: ObjectKey, job: () => Promise<T>): Promise<T> {
    return await this.#order.run(`${kind} ${key}`, job);
  }

  #tableOf(kind: Kind): Table {
    const id = kindId(kind);
    let table = this.#tables.get(id);
    if (table === undefined) {
      const named = this.#names.name(kind);
      const { cluster, clock } = this.#options;
      const writer = new KindWriter({ id, named, cluster, clock, hashes: this.#hashes, service: this.#now.service, isShared: this.#now.shard !== null });
      table = { id, named, writer, isLoaded: false, loading: null };
      this.#tables.set(id, table);
      if (this.#names.isAlias(id))
        this.#options.log?.warn('two kinds have the same Kind, and the storage service tells kinds by that alone: this one is stored by a name of its own', {
          kind: id,
          type: named.type,
        });
    }
    return table;
  }

  #listOf({ id, named }: Table, namespace: string): StoredListOptions {
    return { ...this.#placeOf(id, named, namespace), fetch: (path) => this.#page(path) };
  }

  #placeOf(id: KindId, { kind, type }: NamedKind, namespace: string): Omit<StoredListOptions, 'fetch'> {
    // A type that we have not named before may hold what somebody else stored of another group.
    return { cluster: this.#options.cluster, type, namespace, group: this.#now.records.kinds.has(id) ? null : kind };
  }

  /** Everything that is stored of a kind; when it has been read, the guards know it. */
  async *#read(table: Table): AsyncGenerator<readonly IndexRow[], void, undefined> {
    const found = new Map<ObjectKey, Known>();
    const pages = storedList(this.#listOf(table, ''));
    for (;;) {
      const { done, value } = await pages.next();
      if (done === true) {
        const { skipped, foreign } = value;
        if (skipped + foreign > 0)
          this.#options.log?.warn('documents that are not ours, or have no uid and revision, are left alone', { kind: table.id, skipped, foreign });
        break;
      }
      for (const { key, uid, revision } of value) found.set(key, { uid, revision });
      yield value;
    }
    const { rows } = table.writer.keys;
    // What is being written just now knows better.
    const isSettled = (key: ObjectKey): boolean => !this.#order.isBusy(`${table.id} ${key}`);
    for (const key of rows.keys()) if (!found.has(key) && isSettled(key)) rows.delete(key);
    for (const [key, known] of found) if (!rows.has(key) || isSettled(key)) rows.set(key, known);
    table.isLoaded = true;
  }

  /** Reads what is stored of a kind unless that is known. Throws StorageError. */
  async #load(table: Table): Promise<void> {
    if (table.isLoaded) return;
    const load = async (): Promise<void> => {
      for await (const _rows of this.#read(table));
    };
    table.loading ??= load().finally(() => {
      table.loading = null;
    });
    await table.loading;
  }

  /** Never rejects but for a bug. */
  async #write(write: Write): Promise<Outcome> {
    try {
      const records = await this.#records();
      const table = this.#tableOf(write.kind);
      if (write.type === 'put' && write.isChecked !== true) {
        const problem = jsonProblem(write.body);
        if (problem !== null) return await this.#park(records, write, `the object is not JSON: ${problem}`);
      }
      await this.#load(table);
      const outcome = await table.writer.write(write, () => records.register(table.named));
      if (outcome.kind === 'rejected') return write.type === 'put' ? await this.#park(records, write, outcome.error) : { ...outcome, kind: 'retry' };
      if (write.type === 'delete' ? outcome.kind !== 'retry' : outcome.kind === 'written' || outcome.kind === 'unchanged') {
        // That it is still on record is put right at the next write, or the next start.
        await records.unpark(table.id, keyOf(write)).catch(() => {});
      }
      return outcome;
    } catch (cause) {
      if (cause instanceof StorageError) return { kind: 'retry', error: cause.message };
      throw cause;
    }
  }

  async #park(records: Records, { kind, meta }: Put, error: string): Promise<Outcome> {
    const id = kindId(kind);
    const before = records.parked.get(`${id} ${meta.key}`);
    const [attempts, since] = before?.uid === meta.uid ? [before.attempts + 1, before.since] : [1, this.#options.clock.wall()];
    await records.park({ kind: id, key: meta.key, uid: meta.uid, revision: meta.revision, error, attempts, since });
    return { kind: 'rejected', error };
  }
}
