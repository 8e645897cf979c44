import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PAGE, type StoredListEnd, storedList } from '../../../src/storage/bcs/stored-list.ts';
import { PODS } from '../build.ts';

interface Row {
  readonly _id: string;
  readonly namespace: string;
  readonly resourceName: string;
  readonly data: object;
}

const row = (n: number, data: object = { metadata: { uid: `u${n}`, resourceVersion: String(n + 1) } }): Row => ({
  _id: `id${n}`,
  namespace: 'a',
  resourceName: `x${n}`,
  data,
});

/** Reads a list that `change` is called on after every page. */
async function read(
  rows: Row[],
  change: (page: number) => void = () => {},
  group: typeof PODS | null = null,
): Promise<{ keys: string[]; pages: number; end: StoredListEnd }> {
  let pages = 0;
  const list = storedList({
    cluster: 'c',
    type: 'Pod',
    namespace: '',
    group,
    fetch: async (path) => {
      const query = new URLSearchParams(path.slice(path.indexOf('?')));
      const offset = Number(query.get('offset'));
      const page = Buffer.from(JSON.stringify(rows.slice(offset, offset + Number(query.get('limit')))));
      change(++pages);
      return page;
    },
  });
  const keys: string[] = [];
  for (;;) {
    const { done, value } = await list.next();
    if (done === true) return { keys, pages, end: value };
    keys.push(...value.map((one) => one.key));
  }
}

const rowsUpTo = (count: number): Row[] => Array.from({ length: count }, (_, n) => row(n));

describe('a stored list', () => {
  test.each([0, 1, PAGE - 1, PAGE, PAGE + 1, 3_001, 3_600])(
    'of %i rows is read to its end, once, beyond the 3,000 that the service gives unasked (4.1 #6)',
    async (count) => {
      const { keys, pages } = await read(rowsUpTo(count));
      expect(keys).toEqual(rowsUpTo(count).map(({ resourceName }) => `a/${resourceName}`));
      // Of a list of one page nothing more is asked for; of others no more behind their end than twice what they have.
      const needed = Math.floor(count / (PAGE - 1)) + 1;
      expect(pages).toBeLessThanOrEqual(count < PAGE ? 1 : 3 * needed);
    },
  );

  test('from which rows go while it is read is read again, and none is missed or told twice (4.1 #7)', async () => {
    const rows = rowsUpTo(1_600);
    const { keys } = await read(rows, (page) => {
      if (page === 1) rows.splice(0, 300);
    });
    expect(new Set(keys).size).toBe(keys.length);
    for (const { resourceName } of rows) expect(keys).toContain(`a/${resourceName}`);
  });

  test('whose rows move to its end, as a database may do that rewrites them, misses none that was there all the time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(1_199), { minLength: 1, maxLength: 6 }), async (moves) => {
        const rows = rowsUpTo(1_200);
        const { keys } = await read(rows, (page) => {
          const at = page <= moves.length ? moves[page - 1] : undefined;
          if (at !== undefined) rows.push(...rows.splice(at, 1));
        });
        expect([...keys].sort()).toEqual(rows.map(({ resourceName }) => `a/${resourceName}`).sort());
      }),
      { numRuns: 50 },
    );
  });

  test('of which pages are answered in any order, while rows move to its end and others go, misses none that was there all the time', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.record({ at: fc.nat(2_399), goes: fc.boolean() }), { minLength: 1, maxLength: 5 }),
        async (scheduler, events) => {
          const rows = rowsUpTo(2_600);
          const gone = new Set<string>();
          let pages = 0;
          const list = storedList({
            cluster: 'c',
            type: 'Pod',
            namespace: '',
            group: null,
            fetch: async (path) => {
              await scheduler.schedule(Promise.resolve(), path);
              const query = new URLSearchParams(path.slice(path.indexOf('?')));
              const offset = Number(query.get('offset'));
              const page = Buffer.from(JSON.stringify(rows.slice(offset, offset + Number(query.get('limit')))));
              const event = events[pages++];
              const [moved] = event === undefined ? [] : rows.splice(event.at, 1);
              if (moved !== undefined && event?.goes === true) gone.add(moved.resourceName);
              else if (moved !== undefined) rows.push(moved);
              return page;
            },
          });
          const keys: string[] = [];
          const reading = (async () => {
            for await (const page of list) keys.push(...page.map(({ key }) => key));
          })();
          await scheduler.waitFor(reading);
          expect(new Set(keys).size).toBe(keys.length);
          expect(keys.filter((key) => !gone.has(key.slice(2))).sort()).toEqual(rows.map(({ resourceName }) => `a/${resourceName}`).sort());
        },
      ),
      { numRuns: 100 },
    );
  });

  test('of which one page cannot be read fails as a whole, and nothing is left unlooked at', async () => {
    const rows = rowsUpTo(3_000);
    const list = storedList({
      cluster: 'c',
      type: 'Pod',
      namespace: '',
      group: null,
      fetch: async (path) => {
        const offset = Number(new URLSearchParams(path.slice(path.indexOf('?'))).get('offset'));
        if (offset > 500) throw new Error(`no page at ${offset}`);
        return Buffer.from(JSON.stringify(rows.slice(offset, offset + PAGE)));
      },
    });
    const keys: string[] = [];
    await expect(
      (async () => {
        for await (const page of list) keys.push(...page.map(({ key }) => key));
      })(),
    ).rejects.toThrow('no page at 998');
    expect(keys).toHaveLength(999);
  });

  test('that never holds still is taken as it is in the end', async () => {
    const rows = rowsUpTo(1_200);
    let next = 10_000;
    const { pages } = await read(rows, () => void rows.unshift(row(next++)));
    expect(pages).toBeLessThan(100);
  });

  test('with rows that have no metadata, name or comparable revision: they are skipped and counted, and crash nothing (4.1 #18)', async () => {
    const rows = [row(1), row(2, {}), row(3, { metadata: null }), row(4, { metadata: { uid: 'u', resourceVersion: '' } }), row(5, { metadata: { uid: 7 } })];
    const odd = [{ _id: 'n' }, null, 7, { _id: 'd', namespace: 'a', resourceName: 'x', data: null }] as unknown as Row[];
    const { keys, end } = await read([...rows, ...odd]);
    expect(keys).toEqual(['a/x1']);
    expect(end).toEqual({ skipped: 6, foreign: 0 });
  });

  test('of a type that two groups shared before us holds rows of the other: they are left alone (4.1 #24)', async () => {
    const metadata = { uid: 'u', resourceVersion: '1' };
    const rows = [row(1, { apiVersion: 'v1', metadata }), row(2, { apiVersion: 'other.example.com/v1', metadata }), row(3, { metadata })];
    expect(await read(rows, () => {}, PODS)).toMatchObject({ keys: ['a/x1', 'a/x3'], end: { foreign: 1 } });
  });
});
