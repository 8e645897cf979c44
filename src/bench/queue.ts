import { systemClock } from '../kit/clock.ts';
import { collectGarbage, memoryInUse } from '../kit/heap.ts';
import { seededRandom } from '../kit/random.ts';
import { type ObjectKey, objectKey } from '../model/key.ts';
import { createWorkQueue } from '../queue/work-queue.ts';
import type { Bench } from './context.ts';
import { shown } from './report.ts';

/** Keys in flight, spread over NAMESPACES as in a large cluster. */
const KEYS = 100_000;
const QUICK_KEYS = 5_000;
const NAMESPACES = 500;
const BATCH = 256;
const ROUNDS = 24;

interface Contestant {
  readonly name: string;
  /** Adds every key, takes it, is done with it; keys that are in already may be skipped. */
  cycle(keys: readonly ObjectKey[]): void | Promise<void>;
  /** Something that holds every key as waiting, for weighing. */
  fill(keys: readonly ObjectKey[]): object;
}

/**
 * Operations a second (one operation is add, take and done of one key) and bytes a waiting key, beside what a program
 * would use instead: a Map that folds but keeps no order, and an array that keeps order but does not fold.
 */
export const queue: Bench = {
  async run({ quick }) {
    const keys = makeKeys(quick ? QUICK_KEYS : KEYS);
    const all = contestants();
    const best = all.map(() => 0);
    // In turns, so that a machine that is disturbed disturbs all of them.
    for (let round = 0; round < ROUNDS; round++)
      for (const [index, contestant] of all.entries()) best[index] = Math.max(best[index] ?? 0, await speed(contestant, keys));
    const bytes = all.map((contestant) => bytesPerKey(contestant, keys));
    return {
      question: `How many keys a second does one core add, take and be done with, of ${shown(keys.length)} in ${NAMESPACES} namespaces, and what does a waiting key cost?`,
      table: [
        ['queue', 'add+take+done a second', 'calls a second', 'bytes a waiting key'],
        ...all.map(({ name }, index) => [name, millions(best[index] ?? 0), millions(3 * (best[index] ?? 0)), (bytes[index] ?? 0).toFixed(0)]),
      ],
      answers: [
        { name: 'add+take+done a second', value: best[0] ?? Number.NaN, unit: '', bar: { atLeast: 2_000_000 } },
        { name: 'bytes a waiting key', value: bytes[0] ?? Number.NaN, unit: 'bytes', bar: { atMost: 200 } },
        { name: 'against the Map', value: (best[0] ?? Number.NaN) / (best[2] ?? Number.NaN), unit: 'times' },
        { name: 'against the array', value: (best[0] ?? Number.NaN) / (best[3] ?? Number.NaN), unit: 'times' },
      ],
      notes: [`Batches of ${BATCH}, best of ${ROUNDS} rounds. The keys themselves are not weighed: the cache holds them anyway.`],
    };
  },
};

function contestants(): readonly Contestant[] {
  const ours = (name: string, measured: boolean): Contestant => {
    const create = () => createWorkQueue({ name: 'bench', clock: systemClock, random: seededRandom(1), metrics: measured ? discarded() : undefined });
    const reused = create();
    return {
      name,
      async cycle(keys) {
        for (const key of keys) reused.add(key);
        while (reused.length > 0) for (const key of await reused.take(BATCH)) reused.done(key);
      },
      fill(keys) {
        const filled = create();
        for (const key of keys) filled.add(key);
        return filled;
      },
    };
  };
  const map = new Map<ObjectKey, true>();
  const fifo: ObjectKey[] = [];
  return [
    ours('kubefold', false),
    ours('kubefold, with metrics', true),
    {
      name: 'Map (folds, no order)',
      cycle(keys) {
        for (const key of keys) map.set(key, true);
        for (const key of map.keys()) map.delete(key);
      },
      fill: (keys) => new Map(keys.map((key) => [key, true])),
    },
    {
      name: 'array (order, no folding)',
      cycle(keys) {
        for (const key of keys) fifo.push(key);
        let index = 0;
        while (fifo[index] !== undefined) index++;
        fifo.length = 0;
      },
      fill: (keys) => [...keys],
    },
  ];
}

async function speed(contestant: Contestant, keys: readonly ObjectKey[]): Promise<number> {
  const start = systemClock.now();
  await contestant.cycle(keys);
  return (keys.length / (systemClock.now() - start)) * 1000;
}

function bytesPerKey(contestant: Contestant, keys: readonly ObjectKey[]): number {
  collectGarbage();
  const before = memoryInUse();
  const filled = [contestant.fill(keys)];
  collectGarbage();
  const bytes = memoryInUse() - before;
  // Held until here.
  filled.length = 0;
  return bytes / keys.length;
}

/** In an order as events arrive: no two of one namespace beside each other but by chance. */
function makeKeys(count: number): readonly ObjectKey[] {
  const random = seededRandom(42);
  const keys = Array.from({ length: count }, (_, index) =>
    objectKey(`namespace-${Math.floor(random.next() * NAMESPACES)}`, `deployment-${index}-7d4b9c6f5-x2x4z`),
  );
  // A key is hashed once in its life; a lookup does it here, so that no contestant pays for all.
  return [...new Set(keys)];
}

function discarded(): Parameters<typeof createWorkQueue>[0]['metrics'] {
  const nothing = { inc(): void {}, observe(): void {} };
  return { adds: nothing, retries: nothing, queueDuration: nothing, workDuration: nothing };
}

function millions(value: number): string {
  return `${(value / 1e6).toFixed(2)} M`;
}
