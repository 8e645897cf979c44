import fc from 'fast-check';
import { expect, test } from 'vitest';
import { indentJson } from '../../src/read/indent.ts';

test('any JSON is laid out as JSON.stringify does with four blanks', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (text) => {
      const value: unknown = JSON.parse(text);
      expect(indentJson(JSON.stringify(value))).toBe(JSON.stringify(value, null, 4));
    }),
  );
});

test('numbers of any size, the order of keys and escapes stay as they are', () => {
  const text = String.raw`{"b":12345678901234567890,"a":[1.0,-0,1e400],"c":"\u00e9\"{}[],:","d":{},"e":[]}`;
  const laidOut = indentJson(text);
  expect(laidOut.replace(/\n */g, '').replaceAll('": ', '":')).toBe(text);
});

test('a text of megabytes in one value is no trouble', () => {
  const text = JSON.stringify({ data: '\\"x'.repeat(1_000_000) });
  expect(indentJson(text)).toHaveLength(text.length + '\n    '.length + ' '.length + '\n'.length);
});
