import type { SlabPool } from '../cache/body-pool.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { KindPlan } from '../config/plan.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import type { Random } from '../kit/random.ts';
import type { Storage } from '../storage/storage.ts';
import type { StorageGate } from '../worker/gate.ts';
import type { FenceRule } from './fence.ts';
import type { HistoryMark } from './history-guard.ts';
import type { KindMetrics } from './metrics.ts';
import type { Sharding } from './sharding.ts';
import type { Tenure } from './tenure.ts';
import type { Workloads } from './workloads.ts';

export interface KindMirrorOptions {
  readonly plan: KindPlan;
  readonly cluster: Cluster;
  /** Which objects are mirrored; `cluster` and `storage` are those of the shard. Absent: all of them. */
  readonly sharding?: Sharding | null | undefined;
  readonly storage: Storage;
  /** The door of storage, one for all kinds. Absent: one of its own, for a kind that is alone. */
  readonly gate?: StorageGate;
  /** Whether this process writes, or stands by for another one that does. Absent: it writes. */
  readonly tenure?: Tenure | undefined;
  readonly pool: SlabPool;
  readonly secretKey: Uint8Array;
  /** Begin with whole lists, whatever is on record: only a list says when all of it was seen. For a run that ends once the copy is exact. */
  readonly listsFirst?: boolean | undefined;
  /** What is known of the cluster's history just now. */
  readonly history: HistoryMark;
  /** As it is configured just now. */
  readonly fence: () => FenceRule;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: KindMetrics;
  readonly firstList: 'paged' | 'streaming';
  /** Called for every object that was added, changed or deleted; the mirror of CRDs listens. */
  readonly onChange?: () => void;
  /** The top workloads of all kinds. Absent for a kind that is alone. */
  readonly workloads?: Workloads;
  /** The API server accepts again: a watch after an end or a failure, or a list after a failure. */
  readonly onReconnect?: () => void;
}

/** How a kind ends before the process does. */
export interface StopOptions {
  /**
   * `leave`: a successor by other rules writes them, as these rules want them. Deletions do not wait for its list, which could not tell those that were
   * seen from those that nobody saw: the fence would hold them.
   */
  readonly puts?: 'write' | 'leave' | undefined;
  /** When it aborts nothing more is begun; what is under way is still waited for. */
  readonly cut?: AbortSignal | undefined;
}
