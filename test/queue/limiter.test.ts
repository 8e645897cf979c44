import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seededRandom } from '../../src/kit/random.ts';
import { objectKey } from '../../src/model/key.ts';
import { BackoffLimiter, DEFAULT_BACKOFF } from '../../src/queue/limiter.ts';

const [a, b] = [objectKey('', 'a'), objectKey('', 'b')] as const;

test('RL-S1 RL-S2 RL-T1: delays double, keys are independent, forget resets', () => {
  const limiter = new BackoffLimiter({ baseMs: 1, capMs: 1000, jitter: 0 }, seededRandom(1));
  expect(Array.from({ length: 5 }, () => limiter.delayFor(a))).toEqual([1, 2, 4, 8, 16]);
  expect(limiter.failures(a)).toBe(5);
  expect([limiter.delayFor(b), limiter.delayFor(b), limiter.failures(b)]).toEqual([1, 2, 2]);
  limiter.forget(a);
  expect([limiter.failures(a), limiter.delayFor(a), limiter.failures(b)]).toEqual([0, 1, 2]);
});

test('RL-S2 RL-T2: after ten thousand failures the delay is still the cap, whatever the base', () => {
  for (const baseMs of [1, 5, 60_000]) {
    const limiter = new BackoffLimiter({ baseMs, capMs: 100_000, jitter: 0 }, seededRandom(1));
    let delayMs = 0;
    for (let failure = 0; failure < 10_000; failure++) {
      const nextMs = limiter.delayFor(a);
      expect(nextMs).toBeGreaterThanOrEqual(delayMs);
      delayMs = nextMs;
    }
    expect([delayMs, limiter.failures(a)]).toEqual([100_000, 10_000]);
  }
});

test('RL-S7: by default the first retry comes within 10 ms and none is ever more than a minute away', () => {
  const limiter = new BackoffLimiter(DEFAULT_BACKOFF, seededRandom(1));
  expect(limiter.delayFor(a)).toBeLessThan(10);
  for (let failure = 0; failure < 1000; failure++) expect(limiter.delayFor(a)).toBeLessThan(60_000);
});

test('RL-S7: the failures of ten thousand other keys change nothing for a key', () => {
  const limiter = new BackoffLimiter({ baseMs: 5, capMs: 60_000, jitter: 0 }, seededRandom(1));
  for (let other = 0; other < 10_000; other++) limiter.delayFor(objectKey('', `other-${other}`));
  expect(limiter.delayFor(a)).toBe(5);
});

test('RL-S2: the jitter is inside [d, d + jitter * d) and the same seed gives the same delays', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 0, max: 200 }), fc.double({ min: 0, max: 2, noNaN: true }), (seed, failures, jitter) => {
      const curve = { baseMs: 5, capMs: 60_000, jitter };
      const plainMs = Math.min(5 * 2 ** failures, 60_000);
      const last = (): number => {
        const limiter = new BackoffLimiter(curve, seededRandom(seed));
        for (let failure = 0; failure < failures; failure++) limiter.delayFor(a);
        return limiter.delayFor(a);
      };
      const delayMs = last();
      expect(delayMs).toBeGreaterThanOrEqual(plainMs);
      expect(delayMs).toBeLessThanOrEqual(plainMs * (1 + jitter));
      expect(last()).toBe(delayMs);
    }),
  );
});

test('RL-S1: memory is held for failing keys only', () => {
  const limiter = new BackoffLimiter(DEFAULT_BACKOFF, seededRandom(1));
  for (let index = 0; index < 1000; index++) limiter.delayFor(objectKey('', `${index}`));
  expect(limiter.size).toBe(1000);
  limiter.forget(a);
  for (let index = 0; index < 1000; index++) limiter.forget(objectKey('', `${index}`));
  expect(limiter.size).toBe(0);
});
