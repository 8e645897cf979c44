import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/kit/random.ts';
import { type BatchResult, Breaker, type BreakerState, FAILURES, FULL_WIDTH, PROBE_ROWS, REFUSED, REPEATS } from '../../src/worker/breaker.ts';

const RESULTS: readonly BatchResult[] = ['settled', 'failed', 'failed again', 'nothing', 'bug'];
const LONGEST_DELAY_MS = 1_500;

/** One batch that ends at once. */
function batch(breaker: Breaker, result: BatchResult, now: number, isMore = true): number {
  const admission = breaker.enter(now);
  if (admission !== REFUSED) breaker.leave(admission, result, now, isMore);
  return admission;
}

function opened(seed = 1): Breaker {
  const breaker = new Breaker(seededRandom(seed));
  for (let index = 0; index < FAILURES; index++) batch(breaker, 'failed', 0);
  return breaker;
}

/** A breaker in each state, with one batch of its own under way. */
function inState(state: BreakerState): { breaker: Breaker; admission: number; now: number } {
  if (state === 'closed') {
    const breaker = new Breaker(seededRandom(1));
    return { breaker, admission: breaker.enter(0), now: 0 };
  }
  const breaker = opened();
  if (state === 'open') return { breaker, admission: REFUSED, now: 0 };
  const now = breaker.probeAt ?? 0;
  let admission = breaker.enter(now);
  if (state === 'ramping') {
    breaker.leave(admission, 'settled', now, true);
    admission = breaker.enter(now);
  }
  return { breaker, admission, now };
}

