import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Semaphore } from '../../src/kit/semaphore.ts';

test('waiters start in the order they came, and never more than the capacity at once', async () => {
  const semaphore = new Semaphore(2);
  const started: number[] = [];
  const releases = new Map<number, () => void>();
  const all = [1, 2, 3, 4].map(async (id) => {
    releases.set(id, await semaphore.acquire());
    started.push(id);
  });
  await Promise.all(all.slice(0, 2));
  expect([started, semaphore.inUse, semaphore.waiting]).toEqual([[1, 2], 2, 2]);
  releases.get(2)?.();
  await all[2];
  expect(started).toEqual([1, 2, 3]);
  releases.get(1)?.();
  await all[3];
  expect([started, semaphore.inUse, semaphore.waiting]).toEqual([[1, 2, 3, 4], 2, 0]);
});

test('giving the same place back twice frees one place', async () => {
  const semaphore = new Semaphore(1);
  const release = await semaphore.acquire();
  await Promise.all([release(), release()]);
  await semaphore.acquire();
  expect(semaphore.inUse).toBe(1);
});

test('an aborted waiter rejects with the reason and its place goes to the next', async () => {
  const semaphore = new Semaphore(1);
  const release = await semaphore.acquire();
  const abort = new AbortController();
  const aborted = semaphore.acquire(abort.signal);
  const next = semaphore.acquire();
  abort.abort(new Error('not needed any more'));
  await expect(aborted).rejects.toThrow('not needed any more');
  release();
  await next;
  expect([semaphore.inUse, semaphore.waiting]).toEqual([1, 0]);
  await expect(semaphore.acquire(abort.signal)).rejects.toThrow('not needed any more');
});

test('a larger capacity starts waiters at once; a smaller one lets the running ones finish', async () => {
  const semaphore = new Semaphore(0);
  const waiting = [semaphore.acquire(), semaphore.acquire(), semaphore.acquire()];
  expect(semaphore.inUse).toBe(0);
  semaphore.resize(2);
  const first = await waiting[0];
  const second = await waiting[1];
  expect([semaphore.inUse, semaphore.waiting]).toEqual([2, 1]);
  semaphore.resize(1);
  first?.();
  expect([semaphore.inUse, semaphore.waiting]).toEqual([1, 1]);
  second?.();
  await waiting[2];
  expect([semaphore.inUse, semaphore.waiting]).toEqual([1, 0]);
});

test('run gives the place back when the job fails', async () => {
  const semaphore = new Semaphore(1);
  await expect(semaphore.run(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(semaphore.inUse).toBe(0);
});

test('a capacity that is no whole number is refused with the value', () => {
  expect(() => new Semaphore(1.5)).toThrow('must be an integer >= 0, current value is 1.5');
});

test('property: against a plain list, places in use never pass the capacity and nobody is forgotten', async () => {
  type Step = { readonly do: 'acquire' | 'release' | 'abort' | 'resize'; readonly pick: number };
  const step = fc.record<Step>({ do: fc.constantFrom('acquire', 'release', 'abort', 'resize'), pick: fc.nat(5) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const semaphore = new Semaphore(2);
      let capacity = 2;
      const held: (() => void)[] = [];
      /** The dumb twin: who waits, in order. */
      let line: { readonly abort: AbortController; state: 'waiting' | 'started' | 'aborted' }[] = [];
      const expectStarted = async (): Promise<void> => {
        const before = line;
        for (const waiter of line)
          if (held.length + line.filter((w) => w.state === 'started').length < capacity && waiter.state === 'waiting') waiter.state = 'started';
        line = line.filter((waiter) => waiter.state === 'waiting');
        await new Promise((resolve) => setImmediate(resolve));
        expect(semaphore.waiting).toBe(line.length);
        expect(semaphore.inUse).toBe(held.length);
        expect(before.length - line.length).toBeGreaterThanOrEqual(0);
      };
      for (const { do: action, pick } of steps) {
        if (action === 'acquire') {
          const abort = new AbortController();
          line.push({ abort, state: 'waiting' });
          semaphore.acquire(abort.signal).then(
            (release) => held.push(release),
            () => {},
          );
        } else if (action === 'release' && held.length > 0) {
          held.splice(pick % held.length, 1)[0]?.();
        } else if (action === 'abort' && line.length > 0) {
          line.splice(pick % line.length, 1)[0]?.abort.abort();
        } else if (action === 'resize') {
          capacity = pick;
          semaphore.resize(pick);
        }
        await expectStarted();
      }
    }),
    { numRuns: 60 },
  );
});
