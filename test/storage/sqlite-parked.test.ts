import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { ManualClock } from '../support/manual-clock.ts';
import { tempDir } from '../support/temp-dir.ts';
import { del, key, outcomes, put, scope } from './build.ts';
import { openSqlite, rowsOf, withDatabase } from './sqlite-engine.ts';

const big = (name: string, revision: string): ReturnType<typeof put> => put(name, revision, { body: `{"secret":"${'x'.repeat(200_000)}"}` });

test('a row that is too large for SQLite is parked with what it said, and survives closing; the object itself is nowhere in the file', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const clock = new ManualClock({ wallMs: 1_790_000_000_000 });
  const first = await openSqlite(path, { clock, lengthLimit: 100_000 });
  expect(await outcomes(first, [put('a/w', '1'), big('a/x', '5'), put('a/y', '1')], [scope('5')])).toEqual(['written', 'rejected', 'written']);
  await first.close();
  const row = {
    kind: 'pods',
    key: 'a/x',
    uid: 'u1',
    revision: '5',
    error: 'SQLite refuses the row: string or blob too big',
    attempts: 1,
    since: 1_790_000_000_000,
  };
  clock.jumpWall(60_000);
  const second = await openSqlite(path, { clock, lengthLimit: 100_000 });
  expect(await second.parked()).toEqual([row]);
  expect(await second.scopes()).toEqual([scope('5')]);
  expect(await outcomes(second, [big('a/x', '6')])).toEqual(['rejected']);
  expect(await second.parked()).toEqual([{ ...row, revision: '6', attempts: 2 }]);
  expect(JSON.stringify(rowsOf(path, 'SELECT * FROM parked'))).not.toContain('xxx');
  // What was parked before this process is known to it: the write takes it out.
  expect(await outcomes(second, [put('a/x', '7')])).toEqual(['written']);
  expect(await second.parked()).toEqual([]);
  await second.close();
});

test('a long error is cut', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const storage = await openSqlite(path);
  withDatabase(path, (db) => db.exec(`CREATE TRIGGER rule BEFORE INSERT ON objects BEGIN SELECT RAISE(ABORT, '${'no '.repeat(2_000)}'); END`));
  await storage.write([put('a/x', '1')], []);
  const [row] = await storage.parked();
  expect(row?.error).toHaveLength(1_000);
  expect(row?.error).toMatch(/^SQLite refuses the row: no no /);
  await storage.close();
});

test('a delete that is refused by a rule of somebody is parked too, with the revision 0 when it names none', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const storage = await openSqlite(path);
  await storage.write([put('a/x', '1'), put('a/y', '1')], []);
  withDatabase(path, (db) => db.exec("CREATE TRIGGER keep BEFORE DELETE ON objects BEGIN SELECT RAISE(ABORT, 'kept'); END"));
  expect(await outcomes(storage, [del('a/x', '2'), del('a/y', null)])).toEqual(['rejected', 'rejected']);
  expect(await storage.parked()).toMatchObject([
    { key: 'a/x', revision: '2' },
    { key: 'a/y', revision: '0' },
  ]);
  // No tombstone either: nothing was deleted.
  withDatabase(path, (db) => db.exec('DROP TRIGGER keep'));
  expect(await outcomes(storage, [put('a/x', '1')])).toEqual(['unchanged']);
  expect(await storage.parked()).toMatchObject([{ key: 'a/y' }]);
  await storage.close();
});

test('when the transaction fails nothing of it is parked or forgotten, and the next one does as if it had not been', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const storage = await openSqlite(path, { lengthLimit: 100_000 });
  await storage.write([big('a/parked', '1')], []);
  // Ends the whole transaction in the middle of the batch.
  withDatabase(path, (db) => db.exec("CREATE TRIGGER bomb BEFORE INSERT ON objects WHEN NEW.name = 'bomb' BEGIN SELECT RAISE(ROLLBACK, 'boom'); END"));
  const batch = [put('a/parked', '2'), big('a/other', '1'), put('a/bomb', '1')];
  expect(await outcomes(storage, batch)).toEqual(['retry', 'retry', 'retry']);
  expect((await storage.parked()).map((row) => row.key)).toEqual(['a/parked']);
  withDatabase(path, (db) => db.exec('DROP TRIGGER bomb'));
  expect(await outcomes(storage, batch)).toEqual(['written', 'rejected', 'written']);
  expect((await storage.parked()).map((row) => row.key)).toEqual(['a/other']);
  await storage.close();
});

test('unpark() that meets the write lock of another program says so, and works later', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const storage = await openSqlite(path, { lengthLimit: 100_000 });
  await storage.write([big('a/x', '1')], []);
  const foreign = new DatabaseSync(path);
  foreign.exec('BEGIN IMMEDIATE');
  await expect(storage.unpark('pods', key('a/x'))).rejects.toThrow('another program holds its write lock');
  foreign.exec('ROLLBACK');
  foreign.close();
  await storage.unpark('pods', key('a/x'));
  expect(await storage.parked()).toEqual([]);
  await storage.close();
});
