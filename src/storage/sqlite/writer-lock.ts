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
  let isCommitting = false;
  try {
    // The wait covers the moment in which another one writes its name or reads ours.
    db = new DatabaseSync(lockPath, { timeout: 250 });
    const lock = db;
    lock.exec('BEGIN IMMEDIATE');
    lock.exec('CREATE TABLE IF NOT EXISTS holder (one INTEGER PRIMARY KEY CHECK (one = 1), host TEXT, pid INTEGER, since INTEGER)');
    lock.prepare('INSERT OR REPLACE INTO holder VALUES (1, ?, ?, ?)').run(holder.host, holder.pid, holder.since);
    isCommitting = true;
    lock.exec('COMMIT');
    isCommitting = false;
    lock.exec('BEGIN IMMEDIATE');
    return {
      release() {
        if (lock.isOpen) lock.close();
      },
    };
  } catch (cause) {
    const refused = !isBusy(cause) ? storageErrorOf('lock', lockPath, cause) : isCommitting ? refusalOfElected(path) : refusal(path, db);
    if (db?.isOpen === true) db.close();
    throw refused;
  }
}

/**
 * The place of a writer that was elected by a lease. The lock above would be the wrong guard for it: a leader that is frozen keeps every lock it has, and
 * nobody could take over before it is killed. So those who elect share the file of the lock (its SHARED lock, which goes with the process too), and the
 * epoch in the database says in each transaction which of them writes. Who does not elect is kept away by them, and keeps them away, as before.
 *
 * What is left: a leader frozen in the middle of a transaction keeps SQLite's own lock on the database until it goes on or is killed, which a liveness
 * probe does. Until then nobody can write, and so neither can the frozen one be overtaken: what it commits on waking is older than any higher epoch.
 * And all of this holds among processes of one host: the write-ahead log of SQLite works over no network file system.
 */
export function joinElectedWriters(path: string): WriterLock {
  const lockPath = `${path}.lock`;
  let shared: DatabaseSync | undefined;
  let probe: DatabaseSync | undefined;
  try {
    shared = new DatabaseSync(lockPath, { timeout: 250 });
    const lock = shared;
    lock.exec('BEGIN');
    // Any read takes the lock, also of a file that is empty.
    lock.prepare('SELECT count(*) FROM sqlite_schema').get();
    // From here on nobody can commit to the file, so nobody becomes its only writer; somebody may be that already.
    probe = new DatabaseSync(lockPath, { timeout: 250 });
    probe.exec('BEGIN IMMEDIATE');
    probe.exec('ROLLBACK');
    probe.close();
    return {
      release() {
        if (lock.isOpen) lock.close();
      },
    };
  } catch (cause) {
    const refused = isBusy(cause) ? refusal(path, shared) : storageErrorOf('lock', lockPath, cause);
    if (probe?.isOpen === true) probe.close();
    if (shared?.isOpen === true) shared.close();
    throw refused;
  }
}

/** Nobody has the place alone, and yet the file cannot be committed to: that is how those who elect hold it. */
function refusalOfElected(path: string): StorageError {
  return new StorageError(
    `Cannot write to the database "${path}": it is being written by processes that elect one of them (leaderElection.enabled). Stop those, switch the election on here as well, or name another file; reading beside them is fine`,
    { retryable: true },
  );
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
