import { describe, expect, test } from 'vitest';
import { SlabPool } from '../../src/cache/body-pool.ts';
import type { KnownObject } from '../../src/cache/entry.ts';
import type { Fence } from '../../src/cache/entry-table.ts';
import { ObjectCache } from '../../src/cache/object-cache.ts';
import type { ScopeState } from '../../src/cache/scope.ts';
import { type Meeting, meeting } from '../../src/cache/takeover.ts';
import { type ObjectKey, objectKey } from '../../src/model/key.ts';

const everything: Fence = () => 'delete';
const nothing: Fence = () => 'hold';
const WATERMARK = '100';
const DELIVERED = '200';

/** A standby that has listed and follows; by default everything up to 200 was delivered, and the former leader's watermark is 100. */
class Town {
  readonly pool = new SlabPool(8 * 1024 * 1024);
  readonly cache: ObjectCache;
  now = 0;

  constructor(scopes: readonly string[] = ['']) {
    this.cache = new ObjectCache(scopes);
    for (const state of this.cache.scopes) {
      this.cache.beginList(state);
      this.cache.sweep(state, DELIVERED, 0, everything);
    }
  }

  get state(): ScopeState {
    return this.cache.scopes[0] as ScopeState;
  }

  see(name: string, revision: string, { uid = name, content = null as string | null, namespace = 'ns' } = {}): ObjectKey {
    const key = objectKey(namespace, name);
    const body = (): ReturnType<SlabPool['store']> => this.pool.store({ size: 10, copyTo: (target, at) => target.fill(120, at, at + 10) });
    this.cache.see(this.cache.scopeOf(key), { key, uid, revision }, this.now, content, body);
    this.cache.standby.restamp(key, this.now);
    return key;
  }

  remove(name: string, revision: string, uid = name): ObjectKey {
    const key = objectKey('ns', name);
    this.cache.remove(this.state, key, uid, revision, this.now);
    this.cache.standby.restamp(key, this.now);
    return key;
  }

  meet(name: string, revision: string, { uid = name, namespace = 'ns' } = {}): boolean {
    return this.cache.standby.meet({ key: objectKey(namespace, name), uid, revision });
  }

  takenOver(watermark = WATERMARK, fence: Fence = everything): readonly string[] {
    return this.cache.standby.takenOver(new Map(this.cache.scopes.map(({ scope }) => [scope, watermark])), this.now, fence);
  }

  known(name: string): KnownObject | undefined {
    return this.cache.get(objectKey('ns', name));
  }
}

describe('what a row is against what is known of its key', () => {
  const known = (changes: Partial<KnownObject>): KnownObject => ({ uid: 'u', revision: '150', gone: false, regressed: false, ...changes }) as KnownObject;
  test.each<[string, { uid?: string; revision: string }, Partial<KnownObject>, Meeting]>([
    ['the newest state is the same', { revision: '150' }, {}, 'same'],
    ['an older one is behind, also of an earlier incarnation', { revision: '149', uid: 'earlier' }, {}, 'behind'],
    ['a newer one than anything delivered is ahead', { revision: '201' }, {}, 'ahead'],
    ['a newer one that was delivered to nobody is foreign', { revision: '200' }, {}, 'foreign'],
    ['the same revision of another uid is foreign', { revision: '150', uid: 'other' }, {}, 'foreign'],
    ['the last state of what left its selection at that revision is behind', { revision: '150' }, { gone: true }, 'behind'],
    ['a row of what is gone is behind', { revision: '120' }, { gone: true }, 'behind'],
    ['any row is foreign once the history was seen to have gone back, also the same', { revision: '150' }, { regressed: true }, 'foreign'],
  ])('%s', (_, { uid = 'u', revision }, entry, wanted) => {
    expect(meeting({ key: objectKey('ns', 'x'), uid, revision }, known(entry), DELIVERED)).toBe(wanted);
  });

  test('while nothing can be said to be delivered, what is newer is ahead', () => {
    expect(meeting({ key: objectKey('ns', 'x'), uid: 'u', revision: '151' }, known({}), null)).toBe('ahead');
  });
});

