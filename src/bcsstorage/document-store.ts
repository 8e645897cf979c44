import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { matches } from './condition.ts';
import { type DataNeed, dataNeed, documentOf, documentText, type DocumentRow, rendered } from './documents.ts';
import type { WriteEntry, WriteOutcome } from './journal.ts';
import type { PutBody } from './put-body.ts';
import type { ListQuery } from './query.ts';
import { WATCH_ADD, WATCH_CHANGE, WATCH_DELETE } from './watch-frames.ts';
import type { WriteLog } from './writer.ts';

/** Where a document is. `namespace` is `''` for a cluster-scoped one. */
export interface DocumentKey {
  readonly cluster: string;
  readonly type: string;
  readonly namespace: string;
  readonly name: string;
}

/** Which documents a route names. Null: of all namespaces, and cluster-scoped ones. */
export interface Scope {
  readonly cluster: string;
  readonly type: string;
  readonly namespace: string | null;
}

export interface Put extends DocumentKey, PutBody {
  /** JSON text of further keys of the document, null for none. */
  readonly extra: string | null;
}

/** Rows read between two turns of the event loop: 500 pods of 4 KB are parsed in 8 ms. */
const CHUNK = 500;

const FIELDS = 'id, type, cluster, namespace, name, uid, revision, created_at AS createdAt, updated_at AS updatedAt, extra';
const DATA: Readonly<Record<DataNeed, string>> = {
  none: 'NULL AS data',
  // An object without uid or revision is looked into after all.
  'unless-indexed': 'CASE WHEN uid IS NULL OR revision IS NULL OR extra IS NOT NULL THEN data END AS data',
  whole: 'data',
};
const KEY = 'type = ? AND cluster = ? AND namespace = ? AND name = ?';

/**
 * The precondition of a PUT, in its one statement: a body with the uid of the stored document and a resourceVersion changes nothing when the stored one is
 * newer. The uid and revision of a deleted document count until it is purged, so a PUT that was long on its way does not bring it back.
 */
const IS_NOT_OLDER = `
  documents.uid IS NULL OR documents.revision IS NULL OR excluded.uid IS NULL OR excluded.revision IS NULL OR documents.uid <> excluded.uid
  OR length(excluded.revision) > length(documents.revision)
  OR (length(excluded.revision) = length(documents.revision) AND excluded.revision >= documents.revision)`;

/** Further keys stay until the document is deleted, as with the old service, which sets what a PUT brings and leaves the rest. */
const MERGED_EXTRA = `
  CASE WHEN documents.deleted = 1 OR documents.extra IS NULL THEN excluded.extra WHEN excluded.extra IS NULL THEN documents.extra
  ELSE json_patch(documents.extra, excluded.extra) END`;

/** The documents of the `dynamic` database, all types in one table. Everything is synchronous; writes belong into a Writer. */
export class DocumentStore {
  readonly #db: DatabaseSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #get: StatementSync;
  readonly #lists = new Map<string, StatementSync>();
  /** Whether a watcher wants to know if an update differs. */
  #compares: () => boolean;

