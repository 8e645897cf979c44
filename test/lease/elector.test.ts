import { describe, expect, test } from 'vitest';
import { Elector, type LeaseTimings, type Step } from '../../src/lease/elector.ts';
import { type LeaseRecord, microTime, readLease, type SeenLease, writeLease } from '../../src/lease/record.ts';
import { seededRandom } from '../../src/kit/random.ts';
import { LeaseServer } from './lease-server.ts';

const TIMINGS: LeaseTimings = { leaseMs: 15_000, renewMs: 10_000, retryMs: 2_000 };
const PLACE = { namespace: 'ops', name: 'kubefold' };
const WALL = Date.parse('2026-03-04T05:06:07.089Z');

const elector = (identity = 'me', timings = TIMINGS): Elector => new Elector({ identity, place: PLACE, timings, random: seededRandom(1) });

const record = (more: Partial<LeaseRecord> = {}): LeaseRecord => ({
  holder: 'other',
  durationMs: 15_000,
  transitions: 4,
  acquireTime: microTime(WALL - 60_000),
  renewTime: microTime(WALL - 1_000),
  ...more,
});

const seen = (more: Partial<LeaseRecord> = {}, version = '7'): SeenLease => {
  const stored = writeLease(record(more), PLACE, null) as { metadata: object };
  return readLease({ ...stored, metadata: { ...stored.metadata, resourceVersion: version, labels: { team: 'a' } } });
};

/** What a step sends, as a record; null when it sends nothing. */
function sent(step: Step): LeaseRecord | null {
  return 'lease' in step ? readLease({ metadata: { resourceVersion: '' }, ...writeLeaseless(step.lease) }).record : null;
}
const writeLeaseless = (lease: object): object => ({ ...lease, metadata: { resourceVersion: '' } });

/** Lets it read `lease` at `now`, and returns what it does then. */
function afterReading(one: Elector, lease: SeenLease | null, now = 0): Step {
  expect(one.next(now, WALL)).toMatchObject({ do: 'read' });
  one.seen(now, lease);
  return one.next(now, WALL);
}

/** A leader since 0 with epoch 5. */
function leader(): Elector {
  const one = elector();
  expect(afterReading(one, seen({ holder: '' }))).toMatchObject({ do: 'update' });
  one.written(0, seen({ holder: 'me', transitions: 5 }, '8'));
  expect(one.role).toBe('leader');
  return one;
}

