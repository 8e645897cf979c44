import { expect, test } from 'vitest';
import { measureGrowth } from '../../src/lab/growth.ts';

test('the cost of a change is measured at each size, and a waiting change keeps as much memory in a larger cluster', async () => {
  const points = await measureGrowth([1_000, 4_000], () => true, 36);
  expect(points.map(({ objects }) => objects)).toEqual([1_000, 4_000]);
  for (const { microsPerChange, microsInOrder, microsOfMap, bytesPerObject } of points) {
    expect(microsPerChange).toBeGreaterThan(1);
    expect(microsInOrder).toBeGreaterThan(1);
    expect(microsOfMap).toBeGreaterThan(0);
    expect(microsOfMap).toBeLessThan(microsPerChange);
    expect(bytesPerObject).toBeGreaterThan(100);
  }
  const [small, large] = points.map(({ bytesPerWaitingChange }) => bytesPerWaitingChange);
  // The body is 4 KiB of it.
  expect(small).toBeGreaterThan(4_096);
  expect(Math.abs((large ?? Number.NaN) / (small ?? Number.NaN) - 1)).toBeLessThan(0.2);
}, 60_000);

test('a measurement that is to end early does, with nothing', async () => {
  expect(await measureGrowth([1_000], () => false)).toEqual([]);
});
