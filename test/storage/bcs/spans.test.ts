import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Words } from '../../../src/json/text.ts';
import { elements, members, stringOf } from '../../../src/storage/bcs/spans.ts';

const WORDS = new Words('a', 'data');
const at = (json: string): (string | undefined)[] | null => members(Buffer.from(json), WORDS)?.map((value) => value?.toString()) ?? null;

test('values are the bytes between their ends, in the order of the words; the last of two of one name counts', () => {
  expect(at(' { "data" : {"x": [1, {"a":2}]} , "a" : 12345678901234567890 } ')).toEqual(['12345678901234567890', '{"x": [1, {"a":2}]}']);
  expect(at('{"a":1,"b":2,"a":3}')).toEqual(['3']);
  expect(at('{"\\u0061":"x"}')).toEqual(['"x"']);
  expect(at('{}')).toEqual([]);
});

test.each(['', ' ', '[]', '1', '{"a":1', '{"a":1}x', '{"a" 1}', '{a:1}', '{"a":1,}'])('%j is not one object', (text) => {
  expect(at(text)).toBeNull();
});

test('elements of an array are their bytes; of what is none there are none', () => {
  expect(elements(Buffer.from(' [ {"a":1} ,"x", [1,2] , 3 ] ')).map(String)).toEqual(['{"a":1}', '"x"', '[1,2]', '3']);
  for (const text of ['[]', ' [ ] ', '{}', '', '[1', '[1,]']) expect(elements(Buffer.from(text))).toEqual([]);
});

test('a text is read with its escapes; what is none is null', () => {
  expect(stringOf(Buffer.from('"a\\u00e4\\n"'))).toBe('aä\n');
  expect(stringOf(Buffer.from('"日本"'))).toBe('日本');
  expect([stringOf(Buffer.from('1')), stringOf(Buffer.from('null')), stringOf(undefined)]).toEqual([null, null, null]);
});

test('what JSON.stringify made is cut as JSON.parse would', () => {
  // Keys with a backslash are left out: JSON.parse of Node 26 misreads keys after one (see src/ARCHITECTURE.md).
  const key = fc.string().filter((text) => !JSON.stringify(text).includes('\\'));
  const value = fc.dictionary(
    key,
    fc.jsonValue({ depthSize: 'small' }).filter((one) => !JSON.stringify(one).includes('\\')),
  );
  fc.assert(
    fc.property(fc.array(value), (list) => {
      expect(elements(Buffer.from(JSON.stringify(list))).map((one) => one.toString())).toEqual(list.map((one) => JSON.stringify(one)));
    }),
  );
});
