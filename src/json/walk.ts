import { JsonError, nameOfByte } from './error.ts';

/*
 * The grammar of RFC 8259 as a walk over bytes. Every function takes an offset and returns the offset just after what it
 * walked, or INCOMPLETE when the data ends first; malformed input throws JsonError with an offset from the start of `data`.
 *
 * All of the grammar is checked: what is walked over here without an error is accepted by JSON.parse, given valid UTF-8
 * (which nobody checks: the API server encodes it). Checking keys, commas, numbers, literals and escapes costs a third more
 * than counting brackets and quotes (4.2 against 3.1 µs for a pod of 3.9 KB, byte by byte), and keeps out of the database
 * what the database would refuse. Nothing here allocates, recurses or takes a closure.
 *
 * The data is a DataView because it can be read four bytes at a time at any offset (3.7 against 4.6 µs for the same pod),
 * and because every load then sees one hidden class, whether the bytes are a Buffer or a plain Uint8Array.
 */

/** The data ended before the value did. No offset is negative. */
export const INCOMPLETE = -1;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LETTER_U = 0x75;
const SPACE = 0x20;

/** What skipValue waits for. */
const VALUE = 0;
const KEY = 1;
const COMMA_OR_CLOSE = 2;
const KEY_OR_CLOSE = 3;
const VALUE_OR_CLOSE = 4;
const EXPECTED = ['a value', 'a key', '"," or the bracket that closes', 'a key or "}"', 'a value or "]"'];

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');

/** 1 for the bytes that may follow a backslash. */
const ESCAPED = new Uint8Array(256);
for (const letter of '"\\/bfnrtu') ESCAPED[letter.charCodeAt(0)] = 1;

const HEX = new Uint8Array(256);
for (const letter of '0123456789abcdefABCDEF') HEX[letter.charCodeAt(0)] = 1;

/**
 * The brackets around the one that is open, a byte for each level. Shared by all walks, which never nest and never wait;
 * grows to the deepest document ever seen.
 */
let brackets = new Uint8Array(1024);

export function fail(data: DataView, at: number, expected: string): never {
  throw new JsonError({ offset: at, expected, found: nameOfByte(data.getUint8(at)) });
}

/** The first offset from `at` on that is not white space; `end` when there is none. */
export function skipSpace(data: DataView, at: number, end: number): number {
  let i = at;
  while (i < end && isSpace(data.getUint8(i))) i++;
  return i;
}

/** Walks the key that must begin at `at`: a string. */
export function skipKey(data: DataView, at: number, end: number): number {
  if (at >= end) return INCOMPLETE;
  if (data.getUint8(at) !== QUOTE) fail(data, at, 'a key');
  return skipRestOfString(data, at + 1, end);
}

/** From just after a key over the colon to the first byte of the value. */
export function skipColon(data: DataView, at: number, end: number): number {
  let i = skipSpace(data, at, end);
  if (i >= end) return INCOMPLETE;
  if (data.getUint8(i) !== COLON) fail(data, i, '":" after a key');
  i = skipSpace(data, i + 1, end);
  return i < end ? i : INCOMPLETE;
}

/**
 * Walks one value of any type that begins at `at` or after white space from there. A number is complete only when a
 * further byte follows it.
 */
