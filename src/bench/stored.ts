import { DatabaseSync } from 'node:sqlite';

/** One line of the change log, which a trigger writes for each row that changed: it knows what was written, whoever says what. */
export interface LoggedChange {
  readonly type: string;
  /** The kind, then `namespace/name`. */
  readonly key: string;
  readonly revision: string;
}

/** What a database file holds, read beside its writer in short calls. Open only while the mirror runs: a reader that stays keeps the log of SQLite from being folded at the end. */
export class Stored implements Disposable {
  readonly #db: DatabaseSync;

  constructor(file: string) {
    this.#db = new DatabaseSync(file, { readOnly: true });
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  /** The number of the newest line of the change log. */
  newest(): number {
    return Number(this.#db.prepare('SELECT coalesce(max(seq), 0) AS n FROM changes').get()?.['n']);
  }

  objects(): number {
    return Number(this.#db.prepare('SELECT count(*) AS n FROM objects').get()?.['n']);
  }

  changesAfter(seq: number): readonly LoggedChange[] {
    const rows = this.#db.prepare('SELECT type, resource, namespace, name, resource_version FROM changes WHERE seq > ? ORDER BY seq').all(seq);
    return rows.map((row) => ({
      type: String(row['type']),
      key: `${String(row['resource'])} ${String(row['namespace'])}/${String(row['name'])}`,
      revision: String(row['resource_version']),
    }));
  }

  /** How many pods are missing, surplus, or at another revision than in `truth`. A revision belongs to one state of one object, so its body follows. */
  differences(truth: ReadonlyMap<string, string>): number {
    const rows = this.#db.prepare("SELECT namespace, name, resource_version FROM objects WHERE resource = 'pods'");
    rows.setReturnArrays(true);
    let equal = 0;
    let count = 0;
    for (const row of rows.all() as unknown as readonly (readonly string[])[]) {
      count++;
      if (truth.get(`${row[0]}/${row[1]}`) === row[2]) equal++;
    }
    return truth.size - equal + (count - equal);
  }
}
