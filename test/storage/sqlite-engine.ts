import { DatabaseSync } from 'node:sqlite';
import { systemClock } from '../../src/kit/clock.ts';
import { createSqliteStorage } from '../../src/storage/sqlite/sqlite-storage.ts';
import type { SqliteStorageOptions } from '../../src/storage/sqlite/sqlite-storage.ts';
import type { Storage } from '../../src/storage/storage.ts';

/** An opened engine for the cluster `prod`; the real clock, for its thread runs in real time. */
export async function openSqlite(path: string, more: Partial<SqliteStorageOptions> = {}): Promise<Storage> {
  const storage = createSqliteStorage({ path, cluster: 'prod', clock: systemClock, lingerMs: 0, ...more });
  await storage.open();
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
