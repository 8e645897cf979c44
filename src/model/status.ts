import type { KindId } from './kind.ts';
import type { ObjectKey } from './key.ts';
import type { Revision } from './revision.ts';

/** One kind, as status line, readiness and metrics see it. */
export interface KindStatus {
  readonly id: KindId;
  /** `leaving`: nobody asks for it any more, and its rows wait for somebody to confirm that they may go. */
  readonly state: 'listing' | 'watching' | 'waiting' | 'leaving';
  /** Objects known. */
  readonly objects: number;
  /** Keys whose newest state is not durable. */
  readonly unsettled: number;
  /** The first list and every object of it are durable: the rows are all of the kind, except what is parked. */
  readonly complete: boolean;
  /** Objects that storage refuses for good: they wait for a change, or for a person. */
  readonly parked: number;
  /** One of them; null when there is none. */
  readonly firstParked: { readonly key: ObjectKey; readonly error: string } | null;
  /** Rows of objects that are gone from the cluster, kept until somebody confirms that they may go (kubefold confirm). */
  readonly held: number;
  /** Unix ms; null when nothing is held. */
  readonly heldSince: number | null;
  /** One of them. */
  readonly firstHeld: ObjectKey | null;
  readonly damaged: number;
  /** Why it waits, when it does. */
  readonly error: string | null;
  readonly httpStatus: number | null;
  /** Age of the oldest change that is not durable and does not wait for a person; 0 when there is none. */
  readonly oldestPendingMs: number;
  /** Unix ms of the last sign of life, and how long ago that is; null before the first. Of several scopes, the one heard longest ago counts. */
  readonly heardAt: number | null;
  readonly silentMs: number | null;
  readonly watermark: Revision | null;
  /**
   * How many revisions of the cluster the watermark is behind the newest one delivered, null while there is no watermark; and for how long it has
   * stood behind a change that is not durable. Unlike `oldestPendingMs` this counts what waits for a person: a restart goes on from before it.
   */
  readonly lagRevisions: number | null;
  readonly lagMs: number;
  /** 0 while every scope is watched and everything is durable that does not wait for a person; else how old the rows may be, in milliseconds. */
  readonly ageMs: number;
  readonly workers: number;
}

/** How storage takes writes, for all kinds together. */
export interface StorageStatus {
  /** The circuit breaker is open: storage is held to be away, changes wait and fold in memory, and one small batch at a time is tried. */
  readonly open: boolean;
  /** Unix ms of the first of the failed batches after which none was settled; null while writes succeed. A single failed batch opens nothing yet. */
  readonly since: number | null;
  /** How long that is ago, in milliseconds; 0 while writes succeed. */
  readonly failingMs: number;
  /** What storage said last; null while writes succeed. */
  readonly error: string | null;
}

/** One round of the audit over every kind. */
export interface AuditRound {
  /** Unix ms. */
  readonly finishedAt: number;
  readonly seconds: number;
  /** Objects and rows compared. */
  readonly objects: number;
  /** Rows that were not what they should be; they are mended. */
  readonly drift: number;
  /** Keys that were in flight whenever they were looked at: the next round looks again. */
  readonly untold: number;
  /** Kinds that could not be compared, or not to their end. */
  readonly skipped: readonly { readonly id: KindId; readonly why: string }[];
}

/** The continuous comparison of cluster and copy. */
export interface AuditStatus {
  /** Seconds for one round; null when it is switched off. */
  readonly everySeconds: number | null;
  /** Why it does not run though it is asked for; null when it can. */
  readonly off: string | null;
  /** Null before the first round is over. */
  readonly last: AuditRound | null;
}

/** A document that is copied from a NetService. */
export interface PoolStatus {
  readonly document: string;
  /** Polls that ended with the document stored, and that did not. */
  readonly stored: number;
  readonly failed: number;
  /** Those that failed since it was stored last. */
  readonly failures: number;
  /** Unix ms; null before it was stored by this process. */
  readonly storedAt: number | null;
  /** Why the last poll failed; null when it did not. */
  readonly error: string | null;
}

/** The part of the cluster that a mirror stores, when several share it. */
export interface ShardStatus {
  readonly index: number;
  readonly count: number;
  /** Who picks its objects from lists and watches; null as long as no list has shown it. */
  readonly splitBy: 'server' | 'us' | null;
}

/** The election of the one process that writes. */
export interface LeadershipStatus {
  readonly role: 'leader' | 'standby';
  /** Of this process. */
  readonly identity: string;
  /** Who holds the lease, by its identity; null when nobody does, or nobody knows. */
  readonly holder: string | null;
  /** Of this process's writes; null while it leads not. */
  readonly epoch: number | null;
}

