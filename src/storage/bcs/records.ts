import { hash } from 'node:crypto';
import { StorageError } from '../../model/errors.ts';
import { type Kind, type KindId, kindId } from '../../model/kind.ts';
import type { ObjectKey } from '../../model/key.ts';
import { isInShard, type Shard } from '../../model/shard.ts';
import type { ParkedRow, ScopeRecord } from '../storage.ts';
import { documentBody } from './documents.ts';
import { InOrder } from './in-order.ts';
import { customIndexPath, customPath, documentPath, listPath } from './routes.ts';
import type { BcsService } from './service.ts';
import { elements } from './spans.ts';
import type { NamedKind } from './type-names.ts';

/**
 * What a mirror has to remember beside the objects: cluster-scoped documents of this type, of the mirrored cluster. That route upserts by a key that is always
 * there; free-form documents (`customresources`) do so only while somebody keeps their index, and would be doubled without. And whoever wipes the cluster's
 * data takes the records along, which would otherwise promise rows that are gone.
 */
const RECORDS = { type: 'KubefoldRecord', namespaced: false };
/** Free-form documents, one for each cluster: no other route says which clusters there are. One too many does no harm. */
const CLUSTERS = 'KubefoldCluster';
const PAGE = 500;

type RecordData =
  | { readonly record: 'kind'; readonly type: string; readonly kind: Kind }
  | ({ readonly record: 'scope'; readonly kind: KindId } & Omit<ScopeRecord, 'kind' | 'retired'>)
  | ({ readonly record: 'parked'; readonly kind: KindId } & Omit<ParkedRow, 'kind'>);

/** Everything on record of one cluster. */
export interface RecordSet {
  readonly kinds: readonly NamedKind[];
  readonly scopes: readonly ScopeRecord[];
  /** `name`: of the document. */
  readonly parked: readonly (ParkedRow & { readonly name: string })[];
}

/** Throws StorageError. */
export async function readRecords(service: BcsService, cluster: string): Promise<RecordSet> {
  const found = new Map<string, RecordData>();
  for (let offset = 0; ; offset += PAGE - 1) {
    const page = elements(await service.list(listPath(cluster, RECORDS.type, '', { limit: PAGE, offset })));
    for (const text of page) {
      const { resourceName, data } = JSON.parse(text.toString()) as { readonly resourceName?: unknown; readonly data?: RecordData };
      if (typeof resourceName === 'string' && typeof data?.record === 'string') found.set(resourceName, data);
    }
    if (page.length < PAGE) break;
  }
  const kinds: NamedKind[] = [];
  const scopes: ScopeRecord[] = [];
  const parked: (ParkedRow & { readonly name: string })[] = [];
  for (const [name, { record, ...data }] of found) {
    if (record === 'kind') kinds.push(data as NamedKind);
    else if (record === 'scope') scopes.push(data as ScopeRecord);
    else if (record === 'parked') parked.push({ ...(data as ParkedRow), name });
  }
  return { kinds, scopes, parked };
}

/** Names of clusters that may have records. Throws StorageError. */
export async function readClusters(service: BcsService): Promise<readonly string[]> {
  const names = new Set<string>();
  for (let offset = 0; ; offset += PAGE) {
    const page = elements(await service.list(customPath(CLUSTERS, { field: 'clusterId', limit: PAGE, offset })));
    for (const text of page) {
      const { clusterId } = JSON.parse(text.toString()) as { readonly clusterId?: unknown };
      if (typeof clusterId === 'string') names.add(clusterId);
    }
    if (page.length < PAGE) return [...names].sort();
  }
}

/** The records of the one cluster that this process writes: read once, then known, and written through. */
export class Records {
  readonly scopes = new Map<string, ScopeRecord>();
  /** By kind and key, joined by a blank. */
  readonly parked = new Map<string, ParkedRow>();
  /** Names of documents of what is parked, likewise. */
  readonly #parkedNames = new Map<string, string>();
  /** Kinds that are on record. */
  readonly kinds = new Map<KindId, NamedKind>();
  readonly #service: BcsService;
  readonly #cluster: string;
  /** Null: there is only one. */
  readonly #shard: Shard | null;
  readonly #order = new InOrder();
  #loading: Promise<void> | null = null;
  #isLoaded = false;
  #isClusterKnown = false;

  constructor(service: BcsService, cluster: string, shard: Shard | null) {
    this.#service = service;
    this.#cluster = cluster;
    this.#shard = shard;
  }

