import { expect, test } from 'vitest';
import { gapOf, Pace } from '../../src/audit/pace.ts';
import { ManualClock } from '../support/manual-clock.ts';

const HOUR_MS = 3_600_000;

test.each([
  ['an hour is shared by all its pages', HOUR_MS, 200, 18_000],
  ['a round too short for its pages is made at one page a second', 60_000, 200, 1_000],
  ['a round without pages is no division by zero', HOUR_MS, 0, HOUR_MS],
] as const)('%s', (_, roundMs, pages, gapMs) => {
  expect(gapOf(roundMs, pages)).toBe(gapMs);
});

test('in a hurry 100,000 objects, 200 pages, are asked for within 90 s, few objects once a second, and very many ten times a second', () => {
  expect(gapOf('hurried', 200) * 200).toBeLessThanOrEqual(90_000);
  expect(gapOf('hurried', 3)).toBe(1_000);
  expect(gapOf('hurried', 100_000)).toBe(100);
});

test('turns are given in the order in which they are asked for, a gap apart, and one that is given up throws', async () => {
  const clock = new ManualClock();
  const pace = new Pace(clock, 1_000);
  const turns: string[] = [];
  const { signal } = new AbortController();
  const given = (name: string) => pace.turn(signal).then(() => void turns.push(`${name} at ${clock.now()}`));
  const start = clock.now();
  void given('first');
  void given('second');
  const third = pace.turn(AbortSignal.abort(new Error('given up')));
  await expect(third).rejects.toThrow('given up');
  await clock.advanceAsync(3_000);
  expect(turns).toEqual([`first at ${start}`, `second at ${start + 1_000}`]);
});
