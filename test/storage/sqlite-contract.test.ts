import { systemClock } from '../../src/kit/clock.ts';
import { createSqliteReader } from '../../src/storage/sqlite/sqlite-reader.ts';
import { createSqliteStorage } from '../../src/storage/sqlite/sqlite-storage.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { tempDir } from '../support/temp-dir.ts';
import { storageContract } from './contract.ts';
import { openSqlite } from './sqlite-engine.ts';

storageContract('sqlite', async () => {
  const dir = tempDir('sqlite');
  const storage = await openSqlite(dir.file('a.db'));
  const reader = createSqliteReader({ path: dir.file('a.db') });
  const another = (): Storage => createSqliteStorage({ path: dir.file('a.db'), cluster: 'prod', clock: systemClock, lingerMs: 0 });
  return {
    storage,
    reader,
    another,
    beside: another,
    async remove() {
      await reader.close();
      await storage.close();
      dir.remove();
    },
  };
});
