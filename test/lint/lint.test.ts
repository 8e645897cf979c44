import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { run } from '../support/spawn.ts';
import { tempDir } from '../support/temp-dir.ts';

/*
 * A lint that passes silently is a defect, and it does happen: the promise rules find nothing when the configuration is named by its folder
 * or lies outside the project, and a tool that does not understand TypeScript 7 exits 0. So every rule we rely on is shown a fault it must find.
 */

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Plant {
  readonly rule: string;
  /** Where the fault lies; rules differ between rooms. */
  readonly path: string;
  readonly code: string;
  /** What the message must say: the replacement. */
  readonly says?: RegExp;
}

const CLOCK = /Take a Clock \(src\/kit\/clock\.ts\)/;

const plants: readonly Plant[] = [
  {
    rule: 'nursery/noFloatingPromises',
    path: 'src/room/floating.ts',
    code: 'async function work(): Promise<void> {}\nexport function f(): void {\n  work();\n}',
  },
  {
    rule: 'nursery/noFloatingPromises',
    path: 'src/room/floating-import.ts',
    code: "import { later } from './later.ts';\nexport function f(): void {\n  later();\n}",
  },
  {
    rule: 'nursery/noFloatingPromises',
    path: 'src/room/floating-interface.ts',
    code: 'interface Storage {\n  close(): Promise<void>;\n}\nexport function f(storage: Storage): void {\n  storage.close();\n}',
  },
  {
    rule: 'nursery/noFloatingPromises',
    path: 'src/room/floating-private.ts',
    code: 'export class A {\n  start(): void {\n    this.#go();\n  }\n  async #go(): Promise<void> {}\n}',
  },
  {
    rule: 'nursery/noFloatingPromises',
    path: 'src/room/floating-map.ts',
    code: 'export function f(map: Map<string, { close(): Promise<void> }>): void {\n  map.get("x")?.close();\n}',
  },
  {
    rule: 'nursery/noMisusedPromises',
    path: 'src/room/misused-condition.ts',
    code: 'async function isOpen(): Promise<boolean> {\n  return false;\n}\nexport function f(): number {\n  if (isOpen()) return 1;\n  return 0;\n}',
  },
  {
    rule: 'nursery/noMisusedPromises',
    path: 'src/room/misused-callback.ts',
    code: 'async function work(): Promise<void> {}\nexport function f(): void {\n  [1].forEach(async () => {\n    await work();\n  });\n}',
  },
  { rule: 'nursery/useAwaitThenable', path: 'src/room/await-nothing.ts', code: 'export async function f(): Promise<void> {\n  await 1;\n}' },
  { rule: 'suspicious/noExplicitAny', path: 'src/room/any.ts', code: 'export function f(a: any): void {\n  void a;\n}' },
  { rule: 'suspicious/noConsole', path: 'src/room/console.ts', code: "export function f(): void {\n  console.log('x');\n}" },
  { rule: 'suspicious/noConsole', path: 'src/kit/console.ts', code: "export function f(): void {\n  console.log('x');\n}" },
  {
    rule: 'suspicious/noImportCycles',
    path: 'src/room/cycle-a.ts',
    code: "import { b } from './cycle-b.ts';\nexport const a = (): number => b();",
  },
  {
    rule: 'suspicious/noImportCycles',
    path: 'src/room/cycle-b.ts',
    code: "import { a } from './cycle-a.ts';\nexport const b = (): number => a();",
  },
  { rule: 'suspicious/noFocusedTests', path: 'test/room/focused.test.ts', code: "import { test } from 'vitest';\ntest.only('x', () => {});" },
  { rule: 'suspicious/noSkippedTests', path: 'test/room/skipped.test.ts', code: "import { test } from 'vitest';\ntest.skip('x', () => {});" },
  { rule: 'suspicious/noTsIgnore', path: 'src/room/ts-ignore.ts', code: '// @ts-ignore\nexport const a: number = 1;' },
  { rule: 'style/noNonNullAssertion', path: 'src/room/bang.ts', code: 'export function f(a: string | null): number {\n  return a!.length;\n}' },
  { rule: 'style/noDefaultExport', path: 'src/room/default.ts', code: 'export default function f(): void {}' },
  { rule: 'style/noEnum', path: 'src/room/enum.ts', code: 'export enum A {\n  B,\n}' },
  { rule: 'style/noNamespace', path: 'src/room/namespace.ts', code: 'export namespace A {\n  export const b = 1;\n}' },
  { rule: 'style/noParameterProperties', path: 'src/room/parameter.ts', code: 'export class A {\n  constructor(readonly b: number) {}\n}' },
  { rule: 'style/useImportType', path: 'src/room/import-type.ts', code: "import { Later } from './later.ts';\nexport type A = Later;" },
  { rule: 'style/useThrowOnlyError', path: 'src/room/throw.ts', code: "export function f(): never {\n  throw 'text';\n}" },
  { rule: 'style/useFilenamingConvention', path: 'src/room/CamelCase.ts', code: 'export const a = 1;' },
  { rule: 'performance/noBarrelFile', path: 'src/room/barrel.ts', code: "export { later } from './later.ts';\nexport type { Later } from './later.ts';" },
  { rule: 'performance/noReExportAll', path: 'src/room/all.ts', code: "export * from './later.ts';" },
  { rule: 'correctness/noUnusedImports', path: 'src/room/unused-import.ts', code: "import { later } from './later.ts';\nexport const a = 1;" },
  { rule: 'correctness/noUnusedVariables', path: 'src/room/unused.ts', code: 'export function f(): void {\n  const a = 1;\n}' },
  { rule: 'correctness/noUnusedFunctionParameters', path: 'src/room/unused-parameter.ts', code: 'export function f(a: number): void {}' },
  {
    rule: 'correctness/noUnusedPrivateClassMembers',
    path: 'src/room/unused-private.ts',
    code: 'export class A {\n  #b = 1;\n}',
  },
  { rule: 'correctness/noUndeclaredDependencies', path: 'src/room/undeclared.ts', code: "import { x } from 'left-pad';\nexport const a = x;" },
  { rule: 'nursery/noJsRestrictedProperties', path: 'src/room/date-now.ts', code: 'export const f = (): number => Date.now();', says: CLOCK },
  { rule: 'nursery/noJsRestrictedProperties', path: 'src/room/performance.ts', code: 'export const f = (): number => performance.now();', says: CLOCK },
  { rule: 'nursery/noJsRestrictedProperties', path: 'src/room/hrtime.ts', code: 'export const f = (): bigint => process.hrtime.bigint();', says: CLOCK },
  {
    rule: 'nursery/noJsRestrictedProperties',
    path: 'src/room/signal.ts',
    code: 'export const f = (): AbortSignal => AbortSignal.timeout(1);',
    says: CLOCK,
  },
  { rule: 'nursery/noJsRestrictedProperties', path: 'src/room/destructured.ts', code: 'export const { now } = Date;', says: CLOCK },
  {
    rule: 'nursery/noJsRestrictedProperties',
    path: 'src/room/global.ts',
    code: 'export function f(): void {\n  globalThis.setTimeout(() => {}, 1);\n}',
    says: CLOCK,
  },
  { rule: 'nursery/noJsRestrictedProperties', path: 'src/room/random.ts', code: 'export const f = (): number => Math.random();', says: /Take a Random/ },
  { rule: 'style/noRestrictedGlobals', path: 'src/room/timer.ts', code: 'export function f(): void {\n  setTimeout(() => {}, 1);\n}', says: CLOCK },
  { rule: 'style/noRestrictedGlobals', path: 'src/room/interval.ts', code: 'export function f(): void {\n  setInterval(() => {}, 1);\n}', says: CLOCK },
  {
    rule: 'style/noRestrictedImports',
    path: 'src/room/timers-promises.ts',
    code: "import { setTimeout } from 'node:timers/promises';\nexport const f = (): Promise<void> => setTimeout(1);",
    says: CLOCK,
  },
  { rule: 'plugin', path: 'src/room/new-date.ts', code: 'export const f = (): Date => new Date();', says: CLOCK },
  { rule: 'plugin', path: 'src/bench/new-date.ts', code: 'export const f = (): string => Date();', says: CLOCK },
];

