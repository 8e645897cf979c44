import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { messageOf, StorageError } from '../model/errors.ts';
import { APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION } from './schema.ts';

/**
 * - NORMAL: a crash of the operating system may lose the last commits, one of this program does not.
 * - 16 MiB of page cache: writes come in random order of keys.
 */
const PRAGMAS = `
PRAGMA busy_timeout = 1000;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA wal_autocheckpoint = 1000;
PRAGMA cache_size = -16384;
PRAGMA foreign_keys = ON;
`;

/** Opens or creates the file of the service, or a database in memory (`:memory:`). Throws StorageError. */
export function openDatabase(path: string): DatabaseSync {
  const refuse = (why: string, cause?: unknown): never => {
    throw new StorageError(`Cannot open the database "${path}": ${why}`, { retryable: false, cause });
  };
  if (path !== ':memory:') checkFolder(path, refuse);
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path);
    const id = numberOf(db, 'application_id');
    const isEmpty = db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
    if (id !== APPLICATION_ID && !(id === 0 && isEmpty)) refuse('it belongs to another program and was left alone. Name another file');
    const version = numberOf(db, 'user_version');
    if (version > SCHEMA_VERSION)
      refuse(`its schema has version ${version}, and this kubefold knows versions up to ${SCHEMA_VERSION}. Use the newer kubefold that wrote it`);
    db.exec(`${PRAGMAS}PRAGMA application_id = ${APPLICATION_ID};`);
    for (let step = version; step < SCHEMA_VERSION; step++) db.exec(`BEGIN IMMEDIATE; ${MIGRATIONS[step] ?? ''} PRAGMA user_version = ${step + 1}; COMMIT;`);
    return db;
  } catch (cause) {
    db?.close();
    if (cause instanceof StorageError) throw cause;
    return refuse(`${messageOf(cause)}. Check that it is a file of kubefold storage, and its permissions`, cause);
  }
}

function checkFolder(path: string, refuse: (why: string) => never): void {
  const folder = dirname(path);
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (stat === undefined) return refuse(`the folder "${folder}" does not exist. Create it, or name another file`);
  if (!stat.isDirectory()) return refuse(`"${folder}" is not a folder. Name another file`);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return refuse('it is a folder, and a file is wanted. Name a file inside it');
}

function numberOf(db: DatabaseSync, pragma: string): number {
  return Number(db.prepare(`PRAGMA ${pragma}`).get()?.[pragma]);
}
