import { afterEach, describe, expect, test } from 'vitest';
import type { Taken } from '../../src/cache/object-cache.ts';
import { objectKey } from '../../src/model/key.ts';
import { BACKGROUND, LIVE } from '../../src/queue/queue.ts';
import type { Workload } from '../../src/transform/workload.ts';
import { deleteOf, putOf } from '../../src/worker/write-of.ts';
import { PODS, World } from './world.ts';

const KEY = objectKey('ns', 'a');
const POD = '{"metadata":{"name":"a"}}';
const annotated = (name: string): string =>
  `{"metadata":{"annotations":{"workload.bkbcs.tencent.com/kind":"Deployment","workload.bkbcs.tencent.com/name":"${name}"},"name":"a"}}`;
const deployment = (name: string): Workload => ({ kind: 'Deployment', name });

describe('an object whose top workload is asked for', () => {
  let world: World;
  afterEach(() => world.end());

  test('is put off while that will be known in a moment, and written with it once, as a rewrite', async () => {
    world = new World();
    let known: Workload | number = 3_000;
    const rewrites: (boolean | undefined)[] = [];
    world.workloads = { of: () => known, settled: () => {} };
    world.storage.fault = (write) => {
      if (write.type === 'put') rewrites.push(write.rewrite);
      return null;
    };
    world.put('a', 1, 'a', LIVE, null, POD);
    await world.pass(2_000);
    expect([world.storage.log, world.queue.waiting]).toEqual([[], 1]);
    known = deployment('web');
    world.queue.add(KEY, BACKGROUND);
    await world.pass(0);
    expect([world.rows(), rewrites, world.queue.waiting]).toEqual([{ 'pods/ns/a': annotated('web') }, [true], 0]);
    await world.pass(10_000);
    expect(world.storage.log).toHaveLength(1);
  });

  test('lets go of its body while it waits, when bodies are short of room', async () => {
    world = new World();
    world.isCrowded = true;
    world.workloads = { of: () => 3_000, settled: () => {} };
    world.put('a', 1, 'a', LIVE, null, POD);
    await world.settle();
    expect(world.cache.get(KEY)?.body).toBe(null);
    world.workloads = { of: () => deployment('web'), settled: () => {} };
    await world.pass(3_000);
    expect(world.readAgain).toEqual([KEY]);
  });

  test('is not waited for in a drain', async () => {
    world = new World();
    const asked: boolean[] = [];
    world.workloads = {
      of: (_key, mayWait) => {
        asked.push(mayWait);
        return mayWait ? 3_000 : deployment('web');
      },
      settled: () => {},
    };
    world.workers.drain();
    world.put('a', 1, 'a', LIVE, null, POD);
    await world.settle();
    expect([asked, world.rows()]).toEqual([[false], { 'pods/ns/a': annotated('web') }]);
  });

  test('is written once more when its owner changed while a write was under way: that write settles nothing of it', async () => {
    world = new World();
    let top = 'old';
    let open = (): void => {};
    world.storage.gate = new Promise((resolve) => {
      open = resolve;
    });
    const renew = (): void => {
      if (world.cache.renew(KEY, world.clock.now())) world.queue.add(KEY, BACKGROUND);
    };
    world.workloads = {
      of: () => deployment(top),
      settled: () => {
        if (world.rows()['pods/ns/a'] !== annotated(top)) renew();
      },
    };
    world.put('a', 1, 'a', LIVE, null, POD);
    await world.settle();
    top = 'new';
    renew();
    open();
    await world.settle();
    // The worker asks for the JSON again: what it took is gone.
    expect(world.readAgain).toEqual([KEY]);
    const source = { size: POD.length, copyTo: (target: Uint8Array, at: number) => target.set(Buffer.from(POD), at) };
    world.cache.restore({ key: KEY, uid: 'a', revision: '1' }, () => world.bodies.store(source));
    world.queue.add(KEY);
    await world.settle();
    expect([world.rows(), world.cache.get(KEY)?.pending]).toEqual([{ 'pods/ns/a': annotated('new') }, null]);
  });
});

test('renew() finds nothing to write in what is unknown, gone or parked, and opens one position for the rest', () => {
  const world = new World();
  const state = world.cache.scope('');
  expect(world.cache.renew(KEY, 0)).toBe(false);
  world.put('a', 1);
  const taken = world.cache.take(KEY);
  if (taken === null) throw new Error('nothing to take');
  world.cache.settle(taken, 0, state);
  expect(world.cache.renew(KEY, 0)).toBe(true);
  const position = world.cache.get(KEY)?.pending;
  expect(world.cache.renew(KEY, 5)).toBe(true);
  expect(world.cache.get(KEY)).toMatchObject({ pending: position, settled: null, regressed: false });
  const again = world.cache.take(KEY);
  if (again === null) throw new Error('nothing to take');
  expect(again.regressed).toBe(false);
  world.cache.park(again, state);
  expect(world.cache.renew(KEY, 0)).toBe(false);
  world.remove('a', 2);
  expect(world.cache.renew(KEY, 0)).toBe(false);
});

describe('what is written', () => {
  const taken: Taken = { key: KEY, gone: false, uid: 'u', revision: '7', body: null, rewrite: false, regressed: false, content: null, position: null };
  const body = { size: POD.length, isChecked: true, bytes: () => Buffer.from(POD), copyTo: () => {}, release: () => {} } as unknown as NonNullable<
    Taken['body']
  >;

  test('is the body as it is without a workload, and with one a rewrite that forces nothing', () => {
    expect(putOf(PODS, taken, body, null)).toMatchObject({ meta: { key: KEY, uid: 'u', revision: '7' }, body: Buffer.from(POD), rewrite: false, force: false });
    const put = putOf(PODS, taken, body, deployment('web'));
    expect([Buffer.from(put.body).toString(), put.rewrite, put.force, put.isChecked]).toEqual([annotated('web'), true, false, true]);
    expect(putOf(PODS, { ...taken, rewrite: true, regressed: true }, body, null)).toMatchObject({ rewrite: true, force: true });
  });

  test.each([
    ['seen before the first list was complete, is part of it', null, true],
    ['seen later, is a live change', '5', false],
  ])('what was %s', (_, before, isInitial) => {
    expect(putOf(PODS, { ...taken, position: { before, at: 0 } }, body, null).isInitial).toBe(isInitial);
  });

  test('is a delete of what the row holds, without a revision when none can be compared', () => {
    expect(deleteOf(PODS, taken, undefined)).toMatchObject({ type: 'delete', uid: 'u', revision: '7' });
    expect(deleteOf(PODS, { ...taken, regressed: true }, 'other')).toMatchObject({ uid: 'other', revision: null });
  });
});
