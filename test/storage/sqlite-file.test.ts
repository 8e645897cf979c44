import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import { EpochError } from '../../src/model/errors.ts';
import { createSqliteReader } from '../../src/storage/sqlite/sqlite-reader.ts';
import { createSqliteStorage } from '../../src/storage/sqlite/sqlite-storage.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { tempDir } from '../support/temp-dir.ts';
import { DEPLOYMENTS, del, key, outcomes, put, scope, wholeIndex } from './build.ts';
import { openSqlite, rowsOf, withDatabase } from './sqlite-engine.ts';

test('the tables have the documented names and columns', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  await (await openSqlite(path)).close();
  const columns = (table: string): string[] => rowsOf(path, `SELECT name FROM pragma_table_info('${table}') ORDER BY name`).map((row) => String(row['name']));
  const objectKey = ['api_group', 'cluster', 'name', 'namespace', 'resource'];
  expect(columns('objects')).toEqual([...objectKey, 'api_version', 'kind', 'uid', 'resource_version', 'body', 'hash', 'epoch', 'written_at'].sort());
  expect(columns('changes')).toEqual([...objectKey, 'seq', 'uid', 'resource_version', 'type', 'body', 'written_at'].sort());
  expect(columns('scopes')).toEqual(
    ['cluster', 'api_group', 'resource', 'scope', 'watermark', 'listed_at', 'heard_at', 'objects', 'complete', 'stored', 'rules', 'identity'].sort(),
  );
  expect(columns('parked')).toEqual([...objectKey, 'uid', 'resource_version', 'error', 'attempts', 'since'].sort());
  expect(columns('tombstones')).toEqual([...objectKey, 'uid', 'resource_version', 'deleted_at'].sort());
  expect(columns('writers')).toEqual(['cluster', 'epoch', 'holder', 'shard', 'since']);
  const primaryKey = rowsOf(path, "SELECT name FROM pragma_table_info('objects') WHERE pk > 0 ORDER BY pk").map((row) => row['name']);
  expect(primaryKey).toEqual(['cluster', 'api_group', 'resource', 'namespace', 'name']);
});

test('a row holds what was written, and its body answers to the JSON functions of SQLite', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const clock = new ManualClock({ wallMs: 1_790_000_000_123 });
  const storage = await openSqlite(path, { clock, epoch: 7 });
  const body = '{"status":{"phase":"Running","ü":"日本"}}';
  await storage.write([put('a/x', '11', { kind: DEPLOYMENTS, uid: 'u-9', body })], [scope('11')]);
  const [row] = rowsOf(path, "SELECT *, body ->> '$.status.phase' AS phase, body -> 'status' ->> 'ü' AS u, typeof(body) AS type FROM objects");
  expect(row).toMatchObject({
    cluster: 'prod',
    api_group: 'apps',
    resource: 'deployments',
    namespace: 'a',
    name: 'x',
    api_version: 'apps/v1',
    kind: 'Deployment',
    uid: 'u-9',
    resource_version: '11',
    body,
    epoch: 7,
    written_at: 1_790_000_000_123,
    phase: 'Running',
    u: '日本',
    type: 'text',
  });
  expect(Buffer.from(row?.['hash'] as Uint8Array).toString('hex')).toBe(createHash('sha256').update(body).digest('hex').slice(0, 32));
  const reader = createSqliteReader({ path });
  expect((await reader.get('prod', 'deployments.apps', key('a/x')))?.hash).toBe(createHash('sha256').update(body).digest('hex').slice(0, 32));
  await reader.close();
  expect(rowsOf(path, 'SELECT cluster, shard, epoch FROM writers')).toEqual([{ cluster: 'prod', shard: 0, epoch: 7 }]);
  await storage.close();
});

