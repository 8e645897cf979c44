import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seededRandom } from '../../src/kit/random.ts';
import { objectKey, type ObjectKey } from '../../src/model/key.ts';
import { createWorkQueue } from '../../src/queue/work-queue.ts';
import { ManualClock, settled } from '../support/manual-clock.ts';
import { QueueTwin } from './twin.ts';

const KEYS = [objectKey('a', '1'), objectKey('a', '2'), objectKey('a', '3'), objectKey('b', '1'), objectKey('b', '2'), objectKey('', 'c'), objectKey('d', '1')];

const key = fc.constantFrom(...KEYS);
const priority = fc.constantFrom(undefined, undefined, -100, -100, 0, 3, 7);
const operation = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('add' as const), key, priority }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('addAfter' as const), key, priority, delayMs: fc.constantFrom(-1, 0, 1, 5, 5, 20, 20.5, 25_000) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('addRateLimited' as const), key, priority }) },
  { weight: 7, arbitrary: fc.record({ do: fc.constant('take' as const), max: fc.constantFrom(1, 1, 2, 5) }) },
  { weight: 7, arbitrary: fc.record({ do: fc.constant('done' as const), pick: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('unmatched done' as const), key }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('forget' as const), key }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.constantFrom(0, 1, 4, 10, 30, 11_000) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
);
const ending = fc.constantFrom('shutDown', 'drain', 'drain then shutDown', 'none');
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** The queue and its twin side by side. Every comparison is exact: counts after each operation, batches after each burst. */
class Pair {
  readonly clock = new ManualClock();
  readonly queue = createWorkQueue({ name: 'pods', clock: this.clock, random: seededRandom(7) });
  readonly twin = new QueueTwin();
  readonly got: (readonly ObjectKey[] | null)[] = [];
  readonly expected: (readonly ObjectKey[] | null)[] = [];
  #isDrained = false;

  apply(op: Operation): void {
    const { queue, twin } = this;
    switch (op.do) {
      case 'add':
        queue.add(op.key, op.priority);
        twin.add(op.key, op.priority);
        break;
      case 'addAfter':
        queue.addAfter(op.key, op.delayMs, op.priority);
        twin.addAfter(op.key, op.delayMs, op.priority);
        break;
      case 'addRateLimited': {
        const plainMs = Math.min(5 * 2 ** queue.requeues(op.key), 30_000);
        const delayMs = queue.addRateLimited(op.key, op.priority);
        expect(delayMs).toBeGreaterThanOrEqual(plainMs);
        expect(delayMs).toBeLessThan(2 * plainMs);
        twin.addRateLimited(op.key, delayMs, op.priority);
        break;
      }
      case 'take': {
        const index = this.got.push(null) - 1;
        this.expected.push(null);
        void queue.take(op.max).then((keys) => (this.got[index] = keys));
        twin.take({ max: op.max, give: (keys) => (this.expected[index] = keys) });
        break;
      }
      case 'done': {
        const held = twin.held[op.pick % Math.max(twin.held.length, 1)];
        if (held === undefined) break;
        queue.done(held);
        twin.done(held);
        break;
      }
      case 'unmatched done':
        if (!twin.held.includes(op.key)) expect(() => queue.done(op.key)).toThrow(/nobody holds it/);
        break;
      case 'forget':
        queue.forget(op.key);
        twin.forget(op.key);
        break;
      case 'advance':
        this.clock.advance(op.ms);
        twin.advance(op.ms);
        break;
      case 'settle':
        break;
      default:
        op satisfies never;
    }
    this.compareCounts();
  }

  end(how: string): void {
    if (how.startsWith('drain')) {
      void this.queue.drain().then(() => (this.#isDrained = true));
      this.twin.drain();
    }
    if (how.endsWith('shutDown')) {
      this.queue.shutDown();
      this.twin.shutDown();
    }
    this.compareCounts();
  }

  async settle(): Promise<void> {
    await settled();
    this.twin.settle();
    expect(this.got).toEqual(this.expected);
    expect(this.#isDrained).toBe(this.twin.isDrained);
    this.compareCounts();
  }

  compareCounts(): void {
    const { queue, twin } = this;
    expect({ length: queue.length, held: queue.held, waiting: queue.waiting, depth: queue.snapshot().depth }).toEqual({
      length: twin.length,
      held: twin.held.length,
      waiting: twin.waiting,
      depth: twin.depth,
    });
    for (const one of KEYS) expect(queue.requeues(one)).toBe(twin.requeues(one));
    expect(new Set(twin.held).size, 'a key held twice').toBe(twin.held.length);
  }
}

test('WQ-S1 WQ-S2 WQ-S4 DQ-S2 DQ-S3 PQ-S3 PQ-S11: any sequence of calls hands out what the dumb twin hands out, in the same order', {
  timeout: 60_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { maxLength: 80, size: 'max' }),
      ending,
      fc.array(operation, { maxLength: 20, size: 'max' }),
      async (before, how, after) => {
        const pair = new Pair();
        for (const op of before) {
          pair.apply(op);
          if (op.do === 'settle') await pair.settle();
        }
        pair.end(how);
        for (const op of after) {
          pair.apply(op);
          if (op.do === 'settle') await pair.settle();
        }
        await pair.settle();
      },
    ),
    { numRuns: 1_500 },
  );
});

/** What must hold whatever the twin thinks: workers that read a truth after taking leave no change unseen. */
test('WQ-S1 WQ-S2 WQ-S3: no change is lost, no key is held twice, and each key is processed at most once per change', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ key, priority, delayMs: fc.constantFrom(0, 0, 3, 40), stepMs: fc.constantFrom(0, 1, 7) }), { maxLength: 120, size: 'max' }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer(),
      async (changes, workers, seed) => {
        const clock = new ManualClock();
        const random = seededRandom(seed);
        const queue = createWorkQueue({ name: 'pods', clock, random });
        const truth = new Map<ObjectKey, number>();
        const seen = new Map<ObjectKey, number>();
        const runs = new Map<ObjectKey, number>();
        const hands = new Set<ObjectKey>();
        const work = async (): Promise<void> => {
          for (let keys = await queue.take(2); keys.length > 0; keys = await queue.take(2)) {
            for (const one of keys) {
              expect(hands.has(one)).toBe(false);
              hands.add(one);
            }
            const read = keys.map((one) => truth.get(one) ?? 0);
            await clock.sleep(Math.floor(random.next() * 5));
            for (const [index, one] of keys.entries()) {
              hands.delete(one);
              if (random.next() < 0.3) {
                queue.addRateLimited(one);
              } else {
                seen.set(one, read[index] ?? 0);
                runs.set(one, (runs.get(one) ?? 0) + 1);
                queue.forget(one);
              }
              queue.done(one);
            }
          }
        };
        const pool = Array.from({ length: workers }, work);
        for (const change of changes) {
          truth.set(change.key, (truth.get(change.key) ?? 0) + 1);
          queue.addAfter(change.key, change.delayMs, change.priority);
          if (change.stepMs > 0) await clock.advanceAsync(change.stepMs);
        }
        for (let step = 0; step < 10_000 && queue.length + queue.held + queue.waiting > 0; step++) await clock.advanceAsync(100);
        expect(seen).toEqual(truth);
        for (const [one, count] of runs) expect(count).toBeLessThanOrEqual(truth.get(one) ?? 0);
        queue.shutDown();
        await Promise.all(pool);
        expect(clock.pending).toBe(0);
      },
    ),
    { numRuns: 150 },
  );
});
