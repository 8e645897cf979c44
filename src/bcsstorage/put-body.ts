import { messageOf } from '../model/errors.ts';
import { isRevision, type Revision } from '../model/revision.ts';
import { asBuffer, decodeString, viewOf, Words } from '../json/text.ts';
import { INCOMPLETE, skipColon, skipKey, skipSpace, skipValue } from '../json/walk.ts';

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const COMMA = 0x2c;
const QUOTE = 0x22;

/** What a PUT brings: the bytes of `data` as they stood, and what the revision precondition needs. */
export interface PutBody {
  /** JSON text. Not parsed, so 64-bit numbers and the order of keys stay. */
  readonly data: string;
  /** `data.metadata.uid`; null when it is no text or empty. */
  readonly uid: string | null;
  /** `data.metadata.resourceVersion`; null when it cannot be compared. */
  readonly revision: Revision | null;
}

interface Span {
  readonly from: number;
  readonly to: number;
}

const TOP = new Words('data');
const DATA = new Words('metadata');
const METADATA = new Words('uid', 'resourceVersion');

/**
 * Finds `data` in the body of a PUT. The whole body is checked against the grammar of JSON, which is what JSON.parse would do for three times the
 * price, and which would also round large numbers. A key given twice counts as its last value. The text of the problem quotes nothing of the body.
 */
export function readPutBody(body: Uint8Array): PutBody | { readonly problem: string } {
  const bytes = asBuffer(body);
  const view = viewOf(bytes);
  try {
    const open = skipSpace(view, 0, bytes.length);
    if (open >= bytes.length) return { problem: 'the body is empty, and {"data": …} is wanted' };
    if (bytes[open] !== OPEN_BRACE) return { problem: 'the body is not a JSON object' };
    const end = skipValue(view, open, bytes.length);
    if (end === INCOMPLETE) return { problem: 'the JSON of the body ends too early' };
    if (skipSpace(view, end, bytes.length) !== bytes.length) return { problem: 'something follows the JSON of the body' };
    const [data] = members(bytes, view, open, TOP);
    if (data === undefined) return { problem: 'the body has no "data"' };
    const text = bytes.toString('utf8', data.from, data.to);
    if (bytes[data.from] !== OPEN_BRACE) return { data: text, uid: null, revision: null };
    const [metadata] = members(bytes, view, data.from, DATA);
    if (metadata === undefined || bytes[metadata.from] !== OPEN_BRACE) return { data: text, uid: null, revision: null };
    const [uidAt, revisionAt] = members(bytes, view, metadata.from, METADATA);
    const uid = textAt(bytes, uidAt);
    const revision = textAt(bytes, revisionAt);
    return { data: text, uid: uid === '' ? null : uid, revision: revision !== null && isRevision(revision) ? revision : null };
  } catch (cause) {
    return { problem: messageOf(cause) };
  }
}

/** Where the values of some members of the object at `open` stand, in the order of the words. The object has been walked before. */
function members(bytes: Buffer, view: DataView, open: number, words: Words): readonly (Span | undefined)[] {
  const found: (Span | undefined)[] = [];
  const end = bytes.length;
  let at = skipSpace(view, open + 1, end);
  while (bytes[at] !== CLOSE_BRACE) {
    const keyEnd = skipKey(view, at, end);
    const from = skipColon(view, keyEnd, end);
    const to = skipValue(view, from, end);
    const which = words.indexOf(bytes, at, keyEnd);
    if (which !== -1) found[which] = { from, to };
    at = skipSpace(view, to, end);
    if (bytes[at] === COMMA) at = skipSpace(view, at + 1, end);
  }
  return found;
}

function textAt(bytes: Buffer, span: Span | undefined): string | null {
  return span === undefined || bytes[span.from] !== QUOTE ? null : decodeString(bytes, span.from, span.to);
}