/** How replicas share the shards of a cluster, as this process sees it. */
export interface ShardsStatus {
  readonly count: number;
  /** Of this process. */
  readonly identity: string;
  /** Replicas that share them, this one included; those that have just come do not count yet. */
  readonly members: number;
  /** By index: who holds the lease, by its identity; null when nobody does, or nobody knows. */
  readonly holders: readonly (string | null)[];
  /** Those that this process writes, in the order of their indexes. */
  readonly own: readonly OwnShard[];
  /** Those that this process had and gave back to another replica, each once, the last one last. */
  readonly given: readonly { readonly index: number /** Unix ms. */; readonly at: number; readonly why: string }[];
  /** Why none is taken just now; null when nothing is in the way. */
  readonly waits: string | null;
}

export interface OwnShard {
  readonly index: number;
  /** Of its writes. */
  readonly epoch: number;
  /** Unix ms. */
  readonly since: number;
  readonly phase: MirrorStatus['phase'];
  readonly splitBy: ShardStatus['splitBy'];
}

/** The configuration file, followed while the process runs. */
export interface ConfigurationStatus {
  /** The version in use, as a short hash of its text; null when there is no file. */
  readonly version: string | null;
  /** Unix ms; null while it is the one of the start. */
  readonly appliedAt: number | null;
  /** Keys of the version in use that differ from what the process runs with: `storage.url`. */
  readonly waitsForRestart: readonly string[];
  /** The newest version of the file and why it is not in use; null when it is. */
  readonly refused: { readonly version: string; readonly error: string } | null;
}

export interface MirrorStatus {
  readonly cluster: string;
  /** Where the API server is. */
  readonly address: string;
  /** `live` when every kind is complete; back to `syncing` while a new kind is listed. `standby`: every kind is known, and another process writes. */
  readonly phase: 'connecting' | 'syncing' | 'live' | 'standby' | 'stopping';
  /** What the mirror as a whole waits for: the API server, or a storage that cannot be read, so that kinds cannot be started. */
  readonly error: string | null;
  /** The API server refuses who we are, before any kind is known: waiting helps only when somebody changes that. */
  readonly isRefused: boolean;
  readonly kinds: readonly KindStatus[];
  /** Kinds that rules leave out, with the reason. */
  readonly left: readonly { readonly id: KindId; readonly why: string }[];
  /** Group-versions whose discovery failed; their kinds are left as they are. */
  readonly broken: readonly { readonly groupVersion: string; readonly error: string }[];
  readonly warnings: readonly string[];
  readonly pendingBytes: number;
  readonly storage: StorageStatus;
  readonly audit: AuditStatus;
  readonly configuration?: ConfigurationStatus | undefined;
  /** Absent where one mirror stores everything. */
  readonly shard?: ShardStatus | undefined;
  /** Absent where nobody elects. */
  readonly leadership?: LeadershipStatus | undefined;
  /** Absent where one process writes everything. */
  readonly shards?: ShardsStatus | undefined;
  /** Absent where no NetService is asked. The copy of the cluster is ready without them. */
  readonly pools?: readonly PoolStatus[] | undefined;
}

/**
 * A quiet watch is heard every minute or two. When no kind at all was heard for so long, the connection may be dead although nobody closed it, so the
 * copy is only known to be as new as what was heard last.
 */
const SILENCE_MS = 90_000;

/** How old the copy may be, in milliseconds: as old as its oldest kind. Null before the first sync is durable, and for who does not write it. */
export function copyAge(status: MirrorStatus): number | null {
  if (status.kinds.length === 0 || status.phase === 'connecting' || status.phase === 'standby' || status.leadership?.role === 'standby') return null;
  let oldest = 0;
  for (const kind of status.kinds) {
    if (!kind.complete) return null;
    oldest = Math.max(oldest, kind.ageMs);
  }
  const silentMs = silence(status) ?? 0;
  return silentMs > SILENCE_MS ? Math.max(oldest, silentMs) : oldest;
}

/** How long ago the API server was heard last, for whichever kind, in milliseconds; null when it was not. */
export function silence(status: MirrorStatus): number | null {
  const silent = status.kinds.map((kind) => kind.silentMs).filter((ms) => ms !== null);
  return silent.length === 0 ? null : Math.min(...silent);
}

/** Whether every kind that rules ask for is complete and durable, except what is parked; of a process that stands by, whether every object is known. */
export function isReady(status: MirrorStatus): boolean {
  return status.phase === 'live' || status.phase === 'standby';
}

/** Kinds that the API server refuses to this user: waiting does not help, a grant or a rule does. */
export function refused(status: MirrorStatus): readonly KindStatus[] {
  return status.kinds.filter((kind) => kind.state === 'waiting' && kind.httpStatus !== null && [401, 403, 404, 405].includes(kind.httpStatus));
}
