import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hurriedClock } from '../../src/bench/child/hurried-clock.ts';
import type { Effect, FaultRule } from '../../src/hollow/faults.ts';
import { seedCluster } from '../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { until } from '../support/until.ts';
import { TestMirror } from './test-mirror.ts';

const ALL = { kinds: ['pods'] };

/** Two pages of a list. */
const PODS = 600;

let hollow: Hollow;
let made = 0;

async function open(): Promise<void> {
  hollow = await startHollow({ clock: hurriedClock(50) });
  seedCluster(hollow, { pods: PODS, nodes: 4, namespaces: 3, bytes: 1_000, apps: false });
}

/** Something of everything: a pod is made, one changes, one goes, one is replaced. */
function disturb(): void {
  made += 1;
  const [first = '', second = '', third = ''] = hollow.keys('pods');
  hollow.create('pods', { metadata: { name: `made-${made}`, namespace: 'default' }, spec: { containers: [] } });
  hollow.patch('pods', first, { metadata: { labels: { disturbed: String(made) } } });
  hollow.delete('pods', second);
  const [namespace = '', name = ''] = third.split('/');
  hollow.delete('pods', third);
  hollow.create('pods', { metadata: { name, namespace, labels: { replaced: String(made) } }, spec: { containers: [] } });
}

function mirrorPods(config: object = {}): Promise<TestMirror> {
  return TestMirror.start(hollow, { clock: hurriedClock(50), config: { kinds: ['pods'], ...config } });
}

const onPods = (effect: Effect, verb: 'list' | 'watch' | 'get', rest: Partial<FaultRule> = {}): FaultRule => ({
  effect,
  verbs: [verb],
  kinds: ['pods'],
  times: 2,
  ...rest,
});

describe('while the first list is read', () => {
  beforeEach(open);
  afterEach(() => hollow.close());

  test.each<[string, FaultRule]>([
    ['refused with 429 and Retry-After', onPods({ type: 'reject', status: 429, retryAfterSeconds: 1 }, 'list')],
    ['refused with 429 as plain text', onPods({ type: 'reject', status: 429, text: true }, 'list')],
    ['refused with 500', onPods({ type: 'reject', status: 500 }, 'list')],
    ['refused with 503', onPods({ type: 'reject', status: 503 }, 'list')],
    ['cut off in the middle of a page', onPods({ type: 'truncate', afterBytes: 300_000, end: 'reset' }, 'list')],
    ['ended cleanly in the middle of a page', onPods({ type: 'truncate', afterBytes: 300_000, end: 'clean' }, 'list')],
    ['ended cleanly after half a list header', onPods({ type: 'truncate', afterBytes: 30, end: 'clean' }, 'list')],
    ['answered as a Table', onPods({ type: 'wrong-content', form: 'table' }, 'list')],
    ['answered with a page to sign in', onPods({ type: 'wrong-content', form: 'html' }, 'list')],
    ['split into small chunks', onPods({ type: 'split', bytes: 1_000 }, 'list')],
    ['stalled after the headers', onPods({ type: 'stall' }, 'list', { times: 1 })],
    ['never answered', onPods({ type: 'hang' }, 'list', { times: 1 })],
    ['slow', onPods({ type: 'slow', ms: 3_000 }, 'list')],
    ['without its continue token, which has expired', onPods({ type: 'expired', form: 'http' }, 'list', { continued: true, times: 1 })],
  ])('%s: the copy is complete in the end', async (_, fault) => {
    hollow.faults.add(fault);
    await using mirror = await mirrorPods();
    await mirror.ready();
    expect(hollow.faults.list(), 'the fault was met').toEqual([]);
    expect(mirror.copy.differences(hollow, ALL)).toEqual([]);
    disturb();
    await mirror.copy.equals(hollow, ALL);
  });

  test.each(['table', 'html'] as const)('a 200 that is no list of pods (%s) deletes nothing of what an earlier run stored', async (form) => {
    await using first = await mirrorPods();
    await first.ready();
    await first.stop();
    hollow.faults.add({ effect: { type: 'wrong-content', form }, verbs: ['list', 'watch'], kinds: ['pods'] });
    await using second = await TestMirror.start(hollow, { clock: hurriedClock(50), config: { kinds: ['pods'] }, dir: first.dir });
    await until('it complains', () => second.kind('pods')?.state === 'waiting', { everyMs: 20 });
    expect(second.copy.rows('pods')).toHaveLength(PODS);
    expect(second.app.isReady()).toBe(false);
    hollow.faults.clear();
    await second.ready();
    await second.copy.equals(hollow, ALL);
  });
});

