import { systemClock } from '../kit/clock.ts';
import { seededRandom } from '../kit/random.ts';
import { type ObjectKey, objectKey } from '../model/key.ts';
import { createWorkQueue } from '../queue/work-queue.ts';

/** Keys in flight, spread over NAMESPACES as in a large cluster. */
const KEYS = 100_000;
const NAMESPACES = 500;
const BATCH = 256;
const ROUNDS = 12;

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
export async function run(): Promise<void> {
  const keys = makeKeys();
  const rows = [['queue', 'add+take+done a second', 'calls a second', 'bytes a waiting key']];
  for (const contestant of contestants()) {
    const perSecond = await speed(contestant, keys);
    rows.push([contestant.name, thousands(perSecond), thousands(3 * perSecond), bytesPerKey(contestant, keys)]);
  }
  process.stdout.write(`${KEYS} keys in ${NAMESPACES} namespaces, batches of ${BATCH}, best of ${ROUNDS} rounds, one core\n${table(rows)}`);
}

function contestants(): readonly Contestant[] {
  const queue = (name: string, measured: boolean): Contestant => {
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
    queue('kubefold', false),
    queue('kubefold, with metrics', true),
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
  let bestMs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = systemClock.now();
    await contestant.cycle(keys);
    bestMs = Math.min(bestMs, systemClock.now() - start);
  }
  return (keys.length / bestMs) * 1000;
}

/** The keys themselves are not counted: the cache holds them anyway. */
function bytesPerKey(contestant: Contestant, keys: readonly ObjectKey[]): string {
  const { gc } = globalThis;
  if (gc === undefined) return 'needs node --expose-gc';
  gc();
  const before = memoryInUse();
  const filled = contestant.fill(keys);
  gc();
  const bytes = memoryInUse() - before;
  return filled === null ? '' : (bytes / keys.length).toFixed(0);
}

function memoryInUse(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** In an order as events arrive: no two of one namespace beside each other but by chance. */
function makeKeys(): readonly ObjectKey[] {
  const random = seededRandom(42);
  const keys = Array.from({ length: KEYS }, (_, index) =>
    objectKey(`namespace-${Math.floor(random.next() * NAMESPACES)}`, `deployment-${index}-7d4b9c6f5-x2x4z`),
  );
  // A key is hashed once in its life; a lookup does it here, so that no contestant pays for all.
  return [...new Set(keys)];
}

function discarded(): Parameters<typeof createWorkQueue>[0]['metrics'] {
  const nothing = { inc(): void {}, observe(): void {} };
  return { adds: nothing, retries: nothing, queueDuration: nothing, workDuration: nothing };
}

function thousands(value: number): string {
  return `${(value / 1e6).toFixed(2)} M`;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) => `${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ')}\n`)
    .join('');
}
