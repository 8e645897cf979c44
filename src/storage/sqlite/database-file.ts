import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { messageOf, StorageError } from '../../model/errors.ts';
import { storageErrorOf } from './conditions.ts';
import { APPLICATION_ID, MIGRATIONS, PAGE_SIZE, SCHEMA_VERSION } from './schema.ts';

/** https://www.sqlite.org/fileformat.html section 1.3. */
const HEADER_BYTES = 100;
const APPLICATION_ID_AT = 68;
const MAGIC = 'SQLite format 3\0';

/**
 * What the path holds, found without SQLite so that a file which is not ours is not even opened by it:
 * `missing`, `new` (empty, or a database without any mark), or `ours`. Everything else throws StorageError.
 */
function inspectFile(path: string): 'missing' | 'new' | 'ours' {
  const refuse = (why: string): never => {
    throw new StorageError(`Cannot open the database "${path}": ${why}`, { retryable: false });
  };
  let stat: ReturnType<typeof statSync>;
  try {
    stat = statSync(path);
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return 'missing';
    return refuse(`${messageOf(cause)}. Check the path and its permissions`);
  }
  if (stat.isDirectory()) return refuse('it is a folder, and a file is wanted. Name a file inside it, for example "kubefold.db"');
  if (!stat.isFile()) return refuse('it is not an ordinary file. Name another one');
  if (stat.size === 0) return 'new';
  const header = Buffer.alloc(HEADER_BYTES);
  try {
    const file = openSync(path, 'r');
    try {
      readSync(file, header, 0, HEADER_BYTES, 0);
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    return refuse(`${messageOf(cause)}. Check the permissions of the file`);
  }
  if (header.toString('latin1', 0, MAGIC.length) !== MAGIC) return refuse('the file is not a SQLite database. Name another file, or move this one away');
  const id = header.readUInt32BE(APPLICATION_ID_AT);
  if (id === APPLICATION_ID) return 'ours';
  if (id === 0) return 'new';
  return refuse(`it belongs to another program (application id 0x${id.toString(16)}) and was left alone. Name another file`);
}

/** Refuses a path in whose folder no file can be made, with the folder's name: SQLite only says that it cannot. */
function checkFolder(path: string): void {
  const folder = dirname(path);
  try {
    if (statSync(folder).isDirectory()) return;
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT') throw new StorageError(`Cannot open the database "${path}": ${messageOf(cause)}`, { retryable: false, cause });
    throw new StorageError(`Cannot open the database "${path}": the folder "${folder}" does not exist. Create it, or name another file`, {
      retryable: false,
      cause,
    });
  }
  throw new StorageError(`Cannot open the database "${path}": "${folder}" is not a folder. Name another file`, { retryable: false });
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : '';
}

/** Whether the path may be written to as ours. Throws StorageError when not, and has then touched nothing there. To be called before openWritable(). */
export function checkWritable(path: string): void {
  checkFolder(path);
  try {
    if (inspectFile(path) === 'new') refuseStrangers(path);
  } catch (cause) {
    throw storageErrorOf('open', path, cause);
  }
}

/** Opens for writing what checkWritable() has passed: creates and migrates. Throws StorageError. */
export function openWritable(path: string, limits: { readonly walBytes: number; readonly length?: number | undefined }): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { timeout: 0, ...(limits.length === undefined ? {} : { limits: { length: limits.length } }) });
    // Our mark is in the header before the write-ahead log exists, so inspectFile() finds it whenever the process dies.
    db.exec(`PRAGMA busy_timeout = ${BUSY_MS}; PRAGMA page_size = ${PAGE_SIZE};`);
    if (applicationId(db) === 0) db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    db.exec(`${WRITER_PRAGMAS}PRAGMA journal_size_limit = ${Math.min(MOST_IDLE_WAL_BYTES, limits.walBytes)}`);
    migrate(db, path);
    return db;
  } catch (cause) {
    db?.close();
    throw storageErrorOf('open', path, cause);
  }
}

/** How long a foreign writer (a person with a SQL shell) is waited for, in the worker thread, before a transaction is a `retry`. */
export const BUSY_MS = 1_000;

/** What the file of the log is cut back to when the log begins anew in it. */
const MOST_IDLE_WAL_BYTES = 64 * 2 ** 20;

/**
 * - NORMAL: a crash of the operating system may lose the last commits, never break the file; the lost rows and the watermark that covers them were
 *   in the same transactions, so the mirror watches again from before them.
 * - The log is folded into the file every 500 pages (2 MiB). Folding holds the writer up: with 1,000
 *   changes of 4 KB a second, every 4,000 pages held it 35 to 67 ms, and 98.9 % of the changes were durable within 40 ms; every 1,000 pages 99.3 %, every 500
 *   99.6 %. The CPU is the same within noise.
 * - 4 MiB of page cache hold the inner pages of the primary key; between 2 and 32 MiB no difference was measured.
 */
const WRITER_PRAGMAS = `
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA wal_autocheckpoint = 500;
PRAGMA cache_size = -4096;
`;

/** A database without a mark is ours to take only while nothing is in it. */
function refuseStrangers(path: string): void {
  if (statSync(path).size === 0) return;
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    const tables = db.prepare('SELECT name FROM sqlite_schema LIMIT 1').get();
    if (tables === undefined) return;
    throw new StorageError(
      `Cannot open the database "${path}": it is a SQLite database of another program (it has "${String(tables['name'])}") and was left alone. Name another file`,
      {
        retryable: false,
      },
    );
  } finally {
    db.close();
  }
}

function migrate(db: DatabaseSync, path: string): void {
  if (checkVersion(db, path) === SCHEMA_VERSION) return;
  db.exec('BEGIN IMMEDIATE');
  try {
    // Once more: the writer of another shard may have done it meanwhile.
    const from = checkVersion(db, path);
    for (const step of MIGRATIONS.slice(from)) db.exec(step);
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
  } catch (cause) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw cause;
  }
}

/** The schema's version; throws when it is newer than this program knows. */
function checkVersion(db: DatabaseSync, path: string): number {
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
  if (version <= SCHEMA_VERSION) return version;
  throw new StorageError(
    `Cannot open the database "${path}": its schema has version ${version}, and this kubefold knows versions up to ${SCHEMA_VERSION}. Use the newer kubefold that wrote it, or name another file`,
    { retryable: false },
  );
}

function applicationId(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA application_id').get()?.['application_id']);
}

/** Opens for reading beside a writer. Throws StorageError when the file is missing, not ours, newer, or not yet set up. */
export function openReadOnly(path: string): DatabaseSync {
  const refuse = (why: string): never => {
    throw new StorageError(`Cannot read the database "${path}": ${why}`, { retryable: false });
  };
  const found = inspectFile(path);
  if (found === 'missing') return refuse(`the file does not exist. Start a mirror that writes it (kubefold run --storage "sqlite:${path}"), or check the path`);
  let db: DatabaseSync | undefined;
  try {
    if (found === 'new') refuseStrangers(path);
    db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_MS });
    const version = found === 'new' ? 0 : checkVersion(db, path);
    if (version === SCHEMA_VERSION) return db;
    return refuse(
      version === 0
        ? 'it is empty. A mirror has not written to it yet; start one (kubefold run), or check the path'
        : `its schema has the older version ${version}. Let this kubefold's mirror open it once (kubefold run), which brings it to ${SCHEMA_VERSION}`,
    );
  } catch (cause) {
    db?.close();
    throw storageErrorOf('read', path, cause);
  }
}
