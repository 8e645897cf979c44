import { join } from 'node:path';
import type { Clock } from '../../kit/clock.ts';
import { kindId } from '../../model/kind.ts';
import { aroundStorage } from '../../storage/around.ts';
import { openStorage } from '../../storage/open.ts';
import { putOf } from '../bodies.ts';
import type { Books, State } from '../books.ts';
import { LOAD_KINDS } from '../load/kinds.ts';
import { keyOf, nameOf, stateOf, type Target } from './target.ts';

/**
 * The default engine on a new file in `folder`. Its statements refuse what is older than the row whoever writes, so a strategy that loses order shows that in
 * refusals, not in rows.
 */
export async function createSqliteTarget(options: {
  readonly folder: string;
  readonly clock: Clock;
  readonly books: Books;
  readonly now: () => number;
}): Promise<Target> {
  const { folder, clock, books, now } = options;
  const engine = openStorage(`sqlite:${join(folder, 'laboratory.db')}`, { cluster: 'laboratory', clock });
  await engine.open();
  const observed = aroundStorage(engine, async (writes, scopes) => {
    const outcomes = await engine.write(writes, scopes);
    for (const [index, write] of writes.entries()) {
      const kind = outcomes[index]?.kind;
      if (kind === 'stale') books.refuse(now());
      if (kind !== 'written' && kind !== 'unchanged') continue;
      books.written(nameOf(write.kind, keyOf(write)), stateOf(write), write.type === 'put' ? write.meta.revision : write.revision, now());
    }
    return outcomes;
  });
  return {
    storage: () => Promise.resolve(observed),
    async preload(found) {
      for (let at = 0; at < found.length; at += engine.batchLimit) await engine.write(found.slice(at, at + engine.batchLimit).map(putOf), []);
    },
    async rows() {
      const rows = new Map<string, State>();
      for (const kind of LOAD_KINDS) {
        for await (const page of engine.index(kindId(kind), '')) for (const { key, uid, revision } of page) rows.set(nameOf(kind, key), { uid, revision });
      }
      return rows;
    },
    close: () => engine.close(),
  };
}
