import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { ObjectKey } from '../../model/key.ts';
import { namespaceOf, nameOf, objectKey } from '../../model/key.ts';
import type { KindId, Scope } from '../../model/kind.ts';
import { kindId, splitKindId } from '../../model/kind.ts';
import { nextNamespace } from '../key-order.ts';
import type { IndexRow, ParkedRow, ScopeRecord, StorageReader, StoredObject } from '../storage.ts';
import { sqliteCode, storageErrorOf } from './conditions.ts';
import { openReadOnly } from './database-file.ts';
import { IndexLoad } from './index-load.ts';

/**
 * Reads a database beside its writer, on the calling thread. The file is opened by the first call, which throws StorageError when it is missing,
 * not ours, or newer than this program.
 */
export function createSqliteReader(options: { readonly path: string }): StorageReader {
  return new SqliteReader(options.path);
}

type Row = Record<string, SQLOutputValue>;

/** Rows for each page of the index: about 4 ms of the calling thread. */
const INDEX_PAGE = 2_000;

const OBJECT_COLUMNS = 'namespace, name, uid, resource_version, api_version, kind, lower(hex(hash)) AS hash, written_at, CAST(body AS BLOB) AS body';
const KIND = 'cluster = ? AND api_group = ? AND resource = ?';

/** Each statement is prepared once for the connection. None is left half-read: an unfinished one would keep the write-ahead log from being reset. */
function prepareAll(db: DatabaseSync): Record<keyof typeof SQL, StatementSync> {
  const entries = Object.entries(SQL).map(([name, sql]) => [name, db.prepare(sql)]);
  const statements = Object.fromEntries(entries) as Record<keyof typeof SQL, StatementSync>;
  statements.index.setReturnArrays(true);
  statements.indexNamespace.setReturnArrays(true);
  return statements;
}

const SQL = {
  get: `SELECT ${OBJECT_COLUMNS} FROM objects WHERE ${KIND} AND namespace = ? AND name = ?`,
  list: `SELECT ${OBJECT_COLUMNS} FROM objects WHERE ${KIND} AND namespace = ? AND name > ? ORDER BY name LIMIT ?`,
  namespace: `SELECT namespace FROM objects WHERE ${KIND} AND namespace >= ? AND (?5 IS NULL OR namespace < ?5) ORDER BY namespace LIMIT 1`,
  cluster: 'SELECT cluster FROM objects WHERE cluster > ? ORDER BY cluster LIMIT 1',
  scopeClusters: 'SELECT DISTINCT cluster FROM scopes',
  kind: 'SELECT api_group, resource FROM objects WHERE cluster = ? AND (api_group, resource) > (?, ?) ORDER BY api_group, resource LIMIT 1',
  scopes: 'SELECT * FROM scopes WHERE cluster = ? ORDER BY api_group, resource, scope',
  parked: 'SELECT * FROM parked WHERE cluster = ? ORDER BY api_group, resource, namespace, name',
  index: `SELECT namespace, name, uid, resource_version FROM objects WHERE ${KIND} AND (namespace, name) > (?, ?) ORDER BY namespace, name LIMIT ?`,
  indexNamespace: `SELECT namespace, name, uid, resource_version FROM objects WHERE ${KIND} AND namespace = ? AND name > ? ORDER BY name LIMIT ?`,
} as const;

/** The StorageReader of SQLite, and what its Storage reads for itself. Each public call is one short transaction. */
export class SqliteReader implements StorageReader {
  readonly #path: string;
  #db: DatabaseSync | undefined;
  #statements: ReturnType<typeof prepareAll> | undefined;
  readonly #loads = new Set<IndexLoad>();
  #isClosed = false;

  constructor(path: string) {
    this.#path = path;
  }

