import { describe, expect, test } from 'vitest';
import type { AccessReviews } from '../../src/cluster/cluster.ts';
import type { Logger } from '../../src/kit/log.ts';
import { ApiError } from '../../src/model/errors.ts';
import { Access, type Denial } from '../../src/web/access.ts';
import type { Wish } from '../../src/web/access-cache.ts';
import { ManualClock, settled } from '../support/manual-clock.ts';

const METRICS: Wish = { verb: 'get', path: '/metrics' };
const ANN = { authenticated: true, user: { username: 'ann', uid: '7', groups: ['readers'], extra: { scope: ['a', 'b'] } } };

interface Asked {
  readonly review: 'token' | 'access';
  readonly of: unknown;
  answer(status: unknown): void;
  fail(cause: Error): void;
}

/** An API server whose answers the test gives, and what is said meanwhile. */
class Bench implements AccessReviews {
  readonly clock = new ManualClock();
  readonly asked: Asked[] = [];
  readonly lines: string[] = [];
  /** What is answered at once; undefined waits for the test. */
  tokens: unknown;
  access: unknown;
  readonly #log: Logger = {
    ...{ debug: () => {}, info: (message, fields) => this.#say('info', message, fields), error: () => {}, child: () => this.#log },
    warn: (message, fields) => this.#say('warn', message, fields),
  };
  readonly guard = new Access({ tokenFile: null, reviews: this, clock: this.clock, log: this.#log });

  reviewToken(token: string, signal: AbortSignal): Promise<unknown> {
    return this.#ask('token', token, this.tokens, signal);
  }

  reviewAccess(spec: object, signal: AbortSignal): Promise<unknown> {
    return this.#ask('access', spec, this.access, signal);
  }

  refusal(token = 'geheim', wish = METRICS): Promise<Denial | null> {
    return this.guard.refusal(`Bearer ${token}`, wish);
  }

  async code(token = 'geheim', wish = METRICS): Promise<number> {
    return (await this.refusal(token, wish))?.code ?? 200;
  }

  #ask(review: Asked['review'], of: unknown, now: unknown, signal: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
      this.asked.push({ review, of, answer: resolve, fail: reject });
      if (now instanceof Error) reject(now);
      else if (now !== undefined) resolve(now);
    });
  }

  #say(level: string, message: string, fields: unknown): void {
    this.lines.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`);
  }
}

const kinds = (bench: Bench): readonly string[] => bench.asked.map(({ review }) => review);

describe('who shows a token of the cluster', () => {
  test('is let in when the API server knows the token and its roles allow the request, of which it hears all there is to say of the user', async () => {
    const bench = new Bench();
    [bench.tokens, bench.access] = [ANN, { allowed: true }];
    expect(await bench.refusal()).toBeNull();
    const nonResourceAttributes = { verb: 'get', path: '/metrics' };
    expect(bench.asked.map(({ of }) => of)).toEqual([
      'geheim',
      { user: 'ann', uid: '7', groups: ['readers'], extra: { scope: ['a', 'b'] }, nonResourceAttributes },
    ]);
  });

  test.each([
    ['a token that it does not know', { authenticated: false, error: 'invalid bearer token' }, { allowed: true }, 401],
    ['a user without the right', ANN, { allowed: false }, 403],
    ['a right that is denied all the same', ANN, { allowed: true, denied: true }, 403],
    ['a review without a status', null, { allowed: true }, 401],
    ['a user without a name', { authenticated: true, user: {} }, { allowed: true }, 401],
    ['a yes that is no boolean', { ...ANN, authenticated: 'true' }, { allowed: true }, 401],
    ['a right that is no boolean', ANN, { allowed: 'true' }, 403],
  ])('is refused with %s', async (_, tokens, access, code) => {
    const bench = new Bench();
    [bench.tokens, bench.access] = [tokens, access];
    expect(await bench.code()).toBe(code);
  });

  test.each([undefined, '', 'Bearer', 'Bearer ', 'Basic geheim', 'Bearer ge heim', 'geheim'])('is not asked about for %j', async (header) => {
    const bench = new Bench();
    expect((await bench.guard.refusal(header, METRICS))?.code).toBe(401);
    expect(bench.asked).toEqual([]);
  });

  test('hears which right is missing', async () => {
    const bench = new Bench();
    [bench.tokens, bench.access] = [ANN, { allowed: false }];
    expect((await bench.refusal())?.text).toBe('ann may not get /metrics: it takes a ClusterRole with nonResourceURLs: ["/metrics"] and verbs: ["get"]\n');
  });
});

describe('requests', () => {
  test('that come together with one token share one review of it, and one of each thing that is asked for', async () => {
    const bench = new Bench();
    const wishes = [METRICS, METRICS, { verb: 'get', path: '/' }, METRICS];
    const codes = Promise.all(wishes.map((wish) => bench.code('geheim', wish)));
    expect(kinds(bench)).toEqual(['token']);
    bench.asked[0]?.answer(ANN);
    await settled();
    expect(kinds(bench)).toEqual(['token', 'access', 'access']);
    bench.asked[1]?.answer({ allowed: true });
    bench.asked[2]?.answer({ allowed: false });
    expect(await codes).toEqual([200, 200, 403, 200]);
  });

  test('that come later are answered from memory for half a minute; then it is asked again, and a token that was revoked is no more', async () => {
    const bench = new Bench();
    [bench.tokens, bench.access] = [ANN, { allowed: true }];
    expect(await bench.code()).toBe(200);
    bench.tokens = { authenticated: false };
    bench.clock.advance(29_999);
    expect([await bench.code(), bench.asked.length]).toEqual([200, 2]);
    bench.clock.advance(1);
    expect(await bench.code()).toBe(401);
    expect(kinds(bench)).toEqual(['token', 'access', 'token']);
  });

  test('of a user whose right was taken away are refused after half a minute at the latest', async () => {
    const bench = new Bench();
    [bench.tokens, bench.access] = [ANN, { allowed: true }];
    expect(await bench.code()).toBe(200);
    bench.access = { allowed: false };
    bench.clock.advance(30_000);
    expect(await bench.code()).toBe(403);
  });

  test('that are refused are asked about again after five seconds', async () => {
    const bench = new Bench();
    [bench.tokens, bench.access] = [ANN, { allowed: false }];
    expect(await bench.code()).toBe(403);
    bench.access = { allowed: true };
    bench.clock.advance(4_999);
    expect(await bench.code()).toBe(403);
    bench.clock.advance(1);
    expect(await bench.code()).toBe(200);
  });

  test('with ever new tokens reach the API server 20 times a second, and readers beside them as ever', async () => {
    const bench = new Bench();
    [bench.tokens, bench.access] = [ANN, { allowed: true }];
    expect(await bench.code('reader')).toBe(200);
    bench.tokens = { authenticated: false };
    bench.clock.advance(60_000);
    const codes = await Promise.all(Array.from({ length: 100 }, (_, i) => bench.code(`stranger-${i}`)));
    expect([codes.filter((code) => code === 401).length, codes.filter((code) => code === 503).length]).toEqual([20, 80]);
    bench.tokens = ANN;
    expect(await bench.code('reader')).toBe(200);
  });
});

describe('an API server that cannot be asked', () => {
  test('lets nobody in: 503, until it answers again; the log says each once, without the token', async () => {
    const bench = new Bench();
    bench.access = { allowed: true };
    bench.tokens = new Error('who sent geheim? connect ECONNREFUSED');
    expect([await bench.code(), await bench.code()]).toEqual([503, 503]);
    expect((await bench.refusal())?.text).toMatch(/cannot be checked now, because the API server cannot be asked/);
    bench.tokens = ANN;
    expect([await bench.code(), await bench.code()]).toEqual([200, 200]);
    expect(bench.lines).toEqual([
      'warn bearer tokens cannot be checked, so nobody new is let in to the HTTP surface {"error":"who sent ***? connect ECONNREFUSED"}',
      'info bearer tokens can be checked again {}',
    ]);
  });

  test('keeps nobody waiting for longer than five seconds', async () => {
    const bench = new Bench();
    const code = bench.code();
    await bench.clock.advanceAsync(4_999);
    bench.clock.advance(1);
    expect(await code).toBe(503);
    // Nothing is left of it: the next one asks anew.
    bench.tokens = ANN;
    bench.access = { allowed: true };
    expect(await bench.code()).toBe(200);
  });

  test('does not stop those whom it let in a moment ago', async () => {
    const bench = new Bench();
    [bench.tokens, bench.access] = [ANN, { allowed: true }];
    expect(await bench.code()).toBe(200);
    bench.tokens = bench.access = new Error('away');
    bench.clock.advance(29_999);
    expect(await bench.code()).toBe(200);
    bench.clock.advance(1);
    expect(await bench.code()).toBe(503);
  });

  test('is told apart from one that does not let this program ask', async () => {
    const bench = new Bench();
    bench.tokens = new ApiError('POST /apis/authentication.k8s.io/v1/tokenreviews was refused with 403', { status: 403, reason: 'Forbidden' });
    expect(await bench.code()).toBe(503);
    expect(bench.lines.join()).toMatch(/lacks the rights that kubefold rbac prints for auth\.tokenReview/);
  });

  test('does not hold up the end: those who wait are refused', async () => {
    const bench = new Bench();
    const code = bench.code();
    bench.guard.close();
    expect(await code).toBe(503);
    expect(bench.lines).toEqual([]);
  });
});
