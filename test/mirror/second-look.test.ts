import { expect, test } from 'vitest';
import { ApiError } from '../../src/model/errors.ts';
import { STALE } from '../../src/model/outcome.ts';
import { MirrorWorld } from './world.ts';

/** A world whose storage remembers a deletion of each object named, so that it refuses a put of it as old until it is forced. */
async function remembering(...names: string[]): Promise<MirrorWorld> {
  const world = new MirrorWorld();
  world.storage.fault = (write) =>
    write.type === 'put' && write.force !== true && names.includes(write.meta.key.slice('default/'.length)) ? { outcome: STALE, happened: false } : null;
  await world.start();
  await world.pass(1_000);
  return world;
}

test('a put that storage refuses as old is made by force when the object is, in the cluster and now, exactly what was refused', async () => {
  const world = await remembering('back');
  world.cluster.put('back');
  world.cluster.put('other');
  await world.pass(10_000);
  expect(world.rows()).toEqual(world.truth());
  expect(world.mirror.unsettled).toBe(0);
  await world.stop();
});

test('what was refused and is gone, or has changed since, is not forced: its news is on the way', async () => {
  const world = await remembering('gone', 'changed');
  world.answerMs = () => 500;
  world.cluster.put('gone');
  world.cluster.put('changed');
  await world.pass(100);
  world.cluster.remove('gone');
  world.storage.fault = (write) => (write.type === 'put' && write.force === true ? { outcome: { kind: 'rejected', error: 'forced' }, happened: false } : null);
  world.cluster.put('changed');
  await world.pass(30_000);
  expect(world.rows()).toEqual(world.truth());
  expect(world.mirror.parked.size).toBe(0);
  await world.stop();
});

test('one that cannot be looked at holds up none of the others, and is looked at later', async () => {
  const world = await remembering('first', 'second');
  world.getFault = (key) => (key === 'default/first' ? new Error('not now') : null);
  world.cluster.put('first');
  world.cluster.put('second');
  await world.pass(20_000);
  expect(Object.keys(world.rows())).toEqual(['default/second']);
  world.getFault = () => null;
  await world.pass(20_000);
  expect(world.rows()).toEqual(world.truth());
  await world.stop();
  expect(world.clock.pending).toBe(0);
});

test('until somebody has looked the kind is not settled, and its watermark stays before what was refused: a crash would lose nothing', async () => {
  const world = await remembering('back');
  world.getFault = () => new Error('not now');
  const before = world.cluster.revision;
  world.cluster.put('back');
  world.cluster.put('other');
  await world.pass(20_000);
  const scope = world.mirror.cache.scope('');
  expect(world.rows()).toHaveProperty(['default/other']);
  expect(scope.watermark).toBe(before);
  expect(world.mirror.unsettled).toBe(1);
  world.getFault = () => null;
  await world.pass(20_000);
  expect(world.rows()).toEqual(world.truth());
  expect(scope.watermark).toBe(world.cluster.revision);
  expect(world.mirror.unsettled).toBe(0);
  await world.stop();
});

test('a process that ends before anybody has looked leaves it to the next one, which sees it again and looks', async () => {
  const world = await remembering('back');
  const history = () => ({ history: world.look() });
  await world.restart(history());
  world.getFault = () => new Error('not now');
  world.cluster.put('back');
  await world.pass(10_000);
  await world.restart(history());
  expect(world.rows()).toEqual({});
  world.getFault = () => null;
  await world.pass(20_000);
  expect(world.rows()).toEqual(world.truth());
  await world.stop();
});

test('when the API server may not show it storage is believed, for a watermark that waits for ever would make every start a list', async () => {
  const world = await remembering('back');
  world.getFault = () => new ApiError('configmaps "back" is forbidden', { status: 403, reason: 'Forbidden' });
  world.cluster.put('back');
  await world.pass(1_000);
  expect(world.rows()).toEqual({});
  expect(world.mirror.cache.scope('').watermark).toBe(world.cluster.revision);
  expect(world.mirror.unsettled).toBe(0);
  await world.stop();
});