  async clusters(): Promise<readonly string[]> {
    return this.#read((sql) => {
      const found = new Set(sql.scopeClusters.all().map((row) => text(row, 'cluster')));
      for (let row = sql.cluster.get(''); row !== undefined; row = sql.cluster.get(text(row, 'cluster'))) found.add(text(row, 'cluster'));
      return [...found].sort();
    });
  }

  async kinds(cluster: string): Promise<readonly KindId[]> {
    return this.#read((sql) => {
      const found = new Set([...sql.scopes.all(cluster), ...sql.parked.all(cluster)].map(kindOf));
      // A jump from kind to kind in the primary key, not a walk over its rows.
      const next = (row: Row | undefined): Row | undefined =>
        sql.kind.get(cluster, row === undefined ? '' : text(row, 'api_group'), row === undefined ? '' : text(row, 'resource'));
      for (let row = next(undefined); row !== undefined; row = next(row)) found.add(kindOf(row));
      return [...found].sort();
    });
  }

  async scopes(cluster: string): Promise<readonly ScopeRecord[]> {
    return this.#read((sql) =>
      sql.scopes.all(cluster).map((row) => ({
        kind: kindOf(row),
        scope: text(row, 'scope'),
        watermark: textOrNull(row, 'watermark'),
        listedAt: timeOrNull(row['listed_at']),
        heardAt: timeOrNull(row['heard_at']),
        objects: Number(row['objects']),
        complete: Number(row['complete']) === 1,
        stored: textOrNull(row, 'stored'),
        rules: textOrNull(row, 'rules'),
        identity: textOrNull(row, 'identity'),
      })),
    );
  }

  async parked(cluster: string): Promise<readonly ParkedRow[]> {
    return this.#read((sql) =>
      sql.parked.all(cluster).map((row) => ({
        kind: kindOf(row),
        key: objectKey(text(row, 'namespace'), text(row, 'name')),
        uid: text(row, 'uid'),
        revision: text(row, 'resource_version'),
        error: text(row, 'error'),
        attempts: Number(row['attempts']),
        since: Number(row['since']),
      })),
    );
  }

  async get(cluster: string, kind: KindId, key: ObjectKey): Promise<StoredObject | null> {
    const { group, resource } = splitKindId(kind);
    return this.#read((sql) => {
      const row = sql.get.get(cluster, group, resource, namespaceOf(key), nameOf(key));
      return row === undefined ? null : storedObject(row);
    });
  }

  async list(query: Parameters<StorageReader['list']>[0]): Promise<readonly StoredObject[]> {
    const { cluster, after, limit } = query;
    const { group, resource } = splitKindId(query.kind);
    return this.#read((sql) => {
      const found: StoredObject[] = [];
      const take = (namespace: string, afterName: string): void => {
        for (const row of sql.list.all(cluster, group, resource, namespace, afterName, limit - found.length)) found.push(storedObject(row));
      };
      const afterNamespace = after === undefined ? null : namespaceOf(after);
      if (query.namespace !== undefined) {
        // A position in another namespace is before or after all of this one.
        if (afterNamespace === null || after === undefined || afterNamespace === query.namespace)
          take(query.namespace, after === undefined ? '' : nameOf(after));
        else if (`${afterNamespace}/` < `${query.namespace}/`) take(query.namespace, '');
        return found;
      }
      if (after !== undefined && limit > 0) take(namespaceOf(after), nameOf(after));
      let namespace = afterNamespace;
      while (found.length < limit) {
        namespace = nextNamespace(namespace, (from, below) => {
          const row = sql.namespace.get(cluster, group, resource, from, below);
          return row === undefined ? null : text(row, 'namespace');
        });
        if (namespace === null) break;
        take(namespace, '');
      }
      return found;
    });
  }

  /**
   * The index of one namespace of a kind, or (`scope` '') of the whole kind, in pages; some may be empty. Reading is synchronous: the caller lets others have
   * their turn between pages.
   */
  *indexPages(query: { readonly cluster: string; readonly kind: KindId; readonly scope: Scope }): Generator<readonly IndexRow[], void, undefined> {
    for (let after: ObjectKey | null = null; ; ) {
      const page: readonly IndexRow[] = this.#indexPage(query, after);
      // More than a page of a whole kind is worth a connection of its own, and begins again there.
      if (page.length === INDEX_PAGE && query.scope === '') return yield* this.#load(query.cluster, query.kind);
      yield page;
      const last = page.at(-1);
      if (page.length < INDEX_PAGE || last === undefined) return;
      after = last.key;
    }
  }

  *#load(cluster: string, kind: KindId): Generator<readonly IndexRow[], void, undefined> {
    const load = new IndexLoad(this.#path);
    this.#loads.add(load);
    try {
      yield* load.pages(cluster, kind);
    } finally {
      this.#loads.delete(load);
      load.close();
    }
  }

  /** In the order of the primary key. */
  #indexPage({ cluster, kind, scope }: { readonly cluster: string; readonly kind: KindId; readonly scope: Scope }, after: ObjectKey | null): IndexRow[] {
    const { group, resource } = splitKindId(kind);
    const name = after === null ? '' : nameOf(after);
    return this.#read((sql) => {
      const rows =
        scope === ''
          ? sql.index.all(cluster, group, resource, after === null ? '' : namespaceOf(after), name, INDEX_PAGE)
          : sql.indexNamespace.all(cluster, group, resource, scope, name, INDEX_PAGE);
      return (rows as unknown as [string, string, string, string][]).map(([namespace, rowName, uid, revision]) => ({
        key: objectKey(namespace, rowName),
        uid,
        revision,
      }));
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const load of this.#loads) load.close();
    this.#db?.close();
    this.#db = undefined;
  }

  /** Opens when needed, and gives `read` one transaction, so that its statements see one state. */
  #read<T>(read: (sql: ReturnType<typeof prepareAll>) => T): T {
    if (this.#isClosed) throw new Error(`Cannot read the database "${this.#path}": its reader was closed`);
    try {
      this.#db ??= openReadOnly(this.#path);
      const db = this.#db;
      this.#statements ??= prepareAll(db);
      const statements = this.#statements;
      db.exec('BEGIN');
      try {
        return read(statements);
      } finally {
        db.exec('COMMIT');
      }
    } catch (cause) {
      if (sqliteCode(cause) === null) throw cause;
      throw storageErrorOf('read', this.#path, cause);
    }
  }
}

function text(row: Row, column: string): string {
  return String(row[column]);
}

function textOrNull(row: Row, column: string): string | null {
  return row[column] === null ? null : text(row, column);
}

function timeOrNull(value: SQLOutputValue | undefined): number | null {
  return value === null || value === undefined ? null : Number(value);
}

function kindOf(row: Row): KindId {
  return kindId({ group: text(row, 'api_group'), resource: text(row, 'resource') });
}

function storedObject(row: Row): StoredObject {
  const body = row['body'];
  return {
    key: objectKey(text(row, 'namespace'), text(row, 'name')),
    uid: text(row, 'uid'),
    revision: text(row, 'resource_version'),
    apiVersion: text(row, 'api_version'),
    kind: text(row, 'kind'),
    body: body instanceof Uint8Array ? body : new Uint8Array(0),
    hash: text(row, 'hash'),
    writtenAt: Number(row['written_at']),
  };
}
