import { expect, test } from 'vitest';
import type { AuditedKind } from '../../src/audit/audited-kind.ts';
import { Reducer } from '../../src/audit/content.ts';
import { liveRanges } from '../../src/audit/live-ranges.ts';
import { Pace } from '../../src/audit/pace.ts';
import { ObjectCache } from '../../src/cache/object-cache.ts';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { ApiError } from '../../src/model/errors.ts';
import { planOf } from '../mirror/world.ts';
import { ManualClock } from '../support/manual-clock.ts';

type Page = { readonly names: readonly string[]; readonly revision: string; readonly next?: string } | ApiError;

/** What comes of a list that is answered with these pages, in turn: ranges, or the reason why it was given up; and the tokens that were asked with. */
async function listed(
  pages: readonly Page[],
  options: { readonly progress?: string; readonly obstacle?: string; readonly foreign?: string } = {},
): Promise<{ readonly found: readonly string[]; readonly asked: readonly (string | undefined)[]; readonly relists: number; readonly seconds: number }> {
  const clock = new ManualClock();
  const asked: (string | undefined)[] = [];
  let relists = 0;
  const cluster = {
    async list(_kind, _scope, query, sink) {
      const page = pages[asked.length];
      asked.push(query.continue);
      if (page === undefined) throw new Error('no more pages');
      if (page instanceof ApiError) throw page;
      const items = page.names.map((name) =>
        name === 'damaged' ? { spec: {} } : { metadata: { name, namespace: 'default', uid: `u-${name}`, resourceVersion: '7' } },
      );
      const metadata = { resourceVersion: page.revision, ...(page.next === undefined ? {} : { continue: page.next }) };
      sink(Buffer.from(JSON.stringify({ kind: 'ConfigMapList', apiVersion: 'v1', metadata, items })));
    },
  } as Partial<Cluster> as Cluster;
  const plan = planOf();
  const cache = new ObjectCache(['']);
  cache.scope('').progress = options.progress ?? null;
  const kind = {
    plan,
    cache,
    isOurs: (uid) => uid !== options.foreign,
    obstacle: () => options.obstacle ?? null,
    relist: () => relists++,
  } as Partial<AuditedKind> as AuditedKind;
  const found: string[] = [];
  const reading = async (): Promise<void> => {
    const parts = { kind, cluster, pace: new Pace(clock, 2_000), reducer: new Reducer(plan, new Uint8Array(), false), signal: new AbortController().signal };
    for await (const { after, upTo, live, listed: revision, isWhole } of liveRanges(parts, '')) {
      found.push(`(${after ?? ''}, ${upTo ?? ''}] at ${revision}${isWhole ? '' : ', not whole'}: ${[...live.keys()].join(' ')}`.replaceAll('default/', ''));
    }
  };
  let isOver = false;
  const done = reading()
    .catch((cause: unknown) => found.push(String(cause)))
    .finally(() => {
      isOver = true;
    });
  for (let second = 0; !isOver && second < 60; second++) await clock.advanceAsync(1_000);
  await done;
  return { found, asked, relists, seconds: Math.round(clock.now() / 1000) };
}

const expired = (token: string | null): ApiError => new ApiError('too old', { status: 410, reason: 'Expired', continueToken: token });

test('each page is the stretch of keys from the page before to its own last one, and the last goes to the end', async () => {
  const { found, asked, seconds } = await listed([
    { names: ['a', 'b'], revision: '9', next: 't1' },
    { names: ['c'], revision: '9', next: 't2' },
    { names: [], revision: '9', next: 't3' },
    { names: ['d'], revision: '9' },
  ]);
  expect(found).toEqual(['(, b] at 9: a b', '(b, c] at 9: c', '(c, ] at 9: d']);
  expect(asked).toEqual([undefined, 't1', 't2', 't3']);
  expect(seconds).toBeGreaterThanOrEqual(6);
});

test('a token that expired is followed by the one that the server hands out, whose page is of a later revision', async () => {
  const { found, asked } = await listed([{ names: ['a'], revision: '9', next: 't1' }, expired('t2'), { names: ['b'], revision: '12' }]);
  expect(found).toEqual(['(, a] at 9: a', '(a, ] at 12: b']);
  expect(asked).toEqual([undefined, 't1', 't2']);
});

test('without another token the kind is given up for this round', async () => {
  const { found } = await listed([{ names: ['a'], revision: '9', next: 't1' }, expired(null)]);
  expect(found).toEqual(['(, a] at 9: a', expect.stringContaining('too old')]);
});

test('pages that are not in the order of keys are one stretch together, which no second token may continue', async () => {
  const pages: readonly Page[] = [
    { names: ['b', 'a'], revision: '9', next: 't1' },
    { names: ['d', 'c'], revision: '9' },
  ];
  expect((await listed(pages)).found).toEqual(['(, ] at 9: b a d c']);
  const [first] = pages;
  expect((await listed([first ?? expired(null), expired('t2')])).found).toEqual([expect.stringContaining('took longer than the API server keeps one')]);
  expect(
    (
      await listed([
        { names: ['a'], revision: '9', next: 't1' },
        { names: ['c', 'b'], revision: '9' },
      ])
    ).found,
  ).toEqual(['(, a] at 9: a', expect.stringContaining('not in the order of their keys')]);
});

test('a page with an object that cannot be read proves no absence', async () => {
  const { found } = await listed([
    { names: ['a', 'damaged'], revision: '9', next: 't1' },
    { names: ['c'], revision: '9' },
  ]);
  expect(found).toEqual(['(, a] at 9, not whole: a', '(a, ] at 9: c']);
});

test('a list that is older than what the mirror was told before says that history went back', async () => {
  const back = await listed([{ names: ['a'], revision: '9' }], { progress: '10' });
  expect(back).toMatchObject({ relists: 1, found: [expect.stringContaining('the cluster is at revision 9, and was at 10')] });
  expect(await listed([{ names: ['a'], revision: '10' }], { progress: '10' })).toMatchObject({ relists: 0, found: ['(, ] at 10: a'] });
});

test('a kind of which nothing can be said is not asked for', async () => {
  expect(await listed([], { obstacle: 'its list is not complete' })).toMatchObject({ asked: [], found: [expect.stringContaining('its list is not complete')] });
});

test('an object of another shard is none that is alive here', async () => {
  const { found } = await listed([{ names: ['a', 'b', 'c'], revision: '9' }], { foreign: 'u-b' });
  expect(found).toEqual(['(, ] at 9: a c']);
});
