import type { SlabPool } from '../cache/body-pool.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { ConfigInUse } from '../config/in-use.ts';
import type { Config } from '../config/schema.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import type { Random } from '../kit/random.ts';
import type { Shard } from '../model/shard.ts';
import type { Storage, StorageReader } from '../storage/storage.ts';
import type { Metrics } from './metrics.ts';
import type { Tenure } from './tenure.ts';

/** What the mirrors of one process have in common. */
export interface SharedParts {
  readonly metrics: Metrics;
  /** Bodies that wait to be written, of all of them. */
  readonly pool: SlabPool;
}

export interface MirrorOptions {
  /** What the copy calls the cluster. */
  readonly clusterName: string;
  readonly cluster: Cluster;
  readonly storage: Storage;
  /** The same copy for the audit, which reads it while `storage` writes; or why there is none. Absent: no audit. */
  readonly reader?: StorageReader | { readonly why: string };
  /** The part of the cluster that this mirror stores; `storage` must have been opened, or will be, by a writer of just this shard. Absent: everything. */
  readonly shard?: Shard | undefined;
  /** Whether this process writes, or stands by for another one that does. Absent: it writes. */
  readonly tenure?: Tenure | undefined;
  readonly config: Config;
  /** Absent: this mirror is the only one of its process. */
  readonly shared?: SharedParts | undefined;
  /** What is told of the file behind it, if there is one. */
  readonly configuration?: Pick<ConfigInUse, 'status' | 'warnings'> | undefined;
  /** Begin with whole lists, whatever is on record: only a list says when all of it was seen. For a run that ends once the copy is exact. */
  readonly listsFirst?: boolean | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Turns a connection error into a sentence with a way out. */
  readonly explain: (error: unknown) => string;
}
