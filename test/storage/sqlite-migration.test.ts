import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { createSqliteReader } from '../../src/storage/sqlite/sqlite-reader.ts';
import { APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION } from '../../src/storage/sqlite/schema.ts';
import { tempDir } from '../support/temp-dir.ts';
import { del, outcomes, put, scope, wholeIndex } from './build.ts';
import { openSqlite, rowsOf } from './sqlite-engine.ts';

/** A database as the first version of the schema left it, with a row, a scope record and what it parked. */
function makeVersion1(path: string): void {
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA journal_mode = WAL; ${MIGRATIONS[0]} PRAGMA user_version = 1;`);
  db.exec(`
INSERT INTO objects VALUES ('prod', '', 'pods', 'a', 'x', 'v1', 'Pod', 'u1', '10', x'00', 0, 1000, '{"n":1}');
INSERT INTO scopes VALUES ('prod', '', 'pods', '', '10', 1000, 2000, 1, 1, 'form-1');
INSERT INTO parked VALUES ('prod', '', 'pods', 'a', 'y', 'u2', '9', 'string or blob too big', 3, 1500);
INSERT INTO writers VALUES ('prod', 0, 0, 'host:1', 1000);`);
  db.close();
}

test('a file of the first schema is brought forward with everything in it, once', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  makeVersion1(path);
  await expect(createSqliteReader({ path }).kinds('prod')).rejects.toThrow(/older version 1.*brings it to 2/);
  for (let open = 0; open < 2; open++) {
    const storage = await openSqlite(path);
    expect(await wholeIndex(storage)).toEqual([{ key: 'a/x', uid: 'u1', revision: '10' }]);
    expect(await storage.scopes()).toEqual([scope('10', { listedAt: 1000, heardAt: 2000, objects: 1, rules: null, identity: null })]);
    expect(await storage.parked()).toEqual([{ kind: 'pods', key: 'a/y', uid: 'u2', revision: '9', error: 'string or blob too big', attempts: 3, since: 1500 }]);
    await storage.close();
    expect(rowsOf(path, 'PRAGMA user_version')).toEqual([{ user_version: SCHEMA_VERSION }]);
  }
  const storage = await openSqlite(path);
  expect(await outcomes(storage, [put('a/y', '11', { uid: 'u2' }), del('a/x', '12')], [scope('12', { rules: 'r', identity: 'i' })])).toEqual([
    'written',
    'written',
  ]);
  expect(await outcomes(storage, [put('a/x', '11')])).toEqual(['stale']);
  expect(await storage.scopes()).toEqual([scope('12', { rules: 'r', identity: 'i' })]);
  expect(await storage.parked()).toEqual([]);
  await storage.close();
});

test('a file brought forward has the same tables as a new one', async () => {
  using dir = tempDir('sqlite');
  makeVersion1(dir.file('old.db'));
  for (const name of ['old.db', 'new.db']) await (await openSqlite(dir.file(name))).close();
  const columns =
    'SELECT m.name AS name, c.name AS col, c.type AS type, c."notnull" AS n, c.pk AS pk FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = \'table\' ORDER BY 1, 2';
  expect(rowsOf(dir.file('old.db'), columns)).toEqual(rowsOf(dir.file('new.db'), columns));
});
