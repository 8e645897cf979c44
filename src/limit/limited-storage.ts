import type { Semaphore } from '../kit/semaphore.ts';
import { aroundStorage } from '../storage/around.ts';
import type { Storage } from '../storage/storage.ts';
import type { RateLimit } from './limit.ts';

/**
 * The same storage within a budget: `slots` bounds batches under way, `rate` bounds rows a second. Both change live.
 * Where a batch is one row and one request (batchLimit 1), so is a slot. Of the rate, batches with a live change in them come before those of first lists;
 * a slot is taken after that, or those who wait for their rate would keep it from others.
 * A batch waits before it is handed over; its keys stay held meanwhile, so that the queue behind them goes on folding. One that waits can be withdrawn.
 */
export function limitedStorage(inner: Storage, slots: Semaphore, rate: RateLimit): Storage {
  const never = new AbortController().signal;
  return aroundStorage(inner, async (writes, scopes, withdrawn = never) => {
    const isInitial = writes.every((write) => write.type === 'put' && write.isInitial === true);
    if (writes.length > 0) await rate.acquire(writes.length, isInitial ? 'background' : 'live', withdrawn);
    return await slots.run(() => inner.write(writes, scopes), withdrawn);
  });
}
