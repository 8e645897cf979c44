import type { Storage, StorageReader } from '../../src/storage/storage.ts';

export interface EngineUnderTest {
  /** Opened. */
  readonly storage: Storage;
  readonly reader: StorageReader;
  /** Closes both and removes what was stored. */
  readonly remove: () => Promise<void>;
}
