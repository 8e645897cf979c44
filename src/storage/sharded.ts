import type { KindId, Scope } from '../model/kind.ts';
import { isInShard, type Shard } from '../model/shard.ts';
import type { IndexRow, ScopeRecord, Storage } from './storage.ts';
import { aroundStorage } from './around.ts';

const WHOLE: Shard = { index: 0, count: 1 };

/** No namespace has a `#` in its name. */
const SHARD_NAME = /^(.*)#(\d+)-of-(\d+)$/;

/** A scope as it is on record: with the name of its shard (`default#0-of-2`), and without when there is only one. */
export function recordedScope(scope: Scope, { index, count }: Shard): Scope {
  return count === 1 ? scope : `${scope}#${index}-of-${count}`;
}

export function readRecordedScope(recorded: Scope): { readonly scope: Scope; readonly shard: Shard } {
  const [, scope = '', index, count] = SHARD_NAME.exec(recorded) ?? [];
  return count === undefined ? { scope: recorded, shard: WHOLE } : { scope, shard: { index: Number(index), count: Number(count) } };
}

/**
 * Storage as one shard of a cluster sees it: its own rows, parked keys and scope records, among those of the others (mirror/SHARDS.md). Rows are told by
 * their uid, and every guard of a write is by key, uid and revision, so nothing else of an engine has to know.
 *
 * Records of another number of shards are never believed. Whoever reads first puts records of the new number in their place, which say nothing but the form of
 * the rows: every scope lists once, and what has not changed is not written. Also with one shard: there may have been more before.
 */
export function shardStorage(inner: Storage, shard: Shard = WHOLE): Storage {
  return new ShardView(inner, shard).storage;
}

class ShardView {
  readonly storage: Storage;
  readonly #inner: Storage;
  readonly #shard: Shard;
  /** Records of another number of shards have been looked for. */
  #isClaimed = false;
  #clearing: Promise<void> | null = null;

  constructor(inner: Storage, shard: Shard) {
    this.#inner = inner;
    this.#shard = shard;
    const whole = { ...aroundStorage(inner, (...batch) => inner.write(...batch)), scopes: () => this.#scopes() };
    const recorded = (record: ScopeRecord): ScopeRecord => ({ ...record, scope: recordedScope(record.scope, shard) });
    const own: Partial<Storage> = {
      write: (writes, scopes, withdrawn) => inner.write(writes, scopes.map(recorded), withdrawn),
      index: (kind, scope) => this.#index(kind, scope),
      kinds: () => this.#kinds(),
      parked: async () => (await inner.parked()).filter(({ uid }) => isInShard(uid, shard)),
    };
    this.storage = shard.count === 1 ? whole : { ...whole, ...own };
  }

  async *#index(kind: KindId, scope: Scope): AsyncGenerator<readonly IndexRow[], void, undefined> {
    for await (const rows of this.#inner.index(kind, scope)) {
      const own = rows.filter(({ uid }) => isInShard(uid, this.#shard));
      if (own.length > 0) yield own;
    }
  }

  /** Kinds of which this shard has a record, a parked key or a row. The others' rows of a kind that nobody wants any more are theirs to remove. */
  async #kinds(): Promise<readonly KindId[]> {
    const kinds = await this.#inner.kinds();
    const own = new Set([...(await this.storage.scopes()), ...(await this.storage.parked())].map(({ kind }) => kind));
    for (const kind of kinds) if (!own.has(kind) && (await this.#hasRows(kind))) own.add(kind);
    return kinds.filter((kind) => own.has(kind));
  }

  async #hasRows(kind: KindId): Promise<boolean> {
    for await (const _rows of this.#index(kind, '')) return true;
    return false;
  }

  async #scopes(): Promise<readonly ScopeRecord[]> {
    await this.#clearing;
    let records = await this.#inner.scopes();
    if (records.some((record) => this.#isForeign(record))) {
      this.#clearing ??= this.#clear(records).finally(() => {
        this.#clearing = null;
      });
      await this.#clearing;
      records = await this.#inner.scopes();
    }
    this.#isClaimed = true;
    return records.flatMap((record) => {
      const { scope, shard } = readRecordedScope(record.scope);
      return this.#isOwn(shard) ? [{ ...record, scope }] : [];
    });
  }

  /** Throws when storage cannot be read, or did not take it; the next call tries again. */
  async #clear(records: readonly ScopeRecord[]): Promise<void> {
    const foreign = records.filter((record) => this.#isForeign(record));
    const retired = foreign.map((record) => ({ ...record, retired: true }));
    if (this.#isClaimed) {
      // A process of another number of shards that was still there when this one began has written its records again.
      await this.#inner.write([], retired);
      return;
    }
    const placeOf = ({ kind, scope }: ScopeRecord): string => `${kind} ${readRecordedScope(scope).scope}`;
    const places = new Set(foreign.map(placeOf));
    const begun = [...Map.groupBy(records, placeOf)].filter(([place]) => places.has(place)).flatMap(([, of]) => this.#begin(of));
    await this.#inner.write([], [...begun, ...retired]);
    // Records have no outcome that would tell whether they were taken.
    const taken = new Map((await this.#inner.scopes()).map((record) => [`${record.kind} ${record.scope}`, record]));
    if (begun.some((record) => this.#isOwn(readRecordedScope(record.scope).shard) && taken.get(`${record.kind} ${record.scope}`)?.watermark !== null))
      throw new Error('Cannot begin with another number of shards: storage did not take the record of it, and will be asked again');
  }

  /** The records of all shards of one scope, as they begin: no place to go on from. The form is only known where all rows were on record, and agreed. */
  #begin(records: readonly ScopeRecord[]): ScopeRecord[] {
    const [first] = records;
    if (first === undefined) return [];
    const { scope } = readRecordedScope(first.scope);
    const isWhole = [...Map.groupBy(records, (record) => readRecordedScope(record.scope).shard.count)].some(([count, of]) => of.length === count);
    const stored = isWhole && records.every((record) => record.stored === first.stored) ? first.stored : null;
    const empty = { watermark: null, listedAt: null, heardAt: null, objects: 0, complete: false, stored, rules: null, identity: null };
    const { count } = this.#shard;
    return Array.from({ length: count }, (_, index) => ({ kind: first.kind, scope: recordedScope(scope, { index, count }), ...empty }));
  }

  #isOwn({ index, count }: Shard): boolean {
    return index === this.#shard.index && count === this.#shard.count;
  }

  #isForeign({ scope }: ScopeRecord): boolean {
    return readRecordedScope(scope).shard.count !== this.#shard.count;
  }
}
