import { chmodSync } from 'node:fs';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { spawn } from '../support/spawn.ts';
import type { Child } from '../support/spawn.ts';
import { tempDir } from '../support/temp-dir.ts';
import { outcomes, put } from './build.ts';
import { openSqlite, rowsOf } from './sqlite-engine.ts';

const CHILD = fileURLToPath(new URL('./children/sqlite-child.ts', import.meta.url));

function child(mode: 'hold' | 'churn' | 'open-as-nobody', path: string): Child {
  return spawn(process.execPath, [CHILD, mode, path]);
}

test('a second writer is refused while another process writes, with its host, process and start, and may write once that one is killed', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  await using holder = child('hold', path);
  await holder.printed(/open/);
  await expect(openSqlite(path)).rejects.toThrow(
    new RegExp(`it is being written by process ${holder.pid} on host ${hostname()}, since 20[0-9-]+T.*Stop that one, or name another file`),
  );
  holder.signal('SIGKILL');
  await holder.exited;
  const storage = await openSqlite(path);
  await using second = child('hold', path);
  const refused = await second.printed(/refused: (.*)/);
  expect(refused[1]).toContain(`process ${process.pid} on host`);
  expect(await outcomes(storage, [put('a/x', '1')])).toEqual(['written']);
  await storage.close();
  await using third = child('hold', path);
  expect((await third.printed(/open|refused.*/))[0]).toBe('open');
}, 40_000);

test('two writers in one process are told apart as well', async () => {
  using dir = tempDir('sqlite');
  const storage = await openSqlite(dir.file('a.db'));
  await expect(openSqlite(dir.file('a.db'))).rejects.toThrow(`process ${process.pid} on host`);
  await storage.close();
  await (await openSqlite(dir.file('a.db'))).close();
});

test('a process killed in the middle of writing leaves whole transactions: rows and scope records of one round', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  for (let turn = 0; turn < 5; turn++) {
    await using writer = child('churn', path);
    // Killed at another moment of its work each time.
    await writer.printed(new RegExp(`round ${1 + turn * 5}\\n`));
    writer.signal('SIGKILL');
    await writer.exited;
    const [state] = rowsOf(
      path,
      `SELECT count(*) AS n, count(DISTINCT resource_version) AS revisions, max(resource_version) AS revision, sum(body ->> '$.round' <> resource_version) AS torn,
       (SELECT watermark FROM scopes) AS watermark FROM objects`,
    );
    expect(state).toMatchObject({ n: 200, revisions: 1, torn: 0 });
    expect(state?.['revision']).toBe(state?.['watermark']);
    expect(Number(state?.['revision'])).toBeGreaterThan(turn * 5);
    expect(rowsOf(path, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
    const storage = await openSqlite(path);
    expect(await outcomes(storage, [put('a/x0', String(state?.['revision']))])).toEqual(['unchanged']);
    await storage.close();
    // So that the rounds of the next child, which counts from 1, are new again.
    rowsOf(path, 'DELETE FROM objects RETURNING name');
  }
}, 60_000);

test('a file or a folder that may not be written is refused, and says so', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  await (await openSqlite(path)).close();
  chmodSync(dir.path, 0o555);
  chmodSync(path, 0o444);
  chmodSync(`${path}.lock`, 0o444);
  const inFolder = await child('open-as-nobody', path).printed(/refused: (.*)|open/);
  expect(inFolder[1]).toMatch(/may not be written by this user. Change the permissions/);
  const missing = await child('open-as-nobody', dir.file('new.db')).printed(/refused: (.*)|open/);
  expect(missing[1]).toMatch(/cannot be opened or created. Check that this user may read and write the file and its folder/);
  chmodSync(dir.path, 0o777);
  chmodSync(`${path}.lock`, 0o666);
  const file = await child('open-as-nobody', path).printed(/refused: (.*)|open/);
  expect(file[1]).toMatch(/Cannot open the database ".*a\.db": .*may not be written by this user/);
}, 40_000);
