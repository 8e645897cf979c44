import { describe, expect, test } from 'vitest';
import type { Cluster } from '../../src/cluster/cluster.ts';
import type { FenceRule } from '../../src/mirror/fence.ts';
import { kindStatus } from '../../src/mirror/kind-status.ts';
import type { HeldPass } from '../../src/model/control.ts';
import { objectKey } from '../../src/model/key.ts';
import type { KindStatus } from '../../src/model/status.ts';
import { MirrorWorld, planOf } from './world.ts';

const DEFAULT: FenceRule = { maxDeleteShare: 0.3, minObjects: 50, confirmAfterSeconds: null };

/** A mirror behind a fence that a test may change. */
class FencedWorld extends MirrorWorld {
  readonly #current: { rule: FenceRule };

  constructor(rule: Partial<FenceRule> = {}, options: ConstructorParameters<typeof MirrorWorld>[0] = {}) {
    const current = { rule: { ...DEFAULT, ...rule } };
    super({ ...options, mirror: { fence: () => current.rule, ...options.mirror } });
    this.#current = current;
  }

  set rule(rule: FenceRule) {
    this.#current.rule = rule;
  }

  /** Rows of an earlier run whose objects are gone. */
  leftBehind(count: number): void {
    for (let i = 0; i < count; i++) this.storage.rows.set(`configmaps/default/gone-${i}`, { uid: `old-${i}`, revision: '50', body: '{}' });
  }

  live(count: number, prefix = 'live'): void {
    for (let i = 0; i < count; i++) this.cluster.put(`${prefix}-${i}`);
  }

  /** The watch ends and its history is gone: a whole list follows. What `meanwhile` does, no watch tells. */
  async relist(meanwhile: () => void = () => {}, passMs = 60_000): Promise<void> {
    this.cluster.endWatches();
    meanwhile();
    this.cluster.tick();
    this.cluster.compact();
    await this.pass(passMs);
  }

  get status(): KindStatus {
    return kindStatus(this.mirror, this.clock);
  }

  get shown(): HeldPass {
    const pass = this.mirror.held.show(3);
    if (pass === null) throw new Error('Nothing is held');
    return pass;
  }

  get lists(): number {
    return this.cluster.requests.filter(({ verb }) => verb === 'list').length;
  }

  get deleted(): number {
    return this.storage.log.filter(({ type }) => type === 'delete').length;
  }
}

/** 40 of 60 rows have no object any more. */
async function held(rule: Partial<FenceRule> = {}): Promise<FencedWorld> {
  const world = new FencedWorld(rule);
  world.leftBehind(40);
  world.live(20);
  await world.start();
  await world.pass(10_000);
  return world;
}

describe('a list that lacks too much', () => {
  test('deletes nothing, is shown with its numbers, and holds up neither readiness nor anything else', async () => {
    const world = await held();
    expect(world.deleted).toBe(0);
    expect(world.status).toMatchObject({
      held: 40,
      heldSince: world.clock.wall() - 10_000,
      firstHeld: 'default/gone-0',
      complete: true,
      unsettled: 0,
      objects: 20,
    });
    expect(world.shown).toMatchObject({ kind: 'configmaps', count: 40, of: 60, keys: ['default/gone-0', 'default/gone-1', 'default/gone-2'] });
    expect(world.shown.why).toMatch(/^the first list did not contain them; 40 of 60 rows \(66\.6 %\)/);
    world.cluster.put('live-0', 'changed');
    await world.pass(10_000);
    expect(world.rows()).toMatchObject(world.truth());
    await world.stop();
  });

  test('is not resumed past: a start after it lists, and holds the same', async () => {
    const world = await held();
    await world.mirror.flush();
    expect(world.storage.records.map(({ watermark }) => watermark)).toEqual([null]);
    await world.restart();
    await world.pass(10_000);
    expect([world.status.held, world.deleted]).toEqual([40, 0]);
    await world.stop();
  });

  test('deletes when it is not more than the share, or the kind is small', async () => {
    const share = new FencedWorld();
    share.leftBehind(18);
    share.live(42);
    await share.start();
    await share.pass(10_000);
    expect([share.status.held, share.rows()]).toEqual([0, share.truth()]);
    await share.stop();
    const small = new FencedWorld();
    small.leftBehind(30);
    small.live(19);
    await small.start();
    await small.pass(10_000);
    expect([small.status.held, small.rows()]).toEqual([0, small.truth()]);
    await small.stop();
  });

  test('what the watch sees being deleted is deleted, however much it is', async () => {
    const world = new FencedWorld();
    world.live(100);
    await world.start();
    await world.pass(10_000);
    for (let i = 0; i < 99; i++) world.cluster.remove(`live-${i}`);
    await world.pass(10_000);
    expect([world.status.held, world.rows()]).toEqual([0, world.truth()]);
    await world.stop();
  });

  test('namespaces that are not followed any more are fenced, too', async () => {
    const world = new FencedWorld({}, { mirror: { plan: planOf({ scopes: ['other'] }) } });
    world.leftBehind(60);
    await world.start();
    await world.pass(10_000);
    expect(world.shown).toMatchObject({ count: 60, of: 60, why: expect.stringMatching(/^their namespaces are not mirrored any more/) });
    expect(world.deleted).toBe(0);
    await world.stop();
  });
});

