import type { Taken } from '../cache/object-cache.ts';
import type { Kind } from '../model/kind.ts';
import type { ObjectKey } from '../model/key.ts';
import type { Delete, Put } from '../storage/storage.ts';
import { annotateWorkload, type Workload } from '../transform/workload.ts';

/** The top workloads of one kind. */
export interface WorkloadsOfKind {
  /** For the write that follows; null for an object without an owner. A number: so many ms are worth waiting, when it `mayWait`. */
  of(key: ObjectKey, mayWait: boolean): Workload | number | null;
  /** The write of a key is over: what it was given may not be true any more. */
  settled(key: ObjectKey): void;
}

/**
 * The put of a state that was taken with its body. With a workload the body is that with the two annotations; whose owners changed has the revision that is
 * stored already, so it is a rewrite.
 */
export function putOf(kind: Kind, taken: Taken, body: NonNullable<Taken['body']>, workload: Workload | null): Put {
  const bytes = body.bytes();
  return {
    type: 'put',
    kind,
    meta: { key: taken.key, uid: taken.uid, revision: taken.revision },
    body: workload === null ? bytes : annotateWorkload(bytes, workload),
    isChecked: body.isChecked,
    rewrite: taken.rewrite || workload !== null,
    force: taken.regressed,
    isInitial: taken.position?.before === null,
  };
}

/** `storedUid`: what the row is believed to hold, when it is known. */
export function deleteOf(kind: Kind, taken: Taken, storedUid: string | undefined): Delete {
  return { type: 'delete', kind, key: taken.key, uid: storedUid ?? taken.uid, revision: taken.regressed ? null : taken.revision };
}
