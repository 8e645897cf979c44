import { describe, expect, test } from 'vitest';
import { formatReport, formatTable, isWithin, median, medianRatio, quantile, shown } from '../../src/bench/report.ts';

describe('figures', () => {
  test('the median is the middle value, or the mean of both middles', () => {
    expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([5])]).toEqual([2, 2.5, 5]);
    expect(median([])).toBeNaN();
  });

  test('a quantile is the value below which that share lies', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1)]).toEqual([51, 100, 100]);
  });

  test('a ratio compares each round with itself, so that a disturbance of both does not count', () => {
    expect(medianRatio([1, 10, 1], [2, 20, 2])).toBe(0.5);
  });

  test('three digits that mean something are shown', () => {
    expect([0.791, 12.34, 123.4, 1_234.5, 3, Number.NaN].map(shown)).toEqual(['0.79', '12.3', '123', '1,235', '3', 'unknown']);
  });
});

describe('a report', () => {
  test('an answer is held against its bar, and one without a bar against nothing', () => {
    expect(isWithin({ name: '', value: 0.8, unit: '', bar: { atMost: 0.8 } })).toBe(true);
    expect(isWithin({ name: '', value: 4.9, unit: '', bar: { atLeast: 5 } })).toBe(false);
    expect(isWithin({ name: '', value: 1, unit: '' })).toBeNull();
  });

  test('a figure that could not be measured meets no bar', () => {
    expect(isWithin({ name: '', value: Number.NaN, unit: '', bar: { atMost: 1 } })).toBe(false);
  });

  test('it prints the question, the figures, the answers with what was asked, and the notes', () => {
    const text = formatReport({
      question: 'How fast?',
      table: [
        ['', 'a second'],
        ['ours', '5'],
      ],
      answers: [{ name: 'rate', value: 5, unit: 'times', bar: { atLeast: 6 } }],
      notes: ['Both warm.'],
    });
    expect(text).toBe('How fast?\n\n        a second\n  ours         5\n\n  rate: 5 times   asked: at least 6, NOT met\n\n  Both warm.\n');
  });

  test('columns are as wide as their widest cell, rows may be short', () => {
    expect(formatTable([['a', 'bb'], ['ccc']])).toBe('  a    bb\n  ccc\n');
  });
});