describe('a candidate that has read the lease', () => {
  const mine = { holder: 'me', durationMs: 15_000, acquireTime: microTime(WALL), renewTime: microTime(WALL) };
  test.each<[string, SeenLease | null, 'create' | 'update' | 'wait', Partial<LeaseRecord> | null]>([
    ['makes one when there is none', null, 'create', { ...mine, transitions: 0 }],
    [
      'takes one that nobody has filled in',
      readLease({ metadata: { name: 'kubefold', resourceVersion: '1' }, spec: {} }),
      'update',
      { ...mine, transitions: 1 },
    ],
    ['takes one that was released, and counts a transition', seen({ holder: '' }), 'update', { ...mine, transitions: 5 }],
    [
      'takes its own without counting one, as it was acquired',
      seen({ holder: 'me' }),
      'update',
      { ...mine, transitions: 4, acquireTime: record().acquireTime },
    ],
    ['waits for a foreign one that it sees for the first time, however old its times are', seen({ renewTime: microTime(0) }), 'wait', null],
  ])('%s', (_, lease, does, writes) => {
    const step = afterReading(elector(), lease);
    expect(step.do).toBe(does);
    if (writes === null) expect(sent(step)).toBeNull();
    else expect(sent(step)).toEqual(writes);
  });

  test('keeps what others wrote into the object, and its version', () => {
    const step = afterReading(elector(), seen({ holder: '' }));
    expect(step).toMatchObject({ lease: { metadata: { resourceVersion: '7', labels: { team: 'a' } } } });
  });

  test('judges by its own clock since it saw the record change, with the duration in the record', () => {
    const one = elector();
    expect(afterReading(one, seen({ durationMs: 40_000 }), 1_000)).toMatchObject({ do: 'wait' });
    one.knock(30_000);
    expect(afterReading(one, seen({ durationMs: 40_000, renewTime: microTime(WALL) }), 30_000)).toMatchObject({ do: 'wait' });
    one.knock(69_999);
    expect(afterReading(one, seen({ durationMs: 40_000, renewTime: microTime(WALL) }), 69_999)).toMatchObject({ do: 'wait' });
    one.knock(70_000);
    expect(sent(afterReading(one, seen({ durationMs: 40_000, renewTime: microTime(WALL) }), 70_000))).toMatchObject({ holder: 'me', transitions: 5 });
  });

  test('comes every retry with jitter, and when the lease runs out', () => {
    const waits: number[] = [];
    const one = elector();
    let now = 0;
    for (let n = 0; n < 40; n++) {
      const step = afterReading(one, seen(), now);
      if (step.do !== 'wait') break;
      waits.push(step.ms);
      now += step.ms;
    }
    expect(now).toBeGreaterThanOrEqual(15_000);
    expect(now).toBeLessThan(15_000 + 0.15 * 2_000);
    for (const ms of waits.slice(0, -1)) expect(ms).toBeGreaterThanOrEqual(2_000);
    for (const ms of waits) expect(ms).toBeLessThanOrEqual(2_000 * 2.2);
  });

  test('looks at once when somebody wrote to the lease', () => {
    const one = elector();
    expect(afterReading(one, seen())).toMatchObject({ do: 'wait' });
    one.knock(100);
    expect(sent(afterReading(one, seen({ holder: '' }, '9'), 100))).toMatchObject({ holder: 'me', transitions: 5 });
  });

  test('who lost the race for it waits like any other', () => {
    const one = elector();
    afterReading(one, null);
    one.failed(0, 'conflict');
    expect(one.role).toBe('candidate');
    expect(one.next(0, WALL)).toMatchObject({ do: 'wait' });
  });

  test('a write that took longer than others trust is made once more before it counts', () => {
    const one = elector();
    afterReading(one, null);
    one.written(10_000, seen({ holder: 'me', transitions: 0 }));
    expect(one.role).toBe('candidate');
    expect(sent(afterReading(one, seen({ holder: 'me', transitions: 0 }), 10_000))).toMatchObject({ transitions: 0 });
    one.written(10_010, seen({ holder: 'me', transitions: 0 }, '9'));
    expect(one).toMatchObject({ role: 'leader', epoch: 0 });
  });
});

