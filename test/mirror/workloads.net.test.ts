import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { kubefold } from '../commands/kubefold.ts';
import { until } from '../support/until.ts';
import { Copy } from './copy.ts';
import { adopt, belong, create, createJobKinds, remove, withoutWorkload, workloads } from './support/owned.ts';
import { CRDS, widgetCrd } from './support/widgets.ts';
import { TestMirror, type TestMirrorOptions } from './test-mirror.ts';

const RULE = { kinds: ['pods'], annotateWorkload: true };
const ALL = { resources: [RULE] };

let hollow: Hollow;
const open: TestMirror[] = [];
beforeEach(async () => {
  hollow = await startHollow();
});
afterEach(async () => {
  for (const mirror of open.splice(0).reverse()) await mirror[Symbol.asyncDispose]();
  await hollow.close();
});

async function start(options: TestMirrorOptions = { config: ALL }): Promise<TestMirror> {
  const mirror = await TestMirror.start(hollow, options);
  open.push(mirror);
  await mirror.ready();
  return mirror;
}

/** Another process on the same copy. */
async function restart(mirror: TestMirror, whileDown: () => void = () => {}, config: object = ALL): Promise<TestMirror> {
  await mirror.stop();
  whileDown();
  return await start({ dir: mirror.dir, config });
}

const lists = (mirror: TestMirror, kind: string): Promise<number> => mirror.metric(`kubefold_lists_total{resource="${kind}",reason="first"}`);
const lookUps = (mirror: TestMirror, outcome: string): Promise<number> => mirror.metric(`kubefold_owner_lookups_total{outcome="${outcome}"}`);
const renewals = (mirror: TestMirror): Promise<number> => mirror.metric('kubefold_workload_renewals_total');

/** The copy is the cluster but for the annotations, and nothing is under way. */
async function isExact(mirror: TestMirror): Promise<void> {
  await until('nothing is under way', () => mirror.app.isReady());
  for (const live of hollow.list('pods')) {
    const row = mirror.copy.row('pods', `default/${live.metadata?.name}`);
    const { managedFields: _, ...metadata } = live.metadata ?? {};
    expect(row === undefined ? null : withoutWorkload(row.body)).toEqual(JSON.parse(JSON.stringify({ ...live, metadata })));
  }
}

/** A whole round of the audit that began after this was called: how many rows it found to be other than they should. */
async function audited(mirror: TestMirror): Promise<number> {
  const finishedAt = (): number => mirror.app.status().audit.last?.finishedAt ?? 0;
  for (let round = 0; round < 2; round++) {
    const before = finishedAt();
    await until('a round of the audit is over', () => finishedAt() > before, { withinMs: 20_000 });
  }
  return mirror.app.status().audit.last?.drift ?? -1;
}

function deployment(name: string, pods: number): void {
  create(hollow, `Deployment/${name}`);
  create(hollow, `ReplicaSet/${name}-1`, `Deployment/${name}`);
  for (let number = 0; number < pods; number++) create(hollow, `Pod/${name}-1-${number}`, `ReplicaSet/${name}-1`);
}

