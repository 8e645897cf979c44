import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { ObjectKey } from '../../model/key.ts';
import type { KindId } from '../../model/kind.ts';
import { splitKindId } from '../../model/kind.ts';
import type { IndexRow } from '../storage.ts';
import { sqliteCode, storageErrorOf } from './conditions.ts';
import { openReadOnly } from './database-file.ts';

/** Row ids for each step of the first pass, and rows for each of the second: about 4 ms of the calling thread. */
const IDS = 10_000;
const ROWS = 2_000;

const KIND = 'cluster = ? AND api_group = ? AND resource = ?';
const SQL = {
  prepare: 'PRAGMA temp_store = MEMORY; CREATE TEMP TABLE ids (id INTEGER PRIMARY KEY)',
  ids: `INSERT INTO temp.ids SELECT rowid FROM objects WHERE ${KIND} AND (namespace, name) > (?, ?) ORDER BY namespace, name LIMIT ?`,
  position: 'SELECT namespace, name FROM objects WHERE rowid = ?',
  // As objectKey() makes it. V8 would have to flatten a key that was put together there.
  rows: `SELECT id, CASE namespace WHEN '' THEN name ELSE namespace || '/' || name END, uid, resource_version
    FROM temp.ids CROSS JOIN objects ON objects.rowid = id WHERE id > ? ORDER BY id LIMIT ?`,
} as const;

/**
 * The index of a whole kind, in the order in which its rows lie in the file: first their row ids from the primary key, which holds them, then the rows by
 * these. For namespaces take turns when rows are first written, and in the order of keys nearly every row is in another page than the one before, which is
 * read from the file once for each row in it: 100,000 rows of 4 KB in 50 namespaces
 * that take turns strictly: 103,000 reads and 280 ms of CPU in the order of keys, 16,000 and 130 ms in this one. A file that a first sync wrote: 73,000 reads and
 * 190 ms in the order of keys.
 *
 * Not done: a memory map of the file takes as long as this, shows every page as resident memory, and a disk that fails, or somebody who cuts the file, would
 * end the process with a signal instead of an error. An index that holds uid and revision would be as fast without a second pass, and costs updates.
 *
 * Row ids mean something only while nobody vacuums: so all is one transaction, on a connection of its own. It keeps the write-ahead log from being reset as long
 * as it lasts, 0.2 s for 100,000 rows: whoever takes the steps does not wait for anything else between them.
 */
export class IndexLoad {
  readonly #path: string;
  readonly #db: DatabaseSync;

  /** Throws StorageError. */
  constructor(path: string) {
    this.#path = path;
    this.#db = openReadOnly(path);
  }

  /** Pages in no order that matters; an empty one where a step found none yet. The caller lets others have their turn between them. Throws StorageError. */
  *pages(cluster: string, kind: KindId): Generator<readonly IndexRow[], void, undefined> {
    const { group, resource } = splitKindId(kind);
    const prepare = (sql: string): StatementSync => {
      const statement = this.#db.prepare(sql);
      statement.setReturnArrays(true);
      return statement;
    };
    try {
      this.#db.exec(`${SQL.prepare}; BEGIN`);
      const [ids, position, rows] = [prepare(SQL.ids), prepare(SQL.position), prepare(SQL.rows)];
      let from: readonly SQLInputValue[] = ['', ''];
      for (;;) {
        const { changes, lastInsertRowid } = ids.run(cluster, group, resource, ...from, IDS);
        if (Number(changes) < IDS) break;
        from = position.get(lastInsertRowid) as unknown as readonly [string, string];
        yield [];
      }
      let after: SQLInputValue = Number.MIN_SAFE_INTEGER;
      for (;;) {
        const page = rows.all(after, ROWS) as unknown as readonly [number, ObjectKey, string, string][];
        yield page.map(([, key, uid, revision]) => ({ key, uid, revision }));
        const last = page.at(-1);
        if (page.length < ROWS || last === undefined) return;
        [after] = last;
      }
    } catch (cause) {
      if (!this.#db.isOpen) throw new Error(`Cannot read the database "${this.#path}": its reader was closed`, { cause });
      if (sqliteCode(cause) === null) throw cause;
      throw storageErrorOf('read', this.#path, cause);
    } finally {
      this.close();
    }
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }
}