describe('standing by', () => {
  test('what is not durable of a key is its newest change: a body goes a while after that, and not before', () => {
    const town = new Town();
    town.see('x', '201');
    town.now = 50;
    town.see('x', '202');
    town.cache.standby.rest(50, 0);
    expect(town.known('x')?.body).not.toBeNull();
    town.cache.standby.rest(51, 0);
    expect(town.known('x')).toMatchObject({ body: null, gone: false });
    expect(town.state.objects).toBe(1);
  });

  test('what is gone is forgotten a while after that, and not before; what lives never is', () => {
    const town = new Town();
    town.see('x', '201');
    town.see('alive', '201');
    town.now = 50;
    town.remove('x', '202');
    town.cache.standby.rest(100, 50);
    expect(town.known('x')?.gone).toBe(true);
    town.cache.standby.rest(100, 51);
    expect([town.known('x'), town.known('alive')?.gone]).toEqual([undefined, false]);
  });

  test('what is forgotten leaves no body, no position and no count', () => {
    const town = new Town();
    const key = town.see('x', '201');
    const gone = town.see('gone', '202');
    town.remove('gone', '203');
    town.see('stays', '204');
    town.cache.standby.forget(key);
    town.cache.standby.forget(gone);
    town.cache.standby.forget(objectKey('ns', 'never known'));
    expect([town.cache.size, town.state.objects]).toEqual([1, 1]);
    town.cache.standby.forget(objectKey('ns', 'stays'));
    expect([town.cache.isEmpty, town.cache.size, town.state.positions.oldest(), town.pool.usedBytes]).toEqual([true, 0, null, 0]);
  });
});

describe('meeting the rows', () => {
  test('the same state is clean: its body is free, and a change of what a rule ignores is not written', () => {
    const town = new Town();
    town.see('x', '150', { content: 'same' });
    expect(town.meet('x', '150')).toBe(true);
    expect(town.known('x')).toMatchObject({ pending: null, body: null, storedUid: 'x' });
    expect([town.takenOver(), town.state.positions.oldest(), town.pool.usedBytes]).toEqual([[], null, 0]);
    town.see('x', '201', { content: 'same' });
    expect(town.known('x')).toMatchObject({ pending: null, revision: '201' });
  });

  test('an older row is written over, and a delete names the uid that it holds', () => {
    const town = new Town();
    const key = town.see('x', '150', { uid: 'new' });
    expect(town.meet('x', '120', { uid: 'old' })).toBe(true);
    expect(town.takenOver()).toEqual([key]);
    expect(town.known('x')).toMatchObject({ regressed: false, settled: null });
    expect(town.cache.storedUids(key)).toEqual(['old']);
    expect(town.cache.take(key)?.body).not.toBeNull();
  });

  test('a row that is gone is deleted, also at the revision at which it left its selection', () => {
    const town = new Town();
    town.see('x', '150');
    const key = town.remove('x', '150');
    town.meet('x', '150');
    expect(town.takenOver()).toEqual([key]);
    expect(town.cache.take(key)).toMatchObject({ gone: true, revision: '150' });
  });

  test('a row that is ahead is believed: it is clean, its object is there, and it is on its way', () => {
    const town = new Town();
    town.see('x', '150', { content: 'a' });
    town.meet('x', '210', { uid: 'new' });
    expect(town.takenOver()).toEqual([]);
    expect(town.known('x')).toMatchObject({ uid: 'new', revision: '210', pending: null, body: null, settled: '210', storedUid: 'new' });
    expect([town.cache.standby.isUnheard(town.state), town.state.objects]).toEqual([true, 1]);
    // A list that is older than that row is of another history.
    expect(town.cache.isAheadOf(town.state, '209')).toBe(true);
    // What the row holds is another content than the one known.
    town.see('x', '211', { uid: 'new', content: 'a' });
    expect(town.known('x')?.pending).not.toBeNull();
    expect(town.cache.standby.isUnheard(town.state)).toBe(false);
  });

  test('a row that is ahead of a deletion brings its object back', () => {
    const town = new Town();
    town.see('x', '150');
    town.remove('x', '160');
    town.meet('x', '210', { uid: 'new' });
    expect([town.known('x')?.gone, town.state.objects, town.takenOver()]).toEqual([false, 1, []]);
  });

  test('a row of another history is replaced whatever it holds, and is news once', () => {
    const town = new Town();
    const key = town.see('x', '150');
    expect(town.meet('x', '190')).toBe(false);
    expect(town.meet('x', '190')).toBe(true);
    expect(town.takenOver()).toEqual([key]);
    expect(town.cache.take(key)).toMatchObject({ regressed: true, revision: '150' });
  });

  test('a row that is met again is the same', () => {
    const town = new Town();
    town.see('x', '150');
    for (let times = 0; times < 2; times++) {
      town.meet('x', '150');
      town.meet('y', '120');
      town.meet('z', '210');
    }
    expect([town.cache.size, town.takenOver()]).toEqual([3, ['ns/y']]);
  });
});

