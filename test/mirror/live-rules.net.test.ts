import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BcsStorage, startBcsStorage } from '../../src/bcsstorage/server.ts';
import { seedCluster } from '../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { systemClock } from '../../src/kit/clock.ts';
import type { KindStatus, MirrorStatus } from '../../src/model/status.ts';
import { kubefold, startKubefold } from '../commands/kubefold.ts';
import { type Passing, SlowGateway } from '../support/slow-gateway.ts';
import type { Child } from '../support/spawn.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { ConfigMount } from './support/config-mount.ts';

/** What a mounted ConfigMap changes is in use within 2 s, whatever the program has to do just then: the real program, over a storage that is slow. */

const PODS = 900;
const LIVE_WITHIN_MS = 2_000;
/** The audit would mend what is to be found here. With one worker, which has 60 writes under way, everything that is dirty takes 4.5 s to be written. */
const SLOW = 'audit: { everySeconds: null }\nworkers: { default: 1 }\n';
const SLOW_WRITE_MS = 300;
const MASK = 'resources: [{ kinds: [pods], mask: ["metadata.labels.burst"] }]\n';

let dir: TempDir;
let hollow: Hollow;
let service: BcsStorage;
let gateway: SlowGateway;
let mount: ConfigMount;
let child: Child;
let url: string;
/** Every write as it came to storage, with the time. */
const writes: (Passing & { readonly at: number })[] = [];

const flags = (): readonly string[] => ['--kubeconfig', dir.file('kubeconfig'), '--cluster-name', 'prod', '--storage', `bcs+${gateway.url}`];
const status = async (): Promise<MirrorStatus> => (await (await fetch(`${url}/status.json`)).json()) as MirrorStatus;
const kind = async (id: string): Promise<KindStatus | undefined> => (await status()).kinds.find((one) => one.id === id);
const ofKind = (type: string): typeof writes => writes.filter(({ path }) => path.includes(`/${type}/`));
/** Writes of objects; the records of how complete a kind is are written as well. */
const ofObjects = (): typeof writes => writes.filter(({ path }) => !path.includes('/KubefoldRecord/'));

beforeEach(async () => {
  dir = tempDir('live-rules');
  hollow = await startHollow({ history: 100_000 });
  seedCluster(hollow, { pods: PODS, nodes: 2, namespaces: 2, bytes: 800, apps: false });
  for (let n = 0; n < 20; n += 1) hollow.create('configmaps', { metadata: { name: `map-${n}`, namespace: 'default' }, data: { n: String(n) } });
  service = await startBcsStorage();
  writes.length = 0;
  gateway = await SlowGateway.before(service.url, (passing) => {
    writes.push({ ...passing, at: systemClock.now() });
    return true;
  });
  writeFileSync(dir.file('kubeconfig'), hollow.kubeconfig());
});

afterEach(async () => {
  await child?.stop();
  await gateway[Symbol.asyncDispose]();
  await service.close();
  await hollow.close();
  dir.remove();
});

/** Starts the program with this configuration; resolves when the first sync is durable. */
async function start(text: string, folder = dir.file('config')): Promise<void> {
  mount = new ConfigMount(folder, text);
  child = startKubefold(['run', ...flags(), '--config', mount.file, '--listen', '127.0.0.1:0', '--log-format', 'json'], { withinMs: 120_000 });
  [, url = ''] = await child.printed(/"status":"(http:[^"]+)"/, { on: 'stderr' });
  await child.printed(/first sync complete/, { on: 'stderr' });
  await until('nothing is left to write', async () => (await status()).kinds.every(({ unsettled }) => unsettled === 0));
  writes.length = 0;
}

/** Publishes a version; resolves when `look` finds it at work, and fails when that took longer than is promised. */
async function isLive(text: string, what: string, look: () => boolean | Promise<boolean>): Promise<void> {
  const from = systemClock.now();
  const version = mount.publish(text);
  await until(what, async () => (await status()).configuration?.version === version && (await look()), { withinMs: 20_000, everyMs: 10 });
  const tookMs = systemClock.now() - from;
  expect(tookMs, what).toBeLessThan(LIVE_WITHIN_MS);
}

