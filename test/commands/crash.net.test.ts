import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seedCluster } from '../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import type { Child, Exit } from '../support/spawn.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { CANARIES, found, plantCanaries, RULES, writeKubeconfig } from './canaries.ts';
import { startKubefold } from './kubefold.ts';

/*
 * The program dies in every way that it can, with secrets in its hands, and what it leaves behind is searched: both outputs, and every file. What breaks it is a
 * module that Node loads before it (--import), in the main thread and in that of SQLite; it throws what engines and libraries throw, with the words of the
 * environment, which a report of Node would hold too.
 */

const BREAKER = `
  import { isMainThread } from 'node:worker_threads';
  const words = JSON.parse(process.env.WORDS);
  const errors = {
    whole: () => JSON.parse(words.token),
    fields() {
      const request = { headers: { authorization: 'Bearer ' + words.token }, body: { data: words.maskedValue } };
      throw Object.assign(new Error('other side closed', { cause: Object.assign(new Error('"' + words.annotation + '" was sent'), { request }) }), { request });
    },
    quoting() { throw new Error('POST was refused: Authorization: Bearer ' + words.token + ', {"env":"' + words.environment + '"}'); },
    object() { throw { token: words.token }; },
    text() { throw words.password; },
  };
  const memory = () => { const hog = []; for (;;) hog.push({ words: Array.from({ length: 1000 }, (_, i) => words.secretValue + i) }); };
  const doIt = (deed) => {
    const [way, what] = deed.split(' ');
    if (way === 'throw') setImmediate(errors[what]);
    else if (way === 'reject') void (async () => errors[what]())();
    else if (way === 'memory') setImmediate(memory);
    else if (way === 'abort') process.abort();
    else if (way === 'sink') {
      const { indexOf } = Buffer.prototype;
      Buffer.prototype.indexOf = function (...given) {
        if (given[0] === 10 && indexOf.call(this, 'canary') !== -1) {
          Buffer.prototype.indexOf = indexOf;
          errors.whole();
        }
        return indexOf.apply(this, given);
      };
    } else if (way === 'spoil') {
      const parse = JSON.parse;
      JSON.parse = (text, ...rest) => parse(/canary-/.test(text) ? String(text).replace(/(canary-[a-z0-9-]+"?)/, '$1 x') : text, ...rest);
    }
  };
  const channel = new BroadcastChannel('break');
  channel.unref();
  if (isMainThread) process.on('SIGUSR2', () => {
    const [where, deed] = process.env.DEED.split(': ');
    if (where === 'main') doIt(deed);
    else channel.postMessage(deed);
    process.stdout.write('broken');
  });
  else channel.onmessage = ({ data }) => doIt(data);
`;

let dir: TempDir;
let hollow: Hollow;
let child: Child;

beforeEach(async () => {
  dir = tempDir('crash');
  hollow = await startHollow();
  seedCluster(hollow, { pods: 5, nodes: 1, namespaces: 1, bytes: 600 });
  plantCanaries(hollow);
  writeFileSync(dir.file('break.mjs'), BREAKER);
});

afterEach(async () => {
  await child.stop(1_000);
  await hollow.close();
  dir.remove();
});

/** A mirror with secrets in its kubeconfig, its files, its environment and what it mirrors, complete. */
async function mirror(deed: string, flags: readonly string[] = []): Promise<void> {
  writeFileSync(dir.file('token'), `${CANARIES.storageToken}\n`);
  const storage = { url: `sqlite:${dir.file('copy.db')}`, tokenFile: dir.file('token') };
  writeFileSync(dir.file('kubefold.json'), JSON.stringify({ storage, resources: RULES, listen: 'off', audit: { everySeconds: null } }));
  const kubeconfig = writeKubeconfig(dir.file('kubeconfig'), hollow.url, { token: CANARIES.token });
  const env = { WORDS: JSON.stringify(CANARIES), DEED: deed, NODE_OPTIONS: [`--import=${dir.file('break.mjs')}`, ...flags].join(' '), TMPDIR: dir.path };
  const args = ['run', '--kubeconfig', kubeconfig, '--config', dir.file('kubefold.json'), '--log-level', 'debug', '--log-format', 'json'];
  child = startKubefold(args, { cwd: dir.path, env, withinMs: 90_000 });
  await child.printed(/first sync complete/, { on: 'stderr' });
}

/** All that can be seen of a word, also of one that was cut. */
const seen = (text: string): readonly string[] => [...found(text), ...(text.match(/canary-\w+|-9f3a61|-52cc07/g) ?? [])];

