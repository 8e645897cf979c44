import { expect, test } from 'vitest';
import { createMemoryStorage, MemoryShelf } from '../../src/storage/memory/memory-storage.ts';
import { createNullStorage } from '../../src/storage/null/null-storage.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { put, scope, wholeIndex } from './build.ts';
import { storageContract } from './contract.ts';

storageContract('memory', async () => {
  const shelf = new MemoryShelf();
  const storage = createMemoryStorage({ cluster: 'prod', shelf });
  await storage.open();
  const another = (): Storage => createMemoryStorage({ cluster: 'prod', shelf });
  return { storage, reader: storage, another, beside: another, remove: () => storage.close() };
});

test('null takes everything, keeps nothing and says so', async () => {
  const storage = createNullStorage();
  await storage.open();
  expect(await storage.write([put('a/x', '1'), put('a/x', '1')], [scope('1')])).toEqual([{ kind: 'written' }, { kind: 'written' }]);
  expect(await wholeIndex(storage)).toEqual([]);
  expect(await storage.scopes()).toEqual([]);
  expect(Object.keys(storage.cannot).sort()).toEqual(['atomic', 'conditional', 'durable', 'epoch', 'scopes']);
});