/** More changes than storage takes in many seconds. */
async function backlog(): Promise<void> {
  gateway.delayMs = SLOW_WRITE_MS;
  for (const key of hollow.keys('pods')) hollow.patch('pods', key, { metadata: { labels: { burst: 'canary' } } });
  await until('most of them wait', async () => ((await kind('pods'))?.unsettled ?? 0) > PODS / 2, { everyMs: 10 });
}

/** The copy is what cluster and rules make it, by verify. */
async function exact(text: string): Promise<void> {
  gateway.delayMs = 0;
  await until('nothing is left to write', async () => (await status()).kinds.every(({ unsettled, complete }) => unsettled === 0 && complete), {
    withinMs: 20_000,
  });
  writeFileSync(dir.file('verify.yaml'), text);
  const verdict = await kubefold(['verify', ...flags(), '--config', dir.file('verify.yaml')]);
  expect(verdict.stdout + verdict.stderr).toMatch(/equal: /);
}

const workers = (count: number): string => `workers: { pods: ${count} }\n`;

describe('while the program cannot do much', () => {
  test('workers change although the API server answers no discovery', async () => {
    await start(workers(4));
    hollow.faults.add({ effect: { type: 'hang' }, verbs: ['discovery', 'get', 'list'] });
    await isLive(workers(9), 'nine workers', async () => (await kind('pods'))?.workers === 9);
    await isLive(workers(2), 'two workers', async () => (await kind('pods'))?.workers === 2);
    hollow.faults.clear();
    await exact(workers(2));
  });

  test('a mask is in force while a backlog waits: nothing unmasked reaches storage any more, and nothing is lost', async () => {
    await start(SLOW);
    await backlog();
    const from = systemClock.now();
    mount.publish(SLOW + MASK);
    await until('masked pods are written', () => ofKind('Pod').some(({ body }) => body.includes('"burst":"***"')), { withinMs: 20_000, everyMs: 10 });
    await exact(SLOW + MASK);
    const open = ofKind('Pod').filter(({ body, at }) => body.includes('canary') && at > from + LIVE_WITHIN_MS);
    expect(open.map(({ path }) => path)).toEqual([]);
  });

  test('a mask is in force although all but two of the writes in hand wait for their budget', async () => {
    const budgeted = 'audit: { everySeconds: null }\nlimits: { storage: { concurrency: 2 } }\n';
    await start(budgeted);
    await backlog();
    await isLive(budgeted + MASK, 'masked pods are written', () => ofKind('Pod').some(({ body }) => body.includes('"burst":"***"')));
    await exact(budgeted + MASK);
  });

  test('what one kind has to write holds up neither the rules of another nor the number of workers', async () => {
    const before = `${SLOW}resources: [{ kinds: [configmaps], mirror: false }]\n`;
    await start(before);
    await backlog();
    await isLive(MASK + workers(8), 'the kind that is new in the rules is followed', async () => (await kind('configmaps'))?.state === 'watching');
    await isLive(MASK + workers(3), 'three workers', async () => (await kind('pods'))?.workers === 3);
    await exact(SLOW + MASK);
  });

  test('a kind that is left out stops at once, however much of it waits, and comes back whole when it is wanted again', async () => {
    await start(`${SLOW}fence: { maxDeleteShare: 1 }\n`);
    await backlog();
    const without = `${SLOW}fence: { maxDeleteShare: 1 }\nresources: [{ kinds: [pods], mirror: false }]\n`;
    await isLive(without, 'its rows are being removed', () => ofKind('Pod').some(({ method }) => method === 'DELETE'));
    const firstDelete = ofKind('Pod').findIndex(({ method }) => method === 'DELETE');
    expect(
      ofKind('Pod')
        .slice(firstDelete)
        .filter(({ method }) => method === 'PUT'),
    ).toEqual([]);
    await isLive(SLOW, 'it is followed again', async () => (await kind('pods'))?.state === 'watching');
    await exact(SLOW);
  });
});