test('every change of a row has a line in the change log, a refused one has none', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const clock = new ManualClock({ wallMs: 1_790_000_000_000 });
  const storage = await openSqlite(path, { clock });
  await storage.write([put('a/x', '5')], []);
  clock.jumpWall(1_000);
  await storage.write([put('a/x', '6'), put('a/y', '7')], []);
  await storage.write([put('a/x', '4'), put('a/y', '7'), del('a/z', '9')], []);
  clock.jumpWall(1_000);
  await storage.write([del('a/x', '8'), del('a/y', null)], []);
  await storage.close();
  const lines = rowsOf(path, 'SELECT seq, namespace, name, uid, resource_version, type, written_at, body FROM changes ORDER BY seq');
  expect(
    lines.map((line) => [line['seq'], line['name'], line['type'], line['resource_version'], Number(line['written_at']) - 1_790_000_000_000, line['body']]),
  ).toEqual([
    [1, 'x', 'put', '5', 0, null],
    [2, 'x', 'put', '6', 1_000, null],
    [3, 'y', 'put', '7', 1_000, null],
    [4, 'x', 'delete', '8', 2_000, null],
    [5, 'y', 'delete', '7', 2_000, null],
  ]);
  withDatabase(path, (db) => db.exec("INSERT INTO objects VALUES ('c', '', 'pods', 'n', 'm', 'v1', 'Pod', 'u', '1', x'00', 0, 0, '{}'); DELETE FROM objects"));
  expect(rowsOf(path, "SELECT type FROM changes WHERE cluster = 'c' ORDER BY seq")).toEqual([{ type: 'put' }, { type: 'delete' }]);
});

test('the change log stays within its bytes and its age, in small steps, and seq never goes back', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const clock = new ManualClock();
  const storage = await openSqlite(path, { clock, history: { maxAgeMs: 3_600_000, maxBytes: 256 * 1_000 } });
  let revision = 0;
  const write = async (rows: number): Promise<void> => {
    for (let left = rows; left > 0; left -= 250) {
      revision++;
      await storage.write(
        Array.from({ length: 250 }, (_, index) => put(`a/x${index}`, String(revision))),
        [],
      );
    }
  };
  await write(5_000);
  const lines = (): Record<string, unknown> => rowsOf(path, 'SELECT count(*) AS n, max(seq) AS newest FROM changes')[0] ?? {};
  expect(lines()['newest']).toBe(5_000);
  expect(lines()['n']).toBeGreaterThanOrEqual(1_000);
  expect(lines()['n']).toBeLessThanOrEqual(1_500);
  clock.jumpWall(2 * 3_600_000);
  // Time passes and only a scope record is written: the old lines go, but never the newest.
  for (let step = 0; step < 3; step++) {
    await storage.write([], [scope('9')]);
    clock.jumpWall(20_000);
  }
  expect(lines()).toEqual({ n: 1, newest: 5_000 });
  await write(250);
  expect(lines()['newest']).toBe(5_250);
  await storage.close();
});

test('what was written is there after closing and opening again, and the log is folded into the file', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const first = await openSqlite(path);
  await first.write([put('a/x', '5')], [scope('5')]);
  await first.close();
  expect(existsSync(`${path}-wal`)).toBe(false);
  const second = await openSqlite(path);
  expect(await wholeIndex(second)).toEqual([{ key: 'a/x', uid: 'u1', revision: '5' }]);
  expect(await second.scopes()).toEqual([scope('5')]);
  expect(await outcomes(second, [put('a/x', '5'), put('a/y', '6')])).toEqual(['unchanged', 'written']);
  await second.close();
});

test('close() commits what was handed in and not yet sent', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const storage = await openSqlite(path, { clock: new ManualClock(), lingerMs: 60_000 });
  const written = outcomes(storage, [put('a/x', '5')]);
  await storage.close();
  expect(await written).toEqual(['written']);
  expect(rowsOf(path, 'SELECT name FROM objects')).toEqual([{ name: 'x' }]);
  await expect(storage.write([put('a/y', '6')], [])).rejects.toThrow('it is closed');
});

