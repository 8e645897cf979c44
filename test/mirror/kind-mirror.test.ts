import { describe, expect, test } from 'vitest';
import { isComplete, kindStatus } from '../../src/mirror/kind-status.ts';
import { storedForm } from '../../src/mirror/forms.ts';
import type { ScopeRecord, Write } from '../../src/storage/storage.ts';
import { parsePath } from '../../src/transform/paths.ts';
import { settled } from '../support/manual-clock.ts';
import { MirrorWorld, planOf, SECRET_KEY } from './world.ts';

/** Rows of an earlier run, as storage held them when the process began. */
function holds(world: MirrorWorld, key: string, uid: string, revision: string): void {
  world.storage.rows.set(`configmaps/${key}`, { uid, revision, body: '{}' });
}

function ids(world: MirrorWorld, type: Write['type']): string[] {
  return world.storage.log.filter((entry) => entry.type === type).map(({ id }) => id.slice('configmaps/default/'.length));
}

describe('the first list', () => {
  test('CT-S1, CT-S2: puts are written while it is still coming; nothing is deleted, complete or resumable before its end', async () => {
    const world = new MirrorWorld();
    holds(world, 'default/gone', 'old', '50');
    for (let index = 0; index < 1_200; index++) world.cluster.put(`p${String(index).padStart(4, '0')}`);
    // The second page is on its way for a minute.
    world.answerMs = () => (world.cluster.requests.filter(({ verb }) => verb === 'list').length > 1 ? 20_000 : 0);
    await world.start();
    await world.pass(5_000);
    expect(ids(world, 'put').length).toBeGreaterThanOrEqual(500);
    expect(ids(world, 'delete')).toEqual([]);
    expect(isComplete(world.mirror)).toBe(false);
    expect(world.storage.records.every(({ watermark, complete }) => watermark === null && !complete)).toBe(true);
    await world.pass(60_000);
    expect(ids(world, 'delete')).toEqual(['gone']);
    expect(world.rows()).toEqual(world.truth());
    expect(isComplete(world.mirror)).toBe(true);
    await world.stop();
  });

  test('CT-S20: what was deleted while nobody ran is deleted after a complete list, and only then', async () => {
    const world = new MirrorWorld();
    world.cluster.put('stays');
    holds(world, 'default/gone', 'old', '50');
    world.cluster.fault = ({ verb }) => (verb === 'list' ? { do: 'refuse', status: 403, reason: 'Forbidden' } : null);
    await world.start();
    await world.pass(600_000);
    expect(Object.keys(world.rows())).toEqual(['default/gone']);
    expect(isComplete(world.mirror)).toBe(false);
    world.cluster.fault = () => null;
    await world.pass(60_000);
    expect(world.rows()).toEqual(world.truth());
    await world.stop();
  });

  test('CT-S19: a deletion that the watch tells without the object is found, and deleted by key', async () => {
    const world = new MirrorWorld();
    world.cluster.put('a');
    world.cluster.put('b');
    await world.start();
    await world.pass(1_000);
    world.cluster.removeUnreadably('a');
    await world.pass(60_000);
    expect(world.rows()).toEqual(world.truth());
    await world.stop();
  });

  test('CT-T19, PQ-S2: only the first list is background work; what a later list brings is as live as an event', async () => {
    const world = new MirrorWorld();
    world.cluster.put('a');
    world.cluster.put('b');
    const added: [string, number | undefined][] = [];
    const add = world.mirror.queue.add.bind(world.mirror.queue);
    world.mirror.queue.add = (key, priority) => {
      added.push([key, priority]);
      add(key, priority);
    };
    await world.start();
    await world.pass(1_000);
    expect(added.splice(0)).toEqual([
      ['default/a', -100],
      ['default/b', -100],
    ]);
    world.cluster.fault = ({ verb }) => (verb === 'watch' ? { do: 'network', code: 'ECONNREFUSED' } : null);
    world.cluster.cutWatches();
    await settled();
    world.cluster.put('a', 'changed');
    world.cluster.remove('b');
    world.cluster.compact();
    world.cluster.fault = () => null;
    await world.pass(60_000);
    expect(added).toEqual([
      ['default/a', 0],
      ['default/b', 0],
    ]);
    await world.stop();
  });

  test('SI-S3: a list that shows nothing new writes nothing', async () => {
    const world = new MirrorWorld();
    for (const name of ['a', 'b', 'c']) world.cluster.put(name);
    await world.start();
    await world.pass(1_000);
    const written = world.storage.log.length;
    await world.restart();
    await world.pass(60_000);
    world.cluster.compact();
    world.cluster.cutWatches();
    await world.pass(60_000);
    expect(world.storage.log).toHaveLength(written);
    await world.stop();
  });
});

