import { expect, test } from 'vitest';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { silentLogger } from '../../src/kit/log.ts';
import { brokenHistory, HistoryGuard } from '../../src/mirror/history-guard.ts';
import { ManualClock } from '../support/manual-clock.ts';

test('a history that goes on is not broken, also while parts of it may not be read', () => {
  expect(brokenHistory({ identity: null, revision: null }, { identity: 'a', revision: '5' })).toBeNull();
  expect(brokenHistory({ identity: 'a', revision: '5' }, { identity: 'a', revision: '5' })).toBeNull();
  expect(brokenHistory({ identity: 'a', revision: '99' }, { identity: 'a', revision: '100' })).toBeNull();
  expect(brokenHistory({ identity: 'a', revision: '5' }, { identity: null, revision: null })).toBeNull();
});

test('another uid of kube-system, or a revision that went back, breaks it', () => {
  expect(brokenHistory({ identity: 'a', revision: '5' }, { identity: 'b', revision: '900' })).toContain('the cluster is another one');
  expect(brokenHistory({ identity: 'a', revision: '1005' }, { identity: 'a', revision: '205' })).toBe(
    'the history of the cluster went back from revision 1005 to 205',
  );
  expect(brokenHistory({ identity: null, revision: '1005' }, { identity: null, revision: '205' })).toContain('went back');
});

/** A guard that was asked to begin, and runs until `end()`. */
async function guarded() {
  const clock = new ManualClock();
  const world = { clock, revision: '100', delivered: null as string | null, broken: 0, end: async () => {} };
  const cluster = {
    identity: async () => 'a',
    list: async (_kind: unknown, _scope: unknown, _query: unknown, sink: (chunk: Uint8Array) => void) =>
      sink(Buffer.from(`{"kind":"NamespaceList","apiVersion":"v1","metadata":{"resourceVersion":"${world.revision}"},"items":[]}`)),
  } as unknown as Cluster;
  const guard = new HistoryGuard({
    cluster,
    clock,
    log: silentLogger,
    onBroken: () => [`broken-${++world.broken}`],
    delivered: () => world.delivered,
  });
  const ending = new AbortController();
  await guard.begin(ending.signal);
  const running = guard.run(ending.signal);
  world.end = async () => {
    ending.abort();
    await running;
  };
  return { world, guard };
}

test('a history that went back is noticed also when the watch got further than the last look that succeeded', async () => {
  const { world, guard } = await guarded();
  world.delivered = '500';
  world.revision = '600';
  await world.clock.advanceAsync(60_000);
  expect(world.broken).toBe(0);
  expect(guard.isNewsTo('pods')).toBe(false);
  world.delivered = '900';
  world.revision = '700';
  await world.clock.advanceAsync(60_000);
  expect(world.broken).toBe(1);
  // Once to each kind that did not run just then.
  expect([guard.isNewsTo('broken-1'), guard.isNewsTo('pods'), guard.isNewsTo('pods')]).toEqual([false, true, false]);
  await world.end();
});

test('it is noticed once, however long namespaces cannot be listed anew: what their watch had delivered is of the old history', async () => {
  const { world } = await guarded();
  world.delivered = '900';
  world.revision = '700';
  await world.clock.advanceAsync(180_000);
  expect(world.broken).toBe(1);
  world.delivered = '701';
  world.revision = '702';
  await world.clock.advanceAsync(60_000);
  expect(world.broken).toBe(1);
  world.delivered = '900';
  await world.clock.advanceAsync(60_000);
  expect(world.broken).toBe(2);
  await world.end();
});
