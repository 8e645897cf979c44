import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseCommandLine } from '../../src/commands/command.ts';
import { confirm } from '../../src/commands/confirm.ts';
import { seedCluster } from '../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { Copy } from '../mirror/copy.ts';
import { TestAuthority } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import type { Child, Exit } from '../support/spawn.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { kubefold, startKubefold } from './kubefold.ts';

let hollow: Hollow;
let dir: TempDir;
beforeEach(async () => {
  hollow = await startHollow();
  seedCluster(hollow, { pods: 100, nodes: 2, namespaces: 2, bytes: 1_000, apps: false });
  dir = tempDir('confirm');
  writeFileSync(dir.file('kubeconfig'), hollow.kubeconfig());
});
afterEach(async () => {
  await hollow.close();
  dir.remove();
});

const storage = (): readonly string[] => ['--storage', `sqlite:${dir.file('copy.db')}`];
const run = (...more: string[]): readonly string[] => ['run', '--kubeconfig', dir.file('kubeconfig'), ...storage(), '--log-format', 'json', ...more];

/** One exact copy; then `change` happens while nobody runs, and its history is forgotten. */
async function mirrored(change: () => void): Promise<void> {
  expect((await kubefold(run('--once', '--listen', 'off'))).code).toBe(0);
  change();
  hollow.create('configmaps', { metadata: { name: 'newest', namespace: 'default' } });
  hollow.compact();
}

function deletePods(count: number): void {
  for (const key of hollow.keys('pods').slice(0, count)) hollow.delete('pods', key);
}

/** A running mirror, once its first sync is complete, and the address to ask it at. */
async function start(...more: string[]): Promise<{ readonly child: Child; readonly url: string; readonly at: readonly string[] }> {
  const child = startKubefold(run(...(more.includes('--config') ? [] : ['--listen', '127.0.0.1:0']), ...more));
  const [, url = ''] = await child.printed(/"status":"([^"]+)"/, { on: 'stderr' });
  await child.printed(/first sync complete/, { on: 'stderr' });
  return { child, url, at: ['--listen', new URL(url).host] };
}

const rows = (kind: string): number => {
  using copy = new Copy(dir.file('copy.db'));
  return copy.rows(kind).length;
};

