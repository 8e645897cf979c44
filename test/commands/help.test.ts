import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMMON_OPTIONS } from '../../src/commands/command.ts';
import { loadConfig } from '../../src/config/load.ts';
import { ROOT } from '../support/readme.ts';
import { tempDir } from '../support/temp-dir.ts';
import { kubefold } from './kubefold.ts';

const COMMANDS = ['run', 'demo', 'get', 'verify', 'confirm', 'parked', 'bench', 'hollow', 'storage', 'config', 'rbac'];

async function ok(args: readonly string[]): Promise<string> {
  const exit = await kubefold(args);
  expect(exit.stderr).toBe('');
  expect(exit.code).toBe(0);
  return exit.stdout;
}

describe('--help', () => {
  test.each([[[]], [['--help']], [['-h']], [['help']]])('kubefold %j shows every command with its summary', async (args) => {
    const text = await ok(args);
    for (const name of COMMANDS) expect(text).toMatch(new RegExp(`^  ${name} +\\S.*\\S$`, 'm'));
    expect(text).toMatch(/Start here:[\s\S]*kubefold demo/);
  });

  test.each(COMMANDS)('of %s: usage, what it does, and every option with a sentence', async (name) => {
    const text = await ok([name, '--help']);
    expect(text).toMatch(new RegExp(`^Usage: kubefold ${name}\\b.*\\[options\\]$`, 'm'));
    const options = text.slice(text.indexOf('\nOptions:\n'));
    for (const option of Object.keys(COMMON_OPTIONS)) expect(options).toMatch(new RegExp(`--${option}\\b.* {2,}\\S`));
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(130);
  });

  test('wins over everything else that is wrong with the arguments', async () => {
    expect(await ok(['get', '--help'])).toMatch(/^Usage: kubefold get /m);
    expect(await ok(['run', 'a', 'b', '--help'])).toMatch(/^Usage: kubefold run /m);
  });
});

test('--version, alone and behind a command, is that of package.json', async () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  expect(await ok(['--version'])).toBe(`kubefold ${version}\n`);
  expect(await ok(['run', '--version'])).toBe(`kubefold ${version}\n`);
});

describe('config', () => {
  test('print shows the defaults as a file that loads to the same', async () => {
    const text = await ok(['config', 'print']);
    expect(loadConfig({ text, file: 'printed' })).toEqual(loadConfig({ text: null, file: 'defaults' }));
  });

  test('print shows the effective values of a file, and what it prints is valid and prints the same again', async () => {
    using dir = tempDir('print');
    const file =
      'cluster: { name: prod }\nworkers: { pods: 9 }\nresources:\n  - { kinds: [pods], labels: "a!=b", mask: ["spec.containers[*].env[*].value"] }\n';
    writeFileSync(dir.file('a.yaml'), file);
    const text = await ok(['config', 'print', dir.file('a.yaml')]);
    writeFileSync(dir.file('b.yaml'), text);
    expect(await ok(['config', 'check', dir.file('b.yaml')])).toBe(`${dir.file('b.yaml')} is valid\n`);
    expect(loadConfig({ text, file: 'printed' })).toEqual(loadConfig({ text: file, file: 'a.yaml' }));
  });

  test('schema is JSON Schema that describes every top-level key of what print shows', async () => {
    const schema = JSON.parse(await ok(['config', 'schema'])) as {
      readonly type: string;
      readonly properties: Record<string, { readonly description?: string }>;
    };
    expect(schema.type).toBe('object');
    const printed = Object.keys(loadConfig({ text: null, file: 'defaults' }));
    expect(Object.keys(schema.properties).sort()).toEqual(printed.sort());
    for (const key of printed) expect(schema.properties[key]?.description, key).toMatch(/\S/);
  });
});

test('rbac prints a ClusterRole for kinds named by the command line, and nothing but those', async () => {
  const text = await ok(['rbac', '--kinds', 'pods,deployments.apps', '--name', 'mirror']);
  expect(text).toMatch(/kind: ClusterRole/);
  expect(text).toMatch(/name: mirror/);
  expect(text).toMatch(/pods/);
  expect(text).not.toMatch(/secrets/);
});
