import { expect, test } from 'vitest';
import { kindStatus } from '../../src/mirror/kind-status.ts';
import { MirrorWorld } from './world.ts';

test('one object that storage does not take for a minute: the record that readers see is a minute old, and the watermark waits', async () => {
  const world = new MirrorWorld();
  world.cluster.put('a');
  await world.start();
  await world.pass(5_000);
  world.storage.fault = (write) =>
    write.type === 'put' && write.meta.key === 'default/stuck' ? { outcome: { kind: 'retry', error: 'busy' }, happened: false } : null;
  const stuckAt = world.clock.wall();
  world.cluster.put('stuck');
  for (let n = 0; n < 60; n++) {
    world.cluster.put('a');
    await world.pass(1_000);
  }
  const [record] = world.storage.records;
  expect(record?.complete).toBe(true);
  expect(Math.abs((record?.heardAt ?? 0) - stuckAt)).toBeLessThanOrEqual(1);
  const status = kindStatus(world.mirror, world.clock);
  expect(status.heardAt).toBeGreaterThan(stuckAt + 55_000);
  expect(status.oldestPendingMs).toBeGreaterThanOrEqual(59_000);
  expect(status.lagMs).toBeGreaterThanOrEqual(59_000);
  expect(status.lagRevisions).toBeGreaterThanOrEqual(60);
  expect(status.ageMs).toBeGreaterThanOrEqual(59_000);
  world.storage.fault = () => null;
  await world.pass(60_000);
  world.cluster.put('a');
  await world.pass(2_000);
  expect(kindStatus(world.mirror, world.clock)).toMatchObject({ oldestPendingMs: 0, lagMs: 0, lagRevisions: 0, ageMs: 0 });
  await world.mirror.flush();
  expect(world.storage.records[0]?.heardAt).toBeGreaterThanOrEqual(stuckAt + 120_000);
  await world.stop();
});

test('one object that storage refuses: neither record nor copy grow old by it, and the watermark says that it waits', async () => {
  const world = new MirrorWorld();
  world.cluster.put('a');
  await world.start();
  await world.pass(5_000);
  world.storage.fault = (write) =>
    write.type === 'put' && write.meta.key === 'default/large' ? { outcome: { kind: 'rejected', error: 'too large' }, happened: false } : null;
  world.cluster.put('large');
  await world.pass(60_000);
  world.cluster.put('a');
  await world.pass(2_000);
  await world.mirror.flush();
  const status = kindStatus(world.mirror, world.clock);
  expect(status).toMatchObject({ parked: 1, oldestPendingMs: 0, ageMs: 0 });
  expect(world.storage.records[0]?.heardAt).toBe(status.heardAt);
  await world.stop();
});