describe('the first sync', () => {
  test('writes every pod once, with its top workload, whatever kind comes first', async () => {
    for (let number = 0; number < 20; number++) deployment(`web${number}`, 5);
    createJobKinds(hollow);
    create(hollow, 'CronJob/nightly');
    create(hollow, 'Job/nightly-1', 'CronJob/nightly');
    create(hollow, 'Pod/nightly-1-a', 'Job/nightly-1');
    create(hollow, 'Node/worker');
    create(hollow, 'Pod/static', 'Node/worker');
    create(hollow, 'Pod/free');
    const mirror = await start();
    const found = workloads(mirror.copy);
    expect(found).toMatchObject({ 'web7-1-3': 'Deployment/web7', 'nightly-1-a': 'CronJob/nightly', static: 'Node/worker', free: 'none' });
    expect(Object.values(found).filter((top) => top.startsWith('Deployment/'))).toHaveLength(100);
    expect(mirror.copy.writes('pods')).toBe(103);
    expect(await renewals(mirror)).toBe(0);
    await isExact(mirror);
  });

  test('goes over custom controllers, and ends where a ring would begin again', async () => {
    hollow.create(CRDS, widgetCrd());
    create(hollow, 'Widget/game');
    create(hollow, 'Widget/set', 'Widget/game');
    create(hollow, 'ReplicaSet/set-1', 'Widget/set');
    create(hollow, 'Pod/player', 'ReplicaSet/set-1');
    create(hollow, 'Widget/a', 'Widget/b');
    create(hollow, 'Widget/b', 'Widget/a');
    create(hollow, 'Pod/ring', 'Widget/a');
    const mirror = await start();
    expect(workloads(mirror.copy)).toEqual({ player: 'Widget/game', ring: 'Widget/b' });
  });

  test('waits for no owner that is not there: its pod is written with what is known', async () => {
    create(hollow, 'Pod/lost', 'ReplicaSet/gone-1');
    create(hollow, 'ReplicaSet/replaced-1/another');
    create(hollow, 'Pod/old', 'ReplicaSet/replaced-1');
    create(hollow, 'Pod/foreign', 'Unheard/of');
    const mirror = await start();
    expect(workloads(mirror.copy)).toEqual({ lost: 'ReplicaSet/gone-1', old: 'ReplicaSet/replaced-1', foreign: 'Unheard/of' });
    expect([await lookUps(mirror, 'absent'), await lookUps(mirror, 'refused')]).toEqual([2, 1]);
    expect(mirror.copy.writes('pods')).toBe(3);
  });

  test('any kind that a rule asks for gets it, not only pods, and a kind without the rule does not', async () => {
    deployment('web', 1);
    const mirror = await start({ config: { resources: [{ kinds: ['pods', 'replicasets.apps'], annotateWorkload: true }] } });
    expect([workloads(mirror.copy), workloads(mirror.copy, 'replicasets.apps')]).toEqual([{ 'web-1-0': 'Deployment/web' }, { 'web-1': 'Deployment/web' }]);
    expect(workloads(mirror.copy, 'deployments.apps')).toEqual({ web: 'none' });
  });
});

describe('owners whose kind is not mirrored', () => {
  test('are looked up one by one when they are few, and by a list when they are many', async () => {
    for (let number = 0; number < 3; number++) deployment(`web${number}`, 2);
    const few = await start({ config: { kinds: ['pods'], ...ALL } });
    expect(new Set(Object.values(workloads(few.copy)))).toEqual(new Set(['Deployment/web0', 'Deployment/web1', 'Deployment/web2']));
    expect([await lookUps(few, 'found'), few.copy.writes('pods')]).toEqual([6, 6]);
    for (let number = 3; number < 200; number++) deployment(`web${number}`, 1);
    const many = await start({ config: { kinds: ['pods'], ...ALL } });
    expect(Object.values(workloads(many.copy)).filter((top) => top.startsWith('Deployment/'))).toHaveLength(203);
    expect([await lookUps(many, 'found'), many.copy.writes('pods')]).toEqual([400, 203]);
  });

  test('and may not be read hold up no pod: it is written with what its own reference says, and again when the right was given', async () => {
    deployment('web', 2);
    hollow.forbidden.add('replicasets.apps');
    const mirror = await start({ config: { kinds: ['pods'], ...ALL } });
    expect(workloads(mirror.copy)).toEqual({ 'web-1-0': 'ReplicaSet/web-1', 'web-1-1': 'ReplicaSet/web-1' });
    expect(mirror.log).toContain('owners of a kind cannot be looked up');
    hollow.forbidden.delete('replicasets.apps');
    // Asked again when there are other kinds; else after ten minutes.
    hollow.create(CRDS, widgetCrd());
    await belong(mirror.copy, { 'web-1-0': 'Deployment/web', 'web-1-1': 'Deployment/web' });
    expect(mirror.copy.writes('pods')).toBe(4);
  });
});

