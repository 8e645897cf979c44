import { afterEach, describe, expect, test } from 'vitest';
import type { LogFields, Logger } from '../../src/kit/log.ts';
import { type Random, seededRandom } from '../../src/kit/random.ts';
import { objectKey } from '../../src/model/key.ts';
import type { Kind } from '../../src/model/kind.ts';
import { BACKGROUND } from '../../src/queue/queue.ts';
import type { Write } from '../../src/storage/storage.ts';
import { FAILURES, FULL_WIDTH, PROBE_ROWS } from '../../src/worker/breaker.ts';
import { StorageGate } from '../../src/worker/gate.ts';
import { FaultyStorage } from '../mirror/faulty-storage.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { PODS, World } from './world.ts';

const NODES: Kind = { ...PODS, resource: 'nodes', kind: 'Node', singular: 'node' };
const MINUTE = 60_000;
/** Another load each time; printed, so that a failure can be repeated. */
const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** Storage that takes 20 ms for a batch, fails when told so, and keeps the times of what it was asked. */
class AwayStorage extends FaultyStorage {
  isAway = false;
  readonly attempts: { readonly at: number; readonly rows: number; readonly underWay: number; readonly wasAway: boolean }[] = [];
  #underWay = 0;
  readonly #now: () => number;

  constructor(clock: ManualClock, random: Random, batchLimit = 100) {
    super(clock, batchLimit);
    this.#now = () => clock.now();
    this.delayMs = () => 20;
    // One in ten of the failed writes was committed all the same.
    this.fault = () => (this.isAway ? { outcome: { kind: 'retry', error: 'storage is away' }, happened: random.next() < 0.1 } : null);
  }

