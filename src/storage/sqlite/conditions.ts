import { messageOf, StorageError } from '../../model/errors.ts';

/** Primary result codes of SQLite (https://www.sqlite.org/rescode.html) that we act on. */
const CODES = {
  error: 1,
  permission: 3,
  busy: 5,
  locked: 6,
  noMemory: 7,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  tooBig: 18,
  constraint: 19,
  mismatch: 20,
  notADatabase: 26,
} as const;

/** The primary result code of an error thrown by node:sqlite; null when it is none. */
export function sqliteCode(cause: unknown): number | null {
  if (!(cause instanceof Error) || !('errcode' in cause) || typeof cause.errcode !== 'number') return null;
  return cause.errcode & 0xff;
}

export function isBusy(cause: unknown): boolean {
  const code = sqliteCode(cause);
  return code === CODES.busy || code === CODES.locked;
}

/**
 * Whether SQLite refused one row for what it is (too large, a constraint or an index of somebody's own), so that its neighbours may still be
 * written. Everything else is a condition of the database and says nothing about the row.
 */
export function isRowsFault(cause: unknown): boolean {
  switch (sqliteCode(cause)) {
    case CODES.tooBig:
    case CODES.constraint:
    case CODES.mismatch:
      return true;
    case CODES.error:
      // An index or trigger that somebody put on `body` meets JSON that SQLite cannot read.
      return /^malformed JSON|^bad JSON path/i.test(messageOf(cause));
    default:
      // V8 and node:sqlite refuse what does not fit their own limits before SQLite sees it.
      return cause instanceof RangeError || (cause instanceof Error && 'code' in cause && cause.code === 'ERR_OUT_OF_RANGE');
  }
}

/** A condition of the database as a sentence with a way out, and whether waiting can end it. */
export interface Condition {
  readonly message: string;
  readonly retryable: boolean;
}

/** `action` completes "Cannot …": "open", "write to", "read". */
export function conditionOf(action: string, path: string, cause: unknown): Condition {
  const head = `Cannot ${action} the database "${path}"`;
  switch (sqliteCode(cause)) {
    case CODES.full:
      return { message: `${head}: the disk (or a quota on it) is full. Free some space; writing goes on by itself`, retryable: true };
    case CODES.busy:
    case CODES.locked:
      return { message: `${head}: another program holds its write lock. End that program's transaction; writing goes on by itself`, retryable: true };
    case CODES.readOnly:
    case CODES.permission:
      return { message: `${head}: the file, or its folder, may not be written by this user. Change the permissions, or name another file`, retryable: false };
    case CODES.corrupt:
      return {
        message: `${head}: the file is damaged (${messageOf(cause)}). Move it away together with its "-wal" and "-shm" files and start again: everything in it is read again from the cluster`,
        retryable: false,
      };
    case CODES.notADatabase:
      return { message: `${head}: the file is not a SQLite database. Name another file, or move this one away`, retryable: false };
    case CODES.cannotOpen:
      return {
        message: `${head}: the file, or the "-wal" and "-shm" files beside it, cannot be opened or created. Check that this user may read and write the file and its folder`,
        retryable: false,
      };
    case CODES.ioError:
      return { message: `${head}: the disk reports an error (${messageOf(cause)}). Check the disk and the system's log`, retryable: true };
    case CODES.noMemory:
      return { message: `${head}: SQLite got no memory. Give the process more`, retryable: true };
    default:
      return { message: `${head}: ${messageOf(cause)}`, retryable: false };
  }
}

export function storageErrorOf(action: string, path: string, cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause;
  return new StorageError(...errorArguments(conditionOf(action, path, cause), cause));
}

function errorArguments(condition: Condition, cause: unknown): ConstructorParameters<typeof StorageError> {
  return [condition.message, { retryable: condition.retryable, cause }];
}
