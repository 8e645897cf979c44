import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareRevisions } from '../../src/model/revision.ts';
import type { Write } from '../../src/storage/storage.ts';
import type { EngineUnderTest } from './engine-under-test.ts';
import { DEPLOYMENTS, del, key, outcomes, put, wholeIndex } from './build.ts';

/** What every engine promises about writes that arrive late, in another order, or twice. */
export function lateWrites(engine: () => EngineUnderTest): void {
  const write = (...writes: Write[]): Promise<string[]> => outcomes(engine().storage, writes);
  const revisionOf = async (name: string): Promise<string | null> => (await engine().reader.get('prod', 'pods', key(name)))?.revision ?? null;

  describe('a delete is remembered', () => {
    test('an older put of the deleted uid that comes late is stale and brings nothing back', async () => {
      await write(put('a/x', '10'));
      expect(await write(del('a/x', '12'))).toEqual(['written']);
      expect(await write(put('a/x', '10'), put('a/y', '1'))).toEqual(['stale', 'written']);
      expect(await write(put('a/x', '9', { rewrite: true }))).toEqual(['stale']);
      expect(await revisionOf('a/x')).toBeNull();
    });

    test('also when the delete found no row, because its put was still under way', async () => {
      expect(await write(del('a/x', '12'))).toEqual(['unchanged']);
      expect(await write(put('a/x', '11'))).toEqual(['stale']);
      expect(await write(put('b/x', '11'), put('a/x', '11', { kind: DEPLOYMENTS }))).toEqual(['written', 'written']);
    });

    test('also when another uid had the row by then', async () => {
      await write(put('a/x', '20', { uid: 'new' }));
      expect(await write(del('a/x', '12', { uid: 'old' }))).toEqual(['stale']);
      await write(del('a/x', '21', { uid: 'new' }));
      expect(await write(put('a/x', '11', { uid: 'old' }))).toEqual(['stale']);
      expect(await write(put('a/x', '20', { uid: 'new' }))).toEqual(['stale']);
    });

    test('a put at exactly the revision of the delete is written: the object left a selection and came back as it was', async () => {
      await write(put('a/x', '10'));
      await write(del('a/x', '10'));
      expect(await write(put('a/x', '10'))).toEqual(['written']);
      expect(await write(del('a/x', '10'), put('a/y', '1'))).toEqual(['written', 'written']);
      expect(await write(put('a/x', '9'))).toEqual(['stale']);
      expect(await write(put('a/x', '11'))).toEqual(['written']);
    });

    test('the newest of two deletes counts, in whichever order they come', async () => {
      await write(del('a/x', '12'));
      await write(del('a/x', '10'));
      expect(await write(put('a/x', '11'))).toEqual(['stale']);
      await write(del('a/x', '100'));
      expect(await write(put('a/x', '99'))).toEqual(['stale']);
      expect(await write(put('a/x', '100'))).toEqual(['written']);
    });

    test('revisions of tombstones are compared as decimals of any length', async () => {
      await write(del('a/x', '100000000000000000000'));
      expect(await write(put('a/x', '99999999999999999999'))).toEqual(['stale']);
      expect(await write(put('a/x', '100000000000000000001'))).toEqual(['written']);
    });

    test('the same name with a new uid is another object, and is written', async () => {
      await write(put('a/x', '10', { uid: 'old' }));
      await write(del('a/x', '12', { uid: 'old' }));
      expect(await write(put('a/x', '13', { uid: 'new' }))).toEqual(['written']);
      expect(await write(put('a/x', '11', { uid: 'old' }))).toEqual(['stale']);
      expect(await revisionOf('a/x')).toBe('13');
    });

    test('a delete without a revision is not: revisions cannot be compared then', async () => {
      await write(put('a/x', '10'));
      await write(del('a/x', null));
      expect(await write(put('a/x', '10'))).toEqual(['written']);
    });

    test('a forced put is written all the same, and what was remembered of the key is forgotten', async () => {
      await write(del('a/x', '1000'), del('a/y', '1000'));
      expect(await write(put('a/x', '200', { force: true }))).toEqual(['written']);
      expect(await write(del('a/x', '210'))).toEqual(['written']);
      expect(await write(put('a/x', '205'), put('a/y', '205'))).toEqual(['stale', 'stale']);
      expect(await write(put('a/x', '220'))).toEqual(['written']);
    });
  });

  test('every change of every incarnation, delivered in any order and some twice, ends as the cluster did; no step brings back what was deleted', async () => {
    // For each name its incarnations: how many states each had, and whether it was deleted at the end (all but the last were).
    const life = fc.record({ states: fc.integer({ min: 1, max: 3 }), isDeleted: fc.boolean() });
    const names = fc.array(fc.array(life, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 });
    let round = 0;
    await fc.assert(
      fc.asyncProperty(names, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), async (lives, randoms) => {
        const kind = { ...DEPLOYMENTS, group: `l${round++}` };
        const { events, truth } = historyOf(lives, kind);
        const delivered = [...events, ...events.filter(() => (randoms.next().value ?? 0) < 0.3)]
          .map((event) => ({ event, at: randoms.next().value ?? 0 }))
          .sort((a, b) => a.at - b.at)
          .map(({ event }) => event);
        const deletedAsOf = new Map<string, string>();
        for (const event of delivered) {
          await write(event);
          const revision = event.type === 'delete' ? event.revision : null;
          if (event.type === 'delete' && revision !== null) deletedAsOf.set(event.uid, revision);
          for (const row of await wholeIndex(engine().storage, `deployments.${kind.group}`)) {
            const deleted = deletedAsOf.get(row.uid);
            expect(deleted === undefined || compareRevisions(row.revision, deleted) >= 0).toBe(true);
          }
        }
        const rows = await wholeIndex(engine().storage, `deployments.${kind.group}`);
        expect(Object.fromEntries(rows.map((row) => [row.key, `${row.uid}@${row.revision}`]))).toEqual(truth);
      }),
      { numRuns: 100 },
    );
  });
}

/** A cluster with one counter of revisions, in which the incarnations of the names live one after the other. */
function historyOf(
  lives: readonly (readonly { readonly states: number; readonly isDeleted: boolean }[])[],
  kind: typeof DEPLOYMENTS,
): { readonly events: readonly Write[]; readonly truth: Readonly<Record<string, string>> } {
  const events: Write[] = [];
  const truth: Record<string, string> = {};
  // Crosses from two digits to three on the way.
  let revision = 95;
  for (const [index, incarnations] of lives.entries()) {
    const name = `a/x${index}`;
    for (const [life, { states, isDeleted }] of incarnations.entries()) {
      const uid = `u${index}-${life}`;
      for (let state = 0; state < states; state++) {
        events.push(put(name, String(++revision), { kind, uid }));
        truth[name] = `${uid}@${revision}`;
      }
      if (isDeleted || life < incarnations.length - 1) {
        events.push(del(name, String(++revision), { kind, uid }));
        delete truth[name];
      }
    }
  }
  return { events, truth };
}