describe('what changes while the mirror runs', () => {
  test('a pod before its ReplicaSet, and that before its Deployment: the pod is written again as each arrives', async () => {
    const mirror = await start();
    create(hollow, 'Pod/p', 'ReplicaSet/web-1');
    await belong(mirror.copy, { p: 'ReplicaSet/web-1' });
    create(hollow, 'ReplicaSet/web-1', 'Deployment/web');
    await belong(mirror.copy, { p: 'Deployment/web' });
    create(hollow, 'Deployment/web');
    await isExact(mirror);
    expect(mirror.copy.writes('pods')).toBe(2);
    expect(await renewals(mirror)).toBe(1);
  });

  test('adoption, orphaning, and an owner that is replaced by one of the same name, which changes nothing', async () => {
    deployment('web', 2);
    const mirror = await start();
    adopt(hollow, 'ReplicaSet/web-1', null);
    await belong(mirror.copy, { 'web-1-0': 'ReplicaSet/web-1', 'web-1-1': 'ReplicaSet/web-1' });
    create(hollow, 'Deployment/other');
    adopt(hollow, 'ReplicaSet/web-1', 'Deployment/other');
    await belong(mirror.copy, { 'web-1-0': 'Deployment/other', 'web-1-1': 'Deployment/other' });
    const before = mirror.copy.writes('pods');
    remove(hollow, 'Deployment/other');
    create(hollow, 'Deployment/other/second');
    adopt(hollow, 'ReplicaSet/web-1', 'Deployment/other/second');
    adopt(hollow, 'Pod/web-1-0', null);
    await belong(mirror.copy, { 'web-1-0': 'none', 'web-1-1': 'Deployment/other' });
    expect(mirror.copy.writes('pods')).toBe(before + 1);
    adopt(hollow, 'Pod/web-1-0', 'ReplicaSet/web-1');
    await belong(mirror.copy, { 'web-1-0': 'Deployment/other', 'web-1-1': 'Deployment/other' });
    await isExact(mirror);
  });

  test('an owner that is deleted takes nothing back from its pods, which go next', async () => {
    deployment('web', 1);
    const mirror = await start();
    remove(hollow, 'Deployment/web');
    remove(hollow, 'ReplicaSet/web-1');
    hollow.setStatus('pods', 'default/web-1-0', { phase: 'Failed' });
    await until(
      'the change is stored',
      () => (mirror.copy.row('pods', 'default/web-1-0')?.body['status'] as { phase?: string } | undefined)?.phase === 'Failed',
    );
    expect(workloads(mirror.copy)).toEqual({ 'web-1-0': 'Deployment/web' });
    remove(hollow, 'Pod/web-1-0');
    await belong(mirror.copy, {});
  });

  test('a rule that comes and goes: each pod is written once for each, and no other kind is', async () => {
    deployment('web', 30);
    const plain = { resources: [{ kinds: ['pods'] }] };
    const mirror = await start({ config: plain, follow: true });
    expect(new Set(Object.values(workloads(mirror.copy)))).toEqual(new Set(['none']));
    const others = (): number => mirror.copy.writes() - mirror.copy.writes('pods');
    const before = others();
    mirror.configure(ALL);
    await until('all have it', () => Object.values(workloads(mirror.copy)).every((top) => top === 'Deployment/web'));
    mirror.configure(plain);
    await until('none has it', () => Object.values(workloads(mirror.copy)).every((top) => top === 'none'));
    expect([mirror.copy.writes('pods'), others()]).toEqual([90, before]);
  });
});

