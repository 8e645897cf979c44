import { afterEach, describe, expect, test } from 'vitest';
import { objectKey } from '../../src/model/key.ts';
import { BACKGROUND } from '../../src/queue/queue.ts';
import { FaultyStorage } from '../mirror/faulty-storage.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { World } from './world.ts';

describe('workers', () => {
  let world: World;
  afterEach(() => world.end());

  test('CT-S4: a burst on one object while it is being written becomes one more write, of the newest state', async () => {
    world = new World();
    let open = (): void => {};
    world.storage.gate = new Promise((resolve) => {
      open = resolve;
    });
    world.put('a', 1);
    await world.settle();
    for (let revision = 2; revision <= 1000; revision++) world.put('a', revision);
    open();
    await world.settle();
    expect(world.storage.log.map((write) => write.revision)).toEqual(['1', '1000']);
    expect(world.rows()).toEqual({ 'pods/ns/a': 'a@1000' });
  });

  test('a body in a worker’s hands keeps its bytes while newer ones arrive', async () => {
    world = new World();
    let open = (): void => {};
    world.storage.gate = new Promise((resolve) => {
      open = resolve;
    });
    world.put('a', 1);
    await world.settle();
    world.put('a', 2);
    for (let index = 0; index < 500; index++) world.put(`other-${index}`, 3);
    world.storage.fault = (write) => {
      if (write.type === 'put' && write.meta.revision === '1') expect(Buffer.from(write.body).toString()).toBe('a@1');
      return null;
    };
    open();
    await world.settle();
    expect(world.rows()['pods/ns/a']).toBe('a@2');
  });

  test('CT-T8: a failed write is tried again with a growing delay, others go on meanwhile', async () => {
    world = new World();
    let failures = 3;
    world.storage.fault = (write) =>
      write.type === 'put' && write.meta.uid === 'bad' && failures-- > 0 ? { outcome: { kind: 'retry', error: 'disk full' }, happened: false } : null;
    world.put('bad', 1);
    world.put('good', 2);
    await world.settle();
    expect(world.rows()).toEqual({ 'pods/ns/good': 'good@2' });
    for (let step = 0; step < 10; step++) await world.pass(50);
    expect(world.rows()).toEqual({ 'pods/ns/good': 'good@2', 'pods/ns/bad': 'bad@1' });
    expect(world.queue.requeues(objectKey('ns', 'bad'))).toBe(0);
  });

  test('a write that was reported as failed but happened is settled without writing twice', async () => {
    world = new World();
    let first = true;
    world.storage.fault = () => {
      if (!first) return null;
      first = false;
      return { outcome: { kind: 'retry', error: 'timed out' }, happened: true };
    };
    world.put('a', 1);
    await world.pass(1000);
    expect(world.settled).toEqual(['put retry', 'put unchanged']);
    expect(world.storage.log).toHaveLength(1);
  });

  test('CT-S5: a bug while a key is settled costs neither its neighbours nor the worker nor the key', async () => {
    world = new World(1);
    let bugs = 2;
    world.onSettled = () => {
      if (bugs-- > 0) throw new Error('a bug');
    };
    for (const [index, name] of ['a', 'b', 'c'].entries()) world.put(name, index + 1);
    await world.pass(5_000);
    world.put('d', 9);
    await world.settle();
    expect(world.rows()).toEqual({ 'pods/ns/a': 'a@1', 'pods/ns/b': 'b@2', 'pods/ns/c': 'c@3', 'pods/ns/d': 'd@9' });
    expect([world.queue.held, world.queue.length, world.queue.waiting]).toEqual([0, 0, 0]);
  });

  test('CT-S5: a storage that throws is tried again like one that fails', async () => {
    world = new World(1);
    let throws = true;
    world.storage.fault = () => {
      if (throws) throw new Error('a bug');
      return null;
    };
    world.put('a', 1);
    await world.settle();
    throws = false;
    await world.pass(1_000);
    expect(world.rows()).toEqual({ 'pods/ns/a': 'a@1' });
  });

  test('CT-S6, CT-T10: failures are counted until the first success, and a refusal for good leaves nothing queued (CT-T9)', async () => {
    world = new World();
    const key = objectKey('ns', 'a');
    let outcome: 'retry' | 'rejected' | null = 'retry';
    world.storage.fault = () => (outcome === null ? null : { outcome: { kind: outcome, error: 'no' }, happened: false });
    world.put('a', 1);
    await world.settle();
    expect(world.queue.requeues(key)).toBe(1);
    for (let step = 0; step < 10; step++) await world.pass(100);
    expect(world.queue.requeues(key)).toBeGreaterThan(3);
    outcome = null;
    await world.pass(60_000);
    expect(world.queue.requeues(key)).toBe(0);
    outcome = 'rejected';
    world.put('a', 2);
    await world.pass(60_000);
    expect([world.queue.requeues(key), world.queue.length, world.queue.waiting, world.parked.size]).toEqual([0, 0, 0, 1]);
  });

  test('CT-S6, CT-T12: a write that failed is tried again with the priority it had', async () => {
    world = new World(1, 1);
    let fails = true;
    world.storage.fault = () => (fails ? { outcome: { kind: 'retry', error: 'no' }, happened: false } : null);
    world.put('low', 1, 'low', BACKGROUND);
    await world.settle();
    world.put('live', 2);
    await world.settle();
    let open = (): void => {};
    world.storage.gate = new Promise((resolve) => {
      open = resolve;
    });
    world.put('stopper', 3);
    await world.settle();
    world.clock.advance(5_000);
    expect(Object.fromEntries(world.queue.snapshot().readyByPriority)).toMatchObject({ '0': 1, '-100': 1 });
    fails = false;
    open();
    await world.pass(5_000);
    expect(world.storage.rows.size).toBe(3);
  });

  test('a parked object that is deleted, or was never stored, is let go of', async () => {
    world = new World();
    world.storage.fault = (write) =>
      write.type === 'put' && write.meta.revision !== '1' ? { outcome: { kind: 'rejected', error: 'too large' }, happened: false } : null;
    world.put('stored', 1);
    await world.settle();
    world.put('stored', 2);
    world.put('never', 3);
    await world.settle();
    expect(world.parked.size).toBe(2);
    world.remove('stored', 4);
    world.remove('never', 5);
    await world.settle();
    expect([world.parked.size, world.storage.rows.size, world.cache.isEmpty]).toEqual([0, 0, true]);
  });

  test('a refused object that changed meanwhile only by what a rule ignores is tried again in its new state', async () => {
    world = new World();
    world.put('a', 1, 'a', 0, 'x');
    await world.settle();
    let open = (): void => {};
    world.storage.gate = new Promise((resolve) => {
      open = resolve;
    });
    world.storage.fault = (write) =>
      write.type === 'put' && write.meta.revision === '2' ? { outcome: { kind: 'rejected', error: 'no' }, happened: false } : null;
    world.put('a', 2, 'a', 0, 'y');
    await world.settle();
    world.put('a', 3, 'a', 0, 'y');
    open();
    await world.settle();
    expect(world.readAgain).toEqual(['ns/a']);
  });

  test('workers resized down and up again while idle are as many as asked for, not more', async () => {
    world = new World(3, 1);
    await world.settle();
    for (const workers of [1, 3, 1, 3, 2]) world.workers.resize(workers);
    await world.settle();
    let open = (): void => {};
    world.storage.gate = new Promise((resolve) => {
      open = resolve;
    });
    for (let index = 0; index < 9; index++) world.put(`p${index}`, index + 10);
    await world.settle();
    expect(world.queue.held).toBe(2);
    open();
    await world.settle();
    expect(world.storage.rows.size).toBe(9);
  });

  test('workers that were idle when they became too many write nothing any more: what they were handed goes back to the queue', async () => {
    world = new World(50, 1);
    await world.settle();
    world.workers.resize(1);
    let open = (): void => {};
    world.storage.gate = new Promise((resolve) => {
      open = resolve;
    });
    for (let index = 0; index < 20; index++) world.put(`p${index}`, index + 1);
    await world.settle();
    expect([world.queue.held, world.queue.length]).toEqual([1, 19]);
    open();
    await world.settle();
    expect(world.storage.rows.size).toBe(20);
  });

  test('a queue that is drained while idle workers are too many is drained to its end', async () => {
    world = new World(10, 1);
    await world.settle();
    world.workers.resize(1);
    for (let index = 0; index < 20; index++) world.put(`p${index}`, index + 1);
    world.workers.drain();
    await world.queue.drain();
    await world.settle();
    expect(world.storage.rows.size).toBe(20);
  });

  test('each worker has as many writes under way as storage has lanes for it, and is still counted as one', async () => {
    const clock = new ManualClock();
    world = new World(2, 1, { clock, storage: Object.assign(new FaultyStorage(clock, 1), { lanes: 5 }) });
    let open = (): void => {};
    world.storage.gate = new Promise((resolve) => {
      open = resolve;
    });
    for (let index = 0; index < 30; index++) world.put(`p${index}`, index + 1);
    await world.settle();
    expect([world.queue.held, world.workers.workers]).toEqual([10, 2]);
    open();
    world.storage.gate = null;
    await world.settle();
    expect(world.storage.rows.size).toBe(30);
  });

  test('minIntervalSeconds never holds up a delete, nor the object that comes after it under another uid for longer than that', async () => {
    world = new World();
    world.workers.minIntervalMs = 10_000;
    world.put('a', 1);
    await world.settle();
    world.put('a', 2);
    await world.settle();
    world.remove('a', 3);
    await world.settle();
    expect(world.rows()).toEqual({});
    world.put('a', 4, 'new');
    await world.pass(10_000);
    expect(world.rows()).toEqual({ 'pods/ns/a': 'new@4' });
  });

  test('a body that waits for its interval is let go of when the pool is crowded, and read again in time', async () => {
    world = new World();
    world.workers.minIntervalMs = 10_000;
    world.put('a', 1);
    await world.settle();
    world.isCrowded = true;
    world.put('a', 2);
    await world.settle();
    expect(world.bodies.usedBytes).toBe(0);
    await world.pass(10_000);
    expect(world.readAgain).toEqual(['ns/a']);
  });

  test('a rejected object is parked alone; a change of it is tried again and released', async () => {
    world = new World();
    world.storage.fault = (write) =>
      write.type === 'put' && Buffer.from(write.body).toString() === 'bad@1' ? { outcome: { kind: 'rejected', error: 'too large' }, happened: false } : null;
    world.put('bad', 1);
    world.put('good', 2);
    await world.pass(600_000);
    expect(world.settled.filter((line) => line === 'put rejected')).toHaveLength(1);
    expect([...world.parked.list()]).toEqual([['ns/bad', expect.objectContaining({ error: 'too large', revision: '1', attempts: 1 })]]);
    expect(world.rows()).toEqual({ 'pods/ns/good': 'good@2' });
    world.put('bad', 3);
    await world.settle();
    expect(world.parked.size).toBe(0);
    expect(world.rows()['pods/ns/bad']).toBe('bad@3');
  });

  test('from written to stored: the oldest sample that a write covers counts, once, however often the write failed', async () => {
    const world = new World();
    const writtenAt = world.clock.wall() - 2_000;
    let failures = 2;
    world.storage.fault = () => (failures-- > 0 ? { outcome: { kind: 'retry', error: 'down' }, happened: false } : null);
    world.put('a', 1);
    world.writeTimes.note(objectKey('ns', 'a'), '1', writtenAt);
    world.put('a', 2);
    world.writeTimes.note(objectKey('ns', 'a'), '2', writtenAt + 1_000);
    for (let turn = 0; turn < 3; turn++) await world.pass(10_000);
    expect(world.writtenToStored).toHaveLength(1);
    // Receipt was 2 s after the write; the rest is what the failures cost.
    expect(world.writtenToStored[0]).toBeCloseTo(2 + (world.latencies[0] ?? Number.NaN), 6);
    world.put('a', 3);
    await world.pass(1_000);
    expect(world.writtenToStored).toHaveLength(1);
  });

  test('from written to stored: a sample that came while an older state was being written waits for its own write', async () => {
    const world = new World(1);
    const key = objectKey('ns', 'a');
    let open = (): void => {};
    world.storage.gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    world.put('a', 1);
    await world.settle();
    world.put('a', 2);
    world.writeTimes.note(key, '2', world.clock.wall() - 1_000);
    world.storage.gate = new Promise<void>(() => {});
    open();
    await world.settle();
    expect(world.latencies).toHaveLength(1);
    expect(world.writtenToStored).toEqual([]);
    expect(world.writeTimes.size).toBe(1);
  });

  test('from written to stored: a clock of the API server that is ahead counts as 0; what is refused, deleted or never written counts not at all', async () => {
    const world = new World();
    const note = (name: string, revision: string, at: number): void => world.writeTimes.note(objectKey('ns', name), revision, at);
    world.put('ahead', 1);
    note('ahead', '1', world.clock.wall() + 60_000);
    await world.settle();
    expect(world.writtenToStored).toEqual([0]);
    world.storage.fault = ({ type }) => (type === 'put' ? { outcome: { kind: 'rejected', error: 'too large' }, happened: false } : null);
    world.put('refused', 2);
    note('refused', '2', world.clock.wall());
    world.put('short', 3);
    note('short', '3', world.clock.wall());
    world.remove('short', 4);
    world.remove('ahead', 5);
    note('ahead', '4', world.clock.wall());
    await world.settle();
    expect(world.writtenToStored).toEqual([0]);
    expect(world.writeTimes.size).toBe(0);
  });

  test('created and deleted before anybody looked is no write at all', async () => {
    world = new World();
    world.put('a', 1);
    world.remove('a', 2);
    await world.settle();
    expect(world.storage.log).toEqual([]);
    expect(world.cache.get(objectKey('ns', 'a'))).toBeUndefined();
  });

  test('deleted and recreated under one name ends as the new object, in one write', async () => {
    world = new World();
    world.put('a', 1, 'old');
    await world.settle();
    world.remove('a', 2, 'old');
    world.put('a', 3, 'new');
    await world.settle();
    expect(world.rows()).toEqual({ 'pods/ns/a': 'new@3' });
    expect(world.storage.log).toHaveLength(2);
  });

  test('a row of an earlier incarnation is deleted although the later one was never stored', async () => {
    world = new World();
    world.put('a', 1, 'old');
    await world.settle();
    world.put('a', 2, 'new');
    world.remove('a', 3, 'new');
    await world.settle();
    expect(world.rows()).toEqual({});
  });

  test('a delete after a write of unknown outcome removes the row, whichever of the two it holds', async () => {
    for (const happened of [true, false]) {
      world = new World();
      world.put('a', 1, 'old');
      await world.settle();
      world.storage.fault = (write) => (write.type === 'put' ? { outcome: { kind: 'retry', error: 'reset' }, happened } : null);
      world.put('a', 2, 'new');
      await world.settle();
      world.remove('a', 3, 'new');
      await world.pass(10_000);
      await world.pass(10_000);
      expect(world.rows()).toEqual({});
      if (happened) await world.end();
    }
  });

  test('a delete that must try one uid after another, for the object was replaced again and again during an outage, waits for none of them', async () => {
    world = new World();
    world.put('a', 1, 'old');
    await world.settle();
    world.storage.fault = (write) => (write.type === 'put' ? { outcome: { kind: 'retry', error: 'reset' }, happened: false } : null);
    for (let revision = 2; revision <= 12; revision++) {
      world.put('a', revision, `uid-${revision}`);
      for (let turn = 0; turn < 5; turn++) await world.pass(10_000);
    }
    world.settled.length = 0;
    const settledAt = new Set<number>();
    world.onSettled = () => void settledAt.add(world.clock.now());
    world.remove('a', 13, 'uid-12');
    for (let turn = 0; turn < 5; turn++) await world.pass(10_000);
    expect(world.settled).toEqual([...Array.from({ length: 11 }, () => 'delete stale'), 'delete written']);
    expect(settledAt.size).toBe(1);
    expect(world.rows()).toEqual({});
  });

  test('an object whose body was let go is sent for reading, and written when it is back', async () => {
    world = new World();
    const key = objectKey('ns', 'a');
    const state = world.cache.scope('');
    world.cache.see(state, { key, uid: 'a', revision: '1' }, 0, null, () => null);
    world.queue.add(key);
    await world.settle();
    expect(world.readAgain).toEqual([key]);
    world.put('a', 1);
    world.queue.add(key);
    await world.settle();
    expect(world.rows()).toEqual({ 'pods/ns/a': 'a@1' });
  });

  test('minIntervalSeconds: at most one write per object in that time, the last state always arrives', async () => {
    world = new World();
    world.workers.minIntervalMs = 10_000;
    for (let revision = 1; revision <= 20; revision++) {
      world.put('a', revision);
      await world.pass(1_000);
    }
    await world.pass(10_000);
    expect(world.storage.log.map((write) => write.revision)).toEqual(['1', '10', '20']);
  });

  test('CT-S3: fewer workers finish what they hold; more start at once', async () => {
    world = new World(8, 1);
    let open = (): void => {};
    world.storage.gate = new Promise((resolve) => {
      open = resolve;
    });
    for (let index = 0; index < 20; index++) world.put(`p${index}`, index + 1);
    await world.settle();
    expect(world.queue.held).toBe(8);
    world.workers.resize(2);
    open();
    world.storage.gate = null;
    await world.settle();
    expect(world.storage.rows.size).toBe(20);
    world.workers.resize(16);
    world.put('last', 99);
    await world.settle();
    expect(world.storage.rows.size).toBe(21);
    expect(() => world.workers.resize(0)).toThrow('"workers" must be an integer >= 1, current value is 0');
  });
});