describe('a leader', () => {
  test('renews every retry without reading, and keeps when it acquired and how often the holder changed', () => {
    const one = leader();
    expect(one.epoch).toBe(5);
    expect(one.next(1_999, WALL)).toEqual({ do: 'wait', ms: 1 });
    const step = one.next(2_000, WALL + 2_000);
    expect(sent(step)).toEqual({ ...record(), holder: 'me', transitions: 5, renewTime: microTime(WALL + 2_000) });
    one.written(2_010, seen({ holder: 'me', transitions: 5 }, '9'));
    expect(one.next(2_010, WALL)).toEqual({ do: 'wait', ms: 1_990 });
    expect(one.slowPaths).toBe(0);
  });

  test('reads after an error, and then writes (the slow path)', () => {
    const one = leader();
    one.next(2_000, WALL);
    one.failed(2_100, 'conflict');
    expect(one.slowPaths).toBe(1);
    expect(sent(afterReading(one, seen({ holder: 'me', transitions: 5 }, '12'), 2_100))).toMatchObject({ holder: 'me', transitions: 5 });
    one.written(2_200, seen({ holder: 'me', transitions: 5 }, '13'));
    expect(one.next(4_100, WALL)).toMatchObject({ do: 'update', lease: { metadata: { resourceVersion: '13' } } });
  });

  test('gives up when it could not renew in time, counted from when the last renewal was sent', () => {
    const one = leader();
    one.next(2_000, WALL);
    one.written(6_000, seen({ holder: 'me', transitions: 5 }, '9'));
    expect(one.isValid(11_999)).toBe(true);
    expect(one.isValid(12_000)).toBe(false);
    for (let now = 6_000; now < 12_000; ) {
      const step = one.next(now, WALL);
      if (step.do === 'wait') now += step.ms;
      else {
        expect('withinMs' in step && step.withinMs).toBeLessThanOrEqual(12_000 - now);
        now += 500;
        one.failed(now, 'error');
      }
    }
    expect(one.next(12_000, WALL)).toEqual({ do: 'stop' });
    expect(one).toMatchObject({ role: 'lost', why: 'it could not be renewed for 10 s' });
  });

  test('that was frozen knows it before it does anything else', () => {
    const one = leader();
    expect(one.next(60_000, WALL)).toEqual({ do: 'stop' });
    expect(one.role).toBe('lost');
  });

  test('ends at once when it reads that another holds the lease', () => {
    const one = leader();
    one.next(2_000, WALL);
    one.failed(2_100, 'conflict');
    one.next(2_100, WALL);
    one.seen(2_110, seen({ holder: 'other', transitions: 6 }));
    expect(one).toMatchObject({ role: 'lost', why: 'other holds it now' });
    expect(one.isValid(2_110)).toBe(false);
  });

  test('whose lease was deleted makes it again with the epoch that it has', () => {
    const one = leader();
    one.next(2_000, WALL);
    one.failed(2_100, 'error');
    const step = afterReading(one, null, 2_100);
    expect(step.do).toBe('create');
    expect(sent(step)).toMatchObject({ holder: 'me', transitions: 5 });
  });

  test('raises its epoch at once, also when a renewal is under way just then', () => {
    const one = leader();
    one.next(2_000, WALL);
    one.raise(2_000, 42);
    one.written(2_010, seen({ holder: 'me', transitions: 5 }, '9'));
    expect(sent(one.next(2_010, WALL))).toMatchObject({ transitions: 42 });
    one.written(2_020, seen({ holder: 'me', transitions: 42 }, '10'));
    expect(one.epoch).toBe(42);
    expect(sent(one.next(4_010, WALL))).toMatchObject({ transitions: 42 });
  });
});

describe('the release', () => {
  test('reads anew, then writes nobody with a duration of 1 s, and keeps the transitions', () => {
    const one = leader();
    one.release(500);
    const step = afterReading(one, seen({ holder: 'me', transitions: 5 }, '20'), 500);
    expect(sent(step)).toMatchObject({ holder: '', durationMs: 1_000, transitions: 5 });
    one.written(510, seen({ holder: '', transitions: 5 }));
    expect(one.role).toBe('released');
    expect(one.next(510, WALL)).toEqual({ do: 'stop' });
  });

  test.each([
    ['there is none', null],
    ['another holds it', seen({ holder: 'other' })],
    ['it was released already', seen({ holder: '' })],
  ])('writes nothing when %s', (_, lease) => {
    const one = leader();
    one.release(500);
    one.next(500, WALL);
    one.seen(510, lease);
    expect(one.role).toBe('released');
    expect(one.next(510, WALL)).toEqual({ do: 'stop' });
  });

  test('begins again after a conflict, and waits for a renewal that is under way', () => {
    const one = leader();
    one.next(2_000, WALL);
    one.release(2_001);
    one.written(2_010, seen({ holder: 'me', transitions: 5 }, '9'));
    afterReading(one, seen({ holder: 'me', transitions: 5 }, '9'), 2_010);
    one.failed(2_020, 'conflict');
    expect(sent(afterReading(one, seen({ holder: 'me', transitions: 5 }, '10'), 2_020))).toMatchObject({ holder: '' });
  });

  test('of a candidate asks for nothing', () => {
    const one = elector();
    one.release(0);
    expect(one.next(0, WALL)).toEqual({ do: 'stop' });
  });

  test.each<[string, (one: Elector) => void]>([
    ['it was taken', (one) => one.written(20, seen({ holder: 'me', transitions: 5 }, '8'))],
    ['there was no answer', (one) => one.failed(20, 'error')],
  ])('of a candidate that is taking it just then reads it, and gives it back: %s', (_, arrive) => {
    const one = elector();
    expect(afterReading(one, seen({ holder: '' }))).toMatchObject({ do: 'update' });
    one.release(10);
    arrive(one);
    expect(one.role).toBe('candidate');
    const step = afterReading(one, seen({ holder: 'me', transitions: 5 }, '8'), 20);
    expect(sent(step)).toMatchObject({ holder: '', transitions: 5 });
    one.written(30, seen({ holder: '', transitions: 5 }));
    expect(one.role).toBe('released');
  });

  test('of a candidate that another one forestalled ends with a look', () => {
    const one = elector();
    afterReading(one, seen({ holder: '' }));
    one.release(10);
    one.failed(20, 'conflict');
    expect(afterReading(one, seen({ holder: 'other' }), 20)).toEqual({ do: 'stop' });
    expect(one.role).toBe('released');
  });
});

