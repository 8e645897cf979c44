import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/kit/random.ts';
import { type ObjectKey, objectKey } from '../../src/model/key.ts';
import { BACKGROUND, LIVE } from '../../src/queue/queue.ts';
import { createWorkQueue, type ObservedQueue, type WorkQueueOptions } from '../../src/queue/work-queue.ts';
import { ManualClock, settled } from '../support/manual-clock.ts';

const [a, b, c] = [objectKey('', 'a'), objectKey('', 'b'), objectKey('', 'c')] as const;

function create(options: Partial<WorkQueueOptions> = {}): { readonly queue: ObservedQueue; readonly clock: ManualClock } {
  const clock = new ManualClock();
  return { clock, queue: createWorkQueue({ name: 'pods', clock, random: seededRandom(1), ...options }) };
}

/** A taker whose answer can be looked at: null while it waits. */
function taker(queue: ObservedQueue, max = 1): { readonly got: readonly ObjectKey[] | null } {
  const state: { got: readonly ObjectKey[] | null } = { got: null };
  void queue.take(max).then((keys) => (state.got = keys));
  return state;
}

async function takeAll(queue: ObservedQueue): Promise<readonly ObjectKey[]> {
  return queue.length === 0 ? [] : await queue.take(Number.POSITIVE_INFINITY);
}

describe('folding', () => {
  test('WQ-S1: a held key is given to nobody else until done', async () => {
    const { queue } = create();
    queue.add(a);
    expect(await queue.take(9)).toEqual([a]);
    queue.add(a);
    const second = taker(queue);
    await settled();
    expect(second.got).toBeNull();
    queue.done(a);
    await settled();
    expect(second.got).toEqual([a]);
  });

  test('WQ-S2 WQ-T5 PQ-T4: any number of adds while queued is one processing', async () => {
    const { queue } = create();
    for (let round = 0; round < 5; round++) queue.add(a);
    expect(await queue.take(9)).toEqual([a]);
    queue.done(a);
    expect(queue.length).toBe(0);
  });

  test('WQ-S2 WQ-T6: any number of adds while held is exactly one more processing, and a second taker waits for it', async () => {
    const { queue } = create();
    queue.add(a);
    await queue.take(1);
    for (let round = 0; round < 5; round++) queue.add(a);
    const second = taker(queue);
    await settled();
    expect(second.got).toBeNull();
    queue.done(a);
    await settled();
    expect(second.got).toEqual([a]);
    queue.done(a);
    expect([queue.length, queue.held]).toEqual([0, 0]);
  });

  test('WQ-S3: an add after the take returned is never absorbed by that processing', async () => {
    const { queue } = create();
    queue.add(a);
    queue.add(a);
    const keys = await queue.take(1);
    queue.add(a);
    for (const key of keys) queue.done(key);
    expect(await queue.take(1)).toEqual([a]);
  });

  test('WQ-S4 WQ-T4: a key added while held is queued again by done, behind what waits already', async () => {
    const { queue } = create();
    queue.add(a);
    await queue.take(1);
    queue.add(a);
    queue.add(b);
    queue.done(a);
    expect(await queue.take(9)).toEqual([b, a]);
  });

  test('WQ-S5 WQ-T3 PQ-S7: length counts ready keys once, without held and waiting ones', async () => {
    const { queue } = create();
    queue.add(a);
    expect(queue.length).toBe(1);
    queue.add(b);
    queue.add(a);
    expect(queue.length).toBe(2);
    queue.addAfter(c, 10);
    await queue.take(1);
    queue.add(a);
    expect([queue.length, queue.held, queue.waiting]).toEqual([1, 1, 1]);
  });

  test('WQ-S11: done of a key that nobody holds throws, and says which key and what to do', async () => {
    const { queue } = create();
    expect(() => queue.done(a)).toThrow('Cannot end holding a in the queue of pods: nobody holds it');
    queue.add(a);
    expect(() => queue.done(a)).toThrow(/nobody holds it/);
    queue.addAfter(b, 5);
    expect(() => queue.done(b)).toThrow(/nobody holds it/);
    await queue.take(1);
    queue.done(a);
    expect(() => queue.done(a)).toThrow(/nobody holds it/);
  });

  test('WQ-T2: workers that add every key once more while holding it end with an empty queue', async () => {
    for (const how of ['shutDown', 'drain'] as const) {
      const { queue } = create();
      const runs = new Map<ObjectKey, number>();
      const work = async (): Promise<void> => {
        for (let keys = await queue.take(3); keys.length > 0; keys = await queue.take(3)) {
          for (const key of keys) {
            runs.set(key, (runs.get(key) ?? 0) + 1);
            if (runs.get(key) === 1) queue.add(key);
            await Promise.resolve();
            queue.done(key);
          }
        }
      };
      const pool = Array.from({ length: 4 }, work);
      for (let index = 0; index < 200; index++) queue.add(objectKey(`ns-${index % 3}`, `${index}`));
      await settled();
      if (how === 'drain') await queue.drain();
      else queue.shutDown();
      await Promise.all(pool);
      expect(runs.size).toBe(200);
      expect([...runs.values()].every((count) => count === 2)).toBe(true);
      expect([queue.length, queue.held]).toEqual([0, 0]);
    }
  });

  test('bad arguments are refused with the key, the rule and the value', async () => {
    const { queue } = create();
    expect(() => queue.addAfter(a, Number.NaN)).toThrow('"delayMs" must be a finite number, current value is NaN');
    expect(() => queue.add(a, 0.5)).toThrow('"priority" must be an integer, current value is 0.5');
    await expect(queue.take(0)).rejects.toThrow('"max" must be >= 1, current value is 0');
    expect([queue.length, queue.waiting]).toEqual([0, 0]);
    expect(() => create({ backoff: { baseMs: 0 } })).toThrow('"backoff.baseMs" must be a number > 0, current value is 0');
    expect(() => create({ backoff: { capMs: 1 } })).toThrow('"backoff.capMs" must be a number >= "backoff.baseMs" (5), current value is 1');
    expect(() => create({ backoff: { jitter: -1 } })).toThrow('"backoff.jitter" must be a number >= 0, current value is -1');
  });
});

