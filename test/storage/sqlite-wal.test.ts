import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { silentLogger } from '../../src/kit/log.ts';
import type { Logger } from '../../src/kit/log.ts';
import { holdersOf } from '../../src/storage/sqlite/file-holders.ts';
import { spawn } from '../support/spawn.ts';
import type { Child } from '../support/spawn.ts';
import { tempDir } from '../support/temp-dir.ts';
import { outcomes, put, scope, wholeIndex } from './build.ts';
import { openSqlite, rowsOf, withDatabase } from './sqlite-engine.ts';

const CHILD = fileURLToPath(new URL('./children/sqlite-reader-child.ts', import.meta.url));
const CAP = 8 * 2 ** 20;
const ROWS = 100;

const child = (mode: 'endless' | 'pages', path: string): Child => spawn(process.execPath, [CHILD, mode, path]);
const walBytes = (path: string): number => statSync(`${path}-wal`).size;

/** One change of each of the same rows; bodies differ from round to round, so that every page of them is written again. */
const batch = (round: number): ReturnType<typeof put>[] =>
  Array.from({ length: ROWS }, (_, index) => put(`a/x${index}`, String(round), { body: `{"round":${round},"pad":"${String(round % 10).repeat(4_000)}"}` }));

test('while a foreign reader never ends its transaction the log stays below its cap, writes are refused with what to do, and nothing is lost when it ends', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const logged: string[] = [];
  const note = (message: string): void => void logged.push(message);
  const log: Logger = { ...silentLogger, warn: note, info: note, child: () => log };
  const storage = await openSqlite(path, { walBytes: CAP, log });
  await storage.write(batch(1), [scope('1')]);
  await using reader = child('endless', path);
  await reader.printed(/reading 100/);

  let round = 2;
  let refused: Awaited<ReturnType<typeof storage.write>> = [];
  while (refused.length === 0 && round < 200) {
    const result = await storage.write(batch(round), [scope(String(round))]);
    expect(walBytes(path)).toBeLessThanOrEqual(CAP);
    if (result.every((outcome) => outcome.kind === 'written')) round++;
    else refused = result;
  }
  // It went on for a good part of the log.
  expect(round).toBeGreaterThan(4);
  const [first] = refused;
  expect(refused).toHaveLength(ROWS);
  expect(new Set(refused.map((outcome) => outcome.kind))).toEqual(new Set(['retry']));
  const says = first?.kind === 'retry' ? first.error : '';
  expect(says).toContain(`its log "${path}-wal" has ${(walBytes(path) / 2 ** 20).toFixed(1)} MiB, storage.walBytes allows 8.0 MiB`);
  expect(says).toContain('another process holds a read transaction open');
  if (process.platform === 'linux') expect(says).toContain(`(open in process ${reader.pid})`);
  expect(says).toContain('End that reader; writing goes on by itself');

  // Nothing of a refused batch is there, and trying again changes nothing.
  for (let again = 0; again < 5; again++) {
    expect(new Set(await outcomes(storage, batch(round), [scope(String(round))]))).toEqual(new Set(['retry']));
    expect(walBytes(path)).toBeLessThanOrEqual(CAP);
  }
  expect((await storage.scopes())[0]?.watermark).toBe(String(round - 1));
  expect(new Set((await wholeIndex(storage)).map((row) => row.revision))).toEqual(new Set([String(round - 1)]));

  reader.signal('SIGUSR2');
  await reader.printed(/ended, saw 100 and 100/);
  expect(new Set(await outcomes(storage, batch(round), [scope(String(round))]))).toEqual(new Set(['written']));
  for (const end = round + 20; round < end; round++) {
    expect(new Set(await outcomes(storage, batch(round + 1), [scope(String(round + 1))]))).toEqual(new Set(['written']));
    expect(walBytes(path)).toBeLessThanOrEqual(CAP);
  }
  expect(new Set((await wholeIndex(storage)).map((row) => row.revision))).toEqual(new Set([String(round)]));
  expect(logged).toEqual(['database takes no writes for now', 'database takes writes again']);
  await storage.close();
  expect(rowsOf(path, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
}, 60_000);

test('a reader that is killed in its transaction holds the log no longer', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const storage = await openSqlite(path, { walBytes: CAP });
  await storage.write(batch(1), []);
  await using reader = child('endless', path);
  await reader.printed(/reading/);
  let round = 2;
  while ((await outcomes(storage, batch(round)))[0] === 'written' && round < 200) round++;
  expect(round).toBeLessThan(200);
  reader.signal('SIGKILL');
  await reader.exited;
  expect(new Set(await outcomes(storage, batch(round)))).toEqual(new Set(['written']));
  await storage.close();
}, 60_000);

test('our own readers, overlapping without a gap in other processes, get no write refused and keep the log from being begun anew no longer than its cap', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const storage = await openSqlite(path, { walBytes: CAP });
  await storage.write(batch(1), [scope('1')]);
  await using first = child('pages', path);
  await using second = child('pages', path);
  await using third = child('pages', path);
  const readers = [first, second, third];
  for (const reader of readers) await reader.printed(/round 1: 100/);
  let written = 0;
  let round = 2;
  // Six times the cap.
  while (written < 6 * CAP) {
    expect(new Set(await outcomes(storage, batch(round), [scope(String(round))]))).toEqual(new Set(['written']));
    expect(walBytes(path)).toBeLessThanOrEqual(CAP);
    written += ROWS * 4_000;
    round++;
  }
  // They have read all the while.
  for (const reader of readers) expect(Number(/round (\d+): 100\n[^\n]*$/.exec(reader.stdout())?.[1])).toBeGreaterThan(20);
  await storage.close();
}, 60_000);

test('a transaction that is alone larger than the cap is written on the empty log', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const storage = await openSqlite(path, { walBytes: CAP });
  const large = (revision: string): ReturnType<typeof put>[] =>
    Array.from({ length: 10 }, (_, index) => put(`a/big${index}`, revision, { body: `{"pad":"${revision.repeat(1_500_000)}"}` }));
  expect(new Set(await outcomes(storage, large('1')))).toEqual(new Set(['written']));
  expect(new Set(await outcomes(storage, large('2')))).toEqual(new Set(['written']));
  expect(new Set(await outcomes(storage, [put('a/x', '1')]))).toEqual(new Set(['written']));
  expect(walBytes(path)).toBeLessThanOrEqual(CAP);
  await storage.close();
});

test('who holds the log is told without ever failing', () => {
  using dir = tempDir('sqlite');
  expect(holdersOf(dir.file('none.db'))).toEqual([]);
  // This process itself is not named.
  withDatabase(dir.file('a.db'), (db) => {
    db.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (a); BEGIN');
    expect(holdersOf(dir.file('a.db'))).toEqual([]);
  });
});
