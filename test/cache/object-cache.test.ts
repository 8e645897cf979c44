import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SlabPool } from '../../src/cache/body-pool.ts';
import type { Fence } from '../../src/cache/entry-table.ts';
import { isDirty, ObjectCache, type Taken } from '../../src/cache/object-cache.ts';
import type { RowOrigin } from '../../src/cache/scope.ts';
import type { Body } from '../../src/model/body.ts';
import { type ObjectKey, objectKey } from '../../src/model/key.ts';
import { decide } from '../../src/worker/decide.ts';

const key = objectKey('shop', 'web-1');
/** A fence that lets everything through. */
const everything: Fence = () => 'delete';
const nothing: Fence = () => 'hold';

function origin(form: string): RowOrigin {
  return { form, rules: 'rules', identity: 'cluster' };
}

function text(value: string): { size: number; copyTo(target: Uint8Array, at: number): void } {
  const bytes = Buffer.from(value);
  return { size: bytes.length, copyTo: (target, at) => target.set(bytes, at) };
}

function world(): { cache: ObjectCache; pool: SlabPool; see(revision: string, uid?: string, content?: string | null): string } {
  const pool = new SlabPool(8 * 1024 * 1024);
  const cache = new ObjectCache(['']);
  const see = (revision: string, uid = 'u1', content: string | null = null): string =>
    cache.see(cache.scope(''), { key, uid, revision }, 0, content, () => pool.store(text(`${uid}@${revision}`)));
  return { cache, pool, see };
}

describe('seeing objects', () => {
  test('ST-S1: delete and recreate under one name is one change, with the new uid', () => {
    const { cache, see } = world();
    see('5', 'u1');
    expect(see('9', 'u2')).toBe('modified');
    expect(cache.get(key)).toMatchObject({ uid: 'u2', revision: '9' });
  });

  test('ST-S4: an object older than the known one of the same uid changes nothing (a list may come from a stale server)', () => {
    const { cache, see } = world();
    see('10');
    expect(see('9')).toBe('older');
    expect(cache.get(key)?.revision).toBe('10');
  });

  test.each([
    ['of an earlier incarnation, that comes late', 'u0', '8'],
    ['from a stale server', 'u1', '8'],
    ['of an earlier incarnation, that nobody saw and only absence tells', 'u0', null],
  ])('a deletion %s, does not delete the newer object', (_, uid, revision) => {
    const { cache, see } = world();
    see('9', 'u1');
    expect(cache.remove(cache.scope(''), key, uid, revision, 0)).toBe('older');
    expect(cache.get(key)).toMatchObject({ uid: 'u1', revision: '9', gone: false });
  });

  test('ST-S5: revisions are compared as decimals of any length', () => {
    const { cache, see } = world();
    see('99999999999999999999999999');
    expect(see('100000000000000000000000000')).toBe('modified');
    expect(cache.get(key)?.revision).toBe('100000000000000000000000000');
  });

  test('a burst keeps only the newest body in memory', () => {
    const { cache, pool, see } = world();
    for (let revision = 1; revision <= 1000; revision++) see(String(revision));
    expect(Buffer.from(cache.take(key)?.body?.bytes() ?? []).toString()).toBe('u1@1000');
    expect(pool.usedBytes).toBe(256 * 1024);
  });

  test('CT-S18: a change that a rule ignores is settled without a write, once the object is stored', () => {
    const { cache, see } = world();
    const state = cache.scope('');
    see('1', 'u1', 'same');
    const taken = cache.take(key) as Taken;
    cache.settle(taken, 0, state);
    expect(see('2', 'u1', 'same')).toBe('clean');
    expect(decide(cache.get(key), 0, 0)).toEqual({ do: 'nothing' });
    expect(see('3', 'u1', 'other')).toBe('modified');
  });

  test('an ignored change during a write that then fails is written after all', () => {
    const { cache, see } = world();
    const state = cache.scope('');
    see('1', 'u1', 'a');
    cache.settle(cache.take(key) as Taken, 0, state);
    see('2', 'u1', 'b');
    const taken = cache.take(key) as Taken;
    expect(see('3', 'u1', 'b')).toBe('clean');
    cache.giveBack(taken, state, false);
    expect(decide(cache.get(key), 0, 0)).toEqual({ do: 'read' });
  });
});