describe('meeting what was refused', () => {
  const refused = { key: objectKey('ns', 'x'), uid: 'x', revision: '150' };

  test('of an object that is known: its state is tried, and when it goes instead, its delete follows without a row', () => {
    const town = new Town();
    town.see('x', '150');
    town.cache.standby.meetParked(refused);
    expect([town.known('x')?.refused, town.takenOver()]).toEqual([false, ['ns/x']]);
    town.remove('x', '201');
    expect(town.cache.storedUids(refused.key)).toEqual(['x']);
  });

  test('of an object whose row is of that very uid: nothing more may be stored', () => {
    const town = new Town();
    town.see('x', '160');
    town.meet('x', '140');
    town.cache.standby.meetParked(refused);
    expect(town.cache.storedUids(refused.key)).toEqual(['x']);
  });

  test('of an object that is gone and of which nothing is known: the record is taken away', () => {
    const town = new Town();
    town.cache.standby.meetParked(refused);
    expect([town.takenOver(), town.cache.storedUids(refused.key)]).toEqual([['ns/x'], ['x']]);
  });

  test('ahead of what was delivered: it is on its way', () => {
    const town = new Town();
    town.cache.standby.meetParked({ ...refused, revision: '210' });
    expect([town.takenOver(), town.cache.standby.isUnheard(town.state)]).toEqual([[], true]);
    expect(town.cache.isAheadOf(town.state, '209')).toBe(true);
  });
});

