import { DatabaseSync } from 'node:sqlite';
import { isDeepStrictEqual } from 'node:util';
import type { ObjectTree } from '../../src/hollow/objects.ts';
import type { Hollow } from '../../src/hollow/server.ts';
import { until } from '../support/until.ts';

/** A row of the copy as SQL shows it, its body parsed. */
export interface CopyRow {
  readonly key: string;
  readonly uid: string;
  readonly revision: string;
  readonly apiVersion: string;
  readonly writtenAt: number;
  readonly text: string;
  readonly body: ObjectTree;
}

export interface Expectation {
  /** Default: everything the cluster has but Secrets and Leases. Kinds that are not named must have no rows. */
  readonly kinds?: readonly string[];
  /** What is to be stored of a live object without its managedFields; null: nothing. Default: all of it. */
  readonly stored?: (tree: ObjectTree, kind: string) => ObjectTree | null;
  /** Kinds of which only the keys are compared. */
  readonly keysOnly?: readonly string[];
}

const OFF_BY_DEFAULT = ['secrets', 'leases.coordination.k8s.io'];

/** What a SQLite file holds, read by nothing but SQL and JSON.parse. */
export class Copy implements Disposable {
  readonly #db: DatabaseSync;

  constructor(path: string) {
    this.#db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  }

  all(sql: string, ...values: string[]): readonly Record<string, unknown>[] {
    return this.#db.prepare(sql).all(...values);
  }

  rows(kind: string): readonly CopyRow[] {
    const [resource = '', ...group] = kind.split('.');
    const sql = 'SELECT * FROM objects WHERE api_group = ? AND resource = ? ORDER BY namespace, name';
    return this.all(sql, group.join('.'), resource).map((row) => ({
      key: row['namespace'] === '' ? String(row['name']) : `${String(row['namespace'])}/${String(row['name'])}`,
      uid: String(row['uid']),
      revision: String(row['resource_version']),
      apiVersion: String(row['api_version']),
      writtenAt: Number(row['written_at']),
      text: String(row['body']),
      get body() {
        return JSON.parse(String(row['body'])) as ObjectTree;
      },
    }));
  }

  row(kind: string, key: string): CopyRow | undefined {
    return this.rows(kind).find((row) => row.key === key);
  }

  /** Kinds that have rows. */
  kinds(): readonly string[] {
    return this.all("SELECT DISTINCT resource || iif(api_group = '', '', '.' || api_group) AS kind FROM objects ORDER BY kind").map((row) =>
      String(row['kind']),
    );
  }

  /** Writes ever made to rows, by the change log. */
  writes(kind?: string): number {
    const [resource = '', ...group] = (kind ?? '').split('.');
    const where = kind === undefined ? '' : ` WHERE api_group = '${group.join('.')}' AND resource = '${resource}'`;
    return Number(this.all(`SELECT count(*) AS writes FROM changes${where}`)[0]?.['writes']);
  }

  /** Every difference to the cluster, as a sentence. */
  differences(hollow: Hollow, { kinds, stored = (tree) => tree, keysOnly = [] }: Expectation = {}): readonly string[] {
    const wanted = kinds ?? [...hollow.world.kinds()].map(({ id }) => id).filter((id) => !OFF_BY_DEFAULT.includes(id));
    const found: string[] = this.kinds()
      .filter((kind) => !wanted.includes(kind))
      .map((kind) => `${kind}: has rows but should have none`);
    for (const kind of wanted) {
      const rows = new Map(this.rows(kind).map((row) => [row.key, row]));
      for (const live of hollow.list(kind)) {
        const { namespace = '', name = '', uid, resourceVersion } = live.metadata ?? {};
        const key = namespace === '' ? name : `${namespace}/${name}`;
        const tree = stored(withoutManagedFields(live), kind);
        if (tree === null) continue;
        const row = rows.get(key);
        rows.delete(key);
        if (row === undefined) found.push(`${kind} ${key}: is missing`);
        else if (row.uid !== uid) found.push(`${kind} ${key}: has uid ${row.uid} instead of ${uid}`);
        else if (keysOnly.includes(kind)) continue;
        else if (row.revision !== resourceVersion) found.push(`${kind} ${key}: has revision ${row.revision} instead of ${resourceVersion}`);
        else if (!isDeepStrictEqual(row.body, JSON.parse(JSON.stringify(tree)))) found.push(`${kind} ${key}: has another body: ${row.text}`);
      }
      for (const key of rows.keys()) found.push(`${kind} ${key}: is in the copy only`);
    }
    return found;
  }

  /** Resolves when the copy equals the cluster; rejects with the first differences after `withinMs`. */
  async equals(hollow: Hollow, expectation: Expectation & { readonly withinMs?: number } = {}): Promise<void> {
    const look = (): boolean => {
      const found = this.differences(hollow, expectation);
      if (found.length > 0) throw new Error(`${found.length} differences: ${found.slice(0, 3).join('; ').slice(0, 2_000)}`);
      return true;
    };
    await until('the copy equals the cluster', look, { withinMs: expectation.withinMs ?? 15_000, everyMs: 40 });
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}

export function withoutManagedFields(tree: ObjectTree): ObjectTree {
  const { managedFields: _, ...metadata } = tree.metadata ?? {};
  return { ...tree, metadata };
}