describe('lists', () => {
  test('CT-S19, CT-S20: what a complete list did not show is gone, known by its key alone; what it showed in an older state is not', () => {
    const { cache, see } = world();
    const state = cache.scope('');
    see('10');
    cache.see(state, { key: objectKey('shop', 'old'), uid: 'u9', revision: '3' }, 0, null, () => null);
    cache.beginList(state);
    see('9');
    expect(cache.sweep(state, '12', 0, everything)).toEqual([objectKey('shop', 'old')]);
    expect(cache.get(key)?.gone).toBe(false);
  });

  test('an object newer than the list is not disproved by it', () => {
    const { cache, see } = world();
    const state = cache.scope('');
    cache.beginList(state);
    cache.beginList(state);
    see('20');
    cache.beginList(state);
    expect(cache.sweep(state, '15', 0, everything)).toEqual([]);
  });

  test('a list of one namespace sweeps that namespace only', () => {
    const pool = new SlabPool(1024 * 1024);
    const cache = new ObjectCache(['a', 'b']);
    for (const namespace of ['a', 'b'])
      cache.see(cache.scope(namespace), { key: objectKey(namespace, 'x'), uid: namespace, revision: '1' }, 0, null, () => pool.store(text('{}')));
    cache.beginList(cache.scope('a'));
    expect(cache.sweep(cache.scope('a'), '2', 0, everything)).toEqual(['a/x']);
    expect(cache.size).toBe(1);
  });

  test('rows of namespaces that nobody follows are dropped, the others kept', () => {
    const cache = new ObjectCache(['a']);
    cache.load({ key: objectKey('a', 'x'), uid: '1', revision: '1' }, 'keep');
    cache.load({ key: objectKey('b', 'x'), uid: '2', revision: '2' }, 'keep');
    expect(cache.dropOutside(0, everything)).toEqual(['b/x']);
    expect(decide(cache.get(objectKey('b', 'x')), 0, 0)).toEqual({ do: 'delete' });
  });

  test('a row that a rewrite asks for is written at the same revision', () => {
    const { cache, see } = world();
    cache.load({ key, uid: 'u1', revision: '4' }, 'rewrite');
    expect(see('4')).toBe('modified');
    expect(cache.take(key)?.rewrite).toBe(true);
  });

  test('a rewrite that two lists asked for is counted once, also when the first try of it fails', () => {
    const { cache, see } = world();
    const state = cache.scope('');
    cache.load({ key, uid: 'u1', revision: '5' }, 'rewrite');
    cache.beginList(state);
    see('5');
    cache.sweep(state, '6', 0, everything);
    const first = cache.take(key) as Taken;
    cache.beginList(state, 'regressed');
    see('5');
    cache.sweep(state, '6', 0, everything);
    cache.giveBack(first, state, false);
    cache.settle(cache.take(key) as Taken, 0, state);
    expect({ rewrites: state.rewrites, stored: state.record('pods', origin('new')).stored }).toEqual({ rewrites: 0, stored: 'new' });
  });

  test('the record names a form of rows only when no row of another is left, however the last of them goes', () => {
    const cache = new ObjectCache(['']);
    const state = cache.scope('');
    const [kept, lost, gone] = ['kept', 'lost', 'gone'].map((name) => objectKey('ns', name)) as [ObjectKey, ObjectKey, ObjectKey];
    const form = (): string | null => state.record('pods', origin('new')).stored;
    const takeOf = (target: ObjectKey): Taken => cache.take(target) as Taken;
    expect(form()).toBe('new');
    for (const target of [kept, lost, gone]) cache.load({ key: target, uid: 'u', revision: '4' }, 'rewrite');
    cache.beginList(state);
    for (const target of [kept, lost]) cache.see(state, { key: target, uid: 'u', revision: '4' }, 0, null, () => null);
    expect(cache.sweep(state, '9', 0, everything)).toEqual([gone]);
    cache.settle(takeOf(kept), 0, state);
    cache.giveBack(takeOf(lost), state, true);
    const deleted = takeOf(gone);
    cache.settle(takeOf(lost), 0, state);
    expect(form()).toBeNull();
    cache.settle(deleted, 0, state);
    expect(form()).toBe('new');
    cache.see(state, { key: kept, uid: 'u', revision: '10' }, 0, null, () => null);
    cache.settle(takeOf(kept), 0, state);
    expect(form()).toBe('new');
  });
});

