import type { Kind, KindId, Scope } from '../model/kind.ts';
import type { ObjectKey } from '../model/key.ts';
import type { ObjectMeta } from '../model/object.ts';
import type { Outcome } from '../model/outcome.ts';
import type { Revision } from '../model/revision.ts';
import type { Shard } from '../model/shard.ts';

/**
 * Make the row hold this object, unless storage already holds the same or a newer revision, or the object (its uid) was deleted as of a newer
 * revision: a late put never brings a deleted object back. Those are `unchanged` and `stale`.
 */
export interface Put {
  readonly type: 'put';
  readonly kind: Kind;
  readonly meta: ObjectMeta;
  /** JSON, UTF-8. Only read until write() settles; the engine copies what it keeps longer. */
  readonly body: Uint8Array;
  /** The body was found to be JSON before. Any other is checked by the engine, which rejects that row alone when it is none: no reader may meet it. */
  readonly isChecked?: boolean | undefined;
  /**
   * What is stored of the object changed though the object did not (a mask): the stored revision may be written once more.
   * An older one still never, and the same body again is `unchanged`.
   */
  readonly rewrite?: boolean | undefined;
  /**
   * The row is replaced whatever it holds, and whatever was deleted before: the history of the cluster went back (etcd wiped or restored), so that
   * revisions before and after cannot be compared, or the audit found the row damaged. The guard of the epoch stays.
   */
  readonly force?: boolean | undefined;
  /** It is part of a first list: within a budget, live changes go before it. */
  readonly isInitial?: boolean | undefined;
}

/**
 * Remove the row, but only if it still holds this uid, and no revision newer than `revision` when one is known. The deletion is remembered for
 * an hour at least, also when there was no row, so that an older put of the same uid that comes late is refused.
 */
export interface Delete {
  readonly type: 'delete';
  readonly kind: Kind;
  readonly key: ObjectKey;
  readonly uid: string;
  readonly revision: Revision | null;
}

export type Write = Put | Delete;

/** How far one scope of one kind is known to be complete in storage; committed together with rows. */
export interface ScopeRecord {
  readonly kind: KindId;
  /** Of one shard of several: with its name behind (storage/sharded.ts). Engines keep it as it is. */
  readonly scope: Scope;
  /** The newest revision with every change up to it durable; null before the first list is durable. */
  readonly watermark: Revision | null;
  /** Unix ms of the last complete list. */
  readonly listedAt: number | null;
  /** Unix ms at which the API server was last heard on a watch of this scope, or ended a list of it: rows up to the watermark are as of then. */
  readonly heardAt: number | null;
  /** Objects known in the scope. */
  readonly objects: number;
  /** Whether rows, together with what is parked, are all of the scope. */
  readonly complete: boolean;
  /**
   * The form that every row of the scope has: a hash of what the plan does to content (mask, handling of Secrets, version of the kind). Null while
   * rows of another form may be among them. A start whose plan asks for another form writes every row again, also at the same revision.
   */
  readonly stored: string | null;
  /** A hash of the rules by which the rows were chosen and compared: a start under other rules lists. Null in a database from before this was recorded. */
  readonly rules: string | null;
  /** The uid of namespace kube-system, to which revisions belong: a start on another cluster compares none of them. Null when it may not be read. */
  readonly identity: string | null;
  /** Nobody follows this scope any more: its record is removed, with every row of it written before. */
  readonly retired?: boolean | undefined;
}

/** An object that storage refused for good, recorded by the engine in the transaction that refused it. */
export interface ParkedRow {
  readonly kind: KindId;
  readonly key: ObjectKey;
  readonly uid: string;
  readonly revision: Revision;
  /** What the engine said. */
  readonly error: string;
  /** How often it was refused. */
  readonly attempts: number;
  /** Unix ms of the first refusal. */
  readonly since: number;
}

/** One stored row without its body. */
export interface IndexRow {
  readonly key: ObjectKey;
  readonly uid: string;
  readonly revision: Revision;
}

export interface StoredObject extends IndexRow {
  readonly apiVersion: string;
  readonly kind: string;
  readonly body: Uint8Array;
  /** What the engine recorded as the hash of the body: the first 16 bytes of its SHA-256, hexadecimal. Absent when it keeps none. */
  readonly hash?: string | undefined;
  /** Unix ms. */
  readonly writtenAt: number;
}

/** Who writes, when several processes elect one of them by a lease. */
export interface Writer {
  /** Grows with every change of the leader. */
  readonly epoch: number;
  /** The identity by which it holds the lease. */
  readonly holder: string;
  /** What of the cluster it writes: each shard has its own epochs, and beside this writer others write the other shards. Absent: everything. */
  readonly shard?: Shard | undefined;
}