describe('70 of 100 pods deleted while nobody ran', () => {
  test('are held; confirm shows them, asks for --yes without a terminal, and deletes exactly them', async () => {
    await mirrored(() => deletePods(70));
    const mirror = await start();
    await using child = mirror.child;
    const { at, url } = mirror;
    await child.printed(/"held":70,"of":100.*deletions are held until somebody confirms them/, { on: 'stderr' });
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^kubefold_held_deletions\{resource="pods"\} 70$/m);
    expect(rows('pods')).toBe(100);

    const unasked = await kubefold(['confirm', ...at]);
    expect(unasked.code).toBe(2);
    expect(unasked.stdout).toMatch(/^pods: 70 of 100 rows would be deleted, held for \d+s\n {2}because the list after an expired watch .*maxDeleteShare/);
    expect(unasked.stdout).toMatch(/(\n {4}load-00\d\/\S+){10}\n {4}and 60 more; --all-keys shows them\n$/);
    expect(unasked.stderr).toMatch(/Nothing was deleted: there is no terminal to ask on.*--yes.*--dry-run/);
    const whole = await kubefold(['confirm', ...at, '--dry-run', '-o', 'json', 'po']);
    expect(whole.code).toBe(0);
    const [pass] = (JSON.parse(whole.stdout) as { readonly held: readonly { readonly kind: string; readonly keys: readonly string[] }[] }).held;
    expect(pass?.kind).toBe('pods');
    expect(pass?.keys).toHaveLength(70);
    expect(pass?.keys.filter((key) => hollow.keys('pods').includes(key))).toEqual([]);
    expect(((await kubefold(['confirm', ...at, '--dry-run', '--all-keys'])).stdout.match(/^ {4}\S+\/\S+$/gm) ?? []).sort()).toEqual(
      [...(pass?.keys ?? [])].map((key) => `    ${key}`).sort(),
    );
    const other = await kubefold(['confirm', ...at, 'nodes', '--yes']);
    expect([other.code, other.stderr]).toEqual([2, expect.stringMatching(/Nothing of "nodes" is held\. There is something held of pods\./)]);
    expect(rows('pods')).toBe(100);

    const done = await kubefold(['confirm', ...at, 'pods', '--yes']);
    expect([done.code, done.stderr]).toEqual([0, 'pods: 70 deletions are under way\n']);
    using copy = new Copy(dir.file('copy.db'));
    await copy.equals(hollow);
    await until('nothing is held', async () => /^kubefold_held_deletions\{resource="pods"\} 0$/m.test(await (await fetch(`${url}/metrics`)).text()));
    const again = await kubefold(['confirm', ...at]);
    expect([again.code, again.stdout, again.stderr]).toEqual([0, '', 'No deletion is held in the copy of cluster "hollow".\n']);
  });

  test('--once ends with 1 and says how many rows are there too much', async () => {
    await mirrored(() => deletePods(70));
    const exit = await kubefold(run('--once', '--listen', 'off'));
    expect(exit.code).toBe(1);
    expect(exit.stderr).toMatch(/held by the fence: 70 of pods\. Run without --once and decide with kubefold confirm/);
    expect(rows('pods')).toBe(100);
  });

  test('a person at the terminal is asked: y deletes, anything else does not', async () => {
    await mirrored(() => deletePods(70));
    const mirror = await start();
    await using _ = mirror.child;
    const questions: string[] = [];
    const answered = async (answer: string): Promise<{ readonly code: number; readonly stderr: string }> => {
      let stderr = '';
      const code = await confirm.run(parseCommandLine(confirm, [...mirror.at]), {
        stdout: () => {},
        stderr: (text) => (stderr += text),
        env: {},
        home: '',
        isTerminal: false,
        ask: async (question) => {
          questions.push(question);
          return answer;
        },
        signal: new AbortController().signal,
      });
      return { code, stderr };
    };
    for (const answer of ['', 'n', 'yellow']) expect(await answered(answer)).toEqual({ code: 1, stderr: 'Nothing was deleted.\n' });
    expect(new Set(questions)).toEqual(new Set(['Delete these 70 rows from the copy? [y/N] ']));
    expect(rows('pods')).toBe(100);
    expect(await answered(' Y\n')).toEqual({ code: 0, stderr: 'pods: 70 deletions are under way\n' });
    using copy = new Copy(dir.file('copy.db'));
    await copy.equals(hollow);
  });
});

test('25 of 100 pods deleted while nobody ran are deleted without a question', async () => {
  await mirrored(() => deletePods(25));
  const mirror = await start();
  await using child = mirror.child;
  using copy = new Copy(dir.file('copy.db'));
  await copy.equals(hollow);
  expect(child.stderr()).not.toMatch(/held/);
});