  constructor(db: DatabaseSync, options: { readonly checksRevisions: boolean; readonly compares: () => boolean }) {
    this.#db = db;
    this.#compares = options.compares;
    this.#put = db.prepare(`
      INSERT INTO documents (type, cluster, namespace, name, uid, revision, created_at, updated_at, extra, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (type, cluster, namespace, name) DO UPDATE SET
        uid = excluded.uid, revision = excluded.revision, writes = writes + 1, revived = deleted, deleted = 0,
        created_at = CASE deleted WHEN 1 THEN excluded.created_at ELSE created_at END, updated_at = excluded.updated_at, extra = ${MERGED_EXTRA}, data = excluded.data
      WHERE ${options.checksRevisions ? IS_NOT_OLDER : 'TRUE'}
      RETURNING id, writes, revived, created_at AS createdAt, extra`);
    this.#delete = db.prepare(`UPDATE documents SET deleted = 1, deleted_at = ? WHERE ${KEY} AND deleted = 0 RETURNING id, uid, revision`);
    this.#get = db.prepare(`SELECT ${FIELDS}, data FROM documents WHERE ${KEY} AND deleted = 0`);
  }

  /** Stores a document; `stale` when the stored one is newer. */
  put(put: Put, now: number, log: WriteLog): WriteOutcome {
    const { type, cluster, namespace, name, uid, revision, extra, data } = put;
    const before = this.#compares() ? this.get(put) : null;
    const row = this.#put.get(type, cluster, namespace, name, uid, revision, now, now, extra, data) as
      | { readonly id: number; readonly writes: number; readonly revived: number; readonly createdAt: number; readonly extra: string | null }
      | undefined;
    const outcome = row === undefined ? 'stale' : row.writes === 1 ? 'created' : row.revived === 1 ? 'revived' : 'updated';
    log.entries.push(entryOf(put, { now, method: 'PUT', uid, revision, outcome }));
    if (row === undefined) return outcome;
    const { id, createdAt } = row;
    const stored = { id, type, cluster, namespace, name, uid, revision, createdAt, updatedAt: now, extra: row.extra, data };
    log.changes.push({
      collection: 'dynamic',
      cluster,
      type,
      frames: [outcome === 'created' ? WATCH_ADD : WATCH_CHANGE],
      hasDiff: before === null ? null : before.data !== data || before.extra !== row.extra,
      text: () => documentText(stored),
    });
    return outcome;
  }

  /** The live document at a key. */
  get({ type, cluster, namespace, name }: DocumentKey): DocumentRow | null {
    return (this.#get.get(type, cluster, namespace, name) as DocumentRow | undefined) ?? null;
  }

  /** Marks a document as deleted; its updateTime stays. Absent is fine. */
  delete(key: DocumentKey, now: number, log: WriteLog): WriteOutcome {
    const { type, cluster, namespace, name } = key;
    const found = this.get(key);
    const row = this.#delete.get(now, type, cluster, namespace, name) as { readonly uid: string | null; readonly revision: string | null } | undefined;
    const outcome = row === undefined ? 'absent' : 'deleted';
    log.entries.push(entryOf(key, { now, method: 'DELETE', uid: row?.uid ?? null, revision: row?.revision ?? null, outcome }));
    if (found !== null) {
      const text = (): string => `${documentText(found).slice(0, -1)},"_isBcsObjectDeleted":true}`;
      log.changes.push({ collection: 'dynamic', cluster, type, frames: [WATCH_DELETE, WATCH_CHANGE], hasDiff: true, text });
    }
    return outcome;
  }

  /**
   * Documents in the order of namespace and name, a chunk at a time: whoever awaits between two chunks leaves room for others, and what is written
   * meanwhile is seen or not, but no document twice.
   */
  *chunks(scope: Scope, need: DataNeed): Generator<readonly DocumentRow[]> {
    const statement = this.#list(`scope ${scope.namespace === null} ${need}`, () =>
      scope.namespace === null
        ? `SELECT ${FIELDS}, ${DATA[need]} FROM documents INDEXED BY documents_live WHERE type = ? AND cluster = ? AND (namespace, name) > (?, ?) AND deleted = 0 ORDER BY namespace, name LIMIT ${CHUNK}`
        : `SELECT ${FIELDS}, ${DATA[need]} FROM documents INDEXED BY documents_live WHERE type = ? AND cluster = ? AND namespace = ? AND name > ? AND deleted = 0 ORDER BY name LIMIT ${CHUNK}`,
    );
    let last: DocumentRow | undefined;
    do {
      const rows = statement.all(scope.type, scope.cluster, scope.namespace ?? last?.namespace ?? '', last?.name ?? '') as unknown as readonly DocumentRow[];
      yield rows;
      last = rows.length < CHUNK ? undefined : rows.at(-1);
    } while (last !== undefined);
  }

  /** A page without further conditions, by the index alone. Null when the conditions need a look into the documents. */
  page(scope: Scope, query: ListQuery): readonly DocumentRow[] | null {
    if (query.conditions.length > 0 || query.limit > CHUNK) return null;
    const need = dataNeed(query.fields, query.conditions);
    const statement = this.#list(`page ${scope.namespace === null} ${need}`, () => {
      const where = scope.namespace === null ? 'type = ? AND cluster = ?' : 'type = ? AND cluster = ? AND namespace = ?';
      return `SELECT ${FIELDS}, ${DATA[need]} FROM documents INDEXED BY documents_live WHERE ${where} AND deleted = 0 ORDER BY namespace, name LIMIT ? OFFSET ?`;
    });
    const names = scope.namespace === null ? [scope.type, scope.cluster] : [scope.type, scope.cluster, scope.namespace];
    return statement.all(...names, query.limit, query.offset) as unknown as readonly DocumentRow[];
  }

  /** Documents of several clusters, newest first. */
  *newestFirst(type: string, clusters: readonly string[]): Generator<readonly DocumentRow[]> {
    const statement = this.#list('newest', () => {
      const where = 'type = ? AND cluster IN (SELECT value FROM json_each(?)) AND id < ? AND deleted = 0';
      return `SELECT ${FIELDS}, data FROM documents WHERE ${where} ORDER BY id DESC LIMIT ${CHUNK}`;
    });
    let below: number | undefined = Number.MAX_SAFE_INTEGER;
    while (below !== undefined) {
      const rows: readonly DocumentRow[] = statement.all(type, JSON.stringify(clusters), below) as unknown as readonly DocumentRow[];
      yield rows;
      below = rows.length < CHUNK ? undefined : rows.at(-1)?.id;
    }
  }

  /** The namespaces of a cluster that have a live document of one of these types, in order. */
  namespacesOf(cluster: string, types: readonly string[]): readonly string[] {
    const statement = this.#list(
      'namespaces',
      () =>
        `SELECT DISTINCT namespace FROM documents WHERE type IN (SELECT value FROM json_each(?)) AND cluster = ? AND namespace <> '' AND deleted = 0 ORDER BY namespace`,
    );
    return (statement.all(JSON.stringify(types), cluster) as unknown as readonly { readonly namespace: string }[]).map(({ namespace }) => namespace);
  }

  /** Removes what was deleted before `time`, and forgets its revisions. */
  purge(time: number): number {
    return Number(this.#db.prepare('DELETE FROM documents WHERE deleted = 1 AND deleted_at < ?').run(time).changes);
  }

  /** Live documents of a type that nobody has written since `time`. */
  olderThan(type: string, time: number): readonly DocumentKey[] {
    const rows = this.#db.prepare('SELECT type, cluster, namespace, name FROM documents WHERE type = ? AND updated_at < ? AND deleted = 0').all(type, time);
    return rows as unknown as readonly DocumentKey[];
  }

  /** Removes all documents of a cluster, deleted ones too. Returns how many. */
  wipe(cluster: string): number {
    return Number(this.#db.prepare('DELETE FROM documents WHERE cluster = ?').run(cluster).changes);
  }

  #list(name: string, sql: () => string): StatementSync {
    let statement = this.#lists.get(name);
    if (statement === undefined) {
      statement = this.#db.prepare(sql());
      this.#lists.set(name, statement);
    }
    return statement;
  }
}

/** The rows of `chunks` that meet the query's conditions. */
export function matching(rows: readonly DocumentRow[], query: Pick<ListQuery, 'conditions'>): readonly DocumentRow[] {
  if (query.conditions.length === 0) return rows;
  return rows.filter((row) => {
    const document = documentOf(row);
    return query.conditions.every((condition) => matches(document, condition));
  });
}

/** The rows as the JSON text of a list. */
export function listText(rows: readonly DocumentRow[], query: Pick<ListQuery, 'fields'>): string {
  return `[${rows.map((row) => rendered(row, query.fields)).join(',')}]`;
}

function entryOf(
  key: DocumentKey,
  what: {
    readonly now: number;
    readonly method: 'PUT' | 'DELETE';
    readonly uid: string | null;
    readonly revision: string | null;
    readonly outcome: WriteOutcome;
  },
): WriteEntry {
  return {
    time: what.now,
    method: what.method,
    key: `${key.cluster}/${key.namespace}/${key.type}/${key.name}`,
    uid: what.uid,
    resourceVersion: what.revision,
    outcome: what.outcome,
  };
}
