import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { run, runOk } from './support/spawn.ts';
import { blocks, kubefoldLines, README, ROOT, shellLines } from './support/readme.ts';

const scripts = Object.keys((JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly scripts: object }).scripts);
const help = (args: readonly string[]): Promise<string> => runOk(process.execPath, ['src/main.ts', ...args, '--help'], { cwd: ROOT });

describe('the README', () => {
  test('gives the two commands of a fresh machine, each on a line of its own', () => {
    expect(shellLines()).toEqual(expect.arrayContaining(['npm install && npm start', 'npm install-ci-test']));
  });

  test('names only npm scripts that exist', () => {
    const named = shellLines().flatMap((line) => [...line.matchAll(/npm (?:run (?:-s )?)?([a-z][a-z:-]*)/g)].map((match) => match[1] ?? ''));
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !['install', 'install-ci-test'].includes(name) && !scripts.includes(name))).toEqual([]);
  });

  test('names only benchmarks that exist', () => {
    const named = shellLines().flatMap((line) => /npm run bench -- (\S+)/.exec(line)?.[1] ?? []);
    expect(named.filter((name) => !existsSync(join(ROOT, `src/bench/${name}.ts`)))).toEqual([]);
    expect(named).not.toEqual([]);
  });

  test.each(['README.md', 'src/ARCHITECTURE.md'])('%s names only files that exist', (page) => {
    const text = readFileSync(join(ROOT, page), 'utf8');
    const links = [...text.matchAll(/\]\((?!http)([^)#]+)\)/g)].map((match) => join(dirname(page), match[1] ?? ''));
    const quoted = [...text.matchAll(/`([a-z][\w./-]*(?:\/|\.(?:ts|md|yaml)))`/g)].map((match) => match[1] ?? '');
    const missing = (path: string): boolean => !['', 'src', 'src/mirror', 'src/reflector'].some((base) => existsSync(join(ROOT, base, path)));
    const known = [...readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })].map((path) => path.split('/').at(-1));
    expect(links.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    expect(quoted.filter((path) => missing(path) && !known.includes(path) && path !== 'dist/')).toEqual([]);
  });
});

describe('every kubefold command of the README', () => {
  let overview = '';
  beforeAll(async () => {
    overview = await help([]);
  });

  test.each(kubefoldLines().map((args) => [args.join(' '), args] as const))('%s: the command and its options exist', async (_line, args) => {
    const [command = ''] = args;
    expect(overview).toMatch(new RegExp(`^  ${command} `, 'm'));
    const text = await help([command]);
    const options = args.slice(1).filter((word) => word.startsWith('-'));
    expect(options.filter((option) => !new RegExp(`^ +(?:-\\w, )?${option}\\b|^ +${option},`, 'm').test(text))).toEqual([]);
    for (const file of args.filter((word) => word.endsWith('.yaml') && word !== 'yaml')) expect(existsSync(join(ROOT, file)), file).toBe(true);
  });

  test('those that need neither cluster nor copy work as they stand there', async () => {
    const alone = kubefoldLines().filter(([command]) => ['config', 'rbac'].includes(command ?? ''));
    expect(alone.length).toBeGreaterThanOrEqual(3);
    for (const args of alone) {
      const { code, stdout, stderr } = await run(process.execPath, ['src/main.ts', ...args], { cwd: ROOT });
      expect([args.join(' '), code, stderr]).toEqual([args.join(' '), 0, '']);
      expect(stdout.length).toBeGreaterThan(20);
    }
  });
});

test('the README has a SQL example for each thing it says about the copy', () => {
  expect(README).toContain("body ->> '$.status.phase'");
  expect(blocks('sql').length).toBeGreaterThanOrEqual(4);
});