describe('when every row was met', () => {
  test('what no row holds is dirty behind the watermark of the former leader, in the order of history', () => {
    const town = new Town();
    town.see('a', '150');
    town.now = 7;
    town.see('b', '160');
    expect(town.takenOver()).toEqual(['ns/a', 'ns/b']);
    expect([town.known('a')?.pending, town.known('b')?.pending]).toMatchObject([
      { before: WATERMARK, at: 0 },
      { before: WATERMARK, at: 7 },
    ]);
    expect(town.state.watermark).toBe(WATERMARK);
  });

  test('by a watermark that is ahead of what was delivered nothing is known to be durable before all of it is, and its record stays', () => {
    const town = new Town();
    const key = town.see('a', '150');
    expect(town.takenOver('201')).toEqual([key]);
    expect([town.state.watermark, town.state.positions.awaited, town.state.isBehindRecord]).toEqual([null, 1, true]);
    town.cache.advance(town.state, '201');
    expect(town.state.isBehindRecord).toBe(false);
  });

  test('a watermark just at what was delivered is believed', () => {
    const town = new Town();
    town.see('a', '150');
    town.takenOver(DELIVERED);
    expect([town.state.watermark, town.state.isBehindRecord]).toEqual([DELIVERED, false]);
  });

  test('a row ahead of what was delivered keeps the former record as well, until a list tells', () => {
    const town = new Town();
    town.meet('x', '210');
    town.takenOver();
    expect(town.state.isBehindRecord).toBe(true);
    town.cache.beginList(town.state);
    expect(town.state.isBehindRecord).toBe(true);
    town.cache.keep(town.state, '205');
    expect(town.state.isBehindRecord).toBe(false);
  });

  test('a list of a history that went back ends what the former record said', () => {
    const town = new Town();
    town.meet('x', '210');
    town.takenOver();
    town.cache.beginList(town.state, 'regressed');
    expect(town.state.isBehindRecord).toBe(false);
  });

  test('a row without an object is gone when everything up to it was delivered, and a restart must see it go again', () => {
    const town = new Town();
    town.meet('behind', DELIVERED);
    town.meet('ahead', '201');
    town.now = 9;
    expect(town.takenOver()).toEqual(['ns/behind']);
    expect(town.known('behind')).toMatchObject({ gone: true, pending: { before: WATERMARK, at: 9 } });
    expect([town.known('ahead')?.gone, town.cache.standby.isUnheard(town.state), town.cache.size]).toEqual([false, true, 1]);
  });

  test('one that was heard to go while rows were met is gone once', () => {
    const town = new Town();
    town.meet('x', '150');
    const key = town.remove('x', '205');
    town.cache.advance(town.state, '205');
    expect([town.takenOver(), town.state.objects]).toEqual([[key], 0]);
  });

  test('one whose object was shown while rows were met is there', () => {
    const town = new Town();
    town.meet('x', '150');
    town.see('x', '150');
    expect([town.takenOver(), town.known('x')?.gone]).toEqual([[], false]);
  });

  test('those without an object are judged together, of all rows, and stay when the fence holds them', () => {
    const town = new Town();
    town.see('known', '150');
    for (const name of ['a', 'b', 'c']) town.meet(name, '120');
    const asked: (readonly [number, number])[] = [];
    const dirty = town.takenOver(WATERMARK, (absent, known) => {
      asked.push([absent, known]);
      return 'hold';
    });
    expect([asked, dirty, town.cache.held]).toEqual([[[3, 4]], ['ns/known'], 3]);
  });

  test('each scope is judged by what was delivered of it', () => {
    const town = new Town(['one', 'two']);
    town.cache.advance(town.cache.scope('two'), '300');
    town.meet('x', '250', { namespace: 'one' });
    town.meet('x', '250', { namespace: 'two' });
    const asked: number[] = [];
    const dirty = town.takenOver(WATERMARK, (absent) => {
      asked.push(absent);
      return 'delete';
    });
    expect([asked, dirty]).toEqual([[1], ['two/x']]);
    expect(town.cache.scopes.map((state) => town.cache.standby.isUnheard(state))).toEqual([true, false]);
  });

  test("rows that no scope covers are nobody's news: whoever removes them asks the fence for them alone", () => {
    const town = new Town(['one']);
    town.meet('x', '120', { namespace: 'left' });
    expect([town.takenOver(), town.cache.standby.isUnheard(town.state)]).toEqual([[], false]);
    expect(town.cache.dropOutside(0, nothing)).toEqual([]);
    expect(town.cache.dropOutside(0, everything)).toEqual(['left/x']);
  });

  test('where nothing was delivered nothing is concluded', () => {
    const town = new Town();
    town.cache.beginList(town.state, 'regressed');
    town.meet('x', '120');
    town.see('y', '130');
    expect([town.takenOver(), town.state.watermark, town.state.isBehindRecord]).toEqual([['ns/y'], null, true]);
  });
});