describe('the watermark', () => {
  test('it is unknown until every object of the first list is durable, then follows what was delivered', () => {
    const { cache, see } = world();
    const state = cache.scope('');
    cache.beginList(state);
    see('5');
    cache.sweep(state, '8', 0, everything);
    expect(state.record('pods', origin('form'))).toMatchObject({ watermark: null, complete: false });
    cache.settle(cache.take(key) as Taken, 0, state);
    expect(state.record('pods', origin('form'))).toMatchObject({ watermark: '8', complete: true });
    cache.advance(state, '30');
    expect(state.watermark).toBe('30');
  });

  test('a parked object of the first list counts as settled: it is on record', () => {
    const { cache, see } = world();
    const state = cache.scope('');
    cache.beginList(state);
    see('5');
    cache.sweep(state, '8', 0, everything);
    expect(state.isDone).toBe(false);
    cache.park(cache.take(key) as Taken, state);
    expect(state.isDone).toBe(true);
    expect(state.record('pods', origin('form'))).toMatchObject({ watermark: '8', complete: true });
    cache.beginList(state);
    see('5');
    cache.sweep(state, '9', 0, everything);
    expect(state.isDone).toBe(true);
    // What changes after that is a change like any other.
    see('10');
    cache.advance(state, '10');
    expect({ done: state.isDone, watermark: state.watermark }).toEqual({ done: true, watermark: '9' });
    cache.park(cache.take(key) as Taken, state);
    expect(state.watermark).toBe('10');
    // Nothing of it was ever stored, and still a delete follows: it takes the record away.
    cache.remove(state, key, null, '11', 0);
    cache.advance(state, '11');
    expect(decide(cache.get(key), 0, 0)).toEqual({ do: 'delete' });
    expect({ done: state.isDone, watermark: state.watermark }).toEqual({ done: true, watermark: '10' });
    cache.settle(cache.take(key) as Taken, 0, state);
    expect({ done: state.isDone, watermark: state.watermark, isEmpty: cache.isEmpty }).toEqual({ done: true, watermark: '11', isEmpty: true });
  });

  test('what an earlier process recorded as refused counts as settled, until it changes or somebody wants it tried again', () => {
    const { cache, see } = world();
    const state = cache.scope('');
    cache.load({ key, uid: 'u1', revision: '4' }, 'keep');
    cache.loadParked({ key, uid: 'u1', revision: '7' });
    state.resume({ watermark: '9', listedAt: 1, heardAt: 2 });
    expect(state.record('pods', origin('form'))).toMatchObject({ watermark: '9', complete: true, objects: 1 });
    expect(decide(cache.get(key), 0, 0)).toEqual({ do: 'parked' });
    expect(see('7')).toBe('clean');
    expect(cache.retry(key, 0)).toBe(true);
    expect(cache.retry(key, 0)).toBe(false);
    expect(decide(cache.get(key), 0, 0)).toEqual({ do: 'read' });
    expect(state.watermark).toBe('9');
  });

  test('a row that is newer than what was refused is of another history, and is replaced by whatever comes next', () => {
    const { cache, see } = world();
    cache.load({ key, uid: 'before', revision: '1000' }, 'keep');
    cache.loadParked({ key, uid: 'after', revision: '7' });
    expect(see('8', 'after')).toBe('modified');
    expect(cache.take(key)).toMatchObject({ uid: 'after', revision: '8', regressed: true });
  });

  test('a parked object that changes before the rest of the first list is durable is not waited for, but holds the watermark back', () => {
    const { cache, see } = world();
    const state = cache.scope('');
    const other = objectKey('ns', 'other');
    cache.beginList(state);
    see('5');
    cache.see(state, { key: other, uid: 'u', revision: '6' }, 0, null, () => null);
    cache.park(cache.take(key) as Taken, state);
    cache.sweep(state, '8', 0, everything);
    see('10');
    cache.advance(state, '10');
    expect(state.isDone).toBe(false);
    cache.settle(cache.take(other) as Taken, 0, state);
    expect({ done: state.isDone, watermark: state.watermark }).toEqual({ done: true, watermark: '8' });
    cache.settle(cache.take(key) as Taken, 0, state);
    expect({ done: state.isDone, watermark: state.watermark }).toEqual({ done: true, watermark: '10' });
  });

  test('a history that went back waits for everything again, but not for what is parked', () => {
    const { cache, see } = world();
    const state = cache.scope('');
    cache.beginList(state);
    cache.sweep(state, '4', 0, everything);
    see('5');
    cache.park(cache.take(key) as Taken, state);
    cache.beginList(state, 'regressed');
    see('5');
    expect(state.isDone).toBe(false);
    cache.sweep(state, '5', 0, everything);
    expect({ done: state.isDone, watermark: state.watermark }).toEqual({ done: true, watermark: '5' });
  });

  test('it stays before the oldest change that is not durable, also when that is written again and again', () => {
    const { cache, see } = world();
    const state = cache.scope('');
    cache.beginList(state);
    cache.sweep(state, '8', 0, everything);
    see('11');
    cache.advance(state, '11');
    const first = cache.take(key) as Taken;
    see('12');
    cache.advance(state, '12');
    expect(state.watermark).toBe('8');
    cache.settle(first, 0, state);
    expect(state.watermark).toBe('11');
    cache.settle(cache.take(key) as Taken, 0, state);
    expect(state.watermark).toBe('12');
  });
});