describe('a mirror that cannot be asked', () => {
  test('is said to be that, with where it was looked for', async () => {
    const port = await freePort();
    const exit = await kubefold(['confirm', '--listen', `127.0.0.1:${port}`]);
    expect([exit.code, exit.stdout]).toEqual([1, '']);
    expect(exit.stderr).toMatch(
      new RegExp(`No mirror answers at http://127\\.0\\.0\\.1:${port}: nobody listens there\\. Only a running mirror holds.*--listen`),
    );
  });

  test.each<[string, readonly string[], RegExp]>([
    ['switched off', ['confirm', '--listen', 'off'], /listen is off: such a mirror cannot be asked/],
    ['on a port that nobody knows', ['confirm', '--listen', '127.0.0.1:0'], /port of 127\.0\.0\.1:0 is chosen at every start/],
    ['by another name of a format', ['confirm', '-o', 'yaml'], /--output must be text or json, found "yaml"/],
    ['with an unknown verb', ['parked', 'show'], /parked has no "show": use list, retry or drop/],
    ['about nothing', ['parked', 'retry'], /parked retry needs KIND NAMESPACE\/NAME, or --all/],
    ['about all and one', ['parked', 'drop', '--all', 'pods', 'a/b'], /parked drop needs KIND NAMESPACE\/NAME, or --all/],
  ])('%s: exit 2', async (_, args, message) => {
    const exit = await kubefold(args);
    expect([exit.code, exit.stdout, exit.stderr]).toEqual([2, '', expect.stringMatching(message)]);
  });

  test('is not taken for one when something else answers', async () => {
    const exit = await kubefold(['confirm', '--listen', `127.0.0.1:${hollow.port}`]);
    expect(exit.code).toBe(1);
    expect(exit.stderr).toMatch(/\/control\/held was answered with 404/);
  });
});

describe('beyond loopback', () => {
  const authority = new TestAuthority();
  afterAll(() => authority.remove());

  /** A certificate that names nobody the command could ask by: it is trusted because it is the one of the configuration. */
  const pair = authority.issue({ commonName: 'kubefold', names: ['DNS:kubefold.example.svc'] });
  const other = authority.issue({ commonName: 'kubefold', names: ['IP:127.0.0.1'] });

  function configured(name: string, parts: { port: number; certFile?: string; keyFile?: string; token?: string }): string {
    const { port, certFile = pair.certFile, keyFile = pair.keyFile, token = 'geheim' } = parts;
    writeFileSync(dir.file(`${name}.token`), `${token}\n`);
    const config = { listen: `0.0.0.0:${port}`, tls: { certFile, keyFile }, auth: { tokenFile: dir.file(`${name}.token`) } };
    writeFileSync(dir.file(name), JSON.stringify(config));
    return dir.file(name);
  }

  test('the configuration of the mirror is enough; another token or certificate is refused, and no token is told', async () => {
    await mirrored(() => deletePods(70));
    const port = await freePort();
    const config = configured('right.yaml', { port });
    const mirror = await start('--config', config);
    await using child = mirror.child;
    const ask = (file: string): Promise<Exit> => kubefold(['confirm', '--config', file, '--dry-run']);
    const right = await ask(config);
    expect([right.code, right.stdout.split('\n')[0]]).toEqual([0, expect.stringMatching(/^pods: 70 of 100 rows/)]);
    const token = await ask(configured('token.yaml', { port, token: 'geheim-too' }));
    expect([token.code, token.stderr]).toEqual([1, expect.stringMatching(/does not take the token of .*token\.yaml\.token/)]);
    const certificate = await ask(configured('certificate.yaml', { port, certFile: other.certFile, keyFile: other.keyFile }));
    expect([certificate.code, certificate.stderr]).toEqual([1, expect.stringMatching(/Cannot ask the mirror at https:\/\/127\.0\.0\.1:\d+: .*certificate/)]);
    const plain = await kubefold(['confirm', '--listen', `127.0.0.1:${port}`]);
    expect([plain.code, plain.stdout]).toEqual([1, '']);
    const done = await kubefold(['confirm', '--config', config, '--yes']);
    expect(done.code).toBe(0);
    await until('they are gone', () => rows('pods') === 30);
    for (const { stdout, stderr } of [right, token, certificate, plain, done, { stdout: child.stdout(), stderr: child.stderr() }])
      expect(stdout + stderr).not.toContain('geheim');
  });
});