  /** Throws StorageError when the service cannot be asked; the next call asks again. */
  async load(onKind: (kind: NamedKind) => void): Promise<void> {
    if (this.#isLoaded) return;
    this.#loading ??= this.#load(onKind).finally(() => {
      this.#loading = null;
    });
    await this.#loading;
  }

  /** Before the first row of a kind: so that its rows are found when the kind itself is gone. Throws StorageError. */
  async register(named: NamedKind): Promise<void> {
    const id = kindId(named.kind);
    if (this.kinds.has(id)) return;
    await this.#order.run(`kind:${id}`, async () => {
      if (this.kinds.has(id)) return;
      await this.#nameCluster();
      await this.#put(`kind:${id}`, { record: 'kind', type: named.type, kind: named.kind });
      this.kinds.set(id, named);
    });
  }

  /** Throws StorageError. */
  async setScope(record: ScopeRecord): Promise<void> {
    const name = `scope:${record.kind}:${record.scope}`;
    await this.#order.run(name, async () => {
      if (record.retired === true) {
        await this.#remove(name);
        this.scopes.delete(name);
        return;
      }
      const { retired: _retired, ...kept } = record;
      await this.#nameCluster();
      await this.#put(name, { record: 'scope', ...kept });
      this.scopes.set(name, kept);
    });
  }

  /** Throws StorageError. */
  async park(row: ParkedRow): Promise<void> {
    const id = `${row.kind} ${row.key}`;
    const name = this.#parkedNames.get(id) ?? parkedName(row.kind, row.key, this.#shard);
    await this.#put(name, { record: 'parked', ...row });
    this.parked.set(id, row);
    this.#parkedNames.set(id, name);
  }

  /** Throws StorageError; the row is still parked then. */
  async unpark(kind: KindId, key: ObjectKey): Promise<void> {
    const name = `${kind} ${key}`;
    if (!this.parked.has(name)) return;
    await this.#remove(this.#parkedNames.get(name) ?? parkedName(kind, key, this.#shard));
    this.parked.delete(name);
    this.#parkedNames.delete(name);
  }

  async #load(onKind: (kind: NamedKind) => void): Promise<void> {
    const found = await readRecords(this.#service, this.#cluster);
    for (const named of found.kinds) {
      this.kinds.set(kindId(named.kind), named);
      onKind(named);
    }
    for (const record of found.scopes) this.scopes.set(`scope:${record.kind}:${record.scope}`, record);
    for (const { name, ...row } of found.parked) {
      // Another shard may have parked another object of the same name.
      if (this.#shard !== null && !isInShard(row.uid, this.#shard)) continue;
      this.parked.set(`${row.kind} ${row.key}`, row);
      this.#parkedNames.set(`${row.kind} ${row.key}`, name);
    }
    this.#isClusterKnown = found.scopes.length > 0;
    this.#isLoaded = true;
  }

  async #nameCluster(): Promise<void> {
    if (this.#isClusterKnown) return;
    await this.#order.run('cluster', async () => {
      if (this.#isClusterKnown) return;
      await this.#send(customIndexPath(CLUSTERS, 'clusterId'), Buffer.from('{"clusterId":1}'));
      await this.#send(customPath(CLUSTERS), Buffer.from(JSON.stringify({ clusterId: this.#cluster })));
      this.#isClusterKnown = true;
    });
  }

  async #put(name: string, data: RecordData): Promise<void> {
    await this.#send(documentPath(this.#cluster, RECORDS, name as ObjectKey), documentBody(Buffer.from(JSON.stringify(data))));
  }

  async #send(path: string, body: Buffer): Promise<void> {
    const verdict = await this.#service.ask({ method: 'PUT', path, body });
    if (verdict.is !== 'done') throw failure(this.#service, 'error' in verdict ? verdict.error : 'it knows no such document');
  }

  async #remove(name: string): Promise<void> {
    const verdict = await this.#service.ask({ method: 'DELETE', path: documentPath(this.#cluster, RECORDS, name as ObjectKey) });
    if (verdict.is !== 'done' && verdict.is !== 'absent') throw failure(this.#service, verdict.error);
  }
}

function failure(service: BcsService, error: string): StorageError {
  return new StorageError(`Cannot keep the records of the mirror in the storage service at ${service.address}: ${error}`, { retryable: true });
}

/** A key may be longer than a name is allowed to be. */
function parkedName(kind: KindId, key: ObjectKey, shard: Shard | null): string {
  const of = shard === null ? '' : `:${shard.index}-of-${shard.count}`;
  return `parked:${kind}:${hash('sha256', key, 'hex').slice(0, 32)}${of}`;
}