describe('a history that went back', () => {
  test('objects of a regressed list replace what was known, whatever their revision, and what it does not show is gone', () => {
    const { cache, see } = world();
    const state = cache.scope('');
    const other = objectKey('shop', 'old');
    cache.beginList(state);
    see('1000', 'before');
    cache.see(state, { key: other, uid: 'u9', revision: '1001' }, 0, null, () => null);
    cache.sweep(state, '1001', 0, everything);
    cache.beginList(state, 'regressed');
    expect(state.watermark).toBeNull();
    expect(see('205', 'after')).toBe('modified');
    expect(cache.sweep(state, '206', 0, everything)).toEqual([other]);
    expect(cache.take(key)).toMatchObject({ uid: 'after', revision: '205', regressed: true });
    expect(see('207', 'after')).toBe('modified');
    expect(see('206', 'after')).toBe('older');
  });

  test('an object that a regressed list brings back is written whatever storage remembers of its deletion', () => {
    const { cache, see } = world();
    const state = cache.scope('');
    cache.beginList(state, 'regressed');
    expect(see('205', 'revived')).toBe('added');
    expect(cache.take(key)).toMatchObject({ uid: 'revived', revision: '205', regressed: true });
  });

  test('rows newer than the first list betray it at the start', () => {
    const cache = new ObjectCache(['']);
    const state = cache.scope('');
    cache.load({ key, uid: 'u1', revision: '1000' }, 'keep');
    cache.beginList(state);
    expect(cache.isAheadOf(state, '205')).toBe(true);
    cache.abortList(state);
    cache.beginList(state, 'regressed');
    expect(cache.isAheadOf(state, '205')).toBe(false);
    expect(cache.sweep(state, '205', 0, everything)).toEqual([key]);
  });
});

