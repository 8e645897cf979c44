import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import { StorageError } from '../../src/model/errors.ts';
import { SCHEMA_VERSION } from '../../src/storage/sqlite/schema.ts';
import { createSqliteReader } from '../../src/storage/sqlite/sqlite-reader.ts';
import { tempDir } from '../support/temp-dir.ts';
import type { TempDir } from '../support/temp-dir.ts';
import { del, outcomes, put, scope, wholeIndex } from './build.ts';
import { openSqlite, rowsOf, withDatabase } from './sqlite-engine.ts';

async function refusal(attempt: Promise<unknown>): Promise<StorageError> {
  const cause: unknown = await attempt.then(
    () => null,
    (error: unknown) => error,
  );
  if (cause instanceof StorageError) return cause;
  throw new Error(`A StorageError was wanted, this came: ${String(cause)}`);
}

interface BadPath {
  readonly is: string;
  /** Below a folder of the test's own; `a.db` when absent. */
  readonly name?: string;
  /** Puts there what is not a database of ours. */
  readonly make: (path: string, dir: TempDir) => void;
  readonly says: RegExp;
  /** When it differs from `says`. */
  readonly readerSays?: RegExp;
}

const badPaths: readonly BadPath[] = [
  { is: 'a folder', make: (path) => void mkdirSync(path), says: /it is a folder.*Name a file inside it/ },
  {
    is: 'in a missing folder',
    name: 'none/a.db',
    make: () => {},
    says: /the folder ".*none" does not exist. Create it/,
    readerSays: /the file does not exist. Start a mirror/,
  },
  { is: 'below a file', name: 'f/a.db', make: (_, dir) => writeFileSync(dir.file('f'), ''), says: /is not a folder/, readerSays: /ENOTDIR/ },
  { is: 'text', make: (path) => writeFileSync(path, 'hello '.repeat(100)), says: /is not a SQLite database.*Name another file/ },
  {
    is: 'a database with the mark of another program',
    make: (path) => withDatabase(path, (db) => db.exec('PRAGMA application_id = 252006674; CREATE TABLE t (a)')),
    says: /belongs to another program \(application id 0xf055112\) and was left alone/,
  },
  {
    is: 'a database of another program without a mark',
    make: (path) => withDatabase(path, (db) => db.exec('CREATE TABLE invoices (a)')),
    says: /of another program \(it has "invoices"\) and was left alone/,
  },
];

