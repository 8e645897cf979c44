import { asBuffer, decodeString, viewOf, type Words } from '../../json/text.ts';
import { INCOMPLETE, skipColon, skipKey, skipSpace, skipValue } from '../../json/walk.ts';

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const QUOTE = 0x22;

/*
 * Values inside JSON text, as the bytes that they are: what the service answers is handed on without being decoded and encoded again, so large
 * numbers and the order of keys stay.
 */

/** The values of some members of an object, in the order of the words; undefined for those that it has not. Null when the bytes are not one JSON object. */
export function members(bytes: Uint8Array, words: Words): readonly (Buffer | undefined)[] | null {
  const buffer = asBuffer(bytes);
  const view = viewOf(buffer);
  const end = buffer.length;
  try {
    let at = skipSpace(view, 0, end);
    if (at >= end || buffer[at] !== OPEN_BRACE) return null;
    const whole = skipValue(view, at, end);
    if (whole === INCOMPLETE || skipSpace(view, whole, end) !== end) return null;
    const found: (Buffer | undefined)[] = [];
    at = skipSpace(view, at + 1, end);
    while (buffer[at] !== CLOSE_BRACE) {
      const keyEnd = skipKey(view, at, end);
      const from = skipColon(view, keyEnd, end);
      const to = skipValue(view, from, end);
      const which = words.indexOf(buffer, at, keyEnd);
      if (which !== -1) found[which] = buffer.subarray(from, to);
      at = skipSpace(view, to, end);
      if (buffer[at] === COMMA) at = skipSpace(view, at + 1, end);
    }
    return found;
  } catch {
    return null;
  }
}

/** The elements of an array; none when the bytes are no JSON array. */
export function elements(bytes: Uint8Array): readonly Buffer[] {
  const buffer = asBuffer(bytes);
  const view = viewOf(buffer);
  const end = buffer.length;
  const found: Buffer[] = [];
  try {
    let at = skipSpace(view, 0, end);
    if (buffer[at] !== OPEN_BRACKET || skipValue(view, at, end) === INCOMPLETE) return [];
    at = skipSpace(view, at + 1, end);
    while (buffer[at] !== CLOSE_BRACKET) {
      const to = skipValue(view, at, end);
      found.push(buffer.subarray(at, to));
      at = skipSpace(view, to, end);
      if (buffer[at] === COMMA) at = skipSpace(view, at + 1, end);
    }
    return found;
  } catch {
    return [];
  }
}

/** The text that a value is, or null when it is none. */
export function stringOf(value: Buffer | undefined): string | null {
  return value === undefined || value[0] !== QUOTE ? null : decodeString(value, 0, value.length);
}