describe('what a history that went back leaves behind', () => {
  test('an object recreated under the name of one that is still to be deleted is seen, though its revision is lower', () => {
    for (const isGoneBefore of [true, false]) {
      const { cache, see } = world();
      const state = cache.scope('');
      cache.beginList(state);
      see('1000', 'before');
      cache.sweep(state, '1001', 0, everything);
      cache.settle(cache.take(key) as Taken, 0, state);
      if (isGoneBefore) cache.remove(state, key, 'before', '1002', 0);
      cache.beginList(state, 'regressed');
      cache.sweep(state, '205', 0, everything);
      expect(see('206', 'after')).toBe('added');
      expect(cache.take(key)).toMatchObject({ uid: 'after', revision: '206', regressed: true, gone: false });
    }
  });

  test('changes of the old history that are not durable give the new one no watermark', () => {
    const { cache, see } = world();
    const state = cache.scope('');
    cache.beginList(state);
    cache.sweep(state, '1000', 0, everything);
    see('1001', 'before');
    cache.beginList(state, 'regressed');
    see('205', 'after');
    cache.sweep(state, '206', 0, everything);
    expect(state.record('maps', origin('form'))).toMatchObject({ watermark: null, complete: false });
    cache.settle(cache.take(key) as Taken, 0, state);
    expect(state.watermark).toBe('206');
  });

  test('a write of the old history that ends late neither settles the new one nor takes its place', () => {
    for (const end of ['settle', 'giveBack'] as const) {
      const { cache, pool, see } = world();
      const state = cache.scope('');
      cache.beginList(state);
      cache.sweep(state, '100', 0, everything);
      see('205', 'before');
      const late = cache.take(key) as Taken;
      cache.beginList(state, 'regressed');
      cache.see(state, { key, uid: 'after', revision: '205' }, 0, null, () => null);
      cache.sweep(state, '206', 0, everything);
      if (end === 'settle') cache.settle(late, 0, state);
      else cache.giveBack(late, state, true);
      expect(cache.get(key)).toMatchObject({ uid: 'after', body: null, settled: null, regressed: true });
      expect(decide(cache.get(key), 0, 0)).toEqual({ do: 'read' });
      expect(pool.usedBytes).toBe(0);
    }
  });
});

describe('reading again', () => {
  const meta = (revision: string, uid = 'u1') => ({ key, uid, revision });

  test('brings back the body of just the state that lacks it, and never news: the answer may be late', () => {
    const { cache, pool } = world();
    const state = cache.scope('');
    const body = (): Body | null => pool.store(text('again'));
    cache.see(state, meta('5'), 0, null, () => null);
    for (const other of [meta('4'), meta('6'), meta('5', 'u2')]) {
      cache.restore(other, body);
      expect(cache.get(key)).toMatchObject({ revision: '5', uid: 'u1', body: null });
    }
    cache.remove(state, key, 'u1', '5', 0);
    cache.restore(meta('5'), body);
    expect(cache.get(key)).toMatchObject({ gone: true, body: null });
    cache.settleNothing(cache.take(key) as Taken, state);
    cache.restore(meta('5'), body);
    expect(cache.get(key)).toBeUndefined();
    expect(pool.usedBytes).toBe(0);
    cache.see(state, meta('7'), 0, null, () => null);
    cache.restore(meta('7'), body);
    expect(cache.get(key)?.body).not.toBeNull();
  });

  test('what waits for a person holds no body, however often a list shows it', () => {
    const { cache, pool, see } = world();
    const state = cache.scope('');
    see('5');
    expect(cache.park(cache.take(key) as Taken, state)).toBe('parked');
    see('5');
    cache.restore(meta('5'), () => pool.store(text('again')));
    expect(pool.usedBytes).toBe(0);
    expect(decide(cache.get(key), 0, 0)).toEqual({ do: 'parked' });
    see('6');
    expect(decide(cache.get(key), 0, 0)).toEqual({ do: 'put' });
  });

  test('a key without a change is nothing to do, whatever else is known of it', () => {
    const { cache } = world();
    cache.load({ key, uid: 'u1', revision: '4' }, 'rewrite');
    expect(decide(cache.get(key), 0, 0)).toEqual({ do: 'nothing' });
    expect(cache.take(key)).toBeNull();
  });
});

test('an object that came back before its delete was written keeps what a changed mask asks for', () => {
  const { cache, see } = world();
  const state = cache.scope('');
  cache.load({ key, uid: 'u1', revision: '4' }, 'rewrite');
  cache.remove(state, key, 'u1', null, 0);
  expect(see('4')).toBe('added');
  expect(decide(cache.get(key), 0, 0)).toEqual({ do: 'put' });
  expect(cache.take(key)?.rewrite).toBe(true);
});

