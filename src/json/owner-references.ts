import type { Owner } from '../model/owner.ts';
import { JsonError } from './error.ts';
import { eachMember } from './members.ts';
import { decodeString, viewOf, Words } from './text.ts';
import { INCOMPLETE, skipSpace } from './walk.ts';

const REFERENCE_KEYS = new Words('apiVersion', 'kind', 'name', 'uid', 'controller');
const CONTROLLER = 4;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
const LETTER_T = 0x74;

/**
 * The owner that counts among the `metadata.ownerReferences` whose array begins at `from`: the controller, else the first; null when there is none that can
 * be read. Never throws: the scan of a watch line has not checked them, and what is no JSON is refused elsewhere.
 */
export function ownerOf(bytes: Buffer, from: number, end: number): Owner | null {
  let first: Owner | null = null;
  try {
    const data = viewOf(bytes);
    if (data.getUint8(from) !== OPEN_BRACKET) return null;
    let i = skipSpace(data, from + 1, end);
    while (i < end && data.getUint8(i) === OPEN_BRACE) {
      const texts = ['', '', '', ''];
      let isController = false;
      const behind = eachMember(data, i, end, (keyAt, keyEnd, at, valueEnd) => {
        const which = REFERENCE_KEYS.indexOf(bytes, keyAt, keyEnd);
        if (which === CONTROLLER) isController = bytes[at] === LETTER_T;
        else if (which !== -1) texts[which] = bytes[at] === QUOTE ? decodeString(bytes, at, valueEnd) : '';
        return undefined;
      });
      if (behind === INCOMPLETE) return first;
      const [apiVersion = '', kind = '', name = '', uid = ''] = texts;
      if (uid !== '' && kind !== '' && name !== '') {
        if (isController) return { apiVersion, kind, name, uid, isController };
        first ??= { apiVersion, kind, name, uid, isController };
      }
      i = skipSpace(data, behind, end);
      if (i < end && data.getUint8(i) === COMMA) i = skipSpace(data, i + 1, end);
    }
  } catch (cause) {
    if (!(cause instanceof JsonError || cause instanceof SyntaxError)) throw cause;
  }
  return first;
}
