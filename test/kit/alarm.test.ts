import { expect, test } from 'vitest';
import { Alarm } from '../../src/kit/alarm.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** Wakes until the clock has gone `ms` on; the times of all wakings. */
async function wakings(clock: ManualClock, alarm: Alarm, ms: number): Promise<number[]> {
  const ending = new AbortController();
  const seen: number[] = [];
  const loop = (async () => {
    while (!ending.signal.aborted) {
      await alarm.wait(60_000, ending.signal);
      if (!ending.signal.aborted) seen.push(clock.now());
    }
  })();
  await clock.advanceAsync(ms);
  ending.abort();
  await loop;
  return seen;
}

test('wakes at the latest after the time of the wait, at every time that was asked for, and once for those due together', async () => {
  const clock = new ManualClock();
  const alarm = new Alarm(clock);
  const start = clock.now();
  for (const delayMs of [300, 300, 2_000]) alarm.set(delayMs);
  clock.after(10_000, () => alarm.set(500));
  expect((await wakings(clock, alarm, 75_000)).map((at) => at - start)).toEqual([300, 2_000, 10_500, 70_500]);
});

test('what was asked for while nobody waited is not forgotten', async () => {
  const clock = new ManualClock();
  const alarm = new Alarm(clock);
  alarm.set(100);
  await clock.advanceAsync(5_000);
  const start = clock.now();
  expect((await wakings(clock, alarm, 1_000)).map((at) => at - start)).toEqual([0]);
});