  override async write(...batch: Parameters<FaultyStorage['write']>): ReturnType<FaultyStorage['write']> {
    this.attempts.push({ at: this.#now(), rows: batch[0].length, underWay: ++this.#underWay, wasAway: this.isAway });
    try {
      return await super.write(...batch);
    } finally {
      this.#underWay--;
    }
  }
}

function recordingLog(lines: string[]): Logger {
  const line = (level: string) => (message: string, fields?: LogFields) =>
    void lines.push(`${level} ${message}${fields?.['key'] === undefined ? '' : ` ${fields['key']}`}`);
  const log: Logger = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error'), child: () => log };
  return log;
}

/** Several kinds before one storage. */
function house(seed: number, kinds: readonly { readonly kind: Kind; readonly workers: number }[]) {
  console.info(`seed ${seed}`);
  const clock = new ManualClock();
  const random = seededRandom(seed);
  const storage = new AwayStorage(clock, random);
  const lines: string[] = [];
  const log = recordingLog(lines);
  const gate = new StorageGate({ clock, random, log });
  const worlds = kinds.map(({ kind, workers }) => new World(workers, 100, { clock, storage, gate, kind, log }));
  return { clock, random, storage, gate, lines, worlds };
}

const ending: World[] = [];
afterEach(async () => {
  await Promise.all(ending.splice(0).map((world) => world.end()));
});

describe('an outage of storage', () => {
  test('ten minutes of it under load: attempts are bounded by the probes, every key folds, bodies and keys wait outside, and all is durable within a minute of its end', async () => {
    const { clock, random, storage, gate, lines, worlds } = house(SEED, [
      { kind: PODS, workers: 8 },
      { kind: NODES, workers: 4 },
    ]);
    ending.push(...worlds);
    const newest = new Map<string, string>();
    let revision = 0;
    /** 500 changes a second on 2,000 objects of each kind, for a tenth of a second. */
    const change = (): void => {
      for (let index = 0; index < 50; index++) {
        const which = Math.floor(random.next() * 4_000);
        const [world, resource] = which < 2_000 ? [worlds[0], 'pods'] : [worlds[1], 'nodes'];
        world?.put(`n${which}`, ++revision);
        newest.set(`${resource}/ns/n${which}`, String(revision));
      }
    };
    for (let turn = 0; turn < 100; turn++) {
      change();
      await clock.advanceAsync(100);
    }
    await clock.advanceAsync(1_000);
    expect([storage.rows.size, gate.isOpen, gate.status().error]).toEqual([newest.size, false, null]);

    storage.isAway = true;
    const left = clock.now();
    let mostHeld = 0;
    for (let turn = 0; turn < 6_000; turn++) {
      change();
      await clock.advanceAsync(100);
      if (turn === 50) mostHeld = 0;
      mostHeld = Math.max(mostHeld, ...worlds.map((world) => world.queue.held));
    }
    const during = storage.attempts.filter(({ at }) => at >= left);
    // Those under way when it opened, and the probes: one in 0.5 to 0.75 s after the first.
    expect(during.length).toBeLessThanOrEqual(FAILURES + 12 + 1 + 1_200);
    expect(during.length).toBeGreaterThan(800);
    const probes = during.filter(({ at }) => at > left + 1_000);
    expect(probes.every(({ rows, underWay }) => rows <= PROBE_ROWS && underWay === 1)).toBe(true);
    expect(mostHeld).toBeLessThanOrEqual(PROBE_ROWS);
    expect(worlds.reduce((sum, { queue }) => sum + queue.length + queue.held + queue.waiting, 0)).toBe(4_000);
    expect(gate.status()).toMatchObject({ open: true, error: 'storage is away' });
    expect(gate.status().failingMs).toBeGreaterThan(10 * MINUTE - 2_000);

    storage.isAway = false;
    const returned = clock.now();
    let doneMs = -1;
    for (let turn = 0; turn < 600 && doneMs < 0; turn++) {
      change();
      await clock.advanceAsync(100);
      if (!gate.isOpen && worlds.every(({ queue }) => queue.length + queue.waiting < 100)) doneMs = clock.now() - returned;
    }
    expect(doneMs).toBeGreaterThan(0);
    expect(doneMs).toBeLessThan(10_000);
    await clock.advanceAsync(Math.max(0, MINUTE - doneMs));
    expect([...storage.rows].filter(([id, row]) => row.revision !== newest.get(id))).toEqual([]);
    expect(storage.rows.size).toBe(newest.size);
    expect(worlds.map(({ queue }) => queue.length + queue.held + queue.waiting)).toEqual([0, 0]);
    // Ramped: the first batch alone and small, and then never more at a time than were settled before it and one.
    const after = storage.attempts.filter(({ at }) => at >= returned);
    after.slice(0, FULL_WIDTH).forEach(({ rows, underWay }, settled) => {
      expect(underWay).toBeLessThanOrEqual(settled + 1);
      expect(rows).toBeLessThanOrEqual(PROBE_ROWS * (settled + 1));
    });
    // 10 minutes of 500 changes a second were folded into one write of each object, and what changed since.
    expect(after.reduce((sum, { rows }) => sum + rows, 0)).toBeLessThan(4_000 + (doneMs / 1_000 + 1) * 500 + 100);
    expect(lines.filter((line) => /^(warn|error|info)/.test(line))).toEqual([
      'error storage takes no writes: changes are folded in memory, and one small batch at a time is tried until it does',
      'info storage takes writes again',
    ]);
  }, 60_000);

  test('what changed live is written before background work when storage is back', async () => {
    const { clock, storage, gate, worlds } = house(7, [{ kind: PODS, workers: 2 }]);
    ending.push(...worlds);
    const [world] = worlds as [World];
    storage.isAway = true;
    for (let index = 0; index < 3_000; index++) world.put(`low${index}`, index + 1, 'low', BACKGROUND);
    await clock.advanceAsync(MINUTE);
    for (let index = 0; index < 200; index++) world.put(`live${index}`, index + 5_000, 'live');
    expect(gate.isOpen).toBe(true);
    storage.isAway = false;
    const before = storage.log.length;
    while (storage.rows.size < 3_200) await clock.advanceAsync(100);
    const order = storage.log.slice(before).map(({ id }) => id.startsWith('pods/ns/live'));
    // One take in eight goes to the lowest priority, so that it does not starve.
    expect(order.lastIndexOf(true)).toBeLessThan(200 * 1.3 + PROBE_ROWS);
  });

  test('a key that waited for its turn is not made to wait for failures that were not its own', async () => {
    const { clock, storage, worlds } = house(8, [{ kind: PODS, workers: 2 }]);
    ending.push(...worlds);
    const [world] = worlds as [World];
    storage.isAway = true;
    for (let index = 0; index < 10; index++) {
      world.put(`p${index}`, index + 1);
      await clock.advanceAsync(30);
    }
    await clock.advanceAsync(10 * MINUTE);
    for (let index = 0; index < 10; index++) expect(world.queue.requeues(objectKey('ns', `p${index}`))).toBeLessThan(6);
    expect(world.queue.waiting).toBe(0);
  });

  test('the only dirty object of a quiet cluster is written within 16 s of the end of a long outage', async () => {
    const { clock, storage, gate, worlds } = house(9, [{ kind: PODS, workers: 2 }]);
    ending.push(...worlds);
    storage.isAway = true;
    storage.fault = () => (storage.isAway ? { outcome: { kind: 'retry', error: 'storage is away' }, happened: false } : null);
    worlds[0]?.put('a', 1);
    await clock.advanceAsync(10 * MINUTE);
    // One object proves no outage, but what storage said is shown.
    expect(gate.status()).toMatchObject({ open: false, error: 'storage is away' });
    expect(storage.attempts.length).toBeLessThan(80);
    storage.isAway = false;
    await clock.advanceAsync(16_000);
    expect(worlds[0]?.rows()).toEqual({ 'pods/ns/a': 'a@1' });
    expect(gate.status()).toEqual({ open: false, since: null, failingMs: 0, error: null });
  });

  test('a write that timed out but did commit is settled as unchanged, and written once', async () => {
    const { clock, storage, worlds } = house(10, [{ kind: PODS, workers: 1 }]);
    ending.push(...worlds);
    const [world] = worlds as [World];
    storage.fault = () => (storage.isAway ? { outcome: { kind: 'retry', error: 'timed out' }, happened: true } : null);
    storage.isAway = true;
    for (let index = 0; index < 5; index++) {
      world.put(`p${index}`, index + 1);
      await clock.advanceAsync(40);
    }
    await clock.advanceAsync(MINUTE);
    expect(storage.rows.size).toBe(5);
    storage.isAway = false;
    await clock.advanceAsync(MINUTE);
    expect(storage.log).toHaveLength(5);
    expect(world.settled.filter((line) => line === 'put unchanged')).toHaveLength(5);
    expect(world.queue.length + world.queue.held + world.queue.waiting).toBe(0);
  });

  test('storage that flaps is asked no more often than one that is away, gets everything in the end, and fills no log', async () => {
    const { clock, random, storage, gate, lines, worlds } = house(11, [{ kind: PODS, workers: 8 }]);
    ending.push(...worlds);
    const [world] = worlds as [World];
    let revision = 0;
    storage.delayMs = () => 100;
    const flap = storage.fault;
    // Away for four fifths of every second.
    storage.fault = (write: Write) => {
      storage.isAway = clock.now() < 5 * MINUTE && clock.now() % 1_000 > 200;
      return flap(write);
    };
    for (let turn = 0; turn < 3_000; turn++) {
      for (let index = 0; index < 20; index++) world.put(`p${Math.floor(random.next() * 500)}`, ++revision);
      await clock.advanceAsync(100);
    }
    expect(storage.attempts.length).toBeLessThan(1_500);
    expect(lines.filter((line) => line.startsWith('error')).length).toBeLessThan(30);
    await clock.advanceAsync(MINUTE);
    expect([gate.isOpen, world.queue.length + world.queue.held + world.queue.waiting, storage.rows.size]).toEqual([false, 0, 500]);
  });

  test('one row that always fails holds up nobody, in a busy kind and in a quiet one', async () => {
    const { clock, storage, gate, worlds } = house(12, [{ kind: PODS, workers: 2 }]);
    ending.push(...worlds);
    const [world] = worlds as [World];
    storage.fault = (write) =>
      write.type === 'put' && write.meta.uid === 'poison' ? { outcome: { kind: 'retry', error: 'row is locked' }, happened: false } : null;
    world.put('poison', 1, 'poison');
    let slowest = 0;
    for (let index = 0; index < 60; index++) {
      world.put(`p${index}`, index + 2);
      // Sometimes together with the poisoned row, mostly alone; now and then nothing else happens for a minute.
      const before = clock.now();
      while (!storage.rows.has(`pods/ns/p${index}`)) await clock.advanceAsync(10);
      slowest = Math.max(slowest, clock.now() - before);
      await clock.advanceAsync(index % 10 === 9 ? MINUTE : 200);
      expect(gate.isOpen).toBe(false);
    }
    expect(slowest).toBeLessThan(100);
    expect(storage.rows.size).toBe(60);
  });

  test('a row that makes storage throw is found and tried alone with a growing delay; its neighbours are written once, and nothing opens', async () => {
    const { clock, storage, gate, lines, worlds } = house(13, [{ kind: PODS, workers: 1 }]);
    ending.push(...worlds);
    const [world] = worlds as [World];
    let throws = true;
    storage.fault = (write) => {
      if (throws && write.type === 'put' && write.meta.uid === 'bad') throw new Error('a bug');
      return null;
    };
    // Held until all of them are one batch.
    world.put('first', 1);
    for (let index = 0; index < 99; index++) world.put(`p${index}`, index + 10, index === 41 ? 'bad' : 'good');
    await clock.advanceAsync(1_000);
    expect(storage.rows.size).toBe(99);
    expect(storage.log.length).toBe(99);
    expect(world.queue.requeues(objectKey('ns', 'p41'))).toBeGreaterThan(2);
    const before = storage.attempts.length;
    await clock.advanceAsync(10 * MINUTE);
    expect(storage.attempts.slice(before).every(({ rows }) => rows === 1)).toBe(true);
    expect(storage.attempts.length - before).toBeLessThan(40);
    expect(gate.isOpen).toBe(false);
    expect(new Set(lines.filter((line) => line.startsWith('error')))).toEqual(
      new Set(['error storage threw at a write, which is a bug; it will be tried again ns/p41']),
    );
    throws = false;
    await clock.advanceAsync(MINUTE);
    expect(storage.rows.size).toBe(100);
  });

  test('a slow write holds up its own batch only', async () => {
    const { clock, storage, worlds } = house(14, [{ kind: PODS, workers: 2 }]);
    ending.push(...worlds);
    const [world] = worlds as [World];
    let batches = 0;
    storage.delayMs = () => (batches++ === 0 ? MINUTE : 20);
    world.put('slow', 1);
    await clock.advanceAsync(100);
    for (let index = 0; index < 50; index++) {
      world.put(`p${index}`, index + 2);
      await clock.advanceAsync(50);
    }
    expect(storage.rows.size).toBe(50);
    await clock.advanceAsync(MINUTE);
    expect(storage.rows.size).toBe(51);
  });
});

describe('the end, while storage is away', () => {
  async function away(): Promise<ReturnType<typeof house> & { world: World }> {
    const parts = house(15, [{ kind: PODS, workers: 4 }]);
    const [world] = parts.worlds as [World];
    parts.storage.fault = () => (parts.storage.isAway ? { outcome: { kind: 'retry', error: 'storage is away' }, happened: false } : null);
    parts.storage.isAway = true;
    for (let index = 0; index < 1_000; index++) world.put(`p${index}`, index + 1);
    await parts.clock.advanceAsync(5 * MINUTE);
    expect(parts.gate.isOpen).toBe(true);
    return { ...parts, world };
  }

  /** As the mirror of a kind ends. */
  async function drain(world: World): Promise<void> {
    world.workers.drain();
    await world.queue.drain();
    world.workers.end();
    await world.workers.ended();
  }

  test('is waited for one more try: when storage stays away, what is dirty is left, in bounded time', async () => {
    const { clock, storage, world } = await away();
    const before = storage.attempts.length;
    let isOver = false;
    const over = drain(world).then(() => {
      isOver = true;
    });
    await clock.advanceAsync(16_000);
    expect(isOver).toBe(true);
    await over;
    expect(storage.attempts.length - before).toBe(1);
    expect(storage.rows.size).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test('and when storage is back by then, everything is written', async () => {
    const { clock, storage, world } = await away();
    storage.isAway = false;
    const over = drain(world);
    await clock.advanceAsync(20_000);
    await over;
    expect(storage.rows.size).toBe(1_000);
  });

  test('in a hurry nothing is waited for, and nothing tried any more', async () => {
    const { clock, storage, world } = await away();
    const before = storage.attempts.length;
    const over = drain(world);
    world.workers.end();
    world.queue.shutDown();
    await over;
    await clock.advanceAsync(MINUTE);
    expect(storage.attempts.length).toBe(before);
    expect(clock.pending).toBe(0);
  });
});
