import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Row } from './batch.ts';
import { PrunePace } from './prune-pace.ts';
import { PRUNE_TOMBSTONES, REMOVE_TOMBSTONES, SAVE_TOMBSTONE } from './statements.ts';

/**
 * How long a delete is remembered at least. A put that comes later than its delete was under way meanwhile, in a connection or a thread; nothing
 * of ours waits for an answer that long.
 */
const KEEP_MS = 3_600_000;
/** The least that one look may remove. */
const LEAST_STEP = 250;

/**
 * What deletes leave behind: for each uid the newest revision as of which it was deleted, so that the upsert refuses an older state of it that comes
 * late. The uid is part of the key: names come back (a StatefulSet's pods), and the delete of one incarnation must not forget the others.
 *
 * Only a strictly older put is refused. The revision of a DELETED event is newer than every state of its uid, so nothing slips through there. But of
 * an object that merely left a selection, or whose absence from a list was noticed, the last state's revision is all that is known, and
 * it may rightly come back at exactly that one.
 *
 * A delete that names no revision leaves none: revisions cannot be compared then.
 */
export class Tombstones {
  readonly #cluster: string;
  readonly #highestEpoch: number;
  readonly #save: StatementSync;
  readonly #remove: StatementSync;
  readonly #prune: StatementSync;
  readonly #pace = new PrunePace(LEAST_STEP);

  constructor(db: DatabaseSync, options: { readonly cluster: string; readonly highestEpoch: number }) {
    this.#cluster = options.cluster;
    this.#highestEpoch = options.highestEpoch;
    this.#save = db.prepare(SAVE_TOMBSTONE);
    this.#remove = db.prepare(REMOVE_TOMBSTONES);
    this.#prune = db.prepare(PRUNE_TOMBSTONES);
  }

  /** The row's delete was asked for, whatever came of it. */
  afterDelete(row: Row, wallMs: number): void {
    if (row.revision === null) return;
    this.#save.run(this.#cluster, row.group, row.resource, row.namespace, row.name, row.uid, row.revision, wallMs, this.#highestEpoch);
  }

  /** A forced put was written: what was deleted before belongs to a history that no longer counts. */
  afterForce(row: Row): void {
    this.#remove.run(this.#cluster, row.group, row.resource, row.namespace, row.name);
  }

  /** To be called inside the transaction that wrote `rows` rows. */
  afterRows(rows: number, wallMs: number): void {
    const step = this.#pace.step(rows, wallMs);
    if (step !== null) this.#prune.run(wallMs - KEEP_MS, step);
  }
}
