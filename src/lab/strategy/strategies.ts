import type { Clock } from '../../kit/clock.ts';
import type { Logger } from '../../kit/log.ts';
import type { Random } from '../../kit/random.ts';
import { UsageError } from '../../model/errors.ts';
import type { ObjectKey } from '../../model/key.ts';
import type { Kind } from '../../model/kind.ts';
import { Parallel } from '../../queue/strategies/parallel.ts';
import { Partitioned } from '../../queue/strategies/partitioned.ts';
import { Serial } from '../../queue/strategies/serial.ts';
import type { Strategy } from '../../queue/strategy.ts';
import type { Put, Storage } from '../../storage/storage.ts';
import { Folding, type StoredBefore } from './folding.ts';

export const STRATEGY_NAMES = ['serial', 'parallel', 'partitioned', 'partitioned-keeping', 'folding', 'folding-batches', 'folding-defaults'] as const;
export type StrategyName = (typeof STRATEGY_NAMES)[number];

/** Writers side by side where nothing else is said: as many as the published partitioned design has partitions. */
export const CONSUMERS = 30;
/** Rows in one write of `folding-batches`, as the SQL engines take them. */
const BATCH = 100;
/** The product's own numbers: workers of a kind, writes each has under way where storage only costs waiting, and storage's limit over all kinds. */
const DEFAULT_WORKERS = 4;
const DEFAULT_LANES = 60;
const DEFAULT_CONCURRENCY = 256;

export interface StrategyParts {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  /** Default CONSUMERS. Not of `serial`, which has one, nor of `folding-defaults`. */
  readonly consumers?: number | undefined;
  /** Snapshots that a partition holds; default as in the old program. */
  readonly capacity?: number | undefined;
  /** Whether storage's cost is waiting, so that the product's engine for it has lanes. */
  readonly hasLanes: boolean;
  readonly read: (kind: Kind, key: ObjectKey) => Put | null;
  readonly stored: Iterable<StoredBefore>;
  readonly log?: Logger | undefined;
}

/** Who writes through the product's own engine; the others know nothing of its guards. */
export function isProduct(name: StrategyName): boolean {
  return name.startsWith('folding');
}

/** Rows in one write, at the most. */
export function batchOf(name: StrategyName, storage: Pick<Storage, 'batchLimit'>, hasLanes: boolean): number {
  if (name === 'folding-batches') return Math.min(BATCH, storage.batchLimit);
  return name === 'folding-defaults' && !hasLanes ? storage.batchLimit : 1;
}

/** Throws UsageError for a name that there is not. */
export function createStrategy(name: StrategyName, parts: StrategyParts): Strategy {
  const { consumers = CONSUMERS, hasLanes, storage } = parts;
  const batch = batchOf(name, storage, hasLanes);
  switch (name) {
    case 'serial':
      return new Serial(parts);
    case 'parallel':
      return new Parallel({ ...parts, consumers });
    case 'partitioned':
      return new Partitioned({ ...parts, partitions: consumers, whenFull: 'discard' });
    case 'partitioned-keeping':
      return new Partitioned({ ...parts, partitions: consumers, whenFull: 'wait' });
    case 'folding':
    case 'folding-batches':
      return new Folding({ ...parts, name, consumers, batch });
    case 'folding-defaults':
      return new Folding({ ...parts, name, consumers: DEFAULT_CONCURRENCY, workersOfKind: DEFAULT_WORKERS * (hasLanes ? DEFAULT_LANES : 1), batch });
    default:
      name satisfies never;
      throw new UsageError(`There is no strategy "${String(name)}". They are: ${STRATEGY_NAMES.join(', ')}`);
  }
}
