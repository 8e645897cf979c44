import { describe, expect, test } from 'vitest';
import { ObjectCache } from '../../src/cache/object-cache.ts';
import type { ScopeState } from '../../src/cache/scope.ts';
import { silentLogger } from '../../src/kit/log.ts';
import { seededRandom } from '../../src/kit/random.ts';
import { HeldDeletions } from '../../src/mirror/held.ts';
import { listUnheard, Standby } from '../../src/mirror/takeover.ts';
import type { ObjectKey } from '../../src/model/key.ts';
import type { Scope } from '../../src/model/kind.ts';
import { createWorkQueue } from '../../src/queue/work-queue.ts';
import type { ReflectorStatus } from '../../src/reflector/reflector.ts';
import { createMemoryStorage } from '../../src/storage/memory/memory-storage.ts';
import type { ScopeRecord, Storage } from '../../src/storage/storage.ts';
import { Parked } from '../../src/worker/parked.ts';
import { DEPLOYMENTS, key, put } from '../storage/build.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { IDENTITY, MirrorWorld, planOf } from './world.ts';

const ORIGIN = { form: 'form', rules: 'rules', identity: 'cluster' };
const RECORD: ScopeRecord = {
  kind: 'pods',
  scope: '',
  watermark: '100',
  listedAt: 1,
  heardAt: 1,
  objects: 1,
  complete: true,
  stored: 'form',
  rules: 'rules',
  identity: 'cluster',
};
const WATCHING: ReflectorStatus = { at: 'watching', connected: true };
const LISTING: ReflectorStatus = { at: 'listing', reason: 'first', streaming: false };

/** One kind that has listed up to 200, over the storage of a former leader. */
class Town {
  readonly clock = new ManualClock();
  readonly storage = createMemoryStorage({ cluster: 'prod' });
  readonly cache = new ObjectCache(['']);
  readonly parked = new Parked();
  readonly held: HeldDeletions;
  readonly status = new Map<Scope, ReflectorStatus>([['', WATCHING]]);
  readonly forgotten: ObjectKey[] = [];
  readonly standby: Standby;
  /** Called while rows are read. */
  meanwhile: () => void = () => {};

  constructor(share = 1) {
    const { clock, cache, parked, status, storage } = this;
    const queue = createWorkQueue({ name: 'pods', clock, random: seededRandom(1) });
    const rule = (): { maxDeleteShare: number; minObjects: number; confirmAfterSeconds: null } => ({
      maxDeleteShare: share,
      minObjects: 1,
      confirmAfterSeconds: null,
    });
    this.held = new HeldDeletions({ kind: 'pods', cache, queue, rule, clock, log: silentLogger });
    const town = this;
    const reading: Storage = {
      ...storage,
      scopes: () => storage.scopes(),
      parked: () => storage.parked(),
      async *index(kind, scope) {
        yield* storage.index(kind, scope);
        town.meanwhile();
      },
    };
    const onForgotten = (gone: ObjectKey): void => void this.forgotten.push(gone);
    this.standby = new Standby({ kind: 'pods', cache, parked, held: this.held, storage: reading, clock, status, origin: () => ORIGIN, onForgotten });
    this.list('200');
  }

  get state(): ScopeState {
    return this.cache.scope('');
  }

  /** A complete list of these names. */
  list(revision: string, names: readonly string[] = []): void {
    this.cache.beginList(this.state);
    for (const name of names) this.see(name, revision);
    this.standby.guard('a list', (fence) => this.cache.sweep(this.state, revision, this.clock.now(), fence));
  }

  see(name: string, revision: string): void {
    this.cache.see(this.state, { key: key(name), uid: name, revision }, this.clock.now(), null, () => null);
  }

  async stored(names: readonly string[], records: readonly ScopeRecord[] = [RECORD]): Promise<void> {
    await this.storage.write(
      names.map((name) => put(name, '90', { uid: name })),
      records,
    );
  }
}

