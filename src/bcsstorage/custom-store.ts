import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { parseExactly } from '../transform/exact-json.ts';
import { documentId, timeText } from './documents.ts';
import type { Json, JsonObject } from './json-value.ts';
import { parsePath, valuesAt } from './paths.ts';

export interface CustomRow {
  readonly id: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** JSON text, without what the service adds. */
  readonly document: string;
}

interface IndexRow {
  readonly id: number;
  readonly keys: string;
}

const CHUNK = 500;
/** Keys that the service sets. */
const OWN_KEYS = ['_id', 'createTime', 'updateTime'];

/**
 * Free-form documents (`customresources`). Within one resource type, any number of unique indexes: a PUT replaces the keys that it brings of the document
 * that has the same values under the oldest index, or inserts; a document whose values another one has under another index is refused. Everything is synchronous.
 */
export class CustomStore {
  readonly #db: DatabaseSync;
  readonly #indexes: StatementSync;
  readonly #byKey: StatementSync;
  readonly #byId: StatementSync;
  readonly #insert: StatementSync;
  readonly #update: StatementSync;
  readonly #delete: StatementSync;
  readonly #addKey: StatementSync;
  readonly #dropKeys: StatementSync;
  readonly #chunk: StatementSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
    const fields = 'id, created_at AS createdAt, updated_at AS updatedAt, document';
    this.#indexes = db.prepare('SELECT id, keys FROM custom_indexes WHERE type = ? ORDER BY id');
    this.#byKey = db.prepare('SELECT document_id AS id FROM custom_keys WHERE index_id = ? AND key = ?');
    this.#byId = db.prepare(`SELECT ${fields} FROM custom_documents WHERE id = ?`);
    this.#insert = db.prepare('INSERT INTO custom_documents (type, created_at, updated_at, document) VALUES (?, ?, ?, ?) RETURNING id');
    this.#update = db.prepare('UPDATE custom_documents SET updated_at = ?, document = ? WHERE id = ?');
    this.#delete = db.prepare('DELETE FROM custom_documents WHERE id = ?');
    this.#addKey = db.prepare('INSERT INTO custom_keys (index_id, key, document_id) VALUES (?, ?, ?)');
    this.#dropKeys = db.prepare('DELETE FROM custom_keys WHERE document_id = ?');
    this.#chunk = db.prepare(`SELECT ${fields} FROM custom_documents WHERE type = ? AND id > ? ORDER BY id LIMIT ${CHUNK}`);
  }

  put(type: string, body: JsonObject, now: number): void {
    const document = Object.fromEntries(Object.entries(body).filter(([key]) => !OWN_KEYS.includes(key)));
    const indexes = this.#indexes.all(type) as unknown as readonly IndexRow[];
    const [first] = indexes;
    const found = first === undefined ? undefined : (this.#byKey.get(first.id, keyOf(first, document)) as { readonly id: number } | undefined);
    if (found === undefined) {
      const { id } = this.#insert.get(type, now, now, JSON.stringify(document)) as { readonly id: number };
      this.#addKeys(indexes, id, document);
      return;
    }
    const stored = this.#byId.get(found.id) as unknown as CustomRow;
    const merged = { ...(parseExactly(stored.document) as JsonObject), ...document };
    this.#update.run(now, JSON.stringify(merged), found.id);
    this.#dropKeys.run(found.id);
    this.#addKeys(indexes, found.id, merged);
  }

  delete(id: number): void {
    this.#delete.run(id);
  }

  get(id: number): CustomRow | null {
    return (this.#byId.get(id) as CustomRow | undefined) ?? null;
  }

  /** Documents in the order of their creation, a chunk at a time. */
  *chunks(type: string): Generator<readonly CustomRow[]> {
    let after: number | undefined = 0;
    while (after !== undefined) {
      const rows: readonly CustomRow[] = this.#chunk.all(type, after) as unknown as readonly CustomRow[];
      yield rows;
      after = rows.length < CHUNK ? undefined : rows.at(-1)?.id;
    }
  }

  /** Adds a unique index, with the documents that are there. One of this name stays as it is. Throws when two documents have the same values. */
  addIndex(type: string, name: string, keys: readonly string[]): void {
    const made = this.#db
      .prepare('INSERT INTO custom_indexes (type, name, keys) VALUES (?, ?, ?) ON CONFLICT (type, name) DO NOTHING RETURNING id, keys')
      .get(type, name, JSON.stringify(keys)) as IndexRow | undefined;
    if (made === undefined) return;
    for (const rows of this.chunks(type)) for (const row of rows) this.#addKeys([made], row.id, parseExactly(row.document) as JsonObject);
  }

  /** Whether there was one. */
  dropIndex(type: string, name: string): boolean {
    return this.#db.prepare('DELETE FROM custom_indexes WHERE type = ? AND name = ?').run(type, name).changes > 0;
  }

  #addKeys(indexes: readonly IndexRow[], id: number, document: JsonObject): void {
    for (const index of indexes) this.#addKey.run(index.id, keyOf(index, document), id);
  }
}

/** The values of a document under an index, as one text; what is missing counts as null. */
function keyOf(index: IndexRow, document: JsonObject): string {
  const keys = JSON.parse(index.keys) as readonly string[];
  return JSON.stringify(keys.map((key): Json => valuesAt(document, parsePath(key))[0] ?? null));
}

/** The document with what the service adds. */
export function customDocument(row: CustomRow): JsonObject {
  const { id, createdAt, updatedAt } = row;
  return { _id: documentId(id), ...(parseExactly(row.document) as JsonObject), createTime: timeText(createdAt), updateTime: timeText(updatedAt) };
}
