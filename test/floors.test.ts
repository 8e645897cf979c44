import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { checkFloors, EXPLAINED_LONG_FILES, LONGEST_FILE, SHELLS_OF_MIXED_ROOMS, STOREYS, storeyOf } from './lint/floors.ts';
import type { SourceFile } from './lint/floors.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SRC = join(ROOT, 'src');

/** Folders of test/ that are no room, each with what it is. */
const OTHER_TEST_FOLDERS: Readonly<Record<string, string>> = {
  support: 'what tests of several rooms share',
  lint: 'the rules about the code itself',
  'cluster-client': 'the client of the room cluster; test/cluster is the harness around a real control plane',
  manifests: 'the files of manifests/, on paper and on a real API server',
};

/** What may stand at the top of the repository (design.md section 1). */
const TOP_LEVEL = ['package.json', 'package-lock.json', 'tsconfig.json', 'README.md', 'LICENSE', 'src', 'config', 'test', 'manifests'];
/** Never committed. */
const MADE_HERE = ['node_modules', 'dist'];

const sources = (): readonly SourceFile[] =>
  readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.[cm]?[jt]s$/.test(path))
    .map((path) => ({ path, code: readFileSync(join(SRC, path), 'utf8') }));

describe('the house', () => {
  test('stands: every file is in a known room, imports only downwards, and makes no ring', () => {
    const files = sources();
    expect(files.length).toBeGreaterThan(20);
    expect(checkFloors(files)).toEqual([]);
  });

  test('has no exception for a file that is gone', () => {
    const named = [...Object.keys(EXPLAINED_LONG_FILES), ...SHELLS_OF_MIXED_ROOMS];
    expect(named.filter((path) => !existsSync(join(SRC, path)))).toEqual([]);
  });

  test('has tests in the same rooms', () => {
    const isRoom = (name: string): boolean => existsSync(join(SRC, name)) || name in OTHER_TEST_FOLDERS;
    const folders = readdirSync(join(ROOT, 'test'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.map((folder) => folder.name).filter((name) => !isRoom(name))).toEqual([]);
  });

  test('has nothing else at its top level', () => {
    const found = readdirSync(ROOT).filter((name) => !name.startsWith('.') && !TOP_LEVEL.includes(name) && !MADE_HERE.includes(name));
    expect(found.filter((name) => !/\.db(-shm|-wal|\.lock)?$/.test(name))).toEqual([]);
  });
});

/** A sound little house; each case below breaks one thing. */
const SOUND: Readonly<Record<string, string>> = {
  'model/key.ts': 'export type Key = string;\n',
  'kit/clock.ts': 'export interface Clock {}\nexport const systemClock: Clock = {};\nsetTimeout(() => {}, Date.now());\n',
  'kit/log.ts': "import { pino } from 'pino';\nexport interface Logger {}\nexport const log = pino();\n",
  'json/walk.ts': "import type { Key } from '../model/key.ts';\nexport const walk = (key: Key): Key => key;\n",
  'storage/storage.ts': "import type { Key } from '../model/key.ts';\nexport interface Storage {\n  write(key: Key): void;\n}\n",
  'queue/queue.ts': 'export interface WorkQueue {}\n',
  'queue/dedup.ts':
    "import { createHash } from 'node:crypto';\nimport type { WorkQueue } from './queue.ts';\nexport const dedup = (queue: WorkQueue): unknown => createHash(String(queue));\n",
  'queue/work-queue.ts': "import { systemClock } from '../kit/clock.ts';\nimport { dedup } from './dedup.ts';\nexport const workQueue = dedup(systemClock);\n",
  'cache/entry.ts': 'export interface Entry {}\n',
  'worker/decide.ts': "import type { Entry } from '../cache/entry.ts';\nexport const decide = (entry: Entry): Entry => entry;\n",
  'worker/pool.ts':
    "import type { Storage } from '../storage/storage.ts';\nimport { decide } from './decide.ts';\nexport const pool = (storage: Storage): unknown => decide(storage);\n",
  'storage/sqlite/engine.ts':
    "import { DatabaseSync } from 'node:sqlite';\nimport type { Storage } from '../storage.ts';\nexport const open = (): Storage => new DatabaseSync('') as never;\n",
  'storage/open.ts': "export const open = () => import('./sqlite/engine.ts');\n",
  'hollow/server.ts': 'export const serve = 1;\n',
  'hollow/main.ts': "import { serve } from './server.ts';\nexport const main = serve;\n",
  'app.ts':
    "import { workQueue } from './queue/work-queue.ts';\nimport { open } from './storage/open.ts';\nimport { pool } from './worker/pool.ts';\nexport const app = { workQueue, open, pool };\n",
  'bench/main.ts': "import { app } from '../app.ts';\nexport const bench = app;\n",
  'commands/run.ts': "import { app } from '../app.ts';\nexport const run = app;\n",
  'main.ts': "import { run } from './commands/run.ts';\nexport const main = run;\n",
};

const check = (changes: Readonly<Record<string, string>>): readonly string[] =>
  checkFloors(Object.entries({ ...SOUND, ...changes }).map(([path, code]) => ({ path, code })));

const ring = (...paths: readonly string[]): RegExp => new RegExp(`ring of imports: ${paths.join(' → ').replaceAll('.', '\\.')}`);

const broken: readonly [string, Readonly<Record<string, string>>, RegExp][] = [
  ['a file in no known room', { 'helpers/text.ts': 'export const a = 1;\n' }, /helpers\/text\.ts is in no known room/],
  ['a file at the top that is no entry', { 'tools.ts': 'export const a = 1;\n' }, /tools\.ts is in no known room/],
  ['an engine nobody planned', { 'storage/redis/engine.ts': 'export const a = 1;\n' }, /storage\/redis\/engine\.ts is in no known room/],
  ['an import upwards', { 'model/key.ts': "import { walk } from '../json/walk.ts';\nexport const key = walk;\n" }, /model\/key\.ts .*imports json\/walk\.ts/],
  [
    'a type-only import upwards',
    { 'cache/entry.ts': "import type { decide } from '../worker/decide.ts';\nexport type Entry = typeof decide;\n" },
    /cache\/entry\.ts .*imports worker\/decide\.ts/,
  ],
  [
    'an inline type import upwards',
    { 'model/key.ts': "export type Key = import('../queue/queue.ts').WorkQueue;\n" },
    /model\/key\.ts .*imports queue\/queue\.ts/,
  ],
  ['a dynamic import upwards', { 'worker/pool.ts': "export const pool = () => import('../app.ts');\n" }, /worker\/pool\.ts .*imports app\.ts/],
  ['a re-export from above', { 'model/key.ts': "export { walk } from '../json/walk.ts';\nexport const a = 1;\n" }, /model\/key\.ts .*imports json\/walk\.ts/],
  [
    'an import over several lines',
    { 'model/key.ts': "import {\n  walk,\n} from '../json/walk.ts';\nexport const key = walk;\n" },
    /model\/key\.ts .*imports json\/walk\.ts/,
  ],
  [
    'the words knowing the kit is fine, the kit knowing the words is not',
    { 'kit/log.ts': "import type { Decision } from '../worker/decide.ts';\nexport type Log = Decision;\n" },
    /kit\/log\.ts .*imports worker\/decide\.ts/,
  ],
  [
    'a shell that imports the shell of another room',
    { 'worker/pool.ts': "import { workQueue } from '../queue/work-queue.ts';\nexport const pool = workQueue;\n" },
    /worker\/pool\.ts \(floor 3, shells\) imports queue\/work-queue\.ts \(floor 3, shells\)/,
  ],
  [
    'a core that imports the shell of its own room',
    { 'queue/dedup.ts': "import { workQueue } from './work-queue.ts';\nexport const dedup = workQueue;\n" },
    /queue\/dedup\.ts .*imports queue\/work-queue\.ts/,
  ],
  [
    'a core of another room on the same storey',
    { 'queue/dedup.ts': "import type { Entry } from '../cache/entry.ts';\nexport const dedup = (entry: Entry): unknown => entry;\n" },
    /queue\/dedup\.ts .*imports cache\/entry\.ts/,
  ],
  ['wiring that imports a command', { 'app.ts': "import { run } from './commands/run.ts';\nexport const app = run;\n" }, /app\.ts .*imports commands\/run\.ts/],
  [
    'the hollow server importing its own command',
    { 'hollow/server.ts': "import { main } from './main.ts';\nexport const serve = main;\n" },
    /hollow\/server\.ts .*imports hollow\/main\.ts/,
  ],
  [
    'an import out of src',
    { 'app.ts': "import { expect } from '../test/support/x.ts';\nexport const app = expect;\n" },
    /app\.ts imports \.\.\/test\/support\/x\.ts, which is not a file of src/,
  ],
  [
    'a core that reads files',
    { 'queue/dedup.ts': "import { readFileSync } from 'node:fs';\nexport const dedup = readFileSync;\n" },
    /queue\/dedup\.ts is pure \(cores\) but imports node:fs/,
  ],
  [
    'a core that runs the clock',
    { 'queue/dedup.ts': "import { systemClock } from '../kit/clock.ts';\nexport const dedup = systemClock;\n" },
    /queue\/dedup\.ts is pure .*imports kit\/clock\.ts/,
  ],
  [
    'a core that logs',
    { 'worker/decide.ts': "import { log } from '../kit/log.ts';\nexport const decide = log;\n" },
    /worker\/decide\.ts is pure .*imports kit\/log\.ts/,
  ],
  [
    'a core that speaks HTTP',
    { 'cache/entry.ts': "import { request } from 'undici';\nexport const entry = request;\n" },
    /cache\/entry\.ts is pure .*imports undici/,
  ],
  [
    'a core with a limiter',
    { 'cache/entry.ts': "import Bottleneck from 'bottleneck';\nexport const entry = Bottleneck;\n" },
    /cache\/entry\.ts is pure .*imports bottleneck/,
  ],
  [
    'a new file in a mixed room that is not pure',
    { 'worker/speed.ts': "import { open } from 'node:fs/promises';\nexport const speed = open;\n" },
    /worker\/speed\.ts is pure \(decisions\) but imports node:fs\/promises/,
  ],
  [
    'words with IO',
    { 'model/key.ts': "import { connect } from 'node:net';\nexport const key = connect;\n" },
    /model\/key\.ts is pure \(words\) but imports node:net/,
  ],
  ['a barrel named index', { 'queue/index.ts': 'export const a = 1;\n' }, /queue\/index\.ts is a barrel file/],
  [
    'a barrel by another name',
    { 'queue/all.ts': "// Everything.\nexport { dedup } from './dedup.ts';\nexport type * from './queue.ts';\n" },
    /queue\/all\.ts is a barrel file/,
  ],
  ['a barrel in two steps', { 'queue/all.ts': "import { dedup } from './dedup.ts';\nexport { dedup };\n" }, /queue\/all\.ts is a barrel file/],
  [
    'a ring of two',
    {
      'worker/decide.ts': "import { b } from './b.ts';\nexport const decide = b;\n",
      'worker/b.ts': "import { decide } from './decide.ts';\nexport const b = decide;\n",
    },
    ring('worker/decide.ts', 'worker/b.ts', 'worker/decide.ts'),
  ],
  [
    'a ring of types',
    {
      'model/key.ts': "import type { B } from './b.ts';\nexport type Key = B;\n",
      'model/b.ts': "import type { C } from './c.ts';\nexport type B = C;\n",
      'model/c.ts': "import type { Key } from './key.ts';\nexport type C = Key;\n",
    },
    ring('model/key.ts', 'model/b.ts', 'model/c.ts', 'model/key.ts'),
  ],
  [
    'a file too long',
    { 'cache/entry.ts': 'export const a = 1;\n'.replace('a', 'a0') + Array.from({ length: LONGEST_FILE }, (_, i) => `export const a${i + 1} = 1;\n`).join('') },
    new RegExp(`cache/entry\\.ts has ${LONGEST_FILE + 1} lines, the bound is ${LONGEST_FILE}`),
  ],
  ['the wall clock', { 'app.ts': 'export const app = Date.now();\n' }, /app\.ts uses Date\.now/],
  ['a timer', { 'bench/main.ts': 'export const bench = setTimeout(() => {}, 1);\n' }, /bench\/main\.ts uses setTimeout/],
  ['chance', { 'hollow/server.ts': 'export const serve = Math.random();\n' }, /hollow\/server\.ts uses Math\.random/],
  ['today', { 'hollow/server.ts': 'export const serve = new Date();\n' }, /hollow\/server\.ts uses new Date\(\)/],
];

describe('checkFloors()', () => {
  test('finds nothing wrong with a sound house', () => {
    expect(check({})).toEqual([]);
  });

  test.each(broken)('finds %s', (_name, changes, message) => {
    expect(check(changes).join('\n')).toMatch(message);
  });

  test('lets a core describe a clock by its type, comments speak of what code may not do, and a page carry a script', () => {
    const code =
      "import type { Clock } from '../kit/clock.ts';\n/** Never Date.now(). */\n// Not setTimeout either.\nexport const entry = (clock: Clock): Clock => clock;\nexport const page = `<script>setTimeout(() => {}, 1)</script>`;\nexport const day = (ms: number): Date => new Date(ms);\n";
    expect(check({ 'cache/entry.ts': code })).toEqual([]);
  });

  test('a file at exactly the bound is not too long', () => {
    expect(check({ 'cache/entry.ts': Array.from({ length: LONGEST_FILE }, (_, i) => `export const a${i} = 1;\n`).join('') })).toEqual([]);
  });

  test('floors never go down along the table', () => {
    const floors = STOREYS.map((storey) => storey.floor);
    expect(floors).toEqual(floors.toSorted());
  });

  test('a name beats a glob, so the shells of a mixed room are not cores', () => {
    expect(STOREYS[storeyOf('worker/pool.ts')]?.name).toBe('shells');
    expect(STOREYS[storeyOf('worker/decide.ts')]?.name).toBe('decisions');
    expect(STOREYS[storeyOf('queue/queue.ts')]?.name).toBe('contracts');
    expect(STOREYS[storeyOf('hollow/main.ts')]?.name).toBe('commands');
  });
});
