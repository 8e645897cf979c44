import { createHash } from 'node:crypto';
import { cpSync, existsSync, lstatSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run, runOk, spawn } from '../support/spawn.ts';
import { tempDir } from '../support/temp-dir.ts';
import { manifest, objectOf, ROOT } from './manifests.ts';
import type { Deployment } from './manifests.ts';

/*
 * The files of the image, built as its Dockerfile builds them: from what .dockerignore lets through, by the same script. A container runtime
 * would add the base image, and the user.
 */

const EPOCH = 1_700_000_000;
const dockerfile = manifest('image/Dockerfile');
const dir = tempDir('image');
const context = dir.file('context');
const tree = dir.file('tree');

beforeAll(async () => {
  for (const line of manifest('image/Dockerfile.dockerignore').split('\n')) {
    if (line.startsWith('!')) cpSync(join(ROOT, line.slice(1)), join(context, line.slice(1)), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(context, 'node_modules'));
  await build(tree);
}, 120_000);

afterAll(() => dir.remove());

async function build(target: string): Promise<void> {
  const [, script = ''] = /^RUN node (\S+) \/kubefold$/m.exec(dockerfile) ?? [];
  await runOk(process.execPath, [join(context, script), target], { env: { SOURCE_DATE_EPOCH: String(EPOCH) }, withinMs: 100_000 });
}

/** Every file with its mode, time and content, as one number to compare. */
function fingerprint(folder: string): string {
  const hash = createHash('sha256');
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted()) {
    const file = join(folder, path);
    const { mode, mtimeMs } = lstatSync(file);
    hash.update(`${path} ${mode} ${mtimeMs}\n`);
    if (lstatSync(file).isFile()) hash.update(readFileSync(file));
  }
  return hash.digest('hex');
}

test('the same checkout gives the same files with the same times, and another one is refused to be built over', async () => {
  await build(dir.file('elsewhere'));
  expect(fingerprint(dir.file('elsewhere'))).toBe(fingerprint(tree));
  expect(lstatSync(tree).mtimeMs).toBe(EPOCH * 1000);
  await expect(build(tree)).rejects.toThrow(/a folder that does not exist yet/);
}, 120_000);

test('it starts without the checkout, mirrors a simulated cluster, answers the health check, ends in order, and writes nothing beside itself', async () => {
  const before = fingerprint(tree);
  const main = join(tree, 'dist/main.js');
  const [, label = ''] = /^ARG VERSION=(.*)$/m.exec(dockerfile) ?? [];
  expect(await runOk(process.execPath, [main, '--version'], { cwd: dir.path })).toBe(`kubefold ${label}\n`);
  const args = [main, 'demo', '--pods', '200', '--listen', '127.0.0.1:0', '--log-format', 'json'];
  const child = spawn(process.execPath, args, { cwd: dir.path, env: { TMPDIR: dir.path, NODE_ENV: 'production' } });
  await child.printed(/first sync complete/, { on: 'stderr' });
  const [, url = ''] = /"status":"(http:[^"]+)"/.exec(child.stderr()) ?? [];
  expect((await fetch(`${url}/livez`)).status).toBe(200);
  const [, script = ''] = /^ {2}CMD \["node", "-e", "(.*)"\]$/m.exec(dockerfile) ?? [];
  const check = async (): Promise<number | null> => (await run(process.execPath, ['-e', script.replace('http://127.0.0.1:8080', url)])).code;
  expect(await check()).toBe(0);
  expect((await child.stop(30_000)).code).toBe(0);
  expect(await check()).toBe(1);
  expect(fingerprint(tree)).toBe(before);
});

