import { afterEach, beforeEach, expect, test } from 'vitest';
import { isInShard, shardSelectorOf } from '../../src/model/shard.ts';
import type { Json, TestCluster } from './client.ts';
import { testCluster } from './client.ts';

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await testCluster({ splits: true });
  for (let i = 0; i < 12; i++) cluster.config(`c${i}`);
});
afterEach(async () => {
  await cluster[Symbol.asyncDispose]();
});

const LIST = '/api/v1/namespaces/default/configmaps';
const asked = (selector: string): string => `shardSelector=${encodeURIComponent(selector)}`;
const halves = [0, 1].map((index) => ({ index, count: 2 }));
const uids = (json: Json): readonly string[] => json.items.map((item: Json) => item.metadata.uid);

test('two halves of a list have each object once, also by pages, and say by what they were split', async () => {
  const all = uids((await cluster.ask(LIST)).json);
  const found = await Promise.all(
    halves.map(async (shard) => {
      const first = (await cluster.ask(`${LIST}?limit=2&${asked(shardSelectorOf(shard))}`)).json;
      const rest = (await cluster.ask(`${LIST}?continue=${first.metadata.continue}&${asked(shardSelectorOf(shard))}`)).json;
      expect([first, rest].map(({ metadata }) => metadata.shardInfo)).toEqual([{ selector: shardSelectorOf(shard) }, { selector: shardSelectorOf(shard) }]);
      const own = [...uids(first), ...uids(rest)];
      expect(own.every((uid) => isInShard(uid, shard))).toBe(true);
      return own;
    }),
  );
  expect(found.map((own) => own.length).every((count) => count > 2)).toBe(true);
  expect(found.flat().sort()).toEqual([...all].sort());
  const joined = halves.map(shardSelectorOf).join(' || ');
  expect(uids((await cluster.ask(`${LIST}?${asked(joined)}`)).json)).toEqual(all);
});

test('a server that does not split answers everything, and says nothing', async () => {
  cluster.hollow.splits = false;
  const { json } = await cluster.ask(`${LIST}?${asked("shardRange(object.metadata.uid, 'nonsense', '')")}`);
  expect(json.items).toHaveLength(12);
  expect(json.metadata.shardInfo).toBeUndefined();
});

test.each([
  ["shardRange(object.metadata.name, '0x0000000000000000', '0x8000000000000000')", 'unsupported field path "object.metadata.name"'],
  ["shardRange(object.metadata.uid, '0x0', '0x8000000000000000')", 'hexStart must be a 0x-prefixed 16-digit hex value'],
  ['all of them', 'expected shardRange'],
])('%s is refused with 500', async (selector, why) => {
  const answer = await cluster.ask(`${LIST}?${asked(selector)}`);
  expect(answer.code).toBe(500);
  expect(answer.json.message).toContain(`invalid shard selector: ${why}`);
});