test('a parked object of the first list does not hold up its kind, is shown, and is written once it has changed', async () => {
  const world = new MirrorWorld();
  for (const name of ['a', 'poison', 'z']) world.cluster.put(name);
  world.storage.fault = (write) =>
    write.type === 'put' && write.meta.key === 'default/poison' && world.cluster.revision === '103'
      ? { outcome: { kind: 'rejected', error: 'too large' }, happened: false }
      : null;
  await world.start();
  await world.pass(5_000);
  expect(kindStatus(world.mirror, world.clock)).toMatchObject({
    complete: true,
    parked: 1,
    firstParked: { key: 'default/poison', error: 'too large' },
    watermark: '103',
  });
  await world.mirror.flush();
  expect(world.storage.records).toMatchObject([{ complete: true, watermark: '103' }]);
  world.cluster.put('poison', 'smaller');
  await world.pass(5_000);
  expect(kindStatus(world.mirror, world.clock)).toMatchObject({ complete: true, parked: 0, firstParked: null, watermark: world.cluster.revision });
  expect(world.rows()).toEqual(world.truth());
  await world.stop();
});

describe('bodies that are let go', () => {
  const BIG = 'x'.repeat(120_000);

  test('an object larger than the whole pool is written, and one after the other when there are several', async () => {
    const world = new MirrorWorld({ poolBytes: 100_000 });
    for (const name of ['a', 'b', 'c', 'd']) world.cluster.put(name, BIG);
    await world.start();
    await world.pass(30_000);
    expect(world.rows()).toEqual(world.truth());
    expect(world.pool.usedBytes).toBe(0);
    await world.stop();
  });

  test('an answer that arrives after the deletion it does not know of brings nothing back', async () => {
    const world = new MirrorWorld({ poolBytes: 100_000 });
    await world.start();
    await world.pass(1_000);
    world.storage.delayMs = () => 500;
    world.cluster.put('first', BIG);
    world.cluster.put('second', BIG);
    world.answerMs = () => 5_000;
    await world.pass(1_000);
    expect(world.gets).toBe(1);
    world.cluster.remove('second');
    await world.pass(60_000);
    expect(world.rows()).toEqual(world.truth());
    expect(Object.keys(world.rows())).toEqual(['default/first']);
    await world.stop();
  });

  test('many are read again by page, and a page that fails holds nobody up for ever', async () => {
    const world = new MirrorWorld({ poolBytes: 1024 * 1024 });
    world.storage.delayMs = () => 20;
    for (let index = 0; index < 300; index++) world.cluster.put(`p${index}`, 'x'.repeat(10_000));
    await world.start();
    await world.pass(1);
    const isPage = (query: object): boolean => 'limit' in query;
    world.cluster.fault = ({ verb, query, number }) => (verb === 'list' && isPage(query) && number % 2 === 0 ? { do: 'cut', afterBytes: 20_000 } : null);
    await world.pass(120_000);
    expect(world.rows()).toEqual(world.truth());
    expect(world.cluster.requests.filter(({ verb }) => verb === 'list').length).toBeGreaterThan(1);
    expect(world.mirror.unsettled).toBe(0);
    await world.stop();
  });

  test('one object that cannot be read again does not hold up the others', async () => {
    const world = new MirrorWorld({ poolBytes: 100_000 });
    for (const name of ['a', 'b', 'c', 'd']) world.cluster.put(name, BIG);
    world.storage.delayMs = () => 100;
    world.getFault = (key) => (key === 'default/b' ? new Error('500') : null);
    await world.start();
    await world.pass(120_000);
    expect(Object.keys(world.rows()).sort()).toEqual(['default/a', 'default/c', 'default/d']);
    world.getFault = () => null;
    await world.pass(10_000);
    expect(world.rows()).toEqual(world.truth());
    await world.stop();
  });

  test('CT-S11: a drain does not wait for what is being read again, and the watermark knows nothing of it', async () => {
    const world = new MirrorWorld({ poolBytes: 100_000 });
    await world.start();
    await world.pass(1_000);
    world.cluster.put('a', BIG);
    world.cluster.put('b', BIG);
    world.answerMs = () => 1e9;
    world.storage.delayMs = () => 50;
    await world.pass(10);
    await world.stop();
    const watermark = world.storage.records[0]?.watermark ?? null;
    expect(Object.keys(world.rows())).toEqual(['default/a']);
    expect(watermark).not.toBe(world.cluster.revision);
    expect([world.pool.usedBytes, world.cluster.open, world.clock.pending]).toEqual([0, 0, 0]);
  });
});

