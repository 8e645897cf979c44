import type { KnownObject } from '../cache/entry.ts';
import { compareRevisions, type Revision } from '../model/revision.ts';
import { compare, type Drift, type Seen } from './diff.ts';

/** What the mirror knows of one key, as far as the audit needs it. */
export type Known =
  /** No object, and no row that is known of. */
  | { readonly is: 'unknown' }
  /**
   * `durable`: the row holds exactly this state, or one that differs by what a rule ignores. `moving`: this state, or its deletion (`gone`), is queued, in a
   * worker's hands, or waits for its body. `waiting`: storage refused it, or its deletion is held, until a person decides.
   */
  | { readonly is: 'durable' | 'moving' | 'waiting'; readonly uid: string; readonly revision: Revision; readonly gone: boolean };

const UNKNOWN: Known = { is: 'unknown' };

/** Reads an entry. `isIdle`: its key is neither queued nor in a worker's hands nor waits for a deadline. */
export function knownOf(entry: KnownObject | undefined, isIdle: boolean): Known {
  if (entry === undefined) return isIdle ? UNKNOWN : { is: 'moving', uid: '', revision: '', gone: true };
  const { uid, revision, gone } = entry;
  if (entry.refused || entry.held) return { is: 'waiting', uid, revision, gone };
  const isDurable = isIdle && !gone && entry.pending === null && entry.settled === revision && entry.storedUid === uid && !entry.rewrite && !entry.regressed;
  return { is: isDurable ? 'durable' : 'moving', uid, revision, gone };
}

/** One key: what the cluster showed, what its row holds, and what the mirror knew immediately before and after the row was read. */
export interface Evidence {
  /** Null when the list as of `listed` did not contain it. */
  readonly live: Seen | null;
  readonly listed: Revision;
  /** `damage`: why the row cannot be right whatever the cluster says. */
  readonly row: (Seen & { readonly damage: string | null }) | null;
  readonly before: Known;
  readonly after: Known;
  /** Everything up to here was delivered to the mirror, as of `after`. */
  readonly progress: Revision | null;
  /** `over` when the watch was connected for so long since `listed` that what it has not delivered will not come. */
  readonly patience: 'left' | 'over';
  /** See compare(). */
  readonly revisions: 'equal' | 'may lag';
  /** `mixed` while the rows are being written anew in another form (a mask changed): their content says nothing then. */
  readonly forms: 'one' | 'mixed';
}

export type Judgement =
  | { readonly is: 'ok' }
  /** Not now: the key is in flight, has moved on, or the watch has not got there. */
  | { readonly is: 'later' }
  /** The mirror does not know an object that was there: deleted since, or missed. Only the cluster can tell. */
  | { readonly is: 'ask' }
  /** The deletion of its row is held, and the object is there: no drift, but it must be read again. */
  | { readonly is: 'back' }
  /**
   * What mends it: `write` the known state over the row, `delete` a row that nobody knows, `read` the object again because the mirror itself
   * has missed a change, `relist` because the cluster shows a past that cannot be.
   */
  | { readonly is: 'drift'; readonly cause: Drift; readonly mend: 'write' | 'delete' | 'read' | 'relist' };

const OK: Judgement = { is: 'ok' };
export const LATER: Judgement = { is: 'later' };
const ASK: Judgement = { is: 'ask' };
const BACK: Judgement = { is: 'back' };

/**
 * Definite only when nothing is in flight: the same state durable before and after the row was read. Where the mirror stands towards the list is
 * told by revisions: it agrees, or is ahead (then the row is held against what the mirror knows), or behind (then the watch has to get there, or it is a
 * change that was missed).
 */
export function judge(evidence: Evidence): Judgement {
  const { live, row, before, after, listed } = evidence;
  if (!isSame(before, after) || after.is === 'moving') return LATER;
  if (after.is === 'unknown') {
    if (live === null) return judgeForeign(evidence);
    // What was deleted after the list is unknown, too, once its row has gone: then the list proves nothing any more.
    return evidence.progress !== null && compareRevisions(evidence.progress, listed) > 0 ? ASK : judgeMissed(evidence, live.revision);
  }
  const { uid, revision, gone } = after;
  if (gone) {
    // Held: its row stays, and is known to be surplus.
    if (live === null) return OK;
    return judgeMissed(evidence, live.revision).is === 'later' ? LATER : BACK;
  }
  if (live !== null && live.uid === uid && live.revision === revision)
    return after.is === 'waiting' ? OK : judgeRow(evidence, compare(live, row, evidence.revisions));
  if (live === null ? compareRevisions(revision, listed) <= 0 : compareRevisions(revision, live.revision) < 0) {
    return judgeMissed(evidence, live === null ? listed : live.revision);
  }
  // A list that shows an older state than the mirror has, though it is of a later moment: not a past of this history.
  if (compareRevisions(revision, listed) <= 0) return evidence.patience === 'over' ? { is: 'drift', cause: 'revision', mend: 'relist' } : LATER;
  if (after.is === 'waiting') return OK;
  // Ahead of the list, of which the content is not known: the rest of the row can be told all the same.
  if (row?.damage) return judgeRow(evidence, 'body');
  return judgeRow(evidence, compare({ uid, revision, content: row?.content ?? '' }, row, evidence.revisions));
}

/** Nobody knows an object of this key, and the list had none. */
function judgeForeign({ row, listed, patience }: Evidence): Judgement {
  if (row === null) return OK;
  // An object that is newer than the list may exist, and another process may have been the first to write it.
  if (compareRevisions(row.revision, listed) > 0 && patience === 'left') return LATER;
  return { is: 'drift', cause: 'surplus', mend: 'delete' };
}

/** The mirror knows less than the list: no drift while the watch may still get to `change`. */
function judgeMissed({ live, row, revisions, progress, patience }: Evidence, change: Revision): Judgement {
  const isPassed = progress !== null && compareRevisions(progress, change) >= 0;
  if (!isPassed && patience === 'left') return LATER;
  // A row that is right by chance, while the mirror knows nothing of it, is not kept right by anybody.
  const cause = compare(live, row, revisions) ?? (live === null ? 'surplus' : 'missing');
  return { is: 'drift', cause, mend: 'read' };
}

function judgeRow({ forms }: Evidence, cause: Drift | null): Judgement {
  if (cause === null) return OK;
  if (cause === 'body' && forms === 'mixed') return LATER;
  return { is: 'drift', cause, mend: 'write' };
}

function isSame(a: Known, b: Known): boolean {
  if (a.is === 'unknown' || b.is === 'unknown') return a.is === b.is;
  return a.is === b.is && a.uid === b.uid && a.revision === b.revision && a.gone === b.gone;
}
