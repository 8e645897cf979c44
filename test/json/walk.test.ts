import fc from 'fast-check';
import { expect, test } from 'vitest';
import { viewOf } from '../../src/json/text.ts';
import { hopValue, INCOMPLETE, skipValue } from '../../src/json/walk.ts';
import { anyValue } from './documents.ts';

/** Text of every kind behind a value, so that a hop which misses the end does not find it by luck. */
const after = fc.constantFrom(',"a":[1]}', '}', ' ,"x"', ']]]]', ',]}"\\"]');

test('a hop ends where the walk ends, for any value, and is incomplete wherever the walk is', () => {
  fc.assert(
    fc.property(anyValue({ newlines: false }, 4), after, fc.nat(), (value, rest, cut) => {
      const data = viewOf(Buffer.from(value + rest));
      const isNested = /^["{[]/.test(value);
      const end = skipValue(data, 0, data.byteLength);
      const hopped = hopValue(data, 0, data.byteLength);
      // Of a number or a literal it finds the comma or bracket behind it: space before that is for the reader.
      if (isNested) expect(hopped).toBe(end);
      else expect(hopped).toBe(end + rest.search(/[,\]}]/));
      if (isNested) expect(hopValue(data, 0, cut % end)).toBe(INCOMPLETE);
    }),
    { numRuns: 3_000 },
  );
});

test('a hop over an array tells quotes and brackets inside strings from those outside, at any offset from four', () => {
  const strings = ['', '"', '\\', '\\"', ']', '[', '"]', '\\]', '\\\\', 'k:{"a":["b"]}', 'XYZ^_', 'é]日"😀'];
  const pieces = fc.array(fc.constantFrom(...strings, 'a', 'ab', 'abc'), { maxLength: 4 }).map((some) => some.join(''));
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.array(pieces), fc.dictionary(pieces, pieces)), { maxLength: 6 }), fc.nat(3), after, (value, shift, rest) => {
      const text = Buffer.from(' '.repeat(shift) + JSON.stringify(value));
      const data = viewOf(Buffer.concat([text, Buffer.from(rest)]));
      expect(hopValue(data, shift, data.byteLength)).toBe(text.length);
    }),
    { numRuns: 3_000 },
  );
});