describe('takers', () => {
  test('a burst of adds is served when it is over, as batches, longest-waiting taker first', async () => {
    const { queue } = create();
    const takers = [taker(queue, 600), taker(queue, 600), taker(queue, 600)];
    for (let index = 0; index < 1000; index++) queue.add(objectKey('', `${index}`));
    await settled();
    expect(takers.map((one) => one.got?.length ?? null)).toEqual([600, 400, null]);
    expect(takers[0]?.got?.[0]).toBe('0');
    expect(takers[1]?.got?.[0]).toBe('600');
  });

  test('a taker that comes during a burst stands behind those who wait', async () => {
    const { queue } = create();
    const first = taker(queue, 5);
    queue.add(a);
    const second = taker(queue, 5);
    await settled();
    expect([first.got, second.got]).toEqual([[a], null]);
  });

  test('a take returns what is ready now, at most max, and waits for no fuller batch', async () => {
    const { queue } = create();
    for (const key of [a, b, c]) queue.add(key);
    expect(await queue.take(2)).toEqual([a, b]);
    expect(await queue.take(2)).toEqual([c]);
  });

  test('PQ-S9 PQ-T12: fifty rounds of takers and adders that end in a shutdown never hang', async () => {
    for (let round = 0; round < 50; round++) {
      const { queue } = create();
      const work = async (): Promise<void> => {
        for (let keys = await queue.take(1); keys.length > 0; keys = await queue.take(1)) {
          for (const key of keys) {
            queue.add(key);
            queue.done(key);
          }
        }
      };
      const pool = Array.from({ length: 20 }, work);
      for (let index = 0; index < 20; index++) queue.add(objectKey('', `${index}`));
      for (let turn = 0; turn < round; turn++) await Promise.resolve();
      queue.shutDown();
      await Promise.all(pool);
      expect(queue.length).toBe(0);
    }
  });
});

