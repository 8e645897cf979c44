import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BcsStorage, startBcsStorage } from '../../src/bcsstorage/server.ts';
import type { WriteEntry } from '../../src/bcsstorage/journal.ts';
import { seedCluster } from '../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { systemClock } from '../../src/kit/clock.ts';
import type { MirrorStatus } from '../../src/model/status.ts';
import { kubefold, startKubefold } from '../commands/kubefold.ts';
import { stepsBack } from '../storage/bcs/journal-checks.ts';
import { SlowGateway } from '../support/slow-gateway.ts';
import type { Child } from '../support/spawn.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { ConfigMount } from './support/config-mount.ts';

/**
 * The real program follows a mounted ConfigMap in which the number of workers goes up and down while pods change without end. A gateway before the storage
 * service sees from outside which writes are under way: no key twice, and no more at once than the workers that are left.
 */

const PODS = 400;
/** Each worker has so many writes under way over HTTP (storage/bcs: LANES). */
const LANES = 60;
/** The latency of a write. */
const WRITE_MS = 150;
const LIVE_WITHIN_MS = 2_000;
const ROUNDS = 20;
const ROUNDS_A_TEST = 5;

let dir: TempDir;
let hollow: Hollow;
let service: BcsStorage;
let gateway: SlowGateway;
let mount: ConfigMount;
let child: Child;
let url: string;
const journal: WriteEntry[] = [];
let cancelLoad = (): void => {};

const configured = (workers: number): string => `workers: { default: 4, pods: ${workers} }\n`;
const status = async (): Promise<MirrorStatus> => (await (await fetch(`${url}/status.json`)).json()) as MirrorStatus;

beforeAll(async () => {
  dir = tempDir('live-workers');
  hollow = await startHollow({ history: 100_000 });
  seedCluster(hollow, { pods: PODS, nodes: 2, namespaces: 2, bytes: 800, apps: false });
  // The old service's habit: without a check of revisions whoever writes last wins, so an older state that is written later is seen in the journal.
  service = await startBcsStorage({ checksRevisions: false, onWrite: (entry) => void journal.push(entry) });
  gateway = await SlowGateway.before(service.url, ({ path }) => path.includes('/Pod/'));
  gateway.delayMs = WRITE_MS;
  mount = new ConfigMount(dir.file('config'), configured(4));
  writeFileSync(dir.file('kubeconfig'), hollow.kubeconfig());
  const args = ['--kubeconfig', dir.file('kubeconfig'), '--cluster-name', 'prod', '--storage', `bcs+${gateway.url}`, '--kinds', 'pods,namespaces'];
  child = startKubefold(['run', ...args, '--config', mount.file, '--listen', '127.0.0.1:0', '--log-format', 'json'], { withinMs: 300_000 });
  [, url = ''] = await child.printed(/"status":"(http:[^"]+)"/, { on: 'stderr' });
  await child.printed(/first sync complete/, { on: 'stderr' });
  let n = 0;
  const tick = (): void => {
    n += 1;
    // More than two workers can write: some pods are always waiting.
    hollow.keys('pods').forEach((key, at) => {
      if (at % 3 === n % 3) hollow.patch('pods', key, { metadata: { labels: { n: String(n) } } });
    });
    cancelLoad = systemClock.after(100, tick);
  };
  tick();
}, 60_000);

afterAll(async () => {
  cancelLoad();
  await child?.stop();
  await gateway?.[Symbol.asyncDispose]();
  await service?.close();
  await hollow?.close();
  dir.remove();
});

/** Publishes the number and returns after how many milliseconds it was in use. */
async function becomes(workers: number): Promise<number> {
  const version = mount.publish(configured(workers));
  const from = systemClock.now();
  const look = async (): Promise<boolean> => {
    const { configuration, kinds } = await status();
    return configuration?.version === version && kinds.find(({ id }) => id === 'pods')?.workers === workers;
  };
  await until(`${workers} workers are in use`, look, { withinMs: 10_000, everyMs: 10 });
  if (workers === 2) await until('those that are too many hold nothing any more', () => gateway.underWay <= 2 * LANES, { withinMs: 10_000, everyMs: 2 });
  if (workers === 32) await until('more write than two could', () => gateway.underWay > 2 * LANES, { withinMs: 10_000, everyMs: 2 });
  return systemClock.now() - from;
}

/** What the rounds took, in milliseconds. */
const took: number[] = [];

describe(`workers 4, 32, 2 in a mounted ConfigMap under load, ${ROUNDS} times`, () => {
  test.each(Array.from({ length: ROUNDS / ROUNDS_A_TEST }, (_, n) => n * ROUNDS_A_TEST))(
    'rounds from %i on: each number is in use within 2 s',
    async () => {
      for (let round = 0; round < ROUNDS_A_TEST; round++) {
        for (const workers of [4, 32, 2]) {
          const ms = await becomes(workers);
          took.push(ms);
          expect(ms, `to ${workers} workers`).toBeLessThan(LIVE_WITHIN_MS);
        }
      }
    },
    30_000,
  );

  test('no key was ever in two hands, none went back to an older state, and in the end none is lost', async () => {
    expect(took).toHaveLength(ROUNDS * 3);
    expect(gateway.passed).toBeGreaterThan(PODS * 2);
    expect(gateway.doubles).toEqual([]);
    cancelLoad();
    const newest = new Map(hollow.list('pods').map(({ metadata }) => [metadata?.name, metadata?.resourceVersion]));
    const behind = (): readonly string[] => {
      const written = new Map(journal.map(({ key, resourceVersion }) => [key.split('/').at(-1), resourceVersion]));
      return [...newest].flatMap(([name, revision]) => (written.get(name ?? '') === revision ? [] : [`${name}`]));
    };
    await until('every pod is stored as it was last', () => behind().length === 0, { withinMs: 15_000 });
    expect(stepsBack(journal)).toEqual([]);
    expect((await status()).kinds.every(({ parked, held, damaged }) => parked + held + damaged === 0)).toBe(true);
    const args = ['--kubeconfig', dir.file('kubeconfig'), '--cluster-name', 'prod', '--storage', `bcs+${gateway.url}`, '--kinds', 'pods,namespaces'];
    gateway.delayMs = 0;
    const verdict = await kubefold(['verify', ...args]);
    expect(verdict.stdout + verdict.stderr).toMatch(/equal: /);
    expect(verdict.code).toBe(0);
    expect(child.stderr()).not.toMatch(/"level":(50|60)/);
  }, 30_000);
});