/** What this test and the mirror are meant to leave, each with the words that may be in it. What Node keeps of compiled code is code. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  'break.mjs': [],
  'kubefold.json': [],
  kubeconfig: [CANARIES.token],
  token: [CANARIES.storageToken],
  // What no rule masks is mirrored.
  ...Object.fromEntries(['copy.db', 'copy.db-wal', 'copy.db-shm', 'copy.db.lock'].map((name) => [name, [CANARIES.environment, CANARIES.annotation]])),
};

function expectNothingSaid({ stdout, stderr }: Pick<Exit, 'stdout' | 'stderr'>): void {
  expect(seen(`${stdout}${stderr}`)).toEqual([]);
  const files = readdirSync(dir.path, { recursive: true, encoding: 'utf8' }).filter((name) => statSync(join(dir.path, name)).isFile());
  const others = files.filter((name) => !name.startsWith('node-compile-cache'));
  expect(others.filter((name) => EXPECTED[name] === undefined)).toEqual([]);
  for (const name of files) {
    const words = found(readFileSync(join(dir.path, name), 'latin1')).filter((word) => EXPECTED[name]?.includes(word) !== true);
    expect(words, name).toEqual([]);
  }
}

async function died(): Promise<Exit> {
  child.signal('SIGUSR2');
  return await child.exited;
}

describe('an error that nobody takes', () => {
  test.each([
    ['main: throw whole', /SyntaxError: Unexpected token … is not valid JSON/],
    ['main: throw fields', /Error: other side closed\n[\s\S]*^caused by Error: … was sent$/m],
    ['main: throw quoting', /Error: POST was refused: Authorization: Bearer \*\*\*, …/],
    ['main: throw object', /something that is no error was thrown \(object\)/],
    ['main: throw text', /something that is no error was thrown \(string\)/],
    ['main: reject fields', /Error: other side closed/],
    ['main: reject text', /ERR_UNHANDLED_REJECTION: /],
  ])('ends the program with its class and its place and nothing else (%s)', async (deed, words) => {
    await mirror(deed);
    const exit = await died();
    expect([exit.code, exit.signal]).toEqual([1, null]);
    expect(exit.stderr).toMatch(/^kubefold: ended by a defect of its own: /m);
    expect(exit.stderr).toMatch(words);
    expectNothingSaid(exit);
  });

  test.each(['thread: throw quoting', 'thread: reject text', 'thread: throw object'])(
    'in the thread that writes SQLite is said without what it quotes, and the mirror goes on (%s)',
    async (deed) => {
      await mirror(deed);
      child.signal('SIGUSR2');
      await child.printed(/the thread that writes it ended \([^)]/, { on: 'stderr' });
      hollow.patch('pods', hollow.keys('pods')[0] ?? '', { metadata: { labels: { touched: 'yes' } } });
      await until('the change is stored by another thread', () => readFileSync(dir.file('copy.db-wal'), 'latin1').includes('"touched":"yes"'));
      const exit = await child.stop(30_000);
      expect(exit.code).toBe(0);
      expectNothingSaid(exit);
    },
  );
});

describe('a program that is killed', () => {
  test.each<NodeJS.Signals>(['SIGQUIT', 'SIGABRT', 'SIGSEGV'])('by %s says nothing and leaves no report', async (name) => {
    await mirror('main: none');
    child.signal(name);
    const exit = await child.exited;
    expect(exit.signal).toBe(name);
    expectNothingSaid(exit);
  });

  test('by itself (abort) says no more than where it was', async () => {
    await mirror('main: abort');
    const exit = await died();
    expect(exit.signal).toBe('SIGABRT');
    expectNothingSaid(exit);
  });

  test('by a heap that is full says numbers and addresses', async () => {
    await mirror('main: memory', ['--max-old-space-size=96']);
    const exit = await died();
    expect(exit.code === 0 || exit.stderr.includes('heap out of memory'), exit.stderr.slice(-500)).toBe(true);
    expect(exit.code).not.toBe(0);
    expectNothingSaid(exit);
  });
});

test('documents that cannot be parsed, wherever that happens, are not quoted', async () => {
  await mirror('main: spoil');
  child.signal('SIGUSR2');
  await child.printed(/broken/);
  for (const kind of ['configmaps', 'secrets', 'pods']) {
    const key = hollow.keys(kind).find((one) => one.endsWith('/canary')) ?? '';
    hollow.patch(kind, key, { metadata: { labels: { touched: kind } } });
  }
  await child.printed(/"kind":"configmaps".*not valid JSON.*an object could not be read/, { on: 'stderr' });
  const exit = await child.stop(30_000);
  expect(exit.code).toBe(0);
  expectNothingSaid(exit);
});

test('a watch whose reader throws in the middle of a document is opened again, and what the reader quoted is not said', async () => {
  await mirror('main: sink');
  child.signal('SIGUSR2');
  await child.printed(/broken/);
  const key = hollow.keys('configmaps').find((one) => one.endsWith('/canary')) ?? '';
  hollow.patch('configmaps', key, { metadata: { labels: { touched: 'once' } } });
  await child.printed(/"kind":"configmaps".*Unexpected token 'c', … is not valid JSON/, { on: 'stderr', withinMs: 12_000 });
  await until('the change is stored all the same', () => readFileSync(dir.file('copy.db-wal'), 'latin1').includes('"touched":"once"'));
  const exit = await child.stop(30_000);
  expect(exit.code).toBe(0);
  expectNothingSaid(exit);
});

test.each([
  ['as a whole', 0, /is not a SQLite database/],
  ['behind its first page', 4_096, /the file is damaged/],
])('a database that turned to garbage %s is told without a row of it', async (_, from, words) => {
  await mirror('main: none');
  expect((await child.stop(30_000)).code).toBe(0);
  const bytes = readFileSync(dir.file('copy.db'));
  const text = `${CANARIES.annotation} ${CANARIES.environment} `;
  writeFileSync(dir.file('copy.db'), Buffer.concat([bytes.subarray(0, from), Buffer.alloc(bytes.length - from, text)]));
  const flags = ['--kubeconfig', dir.file('kubeconfig'), '--config', dir.file('kubefold.json'), '--log-level', 'debug', '--log-format', 'json'];
  child = startKubefold(['run', ...flags], { cwd: dir.path, env: { TMPDIR: dir.path } });
  await child.printed(words, { on: 'stderr' });
  expectNothingSaid(await child.stop(30_000));
});
