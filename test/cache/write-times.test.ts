import { describe, expect, test } from 'vitest';
import { WriteOrder, WriteTimes } from '../../src/cache/write-times.ts';
import { objectKey } from '../../src/model/key.ts';

const A = objectKey('ns', 'a');
const B = objectKey('ns', 'b');

describe('samples of write times', () => {
  test('a burst on one object is one sample, as old as its oldest change', () => {
    const times = new WriteTimes();
    times.note(A, '7', 1_000);
    times.note(A, '9', 3_000);
    expect(times.settle(A, '9')).toBe(1_000);
    expect(times.settle(A, '9')).toBeNull();
  });

  test('the write of an older state that was under way settles nothing', () => {
    const times = new WriteTimes();
    times.note(A, '10', 1_000);
    expect(times.settle(A, '9')).toBeNull();
    expect(times.settle(B, '11')).toBeNull();
    expect(times.settle(A, '10')).toBe(1_000);
    expect(times.size).toBe(0);
  });

  test('what is dropped is not told, and its key can be sampled again', () => {
    const times = new WriteTimes();
    times.note(A, '1', 1_000);
    times.drop(A);
    expect(times.settle(A, '1')).toBeNull();
    times.note(A, '2', 2_000);
    times.note(B, '3', 3_000);
    expect(times.settle(A, '2')).toBe(2_000);
    times.clear();
    expect(times.settle(B, '3')).toBeNull();
  });

  test('a stream of changes is looked at every 10 ms, a quiet kind at each change', () => {
    const times = new WriteTimes();
    expect([0, 1, 9.9, 10, 10, 19, 20.5, 5_000].map((now) => times.isDue(now))).toEqual([true, false, false, true, false, false, true, true]);
  });

  test('while nothing becomes durable no more than 1,024 are remembered, the oldest ones', () => {
    const times = new WriteTimes();
    let looked = 0;
    for (let n = 0; n < 3_000; n++) {
      if (!times.isDue(n * 10)) continue;
      looked++;
      times.note(objectKey('ns', String(n)), String(n + 1), n);
    }
    expect([looked, times.size]).toEqual([1_024, 1_024]);
    expect(times.settle(objectKey('ns', '0'), '1')).toBe(0);
    expect(times.isDue(40_000)).toBe(true);
  });
});

describe('whether a time in managedFields is that of the event which brought it', () => {
  const NOW = Date.parse('2026-11-21T10:00:00Z');
  const HOUR = 3_600_000;

  test('a time from before an earlier event is left over from an earlier write', () => {
    const order = new WriteOrder(null);
    expect(order.fits(NOW - 1_000, NOW)).toBe(true);
    expect(order.fits(NOW - HOUR, NOW)).toBe(false);
    // Servers whose clocks differ a little, and times cut to whole seconds.
    expect(order.fits(NOW - 4_000, NOW)).toBe(true);
  });

  test('so is one from before the list that the watch began with, but not a change made while the list was read', () => {
    const order = new WriteOrder(null);
    order.listBegan(NOW);
    expect(order.fits(NOW - HOUR, NOW)).toBe(true);
    order.listEnded();
    expect(order.fits(NOW - HOUR, NOW + 60_000)).toBe(false);
    expect(order.fits(NOW + 30_000, NOW + 60_000)).toBe(true);
  });

  test('a start that goes on from a record knows when its list was', () => {
    const order = new WriteOrder(NOW);
    expect(order.fits(NOW - HOUR, NOW + HOUR)).toBe(false);
    expect(order.fits(NOW + 10_000, NOW + HOUR)).toBe(true);
  });

  test('a list that was given up proves nothing: the watch goes on from where it was', () => {
    const order = new WriteOrder(null);
    order.listBegan(NOW);
    expect(order.fits(NOW - HOUR, NOW + HOUR)).toBe(true);
  });

  test('what really is late is not taken for left over', () => {
    const order = new WriteOrder(null);
    expect(order.fits(NOW, NOW)).toBe(true);
    expect(order.fits(NOW + 1_000, NOW + HOUR)).toBe(true);
  });

  test('a time from the future shuts out nothing that follows', () => {
    const order = new WriteOrder(null);
    expect(order.fits(NOW + 24 * HOUR, NOW)).toBe(true);
    expect(order.fits(NOW + 1_000, NOW + 1_500)).toBe(true);
  });
});
