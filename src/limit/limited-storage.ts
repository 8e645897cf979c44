import type { Semaphore } from '../kit/semaphore.ts';
import { aroundStorage } from '../storage/around.ts';
import type { Storage } from '../storage/storage.ts';
import type { RateLimit } from './limit.ts';

/**
 * The same storage within a budget: `slots` bounds batches under way, `rate` bounds rows a second. Both change live.
 * Where a batch is one row and one request (batchLimit 1), so is a slot.
 * A batch waits before it is handed over; its keys stay held meanwhile, so that the queue behind them goes on folding.
 */
export function limitedStorage(inner: Storage, slots: Semaphore, rate: RateLimit): Storage {
  const never = new AbortController().signal;
  return aroundStorage(inner, (writes, scopes) =>
    slots.run(async () => {
      if (writes.length > 0) await rate.acquire(writes.length, 'live', never);
      return await inner.write(writes, scopes);
    }),
  );
}
