import type { ObjectCache } from '../cache/object-cache.ts';
import type { WriteTimes } from '../cache/write-times.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import type { ObjectKey } from '../model/key.ts';
import type { Kind } from '../model/kind.ts';
import type { ObjectMeta } from '../model/object.ts';
import type { WorkQueue } from '../queue/queue.ts';
import type { ScopeRecord, Storage } from '../storage/storage.ts';
import type { WorkerEvents } from './events.ts';
import type { StorageGate } from './gate.ts';
import type { Parked } from './parked.ts';
import type { WorkloadsOfKind } from './write-of.ts';

export interface WorkerPoolOptions {
  readonly kind: Kind;
  readonly cache: ObjectCache;
  readonly queue: WorkQueue;
  readonly storage: Storage;
  /** The door of storage, shared with the workers of all other kinds. */
  readonly gate: StorageGate;
  readonly parked: Parked;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: WorkerEvents;
  /** Samples that wait to become durable. */
  readonly writeTimes: WriteTimes;
  /** Storage refused a put as older than what it knows: somebody must look, and tell the cache. */
  readonly onContested: (refused: ObjectMeta) => void;
  /** What is written of owners, for a kind whose rule asks for it. */
  readonly workloads?: WorkloadsOfKind | undefined;
  /** Asks for the JSON of an object that was let go; whoever reads it adds the key again. */
  readonly readAgain: (key: ObjectKey) => void;
  /** Whether bodies that wait take up so much room that one which cannot be written soon should be let go. */
  readonly isCrowded: () => boolean;
  /** Scope records to commit with the next batch; empty when they were committed a moment ago. */
  readonly records: () => readonly ScopeRecord[];
}