/** What is allowed, beside the faults: a rule that finds everything proves nothing. */
const clean: Readonly<Record<string, string>> = {
  'src/room/later.ts': 'export interface Later {\n  readonly a: number;\n}\nexport async function later(): Promise<void> {}',
  'src/room/dated.ts': 'export const f = (ms: number): string => new Date(ms).toISOString();',
  'src/room/awaited.ts': "import { later } from './later.ts';\nexport async function f(): Promise<void> {\n  await later();\n  void later();\n}",
  'src/kit/clock.ts':
    'export const f = (): number => Date.now() + performance.now() + Math.random();\nexport const g = (): unknown => setTimeout(() => {}, 1);',
  'src/kit/log.ts': "export const f = (): void => console.error('x');",
  'test/room/timed.test.ts': "import { test } from 'vitest';\ntest('x', () => {\n  console.log(Date.now());\n});",
  'test/vitest.config.ts': 'export default {};',
};

interface Finding {
  readonly rule: string;
  readonly path: string;
  readonly text: string;
}

const lintCommand = (): string => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly scripts: Record<string, string> };
  return scripts['lint'] ?? '';
};

let findings: readonly Finding[] = [];

beforeAll(async () => {
  using dir = tempDir('lint');
  for (const name of ['package.json', 'tsconfig.json', 'test/lint/biome.json', 'test/lint/no-wall-date.grit']) cpSync(join(ROOT, name), dir.file(name));
  for (const { path, code } of plants) write(dir.file(path), code);
  for (const [path, code] of Object.entries(clean)) write(dir.file(path), code);
  const [program = '', ...args] = lintCommand().split(' ');
  const exit = await run(join(ROOT, 'node_modules/.bin', program), [...args, '--colors=off', '--max-diagnostics=none'], { cwd: dir.path });
  expect(exit.code, exit.stderr).toBe(1);
  findings = readFindings(exit.stdout + exit.stderr);
});

describe('npm run lint finds', () => {
  test.each(plants.map((plant) => [plant.rule, plant.path, plant] as const))('%s in %s', (rule, path, plant) => {
    const here = findings.filter((finding) => finding.path === path);
    expect(here.map((finding) => finding.rule)).toContain(rule);
    if (plant.says !== undefined) expect(here.find((finding) => finding.rule === rule)?.text).toMatch(plant.says);
  });

  test('nothing in code that follows the rules', () => {
    expect(findings.filter((finding) => finding.path in clean)).toEqual([]);
  });

  test('no fault that was not planted', () => {
    const known = new Set(plants.map((plant) => plant.path));
    expect(findings.filter((finding) => !known.has(finding.path))).toEqual([]);
  });
});

function write(path: string, code: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${code}\n`);
}

/** Read from what a person reads: the machine formats leave the message with the replacement out. */
function readFindings(output: string): readonly Finding[] {
  return output.split(/^(?=\S+ (?:lint\/\S+|plugin) )/m).flatMap((text) => {
    const [, path, rule, plugin] = /^(\S+?)(?::\d+:\d+)? (?:lint\/(\S+)|(plugin)) /.exec(text) ?? [];
    const name = rule ?? plugin;
    return path === undefined || name === undefined ? [] : [{ rule: name, path, text }];
  });
}
