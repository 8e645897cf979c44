import { expect, test } from 'vitest';
import { statusLine } from '../../src/commands/status-line.ts';
import type { OwnShard, ShardsStatus } from '../../src/model/status.ts';
import { kindIn, statusOf } from '../web/statuses.ts';

test('one line says how old the copy is, what it holds and what waits', () => {
  const kinds = [kindIn({ objects: 1_200 }), kindIn({ id: 'nodes', objects: 34, unsettled: 7, ageMs: 3_200, parked: 2 })];
  expect(statusLine(statusOf(kinds), 12.4)).toBe('the copy is up to 3.2 s old · 2 kinds · 1,234 objects · 12 changes/s · 7 to write · 2 parked');
  expect(statusLine(statusOf([kindIn()]), 0)).toBe('the copy is current · 1 kind · 5 objects · 0 changes/s');
});

test('silence of the API server is told before it makes the copy old, and then does', () => {
  expect(statusLine(statusOf([kindIn({ silentMs: 45_000 }), kindIn({ id: 'nodes', silentMs: 120_000 })]), 0)).toMatch(
    /^the copy is current · .* · nothing heard for 45 s$/,
  );
  expect(statusLine(statusOf([kindIn({ silentMs: 119_000 })]), 0)).toMatch(/^the copy is up to 119 s old · .* · nothing heard for 119 s$/);
});

test('before the first sync is durable no age is claimed', () => {
  const kinds = [kindIn(), kindIn({ id: 'nodes', complete: false, state: 'listing', unsettled: 9, silentMs: null })];
  expect(statusLine(statusOf(kinds, { phase: 'syncing' }), 100)).toBe('syncing 1/2 kinds · 10 objects · 100/s · 9 to write');
});

test('one that shares shards says which are its', () => {
  const own = [0, 2].map((index): OwnShard => ({ index, epoch: 1, since: 0, phase: 'live', splitBy: 'us' }));
  const shards: ShardsStatus = { count: 4, identity: 'me', members: 2, holders: ['me', 'other', 'me', 'other'], own, given: [], waits: null };
  expect(statusLine(statusOf([kindIn()], { shards }), 0)).toBe('shards 0, 2 of 4 · the copy is current · 1 kind · 5 objects · 0 changes/s');
  expect(statusLine(statusOf([], { phase: 'standby', shards: { ...shards, own: [] } }), 0)).toMatch(/^standby: this process writes no shard of 4 · /);
});
