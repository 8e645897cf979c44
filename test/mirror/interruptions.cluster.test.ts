import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { apply, configMap, deployment, podsRun, populate } from './support/ground.ts';
import { query } from './support/independent-comparison.ts';
import { MirrorProcess } from './support/mirror-process.ts';
import { TcpGate } from './support/tcp-gate.ts';

/**
 * What breaks while kubefold mirrors a real control plane: the API server ends, dies, freezes or loses its history, the network
 * between them goes, kubefold itself is killed. Each case ends with an independent comparison of every object and with verify.
 * Outages within two minutes add up in the backoff, so cases that start kubefold anew stand between those that take its server away.
 */

const dir = tempDir('mirror-interruptions');
const database = dir.file('copy.db');
let plane: ControlPlane;
let gate: TcpGate;
let kubeconfig: string;
let flags: readonly string[];
let mirror: MirrorProcess;
let churn: Churn | null = null;

beforeAll(async () => {
  // Without these two, watches go on for a minute after SIGTERM and every restart takes as long. Only we compact.
  const apiServerFlags = ['--shutdown-watch-termination-grace-period=4s', '--shutdown-delay-duration=1s', '--etcd-compaction-interval=0'];
  plane = await startControlPlane({ nodes: 5, apiServerFlags });
  await populate(plane);
  gate = await TcpGate.open(Number(new URL(plane.url).port));
  kubeconfig = dir.file('kubeconfig');
  writeFileSync(kubeconfig, gate.kubeconfig(plane.kubeconfig()));
  // The last test wipes the cluster, which the fence would hold for a person to see.
  writeFileSync(dir.file('kubefold.yaml'), 'fence: { maxDeleteShare: 1 }\n');
  flags = ['--config', dir.file('kubefold.yaml')];
  mirror = await MirrorProcess.startReady({ kubeconfig, database, flags });
});

afterEach(async () => {
  await churn?.stop();
  churn = null;
});

afterAll(async () => {
  await mirror?.child.stop(30_000);
  await gate?.[Symbol.asyncDispose]();
  await plane?.close();
  dir.remove();
});

/** Creates, changes and deletes ConfigMaps and events until it is stopped; what the API server refuses meanwhile does not matter. */
class Churn {
  #isOver = false;
  readonly #done: Promise<void>;
  changes = 0;

