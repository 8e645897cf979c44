import type { KindId } from './kind.ts';
import type { ObjectKey } from './key.ts';

/** Deletions of one kind that wait for a person, as they are shown to one. `token` and `count` name exactly this set. */
export interface HeldPass {
  readonly kind: KindId;
  /** Another one whenever keys have been added. */
  readonly token: string;
  /** Rows that would be deleted. */
  readonly count: number;
  /** Rows of the kind that were known when they were held. */
  readonly of: number;
  /** Unix ms. */
  readonly since: number;
  readonly why: string;
  /** The first ones, as many as were asked for. */
  readonly keys: readonly ObjectKey[];
}

/** What a person confirms: the set that was shown. */
export type HeldToken = Pick<HeldPass, 'kind' | 'token' | 'count'>;

/** An object that storage refused for good, as a person sees it. */
export interface ParkedObject {
  readonly kind: KindId;
  readonly key: ObjectKey;
  readonly uid: string;
  readonly revision: string;
  readonly error: string;
  readonly attempts: number;
  /** Unix ms. */
  readonly since: number;
}

/** Which parked objects a command means. */
export type ParkedChoice = { readonly all: true } | { readonly kind: KindId; readonly key: ObjectKey };

/** A command that does not fit what is: nothing was done. The text says why, and what to do. */
export interface Refused {
  readonly refused: string;
}

/** A key in a queue, for whoever looks for what is stuck. */
export interface QueuedKey {
  readonly key: ObjectKey;
  /** Waiting for a deadline, to be taken, or in a worker's hands; `changed`: and asked for once more meanwhile. */
  readonly state: 'waiting' | 'queued' | 'held' | 'held, changed';
  readonly priority: number;
  /** Since it was written without failure last. */
  readonly failures: number;
  /** How long it has been queued, or held; null while it waits. */
  readonly forMs: number | null;
}

/** What a running mirror lets people decide. */
export interface Control {
  /** What the copy calls the cluster. */
  readonly clusterName: string;
  /** With at most `keys` keys of each kind. */
  held(keys: number): readonly HeldPass[];
  /** The keys of every queue that is not empty, at most `keys` of each kind; `size` counts them all. */
  queues(keys: number): readonly { readonly kind: KindId; readonly size: number; readonly keys: readonly QueuedKey[] }[];
  /** Lets the deletions of one kind happen that were shown. */
  confirm(shown: HeldToken): { readonly released: number } | Refused;
  parked(): Promise<readonly ParkedObject[]>;
  /** Has refused objects written once more. */
  retry(choice: ParkedChoice): Promise<{ readonly retried: number } | Refused>;
  /** Forgets that they were refused. What storage holds of them stays as it is. */
  drop(choice: ParkedChoice): Promise<{ readonly dropped: number } | Refused>;
}
