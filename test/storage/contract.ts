import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compareRevisions } from '../../src/model/revision.ts';
import type { Storage, StorageReader, Write } from '../../src/storage/storage.ts';
import type { EngineUnderTest } from './engine-under-test.ts';
import { epochs } from './epochs.ts';
import { lateWrites } from './late-writes.ts';
import { parking } from './parking.ts';
import { shards } from './shards.ts';
import { DEPLOYMENTS, del, key, NODES, outcomes, put, scope, wholeIndex } from './build.ts';

/** What every engine promises. `make` gives a new, empty, opened one for the cluster `prod`. */
export function storageContract(name: string, make: () => Promise<EngineUnderTest>): void {
  describe(`${name} keeps the storage contract`, () => {
    let engine: EngineUnderTest;
    let storage: Storage;
    let reader: StorageReader;
    beforeEach(async () => {
      engine = await make();
      ({ storage, reader } = engine);
    });
    afterEach(() => engine.remove());

    epochs(() => engine);
    lateWrites(() => engine);
    parking(() => engine);
    shards(() => engine);

    const stored = async (name: string, kind = 'pods'): Promise<string | null> => {
      const found = await reader.get('prod', kind, key(name));
      return found === null ? null : Buffer.from(found.body).toString();
    };

    describe('guards of a put (semantics 8.2)', () => {
      test('a new object, and a newer revision of it, are written', async () => {
        expect(await outcomes(storage, [put('a/x', '5', { body: '{"n":1}' })])).toEqual(['written']);
        expect(await outcomes(storage, [put('a/x', '6', { body: '{"n":2}' })])).toEqual(['written']);
        expect(await stored('a/x')).toBe('{"n":2}');
      });

      test('an older revision is stale, the same one is unchanged, and the row stays as it was', async () => {
        await storage.write([put('a/x', '10', { body: '{"n":1}' })], []);
        expect(await outcomes(storage, [put('a/x', '9', { body: '{"n":2}' })])).toEqual(['stale']);
        expect(await outcomes(storage, [put('a/x', '10', { body: '{"n":3}' })])).toEqual(['unchanged']);
        expect(await stored('a/x')).toBe('{"n":1}');
      });

      test('revisions are compared as decimals of any length', async () => {
        const long = '340282366920938463463374607431768211456';
        const longer = `${long}0000000000000000000000000000000000000000`;
        expect(await outcomes(storage, [put('a/x', '99999999999999999999')])).toEqual(['written']);
        expect(await outcomes(storage, [put('a/x', long)])).toEqual(['written']);
        expect(await outcomes(storage, [put('a/x', '99999999999999999999')])).toEqual(['stale']);
        expect(await outcomes(storage, [put('a/x', longer)])).toEqual(['written']);
        expect(await outcomes(storage, [put('a/x', long)])).toEqual(['stale']);
        expect((await reader.get('prod', 'pods', key('a/x')))?.revision).toBe(longer);
      });

      test('another uid replaces the row unless it is older', async () => {
        await storage.write([put('a/x', '10', { uid: 'old' })], []);
        expect(await outcomes(storage, [put('a/x', '9', { uid: 'new' })])).toEqual(['stale']);
        expect(await outcomes(storage, [put('a/x', '11', { uid: 'new' })])).toEqual(['written']);
        expect((await reader.get('prod', 'pods', key('a/x')))?.uid).toBe('new');
        expect(await outcomes(storage, [put('a/x', '10', { uid: 'old' })])).toEqual(['stale']);
      });

      test('a rewrite writes the same revision with another body, once, and an older one never', async () => {
        await storage.write([put('a/x', '10', { body: '{"secret":1}' })], []);
        expect(await outcomes(storage, [put('a/x', '10', { body: '{}', rewrite: true })])).toEqual(['written']);
        expect(await stored('a/x')).toBe('{}');
        expect(await outcomes(storage, [put('a/x', '10', { body: '{}', rewrite: true })])).toEqual(['unchanged']);
        expect(await outcomes(storage, [put('a/x', '9', { body: '{"n":1}', rewrite: true })])).toEqual(['stale']);
        expect(await stored('a/x')).toBe('{}');
      });
    });

    test('a body that is not JSON is rejected alone, its neighbours are written; one that was checked before is not checked again', async () => {
      const broken = put('a/bad', '1', { body: '{"spec":{]}', isChecked: false });
      expect(await storage.write([put('a/x', '1'), broken, put('a/y', '1', { body: '{"n":1}' })], [])).toMatchObject([
        { kind: 'written' },
        { kind: 'rejected', error: expect.stringContaining('the object is not JSON') },
        { kind: 'written' },
      ]);
      expect(
        await outcomes(storage, [
          put('a/empty', '1', { body: '', isChecked: false }),
          put('a/two', '1', { body: '{}{}', isChecked: false }),
          put('a/good', '1', { isChecked: false }),
        ]),
      ).toEqual(['rejected', 'rejected', 'written']);
    });

    describe('a cluster whose history went back', () => {
      test('its objects replace rows of any revision, and are guarded again afterwards', async () => {
        await storage.write([put('a/x', '1005', { uid: 'before' })], []);
        expect(await outcomes(storage, [put('a/x', '205', { uid: 'after' })])).toEqual(['stale']);
        expect(await outcomes(storage, [put('a/x', '205', { uid: 'after', force: true })])).toEqual(['written']);
        expect(await reader.get('prod', 'pods', key('a/x'))).toMatchObject({ uid: 'after', revision: '205' });
        expect(await outcomes(storage, [put('a/x', '204', { uid: 'after' })])).toEqual(['stale']);
      });
    });

    test('the record of a retired scope is removed, the others stay', async () => {
      const record = { watermark: '5', listedAt: 1, heardAt: 1, objects: 0, complete: true, stored: null, rules: null, identity: null };
      await storage.write(
        [],
        [
          { ...record, kind: 'widgets.example.com', scope: '' },
          { ...record, kind: 'pods', scope: '' },
        ],
      );
      await storage.write([], [{ ...record, kind: 'widgets.example.com', scope: '', retired: true }]);
      expect((await storage.scopes()).map(({ kind }) => kind)).toEqual(['pods']);
      expect(await storage.kinds()).toEqual(['pods']);
    });

    describe('guards of a delete (semantics 8.2)', () => {
      test('removes the row of its uid, up to its revision', async () => {
        await storage.write([put('a/x', '10'), put('a/y', '11')], []);
        expect(await outcomes(storage, [del('a/x', '12'), del('a/y', '11')])).toEqual(['written', 'written']);
        expect(await wholeIndex(storage)).toEqual([]);
      });

      test('of another uid is stale and removes nothing', async () => {
        await storage.write([put('a/x', '10', { uid: 'new' })], []);
        expect(await outcomes(storage, [del('a/x', '99', { uid: 'old' })])).toEqual(['stale']);
        expect(await stored('a/x')).not.toBeNull();
      });

      test('of an older revision than the stored one is stale; without a revision only the uid counts', async () => {
        await storage.write([put('a/x', '10')], []);
        expect(await outcomes(storage, [del('a/x', '9')])).toEqual(['stale']);
        expect(await outcomes(storage, [del('a/x', null)])).toEqual(['written']);
        expect(await stored('a/x')).toBeNull();
      });

      test('of a row that is not there is unchanged', async () => {
        expect(await outcomes(storage, [del('a/x', '9'), del('a/y', null)])).toEqual(['unchanged', 'unchanged']);
      });
    });

    describe('what it keeps', () => {
      test('bodies come back byte by byte: 1.5 MB, empty, not ASCII, a NUL and bytes that are no UTF-8', async () => {
        const big = Buffer.from(`{"data":"${'ü'.repeat(750_000)}"}`);
        const bodies = [big, Buffer.from(''), Buffer.from('{"z":"日本語 🐙"}'), Buffer.from('{"a":"\u0000"}'), Buffer.from([0x7b, 0xff, 0xfe, 0x7d])];
        await storage.write(
          bodies.map((body, index) => put(`a/x${index}`, '1', { body })),
          [],
        );
        for (const [index, body] of bodies.entries()) {
          const found = await reader.get('prod', 'pods', key(`a/x${index}`));
          expect(Buffer.compare(found?.body ?? Buffer.from('missing'), body)).toBe(0);
        }
      });

      test('the caller may use the body for something else once the write has settled', async () => {
        const body = Buffer.from('{"n":1}');
        await storage.write([put('a/x', '1', { body })], []);
        body.fill(0x20);
        expect(await stored('a/x')).toBe('{"n":1}');
      });

      test('names of 253 characters, namespaces of 63, and names that are not ASCII', async () => {
        const names = [`${'n'.repeat(63)}/${'x'.repeat(253)}`, 'ns/größe-日本-🐙'];
        expect(
          await outcomes(
            storage,
            names.map((name) => put(name, '7', { uid: `uid-of-${name}` })),
          ),
        ).toEqual(['written', 'written']);
        expect((await wholeIndex(storage)).map((row) => [row.key, row.uid, row.revision])).toEqual(names.map((name) => [name, `uid-of-${name}`, '7']));
      });

      test('kinds are apart: same key in two, cluster-scoped ones without a namespace', async () => {
        await storage.write([put('a/x', '1'), put('a/x', '2', { kind: DEPLOYMENTS }), put('node-1', '3', { kind: NODES })], []);
        expect(await storage.kinds()).toEqual(['deployments.apps', 'nodes', 'pods']);
        expect(await reader.kinds('prod')).toEqual(['deployments.apps', 'nodes', 'pods']);
        expect(await reader.clusters()).toEqual(['prod']);
        expect(await wholeIndex(storage, 'nodes')).toEqual([{ key: 'node-1', uid: 'u1', revision: '3' }]);
        expect(await reader.get('prod', 'deployments.apps', key('a/x'))).toMatchObject({ apiVersion: 'apps/v1', kind: 'Deployment', revision: '2' });
        expect(await outcomes(storage, [del('a/x', '2', { kind: DEPLOYMENTS })])).toEqual(['written']);
        expect(await stored('a/x')).not.toBeNull();
      });

      test('the index gives one scope or all, in pages that together hold every key once', async () => {
        const names = Array.from({ length: 4_500 }, (_, index) => `ns-${index % 7}/pod-${index}`);
        for (let at = 0; at < names.length; at += 500)
          await storage.write(
            names.slice(at, at + 500).map((name) => put(name, '1')),
            [],
          );
        const pages: number[] = [];
        for await (const page of storage.index('pods', '')) pages.push(page.length);
        expect(pages.length).toBeGreaterThan(1);
        expect((await wholeIndex(storage)).map((row) => row.key)).toEqual([...names].sort());
        expect((await wholeIndex(storage, 'pods', 'ns-3')).map((row) => row.key)).toEqual(names.filter((name) => name.startsWith('ns-3/')).sort());
        expect(await wholeIndex(storage, 'services')).toEqual([]);
      });

      test('scope records, also without rows and with nothing known, and replaced as a whole', async () => {
        const fresh = scope(null, {
          scope: 'team-a',
          kind: 'deployments.apps',
          listedAt: null,
          heardAt: null,
          objects: 0,
          complete: false,
          stored: null,
          rules: null,
          identity: null,
        });
        expect(await outcomes(storage, [], [scope('10'), fresh])).toEqual([]);
        expect(await storage.kinds()).toEqual(['deployments.apps', 'pods']);
        await storage.write([put('a/x', '11')], [scope('11', { objects: 4, stored: 'form-2' })]);
        const found = [...(await storage.scopes())].sort((a, b) => (a.kind < b.kind ? -1 : 1));
        expect(found).toEqual([fresh, scope('11', { objects: 4, stored: 'form-2' })]);
        expect([...(await reader.scopes('prod'))].sort((a, b) => (a.kind < b.kind ? -1 : 1))).toEqual(found);
        expect(await reader.scopes('another')).toEqual([]);
      });
    });

    describe('reading', () => {
      test('lists in byte order of namespace/name, where a longer namespace can come before a shorter one (read contract, rule 8)', async () => {
        const names = ['sem/a', 'sem-a/z', 'sem/b', 'sem-a/a', 'sem-a-b/c', 'sem0/a', 'a/a', 'sem.x/q', 'se/z', 'sem/a-b', 'sem/a.b', 'zz/a'];
        await storage.write(
          names.map((name) => put(name, '1')),
          [],
        );
        const want = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        expect(want.indexOf('sem-a/z')).toBeLessThan(want.indexOf('sem/a'));
        for (const limit of [1, 2, 3, 5, 100]) {
          const got: string[] = [];
          for (;;) {
            const last = got.at(-1);
            const page = await reader.list({ cluster: 'prod', kind: 'pods', limit, ...(last === undefined ? {} : { after: key(last) }) });
            expect(page.length).toBeLessThanOrEqual(limit);
            if (page.length === 0) break;
            got.push(...page.map((row) => row.key));
          }
          expect(got).toEqual(want);
        }
      });

      test('lists one namespace, after any key, also one that is gone', async () => {
        await storage.write(
          ['sem/a', 'sem/c', 'sem-a/z', 't/a'].map((name) => put(name, '1')),
          [],
        );
        const list = async (namespace: string, after?: string): Promise<string[]> => {
          const rows = await reader.list({ cluster: 'prod', kind: 'pods', namespace, limit: 10, ...(after === undefined ? {} : { after: key(after) }) });
          return rows.map((row) => row.key);
        };
        expect(await list('sem')).toEqual(['sem/a', 'sem/c']);
        expect(await list('sem', 'sem/b')).toEqual(['sem/c']);
        expect(await list('sem', 'sem-a/z')).toEqual(['sem/a', 'sem/c']);
        expect(await list('sem', 't/a')).toEqual([]);
        expect(await list('none')).toEqual([]);
      });

      test('order and paging agree with a plain sort, whatever the namespaces are', async () => {
        const names = fc.uniqueArray(fc.tuple(fc.stringMatching(/^[ab]([-.ab0]{0,3}[ab0])?$/), fc.stringMatching(/^[a-b]([-.a]{0,2}[a])?$/)), {
          minLength: 1,
          maxLength: 25,
          selector: ([namespace, name]) => `${namespace}/${name}`,
        });
        let round = 0;
        await fc.assert(
          fc.asyncProperty(names, fc.integer({ min: 1, max: 6 }), async (pairs, limit) => {
            const kind = { ...DEPLOYMENTS, group: `g${round++}` };
            const keys = pairs.map(([namespace, name]) => `${namespace}/${name}`);
            await storage.write(
              keys.map((name) => put(name, '1', { kind })),
              [],
            );
            const got: string[] = [];
            for (;;) {
              const last = got.at(-1);
              const page = await reader.list({
                cluster: 'prod',
                kind: `deployments.${kind.group}`,
                limit,
                ...(last === undefined ? {} : { after: key(last) }),
              });
              if (page.length === 0) break;
              got.push(...page.map((row) => row.key));
            }
            expect(got).toEqual(keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
          }),
          { numRuns: 60 },
        );
      });

      test('another cluster has nothing', async () => {
        await storage.write([put('a/x', '1')], []);
        expect(await reader.get('another', 'pods', key('a/x'))).toBeNull();
        expect(await reader.list({ cluster: 'another', kind: 'pods', limit: 10 })).toEqual([]);
        expect(await reader.kinds('another')).toEqual([]);
      });
    });

    test('random writes by several callers leave what a plain map would hold, with the same outcomes', async () => {
      const write = fc.record({
        kind: fc.constantFrom('put', 'put', 'put', 'rewrite', 'force', 'delete', 'delete-any'),
        name: fc.constantFrom('a/x', 'a/y', 'a-b/x', 'b/z'),
        uid: fc.constantFrom('u1', 'u2'),
        revision: fc.constantFrom('8', '9', '10', '11', '100', '18446744073709551616'),
        body: fc.constantFrom('{"n":1}', '{"n":2}'),
      });
      let round = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.uniqueArray(write, { selector: (w) => w.name, minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 12 }),
          async (batches) => {
            const kind = { ...DEPLOYMENTS, group: `r${round++}` };
            const twin = newTwin();
            const want: string[][] = [];
            const calls: Promise<string[]>[] = [];
            for (const batch of batches) {
              const writes: Write[] = batch.map(({ kind: op, name, uid, revision, body }) =>
                op === 'put' || op === 'rewrite' || op === 'force'
                  ? put(name, revision, { kind, uid, body, rewrite: op === 'rewrite', force: op === 'force' })
                  : del(name, op === 'delete' ? revision : null, { kind, uid }),
              );
              want.push(writes.map((one) => twinApply(twin, one)));
              // Not awaited one by one: what is handed in earlier is done earlier, also within one transaction.
              calls.push(outcomes(storage, writes));
            }
            expect(await Promise.all(calls)).toEqual(want);
            const rows = await reader.list({ cluster: 'prod', kind: `deployments.${kind.group}`, limit: 100 });
            const got = rows.map((row) => [row.key, { uid: row.uid, revision: row.revision, body: Buffer.from(row.body).toString() }]);
            expect(Object.fromEntries(got)).toEqual(Object.fromEntries(twin.rows));
          },
        ),
        { numRuns: 80 },
      );
    });
  });
}