describe('a decision', () => {
  test('deletes exactly what was shown, and the watermark goes on', async () => {
    const world = await held();
    expect(world.mirror.held.confirm(world.shown)).toEqual({ released: 40 });
    await world.pass(10_000);
    await world.mirror.flush();
    expect(world.rows()).toEqual(world.truth());
    expect(world.status).toMatchObject({ held: 0, heldSince: null, firstHeld: null, complete: true });
    expect(world.storage.records.map(({ watermark }) => watermark)).toEqual([world.cluster.revision]);
    await world.stop();
  });

  test('an object that comes back is kept, and what was shown before it came is not confirmed any more', async () => {
    const world = await held();
    const before = world.shown;
    world.cluster.put('gone-0');
    await world.pass(1_000);
    expect(world.mirror.held.confirm(before)).toEqual({ refused: expect.stringMatching(/39 are held now instead of 40, since objects came back/) });
    await world.pass(10_000);
    expect(world.deleted).toBe(0);
    expect(world.shown).toMatchObject({ count: 39, token: before.token, keys: ['default/gone-1', 'default/gone-2', 'default/gone-3'] });
    expect(world.status.firstHeld).toBe('default/gone-1');
    expect(world.mirror.held.confirm(world.shown)).toEqual({ released: 39 });
    await world.pass(10_000);
    expect(world.rows()).toEqual(world.truth());
    await world.stop();
  });

  test('a list that finds the same keeps the token; one that finds more gives another', async () => {
    const world = await held();
    const before = world.shown;
    await world.relist();
    expect([world.shown.token, world.shown.count]).toEqual([before.token, 40]);
    expect(world.lists).toBe(2);
    await world.relist(() => world.cluster.remove('live-3'));
    expect(world.shown.count).toBe(41);
    expect(world.shown.token).not.toBe(before.token);
    expect(world.mirror.held.confirm({ ...before, count: 41 })).toEqual({ refused: expect.stringMatching(/other deletions are held now/) });
    expect(world.deleted).toBe(0);
    await world.stop();
  });

  test('when nothing is held is refused', async () => {
    const world = await held();
    const before = world.shown;
    for (let i = 0; i < 40; i++) world.cluster.put(`gone-${i}`);
    await world.pass(10_000);
    expect(world.status).toMatchObject({ held: 0, heldSince: null, firstHeld: null });
    expect(world.mirror.held.confirm(before)).toEqual({ refused: expect.stringMatching(/Nothing of configmaps is held any more/) });
    expect(world.rows()).toEqual(world.truth());
    expect(world.deleted).toBe(0);
    await world.stop();
  });
});

describe('without a decision', () => {
  test('they wait, also while objects come back one by one and the rest falls below the share', async () => {
    const world = await held();
    for (let i = 0; i < 35; i++) {
      world.cluster.put(`gone-${i}`);
      await world.pass(1_000);
      world.mirror.held.tick();
    }
    await world.pass(3_600_000);
    world.mirror.held.tick();
    expect([world.status.held, world.deleted]).toEqual([5, 0]);
    await world.stop();
  });

  test('they go on after confirmAfterSeconds', async () => {
    const world = await held({ confirmAfterSeconds: 60 });
    await world.pass(49_000);
    world.mirror.held.tick();
    expect(world.status.held).toBe(40);
    await world.pass(1_000);
    world.mirror.held.tick();
    await world.pass(10_000);
    expect(world.rows()).toEqual(world.truth());
    await world.stop();
  });

  test('they go on when the fence is changed so that it allows them', async () => {
    const world = await held();
    world.rule = { ...DEFAULT, maxDeleteShare: 0.6 };
    world.mirror.held.tick();
    expect(world.status.held).toBe(40);
    world.rule = { ...DEFAULT, maxDeleteShare: 0.7 };
    world.mirror.held.tick();
    await world.pass(10_000);
    expect(world.rows()).toEqual(world.truth());
    await world.stop();
  });
});

