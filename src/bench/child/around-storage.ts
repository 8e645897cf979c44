import type { Clock } from '../../kit/clock.ts';
import { aroundStorage } from '../../storage/around.ts';
import type { Storage } from '../../storage/storage.ts';

/** A storage that takes no more than so many rows a second. */
export function throttledStorage(inner: Storage, rowsPerSecond: number, clock: Clock): Storage {
  let freeAt = 0;
  return aroundStorage(inner, async (writes, scopes) => {
    const now = clock.now();
    freeAt = Math.max(freeAt, now) + (writes.length * 1000) / rowsPerSecond;
    await clock.sleep(freeAt - now);
    return await inner.write(writes, scopes);
  });
}

const STAMP = '"kubefold.test/t":"';

/** Notes for every durable put of an object that carries a stamp (Unix nanoseconds, in an annotation) how old its change was by then, in milliseconds. */
export function stampedStorage(inner: Storage, clock: Clock, agesMs: number[]): Storage {
  const begin = clock.wall();
  return aroundStorage(inner, async (writes, scopes) => {
    const stampsMs = writes.flatMap((write) => (write.type === 'put' ? [stampOf(write.body)] : []));
    const outcomes = await inner.write(writes, scopes);
    const now = clock.wall();
    for (const stampMs of stampsMs) if (stampMs > begin) agesMs.push(now - stampMs);
    return outcomes;
  });
}

function stampOf(body: Uint8Array): number {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const at = bytes.indexOf(STAMP);
  return at === -1 ? 0 : Number(bytes.toString('latin1', at + STAMP.length, at + STAMP.length + 19)) / 1e6;
}

/**
 * `refuse`: every write is a `retry` at once. `hang`: writes do not come back until the end, and then were made, though they say that they were not.
 * `locked`: somebody else takes the database away, here it is only counted.
 */
export type OutageKind = 'refuse' | 'hang' | 'locked';

/** A storage that is gone between begin() and end(), and counts what is asked of it. */
export class Outage {
  /** Calls with rows, and the rows in them, since the start, whatever became of them. */
  calls = 0;
  rows = 0;
  /** Rows that were made durable or found to be so. */
  settled = 0;
  readonly #kind: OutageKind;
  #end: Promise<void> | null = null;
  #mend: () => void = () => {};

  constructor(kind: OutageKind) {
    this.#kind = kind;
  }

  begin(): void {
    if (this.#kind !== 'locked') this.#end = new Promise((resolve) => (this.#mend = resolve));
  }

  end(): void {
    this.#end = null;
    this.#mend();
  }

  around(inner: Storage): Storage {
    return aroundStorage(inner, async (writes, scopes) => {
      if (writes.length > 0) this.calls++;
      this.rows += writes.length;
      if (this.#end !== null) {
        if (this.#kind === 'hang') {
          await this.#end;
          await inner.write(writes, scopes);
        }
        return writes.map(() => ({ kind: 'retry', error: 'the benchmark took the storage away' }));
      }
      const outcomes = await inner.write(writes, scopes);
      for (const { kind } of outcomes) if (kind !== 'retry') this.settled++;
      return outcomes;
    });
  }
}