test('a delete after several writes of unknown outcome names every uid that the row may hold', () => {
  const { cache, see } = world();
  const state = cache.scope('');
  see('1', 'u1');
  cache.settle(cache.take(key) as Taken, 0, state);
  for (const [revision, uid] of [
    ['2', 'u2'],
    ['3', 'u3'],
  ] as const) {
    see(revision, uid);
    cache.giveBack(cache.take(key) as Taken, state, true);
  }
  cache.remove(state, key, 'u3', '4', 0);
  expect(cache.storedUids(key)).toEqual(['u3', 'u2', 'u1']);
  cache.excludeUid(key, 'u3');
  expect(cache.storedUids(key)).toEqual(['u2', 'u1']);
});

test('a delete names the uid that storage holds, not the one seen last', () => {
  const { cache, see } = world();
  const state = cache.scope('');
  see('1', 'u1');
  cache.settle(cache.take(key) as Taken, 0, state);
  see('2', 'u2');
  cache.remove(state, key, 'u2', '3', 0);
  expect(cache.storedUids(key)).toEqual(['u1']);
});

test('a delete of a row that a write of unknown outcome may have replaced names both uids', () => {
  const { cache, see } = world();
  const state = cache.scope('');
  see('1', 'u1');
  cache.settle(cache.take(key) as Taken, 0, state);
  see('2', 'u2');
  cache.giveBack(cache.take(key) as Taken, state, true);
  cache.remove(state, key, 'u2', '3', 0);
  expect(cache.storedUids(key)).toEqual(['u2', 'u1']);
});

type Step =
  | { readonly do: 'write'; readonly name: number; readonly fresh: boolean }
  | { readonly do: 'delete'; readonly name: number }
  | { readonly do: 'take'; readonly name: number }
  | { readonly do: 'end'; readonly outcome: 'written' | 'lost' | 'unknown' }
  | { readonly do: 'relist' };

const name = fc.nat(4);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('write' as const), name, fresh: fc.boolean() }),
  fc.record({ do: fc.constant('delete' as const), name }),
  fc.record({ do: fc.constant('take' as const), name }),
  fc.record({ do: fc.constant('end' as const), outcome: fc.constantFrom('written' as const, 'lost' as const, 'unknown' as const) }),
  fc.record({ do: fc.constant('relist' as const) }),
);