describe.each(badPaths)('a path that is $is', ({ name = 'a.db', make, says, readerSays = says }) => {
  test('is refused with a way out, and nothing there is touched', async () => {
    using dir = tempDir('sqlite');
    const path = dir.file(name);
    make(path, dir);
    const before = contentOf(path);
    const error = await refusal(openSqlite(path));
    expect(error.message).toMatch(says);
    expect(error.message).toContain(path);
    expect(error.retryable).toBe(false);
    expect(contentOf(path)).toEqual(before);
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  test('is refused by the reader too', async () => {
    using dir = tempDir('sqlite');
    make(dir.file(name), dir);
    const reader = createSqliteReader({ path: dir.file(name) });
    expect((await refusal(reader.kinds('prod'))).message).toMatch(readerSays);
    await reader.close();
  });
});

function contentOf(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch {
    return null;
  }
}

test('a file that is empty, or an empty database, is taken', async () => {
  using dir = tempDir('sqlite');
  writeFileSync(dir.file('empty.db'), '');
  withDatabase(dir.file('fresh.db'), (db) => db.exec('PRAGMA user_version = 0; VACUUM'));
  for (const name of ['empty.db', 'fresh.db']) {
    const storage = await openSqlite(dir.file(name));
    expect(await outcomes(storage, [put('a/x', '1')])).toEqual(['written']);
    await storage.close();
  }
});

test('a database that nobody has written to yet is told apart by the reader', async () => {
  using dir = tempDir('sqlite');
  writeFileSync(dir.file('a.db'), '');
  expect((await refusal(createSqliteReader({ path: dir.file('a.db') }).kinds('prod'))).message).toContain('it is empty. A mirror has not written to it yet');
});

test('a newer schema is refused by writer and reader, which name both versions', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  await (await openSqlite(path)).close();
  withDatabase(path, (db) => db.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 6}`));
  const says = `has version ${SCHEMA_VERSION + 6}, and this kubefold knows versions up to ${SCHEMA_VERSION}`;
  expect((await refusal(openSqlite(path))).message).toContain(says);
  expect((await refusal(createSqliteReader({ path }).kinds('prod'))).message).toContain(says);
});

test('a truncated file is refused as damaged, with what to do', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const storage = await openSqlite(path);
  await storage.write(
    Array.from({ length: 200 }, (_, index) => put(`a/x${index}`, '1', { body: 'x'.repeat(3_000) })),
    [],
  );
  await storage.close();
  truncateSync(path, 40_000);
  const error = await refusal(openSqlite(path));
  expect(error.message).toMatch(/the file is damaged .*Move it away together with its "-wal" and "-shm" files/);
  expect(error.retryable).toBe(false);
});

test('a page that is damaged while the file is open makes writes a retry that says so', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const first = await openSqlite(path);
  await first.write(
    Array.from({ length: 200 }, (_, index) => put(`a/x${index}`, '1', { body: 'x'.repeat(3_000) })),
    [],
  );
  await first.close();
  // Every page but the first: schema and header stay readable.
  const bytes = readFileSync(path);
  bytes.fill(0xa5, 4_096 * 12);
  writeFileSync(path, bytes);
  const outcome = await openSqlite(path).then(
    async (storage) => {
      const [result] = await storage.write([put('a/x150', '2')], []);
      await storage.close();
      return result?.kind === 'retry' ? result.error : String(result?.kind);
    },
    (cause: unknown) => (cause instanceof Error ? cause.message : ''),
  );
  expect(outcome).toContain('the file is damaged');
});

test('a file that is moved away while it is open takes no more writes, and goes on when it is back', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  let wallMs = 1_790_000_000_000;
  const storage = await openSqlite(path, { clock: { ...systemClock, wall: () => wallMs } });
  expect(await outcomes(storage, [put('a/x', '1')])).toEqual(['written']);
  renameSync(path, dir.file('moved.db'));
  wallMs += 2_000;
  expect(await storage.write([put('a/x', '2')], [])).toEqual([{ kind: 'retry', error: expect.stringContaining('was moved, removed or replaced') }]);
  copyFileSync(dir.file('moved.db'), path);
  expect(await outcomes(storage, [put('a/x', '2')])).toEqual(['retry']);
  renameSync(dir.file('moved.db'), path);
  expect(await outcomes(storage, [put('a/x', '2')])).toEqual(['written']);
  await storage.close();
});

test('a row that SQLite refuses is rejected alone: too large, or against a rule that somebody put on the table', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const storage = await openSqlite(path, { lengthLimit: 100_000 });
  withDatabase(path, (db) => db.exec("CREATE TRIGGER rule BEFORE INSERT ON objects WHEN NEW.name = 'poison' BEGIN SELECT RAISE(ABORT, 'not this one'); END"));
  const result = await storage.write(
    [put('a/a', '1'), put('a/big', '1', { body: 'x'.repeat(200_000) }), put('a/b', '1'), put('a/poison', '1'), put('a/c', '1')],
    [scope('1')],
  );
  expect(result.map((outcome) => outcome.kind)).toEqual(['written', 'rejected', 'written', 'rejected', 'written']);
  expect(result[1]).toMatchObject({ error: expect.stringContaining('too big') });
  expect(result[3]).toMatchObject({ error: expect.stringContaining('not this one') });
  expect((await wholeIndex(storage)).map((row) => row.key)).toEqual(['a/a', 'a/b', 'a/c']);
  expect(await storage.scopes()).toEqual([scope('1')]);
  await storage.close();
});

test('a foreign program that holds the write lock makes writes a retry, and they succeed when it lets go', async () => {
  using dir = tempDir('sqlite');
  const path = dir.file('a.db');
  const storage = await openSqlite(path);
  const foreign = new DatabaseSync(path);
  foreign.exec('BEGIN IMMEDIATE');
  expect(await storage.write([put('a/x', '1'), del('a/y', null)], [scope('1')])).toEqual([
    { kind: 'retry', error: expect.stringContaining('another program holds its write lock') },
    { kind: 'retry', error: expect.stringContaining('another program holds its write lock') },
  ]);
  foreign.exec('ROLLBACK');
  foreign.close();
  expect(await outcomes(storage, [put('a/x', '1')], [scope('1')])).toEqual(['written']);
  expect(rowsOf(path, 'SELECT (SELECT count(*) FROM objects) AS objects, (SELECT count(*) FROM scopes) AS scopes')).toEqual([{ objects: 1, scopes: 1 }]);
  await storage.close();
});