describe('shutdown', () => {
  test('WQ-S7 WQ-T1: adds after shutDown are ignored in every state, queued keys are still given out, then nothing', async () => {
    const { queue } = create();
    for (const key of [a, b]) queue.add(key);
    await queue.take(1);
    queue.shutDown();
    for (const key of [a, b, c]) queue.add(key);
    queue.addAfter(c, 0);
    expect(await queue.take(9)).toEqual([b]);
    queue.done(a);
    queue.done(b);
    expect(await queue.take(9)).toEqual([]);
    expect(await queue.take(9)).toEqual([]);
  });

  test('WQ-T1: fifty producers, ten consumers, either ending: every key is processed and nothing comes after', async () => {
    for (const how of ['shutDown', 'drain'] as const) {
      const { queue } = create();
      const seen = new Set<ObjectKey>();
      const consume = async (): Promise<void> => {
        for (let keys = await queue.take(1); keys.length > 0; keys = await queue.take(1)) {
          for (const key of keys) {
            expect(key).not.toBe('added-after-shutdown');
            seen.add(key);
            await Promise.resolve();
            queue.done(key);
          }
        }
      };
      const consumers = Array.from({ length: 10 }, consume);
      const produce = async (id: number): Promise<void> => {
        for (let round = 0; round < 50; round++) {
          queue.add(objectKey('', `${id}`));
          await Promise.resolve();
        }
      };
      await Promise.all(Array.from({ length: 50 }, (_, id) => produce(id)));
      const drained = how === 'drain' ? queue.drain() : queue.shutDown();
      queue.add(objectKey('', 'added-after-shutdown'));
      await drained;
      await Promise.all(consumers);
      expect(seen.size).toBe(50);
      expect(queue.length).toBe(0);
    }
  });

  test('PQ-S8 PQ-T11: a taker that waits is told at once, and so is every later one', async () => {
    const { queue } = create();
    const waiting = [taker(queue), taker(queue)];
    queue.shutDown();
    await settled();
    expect(waiting.map((one) => one.got)).toEqual([[], []]);
    expect([await queue.take(1), await queue.take(1)]).toEqual([[], []]);
  });

  test('WQ-T8: shutDown waits for no held key', async () => {
    const { queue } = create();
    queue.add(a);
    queue.add(b);
    await queue.take(2);
    queue.shutDown();
    expect(await queue.take(1)).toEqual([]);
    queue.done(a);
    queue.done(b);
    expect(queue.held).toBe(0);
  });

  test('WQ-S8 WQ-T7: drain ends only when every held key is done', async () => {
    const { queue } = create();
    queue.add(a);
    queue.add(b);
    await queue.take(2);
    const steps: string[] = [];
    const drained = queue.drain().then(() => steps.push('drained'));
    await settled();
    steps.push('done a');
    queue.done(a);
    await settled();
    steps.push('done b');
    queue.done(b);
    await drained;
    expect(steps).toEqual(['done a', 'done b', 'drained']);
  });

  test('WQ-S8 WQ-T9: a later shutDown releases the drain and the takers without done', async () => {
    const { queue } = create();
    queue.add(a);
    await queue.take(1);
    const waiting = taker(queue);
    const drained = queue.drain();
    await settled();
    expect(waiting.got).toBeNull();
    queue.shutDown();
    await drained;
    await settled();
    expect(waiting.got).toEqual([]);
    queue.done(a);
  });

  test('WQ-S9 WQ-T10: a key that became dirty while held is given out once more during a drain', async () => {
    const { queue } = create();
    queue.add(a);
    await queue.take(1);
    queue.add(a);
    let isDrained = false;
    const drained = queue.drain().then(() => (isDrained = true));
    queue.done(a);
    await settled();
    expect(isDrained).toBe(false);
    expect(await queue.take(1)).toEqual([a]);
    queue.done(a);
    await drained;
    expect(await queue.take(1)).toEqual([]);
  });

  test('WQ-S10: an idle taker is not sent home during a drain while a held key may still come back', async () => {
    const { queue } = create();
    queue.add(a);
    await queue.take(1);
    queue.add(a);
    const idle = taker(queue);
    const drained = queue.drain();
    const late = taker(queue);
    await settled();
    expect([idle.got, late.got]).toEqual([null, null]);
    queue.done(a);
    await settled();
    expect([idle.got, late.got]).toEqual([[a], null]);
    queue.done(a);
    await drained;
    await settled();
    expect(late.got).toEqual([]);
  });

  test('WQ-S10: a drain waits for queued keys that nobody has taken yet, and an empty queue is drained at once', async () => {
    const { queue } = create();
    queue.add(a);
    let isDrained = false;
    const drained = queue.drain().then(() => (isDrained = true));
    await settled();
    expect(isDrained).toBe(false);
    for (const key of await queue.take(1)) queue.done(key);
    await drained;
    const other = create();
    await other.queue.drain();
    await queue.drain();
    queue.shutDown();
    await queue.drain();
    expect(await queue.take(1)).toEqual([]);
  });

  test('DQ-S6: shutdown abandons what waits for a deadline, ignores addAfter, and leaves no timer', async () => {
    for (const how of ['shutDown', 'drain'] as const) {
      const { queue, clock } = create();
      queue.add(b);
      await queue.take(1);
      queue.addAfter(a, 10);
      queue.addAfter(b, 10);
      if (how === 'drain') void queue.drain();
      else queue.shutDown();
      queue.addAfter(c, 10);
      expect(queue.addRateLimited(c)).toBeGreaterThan(0);
      expect([queue.waiting, clock.pending]).toEqual([0, 0]);
      queue.done(b);
      clock.advance(60_000);
      expect([queue.length, queue.held, queue.snapshot().depth]).toEqual([0, 0, 0]);
    }
  });
});

