import { expect, test } from 'vitest';
import { aroundStorage } from '../../src/storage/around.ts';
import { createNullStorage } from '../../src/storage/null/null-storage.ts';
import { shardStorage } from '../../src/storage/sharded.ts';

test.each([1, 2])('a batch that its caller may want back can be withdrawn from behind a view of one shard of %i', async (count) => {
  const seen: (AbortSignal | undefined)[] = [];
  const limited = aroundStorage(createNullStorage(), (_writes, _scopes, withdrawn) => {
    seen.push(withdrawn);
    return Promise.resolve([]);
  });
  const { signal } = new AbortController();
  await shardStorage(limited, { index: 0, count }).write([], [], signal);
  expect(seen).toEqual([signal]);
});
