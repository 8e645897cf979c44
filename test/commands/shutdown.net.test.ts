import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BcsStorage, startBcsStorage } from '../../src/bcsstorage/server.ts';
import { seedCluster } from '../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { SlowGateway } from '../support/slow-gateway.ts';
import { type Child, spawn } from '../support/spawn.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { kubefold, MAIN, startKubefold } from './kubefold.ts';

/* How the real program ends, over the storage service and under changes that do not cease. What is not written must be so by the next start, exactly. */

const PODS = 300;

let dir: TempDir;
let hollow: Hollow;
let service: BcsStorage;
let gateway: SlowGateway;
let child: Child | null = null;
let cancelLoad = (): void => {};

beforeEach(async () => {
  dir = tempDir('shutdown');
  hollow = await startHollow({ history: 100_000 });
  seedCluster(hollow, { pods: PODS, nodes: 2, namespaces: 2, bytes: 800, apps: false });
  service = await startBcsStorage();
  gateway = await SlowGateway.before(service.url);
  writeFileSync(dir.file('kubeconfig'), hollow.kubeconfig());
});

afterEach(async () => {
  cancelLoad();
  await child?.stop(1_000);
  child = null;
  await gateway[Symbol.asyncDispose]();
  await service.close();
  await hollow.close();
  dir.remove();
});

const where = (): readonly string[] => ['--kubeconfig', dir.file('kubeconfig'), '--cluster-name', 'prod', '--storage', `bcs+${gateway.url}`];
const args = (graceSeconds: number): readonly string[] => {
  // The audit would mend what is to be found here.
  writeFileSync(dir.file('kubefold.yaml'), `workers: { default: 1 }\naudit: { everySeconds: null }\nshutdown: { graceSeconds: ${graceSeconds} }\n`);
  return ['run', ...where(), '--config', dir.file('kubefold.yaml'), '--listen', 'off', '--log-format', 'json'];
};

async function synced(graceSeconds: number): Promise<Child> {
  child = startKubefold(args(graceSeconds));
  await child.printed(/first sync complete/, { on: 'stderr' });
  return child;
}

/** Changes, replaces and deletes pods, for as long as the test lasts. */
function load(): void {
  let n = 0;
  const tick = (): void => {
    const keys = hollow.keys('pods');
    for (let change = 0; change < 10; change += 1) {
      n += 1;
      const key = keys[(n * 7) % keys.length] ?? '';
      if (n % 20 !== 0 || keys.length < PODS / 2) hollow.patch('pods', key, { metadata: { labels: { n: String(n) } } });
      else if (hollow.get('pods', key) !== undefined) hollow.delete('pods', key);
    }
    cancelLoad = systemClock.after(10, tick);
  };
  tick();
}

/** Ends it; returns how long that took, in milliseconds. */
async function ended(running: Child, code: number): Promise<number> {
  const at = systemClock.now();
  running.signal('SIGTERM');
  const exit = await running.exited;
  expect([exit.code, exit.signal], exit.stderr.slice(-2_000)).toEqual([code, null]);
  expect(exit.stderr).not.toMatch(/"level":60|[Uu]nhandled/);
  return systemClock.now() - at;
}

/** A later start makes the copy exact. */
async function nextStartIsExact(): Promise<void> {
  cancelLoad();
  gateway.isAway = false;
  gateway.delayMs = 0;
  const again = startKubefold(args(30));
  child = again;
  await again.printed(/first sync complete/, { on: 'stderr' });
  // One that went on from a watermark may have more to write by then: what is asked for is that it knows of all of it.
  const look = async (): Promise<boolean> => {
    const verdict = await kubefold(['verify', ...where()]);
    if (verdict.code !== 0) throw new Error(verdict.stdout.slice(0, 1_000));
    return /equal: /.test(verdict.stdout);
  };
  await until('cluster and copy are equal', look, { withinMs: 10_000 });
  expect((await again.stop()).code).toBe(0);
}

