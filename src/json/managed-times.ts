import { JsonError } from './error.ts';
import { decodeString, viewOf, Words } from './text.ts';
import { hopValue, INCOMPLETE, skipColon, skipKey, skipSpace } from './walk.ts';

const ENTRY_KEYS = new Words('time');
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;

/** RFC 3339 with seconds. Date.parse alone would also take a bare year, or a time of this machine's zone. */
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/**
 * The newest `time` of the entries of a `metadata.managedFields`, whose array begins at `from`, in Unix milliseconds; null when no entry has one that
 * can be read. Only a member of an entry itself counts: the names of fields, which stand in `fieldsV1`, are not looked at.
 *
 * Never throws: managedFields are cut from what is kept, so the scan of a watch line has not checked them, and damage in them harms nobody.
 * Measured (Node 26.10, a busy machine): 5 µs for 2.4 KB of three managers, twice the scan of the pod itself; so it is not for every event.
 */
export function newestManagedTime(bytes: Buffer, from: number, end: number): number | null {
  let newest: number | null = null;
  try {
    const data = viewOf(bytes);
    if (data.getUint8(from) !== OPEN_BRACKET) return null;
    let i = skipSpace(data, from + 1, end);
    while (i < end && data.getUint8(i) === OPEN_BRACE) {
      let at = skipSpace(data, i + 1, end);
      while (at < end && data.getUint8(at) === QUOTE) {
        const keyEnd = skipKey(data, at, end);
        const valueAt = keyEnd === INCOMPLETE ? INCOMPLETE : skipColon(data, keyEnd, end);
        const valueEnd = valueAt === INCOMPLETE ? INCOMPLETE : hopValue(data, valueAt, end);
        if (valueEnd === INCOMPLETE) return newest;
        if (ENTRY_KEYS.indexOf(bytes, at, keyEnd) === 0 && data.getUint8(valueAt) === QUOTE) {
          const time = unixMs(decodeString(bytes, valueAt, valueEnd));
          if (time !== null && (newest === null || time > newest)) newest = time;
        }
        at = skipSpace(data, valueEnd, end);
        if (at < end && data.getUint8(at) === COMMA) at = skipSpace(data, at + 1, end);
      }
      // Behind the closing brace of the entry, and the comma before the next one.
      i = skipSpace(data, at + 1, end);
      if (i < end && data.getUint8(i) === COMMA) i = skipSpace(data, i + 1, end);
    }
  } catch (cause) {
    if (!(cause instanceof JsonError || cause instanceof SyntaxError)) throw cause;
  }
  return newest;
}

function unixMs(text: string): number | null {
  const ms = RFC_3339.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
}
