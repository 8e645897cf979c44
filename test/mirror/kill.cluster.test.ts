import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import { seededRandom } from '../../src/kit/random.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { applyCrd, configMap, crd } from './support/ground.ts';
import { query } from './support/independent-comparison.ts';
import { type MirrorOptions, MirrorProcess, spawnMirror } from './support/mirror-process.ts';
import { makeConfigMaps, PlaneChurn } from './support/plane-churn.ts';

/**
 * kubefold as a process on a real control plane: killed in churn again and again, and started again after a pause in which nothing, a little or the
 * history itself changed. What a start lists is counted twice, by kubefold and by the API server; what it writes, by the rows themselves.
 */

const ROUNDS = 10;
const MAPS = 2_000;

const seed = Number(process.env['KUBEFOLD_SEED'] ?? systemClock.wall() % 2 ** 32);
const random = seededRandom(seed);
/** The moment of a kill is what is tested. */
const pause = (maxMs: number): Promise<void> => systemClock.sleep(Math.floor(random.next() * maxMs));

const dir = tempDir('mirror-kill');
const database = dir.file('copy.db');
let plane: ControlPlane;
let churn: PlaneChurn;
let options: MirrorOptions;
let mirror: MirrorProcess;

beforeAll(async () => {
  // Only we compact.
  plane = await startControlPlane({ apiServerFlags: ['--etcd-compaction-interval=0'] });
  await applyCrd(plane, crd('boats', 'Boat', { scope: 'Namespaced', versions: ['v1'] }));
  await plane.apiOk('/api/v1/namespaces', { method: 'POST', body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'many' } } });
  await makeConfigMaps(plane, MAPS, (n) => `map-${n}`, 'many');
  churn = new PlaneChurn(plane, random);
  // The audit lists too, and would mend what is to be found here.
  writeFileSync(dir.file('kubefold.yaml'), 'audit: { everySeconds: null }\n');
  options = { kubeconfig: plane.kubeconfigPath, database, flags: ['--config', dir.file('kubefold.yaml')] };
  mirror = await MirrorProcess.startReady(options);
  // Kinds in which nothing happens are recorded every few seconds.
  await until('every kind is recorded', () => recordedKinds().length > 40);
});

afterAll(async () => {
  await churn?.stop();
  await mirror?.child.stop(30_000);
  await plane?.close();
  dir.remove();
});

interface Row {
  readonly kind: string;
  readonly key: string;
  readonly uid: string;
  readonly revision: string;
  readonly writtenAt: number;
}

function rows(): ReadonlyMap<string, Row> {
  const found = query<Row>(
    database,
    `SELECT resource || iif(api_group = '', '', '.' || api_group) AS kind, namespace || '/' || name AS key, uid, resource_version AS revision,
       written_at AS writtenAt FROM objects`,
  );
  return new Map(found.map((row) => [`${row.kind} ${row.key}`, row]));
}

/** Keys whose row is another one than before, came or went. */
function changedSince(before: ReadonlyMap<string, Row>, kind?: string): readonly string[] {
  const now = rows();
  const all = [...new Set([...before.keys(), ...now.keys()])].filter((id) => kind === undefined || id.startsWith(`${kind} `));
  return all.filter((id) => JSON.stringify(before.get(id)) !== JSON.stringify(now.get(id))).toSorted();
}

/** Rows that were written again at the revision that they had. */
function rewrittenSince(before: ReadonlyMap<string, Row>): readonly string[] {
  return [...rows()].filter(([id, row]) => before.get(id)?.revision === row.revision && before.get(id)?.writtenAt !== row.writtenAt).map(([id]) => id);
}

/** Kinds of which the file says that everything up to a revision is durable. */
function recordedKinds(): readonly string[] {
  return query<{ readonly kind: string }>(
    database,
    `SELECT resource || iif(api_group = '', '', '.' || api_group) AS kind FROM scopes
     WHERE complete = 1 AND watermark IS NOT NULL AND listed_at IS NOT NULL AND rules IS NOT NULL AND identity IS NOT NULL AND stored IS NOT NULL`,
  ).map(({ kind }) => kind);
}

/** LIST requests by kind, counted by the API server. Its own clients only watch once it has started. */
async function listRequests(): Promise<ReadonlyMap<string, number>> {
  const { text } = await plane.api('/metrics');
  const counts = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (!line.startsWith('apiserver_request_total{') || !line.includes('verb="LIST"')) continue;
    const [, group = ''] = /\bgroup="([^"]*)"/.exec(line) ?? [];
    const [, resource = ''] = /\bresource="([^"]*)"/.exec(line) ?? [];
    const kind = group === '' ? resource : `${resource}.${group}`;
    counts.set(kind, (counts.get(kind) ?? 0) + Number(line.slice(line.lastIndexOf(' '))));
  }
  return counts;
}

