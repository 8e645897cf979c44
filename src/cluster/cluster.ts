import type { Kind, Scope } from '../model/kind.ts';
import type { ObjectKey } from '../model/key.ts';
import type { Revision } from '../model/revision.ts';

/** What list and watch ask for; absent fields are left out of the request. */
export interface ListQuery {
  readonly resourceVersion?: Revision | '' | '0' | undefined;
  readonly resourceVersionMatch?: 'NotOlderThan' | 'Exact' | undefined;
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Only objects of one shard (model/shard.ts). A server that cannot split ignores it silently; one that can says so in the list (`ListEnd.shardInfo`). */
  readonly shardSelector?: string | undefined;
}

export interface WatchQuery {
  readonly resourceVersion: Revision | '' | '0';
  /** Asks for a streaming list (WL-S2); implies resourceVersionMatch=NotOlderThan. */
  readonly sendInitialEvents?: boolean | undefined;
  readonly timeoutSeconds: number;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** As in a list; nothing in a watch says whether the server heeds it. */
  readonly shardSelector?: string | undefined;
}

/**
 * Receives a response body as it arrives. A chunk is valid only during the call: it is the socket's own buffer.
 * Throwing aborts the request and rejects its promise with the same error.
 */
export type ChunkSink = (chunk: Uint8Array) => void;

export interface Discovery {
  /** Every kind that can be listed and watched, at its group's preferred version, each once. */
  readonly kinds: readonly Kind[];
  /** Group-versions whose discovery failed or is stale (a broken aggregated API): nothing may be concluded about their kinds. */
  readonly broken: readonly { readonly groupVersion: string; readonly error: string }[];
}

/**
 * The cluster as the mirror sees it: bytes in, no parsing. Every method throws ApiError when the server answered with a
 * refusal, and the transport's own error (with `code`) when it could not be reached. Aborting `signal` rejects with its reason.
 */
export interface Cluster {
  /** Host and port, for messages. */
  readonly address: string;
  discover(signal: AbortSignal): Promise<Discovery>;
  /** One page of a list; resolves when the whole body was handed to `sink`. */
  list(kind: Kind, scope: Scope, query: ListQuery, sink: ChunkSink, signal: AbortSignal): Promise<void>;
  /**
   * A watch with bookmarks. `onOpen` is called when the server accepted (200). Resolves at a clean end of the stream,
   * for whatever reason the server ended it.
   */
  watch(kind: Kind, scope: Scope, query: WatchQuery, sink: ChunkSink, onOpen: () => void, signal: AbortSignal): Promise<void>;
  /** The object's JSON, or null when it does not exist (404 of the object). */
  get(kind: Kind, key: ObjectKey, signal: AbortSignal): Promise<Uint8Array | null>;
  /** The uid of namespace kube-system: the identity of the cluster. Null when it may not be read. */
  identity(signal: AbortSignal): Promise<string | null>;
  close(): Promise<void>;
}

/** Where a Lease is. */
export interface LeasePlace {
  readonly namespace: string;
  readonly name: string;
}

/**
 * The Lease over which replicas elect, as JSON that was parsed. Throws as Cluster does; an update whose resourceVersion is not the newest, and a create of what is
 * there already, is an ApiError with status 409. Neither budgets of requests nor lists of the mirror hold these calls up.
 */
export interface LeaseStore {
  /** Null when there is none. */
  getLease(place: LeasePlace, signal: AbortSignal): Promise<unknown>;
  createLease(place: LeasePlace, lease: object, signal: AbortSignal): Promise<unknown>;
  updateLease(place: LeasePlace, lease: object, signal: AbortSignal): Promise<unknown>;
  /** Calls `onChange` for every change, and for what there is at the start. Resolves when the server ends the watch. */
  watchLease(place: LeasePlace, onChange: () => void, signal: AbortSignal): Promise<void>;
}

/**
 * Asks the API server who somebody is and what they may do. Both answer with the `status` of the review, as JSON that was parsed. Throws as Cluster does. Held up by
 * no budget of requests: whoever asks bounds how often.
 */
export interface AccessReviews {
  /** A TokenReview of a bearer token. */
  reviewToken(token: string, signal: AbortSignal): Promise<unknown>;
  /** A SubjectAccessReview with this `spec`. */
  reviewAccess(spec: object, signal: AbortSignal): Promise<unknown>;
}

/** All leases of one election with shards, found by a label. Throws as LeaseStore does. */
export interface LeaseDirectory {
  /** A LeaseList, as JSON that was parsed, of the newest revision. */
  listLeases(namespace: string, labelSelector: string, signal: AbortSignal): Promise<unknown>;
  /** Calls `onEvent` with every event, as JSON that was parsed: first what there is. Resolves when the server ends the watch. */
  watchLeases(namespace: string, labelSelector: string, onEvent: (event: unknown) => void, signal: AbortSignal): Promise<void>;
  /** Only the very state that was seen: an ApiError with status 409 when it has changed, with 404 when it is gone. */
  deleteLease(place: LeasePlace, seen: { readonly uid: string; readonly resourceVersion: string }, signal: AbortSignal): Promise<void>;
}

/** Where Events about this program go. */
export interface EventSink {
  /** Creates a core/v1 Event. Throws as Cluster does. Held up by no budget of requests. */
  postEvent(namespace: string, event: object, signal: AbortSignal): Promise<void>;
}
