import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SlabPool } from '../../src/cache/body-pool.ts';
import { isDirty, ObjectCache, type Taken } from '../../src/cache/object-cache.ts';
import type { Body } from '../../src/model/body.ts';
import { type ObjectKey, objectKey } from '../../src/model/key.ts';
import { decide } from '../../src/worker/decide.ts';

const key = objectKey('shop', 'web-1');

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
    expect(cache.sweep(state, '12', 0)).toEqual([objectKey('shop', 'old')]);
    expect(cache.get(key)?.gone).toBe(false);
  });

  test('an object newer than the list is not disproved by it', () => {
    const { cache, see } = world();
    const state = cache.scope('');
    cache.beginList(state);
    cache.beginList(state);
    see('20');
    cache.beginList(state);
    expect(cache.sweep(state, '15', 0)).toEqual([]);
  });

  test('a list of one namespace sweeps that namespace only', () => {
    const pool = new SlabPool(1024 * 1024);
    const cache = new ObjectCache(['a', 'b']);
    for (const namespace of ['a', 'b'])
      cache.see(cache.scope(namespace), { key: objectKey(namespace, 'x'), uid: namespace, revision: '1' }, 0, null, () => pool.store(text('{}')));
    cache.beginList(cache.scope('a'));
    expect(cache.sweep(cache.scope('a'), '2', 0)).toEqual(['a/x']);
    expect(cache.size).toBe(1);
  });

  test('rows of namespaces that nobody follows are dropped, the others kept', () => {
    const cache = new ObjectCache(['a']);
    cache.load({ key: objectKey('a', 'x'), uid: '1', revision: '1' }, 'keep');
    cache.load({ key: objectKey('b', 'x'), uid: '2', revision: '2' }, 'keep');
    expect(cache.dropOutside(0)).toEqual(['b/x']);
    expect(decide(cache.get(objectKey('b', 'x')), 0, 0)).toEqual({ do: 'delete' });
  });

  test('a row that a rewrite asks for is written at the same revision', () => {
    const { cache, see } = world();
    cache.load({ key, uid: 'u1', revision: '4' }, 'rewrite');
    expect(see('4')).toBe('modified');
    expect(cache.take(key)?.rewrite).toBe(true);
  });

  test('the record names a form of rows only when no row of another is left, however the last of them goes', () => {
    const cache = new ObjectCache(['']);
    const state = cache.scope('');
    const [kept, lost, gone] = ['kept', 'lost', 'gone'].map((name) => objectKey('ns', name)) as [ObjectKey, ObjectKey, ObjectKey];
    const form = (): string | null => state.record('pods', 'new').stored;
    const takeOf = (target: ObjectKey): Taken => cache.take(target) as Taken;
    expect(form()).toBe('new');
    for (const target of [kept, lost, gone]) cache.load({ key: target, uid: 'u', revision: '4' }, 'rewrite');
    cache.beginList(state);
    for (const target of [kept, lost]) cache.see(state, { key: target, uid: 'u', revision: '4' }, 0, null, () => null);
    expect(cache.sweep(state, '9', 0)).toEqual([gone]);
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
    cache.sweep(state, '8', 0);
    expect(state.record('pods', 'form')).toMatchObject({ watermark: null, complete: false });
    cache.settle(cache.take(key) as Taken, 0, state);
    expect(state.record('pods', 'form')).toMatchObject({ watermark: '8', complete: true });
    cache.advance(state, '30');
    expect(state.watermark).toBe('30');
  });

  test('a parked object of the first list is not waited for, but the watermark does not pass it and the record does not claim it', () => {
    const { cache, see } = world();
    const state = cache.scope('');
    cache.beginList(state);
    see('5');
    cache.sweep(state, '8', 0);
    expect(state.isDone).toBe(false);
    cache.park(cache.take(key) as Taken, state);
    expect(state.isDone).toBe(true);
    expect(state.record('pods', 'form')).toMatchObject({ watermark: null, complete: false });
    cache.beginList(state);
    see('5');
    cache.sweep(state, '9', 0);
    expect(state.isDone).toBe(true);
    // What changes after that is a change like any other.
    see('10');
    expect(state.isDone).toBe(true);
    cache.park(cache.take(key) as Taken, state);
    cache.remove(state, key, null, '11', 0);
    expect({ done: state.isDone, watermark: state.watermark }).toEqual({ done: true, watermark: null });
    cache.settleNothing(cache.take(key) as Taken, state);
    expect({ done: state.isDone, watermark: state.watermark }).toEqual({ done: true, watermark: '9' });
  });

  test('a parked object that changes before the rest of the first list is durable is waited for again', () => {
    const { cache, see } = world();
    const state = cache.scope('');
    const other = objectKey('ns', 'other');
    cache.beginList(state);
    see('5');
    cache.see(state, { key: other, uid: 'u', revision: '6' }, 0, null, () => null);
    cache.park(cache.take(key) as Taken, state);
    cache.sweep(state, '8', 0);
    see('10');
    cache.settle(cache.take(other) as Taken, 0, state);
    expect(state.isDone).toBe(false);
    cache.settle(cache.take(key) as Taken, 0, state);
    expect({ done: state.isDone, watermark: state.watermark }).toEqual({ done: true, watermark: '8' });
  });

  test('a history that went back waits for everything again, but not for what is parked', () => {
    const { cache, see } = world();
    const state = cache.scope('');
    cache.beginList(state);
    cache.sweep(state, '4', 0);
    see('5');
    cache.park(cache.take(key) as Taken, state);
    cache.beginList(state, 'regressed');
    see('5');
    expect(state.isDone).toBe(false);
    cache.sweep(state, '5', 0);
    expect({ done: state.isDone, watermark: state.watermark }).toEqual({ done: true, watermark: null });
  });

  test('it stays before the oldest change that is not durable, also when that is written again and again', () => {
    const { cache, see } = world();
    const state = cache.scope('');
    cache.beginList(state);
    cache.sweep(state, '8', 0);
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
    cache.sweep(state, '1001', 0);
    cache.beginList(state, 'regressed');
    expect(state.watermark).toBeNull();
    expect(see('205', 'after')).toBe('modified');
    expect(cache.sweep(state, '206', 0)).toEqual([other]);
    expect(cache.take(key)).toMatchObject({ uid: 'after', revision: '205', regressed: true });
    expect(see('207', 'after')).toBe('modified');
    expect(see('206', 'after')).toBe('older');
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
    expect(cache.sweep(state, '205', 0)).toEqual([key]);
  });
});

