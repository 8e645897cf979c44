import type { Kind } from '../../model/kind.ts';
import type { ObjectKey } from '../../model/key.ts';
import type { Revision } from '../../model/revision.ts';

/** One change of one object in the cluster, without its JSON: that is made when it is offered. */
export interface LoadChange {
  /** Milliseconds from the start of the load. */
  readonly atMs: number;
  readonly kind: Kind;
  readonly key: ObjectKey;
  readonly uid: string;
  /** Rises with every change of the load, over all kinds. */
  readonly revision: Revision;
  readonly type: 'put' | 'delete';
  /** Of the object as JSON; 0 of a deletion. */
  readonly bytes: number;
  /** Found by a first list, not seen happening. */
  readonly isBackground?: boolean | undefined;
}

/** What goes wrong with storage while a load runs. Times in milliseconds from its start. */
export type Trouble =
  /** Every write fails, soon. */
  | { readonly type: 'fails'; readonly fromMs: number; readonly toMs: number }
  /** Every write of one object takes so long. */
  | { readonly type: 'slow-key'; readonly key: ObjectKey; readonly ms: number };

/** A load by name. The same seed gives the same changes, to the last digit. */
export interface Load {
  readonly name: string;
  /** One sentence: what happens in the cluster. */
  readonly summary: string;
  readonly seed: number;
  /** The last change comes before this, in milliseconds: the end of the burst. */
  readonly durationMs: number;
  /** What the load counts in: objects that may change, over all kinds. */
  readonly objects: number;
  readonly troubles: readonly Trouble[];
  /** Objects that exist and are stored before the load begins; their times are 0. */
  initial(): Iterable<LoadChange>;
  /** In the order of their times. Can be asked for again, and gives the same. */
  changes(): Iterable<LoadChange>;
}