describe('standing by', () => {
  test('what a list lacks is forgotten, with what others remember of it, and nobody is told to delete it', () => {
    const town = new Town();
    town.see('a/x', '201');
    town.cache.beginList(town.state);
    expect(town.standby.guard('a list', (fence) => town.cache.sweep(town.state, '210', 0, fence))).toEqual([]);
    expect([town.cache.isEmpty, town.forgotten]).toEqual([true, ['a/x']]);
  });

  test('memory is looked through every 20 s: deletions are remembered for 15 minutes', () => {
    const town = new Town();
    town.see('a/x', '201');
    town.cache.remove(town.state, key('a/x'), 'a/x', '202', 0);
    const rest = (atMs: number): boolean => {
      town.clock.advance(atMs - town.clock.now());
      town.standby.rest();
      return town.cache.isEmpty;
    };
    expect([rest(899_000), rest(900_001), rest(918_999), rest(919_000)]).toEqual([false, false, false, true]);
  });
});

describe('taking over', () => {
  test('goes by the record of this kind, and knows what was refused of it', async () => {
    const town = new Town();
    await town.stored(['a/x']);
    await town.storage.write(
      [put('a/odd', '95', { body: '{', isChecked: false }), put('a/other', '95', { kind: DEPLOYMENTS, body: '{', isChecked: false })],
      [],
    );
    await town.storage.write([], [{ ...RECORD, kind: 'deployments.apps', watermark: null, complete: false }]);
    town.see('a/x', '150');
    town.see('a/odd', '160');
    expect(await town.standby.takeOver()).toEqual({ dirty: ['a/x', 'a/odd'], hasGoneBack: false });
    expect([...town.parked.list()].map(([parked]) => parked)).toEqual(['a/odd']);
    expect(town.cache.storedUids(key('a/odd'))).toEqual(['u1']);
    expect(town.cache.get(key('a/other'))).toBeUndefined();
    expect(town.state.watermark).toBe('100');
  });

  test('a row that cannot be of this history is told', async () => {
    const town = new Town();
    await town.storage.write([put('a/x', '190', { uid: 'a/x' })], [RECORD]);
    town.see('a/x', '150');
    expect(await town.standby.takeOver()).toEqual({ dirty: ['a/x'], hasGoneBack: true });
  });

  test('rows without an object are judged by the fence together, and say why when they are held', async () => {
    const town = new Town(0.5);
    await town.stored(['a/1', 'a/2', 'a/3']);
    expect(await town.standby.takeOver()).toEqual({ dirty: [], hasGoneBack: false });
    expect([town.held.count, town.held.show(0)?.why]).toEqual([3, expect.stringContaining('this process took over')]);
  });

  test.each<[string, (town: Town) => void]>([
    ['a list is under way', (town) => town.status.set('', LISTING)],
    ['nothing is known of its watch', (town) => town.status.delete('')],
    ['something was not readable', (town) => (town.state.isDoubtful = true)],
    ['a list of another history has not ended', (town) => town.cache.beginList(town.state, 'regressed')],
  ])('the kind has to begin anew when %s, before or while rows are read', async (_, happens) => {
    const before = new Town();
    await before.stored(['a/x']);
    happens(before);
    let reads = 0;
    before.meanwhile = () => reads++;
    expect([await before.standby.takeOver(), reads]).toEqual([null, 0]);
    const during = new Town();
    await during.stored(['a/x']);
    during.meanwhile = () => happens(during);
    expect(await during.standby.takeOver()).toBeNull();
  });

  test('a list that begins and ends while rows are read takes met rows for objects that are gone, so the kind begins anew', async () => {
    const town = new Town();
    await town.stored(['a/x']);
    town.meanwhile = () => town.list('210', []);
    expect(await town.standby.takeOver()).toBeNull();
  });

  test('and so does one that was under way before', async () => {
    const town = new Town();
    await town.stored(['a/x']);
    town.status.set('', LISTING);
    town.cache.beginList(town.state);
    town.meanwhile = () => {
      town.standby.guard('a list', (fence) => town.cache.sweep(town.state, '210', 0, fence));
      town.status.set('', WATCHING);
    };
    expect(await town.standby.takeOver()).toBeNull();
  });

  test.each<[string, readonly ScopeRecord[]]>([
    ['there is no record', []],
    ['the record is not complete', [{ ...RECORD, complete: false }]],
    ['the rows are of other rules', [{ ...RECORD, rules: 'others' }]],
    ['the rows have another form', [{ ...RECORD, stored: null }]],
    ['the rows are of another cluster', [{ ...RECORD, identity: 'another' }]],
  ])('the kind has to begin anew when %s', async (_, records) => {
    const town = new Town();
    await town.stored(['a/x'], records);
    expect(await town.standby.takeOver()).toBeNull();
  });
});

