import { expect, test } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import { EventLoopDelay } from '../../src/kit/event-loop.ts';
import { until } from '../support/until.ts';

/** Nothing else happens for so long; the clock of the machine, for that is what is measured. */
function block(ms: number): void {
  const end = systemClock.now() + ms;
  while (systemClock.now() < end);
}

test('a block is told to everybody who asks within its window and the next one, and then forgotten', async () => {
  let now = 0;
  const delay = new EventLoopDelay({ now: () => now });
  try {
    expect(delay.worst()).toBe(0);
    // Until it looks for the first time there is nothing to compare with.
    await until('it looks', async () => {
      block(400);
      await systemClock.sleep(120);
      return delay.worst() >= 0.25;
    });
    const told = delay.worst();
    expect(told).toBeLessThan(5);
    now = 59_999;
    expect(delay.worst()).toBeGreaterThanOrEqual(told);
    // The window ends with this answer; the next one still has it.
    now = 60_000;
    expect(delay.worst()).toBeGreaterThanOrEqual(told);
    expect(delay.worst()).toBeGreaterThanOrEqual(told);
    now = 120_000;
    expect(delay.worst()).toBeGreaterThanOrEqual(told);
    now = 180_000;
    delay.worst();
    expect(delay.worst()).toBeLessThan(told);
  } finally {
    delay.close();
  }
});