describe('an object that storage refuses', () => {
  const poisoned = (): string => hollow.keys('pods')[0] ?? '';

  /** A database that refuses one object, until it is healed. */
  async function poison(): Promise<() => void> {
    expect((await kubefold(run('--once', '--listen', 'off', '--kinds', 'nodes'))).code).toBe(0);
    const change = (sql: string): void => {
      const db = new DatabaseSync(dir.file('copy.db'), { timeout: 5_000 });
      db.exec(sql);
      db.close();
    };
    change(
      `CREATE TRIGGER poison BEFORE INSERT ON objects WHEN NEW.namespace || '/' || NEW.name = '${poisoned()}' BEGIN SELECT RAISE(ABORT, 'not this one'); END`,
    );
    return () => change('DROP TRIGGER poison');
  }

  test('is listed with its error, retried in vain and then with success, by the running mirror', async () => {
    const heal = await poison();
    const mirror = await start();
    await using _ = mirror.child;
    const { at } = mirror;
    const list = await kubefold(['parked', 'list', ...at]);
    expect(list.code).toBe(0);
    expect(list.stdout).toMatch(/^KIND +OBJECT +ATTEMPTS +AGE +ERROR\npods +(\S+) +1 +\d+s +.*not this one/);
    expect(list.stdout).toContain(poisoned());
    const json = async (): Promise<{ readonly kind: string; readonly key: string; readonly attempts: number }[]> =>
      (JSON.parse((await kubefold(['parked', 'list', '-o', 'json', ...at])).stdout) as { parked: { kind: string; key: string; attempts: number }[] }).parked;
    expect(await json()).toMatchObject([{ kind: 'pods', key: poisoned(), attempts: 1, error: expect.stringMatching(/not this one/) }]);

    const vain = await kubefold(['parked', 'retry', 'po', poisoned(), ...at]);
    expect([vain.code, vain.stderr]).toEqual([0, expect.stringMatching(/^1 object is written once more/)]);
    await until('it is refused again', async () => (await json())[0]?.attempts === 2);
    const wrong = await kubefold(['parked', 'retry', 'pods', 'default/nobody', ...at]);
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringMatching(/pods default\/nobody is not parked/)]);
    heal();
    expect((await kubefold(['parked', 'retry', '--all', ...at])).code).toBe(0);
    await until('nothing is parked', async () => (await json()).length === 0);
    using copy = new Copy(dir.file('copy.db'));
    await copy.equals(hollow);
    expect((await kubefold(['parked', 'list', ...at])).stderr).toBe('Nothing is parked.\n');
  });

  test('is forgotten by drop, and listed from the database when no mirror runs', async () => {
    await poison();
    const mirror = await start();
    const closed = ['--listen', `127.0.0.1:${await freePort()}`];
    {
      await using child = mirror.child;
      expect((await child.stop()).code).toBe(0);
    }
    const offline = await kubefold(['parked', 'list', ...closed, ...storage()]);
    expect(offline.code).toBe(0);
    expect(offline.stdout).toMatch(/\npods +\S+ +1 +\S+ +.*not this one/);
    expect(offline.stderr).toMatch(/No mirror answers at .*; this is what sqlite:.*copy\.db has on record/);
    const quiet = await kubefold(['parked', 'list', '--listen', 'off', ...storage()]);
    expect([quiet.stdout.replaceAll(/\d+s/g, ''), quiet.stderr]).toEqual([offline.stdout.replaceAll(/\d+s/g, ''), '']);
    const retry = await kubefold(['parked', 'retry', '--all', ...closed]);
    expect([retry.code, retry.stderr]).toEqual([1, expect.stringMatching(/No mirror answers.*tried again at every start of the mirror/)]);

    const again = await start();
    await using _ = again.child;
    await until('it is refused again', async () => (await kubefold(['parked', 'list', ...again.at])).stdout.includes(' 2 '));
    const drop = await kubefold(['parked', 'drop', 'pods', poisoned(), ...again.at]);
    expect([drop.code, drop.stderr]).toEqual([0, '1 object is forgotten\n']);
    expect((await kubefold(['parked', 'list', '--listen', 'off', ...storage()])).stderr).toBe('Nothing is parked.\n');
  });
});