/**
 * Where the copy lives. Opened for one cluster name and one writer epoch. One shared suite (test/storage/contract.ts)
 * runs on every engine; `cannot` says what an engine is unable to promise, and why.
 */
export interface Storage {
  readonly name: string;
  readonly cannot: Readonly<Partial<Record<'conditional' | 'atomic' | 'scopes' | 'durable' | 'kinds' | 'epoch', string>>>;
  /** The most writes that gain anything in one batch; the worker takes at most so many keys at once. */
  readonly batchLimit: number;
  /**
   * Writes that one worker may have under way at once, for an engine whose cost is waiting: a kind gets its number of workers times this. Each is a batch of
   * its own, of keys that no other holds. Absent: 1.
   */
  readonly lanes?: number | undefined;

  /** Tells the kinds that discovery shows, as often as it does, for an engine that stores them by another name than their id. */
  learn?(kinds: readonly Kind[]): void;
  /**
   * Creates or migrates, and takes the writer's place. Throws StorageError with a way out. `writer` takes it from any writer of a lower epoch, and
   * everything that one still writes is refused, also what is under way; EpochError when a higher epoch, or another holder of the same, has been here.
   * Absent: nobody elects, the newest epoch there is goes on, and a second writer is kept away by whatever lock the engine has.
   */
  open(writer?: Writer): Promise<void>;
  /**
   * Writes a batch; `result[i]` settles `writes[i]`. A key appears at most once in a batch.
   * Rows and `scopes` commit together or not at all. Rejects only for a bug, and with EpochError when another writer has taken the place:
   * then nothing was committed, nothing parked, and nothing ever will be. A condition of the storage is a `retry` for every row it touches, a poisoned row is `rejected` alone. A rejection is recorded in `parked` by the same
   * transaction, and a put that is written, or a delete, of the same key takes it out there.
   * `withdrawn` aborts when the caller wants back what has not begun: a batch that still waits for its budget then rejects with the reason of the signal, and
   * nothing of it has happened. It concerns whoever makes batches wait (limit/); an engine begins at once, and what has begun is never withdrawn.
   */
  write(writes: readonly Write[], scopes: readonly ScopeRecord[], withdrawn?: AbortSignal): Promise<readonly Outcome[]>;
  /** Every stored row of a kind, in pages, without bodies. `scope` '' is all namespaces. */
  index(kind: KindId, scope: Scope): AsyncIterable<readonly IndexRow[]>;
  /** Kinds that have rows, a scope record or a parked key. */
  kinds(): Promise<readonly KindId[]>;
  /** Whether rows of a kind are there that nothing on record says to be ours: another program stored them. They go only when somebody confirms it. Absent: never. */
  isUnclaimed?(kind: KindId): boolean;
  scopes(): Promise<readonly ScopeRecord[]>;
  parked(): Promise<readonly ParkedRow[]>;
  /** Forgets that a key was refused; for one that nobody wants to be reminded of. */
  unpark(kind: KindId, key: ObjectKey): Promise<void>;
  /** Commits what was handed in, gives the writer's place back, closes. */
  close(): Promise<void>;
}

/**
 * Storage lets rows of a kind go by their age and keeps them until then, whatever the cluster does. So a row whose object is gone is no difference, and
 * neither is an object without a row once it is old enough.
 */
export interface Retention {
  /** The rule, as a sentence. */
  readonly why: string;
  /** Whether the row of an object with this body (JSON) may be gone by now. */
  mayBeGone(body: Uint8Array, wallMs: number): boolean;
}

/** Reads what is durable; never sees the cache. Safe beside a running writer. */
export interface StorageReader {
  /** Bodies may come back as other bytes of the same JSON (another order of keys, other spelling of numbers): they are compared as JSON. */
  readonly reencodes?: boolean | undefined;
  /** Null, or no such member: rows of the kind are exactly the objects that the cluster has. */
  retention?(kind: KindId): Retention | null;
  clusters(): Promise<readonly string[]>;
  kinds(cluster: string): Promise<readonly KindId[]>;
  scopes(cluster: string): Promise<readonly ScopeRecord[]>;
  parked(cluster: string): Promise<readonly ParkedRow[]>;
  get(cluster: string, kind: KindId, key: ObjectKey): Promise<StoredObject | null>;
  /**
   * Rows in the order of their keys (byte order of `namespace/name`), at most `limit`, after `after`. Each call is a short transaction of its own:
   * no iterator keeps the write-ahead log from being reset.
   */
  list(query: {
    readonly cluster: string;
    readonly kind: KindId;
    readonly namespace?: string | undefined;
    readonly after?: ObjectKey | undefined;
    readonly limit: number;
  }): Promise<readonly StoredObject[]>;
  close(): Promise<void>;
}
