import { aroundStorage } from '../../../src/storage/around.ts';
import type { Storage, StorageReader } from '../../../src/storage/storage.ts';
import { storageContract } from '../contract.ts';
import type { EngineUnderTest } from '../engine-under-test.ts';
import { bcsRig, unwrapped, wrapped } from './engine.ts';

const services: readonly [string, boolean][] = [
  ['bcs over a service that refuses older revisions', true],
  ['bcs over a service that takes whatever comes last', false],
];

for (const [name, checksRevisions] of services) storageContract(name, () => engineUnderTest(checksRevisions));

async function engineUnderTest(checksRevisions: boolean): Promise<EngineUnderTest> {
  const { storage: engine, reader: plain, make, remove } = await bcsRig({ service: { checksRevisions } });
  const wrap = (inner: Storage): Storage => aroundStorage(inner, (writes, scopes) => inner.write(writes.map(wrapped), scopes));
  const reader: StorageReader = {
    clusters: () => plain.clusters(),
    kinds: (cluster) => plain.kinds(cluster),
    scopes: (cluster) => plain.scopes(cluster),
    parked: (cluster) => plain.parked(cluster),
    get: async (cluster, kind, key) => {
      const row = await plain.get(cluster, kind, key);
      return row === null ? null : unwrapped(row);
    },
    list: async (query) => (await plain.list(query)).map(unwrapped),
    close: () => plain.close(),
  };
  return { storage: wrap(engine), reader, beside: () => wrap(make()), remove };
}
