import type { Storage, StorageReader } from '../../src/storage/storage.ts';

export interface EngineUnderTest {
  /** Opened. */
  readonly storage: Storage;
  readonly reader: StorageReader;
  /** Makes another engine over the same copy, not opened. Absent for one that cannot tell its writers apart. */
  readonly another?: () => Storage;
  /** Makes another engine over the same copy, not opened, for the writer of another shard. */
  readonly beside: () => Storage;
  /** Closes both and removes what was stored. */
  readonly remove: () => Promise<void>;
}
