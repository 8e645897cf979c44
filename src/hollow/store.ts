import { History } from './history.ts';
import type { Change, HistoryBounds } from './history.ts';
import { ownBytes } from './objects.ts';
import type { Version } from './objects.ts';
import { SortedKeys } from './sorted-keys.ts';

/** Whether a version belongs to an answer. */
export type Filter = (version: Version) => boolean;

export interface PageQuery {
  /** `''`: all. */
  readonly namespace: string;
  /** Only keys larger than this; `''` from the start. */
  readonly after: string;
  /** The revision to show; null for now. */
  readonly at: number | null;
  /** null: all. */
  readonly filter: Filter | null;
  /** null: no limit. */
  readonly limit: number | null;
}

export interface Page {
  readonly versions: readonly Version[];
  readonly hasMore: boolean;
  /** Objects behind this page; null when a filter makes it unknown. */
  readonly remaining: number | null;
}

/** All objects of one kind: their newest state, in key order, and the recent changes. Pure: no clock, no IO. */
export class KindStore {
  readonly history: History;
  readonly #objects = new Map<string, Version>();
  /** Exactly the keys of #objects. */
  readonly #keys = new SortedKeys();
  /** Told after every change: watchers that may have something to send. */
  readonly #followers = new Set<() => void>();

  constructor(bounds: HistoryBounds, floor: number) {
    this.history = new History(bounds, floor);
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): Version | undefined {
    return this.#objects.get(key);
  }

  /** Makes `version` the newest state of its object. */
  put(version: Version): Change {
    const previous = this.#objects.get(version.key) ?? null;
    if (previous === null) this.#keys.insert(version.key);
    this.#objects.set(version.key, version);
    return this.#record({ type: previous === null ? 'ADDED' : 'MODIFIED', revision: version.revision, version, previous });
  }

  /** Null when there is no such object. */
  remove(key: string, revision: number): Change | null {
    const version = this.#objects.get(key);
    if (version === undefined) return null;
    this.#objects.delete(key);
    this.#keys.delete(key);
    return this.#record({ type: 'DELETED', revision, version, previous: version });
  }

  /** Drops an object without a change: a restored etcd never had it. */
  forget(key: string): void {
    if (this.#objects.delete(key)) this.#keys.delete(key);
  }

  /** Calls `wake` after every change, in the same turn; returns how to stop. */
  follow(wake: () => void): () => void {
    this.#followers.add(wake);
    return () => void this.#followers.delete(wake);
  }

  /** Keys in order. The store must not change meanwhile. */
  keys(): Iterable<string> {
    return this.#keys.from('');
  }

  /** Whether the state at `revision` can still be put together. */
  reaches(revision: number): boolean {
    return revision >= this.history.floor;
  }

  /** One page in key order (`namespace/name` by bytes). `at` must be reachable. */
  page({ namespace, after, at, filter, limit }: PageQuery): Page {
    const prefix = namespace === '' ? '' : `${namespace}/`;
    const overlay = at === null ? NO_OVERLAY : this.#overlay(at);
    // "\0" makes it the next possible key; a key is never below its own prefix.
    const start = after >= prefix && after !== '' ? `${after}\0` : prefix;
    const versions: Version[] = [];
    let last = '';
    for (const key of this.#keysAt(overlay, start)) {
      if (!key.startsWith(prefix)) break;
      const version = overlay.has(key) ? overlay.get(key) : this.#objects.get(key);
      if (version === undefined || version === null || filter?.(version) === false) continue;
      if (limit !== null && versions.length === limit)
        return { versions, hasMore: true, remaining: filter === null ? this.#count(overlay, prefix, last) : null };
      versions.push(version);
      last = key;
    }
    return { versions, hasMore: false, remaining: null };
  }

  /** How objects that changed since `at` looked then; null: not there. */
  #overlay(at: number): ReadonlyMap<string, Version | null> {
    const overlay = new Map<string, Version | null>();
    const from = this.history.after(at);
    if (from === null) throw new RangeError(`The state at revision ${at} is gone: the history reaches back to ${this.history.floor}`);
    for (let place = from; place < this.history.next; place += 1) {
      const { version, previous } = this.history.at(place);
      if (!overlay.has(version.key)) overlay.set(version.key, previous);
    }
    return overlay;
  }

  *#keysAt(overlay: ReadonlyMap<string, Version | null>, start: string): Generator<string> {
    const gone = this.#gone(overlay).filter((key) => key >= start);
    let next = 0;
    for (const key of this.#keys.from(start)) {
      while (next < gone.length && (gone[next] as string) < key) yield gone[next++] as string;
      yield key;
    }
    while (next < gone.length) yield gone[next++] as string;
  }

  /** Keys that existed then and do not exist now, in order. */
  #gone(overlay: ReadonlyMap<string, Version | null>): readonly string[] {
    const keys: string[] = [];
    for (const [key, version] of overlay) if (version !== null && !this.#objects.has(key)) keys.push(key);
    return keys.sort();
  }

  #count(overlay: ReadonlyMap<string, Version | null>, prefix: string, after: string): number {
    // "0" is the character after "/": the first key behind the namespace.
    const end = prefix === '' ? this.#keys.size : this.#keys.rank(`${prefix.slice(0, -1)}0`);
    let count = end - this.#keys.rank(`${after}\0`);
    for (const [key, version] of overlay) {
      if (key <= after || !key.startsWith(prefix)) continue;
      const isNow = this.#objects.has(key);
      if (version !== null && !isNow) count += 1;
      if (version === null && isNow) count -= 1;
    }
    return count;
  }

  #record(change: Change): Change {
    // Deletions keep the last state alive; other changes what they added.
    const cost = change.type === 'DELETED' ? ownBytes(change.version, null) : ownBytes(change.version, change.previous);
    this.history.append(change, cost);
    for (const wake of this.#followers) wake();
    return change;
  }
}

const NO_OVERLAY: ReadonlyMap<string, Version | null> = new Map();