export function skipValue(data: DataView, at: number, end: number): number {
  let i = at;
  let awaited = VALUE;
  /** The innermost open bracket, 0 outside; the ones around it are in `brackets`. */
  let open = 0;
  let depth = 0;
  while (i < end) {
    let c = data.getUint8(i++);
    if (c === QUOTE) {
      if (awaited === COMMA_OR_CLOSE) fail(data, i - 1, EXPECTED[awaited] as string);
      while (i + 4 <= end && !isSpecialIn(data.getInt32(i, true))) i += 4;
      while (i < end) {
        c = data.getUint8(i);
        if (c === QUOTE || c === BACKSLASH || c < SPACE) break;
        i++;
      }
      i = c === QUOTE && i < end ? i + 1 : skipRestOfString(data, i, end);
      if (i === INCOMPLETE) return INCOMPLETE;
      if (awaited === KEY || awaited === KEY_OR_CLOSE) {
        if (i < end && data.getUint8(i) === COLON) i++;
        else i = skipColon(data, i, end);
        if (i === INCOMPLETE) return INCOMPLETE;
        awaited = VALUE;
      } else {
        if (depth === 0) return i;
        awaited = COMMA_OR_CLOSE;
      }
    } else if (c === COMMA) {
      if (awaited !== COMMA_OR_CLOSE) fail(data, i - 1, EXPECTED[awaited] as string);
      awaited = open === OPEN_BRACE ? KEY : VALUE;
    } else if (c === OPEN_BRACE || c === OPEN_BRACKET) {
      if (awaited !== VALUE && awaited !== VALUE_OR_CLOSE) fail(data, i - 1, EXPECTED[awaited] as string);
      if (depth === brackets.length) growBrackets();
      brackets[depth++] = open;
      open = c;
      awaited = c === OPEN_BRACE ? KEY_OR_CLOSE : VALUE_OR_CLOSE;
    } else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) {
      // An opening bracket and its closing one differ by two, for both kinds.
      if (c !== open + 2 || awaited === KEY || awaited === VALUE) fail(data, i - 1, EXPECTED[awaited] as string);
      open = brackets[--depth] as number;
      if (depth === 0) return i;
      awaited = COMMA_OR_CLOSE;
    } else if (!isSpace(c)) {
      if (awaited !== VALUE && awaited !== VALUE_OR_CLOSE) fail(data, i - 1, EXPECTED[awaited] as string);
      i = skipScalar(data, i - 1, end);
      if (i === INCOMPLETE || depth === 0) return i;
      awaited = COMMA_OR_CLOSE;
    }
  }
  return INCOMPLETE;
}

/**
 * Finds the end of one value by counting quotes and brackets, and nothing else: for what somebody else will check. Never throws; for what is no
 * JSON the end it finds means nothing.
 */
export function hopValue(data: DataView, at: number, end: number): number {
  if (at < end && data.getUint8(at) === OPEN_BRACKET) return hopArray(data, at, end);
  let i = at;
  let depth = 0;
  while (i < end) {
    const c = data.getUint8(i++);
    if (c === QUOTE) {
      i = hopRestOfString(data, i, end);
      if (i === INCOMPLETE || depth === 0) return i;
    } else if ((c | 0x20) === OPEN_BRACE) {
      depth++;
    } else if ((c | 0x20) === CLOSE_BRACE) {
      // A scalar ends where the bracket around it closes.
      if (depth === 0) return i - 1;
      if (--depth === 0) return i;
    } else if (depth === 0 && c === COMMA) {
      return i - 1;
    }
  }
  return INCOMPLETE;
}

/**
 * The same for an array, which begins at `at`: it ends where its square brackets are even, whatever its braces do. Four bytes without a square
 * bracket or a backslash can only turn "inside a string" around, once for each quote; so managedFields, which are all quotes and braces, need
 * no branch for either: 0.93 µs for 3 KB of them, where skipping string by string takes 2.15.
 */
function hopArray(data: DataView, at: number, end: number): number {
  let i = at + 1;
  let depth = 1;
  let isInside = false;
  for (;;) {
    // The highest bit of each byte: whether there were an odd number of quotes in its place.
    let quotes = 0;
    while (i + 4 <= end) {
      const x = data.getInt32(i, true);
      if (isBracketIn(x)) break;
      quotes ^= quotesIn(x);
      i += 4;
    }
    quotes ^= quotes >>> 16;
    quotes ^= quotes >>> 8;
    if ((quotes & 0x80) !== 0) isInside = !isInside;
    if (i >= end) return INCOMPLETE;
    for (const after = Math.min(i + 4, end); i < after; ) {
      const c = data.getUint8(i++);
      if (c === QUOTE) isInside = !isInside;
      else if (c === BACKSLASH) i++;
      else if (isInside) continue;
      else if (c === OPEN_BRACKET) depth++;
      else if (c === CLOSE_BRACKET && --depth === 0) return i;
    }
  }
}

/** As skipRestOfString, but checks nothing. */
function hopRestOfString(data: DataView, at: number, end: number): number {
  let i = at;
  for (;;) {
    while (i + 4 <= end && !isQuoteIn(data.getInt32(i, true))) i += 4;
    for (const after = Math.min(i + 4, end); i < after; ) {
      const c = data.getUint8(i++);
      if (c === QUOTE) return i;
      if (c === BACKSLASH) i++;
    }
    if (i >= end) return INCOMPLETE;
  }
}

