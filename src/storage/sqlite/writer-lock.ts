import { DatabaseSync } from 'node:sqlite';
import { StorageError } from '../../model/errors.ts';
import { isBusy, storageErrorOf } from './conditions.ts';

/** Who writes, as the next one who wants to is told. */
export interface Holder {
  readonly host: string;
  readonly pid: number;
  /** Unix ms. */
  readonly since: number;
}

/** The writer's place of one database file. */
export interface WriterLock {
  release(): void;
}

/**
 * Takes the writer's place of the database at `path`, or throws StorageError naming the holder. The place is the RESERVED lock of SQLite on a file
 * beside it: the operating system gives it back however the process ends, so there is nothing stale to clean up, and readers of that file
 * still see the holder's name, which is committed before the lock is taken for good. The file stays after release: removing it
 * would let two writers hold locks on two files of one name.
 */
export function takeWriterLock(path: string, holder: Holder): WriterLock {
  const lockPath = `${path}.lock`;
  let db: DatabaseSync | undefined;
  try {
    // The wait covers the moment in which another one writes its name or reads ours.
    db = new DatabaseSync(lockPath, { timeout: 250 });
    const lock = db;
    lock.exec('BEGIN IMMEDIATE');
    lock.exec('CREATE TABLE IF NOT EXISTS holder (one INTEGER PRIMARY KEY CHECK (one = 1), host TEXT, pid INTEGER, since INTEGER)');
    lock.prepare('INSERT OR REPLACE INTO holder VALUES (1, ?, ?, ?)').run(holder.host, holder.pid, holder.since);
    lock.exec('COMMIT');
    lock.exec('BEGIN IMMEDIATE');
    return {
      release() {
        if (lock.isOpen) lock.close();
      },
    };
  } catch (cause) {
    const refused = isBusy(cause) ? refusal(path, db) : storageErrorOf('lock', lockPath, cause);
    if (db?.isOpen === true) db.close();
    throw refused;
  }
}

function refusal(path: string, db: DatabaseSync | undefined): StorageError {
  let who = 'another process';
  try {
    const row = db?.prepare('SELECT host, pid, since FROM holder').get();
    if (row !== undefined) who = `process ${String(row['pid'])} on host ${String(row['host'])}, since ${new Date(Number(row['since'])).toISOString()}`;
  } catch {
    // The holder is writing its name just now; the refusal stands without it.
  }
  return new StorageError(
    `Cannot write to the database "${path}": it is being written by ${who}. Stop that one, or name another file; reading beside it is fine`,
    { retryable: true },
  );
}
