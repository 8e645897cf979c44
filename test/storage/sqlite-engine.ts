import { DatabaseSync } from 'node:sqlite';
import { systemClock } from '../../src/kit/clock.ts';
import { createSqliteStorage } from '../../src/storage/sqlite/sqlite-storage.ts';
import type { SqliteStorageOptions } from '../../src/storage/sqlite/sqlite-storage.ts';
import type { Storage, Writer } from '../../src/storage/storage.ts';

/** An opened engine for the cluster `prod`; the real clock, for its thread runs in real time. With an `epoch` as one that a lease elected. */
export async function openSqlite(path: string, more: Partial<SqliteStorageOptions> & Partial<Writer> = {}): Promise<Storage> {
  const { epoch, holder = 'the-one', ...options } = more;
  const storage = createSqliteStorage({ path, cluster: 'prod', clock: systemClock, lingerMs: 0, ...options });
  await storage.open(epoch === undefined ? undefined : { epoch, holder });
  return storage;
}

/** Runs SQL on the file as any other program would, without our code. */
export function withDatabase<T>(path: string, use: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(path);
  try {
    return use(db);
  } finally {
    db.close();
  }
}

export function rowsOf(path: string, sql: string): Record<string, unknown>[] {
  return withDatabase(path, (db) =>
    db
      .prepare(sql)
      .all()
      .map((row) => ({ ...row })),
  );
}