describe('the end', () => {
  test('CT-S11: listening stops first, what is dirty is written, and bodies, requests and timers are gone', async () => {
    const world = new MirrorWorld();
    await world.start();
    await world.pass(1_000);
    world.storage.delayMs = () => 3_000;
    for (const name of ['a', 'b', 'c']) world.cluster.put(name);
    await settled();
    await world.stop();
    expect(world.rows()).toEqual(world.truth());
    expect([world.pool.usedBytes, world.cluster.open, world.clock.pending]).toEqual([0, 0, 0]);
    expect(world.storage.records).toMatchObject([{ complete: true, watermark: world.cluster.revision }]);
  });

  test('a storage that never answers is not waited for once there is hurry, and nothing is claimed', async () => {
    const world = new MirrorWorld();
    await world.start();
    await world.pass(10_000);
    world.storage.delayMs = () => 1e9;
    world.cluster.put('a');
    await settled();
    const hurry = new AbortController();
    let isOver = false;
    const stopping = world.mirror.stop(hurry.signal).then(() => {
      isOver = true;
    });
    await world.pass(30_000);
    expect(isOver).toBe(false);
    hurry.abort();
    await stopping;
    expect(world.storage.records[0]?.watermark).not.toBe(world.cluster.revision);
  });

  test('a page that waits for room ends with the kind, and leaves no timer', async () => {
    const world = new MirrorWorld({ poolBytes: 1024 * 1024 });
    world.storage.delayMs = () => 40_000;
    for (let index = 0; index < 600; index++) world.cluster.put(`p${index}`, 'x'.repeat(2_000));
    await world.start();
    await world.pass(1_000);
    const hurry = new AbortController();
    hurry.abort();
    await world.stop(hurry.signal);
    await world.pass(0);
    expect(world.cluster.open).toBe(0);
  });
});

test('SI-S10: an object that stops to match is deleted and its key forgotten, one that begins to match is added', async () => {
  const world = new MirrorWorld({ mirror: { plan: planOf({ filter: { namespaces: [], names: null, excepting: null, fields: 'data.value=on' } }) } });
  world.cluster.put('a', 'on');
  world.cluster.put('b', 'off');
  await world.start();
  await world.pass(1_000);
  expect(Object.keys(world.rows())).toEqual(['default/a']);
  world.cluster.put('a', 'off');
  world.cluster.put('b', 'on');
  await world.pass(1_000);
  expect(Object.keys(world.rows())).toEqual(['default/b']);
  expect([...world.mirror.cache.entries()].map(([key]) => key)).toEqual(['default/b']);
  await world.stop();
});

describe('rows and records that nobody follows', () => {
  test('a scope that is not followed any more loses its rows and its record', async () => {
    const world = new MirrorWorld();
    world.cluster.put('a');
    holds(world, 'other/x', 'old', '50');
    await world.start();
    await world.pass(10_000);
    holds(world, 'other/x', 'old', '50');
    await world.restart({ plan: planOf({ scopes: ['default'] }) });
    await world.pass(10_000);
    expect(world.rows()).toEqual(world.truth());
    expect(world.storage.records.map(({ scope }) => scope)).toEqual(['default']);
    await world.stop();
  });
});

