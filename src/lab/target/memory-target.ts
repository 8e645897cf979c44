import type { Clock } from '../../kit/clock.ts';
import type { Random } from '../../kit/random.ts';
import { type Outcome, WRITTEN } from '../../model/outcome.ts';
import type { Storage, Write } from '../../storage/storage.ts';
import type { Books, State } from '../books.ts';
import { keyOf, nameOf, NOTHING_STORED, stateOf, type Target } from './target.ts';

/** Rows of one write at the most, as in SQLite. */
const BATCH_LIMIT = 100;

export interface MemoryTargetOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly books: Books;
  /** Milliseconds since the start of the load. */
  readonly now: () => number;
  readonly latencyMs: number;
  /** Share of the latency by which a write may be faster or slower, evenly. */
  readonly jitter: number;
}

/**
 * A table that takes whatever comes last, as the service of bcs-k8s-watch does, behind latency: a write is carried out at the end of its time. Any number of
 * writes are under way at once without slowing each other down.
 */
export function createMemoryTarget({ clock, random, books, now, latencyMs, jitter }: MemoryTargetOptions): Target {
  const rows = new Map<string, State>();
  const carryOut = (write: Write): void => {
    const name = nameOf(write.kind, keyOf(write));
    const state = stateOf(write);
    if (state === null) rows.delete(name);
    else rows.set(name, state);
    books.written(name, state, write.type === 'put' ? write.meta.revision : write.revision, now());
  };
  const storage: Storage = {
    ...NOTHING_STORED,
    name: 'memory',
    cannot: { conditional: 'memory: takes whatever comes last', durable: 'memory: keeps nothing' },
    batchLimit: BATCH_LIMIT,
    async write(writes): Promise<readonly Outcome[]> {
      await clock.sleep(latencyMs * (1 + jitter * (2 * random.next() - 1)));
      for (const write of writes) carryOut(write);
      return writes.map(() => WRITTEN);
    },
  };
  return {
    storage: () => Promise.resolve(storage),
    preload(found) {
      for (const { kind, key, uid, revision } of found) rows.set(nameOf(kind, key), { uid, revision });
      return Promise.resolve();
    },
    rows: () => Promise.resolve(rows),
    close: () => Promise.resolve(),
  };
}
