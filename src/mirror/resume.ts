import { hash } from 'node:crypto';
import type { RowOrigin } from '../cache/scope.ts';
import type { KindPlan } from '../config/plan.ts';
import { compareRevisions, type Revision } from '../model/revision.ts';
import type { ScopeRecord } from '../storage/storage.ts';

/** How a scope begins: `from` the watermark of its record, or with a whole list; `regressed` when the revisions of rows and cluster cannot be compared. */
export type Beginning = { readonly from: Revision } | { readonly list: 'first' | 'regressed'; readonly why: string };

/** Which objects a plan selects and when it counts them as changed, as a hash: under another one the rows may be of other objects. */
export function rulesOf({ fingerprint }: Pick<KindPlan, 'fingerprint'>): string {
  return hash('sha256', fingerprint, 'hex').slice(0, 32);
}

/**
 * Whether a scope may go on from where an earlier process ended. A watch from a revision of another history is answered with silence, for ever
 * (specs/apiserver-observed.md), so whatever speaks against it means a list; a list that was not needed costs little.
 * `newest` is the newest revision of the cluster just now, null when it may not be read; `row` that of the rows, null when there is none: rows are
 * durable before the watermark gets to them, so they know of a later moment than it. It is that of namespaces: a kind that lives in another etcd
 * (events, aggregated APIs) may be ahead of it, and then lists at every start.
 */
export function beginningOf(record: ScopeRecord | undefined, origin: RowOrigin, newest: Revision | null, row: Revision | null): Beginning {
  if (record === undefined || record.watermark === null || record.listedAt === null || !record.complete)
    return { list: 'first', why: 'no complete list is on record' };
  if (record.identity !== null && origin.identity !== null && record.identity !== origin.identity)
    return { list: 'regressed', why: 'the rows are of another cluster: the uid of namespace kube-system changed' };
  if (record.identity === null || origin.identity === null)
    return { list: 'first', why: 'the uid of namespace kube-system may not be read, so it cannot be known whether this is still the same cluster' };
  if (record.stored !== origin.form) return { list: 'first', why: 'what is stored of objects has changed' };
  if (record.rules !== origin.rules) return { list: 'first', why: 'the rules have changed' };
  if (newest === null) return { list: 'first', why: 'namespaces may not be listed, so it cannot be known whether the history of the cluster went back' };
  const copied = row !== null && compareRevisions(row, record.watermark) > 0 ? row : record.watermark;
  if (compareRevisions(copied, newest) > 0)
    return { list: 'first', why: `the copy is at revision ${copied} and the cluster at ${newest}: its history went back, or the kind has its own` };
  return { from: record.watermark };
}
