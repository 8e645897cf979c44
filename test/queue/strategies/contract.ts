import { expect, test } from 'vitest';
import { LEASES, PODS } from '../../../src/lab/load/kinds.ts';
import type { StrategyName } from '../../../src/lab/strategy/strategies.ts';
import type { StrategyPromise } from '../../../src/queue/strategy.ts';
import { type Behaviour, StrategyWorld, type WorldOptions } from './world.ts';

/** Differ by up to nine times, so that writers side by side do overtake each other. */
const uneven = (world: () => StrategyWorld): Behaviour => {
  return () => ({ ms: 10 + 80 * world().random.next() });
};

/** A busy minute over a few names: changes, deletions, the same names again. */
async function churn(world: StrategyWorld, options: { readonly names: number; readonly changes: number; readonly everyMs: number }): Promise<void> {
  const exists = new Set<number>();
  for (let index = 0; index < options.changes; index++) {
    const name = Math.floor(world.random.next() * options.names);
    if (exists.has(name) && world.random.next() < 0.4) {
      exists.delete(name);
      world.remove(`pod-${name}`);
    } else {
      exists.add(name);
      world.change(`pod-${name}`);
    }
    await world.pass(options.everyMs);
  }
}

/**
 * What every strategy promises, and of each promise that it says it cannot keep the proof that it really cannot: a design that could do more than it says
 * would be compared unfairly.
 */
