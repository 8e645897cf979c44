import { afterEach, beforeEach, expect, test } from 'vitest';
import { MAPS } from '../../../src/sim/kinds.ts';
import { VirtualWorld } from './storm/virtual-world.ts';

const MINUTE_MS = 60_000;

let world: VirtualWorld;
beforeEach(async () => {
  world = new VirtualWorld(1);
  for (let number = 0; number < 20; number++) world.truth.put(MAPS, 'ns-a', `n${number}`);
  await world.begin();
  await world.pass(10_000);
});
afterEach(async () => {
  expect(await world.end()).toBe(true);
  expect(world.bugs).toEqual([]);
});

const attempts = (part: string): readonly number[] =>
  world.service.asked.filter(({ method, path }) => method === 'PUT' && path.includes(part)).map(({ at }) => at);

test('4.1 #12: an object that the service fails for ever is tried ever more rarely, every 10 to 15 s in the end, and holds up no other', async () => {
  world.service.faults.add({ effect: { type: 'status', status: 500 }, methods: ['PUT'], path: '/ConfigMap/bad' });
  const begun = world.nowMs;
  world.truth.put(MAPS, 'ns-a', 'bad');
  for (let minute = 0; minute < 30; minute++) {
    world.truth.put(MAPS, 'ns-a', 'n0');
    await world.pass(MINUTE_MS);
  }
  const tries = attempts('/ConfigMap/bad');
  const gaps = tries.map((at, index) => at - (tries[index - 1] ?? begun));
  // The old program tried it four times every 2.5 s on average, for ever.
  expect(tries.length).toBeLessThan(200);
  expect(tries.filter((at) => at < begun + MINUTE_MS).length).toBeGreaterThan(5);
  expect(Math.max(...gaps)).toBeLessThan(20_000);
  expect(Math.min(...gaps.slice(-10))).toBeGreaterThan(10_000);
  // Written each time it changed, and everything else is as it was.
  expect(attempts('/ConfigMap/n0').filter((at) => at > begun)).toHaveLength(30);
  expect(world.differences()).toEqual(['ConfigMap ns-a/bad is missing']);
  world.service.faults.clear();
  await world.pass(MINUTE_MS);
  expect(world.differences()).toEqual([]);
});

test('4.1 #12: a service that fails everything is tried with one small batch at a time, at most two a second, and everything is there soon after it is back', async () => {
  world.service.faults.add({ effect: { type: 'status', status: 500 } });
  const begun = world.nowMs;
  for (let minute = 0; minute < 30; minute++) {
    for (let number = 0; number < 20; number++) world.truth.put(MAPS, 'ns-a', `n${number}`);
    await world.pass(MINUTE_MS);
  }
  expect(world.mirror.status().storage.open).toBe(true);
  const inTheLast10Minutes = world.service.asked.filter(({ at }) => at > begun + 20 * MINUTE_MS).length;
  // One batch in 0.5 to 0.75 s: one request, and in every second one a second for the scope record.
  expect(inTheLast10Minutes).toBeLessThan(1_800);
  world.service.faults.clear();
  const back = world.nowMs;
  while (world.differences().length > 0 && world.nowMs < back + 5 * MINUTE_MS) await world.pass(1_000);
  expect(world.nowMs - back).toBeLessThan(MINUTE_MS);
  expect(world.service.journal.filter(({ key }) => key.includes('/ConfigMap/')).length).toBe(40);
});
