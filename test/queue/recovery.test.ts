import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/kit/random.ts';
import { type ObjectKey, objectKey } from '../../src/model/key.ts';
import { DEFAULT_BACKOFF } from '../../src/queue/limiter.ts';
import { createWorkQueue } from '../../src/queue/work-queue.ts';
import { ManualClock, settled } from '../support/manual-clock.ts';

const KEYS = 50_000;
const WINDOW_MS = 100;

/** All keys fail at once and again until `outageMs`; workers as fast as the queue. Times of hand-outs by attempt. */
async function outage(outageMs: number): Promise<{
  readonly attempts: number[][];
  readonly written: ReadonlyMap<ObjectKey, number>;
  readonly recoveredAt: number;
  readonly failuresLeft: number;
}> {
  const clock = new ManualClock();
  const queue = createWorkQueue({ name: 'pods', clock, random: seededRandom(11) });
  const keys = Array.from({ length: KEYS }, (_, index) => objectKey(`namespace-${index % 100}`, `pod-${index}`));
  const attempts: number[][] = [];
  const written = new Map<ObjectKey, number>();
  let recoveredAt = 0;
  const work = async (): Promise<void> => {
    for (let batch = await queue.take(500); batch.length > 0; batch = await queue.take(500)) {
      for (const key of batch) {
        const attempt = queue.requeues(key);
        attempts[attempt] ??= [];
        attempts[attempt].push(clock.now());
        if (clock.now() < outageMs) {
          queue.addRateLimited(key);
        } else {
          written.set(key, (written.get(key) ?? 0) + 1);
          queue.forget(key);
          recoveredAt = clock.now();
        }
        queue.done(key);
      }
    }
  };
  const pool = Array.from({ length: 4 }, work);
  for (const key of keys) queue.add(key);
  await settled();
  while (queue.waiting > 0) {
    clock.advance(clock.nextInMs ?? 0);
    await settled();
  }
  queue.shutDown();
  await Promise.all(pool);
  return { attempts, written, recoveredAt, failuresLeft: keys.filter((key) => queue.requeues(key) > 0).length };
}

/** The largest share of all keys handed out within any WINDOW_MS. */
function largestShare(times: readonly number[]): number {
  const sorted = times.toSorted((x, y) => x - y);
  let first = 0;
  let most = 0;
  for (const [index, time] of sorted.entries()) {
    while (time - (sorted[first] ?? time) >= WINDOW_MS) first++;
    most = Math.max(most, index - first + 1);
  }
  return most / KEYS;
}

describe('RL-S7: fifty thousand keys fail at once', () => {
  test('every key comes back, is written exactly once, and leaves no failure count', { timeout: 60_000 }, async () => {
    const { written, failuresLeft, recoveredAt } = await outage(20_000);
    expect(written.size).toBe(KEYS);
    expect([...written.values()].every((count) => count === 1)).toBe(true);
    expect(failuresLeft).toBe(0);
    expect(recoveredAt).toBeLessThanOrEqual(20_000 + 2 * DEFAULT_BACKOFF.capMs);
  });

  test('no stampede: the n-th retry is spread over at least its own delay, so no 100 ms see more than their share', { timeout: 60_000 }, async () => {
    const { attempts } = await outage(20_000);
    const crowded = attempts.entries().flatMap(([attempt, times]) => {
      if (attempt === 0) return [];
      const delayMs = Math.min(DEFAULT_BACKOFF.baseMs * 2 ** (attempt - 1), DEFAULT_BACKOFF.capMs);
      // At the densest the keys lie uniformly over `delayMs`, so a window holds this many on average; timers round up to 1 ms.
      const mean = (KEYS * (WINDOW_MS + 1)) / delayMs;
      // The count is binomial: five deviations above the mean, since the fullest of some ten thousand windows is looked at.
      const allowed = Math.min(1, (mean + 5 * Math.sqrt(mean)) / KEYS);
      const share = largestShare(times);
      return share > allowed ? [{ attempt, share, allowed }] : [];
    });
    expect([...crowded]).toEqual([]);
    expect(attempts.length).toBeGreaterThan(10);
    expect(largestShare(attempts[9] ?? [])).toBeLessThan(0.1);
  });
});