describe('while it watches', () => {
  let mirror: TestMirror;

  beforeAll(async () => {
    await open();
    // Faults come one after another here, so the pauses between tries are long ones.
    mirror = await TestMirror.start(hollow, { clock: hurriedClock(200), config: { kinds: ['pods'] } });
    await mirror.ready();
  });
  afterAll(async () => {
    await mirror[Symbol.asyncDispose]();
    await hollow.close();
  });
  afterEach(() => hollow.faults.clear());

  test.each<[string, () => void]>([
    ['watches are cut', () => hollow.cutWatches('reset')],
    ['watches end cleanly', () => hollow.cutWatches('end')],
    ['watches are refused with 410 as an answer', () => faultsOnReconnect({ type: 'expired', form: 'http' })],
    ['watches are refused with 410 as an event', () => faultsOnReconnect({ type: 'expired', form: 'event' })],
    ['watches are refused with 429 and Retry-After', () => faultsOnReconnect({ type: 'reject', status: 429, retryAfterSeconds: 1 })],
    ['watches are refused with 429', () => faultsOnReconnect({ type: 'reject', status: 429, text: true })],
    ['watches are refused with 500', () => faultsOnReconnect({ type: 'reject', status: 500 })],
    ['watches are answered with a page to sign in', () => faultsOnReconnect({ type: 'wrong-content', form: 'html' })],
    ['watches are answered as a Table', () => faultsOnReconnect({ type: 'wrong-content', form: 'table' })],
    ['watches are never answered', () => faultsOnReconnect({ type: 'hang' })],
    ['watches are slow to open', () => faultsOnReconnect({ type: 'slow', ms: 5_000 })],
    ['frames are split into single bytes', () => faultsOnReconnect({ type: 'split', bytes: 1 })],
    ['a frame is cut in the middle, by a clean end', () => faultsOnReconnect({ type: 'truncate', afterBytes: 200, end: 'clean' })],
    ['a frame is cut in the middle, by a reset', () => faultsOnReconnect({ type: 'truncate', afterBytes: 200, end: 'reset' })],
    [
      'the history is compacted while nobody is connected',
      () => {
        hollow.faults.add(onPods({ type: 'reject', status: 503 }, 'watch', { times: 1 }));
        hollow.cutWatches('reset');
        disturb();
        hollow.compact();
      },
    ],
    ['the API server restarts', () => hollow.restart()],
  ])('%s: the copy equals the cluster again', async (_, misbehave) => {
    await until('it watches', () => mirror.kind('pods')?.state === 'watching', { everyMs: 10 });
    misbehave();
    disturb();
    await mirror.copy.equals(hollow, ALL);
    await until('it watches again', () => mirror.kind('pods')?.state === 'watching', { everyMs: 20 });
    expect(hollow.faults.list(), 'the fault was met').toEqual([]);
    disturb();
    await mirror.copy.equals(hollow, ALL);
  });
});

describe('what nobody announces', () => {
  beforeEach(open);
  afterEach(() => hollow.close());

  test('a watch that falls silent without an end is given up, and what it kept back arrives', async () => {
    // The longest silence is ten minutes; nothing else is to be waited for here.
    await using mirror = await TestMirror.start(hollow, { clock: hurriedClock(250), config: { kinds: ['pods'] } });
    await mirror.ready();
    await until('it watches', () => hollow.watches('pods') === 1, { everyMs: 10 });
    hollow.faults.add(onPods({ type: 'stall' }, 'watch', { times: 1 }));
    hollow.cutWatches('reset', 'pods');
    await until('the new watch is the silent one', () => hollow.faults.list().length === 0 && hollow.watches('pods') === 0, { everyMs: 10 });
    disturb();
    await mirror.copy.equals(hollow, ALL);
  }, 40_000);

  test('a cluster wiped while it is watched: the copy becomes that of the new cluster', async () => {
    // All that was there is gone at once, which the fence would hold for a person to see.
    await using mirror = await mirrorPods({ kinds: ['pods', 'namespaces'], fence: { maxDeleteShare: 1 } });
    await mirror.ready();
    hollow.restart({ wipe: true });
    for (const name of ['a', 'b']) hollow.create('pods', { metadata: { name, namespace: 'default' }, spec: { containers: [] } });
    await mirror.copy.equals(hollow, { kinds: ['pods', 'namespaces'] });
    expect(mirror.copy.rows('pods')).toHaveLength(2);
    await until('it watches', () => mirror.kind('pods')?.state === 'watching', { everyMs: 20 });
    hollow.delete('pods', 'default/a');
    hollow.create('pods', { metadata: { name: 'c', namespace: 'default' }, spec: { containers: [] } });
    await mirror.copy.equals(hollow, { kinds: ['pods', 'namespaces'] });
    await mirror.ready();
  });

  test('a cluster restored from a backup while nobody looked: a later start replaces the rows that are too new', async () => {
    const backup = hollow.revision;
    const [first = ''] = hollow.keys('pods').filter((key) => key.startsWith('load-'));
    for (let n = 0; n < 20; n += 1) hollow.create('pods', { metadata: { name: `lost-${n}`, namespace: 'default' }, spec: { containers: [] } });
    await using before = await mirrorPods();
    await before.ready();
    await before.stop();
    hollow.restart({ revision: backup });
    hollow.patch('pods', first, { metadata: { labels: { after: 'restore' } } });
    await using after = await TestMirror.start(hollow, { clock: hurriedClock(50), config: { kinds: ['pods'] }, dir: before.dir });
    await after.ready();
    await after.copy.equals(hollow, ALL);
    expect(after.copy.rows('pods')).toHaveLength(PODS);
  });
});

/** The watches of pods end, and the next requests for one meet the fault: one where it leads to a watch after all, else two. */
function faultsOnReconnect(effect: Effect): void {
  const isOnce = ['hang', 'slow', 'split'].includes(effect.type);
  hollow.faults.add(onPods(effect, 'watch', { times: isOnce ? 1 : 2 }));
  hollow.cutWatches('reset', 'pods');
}
