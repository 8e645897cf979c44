import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonProblem } from '../../src/json/check.ts';

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test('accepts exactly the objects that JSON.parse accepts', () => {
  const mutated = fc
    .tuple(
      fc.json().map((value) => `{"a":${value}}`),
      fc.nat(),
      fc.constantFrom('', '{', '}', ']', '"', '\\', ',', ':', '0', ' ', 'e'),
    )
    .map(([text, at, insert]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + insert + text.slice(place + (insert === '' ? 1 : 0));
    });
  fc.assert(
    fc.property(mutated, (text) => {
      expect(jsonProblem(Buffer.from(text)) === null).toBe(text.trimStart().startsWith('{') && isJson(text));
    }),
    { numRuns: 2_000 },
  );
});

test('says what is wrong', () => {
  expect(jsonProblem(Buffer.from('{"a":1'))).toBe('the JSON ends too early');
  expect(jsonProblem(Buffer.from('{} {}'))).toBe('something follows the JSON');
  expect(jsonProblem(Buffer.from('{"a":]}'))).toContain('found');
  expect(jsonProblem(Buffer.from(''))).toBe('the JSON ends too early');
});
