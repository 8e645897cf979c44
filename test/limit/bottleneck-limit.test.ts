import Bottleneck from 'bottleneck';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BottleneckLimit } from '../../src/limit/bottleneck-limit.ts';

// bottleneck takes its time from the globals, so these are replaced; nothing here waits for a real clock.
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = new AbortController().signal;

function counted(limit: BottleneckLimit, count: number, permits = 1, priority: 'live' | 'background' = 'background'): { granted: number } {
  const seen = { granted: 0 };
  for (let i = 0; i < count; i++) void limit.acquire(permits, priority, never).then(() => seen.granted++);
  return seen;
}

test('without a limit permits are granted at once', async () => {
  const limit = new BottleneckLimit(null);
  await limit.acquire(1_000_000, 'background', never);
  expect(vi.getTimerCount()).toBe(0);
});

test('after a quiet time one second of budget goes at once, then the rate holds', async () => {
  const limit = new BottleneckLimit(40);
  const seen = counted(limit, 400);
  await vi.advanceTimersByTimeAsync(200);
  // A lease that does not fit into what is left of the second waits one beat.
  expect(seen.granted).toBeGreaterThan(30);
  expect(seen.granted).toBeLessThanOrEqual(40);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(seen.granted).toBeGreaterThanOrEqual(230);
  expect(seen.granted).toBeLessThanOrEqual(250);
});

test('a caller that asks more permits than one beat has gets them when they have come together', async () => {
  const limit = new BottleneckLimit(100);
  const drained = counted(limit, 1, 100);
  await vi.advanceTimersByTimeAsync(200);
  expect(drained.granted).toBe(1);
  const large = counted(limit, 1, 150);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(large.granted).toBe(0);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(large.granted).toBe(1);
});

test('live callers go before background ones that came earlier', async () => {
  const limit = new BottleneckLimit(4);
  const order: string[] = [];
  for (let i = 0; i < 12; i++) void limit.acquire(1, 'background', never).then(() => order.push('background'));
  await vi.advanceTimersByTimeAsync(200);
  const before = order.length;
  for (let i = 0; i < 4; i++) void limit.acquire(1, 'live', never).then(() => order.push('live'));
  await vi.advanceTimersByTimeAsync(1_300);
  expect(order.slice(before, before + 4)).toEqual(['live', 'live', 'live', 'live']);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(order).toHaveLength(16);
});

test('an aborted caller rejects with the reason and costs nobody a permit', async () => {
  const limit = new BottleneckLimit(0);
  const abort = new AbortController();
  const aborted = limit.acquire(5, 'live', abort.signal);
  const other = counted(limit, 1);
  abort.abort(new Error('stopped'));
  await expect(aborted).rejects.toThrow('stopped');
  await expect(limit.acquire(1, 'live', abort.signal)).rejects.toThrow('stopped');
  limit.update(4);
  await vi.advanceTimersByTimeAsync(200);
  expect(other.granted).toBe(1);
});

test('0 pauses without rejecting, a new rate applies to those who wait, null lets everybody go', async () => {
  const limit = new BottleneckLimit(0);
  const seen = counted(limit, 100);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(seen.granted).toBe(0);
  limit.update(20);
  await vi.advanceTimersByTimeAsync(200);
  expect(seen.granted).toBe(20);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(seen.granted).toBeLessThanOrEqual(45);
  limit.update(0);
  await vi.advanceTimersByTimeAsync(300);
  const paused = seen.granted;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(seen.granted).toBe(paused);
  limit.update(null);
  await vi.advanceTimersByTimeAsync(0);
  expect(seen.granted).toBe(100);
});

test('callers that come one after another share leases of 10 ms, and the rate holds all the same', async () => {
  const leases = vi.spyOn(Bottleneck.prototype, 'schedule');
  const limit = new BottleneckLimit(10_000);
  let granted = 0;
  const calling = (async () => {
    while (granted < 20_000) {
      await limit.acquire(1, 'live', never);
      granted++;
    }
  })();
  await vi.advanceTimersByTimeAsync(200);
  expect(granted).toBeLessThanOrEqual(10_000 + 100);
  await vi.advanceTimersByTimeAsync(2_000);
  await calling;
  expect(granted).toBe(20_000);
  expect(leases.mock.calls.length).toBeLessThanOrEqual(20_000 / 100);
});

test('a rate below one a second is kept', async () => {
  const limit = new BottleneckLimit(0.5);
  const seen = counted(limit, 10);
  await vi.advanceTimersByTimeAsync(10_100);
  expect(seen.granted).toBeGreaterThanOrEqual(5);
  expect(seen.granted).toBeLessThanOrEqual(6);
});

test('a rate that is not a number is refused with the value', () => {
  expect(() => new BottleneckLimit(-1)).toThrow('must be a number >= 0 or null, current value is -1');
});