  constructor() {
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    const maps = '/api/v1/namespaces/default/configmaps';
    for (let i = 0; !this.#isOver; i += 1) {
      const name = `churn-${i % 40}`;
      const steps = [
        plane.api(maps, { method: 'POST', body: configMap(name, { i: String(i) }) }),
        plane.api(`${maps}/churn-${(i * 7) % 40}`, { method: 'PATCH', body: { data: { i: String(i) } } }),
        i % 3 === 0 ? plane.api(`${maps}/churn-${(i * 11) % 40}`, { method: 'DELETE' }) : postEvent(`churn-${i}`),
      ];
      const answers = await Promise.allSettled(steps);
      this.changes += answers.filter((answer) => answer.status === 'fulfilled' && answer.value.status < 300).length;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function postEvent(name: string): ReturnType<ControlPlane['api']> {
  const involvedObject = { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: 'none' };
  const body = { apiVersion: 'v1', kind: 'Event', metadata: { name, namespace: 'default' }, involvedObject, reason: 'Test', message: name, type: 'Normal' };
  return plane.api('/api/v1/namespaces/default/events', { method: 'POST', body });
}

const isStored = (name: string): boolean => query(database, "SELECT 1 FROM objects WHERE resource = 'configmaps' AND name = ?", name).length === 1;

/** How many seconds until the config map `name`, created now, is stored. */
async function secondsUntilStored(name: string): Promise<number> {
  const start = performance.now();
  await apply(plane, [configMap(name, { a: 'b' })]);
  await until(`${name} is stored`, () => isStored(name), { withinMs: 45_000, everyMs: 50 });
  return (performance.now() - start) / 1000;
}

const listsOf = (kind: string, ...labels: readonly string[]): Promise<number> => mirror.metric('kubefold_lists_total', `resource="${kind}"`, ...labels);

/** The end of what kubefold logged about one kind, for messages. */
const logOf = (kind: string): string =>
  mirror.child
    .stderr()
    .split('\n')
    .filter((line) => line.includes(`"kind":"${kind}"`))
    .slice(-12)
    .join('\n');

interface Written {
  readonly key: string;
  readonly resource_version: string;
  readonly written_at: number;
}

const writtenRows = (): ReadonlyMap<string, Written> =>
  new Map(
    query<Written>(database, "SELECT concat_ws(' ', api_group, resource, namespace, name) AS key, resource_version, written_at FROM objects").map((row) => [
      row.key,
      row,
    ]),
  );

/** Rows that were written again although their revision is the same. */
function rewritten(before: ReadonlyMap<string, Written>): readonly string[] {
  return [...writtenRows().values()]
    .filter((row) => before.get(row.key)?.resource_version === row.resource_version && before.get(row.key)?.written_at !== row.written_at)
    .map((row) => row.key);
}

test('an API server that ends in order and starts again costs nothing but a pause', async () => {
  await mirror.provesExact(plane);
  const before = writtenRows();
  churn = new Churn();
  await plane.stopApiServer('SIGTERM');
  await churn.stop();
  await plane.startApiServer();
  expect(await secondsUntilStored('after-sigterm')).toBeLessThan(40);
  await mirror.provesExact(plane);
  expect(rewritten(before)).toEqual([]);
});

test('killed in churn and started again on the same file, every row is exact and none that was right is written again', async () => {
  churn = new Churn();
  await apply(plane, [deployment('grown', 5, { graceSeconds: 5 })]);
  await until('there is churn', () => (churn?.changes ?? 0) > 100);
  await plane.kubectl(['scale', 'deployment/grown', '--replicas=40']);
  await mirror.kill();
  const before = writtenRows();
  const killedAt = churn.changes;
  // While it is dead, objects come, go and are replaced by others of their name.
  await plane.kubectl(['delete', 'service', 'ground']);
  await plane.kubectl(['create', 'service', 'clusterip', 'ground', '--tcp=81']);
  await plane.kubectl(['delete', 'islands.demo.example.com', '--all']);
  await until('there is more churn', () => (churn?.changes ?? 0) > killedAt + 100);
  mirror = await MirrorProcess.start({ kubeconfig, database, flags });
  await until('there is churn during the start', () => (churn?.changes ?? 0) > killedAt + 200);
  await churn.stop();
  await mirror.ready();
  await podsRun(plane, 'grown', 40);
  await mirror.provesExact(plane);
  expect(rewritten(before)).toEqual([]);
  expect(before.size).toBeGreaterThan(300);
});

test('an API server killed in the middle of churn and started again leaves nothing missing and nothing stale', async () => {
  const before = writtenRows();
  churn = new Churn();
  await until('there is churn', () => (churn?.changes ?? 0) > 60);
  await plane.stopApiServer('SIGKILL');
  await plane.startApiServer();
  expect(await secondsUntilStored('after-sigkill')).toBeLessThan(40);
  await until('there is more churn', () => (churn?.changes ?? 0) > 120);
  await churn.stop();
  await mirror.provesExact(plane);
  expect(rewritten(before)).toEqual([]);
});

test('a frozen API server is waited for, and readiness stays what the rows are', async () => {
  plane.pauseApiServer();
  try {
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect((await mirror.get('/livez')).status).toBe(200);
    expect((await mirror.get('/readyz')).status).toBe(200);
  } finally {
    plane.resumeApiServer();
  }
  await apply(plane, [configMap('after-freeze', { a: 'b' })]);
  await mirror.provesExact(plane);
});

test('stopped in order and started again with nothing changed, no object is written at all', async () => {
  await mirror.provesExact(plane);
  await mirror.stop();
  const before = writtenRows();
  mirror = await MirrorProcess.startReady({ kubeconfig, database, flags });
  await mirror.provesExact(plane);
  expect(rewritten(before)).toEqual([]);
  // Only what moves by itself: statuses of nodes, events that expire.
  expect([...writtenRows()].filter(([key, row]) => before.get(key)?.written_at !== row.written_at).length).toBeLessThan(20);
});

test('history compacted away while kubefold is cut off: events are listed anew, and exact are they and all others', async () => {
  await mirror.watchesAll();
  const before = writtenRows();
  const [events, pods] = [await listsOf('events', 'reason="expired"'), await listsOf('pods', 'reason="expired"')];
  await postEvent('before-the-cut');
  await until('the event is stored', () => query(database, "SELECT 1 FROM objects WHERE resource = 'events' AND name = 'before-the-cut'").length === 1);
  await gate.cut();
  await until('kubefold notices', async () => (await mirror.get('/status.json')).text.includes('"state":"waiting"'));
  await postEvent('during-the-cut');
  await plane.apiOk('/api/v1/namespaces/default/events/before-the-cut', { method: 'DELETE' });
  await apply(plane, [configMap('during-the-cut', { a: 'b' }), deployment('cut', 10, { graceSeconds: 5 })]);
  await plane.kubectl(['delete', 'configmap', 'after-sigkill']);
  await podsRun(plane, 'cut', 10);
  await plane.compactEtcd();
  await postEvent('after-the-compaction');
  await gate.mend();
  await mirror.provesExact(plane, 60_000);
  expect(query(database, "SELECT name FROM objects WHERE resource = 'events' AND name LIKE '%-the-c%' ORDER BY name")).toMatchObject([
    { name: 'after-the-compaction' },
    { name: 'during-the-cut' },
  ]);
  expect(await listsOf('events', 'reason="expired"')).toBeGreaterThan(events);
  // The watch cache of the others has its own window: they go on where they were.
  expect(await listsOf('pods', 'reason="expired"'), logOf('pods')).toBe(pods);
  expect(rewritten(before)).toEqual([]);
});

test('events, which get no bookmarks, are followed over a compaction while their watch is open', async () => {
  await mirror.watchesAll();
  const lists = await listsOf('events');
  for (let i = 0; i < 20; i += 1) await postEvent(`open-${i}`);
  await plane.compactEtcd();
  for (let i = 0; i < 20; i += 1) {
    await postEvent(`later-${i}`);
    if (i % 2 === 0) await plane.apiOk(`/api/v1/namespaces/default/events/open-${i}`, { method: 'DELETE' });
  }
  await mirror.provesExact(plane);
  expect(await listsOf('events')).toBe(lists);
});

test('a second kubefold on the same file is refused with a clear message and harms nothing', async () => {
  const second = MirrorProcess.start({ kubeconfig, database, flags });
  await expect(second).rejects.toThrow(/it is being written by process \d+.*Stop that one, or name another file/);
  await apply(plane, [configMap('still-alone', { a: 'b' })]);
  await mirror.provesExact(plane);
});

test('an API server that cannot be reached at the start is waited for, and readiness says why', async () => {
  await gate.cut();
  await using late = await MirrorProcess.start({ kubeconfig, database: dir.file('late.db') });
  await late.child.printed(/"waiting for the API server"/, { on: 'stderr' });
  const { status, text } = await late.get('/readyz');
  expect([status, text]).toEqual([503, expect.stringMatching(/nobody listens at 127\.0\.0\.1:\d+ \(connection refused\): is the API server running/)]);
  expect((await late.get('/livez')).status).toBe(200);
  await gate.mend();
  await late.ready();
  await late.provesExact(plane);
});

test('a cluster that was wiped and begins anew at the same address replaces the copy', async () => {
  const lists = await listsOf('configmaps');
  await plane.wipeEtcd();
  await apply(plane, [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'new-world' } }, configMap('new', { world: '1' }, 'new-world')]);
  await mirror.becomesEqual(plane, 90_000);
  await mirror.provesExact(plane);
  expect(await listsOf('configmaps')).toBeGreaterThan(lists);
  expect(isStored('still-alone')).toBe(false);
});
