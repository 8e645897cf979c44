import type { Revision } from '../model/revision.ts';
import { compareRevisions } from '../model/revision.ts';

/** One object as cluster or copy shows it. `content` is equal exactly when what must be stored is equal. */
export interface Seen {
  readonly uid: string;
  readonly revision: Revision;
  readonly content: string;
}

/** Why a row is not what it should be; the `cause` label of kubefold_drift_total. */
export type Drift = 'missing' | 'surplus' | 'uid' | 'revision' | 'body';

/**
 * Compares one object with its row. `revisions` says whether an older revision in the row is drift: not for kinds with
 * ignored changes, whose row differs from the cluster by exactly what the rule ignores, and the revision.
 */
export function compare(live: Seen | null, row: Seen | null, revisions: 'equal' | 'may lag'): Drift | null {
  if (live === null) return row === null ? null : 'surplus';
  if (row === null) return 'missing';
  if (live.uid !== row.uid) return 'uid';
  const order = compareRevisions(row.revision, live.revision);
  if (order !== 0 && (revisions === 'equal' || order > 0)) return 'revision';
  return live.content === row.content ? null : 'body';
}
