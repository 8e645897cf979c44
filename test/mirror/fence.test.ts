import { describe, expect, test } from 'vitest';
import { type FenceRule, holdReason, judge, releaseReason, unclaimedRule } from '../../src/mirror/fence.ts';

const DEFAULT: FenceRule = { maxDeleteShare: 0.3, minObjects: 50, confirmAfterSeconds: null };

describe('a pass of deletions', () => {
  test.each<[string, Partial<FenceRule>, number, number, 'delete' | 'hold']>([
    ['a few of many', {}, 10, 100, 'delete'],
    ['exactly the share', {}, 30, 100, 'delete'],
    ['one more than the share', {}, 31, 100, 'hold'],
    ['everything', {}, 100, 100, 'hold'],
    ['everything of a small kind', {}, 49, 49, 'delete'],
    ['everything of the smallest kind that is fenced', {}, 50, 50, 'hold'],
    ['exactly the share where a product would be rounded up', { maxDeleteShare: 0.1, minObjects: 1 }, 3, 30, 'delete'],
    ['exactly the share where a product would be rounded down', { maxDeleteShare: 0.29, minObjects: 1 }, 29, 100, 'delete'],
    ['everything with a share of 1', { maxDeleteShare: 1 }, 1_000_000, 1_000_000, 'delete'],
    ['one row with a share of 0', { maxDeleteShare: 0 }, 1, 1_000, 'hold'],
    ['one row of a small kind with a share of 0', { maxDeleteShare: 0 }, 1, 49, 'delete'],
    ['the only row when every kind is fenced', { minObjects: 0 }, 1, 1, 'hold'],
  ])('%s', (_, changes, absent, known, verdict) => {
    expect(judge({ ...DEFAULT, ...changes }, absent, known)).toBe(verdict);
  });

  test('is held by every rule that is at least as strict as one that holds it', () => {
    for (let known = 1; known <= 60; known++) {
      for (let absent = 1; absent <= known; absent++) {
        const shares = [0, 0.1, 0.3, 0.5, 1].map((maxDeleteShare) => judge({ ...DEFAULT, minObjects: 10, maxDeleteShare }, absent, known));
        expect(shares.lastIndexOf('hold'), `${absent} of ${known}`).toBe(shares.filter((verdict) => verdict === 'hold').length - 1);
        expect(shares.at(-1)).toBe('delete');
      }
    }
  });
});

test('rows of another program, of a kind that nobody asks for, are held however few they are and whatever the fence allows, and go on only when it says after how long', () => {
  const rule = unclaimedRule({ ...DEFAULT, maxDeleteShare: 1 });
  expect([judge(rule, 1, 1), judge(rule, 1, 1_000), judge(rule, 0, 5)]).toEqual(['hold', 'hold', 'delete']);
  expect(holdReason(rule, 1, 1)).toBe('another program has stored these rows, and no rule here is about their kind');
  const pass = { absent: 1, known: 1, at: 0 };
  expect(releaseReason(pass, rule, 1e12)).toBe(null);
  expect(releaseReason(pass, unclaimedRule({ ...DEFAULT, confirmAfterSeconds: 5 }), 5_000)).toMatch(/confirmAfterSeconds/);
});

describe('a held pass goes on', () => {
  const pass = { absent: 40, known: 100, at: 5_000 };
  test.each<[string, Partial<FenceRule>, number, RegExp | null]>([
    ['not by itself', {}, 1e12, null],
    ['not before its time', { confirmAfterSeconds: 60 }, 64_999, null],
    ['when its time has come', { confirmAfterSeconds: 60 }, 65_000, /confirmAfterSeconds: 60/],
    ['at once with a time of 0', { confirmAfterSeconds: 0 }, 5_000, /confirmAfterSeconds: 0/],
    ['when the share is raised to what it was', { maxDeleteShare: 0.4 }, 5_000, /fence was changed/],
    ['not when the share is raised to less', { maxDeleteShare: 0.39 }, 5_000, null],
    ['when the fence no longer covers so few rows', { minObjects: 101 }, 5_000, /fence was changed/],
  ])('%s', (_, changes, now, reason) => {
    const found = releaseReason(pass, { ...DEFAULT, ...changes }, now);
    if (reason === null) expect(found).toBeNull();
    else expect(found).toMatch(reason);
  });
});

test('the reason names the rule, its value and what was found', () => {
  expect(holdReason(DEFAULT, 40, 60)).toBe('40 of 60 rows (66.6 %) would go at once, and fence.maxDeleteShare allows 30 % of a kind with 50 rows or more');
  expect(holdReason({ ...DEFAULT, maxDeleteShare: 0.07 }, 8, 100)).toContain('allows 7 % of');
});
