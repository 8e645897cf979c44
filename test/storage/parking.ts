import { describe, expect, test } from 'vitest';
import type { ParkedRow } from '../../src/storage/storage.ts';
import type { EngineUnderTest } from './engine-under-test.ts';
import { DEPLOYMENTS, del, key, NODES, outcomes, put, scope, wholeIndex } from './build.ts';

/** What every engine promises about rows that it refuses. */
export function parking(engine: () => EngineUnderTest): void {
  const poison = (name: string, revision: string, more: Parameters<typeof put>[2] = {}): ReturnType<typeof put> =>
    put(name, revision, { body: '{"spec":{]}', isChecked: false, ...more });
  const parked = async (): Promise<ParkedRow[]> => [...(await engine().storage.parked())].sort((a, b) => (a.key < b.key ? -1 : 1));

  describe('a rejected row is parked', () => {
    test('with its error, while its neighbours are written once and the scope records of the same write are committed', async () => {
      const { storage, reader } = engine();
      expect(await outcomes(storage, [put('a/w', '4'), poison('a/x', '5', { uid: 'u7' }), put('a/y', '6')], [scope('6')])).toEqual([
        'written',
        'rejected',
        'written',
      ]);
      expect(await parked()).toEqual([
        { kind: 'pods', key: 'a/x', uid: 'u7', revision: '5', error: expect.stringContaining('is not JSON'), attempts: 1, since: expect.any(Number) },
      ]);
      expect(await reader.parked('prod')).toEqual(await parked());
      expect(await reader.parked('another')).toEqual([]);
      expect((await wholeIndex(storage)).map((row) => row.key)).toEqual(['a/w', 'a/y']);
      expect(await storage.scopes()).toEqual([scope('6')]);
      expect(await outcomes(storage, [put('a/w', '4'), put('a/y', '6')])).toEqual(['unchanged', 'unchanged']);
    });

    test('and its kind is one that storage knows, also when nothing else of it is there', async () => {
      const { storage, reader } = engine();
      await storage.write([poison('a/x', '5')], []);
      expect(await storage.kinds()).toEqual(['pods']);
      expect(await reader.kinds('prod')).toEqual(['pods']);
    });

    test('and counted up as long as it is the same object', async () => {
      const { storage } = engine();
      await storage.write([poison('a/x', '5')], []);
      const [first] = await parked();
      await storage.write([poison('a/x', '6')], []);
      expect(await parked()).toMatchObject([{ uid: 'u1', revision: '6', attempts: 2, since: first?.since }]);
      await storage.write([poison('a/x', '9', { uid: 'u2' })], []);
      expect(await parked()).toMatchObject([{ uid: 'u2', revision: '9', attempts: 1 }]);
    });

    test('and forgotten when the key is written, found unchanged or deleted, and no other key is', async () => {
      const { storage } = engine();
      await storage.write([put('a/same', '5')], []);
      await storage.write([poison('a/x', '5'), poison('a/same', '6'), poison('a/gone', '5'), poison('a/stays', '5'), poison('x', '5', { kind: NODES })], []);
      expect(await parked()).toHaveLength(5);
      expect(await outcomes(storage, [put('a/x', '6'), put('a/same', '5'), del('a/gone', '7'), put('a/x', '6', { kind: DEPLOYMENTS })])).toEqual([
        'written',
        'unchanged',
        'unchanged',
        'written',
      ]);
      expect((await parked()).map((row) => `${row.kind} ${row.key}`)).toEqual(['pods a/stays', 'nodes x']);
    });

    test('a put that is stale changes nothing about it', async () => {
      const { storage } = engine();
      await storage.write([put('a/x', '5')], []);
      await storage.write([poison('a/x', '6')], []);
      expect(await outcomes(storage, [put('a/x', '4')])).toEqual(['stale']);
      expect(await parked()).toHaveLength(1);
    });

    test('unpark() forgets one key, in the order of the calls, and of a key that is not parked says nothing', async () => {
      const { storage } = engine();
      await storage.write([poison('a/x', '5'), poison('a/y', '5')], []);
      const calls = [storage.unpark('pods', key('a/x')), storage.write([poison('a/x', '6')], []), storage.unpark('pods', key('a/y'))];
      await Promise.all([...calls, storage.unpark('pods', key('a/none')), storage.unpark('widgets.example.com', key('a/none'))]);
      expect(await parked()).toMatchObject([{ key: 'a/x', revision: '6', attempts: 1 }]);
      await storage.unpark('pods', key('a/x'));
      expect(await parked()).toEqual([]);
    });
  });
}
