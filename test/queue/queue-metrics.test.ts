import { expect, test } from 'vitest';
import { seededRandom } from '../../src/kit/random.ts';
import { objectKey } from '../../src/model/key.ts';
import { OTHER_PRIORITIES, QUEUE_DURATION_BUCKETS, QUEUE_METRICS } from '../../src/queue/queue-metrics.ts';
import { createWorkQueue, type ObservedQueue } from '../../src/queue/work-queue.ts';
import { ManualClock, settled } from '../support/manual-clock.ts';

const [a, b] = [objectKey('', 'a'), objectKey('', 'b')] as const;

interface Recorded {
  adds: number;
  retries: number;
  readonly queued: number[];
  readonly worked: number[];
}

function create(): { readonly queue: ObservedQueue; readonly clock: ManualClock; readonly recorded: Recorded } {
  const clock = new ManualClock();
  const recorded: Recorded = { adds: 0, retries: 0, queued: [], worked: [] };
  const metrics = {
    adds: { inc: (): void => void recorded.adds++ },
    retries: { inc: (): void => void recorded.retries++ },
    queueDuration: { observe: (seconds: number): void => void recorded.queued.push(seconds) },
    workDuration: { observe: (seconds: number): void => void recorded.worked.push(seconds) },
  };
  return { clock, recorded, queue: createWorkQueue({ name: 'pods', clock, random: seededRandom(1), metrics, backoff: { jitter: 0 } }) };
}

test('MET-S1 MET-T1: adds and depth rise when a key becomes dirty, also while held, and duplicates do not count', async () => {
  const { queue, recorded } = create();
  for (let again = 0; again < 5; again++) queue.add(a);
  expect([recorded.adds, queue.snapshot().depth]).toEqual([1, 1]);
  await queue.take(1);
  expect([recorded.adds, queue.snapshot().depth]).toEqual([1, 0]);
  for (let again = 0; again < 5; again++) queue.add(a);
  expect([recorded.adds, queue.snapshot().depth, queue.length]).toEqual([2, 1, 0]);
  queue.done(a);
  expect([recorded.adds, queue.snapshot().depth, queue.length]).toEqual([2, 1, 1]);
});

test('MET-S2 MET-T1: the queue duration runs from the first dirty mark to the take, through an earlier processing of the key', async () => {
  const { queue, clock, recorded } = create();
  queue.add(a);
  clock.advance(50);
  queue.add(a);
  await queue.take(1);
  expect(recorded.queued).toEqual([0.05]);
  clock.advance(10);
  queue.add(a);
  clock.advance(20);
  queue.done(a);
  expect(recorded.worked).toEqual([0.03]);
  clock.advance(5);
  await queue.take(1);
  expect(recorded.queued).toEqual([0.05, 0.025]);
  clock.advance(7);
  queue.done(a);
  expect(recorded.worked).toEqual([0.03, 0.007]);
});

test('MET-S2: a key that waited for a deadline counts from the moment it became ready', async () => {
  const { queue, clock, recorded } = create();
  queue.addAfter(a, 100);
  clock.advance(130);
  expect(recorded.adds).toBe(1);
  await queue.take(1);
  expect(recorded.queued).toEqual([0.03]);
});

test('MET-S3 MET-T1: unfinished work is the sum, the longest the maximum of the ages of held keys, at the moment of asking', async () => {
  const { queue, clock } = create();
  queue.add(a);
  queue.add(b);
  await queue.take(1);
  clock.advance(300);
  await queue.take(1);
  clock.advance(200);
  expect(queue.snapshot()).toMatchObject({ unfinishedSeconds: 0.7, longestSeconds: 0.5 });
  queue.done(a);
  expect(queue.snapshot()).toMatchObject({ unfinishedSeconds: 0.2, longestSeconds: 0.2 });
  queue.done(b);
  expect(queue.snapshot()).toMatchObject({ unfinishedSeconds: 0, longestSeconds: 0 });
});

