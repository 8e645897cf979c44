import type { Clock } from '../kit/clock.ts';
import { aroundStorage } from '../storage/around.ts';
import type { Storage } from '../storage/storage.ts';
import type { BcsRequests } from './bcs-metrics.ts';

/** The same storage, whose writes are counted and timed one by one. Waiting for a budget is not part of it when the budget stands around this. */
export function observedStorage(inner: Storage, requests: BcsRequests, clock: Clock): Storage {
  return aroundStorage(inner, async (writes, scopes) => {
    const since = clock.now();
    const outcomes = await inner.write(writes, scopes);
    const seconds = (clock.now() - since) / 1000;
    for (const [index, write] of writes.entries()) {
      const outcome = outcomes[index];
      if (outcome !== undefined) requests.observe(write, outcome.kind, seconds);
    }
    return outcomes;
  });
}
