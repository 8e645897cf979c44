import { expect, test } from 'vitest';
import { freshnessOf } from '../../src/read/freshness.ts';
import { mergedRecords } from '../../src/storage/merged-records.ts';
import { readRecordedScope, recordedScope } from '../../src/storage/sharded.ts';
import type { ScopeRecord } from '../../src/storage/storage.ts';
import { scope } from './build.ts';

const of = (index: number, count: number, more: Partial<ScopeRecord> = {}, within = ''): ScopeRecord =>
  scope('5', { ...more, scope: recordedScope(within, { index, count }) });

test('the record of one shard of one is as it ever was', () => {
  const records = [scope('5'), scope('7', { scope: 'team-a' }), scope('9', { kind: 'nodes' })];
  expect(mergedRecords(records)).toEqual(records);
});

test('records of several shards are as old as the oldest of them, by revision and by time, and count together', () => {
  const records = [of(0, 3, { watermark: '99', heardAt: 30, listedAt: 4 }), of(1, 3, { watermark: '100', heardAt: 10 }), of(2, 3, { heardAt: 20 })];
  expect(mergedRecords(records)).toEqual([scope('5', { heardAt: 10, listedAt: 4, objects: 9 })]);
});

test.each([
  ['one is missing', [of(0, 3), of(2, 3)]],
  ['one is not complete', [of(0, 2), of(1, 2, { complete: false, watermark: null, heardAt: null })]],
])('the copy is not complete where %s', (_, records) => {
  const merged = mergedRecords(records);
  expect(merged).toMatchObject([{ complete: false, watermark: null, heardAt: null }]);
  expect(freshnessOf({ records: merged, parked: [], namespace: null }, 0).state).toBe('partial');
});

test('what shards do not agree about is not said of all of them', () => {
  expect(mergedRecords([of(0, 2), of(1, 2, { stored: 'form-2', rules: 'rules-2', identity: null })])).toMatchObject([
    { stored: null, rules: null, identity: null, complete: true },
  ]);
});

test('each namespace is merged by itself, and of two numbers of shards those count that were heard last', () => {
  const former = [of(0, 2, { heardAt: 9 }, 'a'), of(1, 2, { heardAt: 9 }, 'a')];
  const now = [of(0, 3, { heardAt: 11 }, 'a'), of(1, 3, { heardAt: 8 }, 'a'), of(2, 3, { heardAt: 12 }, 'a')];
  const merged = mergedRecords([...former, ...now, of(0, 2, {}, 'b'), of(1, 2, {}, 'b')]);
  expect(merged.map((record) => [record.scope, record.heardAt, record.objects])).toEqual([
    ['a', 8, 9],
    ['b', 1_700_000_000_500, 6],
  ]);
});

test.each([
  ['', { index: 0, count: 1 }, ''],
  ['', { index: 1, count: 2 }, '#1-of-2'],
  ['team-a', { index: 9, count: 10 }, 'team-a#9-of-10'],
])('scope %j of %o is on record as %j, and read again', (within, shard, recorded) => {
  expect(recordedScope(within, shard)).toBe(recorded);
  expect(readRecordedScope(recorded)).toEqual({ scope: within, shard });
});