describe('priority', () => {
  test('PQ-S1 PQ-S2 PQ-T1: larger first, first in first out inside a priority, and live is larger than background', async () => {
    const { queue } = create();
    queue.add(a, BACKGROUND);
    queue.add(b, LIVE);
    queue.add(c);
    expect(await queue.take(9)).toEqual([b, c, a]);
  });

  test('PQ-S3 PQ-T5: the highest priority asked for is kept, in whichever order', async () => {
    for (const [first, second] of [
      [1, 2],
      [2, 1],
    ] as const) {
      const { queue } = create();
      queue.add(a, first);
      queue.add(b, 1);
      queue.add(a, second);
      expect(queue.snapshot().readyByPriority).toEqual(
        new Map([
          ['2', 1],
          ['1', 1],
        ]),
      );
      expect(await queue.take(9)).toEqual([a, b]);
    }
  });

  test('PQ-S3 PQ-T6 PQ-T7: a raised key goes to the end of its new level, ahead of the lower ones', async () => {
    const { queue } = create();
    queue.add(a, 0);
    queue.add(b, 1);
    queue.add(c, 0);
    queue.add(a, 1);
    expect(queue.snapshot().readyByPriority).toEqual(
      new Map([
        ['1', 2],
        ['0', 1],
      ]),
    );
    expect(await queue.take(9)).toEqual([b, a, c]);
  });

  test('PQ-S3: an equal or lower priority moves nothing', async () => {
    const { queue } = create();
    queue.add(a, 1);
    queue.add(b, 1);
    queue.add(a, 1);
    queue.add(a, 0);
    expect(await queue.take(9)).toEqual([a, b]);
  });

  test('PQ-S4 PQ-T16: a delayed key keeps its priority and is ordered by when it became ready', async () => {
    const { queue, clock } = create();
    queue.addAfter(a, 10, 5);
    queue.addAfter(b, 5, 0);
    queue.add(c, 0);
    expect(queue.length).toBe(1);
    clock.advance(10);
    expect(await queue.take(9)).toEqual([a, c, b]);
  });

  test('PQ-S6 PQ-T2 PQ-T3: held keys block nobody; one added while held keeps that priority for its next turn', async () => {
    const { queue } = create();
    queue.add(a, 9);
    await queue.take(1);
    queue.add(a, BACKGROUND);
    queue.add(b);
    expect(await queue.take(9)).toEqual([b]);
    queue.done(a);
    queue.add(c);
    expect(await queue.take(9)).toEqual([c, a]);
  });

  test('PQ-S6: of several adds while held the highest priority counts', async () => {
    const { queue } = create();
    queue.add(a);
    await queue.take(1);
    queue.add(a, BACKGROUND);
    queue.add(a, 3);
    queue.add(a, BACKGROUND);
    queue.add(b, 1);
    queue.done(a);
    expect(await queue.take(9)).toEqual([a, b]);
  });

  test('PQ-S10: a retry by the holder keeps the priority the key was taken with, unless it names another', async () => {
    const { queue, clock } = create({ backoff: { jitter: 0 } });
    queue.add(a, BACKGROUND);
    queue.add(b, BACKGROUND);
    await queue.take(2);
    queue.addRateLimited(a);
    queue.addRateLimited(b, 4);
    queue.done(a);
    queue.done(b);
    clock.advance(5);
    expect(queue.snapshot().readyByPriority).toEqual(
      new Map([
        ['4', 1],
        ['-100', 1],
      ]),
    );
  });

  test('PQ-T15: five levels of a thousand keys come level by level, but for the share that no level is denied', async () => {
    const { queue } = create();
    const levels = [4, 3, 2, 1, 0];
    for (let index = 0; index < 1000; index++) for (const level of levels) queue.add(objectKey('', `${level}-${index}`), level);
    const taken = await takeAll(queue);
    expect(new Set(taken).size).toBe(5000);
    for (const level of levels) {
      const own = taken.filter((key) => key.startsWith(`${level}-`)).map((key) => Number(key.slice(2)));
      expect(own).toEqual(own.toSorted((x, y) => x - y));
    }
    // 6 of 8 while there are levels in between: the first 1000 takes of the highest level are over by take 1334.
    expect(taken.lastIndexOf('4-999' as ObjectKey)).toBeLessThan(1334);
  });

  test('PQ-T13: twenty thousand mixed adds through a hundred takers all arrive', async () => {
    const { queue, clock } = create();
    const seen = new Set<ObjectKey>();
    const random = seededRandom(3);
    const work = async (): Promise<void> => {
      for (let keys = await queue.take(7); keys.length > 0; keys = await queue.take(7)) {
        for (const key of keys) {
          seen.add(key);
          queue.done(key);
        }
      }
    };
    const pool = Array.from({ length: 100 }, work);
    for (let index = 0; index < 20_000; index++) {
      const key = objectKey(`ns-${index % 13}`, `${index}`);
      queue.addAfter(key, Math.floor(random.next() * 3) * 500, Math.floor(random.next() * 5));
    }
    await clock.advanceAsync(1000);
    queue.shutDown();
    await Promise.all(pool);
    expect(seen.size).toBe(20_000);
  });
});