test('a small write after a quiet time goes at once; those that follow within the linger share one transaction; a full one never waits', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const clock = new ManualClock();
  const storage = await openSqlite(path, { clock, lingerMs: 5 });
  expect(await outcomes(storage, [put('a/first', '1')])).toEqual(['written']);
  clock.advance(2);
  const calls = Array.from({ length: 20 }, (_, index) => outcomes(storage, [put(`a/x${index}`, '1')]));
  expect(clock.nextInMs).toBe(3);
  expect(rowsOf(path, 'SELECT * FROM objects')).toHaveLength(1);
  clock.advance(3);
  expect((await Promise.all(calls)).flat()).toEqual(Array.from({ length: 20 }, () => 'written'));
  expect(
    await outcomes(
      storage,
      Array.from({ length: 100 }, (_, index) => put(`b/x${index}`, '1')),
    ),
  ).toHaveLength(100);
  expect(clock.pending).toBe(0);
  await storage.close();
});

test('a row of a higher epoch refuses the whole batch of a lower one', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const storage = await openSqlite(path, { epoch: 3 });
  await storage.write([put('a/x', '5'), put('a/y', '5')], []);
  withDatabase(path, (db) => db.exec("UPDATE objects SET epoch = 4 WHERE name = 'x'"));
  await expect(storage.write([put('a/y', '6'), put('a/x', '6')], [])).rejects.toThrow(/pods a\/x was written by epoch 4, and this writer has epoch 3/);
  await expect(storage.write([put('a/y', '6'), del('a/x', '7')], [])).rejects.toThrow(EpochError);
  expect(rowsOf(path, 'SELECT name, resource_version AS revision FROM objects ORDER BY name')).toEqual([
    { name: 'x', revision: '5' },
    { name: 'y', revision: '5' },
  ]);
  await storage.close();
});

test('a writer that lost its place writes neither rows nor scope records, and cannot open again with its old epoch', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const storage = await openSqlite(path, { epoch: 3 });
  withDatabase(path, (db) => db.exec("UPDATE writers SET epoch = 4, holder = 'the-other:12'"));
  await expect(storage.write([put('a/x', '5')], [scope('5')])).rejects.toThrow(/epoch 4 \(the-other:12\) has taken over from this writer's epoch 3/);
  expect(rowsOf(path, 'SELECT (SELECT count(*) FROM objects) + (SELECT count(*) FROM scopes) AS n')).toEqual([{ n: 0 }]);
  await storage.close();
  await expect(openSqlite(path, { epoch: 3 })).rejects.toThrow(/epoch 4, the-other:12.*this one has epoch 3/);
  const next = await openSqlite(path, {});
  expect(await outcomes(next, [put('a/x', '5')])).toEqual(['written']);
  await next.close();
  expect(rowsOf(path, 'SELECT epoch FROM objects')).toEqual([{ epoch: 4 }]);
});

test('a reader on the same thread sees each commit, and keeps the log of the writer from nothing', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const storage = await openSqlite(path);
  const reader = createSqliteReader({ path });
  for (let revision = 1; revision <= 20; revision++) {
    await storage.write([put('a/x', String(revision))], []);
    expect((await reader.get('prod', 'pods', key('a/x')))?.revision).toBe(String(revision));
  }
  const [checkpoint] = withDatabase(path, (db) => db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all());
  expect(checkpoint).toMatchObject({ busy: 0 });
  await reader.close();
  await storage.close();
});

test('two clusters in one file do not meet', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const first = await openSqlite(path);
  await first.write([put('a/x', '5')], [scope('5')]);
  await first.close();
  const second = createSqliteStorage({ path, cluster: 'another', clock: systemClock, lingerMs: 0 });
  await second.open();
  expect(await wholeIndex(second)).toEqual([]);
  expect(await outcomes(second, [put('a/x', '4')])).toEqual(['written']);
  await second.close();
  const reader = createSqliteReader({ path });
  expect(await reader.clusters()).toEqual(['another', 'prod']);
  expect((await reader.get('prod', 'pods', key('a/x')))?.revision).toBe('5');
  await reader.close();
});