export function strategyContract(name: StrategyName): void {
  const build = (options: WorldOptions = {}): StrategyWorld => new StrategyWorld(name, options);
  const jittery = (options: WorldOptions = {}): StrategyWorld => {
    const world: StrategyWorld = build({ ...options, storage: uneven(() => world) });
    return world;
  };
  const { cannot, consumers } = build().strategy;
  const can = (promise: StrategyPromise): boolean => !(promise in cannot);

  test('says its name, and of everything it cannot do why', () => {
    const { strategy } = build();
    expect(strategy.name).toBe(name);
    for (const reason of Object.values(cannot)) expect(reason).toMatch(new RegExp(`^${name}: .{20,}`));
  });

  test('writes one change, and has nothing left then', async () => {
    const world = build();
    world.change('one', PODS, 250);
    await world.pass(1);
    expect(world.strategy.backlog).toEqual({ items: 1, bytes: 250 });
    await world.untilIdle();
    expect(world.books).toMatchObject({ writes: 1, wrong: 0, uncovered: 0 });
    expect(world.strategy.backlog).toEqual({ items: 0, bytes: 0 });
  });

  test('has never more writes under way than consumers, and all of them when there is work', async () => {
    const world = build();
    for (let index = 0; index < 1_000; index++) world.change(`pod-${index}`);
    await world.untilIdle();
    expect(world.mostUnderWay).toBeLessThanOrEqual(consumers);
    expect(world.mostUnderWay).toBeGreaterThanOrEqual(name === 'folding-batches' ? Math.min(consumers, 4) : Math.min(consumers, 240));
    expect(world.books).toMatchObject({ writes: 1_000, wrong: 0 });
  });

  test('keeps kinds apart that have objects of the same name', async () => {
    const world = build();
    for (const kind of [PODS, LEASES]) world.change('same', kind);
    await world.pass(5);
    world.remove('same', PODS);
    await world.untilIdle();
    expect(world.books).toMatchObject({ wrong: 0, uncovered: 0 });
    expect(world.books.compare(new Map([['leases.coordination.k8s.io ns/same', { uid: 'leases.coordination.k8s.io ns/same/0', revision: '1001' }]]))).toEqual({
      missing: 0,
      stale: 0,
      surplus: 0,
    });
  });

  test('holds no more bytes than what waits weighs, and counts a deletion as none', async () => {
    const world = build({ storage: () => ({ ms: 1_000 }) });
    for (let index = 0; index < 20; index++) world.change(`pod-${index}`, PODS, 1_000);
    await world.pass(1);
    const { items, bytes } = world.strategy.backlog;
    expect(bytes).toBe(items * 1_000);
    for (let index = 0; index < 20; index++) world.remove(`pod-${index}`);
    await world.pass(1);
    expect(world.strategy.backlog.bytes).toBeLessThanOrEqual(20_000);
    await world.untilIdle();
    expect(world.strategy.backlog).toEqual({ items: 0, bytes: 0 });
  });

  test('tries a write again that failed, and one that storage threw at', async () => {
    for (const ends of ['fails', 'throws'] as const) {
      let left = 3;
      const world = build({ storage: () => (left-- > 0 ? { ms: 5, ends } : { ms: 5 }) });
      world.change('one');
      await world.untilIdle();
      expect(world.begun, ends).toBe(4);
      expect(world.books, ends).toMatchObject({ wrong: 0, uncovered: 0 });
    }
  });

  test('writes the newest state of everything after storage was away for ten seconds', async () => {
    const world: StrategyWorld = build({ storage: (_, nowMs) => (nowMs > 1_000 && nowMs < 11_000 ? { ms: 5, ends: 'fails' } : { ms: 20 }) });
    for (let index = 0; index < 600; index++) {
      world.change(`pod-${index % 60}`);
      await world.pass(20);
    }
    await world.untilIdle();
    expect(world.books.uncovered).toBe(0);
    if (can('order')) expect(world.books).toMatchObject({ wrong: 0, orderViolations: 0 });
    else expect(world.books.wrong).toBeGreaterThan(0);
  });

  test('begins nothing after it was stopped, and waits for what is under way', async () => {
    const world = build({ storage: () => ({ ms: 1_000 }) });
    for (let index = 0; index < 2_000; index++) world.change(`pod-${index}`);
    await world.pass(10);
    const before = world.begun;
    expect(before).toBeGreaterThan(0);
    expect(await world.stopped(500)).toBe(false);
    await world.pass(1_000);
    expect(world.underWay).toBe(0);
    world.change('late');
    await world.pass(10_000);
    expect(world.begun).toBe(before);
  });

  test(`order: ${cannot.order === undefined ? 'storage never sees an older state after a newer one' : 'it sees some, the same ones for the same seed, and rows end wrong'}`, async () => {
    const seen: string[] = [];
    let wrong = 0;
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const run = async (): Promise<StrategyWorld> => {
        const world = jittery({ seed });
        await churn(world, { names: 12, changes: 400, everyMs: 5 });
        await world.untilIdle();
        return world;
      };
      const { books } = await run();
      seen.push(`${books.orderViolations}/${books.wrong}`);
      wrong += books.wrong;
      if (can('order')) {
        expect(books, `seed ${seed}`).toMatchObject({ orderViolations: 0, wrong: 0 });
        continue;
      }
      const again = (await run()).books;
      expect(books.orderViolations, `seed ${seed}`).toBeGreaterThan(0);
      expect(`${again.orderViolations}/${again.wrong}`, `seed ${seed}`).toBe(seen.at(-1));
    }
    if (!can('order')) expect(wrong, seen.join(' ')).toBeGreaterThan(0);
  });

  test(`folding: ${cannot.folding === undefined ? 'a hundred changes of an object that waits become one write' : 'each of a hundred changes is written'}`, async () => {
    const world = build({ storage: () => ({ ms: 500 }) });
    for (let index = 0; index < 100; index++) {
      world.change('hot');
      await world.pass(1);
    }
    await world.untilIdle();
    // The first is under way when the second comes.
    if (can('folding')) expect(world.books.writes).toBe(2);
    else expect(world.books.writes).toBe(100);
  });

  test(`bounded backlog: ${can('bounded backlog') ? 'never more waits than there are objects' : 'more waits than there are objects, and more with every change'}`, async () => {
    const peaks: number[] = [];
    for (const changes of [1_000, 2_000]) {
      const world = build({ storage: () => ({ ms: 5_000 }) });
      for (let index = 0; index < changes; index++) {
        world.change(`pod-${index % 10}`);
        await world.pass(1);
      }
      peaks.push(world.peakItems);
    }
    const [first = 0, second = 0] = peaks;
    if (can('bounded backlog')) expect(second).toBeLessThanOrEqual(10);
    else expect(second).toBeGreaterThan(first * 1.8);
  });

  test(`nothing lost: ${can('nothing lost') ? 'whatever was offered is covered by a write in the end' : 'what finds no room is never written, and nobody notices'}`, async () => {
    const world = build({ capacity: 5, storage: () => ({ ms: 3_000 }) });
    for (let index = 0; index < 300; index++) {
      world.change(`pod-${index}`);
      await world.pass(10);
    }
    await world.untilIdle();
    if (can('nothing lost')) {
      expect(world.strategy.discarded).toBe(0);
      expect(world.books).toMatchObject({ wrong: 0, uncovered: 0 });
      return;
    }
    expect(world.strategy.discarded).toBeGreaterThan(0);
    expect(world.books.wrong).toBe(world.strategy.discarded);
    expect(world.books.uncovered).toBe(world.strategy.discarded);
  });

  test(`independence: ${can('independence') ? 'a write that takes a minute delays no other object' : 'a write that takes a minute delays others'}`, async () => {
    const world = build({ storage: (write) => ({ ms: write.type === 'put' && write.meta.key === 'ns/slow' ? 60_000 : 10 }) });
    world.change('slow');
    await world.pass(5);
    for (let index = 0; index < 100; index++) world.change(`pod-${index}`);
    await world.pass(30_000);
    // The slow one itself is still under way.
    if (can('independence')) expect(world.books.wrong).toBe(1);
    else expect(world.books.wrong).toBeGreaterThan(1);
    await world.untilIdle();
    expect(world.books.wrong).toBe(0);
  });
}