describe('the bill of materials', () => {
  interface Sbom {
    readonly packages: readonly {
      readonly name: string;
      readonly versionInfo: string;
      readonly licenseDeclared?: string;
      readonly checksums?: readonly object[];
    }[];
    readonly creationInfo: { readonly created: string };
  }
  const read = (): Sbom => JSON.parse(readFileSync(join(tree, 'sbom.spdx.json'), 'utf8')) as Sbom;

  test('names exactly the packages that are there, each with a licence and a checksum', () => {
    const there = readdirSync(join(tree, 'node_modules'), { recursive: true, encoding: 'utf8' })
      .filter((path) => /(?:^|node_modules\/)(?:@[^/]+\/)?[^/@.][^/]*\/package\.json$/.test(path) && isRoot(path))
      .map((path) => JSON.parse(readFileSync(join(tree, 'node_modules', path), 'utf8')) as { readonly name: string; readonly version: string })
      .map(({ name, version }) => `${name}@${version}`);
    const [itself, ...others] = read().packages;
    expect(itself?.name).toBe('kubefold');
    expect(others.map(({ name, versionInfo }) => `${name}@${versionInfo}`).toSorted()).toEqual([...new Set(there)].toSorted());
    expect(others.filter(({ licenseDeclared = 'NOASSERTION', checksums = [] }) => licenseDeclared === 'NOASSERTION' || checksums.length === 0)).toEqual([]);
    expect(read().creationInfo.created).toBe('2023-11-14T22:13:20Z');
  });

  /** Whether it is the package.json of a package, and not one of a folder inside. */
  function isRoot(path: string): boolean {
    const inside = dirname(path).split('node_modules/').at(-1) ?? '';
    return inside.split('/').length === (inside.startsWith('@') ? 2 : 1);
  }

  test('has neither compiler nor test tools nor types in it', () => {
    const names = new Set(read().packages.map(({ name }) => name));
    for (const name of ['typescript', 'vitest', '@biomejs/biome', 'playwright-core', 'node']) expect(names.has(name), name).toBe(false);
    expect(existsSync(join(tree, 'node_modules/typescript'))).toBe(false);
  });
});

describe('the Dockerfile', () => {
  const { version, devDependencies, license, description } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    readonly version: string;
    readonly license: string;
    readonly description: string;
    readonly devDependencies: Readonly<Record<string, string>>;
  };

  test('takes the Node that the tests run with, and labels what package.json says', () => {
    expect(dockerfile).toContain(`\nARG NODE_IMAGE=node:${devDependencies['node']}-`);
    expect([...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image = '']) => image.slice(1))).toEqual(['{NODE_IMAGE}', '{NODE_IMAGE}']);
    expect(dockerfile).toContain(`\nARG VERSION=${version}\n`);
    expect(dockerfile).toContain(`licenses="${license}"`);
    expect(dockerfile).toContain(`description="${description}"`);
  });

  test('runs as the user of the Deployment, with its arguments, and starts what is built', () => {
    const { securityContext, containers } = objectOf<Deployment>('base/deployment.yaml').spec.template.spec;
    const { runAsUser, runAsGroup } = securityContext as { readonly runAsUser: number; readonly runAsGroup: number };
    expect(dockerfile).toContain(`\nUSER ${runAsUser}:${runAsGroup}\n`);
    const words = (name: string): unknown => JSON.parse(new RegExp(`^${name} (\\[.*\\])$`, 'm').exec(dockerfile)?.[1] ?? 'null');
    expect(words('CMD')).toEqual(containers[0]?.args);
    expect(words('ENTRYPOINT')).toEqual(['node', '--disable-sigusr1', '/kubefold/dist/main.js']);
    expect(existsSync(join(tree, 'dist/main.js'))).toBe(true);
  });

  test('asks nobody but the registry of the base image and npm', () => {
    const commands = [...dockerfile.matchAll(/^(?:RUN|ADD|COPY) (.*)$/gm)].map(([, command]) => command ?? '');
    expect(commands.filter((command) => /apt|curl|wget|https?:|git /.test(command))).toEqual([]);
    expect(commands.filter((command) => /^npm /.test(command))).toEqual(['npm ci']);
  });
});