test('whatever happens in whatever order, the rows end equal to the cluster, the watermark never passes a change that is not durable, and every body is released', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const pool = new SlabPool(1024 * 1024);
      const cache = new ObjectCache(['']);
      const state = cache.scope('');
      const cluster = new Map<ObjectKey, { uid: string; revision: string }>();
      const rows = new Map<ObjectKey, { uid: string; revision: string }>();
      /** Every change by revision, for the watermark's promise. */
      const history: { revision: number; key: ObjectKey }[] = [];
      const hands: Taken[] = [];
      let revision = 100;
      let uids = 0;
      const body = (): Body | null => pool.store(text('{}'));
      const keyOf = (index: number): ObjectKey => objectKey('ns', `n${index}`);
      const commit = (taken: Taken): void => {
        if (taken.gone) {
          const uid = cache.storedUids(taken.key);
          const row = rows.get(taken.key);
          if (row !== undefined && uid.includes(row.uid)) rows.delete(taken.key);
        } else {
          const row = rows.get(taken.key);
          if (row === undefined || Number(row.revision) < Number(taken.revision)) rows.set(taken.key, { uid: taken.uid, revision: taken.revision });
        }
      };
      const finish = (outcome: 'written' | 'lost' | 'unknown'): void => {
        const taken = hands.shift();
        if (taken === undefined) return;
        if (outcome !== 'lost') commit(taken);
        if (outcome === 'written') cache.settle(taken, 0, state);
        else cache.giveBack(taken, state, outcome === 'unknown');
      };
      const take = (target: ObjectKey): void => {
        if (hands.some((held) => held.key === target)) return;
        const decision = decide(cache.get(target), 0, 0);
        const taken = cache.take(target);
        if (taken === null) return;
        if (decision.do === 'nothing') cache.settleNothing(taken, state);
        else hands.push(taken);
      };
      const relist = (): void => {
        cache.beginList(state);
        for (const [target, object] of cluster) cache.see(state, { key: target, ...object }, 0, null, body);
        cache.sweep(state, String(revision), 0, everything);
      };
      const checkWatermark = (): void => {
        if (state.watermark === null) return;
        for (const change of history) {
          if (change.revision > Number(state.watermark)) continue;
          const later = history.some((other) => other.key === change.key && other.revision > change.revision && other.revision <= Number(state.watermark));
          if (later) continue;
          const row = rows.get(change.key);
          const truth = cluster.get(change.key);
          const rowIsAsNew = row !== undefined && Number(row.revision) >= change.revision;
          const goneSince = row === undefined && (truth === undefined || Number(truth.revision) >= change.revision);
          expect(rowIsAsNew || goneSince).toBe(true);
        }
      };
      relist();
      for (const current of steps) {
        switch (current.do) {
          case 'write': {
            const target = keyOf(current.name);
            const uid = current.fresh ? `uid-${++uids}` : (cluster.get(target)?.uid ?? `uid-${++uids}`);
            const object = { uid, revision: String(++revision) };
            cluster.set(target, object);
            history.push({ revision, key: target });
            expect(isDirty(cache.see(state, { key: target, ...object }, 0, null, body))).toBe(true);
            cache.advance(state, object.revision);
            break;
          }
          case 'delete': {
            const target = keyOf(current.name);
            const object = cluster.get(target);
            if (object === undefined) break;
            cluster.delete(target);
            history.push({ revision: ++revision, key: target });
            cache.remove(state, target, object.uid, String(revision), 0);
            cache.advance(state, String(revision));
            break;
          }
          case 'take':
            take(keyOf(current.name));
            break;
          case 'end':
            finish(current.outcome);
            break;
          case 'relist':
            relist();
            break;
          default:
            current satisfies never;
        }
        checkWatermark();
      }
      // Quiescence: storage works again, bodies that were let go are read again.
      for (let round = 0; round < 8; round++) {
        while (hands.length > 0) finish('written');
        relist();
        for (let index = 0; index <= 4; index++) take(keyOf(index));
      }
      while (hands.length > 0) finish('written');
      expect([...rows].sort()).toEqual([...cluster].sort());
      expect(state.watermark).toBe(String(revision));
      for (const [, entry] of cache.entries())
        expect({ gone: entry.gone, body: entry.body, pending: entry.pending }).toEqual({ gone: false, body: null, pending: null });
    }),
    { numRuns: 500 },
  );
});

