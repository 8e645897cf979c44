import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AccessCache, type AccessLimits, hashOf, type Reader, type Wish } from '../../src/web/access-cache.ts';

const LIMITS: AccessLimits = { allowedMs: 1_000, refusedMs: 100, entries: 4, strangersPerSecond: 3 };
const ANN: Reader = { user: 'ann', uid: '', groups: ['system:authenticated'], extra: {} };
const METRICS: Wish = { verb: 'get', path: '/metrics' };
const TOKEN = hashOf('geheim');

const cacheOf = (limits: Partial<AccessLimits> = {}): AccessCache => new AccessCache({ ...LIMITS, ...limits });

describe('what the API server said of a token', () => {
  test('is not known before it was asked, nor of another token', () => {
    const cache = cacheOf();
    cache.learnReader(TOKEN, ANN, 0);
    expect([cache.reader(TOKEN, 0), cache.reader(hashOf('other'), 0), cache.allows(TOKEN, METRICS, 0)]).toEqual([ANN, undefined, undefined]);
  });

  test('a yes counts from when it was asked for, up to its time and not longer', () => {
    const cache = cacheOf();
    cache.learnReader(TOKEN, ANN, 500);
    expect([cache.reader(TOKEN, 1_499), cache.reader(TOKEN, 1_500)]).toEqual([ANN, undefined]);
  });

  test('a no counts for its own, shorter time', () => {
    const cache = cacheOf();
    cache.learnReader(TOKEN, null, 500);
    expect([cache.reader(TOKEN, 599), cache.reader(TOKEN, 600)]).toEqual([null, undefined]);
  });

  test('a no ends a yes that would still be believed', () => {
    const cache = cacheOf();
    cache.learnReader(TOKEN, ANN, 0);
    cache.learnReader(TOKEN, null, 1);
    expect([cache.reader(TOKEN, 2), cache.reader(TOKEN, 101)]).toEqual([null, undefined]);
  });

  test('a yes to a request ends with the yes to the token: a token that is revoked does not live twice as long', () => {
    const cache = cacheOf();
    cache.learnReader(TOKEN, ANN, 0);
    cache.learnDecision(TOKEN, METRICS, true, 900);
    expect([cache.allows(TOKEN, METRICS, 999), cache.allows(TOKEN, METRICS, 1_000)]).toEqual([true, undefined]);
    cache.learnReader(TOKEN, ANN, 1_000);
    expect(cache.allows(TOKEN, METRICS, 1_000)).toBeUndefined();
  });

  test('a decision is about one verb on one path', () => {
    const cache = cacheOf();
    cache.learnReader(TOKEN, ANN, 0);
    cache.learnDecision(TOKEN, METRICS, true, 0);
    cache.learnDecision(TOKEN, { verb: 'post', path: '/metrics' }, false, 0);
    const asked = [METRICS, { verb: 'post', path: '/metrics' }, { verb: 'get', path: '/' }].map((wish) => cache.allows(TOKEN, wish, 1));
    expect(asked).toEqual([true, false, undefined]);
    expect(cache.allows(TOKEN, { verb: 'post', path: '/metrics' }, 100)).toBeUndefined();
  });

  test('a decision about a token that is not known is worth nothing', () => {
    const cache = cacheOf();
    cache.learnDecision(TOKEN, METRICS, true, 0);
    expect(cache.allows(TOKEN, METRICS, 0)).toBeUndefined();
  });

  test('tokens themselves are not kept', () => {
    const cache = cacheOf();
    cache.learnReader(TOKEN, ANN, 0);
    cache.learnDecision(TOKEN, METRICS, true, 0);
    cache.learnReader(hashOf('geheim-2'), null, 0);
    expect(inspect(cache, { depth: 9, showHidden: true })).not.toContain('geheim');
  });
});

describe('strangers', () => {
  test('are asked about so often in a second, and readers that were let in before as often as they like', () => {
    const cache = cacheOf();
    cache.learnReader(TOKEN, ANN, 0);
    const asked = (now: number): readonly boolean[] => Array.from({ length: 5 }, (_, i) => cache.mayAsk(hashOf(`${now} ${i}`), now));
    expect(asked(5_000)).toEqual([true, true, true, false, false]);
    expect(Array.from({ length: 9 }, () => cache.mayAsk(TOKEN, 5_000))).not.toContain(false);
    expect(asked(5_999)).not.toContain(true);
    expect(asked(6_000)).toEqual([true, true, true, false, false]);
  });

  test('do not push readers out, however many they are', () => {
    const cache = cacheOf();
    cache.learnReader(TOKEN, ANN, 0);
    for (let i = 0; i < 50; i++) cache.learnReader(hashOf(`${i}`), null, 0);
    expect(cache.reader(TOKEN, 1)).toEqual(ANN);
    const remembered = Array.from({ length: 50 }, (_, i) => cache.reader(hashOf(`${i}`), 1)).filter((reader) => reader === null);
    expect(remembered).toHaveLength(LIMITS.entries);
  });
});

/** What happened at a time: the API server was asked and said so. */
const said = fc.record({
  token: fc.constantFrom('a', 'b'),
  path: fc.constantFrom('/metrics', '/'),
  what: fc.constantFrom('known', 'unknown', 'allowed', 'refused'),
  passedMs: fc.nat(700),
});

test('nobody is let in whom the API server has not let in, token and request, within the time of a yes', () => {
  fc.assert(
    fc.property(fc.array(said, { maxLength: 40 }), (history) => {
      const cache = cacheOf();
      const yes = new Map<string, number>();
      const no = (token: string): void => {
        for (const key of [...yes.keys()].filter((one) => one.startsWith(`${token} `))) yes.delete(key);
      };
      let now = 0;
      for (const { token, path, what, passedMs } of history) {
        now += passedMs;
        const hash = hashOf(token);
        const wish = { verb: 'get', path };
        if (what === 'known') yes.set(`${token} token`, now);
        if (what === 'unknown') no(token);
        if (what === 'allowed' && cache.reader(hash, now) !== null && cache.reader(hash, now) !== undefined) yes.set(`${token} ${path}`, now);
        if (what === 'refused') yes.delete(`${token} ${path}`);
        if (what === 'known' || what === 'unknown') cache.learnReader(hash, what === 'known' ? ANN : null, now);
        else cache.learnDecision(hash, wish, what === 'allowed', now);
        for (const [name, asked] of [
          ['a', '/metrics'],
          ['a', '/'],
          ['b', '/metrics'],
          ['b', '/'],
        ] as const) {
          const isIn = cache.reader(hashOf(name), now) === ANN && cache.allows(hashOf(name), { verb: 'get', path: asked }, now) === true;
          if (!isIn) continue;
          expect(now - (yes.get(`${name} token`) ?? Number.NEGATIVE_INFINITY)).toBeLessThan(LIMITS.allowedMs);
          expect(now - (yes.get(`${name} ${asked}`) ?? Number.NEGATIVE_INFINITY)).toBeLessThan(LIMITS.allowedMs);
        }
      }
    }),
  );
});