describe('a form of rows that changed while nobody ran', () => {
  const MASKED = planOf({ mask: [parsePath('data.value')] });
  const open = (world: MirrorWorld): string[] =>
    [...world.storage.rows].filter(([, { body }]) => body.includes('open')).map(([id]) => id.slice('configmaps/default/'.length));
  const stored = (world: MirrorWorld): (string | null)[] => world.storage.records.map((record) => record.stored);
  /** Six rows as they are, then a start with a mask that ends before `c` could be rewritten. */
  async function halfMasked(): Promise<MirrorWorld> {
    const world = new MirrorWorld();
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) world.cluster.put(name, 'open');
    await world.start();
    await world.pass(5_000);
    expect(open(world)).toHaveLength(6);
    world.storage.fault = (write) =>
      write.type === 'put' && write.meta.key === 'default/c' ? { outcome: { kind: 'retry', error: 'away' }, happened: false } : null;
    await world.restart({ plan: MASKED });
    await world.pass(5_000);
    expect(open(world)).toEqual(['c']);
    return world;
  }

  test('every row is rewritten once, and a start after that writes nothing', async () => {
    const world = await halfMasked();
    expect(stored(world)).toEqual([null]);
    world.storage.fault = () => null;
    await world.pass(60_000);
    expect(open(world)).toEqual([]);
    await world.mirror.flush();
    expect(stored(world)).toEqual([storedForm(MASKED, SECRET_KEY)]);
    expect(world.storage.log).toHaveLength(12);
    await world.restart();
    await world.pass(60_000);
    expect(world.storage.log).toHaveLength(12);
    await world.stop();
  });

  test('an end in the middle is gone on with, with the new plan and with the old one again', async () => {
    for (const [plan, left] of [
      [MASKED, []],
      [planOf(), ['a', 'b', 'c', 'd', 'e', 'f']],
    ] as const) {
      const world = await halfMasked();
      await world.stop(AbortSignal.abort());
      world.storage.fault = () => null;
      await world.restart({ plan });
      await world.pass(60_000);
      expect(open(world).sort()).toEqual(left);
      await world.mirror.flush();
      expect(stored(world)).toEqual([storedForm(plan, SECRET_KEY)]);
      await world.stop();
    }
  });

  test('rows without a record, or under one that says nothing, are rewritten', async () => {
    for (const lose of [(): readonly ScopeRecord[] => [], (records: readonly ScopeRecord[]) => records.map((record) => ({ ...record, stored: null }))]) {
      const world = new MirrorWorld();
      world.cluster.put('a', 'open');
      await world.start();
      await world.pass(5_000);
      await world.stop();
      expect(open(world)).toEqual(['a']);
      world.storage.records = lose(world.storage.records);
      await world.restart({ plan: MASKED });
      await world.pass(5_000);
      expect(open(world)).toEqual([]);
      expect(world.storage.log).toHaveLength(2);
      await world.stop();
    }
  });

  test('no row is written before it is durable that rows of two forms are there', async () => {
    const world = await halfMasked();
    world.storage.fault = () => null;
    await world.pass(60_000);
    await world.stop();
    // Such a storage takes records and loses them.
    const write = world.storage.write.bind(world.storage);
    world.storage.write = async (writes) => write(writes, []);
    await expect(world.restart({ plan: planOf() })).rejects.toThrow(/Cannot begin to rewrite the rows of configmaps/);
    expect(open(world)).toEqual([]);
    await world.stop();
  });

  test('each row goes by the record of its scope', async () => {
    const world = new MirrorWorld({ mirror: { plan: planOf({ scopes: ['default', 'other'] }) } });
    world.cluster.put('a', 'open');
    await world.start();
    await world.pass(5_000);
    const written = world.storage.log.length;
    // All namespaces where there was one before: its rows are known to be as they should.
    await world.restart({ plan: planOf({ scopes: [''] }) });
    await world.pass(5_000);
    expect(world.storage.log).toHaveLength(written);
    await world.mirror.flush();
    expect(world.storage.records.map(({ scope, stored: form }) => ({ scope, form }))).toEqual([{ scope: '', form: storedForm(planOf(), SECRET_KEY) }]);
    await world.stop();
  });
});
