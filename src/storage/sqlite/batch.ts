import type { ObjectKey } from '../../model/key.ts';
import type { Revision } from '../../model/revision.ts';
import type { ScopeRecord, Write } from '../storage.ts';

/**
 * The form in which one transaction travels to the worker thread and back.
 *
 * - `slab`: the bodies, one after the other, each copied once into it. Memory that both threads see and one at a time uses: transferring it instead
 *   cost the main thread 0.37 ms a batch (measured over a sync of 20,000 pods), most of it for making V8 believe that memory had come and gone.
 * - `ints`: WIDTH numbers for each row, shared too; on the way back RESULT holds the outcome.
 * - `text`: keys, uids and revisions of all rows as one string. Measured for batches of 100 there and back, both threads: 0.80 µs of CPU a row
 *   (0.43 in the main thread); an array of strings 0.88, an array of objects 1.5.
 */
export interface BatchMessage {
  readonly type: 'batch';
  readonly id: number;
  readonly rows: number;
  readonly slab: SharedArrayBuffer;
  readonly ints: Int32Array<SharedArrayBuffer>;
  readonly text: string;
  readonly kinds: readonly KindColumns[];
  readonly scopes: readonly ScopeRecord[];
  /** Unix ms, for `written_at`. */
  readonly wallMs: number;
}

export interface KindColumns {
  readonly group: string;
  readonly resource: string;
  readonly version: string;
  readonly kind: string;
}

/** Takes a key out of `parked`. It travels as a row among writes, so that it keeps its place in their order. */
export interface Unpark {
  readonly type: 'unpark';
  readonly kind: KindColumns;
  readonly key: ObjectKey;
}

/** Numbers a row has in `ints`. */
export const WIDTH = 8;
const FLAGS = 0;
const KIND = 1;
const NAMESPACE_LENGTH = 2;
const NAME_LENGTH = 3;
const UID_LENGTH = 4;
const REVISION_LENGTH = 5;
const BODY_AT = 6;
const BODY_LENGTH = 7;
/** The flags have done their duty when the outcome is known. */
const RESULT = FLAGS;

const IS_DELETE = 1;
const IS_REWRITE = 2;
const ANY_REVISION = 4;
const IS_FORCED = 8;
const IS_CHECKED = 16;
const IS_UNPARK = 32;

/** Outcomes as they travel. `rejected` and `retry` have a text in the answer. */
export const CODE = { written: 1, unchanged: 2, stale: 3, rejected: 4, retry: 5 } as const;
export type OutcomeCode = (typeof CODE)[keyof typeof CODE];

/** One row as the worker sees it; reused from row to row. */
export interface Row {
  isDelete: boolean;
  isRewrite: boolean;
  isForced: boolean;
  isChecked: boolean;
  isUnpark: boolean;
  group: string;
  resource: string;
  apiVersion: string;
  kind: string;
  namespace: string;
  name: string;
  uid: string;
  /** Null: whatever revision is stored (deletes only). */
  revision: Revision | null;
  body: Uint8Array;
}

/** Bytes that the bodies of `writes` need in a slab. */
export function bodyBytes(writes: readonly (Write | Unpark)[]): number {
  let bytes = 0;
  for (const write of writes) if (write.type === 'put') bytes += write.body.length;
  return bytes;
}

/** Bytes of all bodies of a packed message. */
export function bodyBytesOf({ ints, rows }: BatchMessage): number {
  const last = (rows - 1) * WIDTH;
  return rows === 0 ? 0 : (ints[last + BODY_AT] ?? 0) + (ints[last + BODY_LENGTH] ?? 0);
}

