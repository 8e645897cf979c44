import { expect, test } from 'vitest';
import type { Cluster, ListQuery } from '../../src/cluster/cluster.ts';
import { createLogger } from '../../src/kit/log.ts';
import { ApiError } from '../../src/model/errors.ts';
import { kindId, type Kind } from '../../src/model/kind.ts';
import { shardSelectorOf } from '../../src/model/shard.ts';
import { Sharding } from '../../src/mirror/sharding.ts';
import { MAPS } from './world.ts';

const SHARD = { index: 1, count: 2 };
const SECRETS: Kind = { ...MAPS, resource: 'secrets', kind: 'Secret' };
const signal = new AbortController().signal;

/** What a cluster is asked for, and a sharding that asks it. `refuse` is thrown at whoever sends a selector. */
async function sharding(refuse?: Error): Promise<{ readonly asked: (string | undefined)[]; readonly lines: string[]; readonly sharding: Sharding }> {
  const asked: (string | undefined)[] = [];
  const lines: string[] = [];
  const answer = async ({ shardSelector }: Pick<ListQuery, 'shardSelector'>): Promise<void> => {
    asked.push(shardSelector);
    if (shardSelector !== undefined && refuse !== undefined) throw refuse;
  };
  const cluster: Cluster = {
    address: 'test',
    discover: () => Promise.resolve({ kinds: [], broken: [] }),
    list: (_kind, _scope, query) => answer(query),
    watch: (_kind, _scope, query) => answer(query),
    get: () => Promise.resolve(null),
    identity: () => Promise.resolve(null),
    close: () => Promise.resolve(),
  };
  const log = await createLogger({ level: 'info', format: 'json', write: (line) => lines.push(line) });
  return { asked, lines, sharding: new Sharding({ shard: SHARD, cluster, log, seesAll: (kind) => kind === kindId(SECRETS) }) };
}

async function askAll({ cluster }: Sharding): Promise<void> {
  const watch = { resourceVersion: '1', timeoutSeconds: 300 };
  await cluster.list(MAPS, '', { limit: 5 }, () => {}, signal);
  await cluster.watch(
    MAPS,
    '',
    watch,
    () => {},
    () => {},
    signal,
  );
  await cluster.list(SECRETS, '', {}, () => {}, signal);
}

test('lists and watches are asked for the shard, but for kinds of which every object must be seen', async () => {
  const { asked, sharding: it } = await sharding();
  await askAll(it);
  expect(asked).toEqual([shardSelectorOf(SHARD), shardSelectorOf(SHARD), undefined]);
});

test('who splits is told by lists that were asked to be split, and said when it changes', async () => {
  const { lines, sharding: it } = await sharding();
  expect(it.status()).toEqual({ index: 1, count: 2, splitBy: null });
  it.listed(SECRETS, { shardInfo: null });
  expect(it.status().splitBy).toBeNull();
  it.listed(MAPS, { shardInfo: null });
  it.listed(MAPS, { shardInfo: null });
  expect([it.status().splitBy, it.share]).toEqual(['us', 0.5]);
  it.listed(MAPS, { shardInfo: shardSelectorOf(SHARD) });
  expect([it.status().splitBy, it.share]).toEqual(['server', 1]);
  expect(lines).toHaveLength(2);
});

test('a server that does not understand the selector is asked again without it, said once, and never sent it again', async () => {
  const { asked, lines, sharding: it } = await sharding(new ApiError('invalid shard selector: unsupported field path', { status: 500 }));
  await askAll(it);
  await askAll(it);
  expect(asked).toEqual([shardSelectorOf(SHARD), ...Array.from({ length: 6 }, () => undefined)]);
  expect(lines).toEqual([expect.stringContaining('splits in another way')]);
  expect(it.status().splitBy).toBe('us');
});

test('every other refusal is handed on', async () => {
  const { asked, sharding: it } = await sharding(new ApiError('etcdserver: leader changed', { status: 500 }));
  await expect(askAll(it)).rejects.toThrow('leader changed');
  expect(asked).toEqual([shardSelectorOf(SHARD)]);
});
