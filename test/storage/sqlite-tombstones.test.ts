import { expect, test } from 'vitest';
import { createMemoryStorage } from '../../src/storage/memory/memory-storage.ts';
import { PRUNE_TOMBSTONES, UPSERT } from '../../src/storage/sqlite/statements.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { tempDir } from '../support/temp-dir.ts';
import { del, outcomes, put, scope } from './build.ts';
import { openSqlite, rowsOf, withDatabase } from './sqlite-engine.ts';

const MINUTE = 60_000;

test('a delete is remembered across closing and opening', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const first = await openSqlite(path);
  await first.write([put('a/x', '10'), del('a/y', '12')], []);
  await first.write([del('a/x', '12')], []);
  await first.close();
  const second = await openSqlite(path);
  expect(await outcomes(second, [put('a/x', '11'), put('a/y', '11'), put('a/z', '11')])).toEqual(['stale', 'stale', 'written']);
  await second.close();
});

test('tombstones go in small steps when they are older than an hour, and not before', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const clock = new ManualClock({ wallMs: 1_790_000_000_000 });
  const storage = await openSqlite(path, { clock });
  const count = (): unknown => rowsOf(path, 'SELECT count(*) AS n FROM tombstones')[0]?.['n'];
  for (let at = 0; at < 1_000; at += 250) {
    await storage.write(
      Array.from({ length: 250 }, (_, index) => del(`a/x${at + index}`, '5')),
      [],
    );
  }
  clock.jumpWall(30 * MINUTE);
  await storage.write([del('a/later', '5')], []);
  clock.jumpWall(29 * MINUTE);
  await storage.write([], [scope('9')]);
  expect(count()).toBe(1_001);
  expect(await outcomes(storage, [put('a/x0', '4')])).toEqual(['stale']);
  const left: unknown[] = [];
  clock.jumpWall(2 * MINUTE);
  for (let step = 0; step < 6; step++) {
    await storage.write([], [scope('9')]);
    left.push(count());
    clock.jumpWall(20_000);
  }
  expect(left).toEqual([751, 501, 251, 1, 1, 1]);
  expect(await outcomes(storage, [put('a/x0', '4'), put('a/later', '4')])).toEqual(['written', 'stale']);
  await storage.close();
});

test('in memory they go after an hour too', async () => {
  const clock = new ManualClock({ wallMs: 1_790_000_000_000 });
  const storage = createMemoryStorage({ cluster: 'prod', now: () => clock.wall() });
  await storage.write([del('a/x', '5'), del('a/y', '5')], []);
  clock.jumpWall(59 * MINUTE);
  await storage.write([del('a/y', '6')], []);
  expect(await outcomes(storage, [put('a/x', '4')])).toEqual(['stale']);
  clock.jumpWall(2 * MINUTE);
  await storage.write([del('a/z', '5')], []);
  expect(await outcomes(storage, [put('a/x', '4'), put('a/y', '4')])).toEqual(['written', 'stale']);
});

test('a writer whose epoch may not touch a row leaves no tombstone for it', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const storage = await openSqlite(path, { epoch: 3 });
  await storage.write([put('a/x', '5')], []);
  withDatabase(path, (db) => db.exec('UPDATE objects SET epoch = 4'));
  await expect(storage.write([del('a/x', '9')], [])).rejects.toThrow('was written by epoch 4');
  expect(rowsOf(path, 'SELECT * FROM tombstones')).toEqual([]);
  await storage.close();
});

test('pruning finds the oldest by their index, and the guard finds its key without a walk', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  await (await openSqlite(path)).close();
  const plan = (sql: string): string =>
    withDatabase(path, (db) =>
      db
        .prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .all(...(sql.match(/\?/g) ?? []).slice(0, sql.includes('?14') ? 14 : 2).map(() => 1))
        .map((row) => String(row['detail']))
        .join('\n'),
    );
  expect(plan(PRUNE_TOMBSTONES)).toContain('USING COVERING INDEX tombstones_by_age (deleted_at<?)');
  expect(plan(PRUNE_TOMBSTONES)).toMatch(
    /SEARCH tombstones USING PRIMARY KEY \(cluster=\? AND api_group=\? AND resource=\? AND namespace=\? AND name=\? AND uid=\?\)/,
  );
  expect(plan(UPSERT)).toMatch(/SEARCH t USING PRIMARY KEY \(cluster=\? AND api_group=\? AND resource=\? AND namespace=\? AND name=\? AND uid=\?\)/);
});
