import { jsonProblem } from '../../json/check.ts';
import { EpochError } from '../../model/errors.ts';
import type { ObjectKey } from '../../model/key.ts';
import { namespaceOf } from '../../model/key.ts';
import type { Kind, KindId, Scope } from '../../model/kind.ts';
import { apiVersionOf, kindId } from '../../model/kind.ts';
import type { ObjectMeta } from '../../model/object.ts';
import type { Outcome } from '../../model/outcome.ts';
import { STALE, UNCHANGED, WRITTEN } from '../../model/outcome.ts';
import { compareRevisions } from '../../model/revision.ts';
import { isInShard } from '../../model/shard.ts';
import { compareBytes, firstAfter } from '../key-order.ts';
import type { Delete, IndexRow, ParkedRow, Put, ScopeRecord, Storage, StorageReader, StoredObject, Write, Writer } from '../storage.ts';
import { Tombstones } from './tombstones.ts';

/** What memory engines keep. Two engines over one are two writers of one copy. */
export class MemoryShelf {
  readonly tables = new Map<KindId, Table>();
  readonly scopes = new Map<string, ScopeRecord>();
  writer: Writer = { epoch: 0, holder: '' };
  /** Of the shards but the first, by their index. */
  readonly writers = new Map<number, Writer>();

  writerOf(index: number): Writer {
    return index === 0 ? this.writer : (this.writers.get(index) ?? { epoch: 0, holder: '' });
  }

  /** Writers of shards that are no more write no more. */
  take(writer: Writer): void {
    const { index, count } = writer.shard ?? { index: 0, count: 1 };
    if (index === 0) this.writer = writer;
    else this.writers.set(index, writer);
    for (const [other, { epoch, holder }] of this.writers) if (other >= count) this.writers.set(other, { epoch: epoch + 1, holder });
  }
}

/** Keeps everything in this process's memory, with the guards of the other engines: for tests, trials and `--once` runs whose result nobody keeps. */
export function createMemoryStorage(options: {
  readonly cluster: string;
  readonly now?: (() => number) | undefined;
  /** Absent: one of its own. */
  readonly shelf?: MemoryShelf | undefined;
}): Storage & StorageReader {
  return new MemoryStorage(options.cluster, options.now ?? (() => 0), options.shelf ?? new MemoryShelf());
}

/** Keys in each page of the index. */
const INDEX_PAGE = 2_000;

/** The rows of one kind, and their keys in byte order as long as no key came or went. */
interface Table {
  readonly rows: Map<ObjectKey, StoredObject>;
  sorted: readonly ObjectKey[] | null;
  readonly tombstones: Tombstones;
  readonly parked: Map<ObjectKey, ParkedRow>;
}

class MemoryStorage implements Storage, StorageReader {
  readonly name = 'memory';
  readonly cannot = { durable: 'memory: keeps nothing beyond the life of the process' };
  readonly batchLimit = 100;
  readonly #cluster: string;
  /** Unix ms, for `writtenAt`. */
  readonly #now: () => number;
  readonly #shelf: MemoryShelf;
  readonly #tables: Map<KindId, Table>;
  readonly #scopes: Map<string, ScopeRecord>;
  /** Null when nobody elects. */
  #writer: Writer | null = null;

  constructor(cluster: string, now: () => number, shelf: MemoryShelf) {
    this.#cluster = cluster;
    this.#now = now;
    this.#shelf = shelf;
    this.#tables = shelf.tables;
    this.#scopes = shelf.scopes;
  }

  async open(writer?: Writer): Promise<void> {
    this.#writer = writer ?? null;
    if (writer === undefined) return;
    this.#checkEpoch(writer);
    this.#shelf.take(writer);
  }

