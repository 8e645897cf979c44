import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import { StorageError } from '../../src/model/errors.ts';
import { createSqliteStorage } from '../../src/storage/sqlite/sqlite-storage.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { spawn } from '../support/spawn.ts';
import { tempDir } from '../support/temp-dir.ts';
import { outcomes, put } from './build.ts';
import { openSqlite, rowsOf } from './sqlite-engine.ts';

const CHILD = fileURLToPath(new URL('./children/sqlite-child.ts', import.meta.url));

test('a frozen leader does not keep the next one out, and nothing that it wrote is overtaken by what it holds when it wakes', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  await using leader = spawn(process.execPath, [CHILD, 'elected', path]);
  await leader.printed(/open/);
  leader.signal('SIGSTOP');
  const next = await openSqlite(path, { epoch: 2, holder: 'next' });
  expect(await outcomes(next, [put('a/x', '5')])).toEqual(['written']);
  leader.signal('SIGCONT');
  expect((await leader.printed(/refused: (.*)|written/))[1]).toMatch(/epoch 2 \(next\) has taken over from this writer's epoch 1/);
  expect(rowsOf(path, 'SELECT resource_version AS revision, epoch FROM objects')).toEqual([{ revision: '5', epoch: 2 }]);
  await next.close();
});

test('those who elect and one who does not keep each other away', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const elected = await openSqlite(path, { epoch: 1, holder: 'a' });
  await expect(openSqlite(path)).rejects.toThrow(/written by processes that elect one of them/);
  const other = await openSqlite(path, { epoch: 2, holder: 'b' });
  await elected.close();
  await expect(openSqlite(path)).rejects.toThrow(/written by processes that elect one of them/);
  await other.close();
  const alone = await openSqlite(path);
  await expect(openSqlite(path, { epoch: 3 })).rejects.toThrow(`process ${process.pid} on host`);
  await alone.close();
  const again = await openSqlite(path, { epoch: 3 });
  expect(await outcomes(again, [put('a/x', '1')])).toEqual(['written']);
  await again.close();
});

test('a thread that is started again is the same writer, of the same epoch', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const first = await openSqlite(path, { epoch: 7, holder: 'a' });
  await first.close();
  const again = await openSqlite(path, { epoch: 7, holder: 'a' });
  expect(await outcomes(again, [put('a/x', '1')])).toEqual(['written']);
  await again.close();
  await expect(openSqlite(path, { epoch: 7, holder: 'b' })).rejects.toThrow(/epoch 7, a, since/);
});

test('writers of several shards that begin at once on a file that is not there yet all open it', async () => {
  using dir = tempDir('sqlite');
  const begin = async (path: string, index: number): Promise<Storage> => {
    const storage = createSqliteStorage({ path, cluster: 'prod', clock: systemClock });
    for (;;) {
      try {
        await storage.open({ epoch: 0, holder: 'me', shard: { index, count: 4 } });
        return storage;
      } catch (cause) {
        // Their short locks may keep each other waiting; whoever opens it tries again.
        if (!(cause instanceof StorageError && cause.retryable)) throw cause;
      }
    }
  };
  for (let round = 0; round < 3; round++) {
    const path = dir.file(`${round}.db`);
    const all = await Promise.all([0, 1, 2, 3].map((index) => begin(path, index)));
    expect(rowsOf(path, 'SELECT shard, epoch, holder FROM writers ORDER BY shard')).toEqual([0, 1, 2, 3].map((shard) => ({ shard, epoch: 0, holder: 'me' })));
    for (const storage of all) await storage.close();
  }
});