describe('delays', () => {
  test('DQ-S1: a delay of zero or less is an add', () => {
    const { queue, clock } = create();
    queue.addAfter(a, 0);
    queue.addAfter(b, -5);
    expect([queue.length, queue.waiting, clock.pending]).toEqual([2, 0, 0]);
  });

  test('DQ-S1 DQ-T1: a delayed key is absent until its deadline, then there once', async () => {
    const { queue, clock } = create();
    queue.addAfter(a, 50);
    clock.advance(49);
    expect([queue.length, queue.waiting]).toEqual([0, 1]);
    clock.advance(1);
    expect([queue.length, queue.waiting]).toEqual([1, 0]);
    for (const key of await queue.take(1)) queue.done(key);
    clock.advance(20_000);
    expect([queue.length, queue.waiting, clock.pending]).toEqual([0, 0, 0]);
  });

  test('DQ-S2 DQ-T2: of two deadlines of one key the earlier counts, in either order, and nothing happens at the later', async () => {
    for (const delays of [
      [50, 70],
      [50, 30],
    ] as const) {
      const { queue, clock } = create();
      for (const delayMs of delays) queue.addAfter(a, delayMs);
      expect(queue.waiting).toBe(1);
      clock.advance(Math.min(...delays) - 1);
      expect(queue.length).toBe(0);
      clock.advance(1);
      for (const key of await queue.take(1)) queue.done(key);
      clock.advance(20_000);
      expect(queue.length).toBe(0);
    }
  });

  test('DQ-S3 DQ-T4: several deadlines that passed are served in their order, equal ones in the order of the calls', async () => {
    const { queue, clock } = create();
    const d = objectKey('', 'd');
    queue.addAfter(a, 1000);
    queue.addAfter(b, 500);
    queue.addAfter(c, 250);
    queue.addAfter(d, 500);
    clock.advance(2000);
    expect(await takeAll(queue)).toEqual([c, b, d, a]);
  });

  test('DQ-T3: every key at its own time, also one added between', () => {
    const { queue, clock } = create();
    queue.addAfter(a, 1000);
    queue.addAfter(b, 50);
    clock.advance(60);
    expect(queue.length).toBe(1);
    queue.addAfter(c, 2000);
    clock.advance(940);
    expect(queue.length).toBe(2);
    clock.advance(1060);
    expect(queue.length).toBe(3);
  });

  test('DQ-S4 PQ-T8 PQ-T17: a plain add makes a waiting key ready now and the deadline disappears; a taker wakes for it', async () => {
    const { queue, clock } = create();
    queue.addAfter(a, 60_000);
    const waiting = taker(queue);
    queue.add(a);
    expect(queue.waiting).toBe(0);
    await settled();
    expect(waiting.got).toEqual([a]);
    queue.done(a);
    clock.advance(120_000);
    expect([queue.length, queue.waiting]).toEqual([0, 0]);
  });

  test('DQ-S4 PQ-T8 PQ-T10: a delay asked of a ready key delays nothing, and the merge keeps the highest priority', () => {
    const { queue } = create();
    queue.add(a, 0);
    queue.addAfter(a, 3_600_000, 2);
    expect([queue.length, queue.waiting]).toEqual([1, 0]);
    queue.addAfter(b, 1000, 1);
    queue.add(b, 0);
    expect(queue.snapshot().readyByPriority).toEqual(
      new Map([
        ['2', 1],
        ['1', 1],
      ]),
    );
  });

  test('DQ-S5: forget leaves a waiting entry alone', () => {
    const { queue, clock } = create({ backoff: { jitter: 0 } });
    queue.addRateLimited(a);
    queue.forget(a);
    expect(queue.requeues(a)).toBe(0);
    clock.advance(5);
    expect(queue.length).toBe(1);
  });

  test('DQ-S7: no timer is longer than ten seconds, and a wait beyond the longest timer of Node ends at its time', () => {
    class Watched extends ManualClock {
      longestMs = 0;
      override after(ms: number, run: () => void): () => void {
        this.longestMs = Math.max(this.longestMs, ms);
        return super.after(ms, run);
      }
    }
    const clock = new Watched();
    const queue = createWorkQueue({ name: 'pods', clock, random: seededRandom(1) });
    const delayMs = 2 ** 31 + 5000;
    queue.addAfter(a, delayMs);
    clock.advance(delayMs - 1);
    expect([queue.length, clock.longestMs]).toEqual([0, 10_000]);
    clock.advance(1);
    expect(queue.length).toBe(1);
  });

  test('DQ-S7: one timer serves any number of waiting keys, and fractions of a millisecond do not set it again', () => {
    class Counting extends ManualClock {
      timers = 0;
      override after(ms: number, run: () => void): () => void {
        this.timers++;
        return super.after(ms, run);
      }
    }
    const clock = new Counting();
    const queue = createWorkQueue({ name: 'pods', clock, random: seededRandom(1) });
    for (let index = 0; index < 1000; index++) queue.addAfter(objectKey('', `${index}`), 12.25 + index / 1000);
    expect([clock.pending, clock.timers]).toEqual([1, 1]);
    clock.advance(14);
    expect([queue.length, clock.pending]).toEqual([1000, 0]);
  });

  test('a deadline that passes while the key is held causes exactly one more run, after done', async () => {
    const { queue, clock } = create();
    queue.add(a);
    await queue.take(1);
    queue.addAfter(a, 5);
    clock.advance(10);
    expect([queue.length, queue.waiting]).toEqual([0, 0]);
    queue.done(a);
    expect(await takeAll(queue)).toEqual([a]);
    queue.done(a);
    expect(queue.length).toBe(0);
  });

  test('PQ-T9: waiting keys count neither as ready nor as depth until their time, again and again', async () => {
    const { queue, clock } = create();
    for (let round = 0; round < 3; round++) {
      for (const key of [a, b]) queue.addAfter(key, 100);
      expect([queue.length, queue.snapshot().depth]).toEqual([0, 0]);
      clock.advance(100);
      expect([queue.length, queue.snapshot().depth]).toEqual([2, 2]);
      for (const key of await queue.take(2)) queue.done(key);
    }
  });
});