describe('the breaker', () => {
  test.each<[BreakerState, Record<BatchResult, BreakerState>]>([
    ['closed', { settled: 'closed', failed: 'closed', 'failed again': 'closed', nothing: 'closed', bug: 'closed' }],
    ['open', { settled: 'open', failed: 'open', 'failed again': 'open', nothing: 'open', bug: 'open' }],
    ['probing', { settled: 'ramping', failed: 'open', 'failed again': 'open', nothing: 'open', bug: 'open' }],
    ['ramping', { settled: 'ramping', failed: 'open', 'failed again': 'ramping', nothing: 'ramping', bug: 'ramping' }],
  ])('%s: what one batch makes of it', (state, next) => {
    for (const result of RESULTS) {
      const { breaker, admission, now } = inState(state);
      expect(breaker.state).toBe(state);
      breaker.leave(admission, result, now, true);
      expect([result, breaker.state]).toEqual([result, next[result]]);
    }
  });

  test('opens after a few failed batches in a row, not when one in between settled a row', () => {
    const breaker = new Breaker(seededRandom(1));
    for (let round = 0; round < 10; round++) {
      for (let index = 1; index < FAILURES; index++) batch(breaker, 'failed', round);
      batch(breaker, 'settled', round);
    }
    expect(breaker.state).toBe('closed');
    for (let index = 0; index < FAILURES; index++) batch(breaker, 'failed', 20);
    expect(breaker.state).toBe('open');
  });

  test('one row that cannot be written never opens it by itself, however long; a few that come faster than any backoff do', () => {
    const breaker = new Breaker(seededRandom(1));
    batch(breaker, 'failed', 0);
    let now = 0;
    for (let failures = 0; failures < 100; failures++) {
      now += Math.min(5 * 2 ** failures, 15_000);
      batch(breaker, 'failed again', now);
    }
    expect(breaker.state).toBe('closed');
    for (let index = 0; index < REPEATS; index++) batch(breaker, 'failed again', now + index * 10);
    expect(breaker.state).toBe('open');
  });

  test('what was let in before it opened says nothing any more, whenever it ends and however', () => {
    for (const result of RESULTS) {
      const breaker = new Breaker(seededRandom(1));
      const late = breaker.enter(0);
      for (let index = 0; index < FAILURES; index++) batch(breaker, 'failed', 0);
      breaker.leave(late, result, 1, true);
      expect(breaker.state).toBe('open');
      const now = breaker.probeAt ?? 0;
      batch(breaker, 'settled', now);
      breaker.leave(late, result, now, true);
      expect([breaker.state, breaker.free(now)]).toEqual(['ramping', 2]);
    }
  });

  test('a probe that had nothing to write costs no wait: the turn is the next one’s at once', () => {
    const { breaker, admission, now } = inState('probing');
    breaker.leave(admission, 'nothing', now, true);
    expect([breaker.state, breaker.free(now)]).toEqual(['open', 1]);
  });

  test('a probe that succeeds with nothing left to write closes it, and so does a ramp that runs out of work', () => {
    const probing = inState('probing');
    probing.breaker.leave(probing.admission, 'settled', probing.now, false);
    expect(probing.breaker.state).toBe('closed');
    const ramping = inState('ramping');
    ramping.breaker.leave(ramping.admission, 'settled', ramping.now, false);
    expect(ramping.breaker.state).toBe('closed');
  });

  test('the ramp: 1, 2, 4 … batches at a time, each round with twice the rows, and then no bound', () => {
    const { breaker, admission, now } = inState('probing');
    breaker.leave(admission, 'settled', now, true);
    const rounds: [number, number][] = [];
    while (breaker.state === 'ramping') {
      const admitted: number[] = [];
      const rows = breaker.rows(100);
      for (let next = breaker.enter(now); next !== REFUSED; next = breaker.enter(now)) admitted.push(next);
      rounds.push([admitted.length, rows]);
      for (const one of admitted) breaker.leave(one, 'settled', now, true);
    }
    expect(rounds).toEqual([
      [2, 16],
      [4, 32],
      [8, 64],
      [16, 100],
      [32, 100],
    ]);
    expect([breaker.state, breaker.rows(100), breaker.free(now)]).toEqual(['closed', 100, Number.POSITIVE_INFINITY]);
  });

  test('waits 0.25 to 0.38 s, then 0.5 to 0.75 s, also when it flaps, and begins anew only after it was closed', () => {
    fc.assert(
      fc.property(fc.integer(), fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), (seed, flaps) => {
        const breaker = opened(seed);
        let now = 0;
        const waits: number[] = [];
        for (const isFlap of flaps) {
          waits.push((breaker.probeAt ?? 0) - now);
          now = breaker.probeAt ?? 0;
          if (isFlap) batch(breaker, 'settled', now);
          batch(breaker, 'failed', now);
          expect(breaker.state).toBe('open');
        }
        waits.forEach((wait, index) => {
          const plain = index === 0 ? 250 : 500;
          expect(wait).toBeGreaterThanOrEqual(plain);
          expect(wait).toBeLessThanOrEqual(plain * 1.5);
        });
        now = breaker.probeAt ?? 0;
        batch(breaker, 'settled', now, false);
        for (let index = 0; index < FAILURES; index++) batch(breaker, 'failed', now);
        expect((breaker.probeAt ?? 0) - now).toBeLessThanOrEqual(375);
      }),
    );
  });

  test('whatever happens in whatever order: never more than is let in, never before its time, and it closes when storage works', () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.constant({ do: 'enter' as const }) },
      { weight: 5, arbitrary: fc.record({ do: fc.constant('leave' as const), which: fc.nat(), result: fc.constantFrom(...RESULTS), isMore: fc.boolean() }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 8_000 }) }) },
    );
    fc.assert(
      fc.property(fc.integer(), fc.array(step, { maxLength: 300 }), (seed, steps) => {
        const breaker = new Breaker(seededRandom(seed));
        let now = 0;
        let underWay: number[] = [];
        const mine = (): number => underWay.filter((admission) => admission === breaker.round).length;
        for (const current of steps) {
          const { state, round, probeAt } = breaker;
          if (current.do === 'pass') {
            now += current.ms;
          } else if (current.do === 'enter') {
            const free = breaker.free(now);
            const admission = breaker.enter(now);
            expect(admission === REFUSED).toBe(free === 0);
            if (admission === REFUSED) continue;
            if (state === 'open') expect(now).toBeGreaterThanOrEqual(probeAt ?? Number.POSITIVE_INFINITY);
            underWay.push(admission);
            if (breaker.state === 'probing') expect(mine()).toBe(1);
          } else if (underWay.length > 0) {
            const [admission = REFUSED] = underWay.splice(current.which % underWay.length, 1);
            breaker.leave(admission, current.result, now, current.isMore);
            if (admission !== round) expect([breaker.state, breaker.round]).toEqual([state, round]);
            if (breaker.round !== round) expect((breaker.probeAt ?? 0) - now).toBeLessThanOrEqual(LONGEST_DELAY_MS);
          }
          if (breaker.state !== 'closed') expect(breaker.rows(100)).toBeGreaterThanOrEqual(PROBE_ROWS);
          if (breaker.state === 'open') expect(mine()).toBe(0);
          expect(breaker.probeAt === null).toBe(breaker.state !== 'open');
        }
        // From now on storage works, and there is always more to write.
        for (const admission of underWay) breaker.leave(admission, 'settled', now, true);
        underWay = [];
        const returned = now;
        let batches = 0;
        while (breaker.state !== 'closed') {
          now = Math.max(now, breaker.probeAt ?? now);
          expect(batch(breaker, 'settled', now)).not.toBe(REFUSED);
          expect(++batches).toBeLessThan(2 * FULL_WIDTH);
        }
        expect(now - returned).toBeLessThanOrEqual(LONGEST_DELAY_MS);
      }),
      { numRuns: 300 },
    );
  });
});
