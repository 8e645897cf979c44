import { describe, expect, test } from 'vitest';
import { Semaphore } from '../../src/kit/semaphore.ts';
import type { RateLimit } from '../../src/limit/limit.ts';
import { limitedStorage } from '../../src/limit/limited-storage.ts';
import type { StopOptions } from '../../src/mirror/kind-mirror-options.ts';
import { MirrorWorld, planOf } from './world.ts';

/* A kind that stops while most of its keys wait for a budget that is far smaller than what its workers hold: as the HTTP engine does, with 60 lanes a worker. */

const PUTS = 10_000;
const WRITE_MS = 87;
const LANES = 60;
const WORKERS = 4;
const AT_ONCE = 2;
const APPLIES_WITHIN_MS = 2_000;
const never = new AbortController().signal;

/** A kind with a backlog, just when each of its workers' lanes has a put in hand. */
async function backlog(deletes = false): Promise<{ readonly world: MirrorWorld; readonly slots: Semaphore }> {
  const slots = new Semaphore(AT_ONCE);
  const rate: RateLimit = { acquire: async () => {}, update() {} };
  const world = new MirrorWorld({
    batchLimit: 1,
    poolBytes: 64 * 1024 * 1024,
    mirror: { plan: planOf({ workers: WORKERS }) },
    around: (storage) => ({ ...limitedStorage(storage, slots, rate), lanes: LANES }),
  });
  world.cluster.put('old');
  await world.start();
  await world.pass(1_000);
  world.storage.delayMs = () => WRITE_MS;
  for (let n = 0; n < AT_ONCE; n++) world.cluster.put(`first${n}`);
  await world.pass(10);
  if (deletes) world.cluster.remove('old');
  for (let n = 0; n < PUTS; n++) world.cluster.put(`n${n}`);
  await world.pass(20);
  expect(slots.waiting).toBeGreaterThan(LANES * WORKERS - 10);
  expect(world.mirror.unsettled).toBeGreaterThan(PUTS - 100);
  return { world, slots };
}

/** How long it takes to stop, in milliseconds. */
async function stopped(world: MirrorWorld, options: StopOptions): Promise<number> {
  const since = world.clock.now();
  let isOver = false;
  const stopping = world.mirror.stop(never, options).finally(() => {
    isOver = true;
  });
  while (!isOver) await world.pass(10);
  await stopping;
  // Also of what was given back.
  expect(world.pool.usedBytes).toBe(0);
  return world.clock.now() - since;
}

/** Whoever follows finds everything that was not written. */
async function becomesExact(world: MirrorWorld): Promise<void> {
  world.storage.delayMs = () => 0;
  await world.restart({ plan: planOf({ workers: WORKERS, fingerprint: 'other rules' }) });
  await world.pass(60_000);
  expect(world.rows()).toEqual(world.truth());
}

describe('with 10,000 puts that wait for two places', () => {
  test('other rules apply within 2 s: what has not begun is given back, what has is waited for, and the successor loses no key', async () => {
    const { world, slots } = await backlog();
    const before = world.storage.log.length;
    const under = slots.inUse;
    expect(await stopped(world, { puts: 'leave' })).toBeLessThan(APPLIES_WITHIN_MS);
    expect(world.storage.log.length - before).toBe(under);
    expect([slots.inUse, slots.waiting]).toEqual([0, 0]);
    await becomesExact(world);
  });

  test('deletions are not left to the successor: those that wait are written', async () => {
    const { world } = await backlog(true);
    expect(world.storage.rows.has('configmaps/default/old')).toBe(true);
    expect(await stopped(world, { puts: 'leave' })).toBeLessThan(APPLIES_WITHIN_MS);
    expect(world.storage.rows.has('configmaps/default/old')).toBe(false);
    await becomesExact(world);
  });

  test('a kind that is cut off begins nothing more, not even deletions', async () => {
    const { world, slots } = await backlog(true);
    const before = world.storage.log.length;
    const under = slots.inUse;
    expect(await stopped(world, { cut: AbortSignal.abort() })).toBeLessThan(APPLIES_WITHIN_MS);
    expect(world.storage.log.length - before).toBe(under);
    await becomesExact(world);
  });
});