test('MET-S3 MET-T2: nothing ticks, before a shutdown or after it', async () => {
  const { queue, clock, recorded } = create();
  queue.add(a);
  await queue.take(1);
  expect(clock.pending).toBe(0);
  queue.shutDown();
  const before = structuredClone(recorded);
  clock.advance(60_000);
  await settled();
  expect([recorded, clock.pending]).toEqual([before, 0]);
});

test('MET-S4: after 25 distinct priorities all others share one label, and no key goes uncounted', () => {
  const { queue } = create();
  for (let priority = 0; priority < 40; priority++) {
    queue.add(objectKey('', `first-${priority}`), priority);
    queue.snapshot();
  }
  queue.add(b, 99);
  const counts = queue.snapshot().readyByPriority;
  expect(counts.size).toBe(26);
  expect([counts.get('0'), counts.get('24'), counts.get('25'), counts.get(OTHER_PRIORITIES)]).toEqual([1, 1, undefined, 16]);
});

test('DQ-S8: a retry is every call with a positive delay, merged or not; one without delay is none, nor one after shutdown', () => {
  const { queue, recorded } = create();
  queue.addAfter(a, 0);
  queue.addAfter(b, -1);
  queue.add(a);
  expect(recorded.retries).toBe(0);
  queue.addAfter(a, 5);
  queue.addAfter(objectKey('', 'c'), 5);
  queue.addAfter(objectKey('', 'c'), 50);
  queue.addRateLimited(objectKey('', 'c'));
  expect(recorded.retries).toBe(4);
  queue.shutDown();
  queue.addAfter(b, 5);
  queue.addRateLimited(b);
  expect(recorded.retries).toBe(4);
});

test('PQ-T1 PQ-T14: adds, depth and durations add up over a random run', async () => {
  const { queue, clock, recorded } = create();
  const random = seededRandom(5);
  let runs = 0;
  for (let step = 0; step < 5000; step++) {
    queue.add(objectKey(`ns-${Math.floor(random.next() * 5)}`, `${Math.floor(random.next() * 50)}`), Math.floor(random.next() * 4));
    expect(queue.snapshot().depth).toBeGreaterThanOrEqual(0);
    if (random.next() < 0.5 && queue.length > 0) {
      for (const key of await queue.take(3)) {
        runs++;
        clock.advance(1);
        queue.done(key);
      }
    }
  }
  expect(recorded.adds).toBe(runs + queue.snapshot().depth);
  expect([recorded.queued.length, recorded.worked.length, queue.snapshot().depth]).toEqual([runs, runs, queue.length]);
});

test('without instruments no time is read for add, take and done', async () => {
  class Watched extends ManualClock {
    reads = 0;
    override now(): number {
      this.reads++;
      return super.now();
    }
  }
  const clock = new Watched();
  const queue = createWorkQueue({ name: 'pods', clock, random: seededRandom(1) });
  queue.add(a);
  for (const key of await queue.take(1)) queue.done(key);
  expect(clock.reads).toBe(0);
  expect(queue.snapshot()).toMatchObject({ depth: 0, unfinishedSeconds: 0, longestSeconds: 0 });
});

test('names and buckets are those of client-go', () => {
  expect(Object.values(QUEUE_METRICS).toSorted()).toEqual([
    'workqueue_adds_total',
    'workqueue_depth',
    'workqueue_longest_running_processor_seconds',
    'workqueue_queue_duration_seconds',
    'workqueue_retries_total',
    'workqueue_unfinished_work_seconds',
    'workqueue_work_duration_seconds',
  ]);
  expect(QUEUE_DURATION_BUCKETS).toHaveLength(10);
  expect(QUEUE_DURATION_BUCKETS[0]).toBeCloseTo(1e-8, 12);
  expect(QUEUE_DURATION_BUCKETS[9]).toBeCloseTo(10, 6);
});