/** From anywhere inside a string, but not inside an escape, to just after its closing quote. */
function skipRestOfString(data: DataView, at: number, end: number): number {
  let i = at;
  for (;;) {
    while (i + 4 <= end && !isSpecialIn(data.getInt32(i, true))) i += 4;
    if (i >= end) return INCOMPLETE;
    const c = data.getUint8(i);
    if (c === QUOTE) return i + 1;
    if (c < SPACE) fail(data, i, 'no control character inside a string');
    i++;
    if (c !== BACKSLASH) continue;
    if (i >= end) return INCOMPLETE;
    const letter = data.getUint8(i);
    if (ESCAPED[letter] !== 1) fail(data, i, 'an escape character');
    i++;
    if (letter !== LETTER_U) continue;
    for (const after = i + 4; i < after; i++) {
      if (i >= end) return INCOMPLETE;
      if (HEX[data.getUint8(i)] !== 1) fail(data, i, 'a hexadecimal digit');
    }
  }
}

function skipScalar(data: DataView, at: number, end: number): number {
  const c = data.getUint8(at);
  if (c === TRUE[0]) return skipWord(data, at, end, TRUE);
  if (c === FALSE[0]) return skipWord(data, at, end, FALSE);
  if (c === NULL[0]) return skipWord(data, at, end, NULL);
  if (c === MINUS || isDigit(c)) return skipNumber(data, at, end);
  return fail(data, at, 'a value');
}

function skipWord(data: DataView, at: number, end: number, word: Buffer): number {
  for (let k = 0; k < word.length; k++) {
    if (at + k >= end) return INCOMPLETE;
    if (data.getUint8(at + k) !== word[k]) fail(data, at + k, `"${word.toString('latin1')}"`);
  }
  return at + word.length;
}

function skipNumber(data: DataView, at: number, end: number): number {
  let i = at;
  if (data.getUint8(i) === MINUS) i++;
  if (i < end && data.getUint8(i) === ZERO) i++;
  else i = skipDigits(data, i, end);
  if (i === INCOMPLETE || i >= end) return INCOMPLETE;
  if (data.getUint8(i) === DOT) i = skipDigits(data, i + 1, end);
  if (i === INCOMPLETE) return INCOMPLETE;
  const c = data.getUint8(i);
  if (c !== 0x65 && c !== 0x45) return i;
  if (++i >= end) return INCOMPLETE;
  if (data.getUint8(i) === PLUS || data.getUint8(i) === MINUS) i++;
  return skipDigits(data, i, end);
}

/** At least one digit, and a byte after the last one. */
function skipDigits(data: DataView, at: number, end: number): number {
  let i = at;
  while (i < end && isDigit(data.getUint8(i))) i++;
  if (i >= end) return INCOMPLETE;
  if (i === at) fail(data, i, 'a digit');
  return i;
}

/** Whether one of the four bytes of `x` is a quote, a backslash or a control character: the test for a zero byte of "Hacker's Delight", three times. */
function isSpecialIn(x: number): boolean {
  const quote = x ^ 0x22222222;
  const backslash = x ^ 0x5c5c5c5c;
  return ((((quote - 0x01010101) & ~quote) | ((backslash - 0x01010101) & ~backslash) | ((x - 0x20202020) & ~x)) & 0x80808080) !== 0;
}

/** Whether one of the four bytes of `x` is a quote or a backslash. */
function isQuoteIn(x: number): boolean {
  const quote = x ^ 0x22222222;
  const backslash = x ^ 0x5c5c5c5c;
  return ((((quote - 0x01010101) & ~quote) | ((backslash - 0x01010101) & ~backslash)) & 0x80808080) !== 0;
}

/** Whether one of the four bytes of `x` is a square bracket or a backslash. True for X, Y, Z, ^ and _ as well, which share their five upper bits. */
function isBracketIn(x: number): boolean {
  const upper = (x & 0xf8f8f8f8) ^ 0x58585858;
  return ((upper - 0x01010101) & ~upper & 0x80808080) !== 0;
}

/** The highest bit of each of the four bytes of `x` that is a quote, and of no other: no carry leaves its byte. */
function quotesIn(x: number): number {
  const quote = x ^ 0x22222222;
  return ~(((quote & 0x7f7f7f7f) + 0x7f7f7f7f) | quote) & 0x80808080;
}

function isDigit(c: number): boolean {
  return c >= ZERO && c <= NINE;
}

function isSpace(c: number): boolean {
  return c <= SPACE && (c === SPACE || c === 0x0a || c === 0x0d || c === 0x09);
}

function growBrackets(): void {
  const larger = new Uint8Array(brackets.length * 2);
  larger.set(brackets);
  brackets = larger;
}
