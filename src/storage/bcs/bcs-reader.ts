import { LRUCache } from 'lru-cache';
import type { Clock } from '../../kit/clock.ts';
import { Semaphore } from '../../kit/semaphore.ts';
import { StorageError } from '../../model/errors.ts';
import { nameOf, namespaceOf, objectKey, type ObjectKey } from '../../model/key.ts';
import { apiVersionOf, type KindId, kindId } from '../../model/kind.ts';
import { compareBytes, firstAfter } from '../key-order.ts';
import type { ParkedRow, Retention, ScopeRecord, StorageReader, StoredObject } from '../storage.ts';
import { eventSeconds } from './documents.ts';
import { readClusters, readRecords } from './records.ts';
import { isEvent, listPath, placeOf } from './routes.ts';
import { type BcsDocument, type BcsService, readDocument } from './service.ts';
import { elements } from './spans.ts';
import { storedList } from './stored-list.ts';
import type { NamedKind } from './type-names.ts';

/** Names in one query; servers refuse addresses that are longer than 8 KB. */
const NAMES_BYTES = 4_000;
/** Queries of one page at once. */
const AT_ONCE = 16;
/** Names that were read serve the pages that follow for so long. */
const NAMES_LAST_MS = 60_000;
/** Lists that are gone through at the same time. */
const NAMES_OF_LISTS = 8;

/** How long the service keeps the document of an event at least (wire specification, section 3.4). */
const EVENTS_LAST_MS = 3_600_000;

const EVENTS_ID = kindId({ group: '', resource: 'events' });
const EVENTS: Retention = {
  why: 'the storage service lets events go by its own clock, an hour after they were written, and the cluster by its own',
  mayBeGone: (body, wallMs) => wallMs - eventSeconds(body) * 1000 >= EVENTS_LAST_MS,
};

export interface BcsReaderOptions {
  readonly service: () => BcsService | Promise<BcsService>;
  readonly clock: Clock;
  /** Why events are not listed; null: they are. */
  readonly noEvents: string | null;
  /** Called by close(). */
  readonly onClose: () => Promise<void>;
}

type Query = Parameters<StorageReader['list']>[0];

/**
 * Reads the documents of a storage service. It promises no order and no place in a list to go on from, so a list begins with the names of all its documents,
 * sorted here; bodies are then asked for by name, as many as a page has.
 */
export class BcsReader implements StorageReader {
  /** The service may keep documents in a database with a form of its own. */
  readonly reencodes = true;
  readonly #options: BcsReaderOptions;
  /** What kinds are called, by cluster; names that were given never change. */
  readonly #kinds = new Map<string, ReadonlyMap<KindId, NamedKind>>();
  /** By cluster, kind and namespace. */
  readonly #names = new LRUCache<string, { readonly at: number; readonly keys: readonly ObjectKey[] }>({ max: NAMES_OF_LISTS });

  constructor(options: BcsReaderOptions) {
    this.#options = options;
  }

  retention(kind: KindId): Retention | null {
    return kind === EVENTS_ID ? EVENTS : null;
  }