describe('another process on the same copy', () => {
  const everyPod = (top: string, pods = 3): Readonly<Record<string, string>> =>
    Object.fromEntries(Array.from({ length: pods }, (_, number) => [`web-1-${number}`, top]));

  test('lists nothing and writes nothing when nothing has changed, and knows who owns what from the rows', async () => {
    deployment('web', 3);
    create(hollow, 'Pod/free');
    const first = await start();
    const writes = first.copy.writes();
    const second = await restart(first);
    await until('the owners are read from their rows', async () => (await lookUps(second, 'stored')) === 2);
    expect([second.copy.writes(), await lists(second, 'pods'), await lookUps(second, 'found'), await renewals(second)]).toEqual([writes, 0, 0, 0]);
    adopt(hollow, 'ReplicaSet/web-1', null);
    await belong(second.copy, { ...everyPod('ReplicaSet/web-1'), free: 'none' });
    expect(second.copy.writes('pods')).toBe(7);
  });

  test('notices an owner that changed while nothing ran', async () => {
    deployment('web', 3);
    const second = await restart(await start(), () => adopt(hollow, 'ReplicaSet/web-1', 'Deployment/other'));
    await belong(second.copy, everyPod('Deployment/other'));
    expect([second.copy.writes('pods'), await lists(second, 'pods'), await renewals(second)]).toEqual([6, 0, 3]);
    await isExact(second);
  });

  test('mends rows whose owner changed before the end came, and that were not written again any more; and rows that somebody has stripped', async () => {
    deployment('web', 3);
    const first = await start();
    const second = await restart(first, () => {
      using db = new DatabaseSync(first.file);
      const set = (name: string, from: string, to: string): void => {
        db.prepare("UPDATE objects SET body = replace(body, ?, ?), hash = x'00' WHERE resource = 'pods' AND name = ?").run(from, to, name);
      };
      set('web-1-0', '/name":"web"', '/name":"before"');
      set('web-1-1', '"workload.bkbcs.tencent.com/kind"', '"example.com/kind"');
    });
    await belong(second.copy, everyPod('Deployment/web'));
    expect(second.copy.row('pods', 'default/web-1-1')?.text).not.toContain('example.com/kind');
    expect([await renewals(second), await lists(second, 'pods')]).toEqual([2, 0]);
  });

  test('writes all pods anew when the rule came while nothing ran, and nothing at the start after that', async () => {
    deployment('web', 3);
    const first = await start({ config: { resources: [{ kinds: ['pods'] }] } });
    const second = await restart(first);
    await belong(second.copy, everyPod('Deployment/web'));
    expect(second.copy.writes('pods')).toBe(6);
    const third = await restart(second);
    await until('the owners are read from their rows', async () => (await lookUps(third, 'stored')) === 2);
    expect(third.copy.writes('pods')).toBe(6);
  });
});

test('audit: rows with their annotations are no drift, and any other difference is', async () => {
  deployment('web', 3);
  create(hollow, 'Pod/free');
  const mirror = await start({ config: { ...ALL, audit: { everySeconds: 10 } } });
  expect(await audited(mirror)).toBe(0);
  adopt(hollow, 'ReplicaSet/web-1', null);
  await belong(mirror.copy, { 'web-1-0': 'ReplicaSet/web-1', 'web-1-1': 'ReplicaSet/web-1', 'web-1-2': 'ReplicaSet/web-1', free: 'none' });
  expect(await audited(mirror)).toBe(0);
});

test('run --once ends when rows of an earlier run name the owners of now, too', async () => {
  deployment('web', 3);
  const mirror = await start();
  await mirror.stop();
  adopt(hollow, 'ReplicaSet/web-1', null);
  writeFileSync(mirror.dir.file('once.yaml'), JSON.stringify({ ...ALL, storage: { url: `sqlite:${mirror.file}` }, listen: 'off' }));
  const flags = ['--config', mirror.dir.file('once.yaml'), '--kubeconfig', mirror.dir.file('kubeconfig')];
  expect(await kubefold(['run', '--once', ...flags], { withinMs: 30_000 })).toMatchObject({ code: 0 });
  using copy = new Copy(mirror.file);
  expect(workloads(copy)).toEqual({ 'web-1-0': 'ReplicaSet/web-1', 'web-1-1': 'ReplicaSet/web-1', 'web-1-2': 'ReplicaSet/web-1' });
}, 60_000);

test('verify: equal beside a mirror that annotates; a changed label is found', async () => {
  deployment('web', 3);
  create(hollow, 'Pod/free');
  const mirror = await start();
  await mirror.stop();
  writeFileSync(mirror.dir.file('verify.yaml'), JSON.stringify({ ...ALL, storage: { url: `sqlite:${mirror.file}` } }));
  const verify = (): ReturnType<typeof kubefold> =>
    kubefold(['verify', '--config', mirror.dir.file('verify.yaml'), '--kubeconfig', mirror.dir.file('kubeconfig')]);
  expect(await verify()).toMatchObject({ code: 0, stdout: expect.stringMatching(/^equal: /) });
  using db = new DatabaseSync(mirror.file);
  db.prepare("UPDATE objects SET body = replace(body, '\"containers\":[]', '\"containers\":[1]') WHERE name = 'web-1-0'").run();
  expect(await verify()).toMatchObject({ code: 1, stdout: expect.stringContaining('pods default/web-1-0: the copy holds other content') });
}, 60_000);