describe('SIGTERM', () => {
  test('under load: what had arrived is written within the grace, and the next start makes it exact', async () => {
    const running = await synced(20);
    gateway.delayMs = 50;
    load();
    await until('changes are being written', () => gateway.passed > PODS + 100, { everyMs: 5 });
    expect(await ended(running, 0)).toBeLessThan(10_000);
    await nextStartIsExact();
  });

  test('under load that cannot be written within the grace: it ends then, with 0, and the next start makes it exact', async () => {
    const running = await synced(1);
    gateway.delayMs = 1_500;
    for (const key of hollow.keys('pods')) hollow.patch('pods', key, { metadata: { labels: { late: 'yes' } } });
    load();
    await until('changes are being written', () => gateway.underWay >= 60, { everyMs: 5 });
    const tookMs = await ended(running, 0);
    expect(tookMs).toBeGreaterThan(900);
    expect(tookMs).toBeLessThan(5_000);
    await nextStartIsExact();
  });

  test('while storage is away: it ends long before the grace is over, with 0, and the next start makes it exact', async () => {
    const running = await synced(25);
    gateway.isAway = true;
    load();
    await running.printed(/storage takes no writes/, { on: 'stderr' });
    expect(await ended(running, 0)).toBeLessThan(10_000);
    await nextStartIsExact();
  });

  test('during the first list: it ends at once, and the next start makes it exact', async () => {
    gateway.delayMs = 20;
    hollow.faults.add({ effect: { type: 'slow', ms: 20_000 }, verbs: ['list'], kinds: ['configmaps'] });
    child = startKubefold(args(10));
    await until('pods are being written', () => gateway.passed > 50, { everyMs: 5 });
    expect(await ended(child, 0)).toBeLessThan(8_000);
    hollow.faults.clear();
    await nextStartIsExact();
  });

  test('while it waits for the API server', async () => {
    hollow.faults.add({ effect: { type: 'reject', status: 503 } });
    child = startKubefold(args(10));
    await child.printed(/waiting for the API server/, { on: 'stderr' });
    expect(await ended(child, 0)).toBeLessThan(3_000);
    hollow.faults.clear();
    await nextStartIsExact();
  });
});

/** Where a process may make itself a PID namespace, as root or with a user namespace. */
const namespaces = ['--pid --fork --mount-proc', '--user --map-root-user --pid --fork --mount-proc']
  .map((text) => text.split(' '))
  .find((flags) => spawnSync('unshare', [...flags, 'true']).status === 0);

/** The kernel gives process 1 no default action for a signal: what it does not handle itself does not happen. */
describe.skipIf(namespaces === undefined)('as process 1 of a container', () => {
  /** The program itself, as unshare's only child. */
  async function processOne(parent: Child): Promise<number> {
    const children = (): readonly string[] => readFileSync(`/proc/${parent.pid}/task/${parent.pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
    return Number(await until('the program runs', () => children()[0]));
  }

  const start = (): Child => spawn('unshare', [...(namespaces ?? []), process.execPath, MAIN, ...args(25)], { env: { KUBECONFIG: undefined } });

  test('SIGTERM is an orderly end with 0', async () => {
    child = start();
    const pid = await processOne(child);
    await child.printed(/first sync complete/, { on: 'stderr' });
    expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^NSpid:\s+\d+\s+1$/m);
    process.kill(pid, 'SIGTERM');
    const exit = await child.exited;
    expect([exit.code, exit.signal]).toEqual([0, null]);
    await nextStartIsExact();
  });

  test('a second SIGTERM ends it at once with 1', async () => {
    child = start();
    const pid = await processOne(child);
    await child.printed(/first sync complete/, { on: 'stderr' });
    gateway.delayMs = 20_000;
    for (const key of hollow.keys('pods')) hollow.patch('pods', key, { metadata: { labels: { late: 'yes' } } });
    await until('writes are under way', () => gateway.underWay > 0, { everyMs: 5 });
    process.kill(pid, 'SIGTERM');
    // Signals right behind one another count as one; the pause is what is tested.
    await systemClock.sleep(1_000);
    const at = systemClock.now();
    process.kill(pid, 'SIGTERM');
    expect((await child.exited).code).toBe(1);
    expect(systemClock.now() - at).toBeLessThan(2_000);
  });

  test('it has no children of its own that it would have to reap', async () => {
    child = start();
    const pid = await processOne(child);
    await child.printed(/first sync complete/, { on: 'stderr' });
    const children = readdirSync(`/proc/${pid}/task`).map((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim());
    expect(children.filter((text) => text !== '')).toEqual([]);
    process.kill(pid, 'SIGTERM');
    expect((await child.exited).code).toBe(0);
  });
});
