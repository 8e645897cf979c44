import { describe, expect, test } from 'vitest';
import { ageOf, humanDuration } from '../../src/read/age.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

describe('humanDuration writes durations as kubectl does', () => {
  test.each([
    [-2 * SECOND, '<invalid>'],
    [-1999, '0s'],
    [-1, '0s'],
    [0, '0s'],
    [999, '0s'],
    [74 * SECOND, '74s'],
    [2 * MINUTE - 1, '119s'],
    [2 * MINUTE, '2m'],
    [2 * MINUTE + SECOND, '2m1s'],
    [10 * MINUTE - 1, '9m59s'],
    [10 * MINUTE, '10m'],
    [44 * MINUTE + 59 * SECOND, '44m'],
    [3 * HOUR - 1, '179m'],
    [3 * HOUR, '3h'],
    [3 * HOUR + 5 * MINUTE, '3h5m'],
    [8 * HOUR - 1, '7h59m'],
    [8 * HOUR, '8h'],
    [30 * HOUR, '30h'],
    [2 * DAY - 1, '47h'],
    [2 * DAY, '2d'],
    [3 * DAY + 4 * HOUR, '3d4h'],
    [8 * DAY - 1, '7d23h'],
    [8 * DAY, '8d'],
    [324 * DAY, '324d'],
    [2 * YEAR - 1, '729d'],
    [2 * YEAR, '2y'],
    [2 * YEAR + 5 * DAY, '2y5d'],
    [8 * YEAR - 1, '7y364d'],
    [8 * YEAR, '8y'],
    [9 * YEAR + 200 * DAY, '9y'],
  ])('%d ms is %s', (ms, text) => {
    expect(humanDuration(ms)).toBe(text);
  });
});

test('an age counts from a timestamp to now', () => {
  const nowMs = Date.UTC(2026, 0, 1, 0, 1, 14);
  expect(ageOf('2026-01-01T00:00:00Z', nowMs)).toBe('74s');
  expect(ageOf('2026-01-01T00:00:00.000001Z', nowMs)).toBe('74s');
  expect(ageOf('2026-01-01T00:02:00Z', nowMs)).toBe('<invalid>');
});

test('the age of nothing, and of what is no time, is unknown', () => {
  for (const timestamp of [undefined, null, '', 'soon', 5]) expect(ageOf(timestamp, 0)).toBe('<unknown>');
});
