import type { Clock } from '../../kit/clock.ts';
import type { Outcome } from '../../model/outcome.ts';
import { aroundStorage } from '../../storage/around.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Trouble } from '../load/load.ts';
import { keyOf } from './target.ts';

/** A storage that is away says so after so long. */
const REFUSES_AFTER_MS = 20;

/** The same storage with the troubles of a load: in front of it, so that they are the same for every kind of storage. */
export function troubled(
  inner: Storage,
  options: { readonly troubles: readonly Trouble[]; readonly clock: Clock; readonly now: () => number; readonly onFailed: (rows: number) => void },
): Storage {
  const { troubles, clock, now, onFailed } = options;
  if (troubles.length === 0) return inner;
  return aroundStorage(inner, async (writes, scopes) => {
    const at = now();
    let extraMs = 0;
    for (const trouble of troubles) {
      if (trouble.type === 'slow-key') {
        if (writes.some((write) => keyOf(write) === trouble.key)) extraMs = Math.max(extraMs, trouble.ms);
        continue;
      }
      if (at < trouble.fromMs || at >= trouble.toMs) continue;
      await clock.sleep(REFUSES_AFTER_MS);
      onFailed(writes.length);
      return writes.map((): Outcome => ({ kind: 'retry', error: 'storage is away, as the load wants it' }));
    }
    if (extraMs > 0) await clock.sleep(extraMs);
    return await inner.write(writes, scopes);
  });
}
