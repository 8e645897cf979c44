import { WRITTEN } from '../../model/outcome.ts';
import type { Storage } from '../storage.ts';

/** Takes everything and keeps nothing: the plain limit in benchmarks. */
export function createNullStorage(): Storage {
  return {
    name: 'null',
    cannot: {
      conditional: 'null: keeps no row to compare with, every write is "written"',
      atomic: 'null: commits nothing',
      scopes: 'null: keeps no scope record, every start is a first list',
      durable: 'null: keeps nothing at all',
      epoch: 'null: takes what any writer writes',
    },
    batchLimit: 100,
    async open() {},
    async write(writes) {
      return writes.map(() => WRITTEN);
    },
    async *index() {},
    async kinds() {
      return [];
    },
    async scopes() {
      return [];
    },
    async parked() {
      return [];
    },
    async unpark() {},
    async close() {},
  };
}
