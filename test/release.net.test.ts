import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ROOT } from './manifests/manifests.ts';
import { run, runOk } from './support/spawn.ts';
import { tempDir } from './support/temp-dir.ts';

/* What is published, made from a copy of the checkout as the workflow makes it, and installed as users install it. */

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly version: string };
const TARBALL = `kubefold-${version}.tgz`;
const BILL = `kubefold-${version}.spdx.json`;
const EPOCH = 1_700_000_000;
const dir = tempDir('release');
const checkout = dir.file('checkout');
const release = dir.file('release');

const make = (folder: string, epoch: string = String(EPOCH)): ReturnType<typeof run> =>
  run(process.execPath, [join(checkout, '.ci/release.mjs'), folder], { cwd: checkout, env: { SOURCE_DATE_EPOCH: epoch }, withinMs: 150_000 });

beforeAll(async () => {
  const files = ['.ci', '.npmrc', 'package.json', 'package-lock.json', 'tsconfig.json', 'README.md', 'LICENSE', 'src', 'config', 'manifests'];
  for (const name of files) cpSync(join(ROOT, name), join(checkout, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(checkout, 'node_modules'));
  expect(await make(release)).toMatchObject({ code: 0, stdout: expect.stringContaining('built twice, the package is the same') });
}, 180_000);

// A hundred packages take their time on a busy disk.
afterAll(() => dir.remove(), 180_000);

const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

test('the checksums are those of the tarball and of its bill of materials, and nothing else is there', async () => {
  expect(readdirSync(release).toSorted()).toEqual(['SHA256SUMS', BILL, TARBALL].toSorted());
  expect(readFileSync(join(release, 'SHA256SUMS'), 'utf8')).toBe(`${sha256(join(release, TARBALL))}  ${TARBALL}\n${sha256(join(release, BILL))}  ${BILL}\n`);
});

test('the bill of materials names what the package runs with, as of the commit', () => {
  const bill = JSON.parse(readFileSync(join(release, BILL), 'utf8')) as {
    readonly packages: readonly { readonly name: string; readonly versionInfo: string }[];
    readonly creationInfo: { readonly created: string };
  };
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly dependencies: Readonly<Record<string, string>> };
  const named = bill.packages.map(({ name, versionInfo }) => `${name}@${versionInfo}`);
  expect(named[0]).toBe(`kubefold@${version}`);
  expect(Object.entries(dependencies).filter(([name, pinned]) => !named.includes(`${name}@${pinned}`))).toEqual([]);
  expect(named.filter((name) => /^(typescript|vitest|node)@/.test(name))).toEqual([]);
  expect(bill.creationInfo.created).toBe('2023-11-14T22:13:20Z');
});

test('installed into an empty folder it is a program that runs, with its samples, and no tests, sources or maps', async () => {
  const home = dir.file('home');
  mkdirSync(home);
  writeFileSync(join(home, 'package.json'), '{}');
  // What the cache has is not asked for again.
  const install = ['install', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', join(release, TARBALL)];
  await runOk('npm', install, { cwd: home, withinMs: 150_000 });
  const kubefold = (...args: readonly string[]): Promise<string> =>
    runOk(process.execPath, [join(home, 'node_modules/.bin/kubefold'), ...args], { cwd: home, env: { TMPDIR: dir.path } });
  expect(await kubefold('--version')).toBe(`kubefold ${version}\n`);
  expect(await kubefold('--help')).toMatch(/^kubefold keeps an exact, living copy .*\n\nUsage: kubefold COMMAND/);
  const installed = join(home, 'node_modules/kubefold');
  for (const sample of readdirSync(join(installed, 'config'))) expect(await kubefold('config', 'check', join(installed, 'config', sample))).toContain('valid');
  const files = readdirSync(installed, { recursive: true, encoding: 'utf8' }).filter((file) => !file.startsWith('node_modules'));
  expect(files.filter((file) => /\.(?:map|ts|db)$|^(?:test|src|\.ci)\b/.test(file))).toEqual([]);
  expect(files).toEqual(expect.arrayContaining(['dist/main.js', 'manifests/base/deployment.yaml', 'LICENSE', 'README.md']));
}, 180_000);

test('what cannot be done is said, and a folder that is there is left alone', async () => {
  expect(await make(release)).toMatchObject({ code: 2, stderr: expect.stringMatching(/a folder that does not exist yet: \S+ does/) });
  expect(await make(dir.file('other'), 'yesterday')).toMatchObject({ code: 2, stderr: expect.stringContaining('SOURCE_DATE_EPOCH must be whole seconds') });
});

describe('the workflow that publishes', () => {
  interface Job {
    readonly permissions: Readonly<Record<string, string>>;
    readonly steps: readonly { readonly uses?: string; readonly run?: string }[];
  }
  const { permissions, jobs } = parse(readFileSync(join(ROOT, '.github/workflows/release.yml'), 'utf8')) as {
    readonly permissions: object;
    readonly jobs: Readonly<Record<'build' | 'publish', Job>>;
  };
  const stepsOf = (job: Job): readonly string[] => job.steps.map(({ uses, run: command }) => uses ?? command ?? '');

  test('runs actions by their commit, never by a name that somebody can move', () => {
    const used = Object.values(jobs).flatMap(({ steps }) => steps.flatMap(({ uses }) => uses ?? []));
    expect(used).toHaveLength(5);
    expect(used.filter((name) => !/^actions\/[a-z-]+@[0-9a-f]{40}$/.test(name))).toEqual([]);
  });

  test('has the right to sign and to publish only where neither the checkout nor a package of it runs', () => {
    expect(permissions).toEqual({});
    expect(jobs.build.permissions).toEqual({ contents: 'read' });
    expect(jobs.publish.permissions).toEqual({ contents: 'write', 'id-token': 'write' });
    expect(stepsOf(jobs.publish).filter((step) => /checkout|npm (?:ci|install|run)|node /.test(step))).toEqual([]);
  });

  test('publishes with provenance the tarball whose checksum it has verified, and runs scripts that exist', () => {
    const publish = stepsOf(jobs.publish);
    const at = (pattern: RegExp): number => publish.findIndex((step) => pattern.test(step));
    expect(at(/^sha256sum --check --strict SHA256SUMS$/)).toBeGreaterThan(0);
    expect(at(/^npm publish --provenance --access public \.\/\*\.tgz$/)).toBeGreaterThan(at(/^sha256sum/));
    const { scripts, publishConfig } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      readonly scripts: Readonly<Record<string, string>>;
      readonly publishConfig: object;
    };
    expect(publishConfig).toEqual({ access: 'public', provenance: true });
    const ran = stepsOf(jobs.build).flatMap((step) => /^npm run (\S+)$/.exec(step)?.[1] ?? []);
    expect(ran).toEqual(['check', 'release:check']);
    expect(ran.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});
