import { fail, hopValue, INCOMPLETE, skipColon, skipKey, skipSpace } from './walk.ts';

const COMMA = 0x2c;
const CLOSE_BRACE = 0x7d;

/**
 * Walks the members of the object whose brace stands at `open`, and hands each out as offsets: its key from quote to quote, its value. Values are hopped
 * over, not checked. Returns the offset behind the closing brace, or behind the value at which `meet` has seen enough; -1 (INCOMPLETE) when the data ends
 * first. Throws JsonError.
 */
export function eachMember(
  data: DataView,
  open: number,
  end: number,
  meet: (keyAt: number, keyEnd: number, at: number, valueEnd: number) => 'enough' | undefined,
): number {
  let i = skipSpace(data, open + 1, end);
  if (i >= end) return INCOMPLETE;
  if (data.getUint8(i) === CLOSE_BRACE) return i + 1;
  for (;;) {
    const keyAt = i;
    const keyEnd = skipKey(data, keyAt, end);
    const at = keyEnd === INCOMPLETE ? INCOMPLETE : skipColon(data, keyEnd, end);
    const valueEnd = at === INCOMPLETE ? INCOMPLETE : hopValue(data, at, end);
    if (valueEnd === INCOMPLETE) return INCOMPLETE;
    if (meet(keyAt, keyEnd, at, valueEnd) === 'enough') return valueEnd;
    i = skipSpace(data, valueEnd, end);
    if (i >= end) return INCOMPLETE;
    const c = data.getUint8(i);
    if (c === CLOSE_BRACE) return i + 1;
    if (c !== COMMA) fail(data, i, '"," or "}"');
    i = skipSpace(data, i + 1, end);
    if (i >= end) return INCOMPLETE;
  }
}
