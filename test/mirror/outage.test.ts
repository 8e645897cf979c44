import { afterEach, beforeEach, expect, test } from 'vitest';
import { statusLine } from '../../src/commands/status-line.ts';
import { loadConfig } from '../../src/config/load.ts';
import { silentLogger } from '../../src/kit/log.ts';
import { seededRandom } from '../../src/kit/random.ts';
import { messageOf } from '../../src/model/errors.ts';
import type { KindStatus } from '../../src/model/status.ts';
import { Mirror } from '../../src/mirror/mirror.ts';
import type { ScopeRecord } from '../../src/storage/storage.ts';
import { readiness } from '../../src/web/readiness.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { ScriptedCluster } from '../support/scripted-cluster.ts';
import { FaultyStorage } from './faulty-storage.ts';
import { MAPS } from './world.ts';

const FAILING = { outcome: { kind: 'retry', error: 'disk full' }, happened: false } as const;

let clock: ManualClock;
let cluster: ScriptedCluster;
let storage: FaultyStorage;
let mirror: Mirror;
let ending: AbortController;
let hurry: AbortController;
let running: Promise<void>;
/** Records that were handed to storage without rows. */
let flushed: (readonly ScopeRecord[])[];

beforeEach(async () => {
  clock = new ManualClock();
  const random = seededRandom(1);
  cluster = new ScriptedCluster({ kind: MAPS, clock, random });
  storage = new FaultyStorage(clock);
  flushed = [];
  const write = storage.write.bind(storage);
  storage.write = (writes, records) => {
    if (writes.length === 0) flushed.push(records);
    return write(writes, records);
  };
  const config = loadConfig({ text: 'kinds: [configmaps]', file: 'test.yaml', flags: {} });
  mirror = new Mirror({ clusterName: 'c', cluster, storage, config, clock, random, log: silentLogger, explain: messageOf });
  ending = new AbortController();
  hurry = new AbortController();
  running = mirror.run(ending.signal, hurry.signal);
  for (let index = 0; index < 20; index++) cluster.put(`p${index}`);
  await clock.advanceAsync(10_000);
  expect([mirror.isReady(), storage.rows.size]).toEqual([true, 20]);
});

afterEach(async () => {
  ending.abort();
  hurry.abort();
  await clock.advanceAsync(60_000);
  await running;
});

function kind(): KindStatus {
  const [first] = mirror.status().kinds;
  if (first === undefined) throw new Error('no kind runs');
  return first;
}

async function open(): Promise<void> {
  storage.fault = () => FAILING;
  for (let index = 0; index < 20; index++) {
    cluster.put(`p${index}`, 'changed');
    await clock.advanceAsync(100);
  }
  expect(mirror.status().storage.open).toBe(true);
}

test('an outage of storage is shown everywhere, a complete copy stays ready and says how old it is, and its end is seen', async () => {
  await open();
  const heardAt = kind().heardAt ?? 0;
  cluster.tick();
  await clock.advanceAsync(60_000);
  expect(mirror.status().storage).toMatchObject({ open: true, error: 'disk full' });
  expect(mirror.status().storage.failingMs).toBeGreaterThan(60_000);
  expect(await mirror.metrics.registry.metrics()).toContain('\nkubefold_storage_breaker_open 1\n');
  expect(kind().oldestPendingMs).toBeGreaterThan(60_000);
  expect(kind().ageMs).toBe(kind().oldestPendingMs);
  expect(kind().heardAt).toBeGreaterThanOrEqual(heardAt);
  const { code, text } = readiness(mirror.status(), 'verbose');
  expect(code).toBe(200);
  expect(text).toMatch(/^\[!\] storage takes no writes for 6\d s, changes wait: disk full$/m);
  expect(text).toMatch(/\nready: the copy is up to 6\d s old\n$/);
  expect(readiness(mirror.status(), 'short').text).toMatch(/^ready: the copy is up to 6\d s old\n$/);
  expect(statusLine(mirror.status(), 0)).toMatch(/ · 20 to write .*· storage takes no writes for 6\d s, changes wait: disk full$/);

  storage.fault = () => null;
  await clock.advanceAsync(16_000);
  expect(mirror.status().storage).toEqual({ open: false, since: null, failingMs: 0, error: null });
  expect(await mirror.metrics.registry.metrics()).toContain('\nkubefold_storage_breaker_open 0\n');
  expect([kind().unsettled, kind().ageMs]).toEqual([0, 0]);
  expect(readiness(mirror.status(), 'verbose').text).not.toContain('storage takes');
  expect([...storage.rows.values()].every(({ body }) => body.includes('changed'))).toBe(true);
});

test('what is not complete is not ready, and then a short answer names storage as a reason', async () => {
  const status = mirror.status();
  const storageStatus = { open: true, since: 1, failingMs: 5_000, error: 'disk full' };
  const { code, text } = readiness({ ...status, phase: 'syncing', storage: storageStatus }, 'short');
  expect(code).toBe(503);
  expect(text).toContain('[!] storage takes no writes for 5.0 s, changes wait: disk full\n');
});

test('scope records alone are not written while storage is away, and do not count as a sign that it is back', async () => {
  await open();
  flushed.length = 0;
  const before = storage.batches.length;
  await clock.advanceAsync(120_000);
  expect(flushed).toEqual([]);
  // One probe in 0.5 to 0.75 s, and nothing beside.
  expect(storage.batches.length - before).toBeLessThanOrEqual(240);
  storage.fault = () => null;
  await clock.advanceAsync(30_000);
  expect(flushed.length).toBeGreaterThan(0);
});

test('a stop while storage is away takes one more try and no longer, whether somebody is in a hurry or not', async () => {
  await open();
  let isOver = false;
  void running.then(() => {
    isOver = true;
  });
  const before = storage.batches.length;
  ending.abort();
  await clock.advanceAsync(20_000);
  expect(isOver).toBe(true);
  expect(storage.batches.length - before).toBeLessThanOrEqual(2);
});

test('a stop in a hurry ends at once', async () => {
  await open();
  let isOver = false;
  void running.then(() => {
    isOver = true;
  });
  hurry.abort();
  ending.abort();
  await clock.advanceAsync(0);
  await clock.advanceAsync(0);
  expect(isOver).toBe(true);
});
