import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { blocks, ROOT } from './support/readme.ts';
import { runOk } from './support/spawn.ts';
import { tempDir } from './support/temp-dir.ts';

const dir = tempDir('readme');
let db: DatabaseSync;

beforeAll(async () => {
  const args = ['demo', '--once', '--pods', '200', '--nodes', '5', '--churn', '0', '--listen', 'off'];
  await runOk(process.execPath, [join(ROOT, 'src/main.ts'), ...args], { cwd: dir.path });
  db = new DatabaseSync(dir.file('kubefold.db'), { readOnly: true });
});

afterAll(() => {
  db.close();
  dir.remove();
});

describe('the SQL of the README, on the copy of a simulated cluster', () => {
  test.each(blocks('sql').map((sql) => [sql.split('\n')[0] ?? '', sql] as const))('%s', (title, sql) => {
    const rows = db.prepare(sql).all();
    // All is well in a cluster at rest; every other question has an answer.
    if (title.includes('not as they should be')) expect(rows).toEqual([]);
    else expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) for (const [column, value] of Object.entries(row)) expect(value, `${column} of ${title}`).not.toBeNull();
  });

  test('pods by phase are all pods', () => {
    const [first = ''] = blocks('sql');
    const rows = db.prepare(first).all() as { readonly phase: string; readonly pods: number }[];
    expect(rows.reduce((sum, row) => sum + row.pods, 0)).toBe(200);
  });
});