interface Twin {
  readonly rows: Map<string, { readonly uid: string; readonly revision: string; readonly body: string }>;
  /** By name and uid: the newest revision of a delete. */
  readonly deleted: Map<string, Map<string, string>>;
}

function newTwin(): Twin {
  return { rows: new Map(), deleted: new Map() };
}

/** The guards once more, written down plainly. */
function twinApply({ rows, deleted }: Twin, write: Write): string {
  const name = write.type === 'put' ? write.meta.key : write.key;
  const row = rows.get(name);
  if (write.type === 'delete') {
    const before = deleted.get(name)?.get(write.uid);
    if (write.revision !== null && (before === undefined || compareRevisions(before, write.revision) < 0)) {
      deleted.set(name, new Map(deleted.get(name)).set(write.uid, write.revision));
    }
    if (row === undefined) return 'unchanged';
    if (row.uid !== write.uid) return 'stale';
    if (write.revision !== null && compareRevisions(row.revision, write.revision) > 0) return 'stale';
    rows.delete(name);
    return 'written';
  }
  const next = { uid: write.meta.uid, revision: write.meta.revision, body: Buffer.from(write.body).toString() };
  if (write.force === true) {
    deleted.delete(name);
  } else {
    const tombstone = deleted.get(name)?.get(next.uid);
    if (tombstone !== undefined && compareRevisions(next.revision, tombstone) < 0) return 'stale';
    if (row !== undefined) {
      if (compareRevisions(next.revision, row.revision) < 0) return 'stale';
      const isSame = next.revision === row.revision && next.uid === row.uid;
      if (isSame && (write.rewrite !== true || next.body === row.body)) return 'unchanged';
    }
  }
  rows.set(name, next);
  return 'written';
}
