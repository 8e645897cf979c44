import type { ListQuery, WatchQuery } from '../cluster/cluster.ts';
import type { Revision } from '../model/revision.ts';
import type { Failure } from './failure.ts';
import type { ReflectorOptions } from './options.ts';
import type { ListReason, ReflectorStatus } from './reflector.ts';

/** What every working state carries along. */
export interface Memory {
  /** Everything up to here was delivered. Null before the first list, and when the cluster's history went back. */
  readonly known: Revision | null;
  /** Whether a list was ever completed, here or before a restart. Until then every list is the `first`. */
  readonly listed: boolean;
  /** Failures in a row, for the backoff. */
  readonly failures: number;
  /** The last of them: the API server was away. Another kind that reaches it ends the wait. */
  readonly isAway: boolean;
  /** Since when a watch has been accepted with no failure in between; a finished list is not health (RF-S16). */
  readonly healthySince: number | null;
  /** Very short watches in a row (RF-S12). */
  readonly shortWatches: number;
  /** Whether this kind was seen to send bookmarks; `events` never does, so its silence means less (RF-S18). */
  readonly bookmarks: boolean;
}

/** How one whole list is to be fetched, and what was already tried for it. A new round starts with a new plan. */
export interface ListPlan {
  readonly reason: ListReason;
  /** `full` is one request without limit, the last resort (RF-S5). */
  readonly mode: 'paged' | 'streaming' | 'full';
  /** Chains in this round whose continue token the server no longer took. */
  readonly lostTokens: number;
  /** Streams in this round that broke before their end bookmark. */
  readonly cutStreams: number;
  /** Paging was given up for this round. */
  readonly pagingLost: boolean;
  /** Streaming was given up for this round (WL-S4). */
  readonly streamingRefused: boolean;
  /** Ask the streaming list for "" although a revision is known: that revision was refused (WL-S4). */
  readonly anyRevision: boolean;
}

export interface Idle {
  readonly at: 'idle';
  /** A list asked for before the start. */
  readonly owed: ListReason | null;
}

/** A paged or full list. Left by its last page (to watching), a failure (to waiting) or a lost token (to another list). */
export interface Listing {
  readonly at: 'listing';
  readonly plan: ListPlan;
  readonly memory: Memory;
  /** 1 for the first. */
  readonly page: number;
  readonly token: string | null;
  /** The revision of the whole list: that of its first page (RF-S6). Null until that page is read. */
  readonly first: Revision | null;
  /** `room`: waiting for the sink; `asked`: the request is open. */
  readonly phase: 'room' | 'asked';
  /** listBegin was delivered, listEnd or listAbort not yet. */
  readonly open: boolean;
  /** This page's body has begun to arrive. */
  readonly partial: boolean;
  /** Refusals of this very page in a row. */
  readonly tries: number;
  readonly heardAt: number;
}

/** The initial events of a streaming list. Left by their end bookmark (to watching, same stream) or by a failure. */
export interface Streaming {
  readonly at: 'streaming';
  readonly plan: ListPlan;
  readonly memory: Memory;
  readonly asked: Revision | '';
  readonly timeoutMs: number;
  readonly open: boolean;
  readonly heardAt: number;
  readonly events: number;
}

/** A watch, asked for or open. Left by its end, by silence, by an ERROR event. */
export interface Watching {
  readonly at: 'watching';
  readonly memory: Memory;
  /** The last revision heard; the next watch starts here (RF-S13). */
  readonly revision: Revision;
  readonly timeoutMs: number;
  readonly openedAt: number | null;
  readonly heardAt: number;
  readonly events: number;
}

/** What comes after the wait. `page` keeps the pages already read: the list is still open in the sink. */
export type Next =
  | { readonly go: 'watch'; readonly from: Revision }
  | { readonly go: 'list'; readonly plan: ListPlan }
  | { readonly go: 'page'; readonly listing: Listing };

export interface Waiting {
  readonly at: 'waiting';
  readonly memory: Memory;
  readonly until: number;
  readonly next: Next;
}

/** The end; nothing leaves it. */
export interface Stopped {
  readonly at: 'stopped';
}

export type State = Idle | Listing | Streaming | Watching | Waiting | Stopped;

export type Input =
  /** With a revision: watch from there and list nothing; the stored watermark of an earlier run. */
  | { readonly type: 'start'; readonly revision: Revision | null }
  /** The sink has room for a page. */
  | { readonly type: 'room' }
  /** The server accepted: headers of a watch, first byte of a page. Comes before anything read from it. */
  | { readonly type: 'opened' }
  | { readonly type: 'pageDone'; readonly revision: Revision; readonly continue: string | null }
  /** Bytes came. `revision` is the last one among the events and bookmarks read from them, all delivered. */
  | { readonly type: 'heard'; readonly revision: Revision | null; readonly events: number; readonly bookmark: boolean }
  /** The bookmark with k8s.io/initial-events-end = "true". */
  | { readonly type: 'initialEnd'; readonly revision: Revision }
  /** An ERROR event inside a stream. */
  | { readonly type: 'errorEvent'; readonly failure: Failure }
  /** A DELETED event whose object could not be read: nobody knows what is gone. */
  | { readonly type: 'deleteLost' }
  /** The request is over: refused, broken or unreadable. */
  | { readonly type: 'failed'; readonly failure: Failure }
  /** The stream ended cleanly, for whatever reason the server had. */
  | { readonly type: 'ended' }
  | { readonly type: 'wake' }
  /** The API server answered somebody else: it is not away any more. */
  | { readonly type: 'reached' }
  /** Somebody knows that the copy may differ: changed rules, another cluster behind the address, the audit. */
  | { readonly type: 'resync'; readonly reason: ResyncReason }
  | { readonly type: 'stop' };

export type ResyncReason = Extract<ListReason, 'rules' | 'regressed' | 'audit'>;

/** To be done in this order, all of them, before the next input. */
export type Effect =
  | { readonly do: 'awaitRoom' }
  | { readonly do: 'page'; readonly query: ListQuery }
  | { readonly do: 'watch'; readonly query: WatchQuery }
  /** Stop the open request or the wait for room; its later words are not heard any more. */
  | { readonly do: 'close' }
  | { readonly do: 'wakeAt'; readonly at: number }
  | { readonly do: 'listBegin'; readonly reason: ListReason }
  | { readonly do: 'listEnd'; readonly revision: Revision }
  | { readonly do: 'listAbort' }
  | { readonly do: 'progress'; readonly revision: Revision }
  | { readonly do: 'status'; readonly status: ReflectorStatus }
  | { readonly do: 'note'; readonly note: Note };

/** What a person may want to read in the log; the machine itself does not log. */
export type Note =
  | {
      readonly what: 'failed';
      readonly during: 'list' | 'stream' | 'watch';
      readonly failure: Failure;
      readonly delayMs: number;
      readonly failures: number;
      readonly go: Next['go'];
    }
  | { readonly what: 'fallback'; readonly from: ListPlan['mode']; readonly to: ListPlan['mode']; readonly failure: Failure }
  | { readonly what: 'restarted'; readonly failure: Failure }
  | { readonly what: 'regressed'; readonly known: Revision; readonly found: Revision }
  | { readonly what: 'lateBookmark'; readonly events: number; readonly silentMs: number };

export interface Context {
  /** Milliseconds of a monotonic clock. */
  readonly now: number;
  /** In [0, 1); a step uses it once. */
  readonly random: number;
  readonly options: ReflectorOptions;
}

export type Step = readonly [State, readonly Effect[]];
