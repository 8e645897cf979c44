import { expect, test } from 'vitest';
import { createMemoryStorage } from '../../src/storage/memory/memory-storage.ts';
import { createNullStorage } from '../../src/storage/null/null-storage.ts';
import { put, scope, wholeIndex } from './build.ts';
import { storageContract } from './contract.ts';

storageContract('memory', async () => {
  const storage = createMemoryStorage({ cluster: 'prod' });
  await storage.open();
  return { storage, reader: storage, remove: () => storage.close() };
});

test('null takes everything, keeps nothing and says so', async () => {
  const storage = createNullStorage();
  await storage.open();
  expect(await storage.write([put('a/x', '1'), put('a/x', '1')], [scope('1')])).toEqual([{ kind: 'written' }, { kind: 'written' }]);
  expect(await wholeIndex(storage)).toEqual([]);
  expect(await storage.scopes()).toEqual([]);
  expect(Object.keys(storage.cannot).sort()).toEqual(['atomic', 'conditional', 'durable', 'scopes']);
});
