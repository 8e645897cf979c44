import { JsonError } from '../json/error.ts';
import { eachMember } from '../json/members.ts';
import { asBuffer, decodeString, viewOf, Words } from '../json/text.ts';
import { INCOMPLETE, skipSpace } from '../json/walk.ts';

/** What is written of the top workload of an object, as bcs-k8s-watch wrote it. */
export interface Workload {
  readonly kind: string;
  readonly name: string;
}

export const WORKLOAD_KIND = 'workload.bkbcs.tencent.com/kind';
export const WORKLOAD_NAME = 'workload.bkbcs.tencent.com/name';

const METADATA = new Words('metadata');
const ANNOTATIONS = new Words('annotations');
const OURS = new Words(WORKLOAD_KIND, WORKLOAD_NAME);
const QUOTE = 0x22;
const OPEN_BRACE = 0x7b;

/** Where things stand in one object; -1 for what it does not have. */
interface Places {
  /** The brace of its metadata. */
  readonly metadata: number;
  /** The value of its annotations, of any type. */
  readonly annotations: number;
  readonly annotationsEnd: number;
}

/**
 * The JSON of an object with the two annotations, over those it has: in front of its other annotations, which keep their bytes, and everything else as it is.
 * So annotating twice is the same as annotating with the second alone. Annotations that are null, absent, or no mapping become a mapping. An object without
 * metadata, and what is no JSON, is given back as it is. A key that is given twice counts as its last value, as with JSON.parse.
 * Measured (Node 26.10): 3 µs for a pod of 4.5 KB.
 */
export function annotateWorkload(body: Uint8Array, { kind, name }: Workload): Uint8Array {
  const bytes = asBuffer(body);
  const places = find(bytes);
  if (places === null) return body;
  const { metadata, annotations, annotationsEnd } = places;
  const ours = `${JSON.stringify(WORKLOAD_KIND)}:${JSON.stringify(kind)},${JSON.stringify(WORKLOAD_NAME)}:${JSON.stringify(name)}`;
  if (annotations === -1) {
    const at = metadata + 1;
    const isEmpty = bytes[skipSpace(viewOf(bytes), at, bytes.length)] !== QUOTE;
    return Buffer.concat([bytes.subarray(0, at), Buffer.from(`"annotations":{${ours}}${isEmpty ? '' : ','}`), bytes.subarray(at)]);
  }
  const parts: Uint8Array[] = [bytes.subarray(0, annotations), Buffer.from(`{${ours}`)];
  if (bytes[annotations] === OPEN_BRACE) {
    eachMember(viewOf(bytes), annotations, annotationsEnd, (keyAt, keyEnd, _at, valueEnd) => {
      if (OURS.indexOf(bytes, keyAt, keyEnd) === -1) parts.push(COMMA, bytes.subarray(keyAt, valueEnd));
    });
  }
  parts.push(CLOSE, bytes.subarray(annotationsEnd));
  return Buffer.concat(parts);
}

const COMMA = Buffer.from(',');
const CLOSE = Buffer.from('}');

/** The two annotations of an object, null when it does not have both as texts. */
export function readWorkload(body: Uint8Array): Workload | null {
  const bytes = asBuffer(body);
  const places = find(bytes);
  if (places === null || bytes[places.annotations] !== OPEN_BRACE) return null;
  const texts: (string | undefined)[] = [];
  eachMember(viewOf(bytes), places.annotations, places.annotationsEnd, (keyAt, keyEnd, at, valueEnd) => {
    const which = OURS.indexOf(bytes, keyAt, keyEnd);
    if (which !== -1) texts[which] = bytes[at] === QUOTE ? decodeString(bytes, at, valueEnd) : undefined;
  });
  const [kind, name] = texts;
  return kind === undefined || name === undefined ? null : { kind, name };
}

/** Makes a parsed object, in place, the same whether it was annotated or not: without the two, and without annotations when none are left. */
export function dropWorkload(object: unknown): void {
  const metadata = mappingOf(mappingOf(object)?.['metadata']);
  if (metadata === null) return;
  const annotations = mappingOf(metadata['annotations']) ?? {};
  delete annotations[WORKLOAD_KIND];
  delete annotations[WORKLOAD_NAME];
  if (Object.keys(annotations).length === 0) delete metadata['annotations'];
}

function find(bytes: Buffer): Places | null {
  const data = viewOf(bytes);
  const end = bytes.length;
  let metadata = -1;
  let annotations = -1;
  let annotationsEnd = -1;
  try {
    const open = skipSpace(data, 0, end);
    if (bytes[open] !== OPEN_BRACE) return null;
    const behind = eachMember(data, open, end, (keyAt, keyEnd, at) => {
      if (METADATA.indexOf(bytes, keyAt, keyEnd) === 0) metadata = at;
    });
    if (behind === INCOMPLETE || bytes[metadata] !== OPEN_BRACE) return null;
    eachMember(data, metadata, end, (keyAt, keyEnd, at, valueEnd) => {
      if (ANNOTATIONS.indexOf(bytes, keyAt, keyEnd) !== 0) return;
      annotations = at;
      annotationsEnd = valueEnd;
    });
    // What stands in it is walked later: it must not be what throws.
    if (bytes[annotations] === OPEN_BRACE && eachMember(data, annotations, annotationsEnd, NOBODY) !== annotationsEnd) return null;
  } catch (cause) {
    if (cause instanceof JsonError) return null;
    throw cause;
  }
  return { metadata, annotations, annotationsEnd };
}

const NOBODY = (): void => {};

function mappingOf(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
}
