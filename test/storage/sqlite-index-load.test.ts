import { expect, test } from 'vitest';
import { IndexLoad } from '../../src/storage/sqlite/index-load.ts';
import { SqliteReader } from '../../src/storage/sqlite/sqlite-reader.ts';
import type { IndexRow } from '../../src/storage/storage.ts';
import { tempDir } from '../support/temp-dir.ts';
import { put, wholeIndex } from './build.ts';
import { openSqlite, withDatabase } from './sqlite-engine.ts';

const KEYS = 23_000;

/** A database of `prod` with KEYS pods and KEYS secrets, in turn, and one pod of another cluster; the namespaces take turns, as when the rows were first written. */
async function fill(path: string): Promise<void> {
  await (await openSqlite(path)).close();
  withDatabase(path, (db) => {
    const insert = db.prepare(`INSERT INTO objects VALUES (?, '', ?, ?, ?, 'v1', 'X', ?, ?, x'00', 1, 1, '{}')`);
    db.exec('BEGIN');
    for (let index = 0; index < KEYS; index++) {
      for (const resource of ['pods', 'secrets']) insert.run('prod', resource, `ns-${index % 7}`, `n-${index}`, `${resource}-${index}`, String(index + 1));
    }
    insert.run('another', 'pods', 'ns-1', 'foreign', 'u', '1');
    db.exec('COMMIT');
  });
}

function keysOf(pages: Iterable<readonly IndexRow[]>): string[] {
  return [...pages].flatMap((page) => page.map((row) => row.key)).sort();
}

test('the index of a kind of many pages holds each row of it once, with its uid and revision, and none of another kind or cluster', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  await fill(path);
  const storage = await openSqlite(path);
  const expected = Array.from({ length: KEYS }, (_, index) => ({ key: `ns-${index % 7}/n-${index}`, uid: `pods-${index}`, revision: String(index + 1) }));
  expect(await wholeIndex(storage)).toEqual(expected.sort((a, b) => (a.key < b.key ? -1 : 1)));
  expect(await wholeIndex(storage, 'pods', 'ns-3')).toHaveLength(Math.floor((KEYS - 4) / 7) + 1);
  await storage.close();
});

test('objects without a namespace have their name alone as key', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const storage = await openSqlite(path);
  await storage.write([put('node-1', '3'), put('a/x', '4')], []);
  expect(keysOf(new IndexLoad(path).pages('prod', 'pods'))).toEqual(['a/x', 'node-1']);
  await storage.close();
});

test('the pages of an index are of one moment, whatever is written, deleted or moved in the file between them', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  await fill(path);
  const pages = new IndexLoad(path).pages('prod', 'pods');
  const first = pages.next();
  withDatabase(path, (db) =>
    db.exec(`DELETE FROM objects WHERE name LIKE 'n-1%'; INSERT INTO objects SELECT cluster, api_group, resource, namespace,
    'new-' || name, api_version, kind, uid, resource_version, hash, epoch, written_at, body FROM objects WHERE name LIKE 'n-2%'; VACUUM`),
  );
  const keys = keysOf([first.value ?? [], ...pages]);
  expect(keys).toEqual(Array.from({ length: KEYS }, (_, index) => `ns-${index % 7}/n-${index}`).sort());
});

test('an index that is left half-read, or whose reader is closed, keeps no connection open', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  await fill(path);
  const query = { cluster: 'prod', kind: 'pods', scope: '' } as const;
  const reader = new SqliteReader(path);
  for (const page of reader.indexPages(query)) {
    expect(page.length).toBe(0);
    break;
  }
  const isLogEmptied = (): unknown => withDatabase(path, (db) => db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.['busy']);
  expect(isLogEmptied()).toBe(0);
  const pages = reader.indexPages(query);
  pages.next();
  withDatabase(path, (db) => db.exec("UPDATE objects SET written_at = 2 WHERE name = 'n-1'"));
  await reader.close();
  expect(isLogEmptied()).toBe(0);
  expect(() => pages.next()).toThrow(/its reader was closed/);
});

test('a database that is missing is named by the error', () => {
  using dir = tempDir('sqlite');
  expect(() => new IndexLoad(dir.file('missing.db'))).toThrow(/Cannot read the database ".*missing\.db": the file does not exist/);
  expect(() => [...new SqliteReader(dir.file('missing.db')).indexPages({ cluster: 'prod', kind: 'pods', scope: '' })]).toThrow(/does not exist/);
});