  async clusters(): Promise<readonly string[]> {
    const found: string[] = [];
    for (const cluster of await readClusters(await this.#options.service())) if ((await this.kinds(cluster)).length > 0) found.push(cluster);
    return found;
  }

  async kinds(cluster: string): Promise<readonly KindId[]> {
    const service = await this.#options.service();
    const { kinds, scopes, parked } = await readRecords(service, cluster);
    const found = new Set([...scopes, ...parked].map(({ kind }) => kind));
    for (const { kind, type } of kinds) {
      const id = kindId(kind);
      if (!found.has(id) && (await hasRows(service, cluster, type))) found.add(id);
    }
    return [...found].sort();
  }

  async scopes(cluster: string): Promise<readonly ScopeRecord[]> {
    return (await readRecords(await this.#options.service(), cluster)).scopes;
  }

  async parked(cluster: string): Promise<readonly ParkedRow[]> {
    return (await readRecords(await this.#options.service(), cluster)).parked.map(({ name: _name, ...row }) => row);
  }

  async get(cluster: string, kind: KindId, key: ObjectKey): Promise<StoredObject | null> {
    const named = await this.#find(cluster, kind);
    if (named === null) return null;
    const found = await (await this.#options.service()).get(cluster, placeOf(named.type, key), key);
    return found === null ? null : rowOf(named, found);
  }

  async list(query: Query): Promise<readonly StoredObject[]> {
    const { noEvents } = this.#options;
    const named = await this.#find(query.cluster, query.kind);
    if (named === null) return [];
    if (noEvents !== null && isEvent(named.kind)) throw new StorageError(noEvents, { retryable: false });
    const keys = await this.#keysOf(named, query);
    const { after, limit } = query;
    const from = after === undefined ? 0 : firstAfter(keys, after);
    const rows: StoredObject[] = [];
    // Some may have gone since their names were read.
    for (let at = from; at < keys.length && rows.length < limit; ) {
      const wanted = keys.slice(at, at + limit - rows.length);
      rows.push(...(await this.#bodies(query.cluster, named, wanted)));
      at += wanted.length;
    }
    return rows;
  }

  async close(): Promise<void> {
    await this.#options.onClose();
  }

  async #find(cluster: string, id: KindId): Promise<NamedKind | null> {
    const known = this.#kinds.get(cluster)?.get(id);
    if (known !== undefined) return known;
    const { kinds } = await readRecords(await this.#options.service(), cluster);
    const found = new Map(kinds.map((named) => [kindId(named.kind), named]));
    this.#kinds.set(cluster, found);
    return found.get(id) ?? null;
  }

  async #keysOf({ type }: NamedKind, { cluster, kind, namespace = '', after }: Query): Promise<readonly ObjectKey[]> {
    const { clock } = this.#options;
    const of = JSON.stringify([cluster, kind, namespace]);
    const known = after === undefined ? undefined : this.#names.get(of);
    if (known !== undefined && clock.now() - known.at < NAMES_LAST_MS) return known.keys;
    const service = await this.#options.service();
    const keys: ObjectKey[] = [];
    for await (const rows of storedList({ cluster, type, namespace, group: null, fetch: (path) => service.list(path) }))
      for (const { key } of rows) keys.push(key);
    keys.sort(compareBytes);
    this.#names.set(of, { at: clock.now(), keys });
    return keys;
  }

  /** The rows of these keys that are still there, in their order. */
  async #bodies(cluster: string, named: NamedKind, keys: readonly ObjectKey[]): Promise<readonly StoredObject[]> {
    const service = await this.#options.service();
    const found = new Map<ObjectKey, StoredObject>();
    const slots = new Semaphore(AT_ONCE);
    await Promise.all(
      chunksOf(keys).map(({ namespace, names }) =>
        slots.run(async () => {
          const page = await service.list(listPath(cluster, named.type, namespace, { limit: names.length, resourceName: names.join(',') }));
          for (const text of elements(page)) {
            const document = readDocument(text);
            const row = document === null ? null : rowOf(named, document);
            if (row !== null) found.set(row.key, row);
          }
        }),
      ),
    );
    return keys.flatMap((key) => found.get(key) ?? []);
  }
}

/** Whether a type has any document. Throws StorageError. */
async function hasRows(service: BcsService, cluster: string, type: string): Promise<boolean> {
  return elements(await service.list(listPath(cluster, type, '', { field: 'resourceName', limit: 1 }))).length > 0;
}

function rowOf({ kind }: NamedKind, { namespace, name, uid, revision, apiVersion, kind: kindName, data, updatedAt }: BcsDocument): StoredObject | null {
  if (uid === null || revision === null || name === '') return null;
  return {
    key: objectKey(namespace, name),
    uid,
    revision,
    apiVersion: apiVersion ?? apiVersionOf(kind),
    kind: kindName ?? kind.kind,
    body: data,
    writtenAt: updatedAt,
  };
}

/** Keys of one namespace together, as many as an address holds. */
function chunksOf(keys: readonly ObjectKey[]): readonly { readonly namespace: string; readonly names: string[] }[] {
  const chunks: { readonly namespace: string; readonly names: string[]; bytes: number }[] = [];
  const open = new Map<string, (typeof chunks)[number]>();
  for (const key of keys) {
    const namespace = namespaceOf(key);
    const name = nameOf(key);
    const bytes = encodeURIComponent(name).length + 3;
    let chunk = open.get(namespace);
    if (chunk === undefined || chunk.bytes + bytes > NAMES_BYTES) {
      chunk = { namespace, names: [], bytes: 0 };
      chunks.push(chunk);
      open.set(namespace, chunk);
    }
    chunk.names.push(name);
    chunk.bytes += bytes;
  }
  return chunks;
}
