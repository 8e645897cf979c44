import type { CacheReader } from '../cache/object-cache.ts';
import type { ScopeState } from '../cache/scope.ts';
import type { KindPlan } from '../config/plan.ts';
import type { ObjectKey } from '../model/key.ts';
import type { Scope } from '../model/kind.ts';
import type { ObjectMeta } from '../model/object.ts';
import type { RawObject } from '../model/raw-object.ts';
import type { IndexRow } from '../storage/storage.ts';

/** One kind of a running mirror, as the audit looks at it and has it mended. Everything that is mended goes through the kind's own queue. */
export interface AuditedKind {
  readonly plan: KindPlan;
  readonly cache: CacheReader;
  scopeOf(key: ObjectKey): ScopeState;
  /** Whether the object, or the row, with this uid is mirrored here; what is not is another shard's to audit. */
  isOurs(uid: string): boolean;
  /** Whether the key is neither queued nor in a worker's hands nor waits for a deadline. */
  isIdle(key: ObjectKey): boolean;
  /** Why nothing can be said of the kind just now (it is listed for the first time, refused, or ends); null when it can be compared. */
  obstacle(): string | null;
  /** Whether the watch of the scope is open: only then may one wait in vain for an event. */
  isWatched(scope: Scope): boolean;
  /** The row of a known object is wrong: it is written again whatever it holds. */
  rewrite(key: ObjectKey): void;
  /** Rows that nobody knows an object of are to go, as one pass under the deletion fence. */
  adopt(rows: readonly IndexRow[]): void;
  /** An object was read again: as if the watch had brought it. */
  seen(object: RawObject): void;
  /** An object was looked for and is not there. `was` is what the mirror knew when it was asked for; if it knows anything else by now, nothing follows. */
  absent(key: ObjectKey, was: Pick<ObjectMeta, 'uid' | 'revision'> | null): void;
  /** Many objects must be read again: the scope is listed anew. */
  resync(scope: Scope): void;
  /** The history of the cluster went back: everything is listed anew. */
  relist(): void;
}
