import type { Clock } from '../../kit/clock.ts';
import type { Storage } from '../../storage/storage.ts';

/** A storage that takes no more than so many rows a second. */
export function throttledStorage(inner: Storage, rowsPerSecond: number, clock: Clock): Storage {
  let freeAt = 0;
  return around(inner, async (writes, scopes) => {
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
  return around(inner, async (writes, scopes) => {
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

function around(inner: Storage, write: Storage['write']): Storage {
  return {
    name: inner.name,
    cannot: inner.cannot,
    batchLimit: inner.batchLimit,
    open: () => inner.open(),
    write,
    index: (kind, scope) => inner.index(kind, scope),
    kinds: () => inner.kinds(),
    scopes: () => inner.scopes(),
    close: () => inner.close(),
  };
}
