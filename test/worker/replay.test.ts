import { afterEach, expect, test } from 'vitest';
import { STALE } from '../../src/model/outcome.ts';
import { World } from './world.ts';

let world: World;
afterEach(() => world.end());

test('a put that storage refuses, for its object was deleted there before, leaves the row of the incarnation before it to be deleted', async () => {
  world = new World();
  // A watch from an old watermark shows again what an earlier process has stored to the end: one object, another of its name, and that one's deletion.
  world.storage.fault = (write) => (write.type === 'put' && write.meta.uid === 'second' ? { outcome: STALE, happened: false } : null);
  world.put('a', 1, 'first');
  await world.settle();
  world.put('a', 3, 'second');
  await world.settle();
  expect(world.rows()).toEqual({ 'pods/ns/a': 'first@1' });
  world.remove('a', 4, 'second');
  await world.pass(10_000);
  expect(world.rows()).toEqual({});
});