describe('a deletion that the fence holds', () => {
  const [one, two] = [objectKey('ns', 'one'), objectKey('ns', 'two')];
  const held = (): { cache: ObjectCache; state: ReturnType<ObjectCache['scope']> } => {
    const cache = new ObjectCache(['']);
    const state = cache.scope('');
    for (const target of [one, two]) cache.load({ key: target, uid: target, revision: '4' }, 'keep');
    cache.beginList(state);
    expect(cache.sweep(state, '9', 0, nothing)).toEqual([]);
    return { cache, state };
  };

  test('asks once for a pass, of how many rows', () => {
    const asked: [number, number][] = [];
    const cache = new ObjectCache(['a']);
    for (const name of ['a/x', 'a/y', 'b/x', 'b/y', 'b/z'] as ObjectKey[]) cache.load({ key: name, uid: name, revision: '1' }, 'keep');
    cache.dropOutside(0, (absent, known) => {
      asked.push([absent, known]);
      return 'hold';
    });
    const state = cache.scope('a');
    cache.beginList(state);
    cache.sweep(state, '9', 0, (absent, known) => {
      asked.push([absent, known]);
      return 'hold';
    });
    expect(asked).toEqual([
      [3, 5],
      [2, 5],
    ]);
    expect(cache.held).toBe(5);
  });

  test('leaves the rows, is not waited for, and keeps the watermark from going past it', () => {
    const { cache, state } = held();
    expect({ held: cache.held, keys: cache.heldKeys(), size: cache.size }).toEqual({ held: 2, keys: [one, two], size: 0 });
    expect(decide(cache.get(one), 0, 0)).toEqual({ do: 'parked' });
    expect({ done: state.isDone, watermark: state.watermark }).toEqual({ done: true, watermark: null });
    expect(state.positions.oldestAwaited()).toBeNull();
  });

  test('happens once it is released', () => {
    const { cache, state } = held();
    for (const target of cache.heldKeys()) expect(cache.release(target)).toBe(true);
    expect(cache.release(one)).toBe(false);
    expect(decide(cache.get(one), 0, 0)).toEqual({ do: 'delete' });
    for (const target of [one, two]) cache.settle(cache.take(target) as Taken, 0, state);
    expect({ held: cache.held, isEmpty: cache.isEmpty, watermark: state.watermark }).toEqual({ held: 0, isEmpty: true, watermark: '9' });
  });

  test('is forgotten with everything else at the end of a mirror', () => {
    const { cache } = held();
    cache.clear();
    expect({ held: cache.held, keys: cache.heldKeys() }).toEqual({ held: 0, keys: [] });
  });

  test('is forgotten for an object that is seen again', () => {
    const { cache, state } = held();
    expect(cache.see(state, { key: one, uid: one, revision: '4' }, 0, null, () => null)).toBe('added');
    expect({ held: cache.held, keys: cache.heldKeys(), size: cache.size }).toEqual({ held: 1, keys: [two], size: 1 });
    cache.settle(cache.take(one) as Taken, 0, state);
    expect(state.watermark).toBeNull();
  });

  test('is judged again with the next pass, as a whole', () => {
    const { cache, state } = held();
    const three = objectKey('ns', 'three');
    cache.load({ key: three, uid: 'u3', revision: '5' }, 'keep');
    cache.beginList(state);
    expect(cache.sweep(state, '12', 0, (absent) => (absent === 3 ? 'delete' : 'hold'))).toEqual([one, two, three]);
    expect(cache.held).toBe(0);
  });

  test('stays held when a write that was under way fails', () => {
    const cache = new ObjectCache(['']);
    const state = cache.scope('');
    cache.beginList(state);
    cache.sweep(state, '3', 0, everything);
    cache.see(state, { key: one, uid: one, revision: '4' }, 0, null, () => null);
    const taken = cache.take(one) as Taken;
    cache.beginList(state);
    cache.sweep(state, '9', 0, nothing);
    cache.giveBack(taken, state, true);
    expect(decide(cache.get(one), 0, 0)).toEqual({ do: 'parked' });
    expect({ held: cache.held, watermark: state.watermark }).toEqual({ held: 1, watermark: '3' });
    cache.release(one);
    expect(decide(cache.get(one), 0, 0)).toEqual({ do: 'delete' });
    cache.settle(cache.take(one) as Taken, 0, state);
    expect(state.watermark).toBe('9');
  });
});

describe('a row that the audit found wrong', () => {
  test('is written again whatever it holds, at the same revision, and the key is dirty until then', () => {
    const { cache, see } = world();
    const state = cache.scope('');
    cache.load({ key, uid: 'u1', revision: '4' }, 'keep');
    state.resume({ watermark: '9', listedAt: null, heardAt: null });
    expect(cache.doubt(key, 0)).toBe(true);
    expect(decide(cache.get(key), 0, 0)).toEqual({ do: 'read' });
    expect(see('4')).toBe('clean');
    const taken = cache.take(key) as Taken;
    expect(taken).toMatchObject({ regressed: true, revision: '4' });
    cache.settle(taken, 0, state);
    expect(decide(cache.get(key), 0, 0)).toEqual({ do: 'nothing' });
    expect(cache.doubt(objectKey('shop', 'nobody'), 0)).toBe(false);
  });

  test('goes when nobody knows its object, whatever its revision', () => {
    const { cache } = world();
    const state = cache.scope('');
    expect(cache.adopt({ key, uid: 'u1', revision: '4' }, 0)).toBe(true);
    expect(cache.adopt({ key, uid: 'u1', revision: '4' }, 0)).toBe(false);
    expect(cache.size).toBe(0);
    expect(decide(cache.get(key), 0, 0)).toEqual({ do: 'delete' });
    const taken = cache.take(key) as Taken;
    expect({ uids: cache.storedUids(key), taken }).toMatchObject({ uids: ['u1'], taken: { gone: true, regressed: true } });
    cache.settle(taken, 0, state);
    expect(cache.isEmpty).toBe(true);
  });
});