  async write(writes: readonly Write[], scopes: readonly ScopeRecord[]): Promise<readonly Outcome[]> {
    if (this.#writer !== null) this.#checkEpoch(this.#writer);
    const outcomes = writes.map((write) => (write.type === 'put' ? this.#put(write) : this.#delete(write)));
    for (const record of scopes) {
      if (record.retired === true) this.#scopes.delete(`${record.kind}/${record.scope}`);
      else this.#scopes.set(`${record.kind}/${record.scope}`, { ...record });
    }
    return outcomes;
  }

  async *index(kind: KindId, scope: Scope): AsyncGenerator<readonly IndexRow[], void, undefined> {
    const rows = this.#tables.get(kind)?.rows ?? new Map<ObjectKey, StoredObject>();
    let page: IndexRow[] = [];
    for (const { key, uid, revision } of [...rows.values()]) {
      if (scope !== '' && namespaceOf(key) !== scope) continue;
      page.push({ key, uid, revision });
      if (page.length === INDEX_PAGE) {
        yield page;
        page = [];
      }
    }
    if (page.length > 0) yield page;
  }

  async clusters(): Promise<readonly string[]> {
    return (await this.kinds()).length === 0 ? [] : [this.#cluster];
  }

  async kinds(cluster: string = this.#cluster): Promise<readonly KindId[]> {
    if (cluster !== this.#cluster) return [];
    const found = new Set([...this.#scopes.values()].map((record) => record.kind));
    for (const [kind, { rows, parked }] of this.#tables) if (rows.size + parked.size > 0) found.add(kind);
    return [...found].sort();
  }

  async scopes(cluster: string = this.#cluster): Promise<readonly ScopeRecord[]> {
    return cluster === this.#cluster ? [...this.#scopes.values()] : [];
  }

  async parked(cluster: string = this.#cluster): Promise<readonly ParkedRow[]> {
    return cluster === this.#cluster ? [...this.#tables.values()].flatMap(({ parked }) => [...parked.values()]) : [];
  }

  async unpark(kind: KindId, key: ObjectKey): Promise<void> {
    if (this.#writer !== null) this.#checkEpoch(this.#writer);
    this.#tables.get(kind)?.parked.delete(key);
  }

  async get(cluster: string, kind: KindId, key: ObjectKey): Promise<StoredObject | null> {
    return (cluster === this.#cluster ? this.#tables.get(kind)?.rows.get(key) : undefined) ?? null;
  }

  async list(query: Parameters<StorageReader['list']>[0]): Promise<readonly StoredObject[]> {
    const table = this.#tables.get(query.kind);
    if (table === undefined || query.cluster !== this.#cluster) return [];
    table.sorted ??= [...table.rows.keys()].sort(compareBytes);
    const found: StoredObject[] = [];
    const { after, namespace, limit } = query;
    for (let at = after === undefined ? 0 : firstAfter(table.sorted, after); at < table.sorted.length && found.length < limit; at++) {
      const key = table.sorted[at];
      const row = key === undefined ? undefined : table.rows.get(key);
      if (row !== undefined && (namespace === undefined || namespaceOf(row.key) === namespace)) found.push(row);
    }
    return found;
  }

  /** The rows stay, so that what was written can still be read and the same storage opened again. */
  async close(): Promise<void> {}

  #checkEpoch({ epoch, holder, shard }: Writer): void {
    const now = this.#shelf.writerOf(shard?.index ?? 0);
    if (now.epoch < epoch || (now.epoch === epoch && (now.holder === holder || now.holder === ''))) return;
    throw new EpochError(
      `Cannot write to the memory of cluster "${this.#cluster}": epoch ${now.epoch} (${now.holder}) writes, and this writer has epoch ${epoch}`,
      now.epoch,
    );
  }

  #put({ kind, meta, body, isChecked = false, rewrite = false, force = false }: Put): Outcome {
    const table = this.#tableOf(kind);
    const problem = isChecked ? null : jsonProblem(body);
    if (problem !== null) return this.#park(table, kindId(kind), meta, `the object is not JSON: ${problem}`);
    if (force) {
      table.tombstones.remove(meta.key);
    } else if (table.tombstones.refuses(meta.key, meta.uid, meta.revision)) {
      return STALE;
    }
    const stored = table.rows.get(meta.key);
    if (stored !== undefined && !force) {
      const order = compareRevisions(meta.revision, stored.revision);
      if (order < 0) return STALE;
      if (order === 0 && meta.uid === stored.uid && !(rewrite && Buffer.compare(stored.body, body) !== 0)) {
        this.#unpark(table, meta.key);
        return UNCHANGED;
      }
    } else if (stored === undefined) {
      table.sorted = null;
    }
    table.rows.set(meta.key, { ...meta, apiVersion: apiVersionOf(kind), kind: kind.kind, body: new Uint8Array(body), writtenAt: this.#now() });
    this.#unpark(table, meta.key);
    return WRITTEN;
  }

  #delete({ kind, key, uid, revision }: Delete): Outcome {
    const table = this.#tableOf(kind);
    this.#unpark(table, key);
    if (revision !== null) table.tombstones.add(key, uid, revision, this.#now());
    const stored = table.rows.get(key);
    if (stored === undefined) return UNCHANGED;
    if (stored.uid !== uid || (revision !== null && compareRevisions(stored.revision, revision) > 0)) return STALE;
    table.rows.delete(key);
    table.sorted = null;
    return WRITTEN;
  }

  #park(table: Table, kind: KindId, { key, uid, revision }: ObjectMeta, error: string): Outcome {
    const before = table.parked.get(key);
    if (before !== undefined && !this.#isOurs(before.uid) && compareRevisions(before.revision, revision) > 0) return { kind: 'rejected', error };
    const [attempts, since] = before?.uid === uid ? [before.attempts + 1, before.since] : [1, this.#now()];
    table.parked.set(key, { kind, key, uid, revision, error, attempts, since });
    return { kind: 'rejected', error };
  }

  /** What another shard has parked under the key is that one's to take out. */
  #unpark(table: Table, key: ObjectKey): void {
    const row = table.parked.get(key);
    if (row !== undefined && this.#isOurs(row.uid)) table.parked.delete(key);
  }

  #isOurs(uid: string): boolean {
    const shard = this.#writer?.shard;
    return shard === undefined || isInShard(uid, shard);
  }

  #tableOf(kind: Kind): Table {
    const id = kindId(kind);
    let table = this.#tables.get(id);
    if (table === undefined) {
      table = { rows: new Map(), sorted: null, tombstones: new Tombstones(), parked: new Map() };
      this.#tables.set(id, table);
    }
    return table;
  }
}
