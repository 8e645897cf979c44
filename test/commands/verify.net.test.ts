import { DatabaseSync } from 'node:sqlite';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { seedCluster } from '../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { seededRandom } from '../../src/kit/random.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';
import { kubefold, startKubefold } from './kubefold.ts';

let hollow: Hollow;
let dir: TempDir;
beforeEach(async () => {
  dir = tempDir('verify');
  hollow = await startHollow();
  seedCluster(hollow, { pods: 300, nodes: 3, namespaces: 3, bytes: 1_500 });
  writeFileSync(dir.file('kubeconfig'), hollow.kubeconfig());
});
afterEach(async () => {
  await hollow.close();
  dir.remove();
});

const flags = (): readonly string[] => ['--kubeconfig', dir.file('kubeconfig'), '--storage', `sqlite:${dir.file('copy.db')}`];

interface Said {
  readonly code: number | null;
  readonly lines: readonly { readonly kind?: string; readonly key?: string; readonly drift?: string; readonly error?: string; readonly known?: string }[];
  readonly verdict: { readonly verdict: string; readonly differences: number; readonly unknown: number };
}

async function verify(...more: readonly string[]): Promise<Said> {
  const { code, stdout, stderr } = await kubefold(['verify', ...flags(), '--json', ...more], { withinMs: 60_000 });
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Said['lines'][number]);
  const verdict = lines.pop() as Said['verdict'] | undefined;
  if (verdict === undefined) throw new Error(`verify said nothing: ${stderr}`);
  return { code, lines, verdict };
}

/** Some hundred changes a second, of which many to the same few objects. */
function churn(): () => void {
  const random = seededRandom(11);
  let made = 0;
  const timer = setInterval(() => {
    for (let n = 0; n < 5; n++) {
      const keys = hollow.keys('pods');
      const key = keys[Math.floor(random.next() * (n === 0 ? 3 : keys.length))];
      const dice = random.next();
      if (key !== undefined && (dice < 0.8 || n === 0)) hollow.patch('pods', key, { metadata: { labels: { turn: String(made++) } } });
      else if (key !== undefined && dice < 0.9) hollow.delete('pods', key);
      else hollow.create('pods', { metadata: { name: `made-${made++}`, namespace: 'default' }, spec: { containers: [] } });
    }
  }, 10);
  return () => clearInterval(timer);
}

test('beside a running mirror, while objects come, go and change all the time, it finds no difference and can tell', async () => {
  await using mirror = startKubefold(['run', ...flags(), '--listen', 'off']);
  await mirror.printed(/live|complete|current/i, { on: 'stderr' });
  const stop = churn();
  try {
    for (let round = 0; round < 4; round++) {
      const said = await verify();
      expect({ code: said.code, lines: said.lines }).toEqual({ code: 0, lines: [] });
      expect(said.verdict.verdict).toBe('equal');
    }
  } finally {
    stop();
  }
  await mirror.stop();
}, 120_000);

test('a copy that nobody keeps is different from a cluster that moves on, in every kind, and all kinds wait together', async () => {
  expect((await kubefold(['run', ...flags(), '--once'], { withinMs: 60_000 })).code).toBe(0);
  const [first = '', second = '', third = ''] = hollow.keys('pods');
  hollow.patch('pods', first, { metadata: { labels: { other: 'yes' } } });
  hollow.delete('pods', second);
  hollow.create('configmaps', { metadata: { name: 'later', namespace: 'default' }, data: {} });
  hollow.patch('services', hollow.keys('services')[0] ?? '', { metadata: { labels: { other: 'yes' } } });
  const moving = setInterval(() => hollow.patch('pods', third, { metadata: { labels: { turn: String(hollow.world.revision) } } }), 5);
  const begun = performance.now();
  const said = await verify();
  clearInterval(moving);
  expect(performance.now() - begun).toBeLessThan(25_000);
  expect(said.code).toBe(1);
  const found = Object.fromEntries(said.lines.map(({ kind, key, drift }) => [`${kind} ${key}`, drift]));
  expect(found).toEqual({
    [`pods ${first}`]: 'revision',
    [`pods ${second}`]: 'surplus',
    [`pods ${third}`]: 'revision',
    'configmaps default/later': 'missing',
    [`services ${hollow.keys('services')[0]}`]: 'revision',
  });
  expect(said.verdict).toMatchObject({ verdict: 'different', differences: 5, unknown: 0 });
}, 90_000);

test('what cannot be told is said with its reason: a kind that may not be listed, and one that the copy never had', async () => {
  expect((await kubefold(['run', ...flags(), '--once', '--kinds', 'pods,services,nodes'], { withinMs: 60_000 })).code).toBe(0);
  hollow.forbidden.add('services');
  const said = await verify('--kinds', 'pods,services,nodes,configmaps');
  expect(said.code).toBe(2);
  expect(said.lines).toEqual(
    [
      { kind: 'services', drift: 'unknown', error: expect.stringMatching(/403/) },
      { kind: 'configmaps', drift: 'unknown', error: expect.stringMatching(/no record that it was listed: it is not mirrored, or not yet/) },
    ].toSorted((a, b) => said.lines.findIndex(({ kind }) => kind === a.kind) - said.lines.findIndex(({ kind }) => kind === b.kind)),
  );
  expect(said.verdict).toMatchObject({ verdict: 'could not tell', differences: 0, unknown: 2 });
}, 60_000);

test('every row of a kind that nothing asks for any more is a difference, however many there are', async () => {
  expect((await kubefold(['run', ...flags(), '--once', '--kinds', 'pods,nodes'], { withinMs: 60_000 })).code).toBe(0);
  const db = new DatabaseSync(dir.file('copy.db'));
  const columns = 'api_version, kind, uid, resource_version, hash, epoch, written_at, body';
  db.exec(`
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 4)
    INSERT INTO objects (cluster, api_group, resource, namespace, name, ${columns})
    SELECT cluster, api_group, resource, namespace, name || '-' || n, ${columns} FROM objects, numbers WHERE resource = 'pods'`);
  const pods = Number(db.prepare("SELECT count(*) AS n FROM objects WHERE resource = 'pods'").get()?.['n']);
  db.close();
  expect(pods).toBe(1_500);
  const said = await verify('--kinds', 'nodes');
  expect(new Set(said.lines.map(({ key }) => key)).size).toBe(pods);
  expect(said.lines.every(({ kind, drift }) => kind === 'pods' && drift === 'surplus')).toBe(true);
  expect(said.verdict).toMatchObject({ verdict: 'different', differences: pods });
}, 60_000);

test('a difference that the mirror knows of is named as that, and stays a difference', async () => {
  expect((await kubefold(['run', ...flags(), '--once'], { withinMs: 60_000 })).code).toBe(0);
  const key = hollow.keys('pods')[0] ?? '';
  const [namespace = '', name = ''] = key.split('/');
  const db = new DatabaseSync(dir.file('copy.db'));
  db.prepare(
    "INSERT INTO parked (cluster, api_group, resource, namespace, name, uid, resource_version, error, attempts, since) SELECT cluster, api_group, resource, namespace, name, uid, resource_version, 'too large', 1, 0 FROM objects WHERE resource = 'pods' AND namespace = ? AND name = ?",
  ).run(namespace, name);
  db.prepare("DELETE FROM objects WHERE resource = 'pods' AND namespace = ? AND name = ?").run(namespace, name);
  db.close();
  const said = await verify();
  expect(said.code).toBe(1);
  expect(said.lines).toMatchObject([{ kind: 'pods', key, drift: 'missing', known: 'storage refused it, and it is parked: too large' }]);
}, 60_000);
