import { systemClock } from '../kit/clock.ts';
import { collectGarbage, memoryInUse } from '../kit/heap.ts';
import { seededRandom } from '../kit/random.ts';
import { type ObjectKey, objectKey } from '../model/key.ts';
import { createWorkQueue } from '../queue/work-queue.ts';
import type { Bench } from './context.ts';
import { median, medianRatio, shown } from './report.ts';

/** Keys in flight, spread over NAMESPACES as in a large cluster. */
const KEYS = 100_000;
const QUICK_KEYS = 5_000;
const NAMESPACES = 500;
const BATCH = 256;
/** Turns of each contestant. The first make the code fast, and are not counted. */
const ROUNDS = 15;
const WARM_UP = 3;
/** Times that all keys go through in one turn: so many that each turn has its share of garbage to collect. */
const CYCLES = 4;

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
    const rates = all.map((): number[] => []);
    // In turns, so that a machine that is disturbed disturbs all of them.
    for (let round = 0; round < ROUNDS; round++)
      for (const [index, contestant] of all.entries()) {
        const rate = await speed(contestant, keys);
        if (round >= WARM_UP) rates[index]?.push(rate);
      }
    const middle = rates.map(median);
    const bytes = all.map((contestant) => bytesPerKey(contestant, keys));
    return {
      question: `How many keys a second does one core add, take and be done with, of ${shown(keys.length)} in ${NAMESPACES} namespaces, and what does a waiting key cost?`,
      table: [
        ['queue', 'add+take+done a second', 'slowest turn', 'fastest turn', 'calls a second', 'bytes a waiting key'],
        ...all.map(({ name }, index) => {
          const [rate, turns] = [middle[index] ?? Number.NaN, rates[index] ?? []];
          return [name, ...[rate, Math.min(...turns), Math.max(...turns), 3 * rate].map(millions), (bytes[index] ?? Number.NaN).toFixed(0)];
        }),
      ],
      answers: [
        { name: 'add+take+done a second', value: middle[0] ?? Number.NaN, unit: '', bar: { atLeast: 2_000_000 } },
        { name: 'bytes a waiting key', value: bytes[0] ?? Number.NaN, unit: 'bytes', bar: { atMost: 200 } },
        { name: 'against the Map', value: medianRatio(rates[0] ?? [], rates[2] ?? []), unit: 'times' },
        { name: 'against the array', value: medianRatio(rates[0] ?? [], rates[3] ?? []), unit: 'times' },
      ],
      notes: [
        `Batches of ${BATCH}; the median of ${ROUNDS - WARM_UP} turns in which all keys go through ${CYCLES} times, seconds of CPU of all threads: collecting garbage counts, waiting for a core does not.`,
        'Other work on the machine still counts, by what it takes of the caches of the processor. The keys themselves are not weighed: the cache holds them anyway.',
      ],
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

/** Keys that go through in one second of CPU. */
async function speed(contestant: Contestant, keys: readonly ObjectKey[]): Promise<number> {
  const start = process.cpuUsage();
  for (let cycle = 0; cycle < CYCLES; cycle++) await contestant.cycle(keys);
  const { user, system } = process.cpuUsage(start);
  return (keys.length * CYCLES * 1e6) / (user + system);
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
