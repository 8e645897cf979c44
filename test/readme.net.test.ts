import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { blocks, kubefoldLines, ROOT } from './support/readme.ts';
import { run, runOk, spawn } from './support/spawn.ts';
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

test('the commands of the README that need a cluster and end by themselves work as they stand there, on a simulated one', async () => {
  using home = tempDir('readme-home');
  const main = join(ROOT, 'src/main.ts');
  const hollow = ['hollow', '--pods', '50', '--nodes', '3', '--churn', '0', '--kubeconfig-file', 'kubeconfig'];
  await using server = spawn(process.execPath, [main, ...hollow], { cwd: home.path });
  await server.printed(/serving a simulated cluster/);
  const lines = kubefoldLines();
  const env = { KUBECONFIG: home.file('kubeconfig') };
  const kubefold = (args: readonly string[]): ReturnType<typeof run> => run(process.execPath, [main, ...args, '--log-level', 'warn'], { cwd: home.path, env });

  const once = lines.filter((args) => args[0] === 'run' && args.includes('--once'));
  expect(once).toHaveLength(1);
  for (const args of once) expect([args, (await kubefold([...args, '--listen', 'off'])).code]).toEqual([args, 0]);
  // The rest is about a whole copy.
  expect((await kubefold(['run', '--once', '--listen', 'off'])).code).toBe(0);
  const rest = lines.filter(([command = '']) => ['get', 'verify'].includes(command));
  expect(rest.length).toBeGreaterThanOrEqual(3);
  for (const args of rest) {
    const { code, stdout, stderr } = await kubefold(args);
    // get closes with the age of its answer, beside the answer.
    const isAge = args[0] === 'get' && /^as of [^\n]+ ago, complete to \d+\n$/.test(stderr);
    expect([args.join(' '), code, isAge ? '' : stderr]).toEqual([args.join(' '), 0, '']);
    expect(stdout).not.toBe('');
  }
});
