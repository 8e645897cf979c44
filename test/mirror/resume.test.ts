import { describe, expect, test } from 'vitest';
import type { RowOrigin } from '../../src/cache/scope.ts';
import { beginningOf, rulesOf } from '../../src/mirror/resume.ts';
import type { ScopeRecord } from '../../src/storage/storage.ts';
import { isComplete } from '../../src/mirror/kind-status.ts';
import { parsePath } from '../../src/transform/paths.ts';
import { IDENTITY, MirrorWorld, planOf } from './world.ts';

const ORIGIN: RowOrigin = { form: 'form', rules: 'rules', identity: 'here' };
const RECORD: ScopeRecord = {
  kind: 'pods',
  scope: '',
  watermark: '50',
  listedAt: 1,
  heardAt: 2,
  objects: 3,
  complete: true,
  stored: 'form',
  rules: 'rules',
  identity: 'here',
};

test('a scope goes on from its watermark when everything on record agrees with what is', () => {
  expect(beginningOf(RECORD, ORIGIN, '50', '50')).toEqual({ from: '50' });
  expect(beginningOf(RECORD, ORIGIN, '1000', null)).toEqual({ from: '50' });
});

test.each<[string, ScopeRecord | undefined, RowOrigin, string | null, 'first' | 'regressed', string]>([
  ['there is no record', undefined, ORIGIN, '50', 'first', 'no complete list'],
  ['no list was durable', { ...RECORD, watermark: null }, ORIGIN, '50', 'first', 'no complete list'],
  ['the rows are not all', { ...RECORD, complete: false }, ORIGIN, '50', 'first', 'no complete list'],
  ['the record is from before forms and rules were kept', { ...RECORD, rules: null, identity: null }, ORIGIN, '50', 'first', 'may not be read'],
  ['rows have another form', { ...RECORD, stored: 'other' }, ORIGIN, '50', 'first', 'what is stored'],
  ['rows of two forms may be there', { ...RECORD, stored: null }, ORIGIN, '50', 'first', 'what is stored'],
  ['other objects were selected', { ...RECORD, rules: 'other' }, ORIGIN, '50', 'first', 'the rules have changed'],
  ['it is another cluster', RECORD, { ...ORIGIN, identity: 'there' }, '50', 'regressed', 'another cluster'],
  ['nobody may say which cluster it is', RECORD, { ...ORIGIN, identity: null }, '50', 'first', 'may not be read'],
  ['the newest revision may not be read', RECORD, ORIGIN, null, 'first', 'namespaces may not be listed'],
  ['the cluster is behind the copy', RECORD, ORIGIN, '49', 'first', 'the copy is at revision 50 and the cluster at 49'],
])('it begins with a list when %s', (_name, record, origin, newest, list, why) => {
  expect(beginningOf(record, origin, newest, null)).toEqual({ list, why: expect.stringContaining(why) as string });
});

test('it begins with a list when a row is newer than the cluster, though the watermark is not', () => {
  const why = 'the copy is at revision 70 and the cluster at 60: its history went back, or the kind has its own';
  expect(beginningOf(RECORD, ORIGIN, '60', '70')).toEqual({ list: 'first', why });
  expect(beginningOf(RECORD, ORIGIN, '70', '70')).toEqual({ from: '50' });
});

test('other rules are known by the fingerprint of the plan', () => {
  expect(rulesOf({ fingerprint: 'a' })).toMatch(/^[0-9a-f]{32}$/);
  expect(rulesOf({ fingerprint: 'a' })).not.toBe(rulesOf({ fingerprint: 'b' }));
});

