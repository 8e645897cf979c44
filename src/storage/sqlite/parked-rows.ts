import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { compareRevisions } from '../../model/revision.ts';
import { isInShard, type Shard } from '../../model/shard.ts';
import type { Row } from './batch.ts';
import { FIND_PARKED, PARK, PARKED_KEYS, UNPARK } from './statements.ts';

/** What is kept of an engine's text: a sentence, never an object that it quotes. */
const ERROR_LENGTH = 1_000;

/** Neither a name nor a group can contain it. */
const SEPARATOR = '/';

/**
 * The table `parked`, written in the transaction that refused the row. Which keys are there is known without asking, so that rows cost nothing
 * while none is parked and no statement while another one is.
 *
 * A key may be parked by another shard, whose object has taken the name or had it before: that one's record is taken out by its own shard, and only gives way
 * to a newer object.
 */
export class ParkedRows {
  readonly #cluster: string;
  readonly #shard: Shard;
  readonly #find: StatementSync;
  readonly #park: StatementSync;
  readonly #unpark: StatementSync;
  /** Every key of the cluster in the table, as this transaction leaves it. */
  readonly #known: Set<string>;
  /** Keys that this transaction touched, and whether each was there before. */
  readonly #before = new Map<string, boolean>();

  constructor(db: DatabaseSync, { cluster, shard }: { readonly cluster: string; readonly shard: Shard }) {
    this.#cluster = cluster;
    this.#shard = shard;
    this.#find = db.prepare(FIND_PARKED);
    this.#park = db.prepare(PARK);
    this.#unpark = db.prepare(UNPARK);
    this.#known = new Set(
      db
        .prepare(PARKED_KEYS)
        .all(cluster)
        .map((row) =>
          idOf({ group: String(row['api_group']), resource: String(row['resource']), namespace: String(row['namespace']), name: String(row['name']) }),
        ),
    );
  }

  park(row: Row, error: string, wallMs: number): void {
    // A delete that names no revision can be refused too, by a trigger of somebody's own: "0" is any revision.
    const revision = row.revision ?? '0';
    const foreign = this.#foreign(row);
    if (foreign !== null && compareRevisions(foreign, revision) > 0) return;
    this.#park.run(this.#cluster, row.group, row.resource, row.namespace, row.name, row.uid, revision, error.slice(0, ERROR_LENGTH), wallMs);
    const id = idOf(row);
    this.#touch(id);
    this.#known.add(id);
  }

  unpark(row: Row): void {
    if (this.#known.size === 0) return;
    const id = idOf(row);
    if (!this.#known.has(id)) return;
    // A person may take out any.
    if (!row.isUnpark && this.#foreign(row) !== null) return;
    this.#touch(id);
    this.#unpark.run(this.#cluster, row.group, row.resource, row.namespace, row.name);
    this.#known.delete(id);
  }

  /** The revision of what another shard has parked under this key; null when none has. */
  #foreign(row: Row): string | null {
    if (this.#shard.count === 1) return null;
    const found = this.#find.get(this.#cluster, row.group, row.resource, row.namespace, row.name);
    return found === undefined || isInShard(String(found['uid']), this.#shard) ? null : String(found['resource_version']);
  }

  committed(): void {
    this.#before.clear();
  }

  rolledBack(): void {
    for (const [id, wasKnown] of this.#before) {
      if (wasKnown) this.#known.add(id);
      else this.#known.delete(id);
    }
    this.#before.clear();
  }

  #touch(id: string): void {
    if (!this.#before.has(id)) this.#before.set(id, this.#known.has(id));
  }
}

function idOf(row: Pick<Row, 'group' | 'resource' | 'namespace' | 'name'>): string {
  return [row.group, row.resource, row.namespace, row.name].join(SEPARATOR);
}
