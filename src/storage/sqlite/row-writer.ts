import { statSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { jsonProblem } from '../../json/check.ts';
import { EpochError, messageOf, StorageError } from '../../model/errors.ts';
import { splitKindId } from '../../model/kind.ts';
import type { Shard } from '../../model/shard.ts';
import type { ScopeRecord } from '../storage.ts';
import { CODE, rowsOf, setResult } from './batch.ts';
import type { BatchMessage, OutcomeCode, Row } from './batch.ts';
import { HASH_BYTES, writeBodyHash } from './body-hash.ts';
import { ChangeLogPruner } from './change-log.ts';
import type { HistoryBounds } from './change-log.ts';
import { conditionOf, isRowsFault } from './conditions.ts';
import { ParkedRows } from './parked-rows.ts';
import { DELETE, FENCE_WRITERS, HAS_OTHER_WRITERS, LOOK_UP, READ_WRITER, REMOVE_SCOPE, SAVE_SCOPE, SAVE_WRITER, STAMP_DELETE, UPSERT } from './statements.ts';
import { Tombstones } from './tombstones.ts';
import { WalCap } from './wal-cap.ts';

export interface RowWriterOptions {
  readonly path: string;
  readonly cluster: string;
  /** Null: nobody elects, and the newest epoch in the file goes on. */
  readonly epoch: number | null;
  readonly holder: string;
  /** What of the cluster is written. */
  readonly shard: Shard;
  readonly wallMs: number;
  readonly history: HistoryBounds;
  /** The most that the write-ahead log may take, in bytes. */
  readonly walBytes: number;
}

/** What became of a batch beside the codes in its `ints`. */
export interface BatchResult {
  /** Texts of the rows that were rejected. */
  readonly errors: readonly (readonly [index: number, error: string])[];
  /** When not null nothing was committed, and every row is a `retry` for this reason. */
  readonly failure: string | null;
  /** When not null the failure is that another writer of this epoch has taken the place. */
  readonly fencedBy: number | null;
}

/** Applies batches to the database, each in one transaction. Lives in the worker thread and blocks it. */
export class RowWriter {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #inode: number;
  readonly #cluster: string;
  readonly #epoch: number;
  /** Epochs of two shards cannot be compared, and a name may go from one to the other: then the epoch of a row says nothing, only that of the writer's place. */
  readonly #highestEpoch: number;
  readonly #shard: Shard;
  /** Null when nobody elects: then the lock of the file says who writes. */
  readonly #holder: string | null;
  readonly #upsert: StatementSync;
  readonly #delete: StatementSync;
  readonly #stampDelete: StatementSync;
  readonly #lookUp: StatementSync;
  readonly #saveScope: StatementSync;
  readonly #removeScope: StatementSync;
  readonly #readWriter: StatementSync;
  readonly #pruner: ChangeLogPruner;
  readonly #parked: ParkedRows;
  readonly #tombstones: Tombstones;
  readonly #wal: WalCap;
  /** Of the row at hand: SQLite copies what is bound. */
  readonly #hash = Buffer.alloc(HASH_BYTES);
  #inodeCheckedAt = Number.NEGATIVE_INFINITY;

  /** Takes the writer's row; throws EpochError when a higher epoch holds it, or another holder of the same. */
  constructor(db: DatabaseSync, options: RowWriterOptions) {
    this.#db = db;
    this.#path = options.path;
    this.#inode = statSync(options.path).ino;
    this.#cluster = options.cluster;
    this.#shard = options.shard;
    const { index, count } = options.shard;
    this.#upsert = db.prepare(UPSERT);
    this.#delete = db.prepare(DELETE);
    this.#stampDelete = db.prepare(STAMP_DELETE);
    this.#lookUp = db.prepare(LOOK_UP);
    this.#saveScope = db.prepare(SAVE_SCOPE);
    this.#removeScope = db.prepare(REMOVE_SCOPE);
    this.#readWriter = db.prepare(READ_WRITER);
    this.#pruner = new ChangeLogPruner(db, options.history);
    this.#parked = new ParkedRows(db, options);
    this.#wal = new WalCap(db, { path: options.path, capBytes: options.walBytes });
    const stored = this.#readWriter.get(options.cluster, index);
    this.#epoch = options.epoch ?? Number(stored?.['epoch'] ?? 0);
    this.#holder = options.epoch === null ? null : options.holder;
    const isShared = count > 1 || db.prepare(HAS_OTHER_WRITERS).get(options.cluster, index) !== undefined;
    this.#highestEpoch = isShared ? Number.MAX_SAFE_INTEGER : this.#epoch;
    this.#tombstones = new Tombstones(db, { cluster: options.cluster, highestEpoch: this.#highestEpoch });
    const { changes } = db.prepare(SAVE_WRITER).run(options.cluster, index, this.#epoch, options.holder, options.wallMs, options.epoch === null ? 0 : 1);
    if (Number(changes) === 0) {
      const now = this.#readWriter.get(options.cluster, index);
      throw new EpochError(
        `Cannot write to the database "${options.path}": a newer writer of cluster "${options.cluster}" has been here (epoch ${String(now?.['epoch'])}, ${String(now?.['holder'])}, since ${new Date(Number(now?.['since'])).toISOString()}), and this one has epoch ${this.#epoch}. Let that one write, or name another file`,
        Number(now?.['epoch']),
      );
    }
    if (this.#holder !== null) db.prepare(FENCE_WRITERS).run(options.cluster, count);
  }

  apply(batch: BatchMessage): BatchResult {
    const errors: [number, string][] = [];
    try {
      this.#checkFile(batch.wallMs);
      const full = this.#wal.refusalOf(batch);
      if (full !== null) return { errors: [], failure: full, fencedBy: null };
      // IMMEDIATE: a foreign writer is met here, before any row, and waited for.
      this.#db.exec('BEGIN IMMEDIATE');
      this.#checkEpoch();
      let index = 0;
      for (const row of rowsOf(batch)) {
        setResult(
          batch,
          index,
          this.#settleRow(row, batch.wallMs, (error) => void errors.push([index, error])),
        );
        index++;
      }
      for (const record of batch.scopes) this.#putScope(record);
      this.#pruner.afterRows(batch.rows, batch.wallMs);
      this.#tombstones.afterRows(batch.rows, batch.wallMs);
      this.#db.exec('COMMIT');
      this.#parked.committed();
      return { errors, failure: null, fencedBy: null };
    } catch (cause) {
      // Some failures have rolled back by themselves.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      this.#parked.rolledBack();
      return {
        errors: [],
        failure: cause instanceof StorageError ? cause.message : conditionOf('write to', this.#path, cause).message,
        fencedBy: cause instanceof EpochError ? cause.newest : null,
      };
    }
  }

  /** Applies a row and keeps `parked` true to its outcome. */
  #settleRow(row: Row, wallMs: number, onError: (error: string) => void): OutcomeCode {
    if (row.isUnpark) {
      this.#parked.unpark(row);
      return CODE.written;
    }
    let refusal = '';
    const code = this.#applyRow(row, wallMs, (error) => {
      refusal = error;
      onError(error);
    });
    if (code === CODE.rejected) this.#parked.park(row, refusal, wallMs);
    else if (code !== CODE.retry && (row.isDelete || code !== CODE.stale)) this.#parked.unpark(row);
    return code;
  }

  #applyRow(row: Row, wallMs: number, onError: (error: string) => void): OutcomeCode {
    const problem = row.isDelete || row.isChecked ? null : jsonProblem(row.body);
    if (problem !== null) {
      onError(`the object is not JSON: ${problem}`);
      return CODE.rejected;
    }
    try {
      if (row.isDelete ? this.#remove(row, wallMs) : this.#put(row, wallMs)) return CODE.written;
    } catch (cause) {
      // A statement that fails undoes itself alone, unless SQLite ended the whole transaction.
      if (!isRowsFault(cause) || !this.#db.isTransaction) throw cause;
      onError(`SQLite refuses the row: ${messageOf(cause)}`);
      return CODE.rejected;
    }
    return this.#whyNot(row);
  }

  #put(row: Row, wallMs: number): boolean {
    writeBodyHash(row.body, this.#hash);
    const { changes } = this.#upsert.run(
      this.#cluster,
      row.group,
      row.resource,
      row.namespace,
      row.name,
      row.apiVersion,
      row.kind,
      row.uid,
      row.revision,
      this.#hash,
      this.#epoch,
      wallMs,
      row.body,
      row.isForced ? 2 : row.isRewrite ? 1 : 0,
      this.#highestEpoch,
    );
    if (changes === 0) return false;
    if (row.isForced) this.#tombstones.afterForce(row);
    return true;
  }

  #remove(row: Row, wallMs: number): boolean {
    const { changes } = this.#delete.run(this.#cluster, row.group, row.resource, row.namespace, row.name, row.uid, row.revision, this.#highestEpoch);
    this.#tombstones.afterDelete(row, wallMs);
    if (changes === 0) return false;
    this.#stampDelete.run(row.revision, wallMs);
    return true;
  }

  #whyNot(row: Row): OutcomeCode {
    const stored = this.#lookUp.get(this.#cluster, row.group, row.resource, row.namespace, row.name);
    // A delete finds none when it was done before; a put only when a tombstone kept it out.
    if (stored === undefined) return row.isDelete ? CODE.unchanged : CODE.stale;
    const epoch = Number(stored['epoch']);
    if (epoch > this.#highestEpoch) {
      const { namespace, name } = row;
      throw new EpochError(
        `Cannot write to the database "${this.#path}": ${row.resource} ${namespace}/${name} was written by epoch ${epoch}, and this writer has epoch ${this.#epoch}`,
        epoch,
      );
    }
    return !row.isDelete && stored['uid'] === row.uid && stored['resource_version'] === row.revision ? CODE.unchanged : CODE.stale;
  }

  #putScope(record: ScopeRecord): void {
    const { group, resource } = splitKindId(record.kind);
    if (record.retired === true) {
      this.#removeScope.run(this.#cluster, group, resource, record.scope);
      return;
    }
    this.#saveScope.run(
      this.#cluster,
      group,
      resource,
      record.scope,
      record.watermark,
      record.listedAt,
      record.heardAt,
      record.objects,
      record.complete ? 1 : 0,
      record.stored,
      record.rules,
      record.identity,
    );
  }

  /**
   * Inside the transaction, so that no other writer can come between this and the rows. Rows are guarded one by one as well; this keeps scope records
   * of a writer that lost its place out, and those of another holder of the same epoch, which a lease that was made anew can have.
   */
  #checkEpoch(): void {
    const stored = this.#readWriter.get(this.#cluster, this.#shard.index);
    if (stored === undefined) return;
    const epoch = Number(stored['epoch']);
    const isOther = this.#holder !== null && stored['holder'] !== this.#holder;
    if (epoch < this.#epoch || (epoch === this.#epoch && !isOther)) return;
    throw new EpochError(
      `Cannot write to the database "${this.#path}": epoch ${epoch} (${String(stored['holder'])}) has taken over from this writer's epoch ${this.#epoch}`,
      epoch,
    );
  }

  /** SQLite goes on writing into a file that was moved or removed, and nobody would ever read it. Asked once a second. */
  #checkFile(wallMs: number): void {
    if (Math.abs(wallMs - this.#inodeCheckedAt) < 1_000) return;
    const inode = statSync(this.#path, { throwIfNoEntry: false })?.ino;
    if (inode !== this.#inode) {
      throw new StorageError(
        `Cannot write to the database "${this.#path}": the file was moved, removed or replaced while it was open. Put it back, or start again: everything in it is read again from the cluster`,
        { retryable: false },
      );
    }
    this.#inodeCheckedAt = wallMs;
  }
}
