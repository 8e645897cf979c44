import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type App, createApp } from '../../../src/app.ts';
import type { WriteEntry } from '../../../src/bcsstorage/journal.ts';
import { type BcsStorage as Service, startBcsStorage } from '../../../src/bcsstorage/server.ts';
import { hurriedClock } from '../../../src/bench/child/hurried-clock.ts';
import { loadCredentials } from '../../../src/cluster/credentials.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { seedCluster } from '../../../src/hollow/load.ts';
import { podPlace, podStatus } from '../../../src/hollow/load-pods.ts';
import { type Hollow, startHollow } from '../../../src/hollow/server.ts';
import { createLogger } from '../../../src/kit/log.ts';
import { seededRandom, systemRandom } from '../../../src/kit/random.ts';
import { openReader } from '../../../src/storage/open.ts';
import { type TempDir, tempDir } from '../../support/temp-dir.ts';
import { until } from '../../support/until.ts';

const SHAPE = { nodes: 3, namespaces: 3, bytes: 1_500 };
const PODS = 120;

let hollow: Hollow;
let service: Service;
let dir: TempDir;
const journal: WriteEntry[] = [];
const running: Running[] = [];

beforeEach(async () => {
  journal.length = 0;
  dir = tempDir('bcs-mirror');
  hollow = await startHollow();
  seedCluster(hollow, { ...SHAPE, pods: PODS, apps: false });
  // As the old service is: it takes whatever comes last.
  service = await startBcsStorage({ checksRevisions: false, random: seededRandom(3), onWrite: (entry) => void journal.push(entry) });
});
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
  await hollow.close();
  await service.close();
  dir.remove();
});

interface Running {
  readonly app: App;
  readonly log: () => string;
  stop(): Promise<void>;
}

/** The whole program in this process, on a clock that goes 20 times as fast, with the service as its storage. */
async function mirror(config: object = {}): Promise<Running> {
  const clock = hurriedClock(20);
  const lines: string[] = [];
  const path = dir.file('kubeconfig');
  writeFileSync(path, hollow.kubeconfig());
  const credentials = await loadCredentials({ kubeconfig: path, env: {}, home: dir.path, clock });
  // The clock hurries the time limit of a request, too.
  const storage = { url: `bcs+${service.url}`, timeoutSeconds: 60 };
  const text = JSON.stringify({
    cluster: { name: 'prod' },
    storage,
    kinds: ['pods', 'nodes', 'namespaces'],
    fence: { maxDeleteShare: 1 },
    audit: { everySeconds: 10 },
    ...config,
  });
  const log = await createLogger({ level: 'info', format: 'json', write: (line) => lines.push(line) });
  const app = await createApp({
    config: loadConfig({ text, file: 'test', flags: { listen: 'off' } }),
    file: null,
    credentials,
    clock,
    random: systemRandom,
    log,
  });
  const ending = new AbortController();
  const ended = app.run(ending.signal);
  const one = {
    app,
    log: () => lines.join(''),
    stop: async () => {
      ending.abort();
      await ended;
    },
  };
  running.push(one);
  return one;
}

const objects = (): WriteEntry[] => journal.filter(({ key }) => !key.includes('/KubefoldRecord/'));
const truth = (): Map<string, string> => new Map(hollow.keys('pods').map((key) => [key, String(hollow.world.kind('pods')?.store.get(key)?.revision)]));

async function stored(): Promise<Map<string, string>> {
  const reader = openReader(`bcs+${service.url}`);
  try {
    const rows = await reader.list({ cluster: 'prod', kind: 'pods', limit: 1_000 });
    return new Map(rows.map(({ key, revision }) => [key, revision]));
  } finally {
    await reader.close();
  }
}

async function exact(): Promise<void> {
  await until('the copy is exact', async () => {
    expect(await stored()).toEqual(truth());
    return true;
  });
}

function change(count: number, restarts: number): void {
  for (let number = 0; number < count; number++) {
    const { namespace, name } = podPlace(number, SHAPE);
    hollow.setStatus('pods', `${namespace}/${name}`, podStatus(number, { phase: 'Running', ready: false, restarts, wallMs: 1_800_000_000_000 }, SHAPE));
  }
}

