import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Outcome, WRITTEN } from '../../src/model/outcome.ts';
import { type Ending, resultOf, writeApart } from '../../src/worker/isolate.ts';

const RETRY: Outcome = { kind: 'retry', error: 'away' };
const BUG: Ending = { kind: 'bug', error: 'boom' };

/** A storage that throws at a batch in which one of `bad` is; counts what it was asked and what it wrote. */
function throwing(bad: ReadonlySet<number>): { calls: number; written: number[]; write: (part: readonly number[]) => Promise<readonly Outcome[]> } {
  const storage = {
    calls: 0,
    written: [] as number[],
    async write(part: readonly number[]): Promise<readonly Outcome[]> {
      storage.calls++;
      if (part.some((one) => bad.has(one))) throw new Error('boom');
      storage.written.push(...part);
      return part.map(() => WRITTEN);
    },
  };
  return storage;
}

test('a batch that works is one call, and its outcomes are handed on as they are', async () => {
  const outcomes = [WRITTEN, RETRY];
  expect(await writeApart(['a', 'b'], async () => outcomes)).toBe(outcomes);
});

test('the write that storage throws at ends alone, every other is written exactly once, in a few calls', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 128 }), fc.nat(), async (size, at) => {
      const bad = at % size;
      const storage = throwing(new Set([bad]));
      const writes = Array.from({ length: size }, (_, index) => index);
      const endings = await writeApart(writes, storage.write);
      expect(endings).toEqual(writes.map((one) => (one === bad ? BUG : WRITTEN)));
      expect(storage.written).toEqual(writes.filter((one) => one !== bad));
      expect(storage.calls).toBeLessThanOrEqual(1 + 2 * Math.ceil(Math.log2(size)));
    }),
  );
});

test('any number of bad writes: an ending for each write, in order, none written twice, and what is called a bug was not written', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 100 }), async (isBad) => {
      const storage = throwing(new Set(isBad.flatMap((bad, index) => (bad ? [index] : []))));
      const endings = await writeApart([...isBad.keys()], storage.write);
      expect(endings.map(({ kind }) => kind === 'written')).toEqual([...isBad.keys()].map((index) => storage.written.includes(index)));
      expect(new Set(storage.written).size).toBe(storage.written.length);
      expect(storage.calls).toBeLessThan(2 * isBad.length + 1);
    }),
  );
});

test('a storage that throws at everything is not asked for each of a hundred writes', async () => {
  const writes = Array.from({ length: 100 }, (_, index) => index);
  const storage = throwing(new Set(writes));
  expect(await writeApart(writes, storage.write)).toEqual(writes.map(() => BUG));
  expect(storage.calls).toBeLessThan(40);
});

test('a storage that settles fewer writes than it was given has a bug with the rest', async () => {
  expect((await writeApart(['a', 'b'], async () => [WRITTEN])).map(({ kind }) => kind)).toEqual(['written', 'bug']);
});

test('what the endings of a batch say of storage', () => {
  const isNews = (): boolean => true;
  expect(resultOf([RETRY, WRITTEN], isNews)).toEqual({ result: 'settled', error: 'away' });
  expect(resultOf([{ kind: 'rejected', error: 'too large' }, BUG], isNews).result).toBe('settled');
  expect(resultOf([RETRY, BUG, RETRY], isNews)).toEqual({ result: 'failed', error: 'away' });
  expect(resultOf([RETRY, RETRY], (index) => index === 1).result).toBe('failed');
  expect(resultOf([RETRY, BUG], (index) => index === 1).result).toBe('failed again');
  expect(resultOf([BUG], isNews).result).toBe('bug');
  expect(resultOf([], isNews).result).toBe('nothing');
  expect(resultOf([{ kind: 'withdrawn' }, { kind: 'withdrawn' }], isNews).result).toBe('nothing');
});

test('a batch that was withdrawn before it began is no failure, is not taken apart, and says nothing of storage', async () => {
  const withdrawal = new AbortController();
  withdrawal.abort();
  let calls = 0;
  const write = async (): Promise<readonly Outcome[]> => {
    calls++;
    throw withdrawal.signal.reason;
  };
  expect(await writeApart(['a', 'b'], write, withdrawal.signal)).toEqual([{ kind: 'withdrawn' }, { kind: 'withdrawn' }]);
  expect(calls).toBe(1);
});