test('what was seen of the lease before counts: it takes one that has run out at its first look, but not one that changed since', () => {
  const known = { lease: seen({}, '7'), changedAt: 0 };
  const candidate = (): Elector => new Elector({ identity: 'me', place: PLACE, timings: TIMINGS, random: seededRandom(1), known });
  expect(afterReading(candidate(), seen({}, '7'), 14_999)).toMatchObject({ do: 'wait' });
  expect(afterReading(candidate(), seen({}, '7'), 15_000)).toMatchObject({ do: 'update' });
  expect(afterReading(candidate(), seen({ renewTime: microTime(WALL) }, '8'), 15_000)).toMatchObject({ do: 'wait' });
});

test('labels are given to a Lease, beside those that others gave it', () => {
  const place = { ...PLACE, labels: { 'kubefold.io/election': 'copy' } };
  expect(writeLease(record(), place, null)).toMatchObject({ metadata: { name: 'kubefold', labels: { 'kubefold.io/election': 'copy' } } });
  expect(writeLease(record(), place, seen())).toMatchObject({ metadata: { resourceVersion: '7', labels: { team: 'a', 'kubefold.io/election': 'copy' } } });
});

test.each([
  [{ leaseMs: 10_000, renewMs: 10_000, retryMs: 2_000 }, 'the lease must last longer'],
  [{ leaseMs: 15_000, renewMs: 2_400, retryMs: 2_000 }, 'must be given more than 1.2 times the retry'],
  [{ leaseMs: 15_000, renewMs: 10_000, retryMs: 0 }, 'the retry must be more than 0'],
])('timings %j are refused', (timings, why) => {
  expect(() => elector('me', timings)).toThrow(why);
});

test('an empty identity is refused', () => {
  expect(() => elector('')).toThrow('the identity must not be empty');
});

test('times in a Lease have the six digits that the API server insists on, and a record survives the way there and back', () => {
  expect(microTime(WALL)).toBe('2026-03-04T05:06:07.089000Z');
  const server = new LeaseServer();
  const stored = server.create(writeLease(record(), PLACE, null));
  expect(stored?.record).toEqual(record());
  expect(server.update(writeLease(record({ holder: 'x' }), PLACE, stored))?.record).toEqual(record({ holder: 'x' }));
  expect(server.update(writeLease(record({ holder: 'y' }), PLACE, stored)), 'an update that names an older version').toBeNull();
  expect(() => readLease({ kind: 'Status' })).toThrow('no Lease');
});
