import { expect, test } from 'vitest';
import { silentLogger } from '../../src/kit/log.ts';
import { KindMetrics } from '../../src/mirror/metrics.ts';
import { Sharding } from '../../src/mirror/sharding.ts';
import { shardOf } from '../../src/model/shard.ts';
import type { KindMirrorOptions } from '../../src/mirror/kind-mirror-options.ts';
import { AuditWorld } from './audit-world.ts';
import { MirrorWorld } from './world.ts';

async function audited(objects: number, mirror: Partial<KindMirrorOptions> = {}): Promise<AuditWorld> {
  const world = new MirrorWorld({ mirror, revision: 1_000n });
  for (let index = 0; index < objects; index++) world.cluster.put(`n${index}`, 'good');
  const audit = new AuditWorld(world);
  await world.start();
  await world.pass(2_000);
  audit.begin();
  await world.pass(5_000);
  expect(audit.last).toMatchObject({ objects, drift: 0, untold: 0, skipped: [] });
  return audit;
}

async function end(audit: AuditWorld): Promise<void> {
  await audit.end();
  await audit.world.stop();
}

test('what a watch never brought is found after its patience, read by key, and the row mended', async () => {
  const audit = await audited(20);
  const { world } = audit;
  world.cluster.fault = ({ verb }) => (verb === 'watch' ? { do: 'hang', before: false } : null);
  world.cluster.endWatches();
  await world.pass(5_000);
  world.cluster.put('n0', 'changed');
  world.cluster.put('new', 'new');
  world.cluster.remove('n1');
  await world.pass(15_000);
  expect(audit.drift).toEqual({});
  await world.pass(40_000);
  expect(audit.drift).toEqual({ revision: 1, missing: 1, surplus: 1 });
  expect(world.rows()).toEqual(world.truth());
  await world.pass(20_000);
  expect(audit.last).toMatchObject({ objects: 20, drift: 0 });
  await end(audit);
});

test('many objects of which a change was missed are read by one list', async () => {
  const metrics = new KindMetrics();
  const audit = await audited(20, { metrics });
  const { world } = audit;
  world.cluster.fault = ({ verb }) => (verb === 'watch' ? { do: 'hang', before: false } : null);
  world.cluster.endWatches();
  await world.pass(5_000);
  for (let index = 0; index < 15; index++) world.cluster.put(`n${index}`, 'changed');
  await world.pass(60_000);
  expect(audit.drift).toEqual({ revision: 15 });
  expect({ lists: metrics.lists.audit.value, gets: world.gets }).toMatchObject({ lists: 1 });
  await world.pass(20_000);
  expect(world.rows()).toEqual(world.truth());
  await end(audit);
});

test('more rows that nobody knows than the fence allows are held as one pass, and are no drift any more', async () => {
  const audit = await audited(20, { fence: () => ({ maxDeleteShare: 0.3, minObjects: 10, confirmAfterSeconds: null }) });
  const { world } = audit;
  for (let index = 0; index < 50; index++) world.storage.rows.set(`configmaps/default/foreign${index}`, { uid: `f${index}`, revision: '5', body: '{}' });
  await world.pass(10_000);
  expect(audit.drift).toEqual({ surplus: 50 });
  expect(world.mirror.held.count).toBe(50);
  expect(world.storage.rows.size).toBe(70);
  await world.pass(10_000);
  expect(audit.drift).toEqual({ surplus: 50 });
  const shown = world.mirror.held.show(1);
  expect(shown).toMatchObject({ count: 50, why: expect.stringContaining('the audit found rows that no object is known of') });
  if (shown !== null) world.mirror.held.confirm(shown);
  await world.pass(2_000);
  expect(world.rows()).toEqual(world.truth());
  await end(audit);
});

test('a cluster that is older than what the mirror was told is listed anew, though its watches stay open and silent', async () => {
  const audit = await audited(20);
  const { world } = audit;
  world.cluster.wipe();
  world.cluster.put('other', 'of another history');
  await world.pass(10_000);
  expect(audit.relists).toBeGreaterThan(0);
  await world.pass(20_000);
  expect(audit.drift).toEqual({});
  expect(world.rows()).toEqual(world.truth());
  await end(audit);
});

test('a kind that is refused is not judged, and is again when it is followed', async () => {
  const audit = await audited(20);
  const { world } = audit;
  world.cluster.fault = () => ({ do: 'refuse', status: 403, reason: 'Forbidden', message: 'you may not' });
  world.cluster.endWatches();
  await world.pass(1);
  const before = audit.last?.finishedAt;
  await world.pass(10_000);
  expect(audit.last?.finishedAt).toBe(before);
  expect(audit.drift).toEqual({});
  world.cluster.fault = () => null;
  await world.pass(60_000);
  expect(audit.last).toMatchObject({ objects: 20, drift: 0, skipped: [] });
  await end(audit);
});

test('of one shard only its own objects and rows are compared; a row that another shard has put under a name since is left alone, and one from before is not', async () => {
  // Uids of the scripted cluster are numbers, of which ten at a time hash alike.
  const shard = { index: shardOf('uid-1', 64), count: 64 };
  const unasked = new MirrorWorld().api;
  const sharding = new Sharding({ shard, cluster: unasked, log: silentLogger, seesAll: () => false });
  const world = new MirrorWorld({ mirror: { sharding }, revision: 1_000n });
  for (let index = 0; index < 20; index++) world.cluster.put(`n${index}`, 'good');
  const ours = [...world.cluster.truth].filter(([, object]) => sharding.isOurs(object.split('@')[0] ?? '')).map(([key]) => key);
  expect(ours).toHaveLength(9);
  const audit = new AuditWorld(world);
  await world.start();
  await world.pass(2_000);
  expect(Object.keys(world.rows()).sort()).toEqual([...ours].sort());
  const foreign = 'uid-11';
  const row = (name: string, revision: string): void => {
    world.storage.rows.set(`configmaps/default/${name}`, { uid: foreign, revision, body: '{}' });
  };
  row('of-another-shard', '1001');
  const [replaced = '', stale = ''] = ours.map((key) => key.slice('default/'.length));
  row(replaced, '9000');
  row(stale, '1');
  audit.begin();
  await world.pass(60_000);
  expect(audit.last).toMatchObject({ objects: ours.length, skipped: [] });
  expect(audit.drift).toEqual({ missing: 1 });
  expect(world.rows()).toMatchObject({
    'default/of-another-shard': `${foreign}@1001`,
    [`default/${replaced}`]: `${foreign}@9000`,
    [`default/${stale}`]: world.truth()[`default/${stale}`],
  });
  await end(audit);
});
