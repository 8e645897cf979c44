import { expect, test } from 'vitest';
import { makePlan } from '../../src/sim/plan.ts';
import { shrink } from '../../src/sim/shrink.ts';
import { simulate } from '../../src/sim/simulation.ts';

test('a seed is the same run every time, to the last step of its trace', async () => {
  for (const seed of [3, 7]) {
    const [one, other] = [await simulate(makePlan(seed, 400)), await simulate(makePlan(seed, 400), { isRecording: true })];
    expect(other.digest).toBe(one.digest);
    expect(other.trace.length).toBeGreaterThan(400);
    expect([other.mutations, other.writes, other.virtualMs]).toEqual([one.mutations, one.writes, one.virtualMs]);
  }
});

test('other seeds are other runs', async () => {
  const digests = await Promise.all([1, 2, 3].map(async (seed) => (await simulate(makePlan(seed, 100))).digest));
  expect(new Set(digests).size).toBe(3);
});

test('many seeds pass', { timeout: 60_000 }, async () => {
  for (let seed = 1; seed <= 40; seed++) expect({ seed, failure: (await simulate(makePlan(seed, 200))).failure }).toEqual({ seed, failure: null });
});

test('a plan that does not fail is not made smaller', async () => {
  const plan = makePlan(1, 20);
  expect((await shrink(plan, '4: made up', plan.steps.length)).steps).toEqual(plan.steps);
});