describe('what a history that went back leaves behind', () => {
  test('an object recreated under the name of one that is still to be deleted is seen, though its revision is lower', () => {
    for (const isGoneBefore of [true, false]) {
      const { cache, see } = world();
      const state = cache.scope('');
      cache.beginList(state);
      see('1000', 'before');
      cache.sweep(state, '1001', 0);
      cache.settle(cache.take(key) as Taken, 0, state);
      if (isGoneBefore) cache.remove(state, key, 'before', '1002', 0);
      cache.beginList(state, 'regressed');
      cache.sweep(state, '205', 0);
      expect(see('206', 'after')).toBe('added');
      expect(cache.take(key)).toMatchObject({ uid: 'after', revision: '206', regressed: true, gone: false });
    }
  });

  test('changes of the old history that are not durable give the new one no watermark', () => {
    const { cache, see } = world();
    const state = cache.scope('');
    cache.beginList(state);
    cache.sweep(state, '1000', 0);
    see('1001', 'before');
    cache.beginList(state, 'regressed');
    see('205', 'after');
    cache.sweep(state, '206', 0);
    expect(state.record('maps', 'form')).toMatchObject({ watermark: null, complete: false });
    cache.settle(cache.take(key) as Taken, 0, state);
    expect(state.watermark).toBe('206');
  });

  test('a write of the old history that ends late neither settles the new one nor takes its place', () => {
    for (const end of ['settle', 'giveBack'] as const) {
      const { cache, pool, see } = world();
      const state = cache.scope('');
      cache.beginList(state);
      cache.sweep(state, '100', 0);
      see('205', 'before');
      const late = cache.take(key) as Taken;
      cache.beginList(state, 'regressed');
      cache.see(state, { key, uid: 'after', revision: '205' }, 0, null, () => null);
      cache.sweep(state, '206', 0);
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
        cache.sweep(state, String(revision), 0);
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