describe('retries', () => {
  test('RL-T6 RL-S1: addRateLimited waits by the key alone and counts; forget starts anew', () => {
    const { queue, clock } = create({ backoff: { baseMs: 1, capMs: 1000, jitter: 0 } });
    expect([queue.addRateLimited(a), queue.addRateLimited(a), queue.addRateLimited(a)]).toEqual([1, 2, 4]);
    expect([queue.requeues(a), queue.requeues(b)]).toEqual([3, 0]);
    clock.advance(1);
    expect(queue.length).toBe(1);
    queue.forget(a);
    expect([queue.requeues(a), queue.addRateLimited(a)]).toEqual([0, 1]);
  });

  test('RL-S6: ordinary adds of a failing key are never slowed down', () => {
    const { queue } = create();
    for (let failure = 0; failure < 20; failure++) queue.addRateLimited(a);
    expect(queue.length).toBe(0);
    queue.add(a);
    expect([queue.length, queue.waiting]).toEqual([1, 0]);
  });

  test('PQ-T18: two keys limited together each wait by their own failures', () => {
    const { queue, clock } = create({ backoff: { jitter: 0 } });
    for (let failure = 0; failure < 7; failure++) queue.addRateLimited(b);
    clock.advance(5);
    queue.forget(c);
    expect([queue.addRateLimited(a), queue.addRateLimited(b)]).toEqual([5, 640]);
  });

  test('PQ-S5: of a rate limit and an explicit delay the shorter wins', () => {
    const { queue, clock } = create({ backoff: { baseMs: 100, capMs: 100, jitter: 0 } });
    queue.addRateLimited(a);
    queue.addAfter(a, 30);
    queue.addAfter(b, 300);
    queue.addRateLimited(b);
    clock.advance(30);
    expect([queue.length, queue.waiting]).toEqual([1, 1]);
    clock.advance(70);
    expect([queue.length, queue.waiting]).toEqual([2, 0]);
  });
});
