import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import { silentLogger } from '../../src/kit/log.ts';
import { seededRandom } from '../../src/kit/random.ts';
import { messageOf } from '../../src/model/errors.ts';
import { Mirror } from '../../src/mirror/mirror.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { ScriptedCluster } from '../support/scripted-cluster.ts';
import { FaultyStorage } from './faulty-storage.ts';
import { MAPS } from './world.ts';

const clock = new ManualClock();
let cluster: ScriptedCluster;
let storage: FaultyStorage;
let mirror: Mirror;
let ending: AbortController;
let running: Promise<void>;

function config(text: string): Config {
  return loadConfig({ text, file: 'test.yaml' });
}

beforeEach(() => {
  const random = seededRandom(1);
  cluster = new ScriptedCluster({ kind: MAPS, clock, random });
  storage = new FaultyStorage(clock);
  mirror = new Mirror({ clusterName: 'c', cluster, storage, config: config('kinds: [configmaps]'), clock, random, log: silentLogger, explain: messageOf });
  ending = new AbortController();
});

afterEach(async () => {
  ending.abort();
  await clock.advanceAsync(1_000);
  await running;
});

function run(): void {
  running = mirror.run(ending.signal, ending.signal);
}

test('a storage that cannot be read when kinds are started is asked again, and the mirror lives on', async () => {
  let failures = 3;
  const index = storage.index.bind(storage);
  storage.index = (kind) => {
    if (failures-- > 0) throw new Error('away');
    return index(kind);
  };
  cluster.put('a');
  run();
  await clock.advanceAsync(2_000);
  expect(mirror.isReady()).toBe(false);
  await clock.advanceAsync(60_000);
  expect(mirror.isReady()).toBe(true);
  expect(storage.rows.size).toBe(1);
});

test('rows that a new mask must change are rewritten even when the kind is started anew before they all are', async () => {
  for (const name of ['a', 'b', 'c']) cluster.put(name, 'open');
  run();
  await clock.advanceAsync(10_000);
  expect([...storage.rows.values()].every(({ body }) => body.includes('open'))).toBe(true);
  storage.fault = () => ({ outcome: { kind: 'retry', error: 'away' }, happened: false });
  mirror.apply(config('kinds: [configmaps]\nresources: [{ kinds: [configmaps], mask: [data.value] }]'));
  await clock.advanceAsync(10_000);
  mirror.apply(config('kinds: [configmaps]\nresources: [{ kinds: [configmaps], mask: [data.value], namespaces: { include: [default] } }]'));
  await clock.advanceAsync(10_000);
  storage.fault = () => null;
  await clock.advanceAsync(120_000);
  expect([...storage.rows.values()].filter(({ body }) => body.includes('open'))).toEqual([]);
  expect(storage.rows.size).toBe(3);
});

test('a kind that one discovery did not show is kept while discovery fails, and goes when another does not show it either', async () => {
  const discover = cluster.discover.bind(cluster);
  cluster.put('a');
  run();
  await clock.advanceAsync(10_000);
  let asked = 0;
  cluster.discover = async () => {
    if (asked++ > 0) throw new Error('away');
    return { kinds: [], broken: [] };
  };
  await clock.advanceAsync(240_000);
  expect(asked).toBeGreaterThan(2);
  expect([storage.rows.size, mirror.status().kinds.length]).toEqual([1, 1]);
  cluster.discover = async () => ({ kinds: [], broken: [] });
  await clock.advanceAsync(120_000);
  expect([storage.rows.size, storage.records.length, mirror.status().kinds.length]).toEqual([0, 0, 0]);
  cluster.discover = discover;
  await clock.advanceAsync(120_000);
  expect(storage.rows.size).toBe(1);
});

test('a kind that is stopped in a hurry while a write is under way has no successor that would write the same key', async () => {
  cluster.put('a');
  run();
  await clock.advanceAsync(10_000);
  const handedIn: string[] = [];
  storage.write = (writes) => {
    handedIn.push(...writes.map((write) => (write.type === 'put' ? write.meta.key : write.key)));
    return new Promise(() => {});
  };
  cluster.put('a', 'second');
  await clock.advanceAsync(1_000);
  mirror.apply(config('kinds: [configmaps]\nresources: [{ kinds: [configmaps], mask: [data.value] }]'));
  await clock.advanceAsync(2_000);
  ending.abort();
  await clock.advanceAsync(10_000);
  expect(handedIn).toEqual(['default/a']);
});

test('when one watch reaches an API server that was away, all others ask again within a second or two, and what had expired is listed then', async () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  mirror.apply(config(`kinds: [configmaps]\nresources: [{ kinds: [configmaps], namespaces: { include: [${names.join(', ')}] } }]`));
  run();
  await clock.advanceAsync(10_000);
  expect(mirror.isReady()).toBe(true);
  cluster.fault = () => ({ do: 'network', code: 'ECONNREFUSED' });
  cluster.cutWatches();
  await clock.advanceAsync(180_000);
  expect(mirror.status().kinds).toMatchObject([{ state: 'waiting', httpStatus: null }]);
  cluster.tick();
  cluster.compact();
  cluster.fault = () => null;
  const mended = cluster.requests.length;
  const asked = (): number => cluster.requests.slice(mended).filter(({ verb }) => verb === 'watch').length;
  while (asked() === 0) await clock.advanceAsync(100);
  // The first hears that its revision has expired, lists after its first pause, and so reaches the server for all.
  await clock.advanceAsync(6_000);
  expect(mirror.status().kinds).toMatchObject([{ state: 'watching' }]);
  expect(asked()).toBe(2 * names.length);
});
