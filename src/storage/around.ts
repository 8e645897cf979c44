import type { Storage } from './storage.ts';

/** The same storage with a `write` that stands around its own. Whoever adds to the contract adds here, and nowhere else. */
export function aroundStorage(inner: Storage, write: Storage['write']): Storage {
  return {
    name: inner.name,
    cannot: inner.cannot,
    batchLimit: inner.batchLimit,
    lanes: inner.lanes,
    learn: (kinds) => inner.learn?.(kinds),
    open: (writer) => inner.open(writer),
    write,
    index: (kind, scope) => inner.index(kind, scope),
    kinds: () => inner.kinds(),
    isUnclaimed: (kind) => inner.isUnclaimed?.(kind) ?? false,
    scopes: () => inner.scopes(),
    parked: () => inner.parked(),
    unpark: (kind, key) => inner.unpark(kind, key),
    close: () => inner.close(),
  };
}