/** A start on the same file up to readiness: which kinds it listed, by the API server's own count. The one namespace that tells the newest revision is none. */
async function startCounted(): Promise<readonly string[]> {
  const before = await listRequests();
  mirror = await MirrorProcess.startReady(options);
  await mirror.watchesAll();
  const after = await listRequests();
  return [...after].filter(([kind, count]) => count > (before.get(kind) ?? 0) && kind !== 'namespaces').map(([kind]) => kind);
}

const writes = (): Promise<number> => mirror.metric('kubefold_storage_writes_total', 'outcome="written"');

describe(`killed without warning ${ROUNDS} times in churn, with KUBEFOLD_SEED=${seed}`, () => {
  test.each(Array.from({ length: ROUNDS }, (_, n) => n + 1))(
    'round %i: the next start makes the copy exact, and lists nothing whose record is good',
    async (round) => {
      const before = churn.changes;
      churn.start();
      await pause(600);
      if (round % 3 === 0) {
        mirror.child.signal('SIGTERM');
        await pause(80);
      }
      await mirror.kill();
      if (round % 2 === 0) {
        const victim = spawnMirror(options);
        await pause(1_000);
        victim.signal('SIGKILL');
        await victim.exited;
      }
      await churn.disturb(30);
      const recorded = recordedKinds();
      mirror = await MirrorProcess.start(options);
      await pause(300);
      await churn.stop();
      await mirror.ready();
      for (const kind of recorded) expect(await mirror.metric('kubefold_lists_total', `resource="${kind}"`), `lists of ${kind}`).toBe(0);
      expect(recorded.length).toBeGreaterThan(30);
      await mirror.provesExact(plane);
      expect(churn.changes - before).toBeGreaterThan(30);
    },
  );
});

describe('a start on the same file', () => {
  test('when nothing has changed: lists nothing and writes nothing', async () => {
    await mirror.provesExact(plane);
    await mirror.stop();
    const before = rows();
    expect(await startCounted()).toEqual([]);
    expect(await mirror.metric('kubefold_lists_total')).toBe(0);
    await mirror.provesExact(plane);
    expect(await writes()).toBe(0);
    expect(changedSince(before)).toEqual([]);
    expect(before.size).toBeGreaterThan(MAPS);
  });

  test('when one in a hundred has changed and the watermark is still served: lists nothing and writes exactly those', async () => {
    await mirror.stop();
    const before = rows();
    const changed = await changeOneInAHundred('b');
    expect(await startCounted()).toEqual([]);
    await mirror.provesExact(plane);
    expect(changedSince(before)).toEqual(changed);
    // A replaced object may be a delete and a put.
    expect(await writes()).toBeGreaterThanOrEqual(changed.length);
    expect(await writes()).toBeLessThanOrEqual(changed.length + 5);
  });

  test('when one in a hundred has changed and history was compacted away: lists, and writes exactly those', async () => {
    await mirror.stop();
    const before = rows();
    const changed = await changeOneInAHundred('c');
    await plane.compactEtcd();
    // The API server's own window of history goes only with its process.
    await plane.stopApiServer('SIGKILL');
    await plane.startApiServer();
    mirror = await MirrorProcess.startReady(options);
    await mirror.provesExact(plane);
    expect(await mirror.metric('kubefold_lists_total', 'resource="configmaps"', 'reason="expired"')).toBe(1);
    expect(changedSince(before, 'configmaps')).toEqual(changed);
    const written = await mirror.metric('kubefold_storage_writes_total', 'resource="configmaps"', 'outcome="written"');
    expect(written).toBeGreaterThanOrEqual(changed.length);
    expect(written).toBeLessThanOrEqual(changed.length + 5);
    // A restarted API server changes some objects of its own, and none of them is written without that.
    expect(rewrittenSince(before)).toEqual([]);
  });
});

/** 5 made, 5 changed, 5 deleted, 5 replaced by others of their name; returns the rows that must differ afterwards. `letter` makes names unused. */
async function changeOneInAHundred(letter: string): Promise<readonly string[]> {
  const path = '/api/v1/namespaces/many/configmaps';
  const first = letter === 'b' ? 0 : 100;
  const ids: string[] = [];
  for (let n = 0; n < MAPS / 400; n += 1) {
    const [made, patched, deleted, replaced] = [`made-${letter}-${n}`, `map-${first + n}`, `map-${first + 20 + n}`, `map-${first + 40 + n}`];
    ids.push(...[made, patched, deleted, replaced].map((name) => `configmaps many/${name}`));
    await plane.apiOk(path, { method: 'POST', body: configMap(made, {}, 'many') });
    await plane.apiOk(`${path}/${patched}`, { method: 'PATCH', body: { data: { letter } } });
    await plane.apiOk(`${path}/${deleted}`, { method: 'DELETE' });
    await plane.apiOk(`${path}/${replaced}`, { method: 'DELETE' });
    await plane.apiOk(path, { method: 'POST', body: configMap(replaced, { letter }, 'many') });
  }
  return ids.toSorted();
}
