import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { silentLogger } from '../../src/kit/log.ts';
import { conditionOf } from '../../src/storage/sqlite/conditions.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { tempDir } from '../support/temp-dir.ts';
import { outcomes, put, scope, wholeIndex } from './build.ts';
import { openSqlite, rowsOf } from './sqlite-engine.ts';

/** Mounts a disk of 3 MiB below `path`; null where this user may not mount. */
function smallDisk(path: string): Disposable | null {
  mkdirSync(path);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', path], { stdio: 'ignore' });
  } catch {
    return null;
  }
  return { [Symbol.dispose]: () => execFileSync('umount', [path], { stdio: 'ignore' }) };
}

/** What SQLite itself says when a database may not grow, on any machine. */
function fullError(path: string): unknown {
  const db = new DatabaseSync(path);
  try {
    db.exec('PRAGMA max_page_count = 10; CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(1000000))');
    return null;
  } catch (cause) {
    return cause;
  } finally {
    db.close();
  }
}

test('on a full disk writes are a retry that says so, and nothing is lost when there is room again', async () => {
  using dir = tempDir('sqlite');
  expect(conditionOf('write to', 'p', fullError(dir.file('full.db')))).toEqual({
    message: expect.stringContaining('is full. Free some space'),
    retryable: true,
  });

  using disk = smallDisk(dir.file('disk'));
  // Without the right to mount, the condition above is all that this machine can show.
  if (disk === null) return;
  const path = dir.file('disk/a.db');
  const logged: string[] = [];
  const log = { ...silentLogger, warn: (message: string) => void logged.push(message), info: (message: string) => void logged.push(message), child: () => log };
  writeFileSync(dir.file('disk/filler'), Buffer.alloc(1_500_000));
  const storage = await openSqlite(path, { log });
  const batch = (from: number): ReturnType<typeof put>[] =>
    Array.from({ length: 50 }, (_, index) => put(`a/x${from + index}`, '1', { body: `{"pad":"${'x'.repeat(3_000)}"}` }));
  let written = 0;
  let refused: Awaited<ReturnType<typeof storage.write>> = [];
  while (refused.length === 0 && written < 1_000) {
    const result = await storage.write(batch(written), [scope(String(written + 50))]);
    if (result.every((outcome) => outcome.kind === 'written')) written += 50;
    else refused = result;
  }
  expect(written).toBeGreaterThan(0);
  expect(refused).toEqual(Array.from({ length: 50 }, () => ({ kind: 'retry', error: expect.stringContaining('the disk (or a quota on it) is full') })));
  expect((await storage.write(batch(written), []))[0]?.kind).toBe('retry');
  expect(await wholeIndex(storage)).toHaveLength(written);
  expect((await storage.scopes())[0]?.watermark).toBe(String(written));

  rmSync(dir.file('disk/filler'));
  expect(new Set(await outcomes(storage, batch(written), [scope(String(written + 50))]))).toEqual(new Set(['written']));
  expect(await wholeIndex(storage)).toHaveLength(written + 50);
  expect(logged).toEqual(['database takes no writes for now', 'database takes writes again']);
  await storage.close();
  expect(rowsOf(path, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
});

test('when the thread dies, what it had in hand is a retry, and the engine goes on with a new one', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const workers: Worker[] = [];
  const storage = await openSqlite(path, {
    startWorker(file, options) {
      const worker = new Worker(file, options);
      workers.push(worker);
      return worker;
    },
  });
  await storage.write([put('a/x', '1')], []);
  // The second call waits behind the first one's transaction and is written by the next thread.
  const inHand = storage.write(
    Array.from({ length: 500 }, (_, index) => put(`b/x${index}`, '1', { body: 'x'.repeat(20_000) })),
    [],
  );
  await workers[0]?.terminate();
  const result = await inHand;
  expect(new Set(result.map((outcome) => outcome.kind)).size).toBe(1);
  expect(['retry', 'written']).toContain(result[0]?.kind);
  const again = await outcomes(
    storage,
    Array.from({ length: 500 }, (_, index) => put(`b/x${index}`, '1', { body: 'x'.repeat(20_000) })),
  );
  expect(again.every((kind) => kind === 'written' || kind === 'unchanged')).toBe(true);
  expect(await wholeIndex(storage)).toHaveLength(501);
  expect(workers).toHaveLength(2);
  await storage.close();
});

test('when no new thread can be started, writes are a retry at once, and after a second the next write tries again', async () => {
  using dir = tempDir('sqlite');
  const clock = new ManualClock();
  const workers: Worker[] = [];
  let canStart = true;
  const storage = await openSqlite(dir.file('a.db'), {
    clock,
    startWorker(file, options) {
      if (!canStart) throw new Error('no threads left');
      const worker = new Worker(file, options);
      workers.push(worker);
      return worker;
    },
  });
  canStart = false;
  await workers[0]?.terminate();
  expect(await storage.write([put('a/x', '1')], [])).toEqual([{ kind: 'retry', error: expect.stringContaining('no threads left') }]);
  canStart = true;
  expect(await outcomes(storage, [put('a/x', '1')])).toEqual(['retry']);
  clock.advance(1_000);
  expect(await outcomes(storage, [put('a/x', '1')])).toEqual(['written']);
  await storage.close();
});
