import { describe, expect, test } from 'vitest';
import { EpochError } from '../../src/model/errors.ts';
import { shardOf } from '../../src/model/shard.ts';
import { mergedRecords } from '../../src/storage/merged-records.ts';
import { shardStorage } from '../../src/storage/sharded.ts';
import type { ScopeRecord, Storage, Writer } from '../../src/storage/storage.ts';
import type { EngineUnderTest } from './engine-under-test.ts';
import { del, key, NODES, outcomes, put, scope, wholeIndex } from './build.ts';

/** The `n`th uid that is of a shard. */
export function uidIn(index: number, count = 2, n = 0): string {
  for (let i = 0, found = 0; ; i++) if (shardOf(`uid-${i}`, count) === index && found++ === n) return `uid-${i}`;
}

const A = uidIn(0);
const B = uidIn(1);
const poison = (name: string, revision: string, uid: string): ReturnType<typeof put> => put(name, revision, { uid, body: '{"spec":{]}', isChecked: false });

/** What every engine promises to the shards of one cluster, each with an engine of its own over the same copy. */
export function shards(engine: () => EngineUnderTest): void {
  const open = async (index: number, count: number, writer: Partial<Writer> = {}): Promise<Storage> => {
    const storage = engine().beside();
    await storage.open({ epoch: 1, holder: `holder of ${index}/${count}`, ...writer, shard: { index, count } });
    return shardStorage(storage, { index, count });
  };
  /** Two shards, of which the first has the higher epoch. */
  const two = async (run: (first: Storage, second: Storage) => Promise<void>): Promise<void> => {
    await engine().storage.close();
    const first = await open(0, 2, { epoch: 7 });
    const second = await open(1, 2, { epoch: 2 });
    try {
      await run(first, second);
    } finally {
      await first.close();
      await second.close();
    }
  };

  describe('two shards over one copy', () => {
    test('see their own rows, records, parked keys and kinds, and readers see all', () =>
      two(async (first, second) => {
        await first.write([put('a/x', '5', { uid: A }), poison('a/p', '5', A)], [scope('5', { objects: 2 })]);
        await second.write([put('a/y', '6', { uid: B }), put('n', '6', { uid: B, kind: NODES })], [scope('9', { objects: 3, heardAt: 1 })]);
        expect((await wholeIndex(first)).map((row) => row.key)).toEqual(['a/x']);
        expect((await wholeIndex(second)).map((row) => row.key)).toEqual(['a/y']);
        expect(await first.scopes()).toEqual([scope('5', { objects: 2 })]);
        expect(await second.scopes()).toEqual([scope('9', { objects: 3, heardAt: 1 })]);
        expect((await first.parked()).map((row) => row.key)).toEqual(['a/p']);
        expect(await second.parked()).toEqual([]);
        expect(await first.kinds()).toEqual(['pods']);
        expect(await second.kinds()).toEqual(['nodes', 'pods']);
        const { reader } = engine();
        expect((await reader.list({ cluster: 'prod', kind: 'pods', limit: 9 })).map((row) => row.key)).toEqual(['a/x', 'a/y']);
        expect(mergedRecords(await reader.scopes('prod'))).toEqual([scope('5', { objects: 5, heardAt: 1 })]);
      }));

    test('a name that goes from one to the other is replaced in either direction, whatever epochs they have', () =>
      two(async (first, second) => {
        await first.write([put('a/x', '5', { uid: A }), put('a/y', '5', { uid: A })], []);
        expect(await outcomes(second, [put('a/x', '8', { uid: B })])).toEqual(['written']);
        expect(await outcomes(first, [put('a/x', '9', { uid: uidIn(0, 2, 1) }), del('a/y', '9', { uid: A })])).toEqual(['written', 'written']);
        expect((await wholeIndex(first)).map((row) => [row.key, row.revision])).toEqual([['a/x', '9']]);
        expect(await wholeIndex(second)).toEqual([]);
      }));

    test('a delete that comes after the name was given to an object of the other leaves that alone', () =>
      two(async (first, second) => {
        await first.write([put('a/x', '5', { uid: A }), put('a/y', '5', { uid: A })], []);
        await second.write([put('a/x', '8', { uid: B }), put('a/y', '8', { uid: B })], []);
        await first.write([del('a/x', '7', { uid: A }), del('a/y', null, { uid: A })], []);
        expect((await wholeIndex(second)).map((row) => [row.key, row.uid])).toEqual([
          ['a/x', B],
          ['a/y', B],
        ]);
        expect(await outcomes(second, [del('a/x', '9', { uid: B })])).toEqual(['written']);
        expect((await wholeIndex(second)).map((row) => row.key)).toEqual(['a/y']);
      }));

    test('what one has parked is not taken out, or replaced, by an older object of the same name of the other', () =>
      two(async (first, second) => {
        await first.write([poison('a/x', '5', A)], []);
        await second.write([poison('a/x', '8', B)], []);
        expect(await outcomes(first, [poison('a/x', '6', A)])).toEqual(['rejected']);
        await first.write([del('a/x', '7', { uid: A })], []);
        expect(await second.parked()).toMatchObject([{ key: 'a/x', uid: B, revision: '8', attempts: 1 }]);
        await second.write([del('a/x', '9', { uid: B })], []);
        expect(await engine().reader.parked('prod')).toEqual([]);
      }));

    test('what was parked is taken out by its own, also after a start', async () => {
      await two(async (first, second) => {
        await first.write([poison('a/x', '5', A)], []);
        await second.write([put('a/x', '8', { uid: B })], []);
      });
      const again = await open(0, 2, { epoch: 8 });
      expect(await again.parked()).toMatchObject([{ key: 'a/x', uid: A }]);
      await again.unpark('pods', key('a/x'));
      expect(await engine().reader.parked('prod')).toEqual([]);
      await again.close();
    });

    test('a writer that takes one over refuses the former of that one alone', () =>
      two(async (first, second) => {
        if (first.cannot.epoch !== undefined) {
          expect(first.cannot.epoch).toContain(first.name);
          return;
        }
        const successor = await open(1, 2, { epoch: 3, holder: 'successor' });
        await expect(second.write([put('a/y', '9', { uid: B })], [])).rejects.toThrow(EpochError);
        expect(await outcomes(first, [put('a/x', '9', { uid: A })])).toEqual(['written']);
        expect(await outcomes(successor, [put('a/y', '9', { uid: B })])).toEqual(['written']);
        await successor.close();
      }));
  });

  describe('another number of shards', () => {
    const records = async (storage: Storage): Promise<ScopeRecord[]> => [...(await storage.scopes())].sort((a, b) => (a.kind < b.kind ? -1 : 1));
    const begun = (more: Partial<ScopeRecord> = {}): ScopeRecord =>
      scope(null, { listedAt: null, heardAt: null, objects: 0, complete: false, rules: null, identity: null, ...more });

    test('goes on from no record of the one before, keeps the form of rows that all agree about, and leaves none of it behind', async () => {
      await two(async (first, second) => {
        await first.write([put('a/x', '5', { uid: A })], [scope('5'), scope('5', { kind: 'nodes' })]);
        await second.write([], [scope('6'), scope('6', { kind: 'nodes', stored: 'form-2' })]);
      });
      const third = await open(2, 3);
      expect(await records(third)).toEqual([begun({ kind: 'nodes', stored: null }), begun()]);
      const [zeroth, whole] = [await open(0, 3, { epoch: 8 }), await open(0, 1, { epoch: 9 })];
      expect(await records(zeroth)).toEqual(await records(third));
      expect(await records(whole)).toEqual([begun({ kind: 'nodes', stored: null }), begun()]);
      expect(await engine().reader.scopes('prod')).toHaveLength(2);
      for (const storage of [third, zeroth, whole]) await storage.close();
    });

    test('a form is not believed that only some of the shards have on record', async () => {
      await two((first) => first.write([put('a/x', '5', { uid: A })], [scope('5')]).then(() => {}));
      const whole = await open(0, 1, { epoch: 9 });
      expect(await records(whole)).toEqual([begun({ stored: null })]);
      await whole.close();
    });

    test('rows are seen by whoever has them now, and kinds with them', async () => {
      await two((first) => first.write([put('a/x', '5', { uid: A }), put('n', '5', { uid: A, kind: NODES })], []).then(() => {}));
      for (const index of [0, 1, 2]) {
        const storage = await open(index, 3, { epoch: 8 });
        const has = shardOf(A, 3) === index;
        expect((await wholeIndex(storage)).map((row) => row.key)).toEqual(has ? ['a/x'] : []);
        expect(await storage.kinds()).toEqual(has ? ['nodes', 'pods'] : []);
        await storage.close();
      }
    });

    test('a writer of a shard that is no more is refused, and its records go when it has written them again', async () =>
      two(async (first, second) => {
        await second.write([], [scope('5')]);
        const whole = await open(0, 1, { epoch: 9 });
        expect(await whole.scopes()).toEqual([begun({ stored: null })]);
        if (first.cannot.epoch === undefined) await expect(second.write([put('a/y', '9', { uid: B })], [scope('9')])).rejects.toThrow(EpochError);
        // As one that was not heard of in time would have left it.
        await whole.write([], [scope('9', { scope: '#1-of-2' }), scope('9')]);
        expect(await whole.scopes()).toEqual([scope('9')]);
        expect((await engine().reader.scopes('prod')).map((record) => record.scope)).toEqual(['']);
        await whole.close();
      }));
  });
}