describe('an empty list where objects were known', () => {
  /** Lists are empty as long as `isEmpty` says so; watches work. */
  function broken(rule: Partial<FenceRule> = {}): { world: FencedWorld; lists: { isEmpty: boolean } } {
    const lists = { isEmpty: false };
    const cluster: Cluster = {
      address: 'broken:6443',
      discover: () => world.cluster.discover(),
      identity: () => world.cluster.identity(),
      close: () => world.cluster.close(),
      get: (kind, key) => world.cluster.get(kind, key),
      watch: (kind, scope, query, sink, onOpen, signal) => world.cluster.watch(kind, scope, query, sink, onOpen, signal),
      list: async (kind, scope, query, sink, signal) => {
        if (!lists.isEmpty) return await world.cluster.list(kind, scope, query, sink, signal);
        sink(Buffer.from(JSON.stringify({ kind: 'ConfigMapList', apiVersion: 'v1', metadata: { resourceVersion: world.cluster.revision }, items: [] })));
      },
    };
    const world: FencedWorld = new FencedWorld(rule, { mirror: { cluster } });
    return { world, lists };
  }

  test('deletes nothing, and the next one says what is true', async () => {
    const { world, lists } = broken();
    world.live(20);
    await world.start();
    await world.pass(10_000);
    lists.isEmpty = true;
    await world.relist(() => {}, 3_000);
    lists.isEmpty = false;
    await world.pass(60_000);
    expect([world.deleted, world.status.held, world.rows()]).toEqual([0, 0, world.truth()]);
    await world.stop();
  });

  test('is believed the second time in a row by a small kind, and held by one with many rows', async () => {
    for (const [count, deleted, stays] of [
      [20, 20, 0],
      [60, 0, 60],
    ] as const) {
      const { world, lists } = broken();
      world.live(count);
      await world.start();
      await world.pass(10_000);
      lists.isEmpty = true;
      await world.relist();
      expect([world.deleted, world.status.held]).toEqual([deleted, stays]);
      await world.stop();
    }
  });

  test('of a history that went back is followed by lists of that history only, whatever the reflector is asked for meanwhile', async () => {
    const { world } = broken();
    world.live(20);
    await world.start();
    await world.pass(10_000);
    world.cluster.wipe();
    // Every watch but the last is refused, so that other lists come before the one that was put off.
    world.cluster.fault = ({ verb, number }) => (verb === 'watch' && number < 9 ? { do: 'error', status: 410, reason: 'Expired' } : null);
    world.mirror.relist(null);
    await world.pass(120_000);
    expect([world.rows(), world.status.objects]).toEqual([{}, 0]);
    await world.stop();
  });

  test('claims no watermark before the next list, whatever the watch says meanwhile', async () => {
    const { world, lists } = broken();
    world.live(20);
    await world.start();
    await world.pass(10_000);
    const before = world.status.watermark;
    expect(before).toBe(world.cluster.revision);
    lists.isEmpty = true;
    await world.relist(() => {}, 3_000);
    world.cluster.put('new');
    await world.pass(500);
    expect(world.rows()).toMatchObject({ 'default/new': expect.anything() });
    expect(world.status.watermark).toBe(before);
    lists.isEmpty = false;
    await world.pass(60_000);
    expect(world.status.watermark).toBe(world.cluster.revision);
    expect(world.rows()).toEqual(world.truth());
    await world.stop();
  });

  test('at a start, with rows of an earlier run: the kind is not complete before the second list', async () => {
    const { world, lists } = broken();
    world.leftBehind(3);
    lists.isEmpty = true;
    await world.start();
    await world.pass(1_000);
    expect([world.status.complete, world.deleted]).toEqual([false, 0]);
    await world.pass(60_000);
    expect([world.status.complete, world.deleted]).toEqual([true, 3]);
    await world.stop();
  });

  test('of a kind that has no rows is complete at once', async () => {
    const { world, lists } = broken();
    lists.isEmpty = true;
    await world.start();
    await world.pass(1);
    expect(world.status.complete).toBe(true);
    await world.stop();
  });

  test('leaves no timer behind when the mirror ends before it asks once more', async () => {
    const { world, lists } = broken();
    world.leftBehind(3);
    lists.isEmpty = true;
    await world.start();
    await world.pass(1_000);
    await world.stop();
    expect(world.clock.pending).toBe(0);
    expect(world.storage.rows.has(`configmaps/${objectKey('default', 'gone-0')}`)).toBe(true);
  });
});