/** Packs the writes of several calls into one message. `slab` and `ints` must have the room. */
export function packBatch(
  calls: readonly { readonly writes: readonly (Write | Unpark)[]; readonly scopes: readonly ScopeRecord[] }[],
  into: { readonly id: number; readonly slab: SharedArrayBuffer; readonly ints: Int32Array<SharedArrayBuffer>; readonly wallMs: number },
): BatchMessage {
  const { slab, ints } = into;
  const target = new Uint8Array(slab);
  const kinds = new Map<KindColumns, number>();
  const parts: string[] = [];
  const scopes: ScopeRecord[] = [];
  let at = 0;
  let bodyAt = 0;
  for (const call of calls) {
    for (const write of call.writes) {
      let kind = kinds.get(write.kind);
      if (kind === undefined) {
        kind = kinds.size;
        kinds.set(write.kind, kind);
      }
      const isPut = write.type === 'put';
      const { key, uid, revision } = isPut ? write.meta : write.type === 'delete' ? write : { key: write.key, uid: '', revision: null };
      const slash = key.indexOf('/');
      parts.push(key, uid, revision ?? '');
      ints[at + FLAGS] = flagsOf(write);
      ints[at + KIND] = kind;
      // The slash between the two is not counted; -1 says that there is none.
      ints[at + NAMESPACE_LENGTH] = slash;
      ints[at + NAME_LENGTH] = key.length - slash - 1;
      ints[at + UID_LENGTH] = uid.length;
      ints[at + REVISION_LENGTH] = revision?.length ?? 0;
      ints[at + BODY_AT] = bodyAt;
      if (isPut) {
        target.set(write.body, bodyAt);
        ints[at + BODY_LENGTH] = write.body.length;
        bodyAt += write.body.length;
      } else {
        ints[at + BODY_LENGTH] = 0;
      }
      at += WIDTH;
    }
    for (const record of call.scopes) scopes.push(record);
  }
  return {
    type: 'batch',
    id: into.id,
    rows: at / WIDTH,
    slab,
    ints,
    text: parts.join(''),
    kinds: [...kinds.keys()].map(({ group, resource, version, kind }) => ({ group, resource, version, kind })),
    scopes,
    wallMs: into.wallMs,
  };
}

/** The rows of a message, in order. The object yielded is the same each time: use it before asking for the next. */
export function* rowsOf(batch: BatchMessage): Generator<Row, void, undefined> {
  const { ints, text, slab } = batch;
  const kinds = batch.kinds.map((kind) => ({ ...kind, apiVersion: kind.group === '' ? kind.version : `${kind.group}/${kind.version}` }));
  const row: Row = {
    isDelete: false,
    isRewrite: false,
    isForced: false,
    isChecked: false,
    isUnpark: false,
    group: '',
    resource: '',
    apiVersion: '',
    kind: '',
    namespace: '',
    name: '',
    uid: '',
    revision: null,
    body: new Uint8Array(0),
  };
  let textAt = 0;
  const cut = (length: number): string => {
    textAt += length;
    return text.slice(textAt - length, textAt);
  };
  for (let index = 0; index < batch.rows; index++) {
    const int = (field: number): number => ints[index * WIDTH + field] ?? 0;
    const flags = int(FLAGS);
    const kind = kinds[int(KIND)];
    if (kind === undefined) throw new Error(`Cannot read row ${index} of a batch: it names kind ${int(KIND)} of ${kinds.length}`);
    row.isDelete = (flags & IS_DELETE) !== 0;
    row.isRewrite = (flags & IS_REWRITE) !== 0;
    row.isForced = (flags & IS_FORCED) !== 0;
    row.isChecked = (flags & IS_CHECKED) !== 0;
    row.isUnpark = (flags & IS_UNPARK) !== 0;
    row.group = kind.group;
    row.resource = kind.resource;
    row.apiVersion = kind.apiVersion;
    row.kind = kind.kind;
    const namespaceLength = int(NAMESPACE_LENGTH);
    row.namespace = namespaceLength < 0 ? '' : cut(namespaceLength);
    if (namespaceLength >= 0) textAt++;
    row.name = cut(int(NAME_LENGTH));
    row.uid = cut(int(UID_LENGTH));
    const revision = cut(int(REVISION_LENGTH));
    row.revision = (flags & ANY_REVISION) !== 0 ? null : revision;
    row.body = new Uint8Array(slab, int(BODY_AT), int(BODY_LENGTH));
    yield row;
  }
}

export function setResult(batch: BatchMessage, index: number, code: OutcomeCode): void {
  batch.ints[index * WIDTH + RESULT] = code;
}

export function resultAt(ints: Int32Array, index: number): number {
  return ints[index * WIDTH + RESULT] ?? 0;
}

function flagsOf(write: Write | Unpark): number {
  if (write.type === 'unpark') return IS_UNPARK | ANY_REVISION;
  if (write.type === 'delete') return IS_DELETE | (write.revision === null ? ANY_REVISION : 0);
  return (write.rewrite === true ? IS_REWRITE : 0) | (write.force === true ? IS_FORCED : 0) | (write.isChecked === true ? IS_CHECKED : 0);
}
