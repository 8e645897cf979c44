import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { seedCluster } from '../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';
import { Copy } from './copy.ts';
import { type MirrorOptions, MirrorProcess, verifyHere } from './support/mirror-process.ts';

/** What a start of the real program on a file that is complete asks of the API server and does to the rows: counted by the server, and by the rows. */

const PODS = 2_000;

let dir: TempDir;
let hollow: Hollow;
let options: MirrorOptions;
let copy: Copy;
let before: ReadonlyMap<string, string>;

/** A complete copy whose mirror has ended; `before` is what its rows were. */
beforeEach(async () => {
  dir = tempDir('warm');
  hollow = await startHollow({ revision: 1_000 });
  seedCluster(hollow, { pods: PODS, nodes: 10, namespaces: 5, bytes: 1_000 });
  writeFileSync(dir.file('kubeconfig'), hollow.kubeconfig());
  // The audit lists as well.
  writeFileSync(dir.file('kubefold.yaml'), 'audit: { everySeconds: null }\n');
  options = { kubeconfig: dir.file('kubeconfig'), database: dir.file('copy.db'), flags: ['--config', dir.file('kubefold.yaml')] };
  await using mirror = await MirrorProcess.startReady(options);
  await mirror.stop();
  copy = new Copy(options.database);
  before = rows();
});

afterEach(async () => {
  vi.restoreAllMocks();
  copy[Symbol.dispose]();
  await hollow.close();
  dir.remove();
});

/** Key to everything about its row that a write would change. */
function rows(): ReadonlyMap<string, string> {
  const found = copy.all("SELECT resource || ' ' || namespace || '/' || name AS id, uid || ' ' || resource_version || ' ' || written_at AS state FROM objects");
  return new Map(found.map((row) => [String(row['id']), String(row['state'])]));
}

function changedRows(): readonly string[] {
  const now = rows();
  return [...new Set([...before.keys(), ...now.keys()])].filter((id) => before.get(id) !== now.get(id)).toSorted();
}

/** Starts, waits until copy and cluster are equal, and tells what was listed: by the server's own count, but for the one namespace that tells its newest revision. */
async function startCounted(): Promise<{ readonly mirror: MirrorProcess; readonly listed: readonly string[] }> {
  const requests = vi.spyOn(hollow.faults, 'hit');
  const mirror = await MirrorProcess.startReady(options);
  await mirror.watchesAll();
  await copy.equals(hollow);
  const listed = requests.mock.calls.filter(([{ verb, kind }]) => verb === 'list' && kind !== 'namespaces').map(([{ kind }]) => kind);
  requests.mockRestore();
  expect(await verifyHere(options)).toMatchObject({ code: 0, verdict: 'equal', differences: 0, unknown: 0 });
  return { mirror, listed };
}

const written = (mirror: MirrorProcess): Promise<number> => mirror.metric('kubefold_storage_writes_total', 'outcome="written"');

/** 5 made, 5 changed, 5 deleted and 5 replaced by others of their name; the rows that must differ afterwards. */
function changeOneInAHundred(): readonly string[] {
  const keys = hollow.keys('pods');
  const ids: string[] = [];
  for (let n = 0; n < PODS / 400; n += 1) {
    const [made, patched = '', deleted = '', replaced = ''] = [`default/made-${n}`, keys[n], keys[100 + n], keys[200 + n]];
    const [namespace = '', name = ''] = replaced.split('/');
    hollow.create('pods', { metadata: { name: `made-${n}`, namespace: 'default' }, spec: { containers: [] } });
    hollow.patch('pods', patched, { metadata: { labels: { changed: 'yes' } } });
    hollow.delete('pods', deleted);
    hollow.delete('pods', replaced);
    hollow.create('pods', { metadata: { name, namespace }, spec: { containers: [] } });
    ids.push(...[made, patched, deleted, replaced].map((key) => `pods ${key}`));
  }
  return ids.toSorted();
}

test('nothing has changed: nothing is listed, nothing is written', async () => {
  const { mirror, listed } = await startCounted();
  await using _ = mirror;
  expect(listed).toEqual([]);
  expect(await mirror.metric('kubefold_lists_total')).toBe(0);
  expect(await written(mirror)).toBe(0);
  expect(changedRows()).toEqual([]);
  expect(before.size).toBeGreaterThan(PODS);
});

test('one in a hundred has changed: nothing is listed, and exactly those are written', async () => {
  const changed = changeOneInAHundred();
  const { mirror, listed } = await startCounted();
  await using _ = mirror;
  expect(listed).toEqual([]);
  expect(changedRows()).toEqual(changed);
  // A replaced object is one write or two.
  expect(await written(mirror)).toBeGreaterThanOrEqual(changed.length);
  expect(await written(mirror)).toBeLessThanOrEqual(changed.length + 5);
});

test('one in a hundred has changed and the history is gone: the kind is listed once, and exactly those are written', async () => {
  const changed = changeOneInAHundred();
  hollow.compact();
  const { mirror, listed } = await startCounted();
  await using _ = mirror;
  expect(new Set(listed)).toContain('pods');
  expect(await mirror.metric('kubefold_lists_total', 'resource="pods"')).toBe(1);
  expect(await mirror.metric('kubefold_lists_total', 'resource="pods"', 'reason="expired"')).toBe(1);
  expect(changedRows()).toEqual(changed);
  expect(await written(mirror)).toBeLessThanOrEqual(changed.length + 5);
});

test('the history went back: everything is listed, and what is older than its row is taken all the same', async () => {
  const backup = hollow.revision;
  await mirrorMore();
  hollow.restart({ revision: backup });
  hollow.patch('pods', hollow.keys('pods')[0] ?? '', { metadata: { labels: { after: 'the restore' } } });
  const { mirror, listed } = await startCounted();
  await using _ = mirror;
  expect(new Set(listed)).toContain('pods');
  expect(copy.rows('pods').filter(({ key }) => key.startsWith('default/lost-'))).toEqual([]);
});

test('the history went back and has passed the watermark again, which no revision tells: the audit finds what was lost', async () => {
  const backup = hollow.revision;
  const [first = ''] = hollow.keys('pods');
  await mirrorMore();
  const lost = hollow.revision;
  hollow.restart({ revision: backup });
  while (hollow.revision <= lost + 50) hollow.patch('pods', first, { metadata: { labels: { after: String(hollow.revision) } } });
  writeFileSync(dir.file('kubefold.yaml'), 'audit: { everySeconds: 10 }\n');
  await using mirror = await MirrorProcess.startReady(options);
  await copy.equals(hollow, { withinMs: 25_000 });
  expect(await mirror.metric('kubefold_drift_total', 'resource="pods"')).toBe(20);
});

/** A mirror that sees what a backup made before does not have. */
async function mirrorMore(): Promise<void> {
  await using mirror = await MirrorProcess.startReady(options);
  for (let n = 0; n < 20; n += 1) hollow.create('pods', { metadata: { name: `lost-${n}`, namespace: 'default' }, spec: { containers: [] } });
  await copy.equals(hollow);
  await mirror.stop();
}
