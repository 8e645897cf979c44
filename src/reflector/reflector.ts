import type { RawObject } from '../model/raw-object.ts';
import type { Revision } from '../model/revision.ts';

/** Why a whole list of a scope is fetched; the `reason` label of kubefold_lists_total. */
export type ListReason = 'first' | 'expired' | 'regressed' | 'rules' | 'audit';

/** What a reflector is doing, for status lines, readiness and messages. */
export type ReflectorStatus =
  | { readonly at: 'listing'; readonly reason: ListReason; readonly streaming: boolean }
  | { readonly at: 'watching'; readonly connected: boolean }
  /** `untilMs` is by the monotonic clock. */
  | { readonly at: 'waiting'; readonly untilMs: number; readonly error: string; readonly httpStatus: number | null };

/**
 * Where a reflector delivers: one per kind and scope. Calls are synchronous, in order, and do not throw.
 * The sink compares revisions itself: a list may come from a stale server, so an object older than the known one of the
 * same uid changes nothing.
 */
export interface ReflectorSink {
  /** A whole list begins: what is not delivered before listEnd is gone from the cluster (mark and sweep; no second copy). */
  listBegin(reason: ListReason): void;
  /** `from` says where it was seen; `list` also for the initial events of a streaming list. */
  object(object: RawObject, from: 'list' | 'watch'): void;
  /** A DELETED event; `revision` of the object is that of the deletion. */
  deleted(object: RawObject): void;
  /** The list is complete as of `revision`; only now may absence be read as deletion. */
  listEnd(revision: Revision): void;
  /** The list was given up half-way: nothing may be concluded from absence. */
  listAbort(): void;
  /** Everything up to `revision` was delivered (event or bookmark). Never called ahead of the objects (RF-S8). */
  progress(revision: Revision): void;
  /** The server was heard: a chunk, a page, an accepted watch. */
  heard(): void;
  /**
   * One object could not be read (malformed JSON, no metadata, a Table); the stream goes on (RF-S14). Inside a list its key is
   * not known and may be any of those that are missing, so the listEnd of that list proves no absence: nothing may be swept.
   */
  damaged(error: Error): void;
  /** Resolves when the next page may be asked for: bodies waiting to be written are bounded. Rejects on abort. */
  room(signal: AbortSignal): Promise<void>;
  status(status: ReflectorStatus): void;
}