describe('a mirror into the storage service', () => {
  test('writes each object once at its start, and nothing at the next (4.1 #9, #10)', async () => {
    const first = await mirror();
    await until('the first sync is complete', () => first.app.isReady());
    await exact();
    expect(objects().map(({ outcome }) => outcome)).toEqual(Array.from({ length: PODS + SHAPE.nodes + hollow.keys('namespaces').length }, () => 'created'));
    expect(first.app.status().kinds.find(({ id }) => id === 'pods')?.workers).toBe(4);
    await running.pop()?.stop();
    journal.length = 0;
    const second = await mirror();
    await until('it is complete again', () => second.app.isReady());
    await second.stop();
    running.length = 0;
    expect(objects()).toEqual([]);
  });

  test('removes at the next start what went while it was away, also with its whole namespace (4.1 #4, #5)', async () => {
    const first = await mirror();
    await until('the first sync is complete', () => first.app.isReady());
    await running.pop()?.stop();
    change(PODS / 2, 9);
    const [namespace] = (hollow.keys('pods')[0] ?? '').split('/');
    for (const key of hollow.keys('pods')) if (key.startsWith(`${namespace}/`)) hollow.delete('pods', key);
    hollow.delete('namespaces', namespace ?? '');
    const second = await mirror();
    await until('it is complete again', () => second.app.isReady());
    await exact();
    expect([...(await stored()).keys()].some((key) => key.startsWith(`${namespace}/`))).toBe(false);
  });

  test('removes the documents of a kind that is not mirrored any more, and then its record (4.1 #5)', async () => {
    const first = await mirror();
    await until('the first sync is complete', () => first.app.isReady());
    await running.pop()?.stop();
    await mirror({ kinds: ['nodes', 'namespaces'] });
    const reader = openReader(`bcs+${service.url}`);
    await until('the pods are gone', async () => !(await reader.kinds('prod')).includes('pods'));
    expect((await reader.scopes('prod')).map(({ kind }) => kind).sort()).toEqual(['namespaces', 'nodes']);
    await reader.close();
    expect(await stored()).toEqual(new Map());
  });

  test('finds and mends what somebody else did to the documents, while it runs (4.1 #3, #4)', async () => {
    const one = await mirror();
    await until('the first sync is complete', () => one.app.isReady());
    const [first = '', second = ''] = hollow.keys('pods');
    const path = (key: string): string => {
      const [namespace, name] = key.split('/');
      return `${service.url}/bcsstorage/v1/k8s/dynamic/namespace_resources/clusters/prod/namespaces/${namespace}/Pod/${name}`;
    };
    await fetch(path(first), { method: 'DELETE' });
    const old = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: second.split('/')[1], namespace: second.split('/')[0], uid: 'other', resourceVersion: '1' },
    };
    await fetch(path(second), { method: 'PUT', body: JSON.stringify({ data: old }) });
    await exact();
    expect(one.log()).toContain('rows differed from the cluster and are mended');
  });

  test('loses nothing to 1 % errors, cut connections and answers that are none; no older revision comes after a newer one (4.1 #1, #2, #8)', async () => {
    const one = await mirror();
    await until('the first sync is complete', () => one.app.isReady());
    for (const effect of [
      { type: 'status', status: 500 },
      { type: 'reset', when: 'after' },
      { type: 'reset', when: 'before' },
      { type: 'wrong-body', form: 'html' },
    ] as const)
      service.faults.add({ effect, methods: ['PUT', 'DELETE'], share: 0.01 });
    for (let round = 0; round < 20; round++) {
      change(PODS, round);
      await until('the service works on it', () => objects().length > PODS * (round / 4), { everyMs: 5 });
    }
    await exact();
    const newest = new Map<string, number>();
    for (const { key, method, resourceVersion } of objects()) {
      if (method !== 'PUT') continue;
      expect(Number(resourceVersion)).toBeGreaterThanOrEqual(newest.get(key) ?? 0);
      newest.set(key, Number(resourceVersion));
    }
  });

  test('writes what is queued when it is told to end (4.1 #15)', async () => {
    const one = await mirror();
    await until('the first sync is complete', () => one.app.isReady());
    service.faults.setLatency(50);
    change(PODS, 5);
    await until('the first of them is written', () => objects().some(({ outcome }) => outcome === 'updated'), { everyMs: 5 });
    await one.stop();
    running.length = 0;
    service.faults.clear();
    expect(await stored()).toEqual(truth());
  });
});