describe('a warm restart', () => {
  const names = Array.from({ length: 40 }, (_, index) => `p${String(index).padStart(2, '0')}`);

  /** A world whose rows are complete and recorded; requests and writes are counted from here. */
  async function stored(): Promise<MirrorWorld> {
    const world = new MirrorWorld({ mirror: { history: { identity: IDENTITY, revision: '100' } } });
    for (const name of names) world.cluster.put(name);
    await world.start();
    await world.pass(30_000);
    await world.stop();
    world.cluster.requests.length = 0;
    world.storage.log.length = 0;
    return world;
  }
  const lists = (world: MirrorWorld): number => world.cluster.requests.filter(({ verb }) => verb === 'list').length;
  const written = (world: MirrorWorld): string[] => world.storage.log.map(({ type, id }) => `${type} ${id.slice('configmaps/default/'.length)}`);
  const restart = async (world: MirrorWorld, changes: Parameters<MirrorWorld['restart']>[0] = {}): Promise<void> => {
    await world.restart({ history: world.look(), ...changes });
    await world.pass(60_000);
  };

  test('lists nothing and writes nothing when nothing has changed, and is ready a moment after the watch was accepted', async () => {
    const world = await stored();
    await world.restart({ history: world.look() });
    // A watch whose history is gone is accepted as well, and ends with its first line.
    expect(isComplete(world.mirror)).toBe(false);
    await world.pass(1_000);
    expect(isComplete(world.mirror)).toBe(true);
    await world.pass(60_000);
    expect({ lists: lists(world), written: written(world), rows: world.rows() }).toEqual({ lists: 0, written: [], rows: world.truth() });
    await world.stop();
  });

  test('writes exactly what changed while it was down, when the watch still tells and when it does not', async () => {
    for (const isExpired of [false, true]) {
      const world = await stored();
      world.cluster.put('p03');
      world.cluster.remove('p07');
      world.cluster.remove('p11');
      world.cluster.put('p11');
      world.cluster.put('new');
      if (isExpired) world.cluster.compact();
      await restart(world);
      expect(world.rows()).toEqual(world.truth());
      expect(written(world).sort()).toEqual(['delete p07', 'put new', 'put p03', 'put p11']);
      expect(lists(world)).toBe(isExpired ? 1 : 0);
      await world.stop();
    }
  });

  test('knows changes that it has stored before: they are shown again and not written again', async () => {
    const world = await stored();
    const [record] = world.storage.records;
    world.cluster.put('p01');
    world.cluster.remove('p02');
    await restart(world);
    await world.stop();
    world.storage.log.length = 0;
    // The record of before: as if the end had come between the rows and it.
    if (record !== undefined) world.storage.records = [record];
    await restart(world);
    expect({ lists: lists(world), written: written(world), rows: world.rows() }).toEqual({ lists: 0, written: [], rows: world.truth() });
    await world.stop();
  });

  test('on an etcd that was wiped lists, and neither keeps the old objects nor passes over the new ones for their lower revisions', async () => {
    for (const identity of ['uid of kube-system', 'another uid']) {
      const world = await stored();
      world.cluster.wipe();
      world.identity = identity;
      for (const name of ['p01', 'fresh']) world.cluster.put(name);
      await restart(world);
      expect(world.rows()).toEqual(world.truth());
      expect(lists(world)).toBeGreaterThan(0);
      await world.stop();
    }
  });

  test('on another cluster replaces rows also where its revisions are higher', async () => {
    const world = await stored();
    world.cluster.wipe();
    for (let tick = 0; tick < 1_000; tick++) world.cluster.tick();
    world.identity = 'another uid';
    for (const name of ['p01', 'fresh']) world.cluster.put(name);
    await restart(world);
    expect(world.rows()).toEqual(world.truth());
    await world.stop();
  });

  test('lists when the newest row is newer than its object: the history went back and has got further than the watermark since', async () => {
    const world = await stored();
    world.cluster.wipe();
    world.cluster.put('p39');
    world.cluster.put('lost in the watch');
    for (let tick = 0; tick < 1_000; tick++) world.cluster.tick();
    // As a back-up brings it: the same uid, at an older revision than the row's.
    const [[id, row]] = [...world.storage.rows].filter(([key]) => key.endsWith('/p39')) as [[string, { uid: string; revision: string; body: string }]];
    const [uid] = String(world.cluster.truth.get('default/p39')).split('@');
    world.storage.rows.set(id, { ...row, uid: String(uid) });
    await restart(world);
    expect(world.rows()).toEqual(world.truth());
    expect(lists(world)).toBeGreaterThan(0);
    await world.stop();
  });

  test('under other rules lists; under another mask it also rewrites, and each only once', async () => {
    const world = await stored();
    await restart(world, { plan: planOf({ fingerprint: 'other' }) });
    expect({ lists: lists(world), written: written(world) }).toEqual({ lists: 1, written: [] });
    await restart(world, { plan: planOf({ fingerprint: 'masked', mask: [parsePath('data.value')] }) });
    expect({ lists: lists(world), written: written(world).length }).toEqual({ lists: 2, written: names.length });
    await restart(world);
    expect({ lists: lists(world), written: written(world).length }).toEqual({ lists: 2, written: names.length });
    await world.stop();
  });

  test('lists after an event that could not be read, since what it told may be missing', async () => {
    const world = await stored();
    await restart(world);
    world.cluster.inject('{"type":"MODIFIED","object":{"kind":"ConfigMap","apiVersion":"v1","data":{}}}\n');
    world.cluster.put('p05');
    await world.pass(5_000);
    expect(world.rows()).toEqual(world.truth());
    await world.stop();
    expect(world.storage.records).toMatchObject([{ watermark: null }]);
    await restart(world);
    expect(lists(world)).toBe(1);
    await world.stop();
    expect(world.storage.records).toMatchObject([{ watermark: world.cluster.revision }]);
  });

  test('is done when it got as far as the cluster was at its start, or when the watch has fallen silent', async () => {
    for (const isKnown of [true, false]) {
      const world = await stored();
      for (const name of names) world.cluster.put(name);
      // Another kind was written last: no event of this one gets that far.
      if (!isKnown) world.cluster.tick();
      await world.restart({ history: world.look() });
      expect(isComplete(world.mirror)).toBe(isKnown);
      await world.pass(1_000);
      expect(isComplete(world.mirror)).toBe(true);
      expect(world.rows()).toEqual(world.truth());
      await world.stop();
    }
  });

  test('lists in spite of a good record when it is to end once the copy is exact', async () => {
    const world = await stored();
    world.cluster.put('p03');
    await restart(world, { listsFirst: true });
    expect({ lists: lists(world), written: written(world) }).toEqual({ lists: 1, written: ['put p03'] });
    await world.stop();
  });

  test('during which the first list ends half-way lists again', async () => {
    const world = new MirrorWorld({ mirror: { history: { identity: IDENTITY, revision: '100' } } });
    for (const name of names) world.cluster.put(name);
    world.cluster.fault = ({ verb }) => (verb === 'list' ? { do: 'refuse', status: 500, reason: 'InternalError' } : null);
    await world.start();
    await world.pass(5_000);
    world.cluster.fault = () => null;
    world.cluster.requests.length = 0;
    await restart(world);
    expect(lists(world)).toBe(1);
    expect(world.rows()).toEqual(world.truth());
    await world.stop();
  });
});