test('killed while it removes the rows of a kind that was left out, and started with the rules from before: they all come back', async () => {
  const without = `${SLOW}fence: { maxDeleteShare: 1 }\nresources: [{ kinds: [pods], mirror: false }]\n`;
  await start(SLOW);
  gateway.delayMs = SLOW_WRITE_MS;
  mount.publish(without);
  await until('some rows are gone', () => ofKind('Pod').filter(({ method }) => method === 'DELETE').length > 70, { everyMs: 10 });
  child.signal('SIGKILL');
  await child.exited;
  gateway.delayMs = 0;
  await start(SLOW, dir.file('config-again'));
  await exact(SLOW);
});

describe('while little happens', () => {
  test('a mask rewrites exactly the rows that it changes, each once, and its end as well; the log level none', async () => {
    const hit = hollow.keys('pods').slice(0, 100);
    for (const key of hit) hollow.patch('pods', key, { metadata: { labels: { burst: 'canary' } } });
    await start('{}\n');
    await isLive(MASK, 'they are masked', () => ofKind('Pod').filter(({ body }) => body.includes('"burst":"***"')).length >= hit.length);
    await exact(MASK);
    expect([ofObjects().length, ofKind('Pod').length]).toEqual([hit.length, hit.length]);
    writes.length = 0;
    await isLive('{}\n', 'they are as they were', () => ofKind('Pod').filter(({ body }) => body.includes('canary')).length >= hit.length);
    await exact('{}\n');
    expect([ofObjects().length, ofKind('Pod').length]).toEqual([hit.length, hit.length]);
    writes.length = 0;
    const from = child.stderr().length;
    await isLive('log: { level: debug }\n', 'the level is applied', () => /configuration applied/.test(child.stderr().slice(from)));
    hollow.cutWatches('reset', 'pods');
    await until('it says more', () => /"level":20/.test(child.stderr().slice(from)), { everyMs: 10 });
    await exact('{}\n');
    expect(ofObjects()).toEqual([]);
  });

  test('the rows of a kind that is left out are held by the fence; while they are, its changes are not followed, and nothing is rewritten when it comes back', async () => {
    await start('{}\n');
    const without = 'resources: [{ kinds: [pods], mirror: false }]\n';
    await isLive(without, 'its rows are held', async () => (await kind('pods'))?.held === PODS && (await kind('pods'))?.state === 'leaving');
    const [changed = ''] = hollow.keys('pods');
    hollow.patch('pods', changed, { metadata: { labels: { later: 'yes' } } });
    await isLive('{}\n', 'it is followed again', async () => (await kind('pods'))?.state === 'watching');
    await exact('{}\n');
    expect(ofKind('Pod').map(({ method, path }) => `${method} ${path.split('/').at(-1)}`)).toEqual([`PUT ${changed.split('/').at(-1)}`]);
  });

  test('limits are in force: no more writes at once than the new number, then as many as before', async () => {
    await start('{}\n');
    gateway.delayMs = 50;
    const change = (n: number): void => {
      for (const key of hollow.keys('pods')) hollow.patch('pods', key, { metadata: { labels: { n: String(n) } } });
    };
    change(1);
    await until('many are under way', () => gateway.underWay > 50, { everyMs: 2 });
    change(2);
    await isLive('limits: { storage: { concurrency: 3 } }\n', 'three at once', () => gateway.underWay <= 3);
    change(3);
    let most = 0;
    for (let look = 0; look < 100; look += 1) {
      most = Math.max(most, gateway.underWay);
      await systemClock.sleep(5);
    }
    expect(most).toBe(3);
    expect((await kind('pods'))?.unsettled).toBeGreaterThan(100);
    await isLive('{}\n', 'many at once again', () => gateway.underWay > 50);
    await exact('{}\n');
  });
});
