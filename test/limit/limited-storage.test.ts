import { describe, expect, test } from 'vitest';
import { Semaphore } from '../../src/kit/semaphore.ts';
import { BottleneckLimit } from '../../src/limit/bottleneck-limit.ts';
import { limitedStorage } from '../../src/limit/limited-storage.ts';
import type { RateLimit } from '../../src/limit/limit.ts';
import { objectKey } from '../../src/model/key.ts';
import type { Kind } from '../../src/model/kind.ts';
import type { Write } from '../../src/storage/storage.ts';
import { ModelStorage } from '../support/model-storage.ts';

const pods: Kind = { group: '', version: 'v1', resource: 'pods', kind: 'Pod', namespaced: true, singular: 'pod', shortNames: [], categories: [] };

function puts(count: number): Write[] {
  return Array.from({ length: count }, (_, index) => ({
    type: 'put',
    kind: pods,
    meta: { key: objectKey('ns', `p${index}`), uid: 'u', revision: '1' },
    body: Buffer.from('{}'),
  }));
}

test('a batch costs as many permits as it has rows, and a record alone costs none', async () => {
  const asked: number[] = [];
  const rate: RateLimit = { acquire: async (permits) => void asked.push(permits), update() {} };
  const storage = limitedStorage(new ModelStorage(), new Semaphore(4), rate);
  expect(await storage.write(puts(3), [])).toEqual([{ kind: 'written' }, { kind: 'written' }, { kind: 'written' }]);
  await storage.write([], []);
  expect(asked).toEqual([3]);
});

test('a batch of a first list comes after live changes, of whatever kind, also when it asked first', async () => {
  const inner = new ModelStorage();
  const order: string[] = [];
  const lines = { live: [] as (() => void)[], background: [] as (() => void)[] };
  const rate: RateLimit = { acquire: (_permits, priority) => new Promise((resolve) => lines[priority].push(resolve)), update() {} };
  const storage = limitedStorage(inner, new Semaphore(1), rate);
  const write = (name: string, writes: readonly Write[]) => storage.write(writes, []).then(() => void order.push(name));
  const initial = puts(2).map((put) => ({ ...put, isInitial: true }));
  const writing = [
    write('first list', initial),
    write('live', puts(1)),
    write('with a live change in it', [...initial, ...puts(1)]),
    write('delete', [{ type: 'delete', kind: pods, key: objectKey('ns', 'gone'), uid: 'u', revision: '1' }]),
  ];
  expect([lines.live.length, lines.background.length]).toEqual([3, 1]);
  // What waits for its rate keeps no slot from others.
  for (const grant of [...lines.live, ...lines.background]) grant();
  await Promise.all(writing);
  expect(order).toEqual(['live', 'with a live change in it', 'delete', 'first list']);
});

test('no more batches are under way than there are slots, and more slots let waiting ones start at once', async () => {
  const inner = new ModelStorage();
  let open = (): void => {};
  inner.gate = new Promise((resolve) => {
    open = resolve;
  });
  const slots = new Semaphore(1);
  const storage = limitedStorage(inner, slots, { acquire: async () => {}, update() {} });
  const writing = [storage.write(puts(1), []), storage.write(puts(2), []), storage.write(puts(3), [])];
  await new Promise<void>((resolve) => setImmediate(resolve));
  expect(inner.batches).toEqual([1]);
  slots.resize(3);
  await new Promise<void>((resolve) => setImmediate(resolve));
  expect(inner.batches).toEqual([1, 2, 3]);
  open();
  await Promise.all(writing);
});

test('what an engine says of its lanes, and is told of kinds, goes through', () => {
  const learnt: string[] = [];
  const inner = Object.assign(new ModelStorage(), { lanes: 7, learn: (kinds: readonly Kind[]) => void learnt.push(...kinds.map(({ kind }) => kind)) });
  const storage = limitedStorage(inner, new Semaphore(1), { acquire: async () => {}, update() {} });
  storage.learn?.([pods]);
  expect([storage.lanes, learnt]).toEqual([7, ['Pod']]);
});

describe('a batch that waits can be withdrawn', () => {
  const free: RateLimit = { acquire: async () => {}, update() {} };

  test('from those that wait for a slot: the call rejects with the reason, nothing was written, and the next one is served', async () => {
    const inner = new ModelStorage();
    let open = (): void => {};
    inner.gate = new Promise((resolve) => {
      open = resolve;
    });
    const slots = new Semaphore(1);
    const storage = limitedStorage(inner, slots, free);
    const withdrawal = new AbortController();
    const first = storage.write(puts(1), [], withdrawal.signal);
    const waiting = storage.write(puts(2), [], withdrawal.signal);
    const other = storage.write(puts(3), []);
    await new Promise<void>((resolve) => setImmediate(resolve));
    withdrawal.abort();
    await expect(waiting).rejects.toBe(withdrawal.signal.reason);
    expect(inner.batches).toEqual([1]);
    open();
    // What had begun is not touched.
    expect(await first).toEqual([{ kind: 'written' }]);
    expect(await other).toHaveLength(3);
    expect(inner.batches).toEqual([1, 3]);
    expect([slots.inUse, slots.waiting]).toEqual([0, 0]);
  });

  test('from those that wait for their rate', async () => {
    const inner = new ModelStorage();
    const rate = new BottleneckLimit(0);
    const storage = limitedStorage(inner, new Semaphore(4), rate);
    const withdrawal = new AbortController();
    const waiting = storage.write(puts(2), [], withdrawal.signal);
    withdrawal.abort();
    await expect(waiting).rejects.toBe(withdrawal.signal.reason);
    rate.update(null);
    expect(await storage.write(puts(1), [])).toEqual([{ kind: 'written' }]);
    expect(inner.batches).toEqual([1]);
  });
});