describe('what was met and never heard of', () => {
  /** Scopes that are listed, with the time. */
  async function listed(arrange: (cache: ObjectCache) => void, onTick: (cache: ObjectCache, now: number) => void = () => {}): Promise<readonly string[]> {
    const clock = new ManualClock();
    const cache = new ObjectCache(['one', 'two']);
    for (const state of cache.scopes) {
      cache.beginList(state);
      cache.sweep(state, '200', 0, () => 'delete');
    }
    arrange(cache);
    const lists: string[] = [];
    const ending = new AbortController();
    const listing = listUnheard(cache, clock, ending.signal, (scope) => void lists.push(`${scope} at ${clock.now()}`));
    for (let second = 0; second < 100; second++) {
      await clock.advanceAsync(1_000);
      onTick(cache, clock.now());
    }
    await listing;
    return lists;
  }
  const over = (cache: ObjectCache, watermark: string): void =>
    void cache.standby.takenOver(
      new Map([
        ['one', watermark],
        ['two', '100'],
      ]),
      0,
      () => 'delete',
    );
  const row = { key: key('one/x'), uid: 'x', revision: '210' };

  test('is listed after 5 s, that scope alone', async () => {
    const arrange = (cache: ObjectCache): void => {
      cache.standby.meet(row);
      over(cache, '100');
    };
    expect(await listed(arrange, (cache) => cache.advance(cache.scope('one'), '210'))).toEqual(['one at 5000']);
  });

  test('a record without a row that shows it waits for a bookmark, and is listed after 90 s', async () => {
    expect(await listed((cache) => over(cache, '210'))).toEqual(['one at 90000']);
    const bookmark = (cache: ObjectCache, now: number): void => {
      if (now === 60_000) cache.advance(cache.scope('one'), '210');
    };
    expect(await listed((cache) => over(cache, '210'), bookmark)).toEqual([]);
  });

  test.each([0, 5_000])('asks for nothing when the process ends after %i ms', async (afterMs) => {
    const clock = new ManualClock();
    const cache = new ObjectCache(['one', 'two']);
    cache.standby.meet(row);
    over(cache, '100');
    const lists: string[] = [];
    const ending = new AbortController();
    const listing = listUnheard(cache, clock, ending.signal, (scope) => void lists.push(scope));
    await clock.advanceAsync(afterMs);
    lists.length = 0;
    ending.abort();
    await listing;
    expect([lists, clock.pending]).toEqual([[], 0]);
  });
});

describe('one kind, taken over from a process that was killed', () => {
  async function world(): Promise<MirrorWorld> {
    const found = new MirrorWorld({ mirror: { plan: planOf(), history: { identity: IDENTITY, revision: '100' } }, revision: 100n });
    for (const name of ['a', 'b', 'c']) found.cluster.put(name);
    await found.start();
    await found.pass(5_000);
    await found.mirror.flush();
    await found.standBy();
    await found.pass(5_000);
    return found;
  }

  test('its own list brought no bodies, and what changed last is written out of memory', async () => {
    const found = await world();
    expect(found.standby?.pool.usedBytes).toBe(0);
    found.storage.delayMs = () => 600_000;
    found.cluster.put('a');
    await found.pass(50_000);
    found.cluster.put('a');
    await found.pass(30_000);
    await found.standby?.mirror.flush();
    found.storage.delayMs = () => 0;
    found.gets = 0;
    await found.takeOver('crash');
    await found.pass(1_000);
    expect([found.takeovers, found.gets, found.rows()]).toEqual([{ warm: 1, cold: 0 }, 0, found.truth()]);
  });

  test('a row of another history has everything listed as of a history that went back', async () => {
    const found = await world();
    const lists = (): number => found.cluster.requests.filter(({ verb }) => verb === 'list').length;
    for (let n = 0; n < 20; n++) found.cluster.put('b');
    await found.pass(3_000);
    const known = found.storage.rows.get('configmaps/default/a');
    found.storage.rows.set('configmaps/default/a', { uid: known?.uid ?? '', body: '{}', revision: String(Number(found.cluster.revision) - 1) });
    const before = lists();
    await found.takeOver('crash');
    await found.pass(3_000);
    expect([found.takeovers.warm, lists() - before, found.rows()]).toEqual([1, 1, found.truth()]);
  });
});
