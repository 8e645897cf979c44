import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/kit/random.ts';
import { Books, type State } from '../../src/lab/books.ts';

const state = (revision: string, uid = 'u1'): State => ({ uid, revision });

describe('Books', () => {
  test('count a row as wrong from its change until the write that brings it', () => {
    const books = new Books();
    books.changed('a', state('5'), '5', 10);
    expect(books).toMatchObject({ wrong: 1, exactSince: null, changes: 1 });
    books.written('a', state('5'), '5', 97);
    expect(books).toMatchObject({ wrong: 0, exactSince: 97, writes: 1, orderViolations: 0, uncovered: 0 });
    expect(books.latencies.quantiles([0.5, 1])).toEqual([87, 87]);
  });

  test('let one write cover all changes before it, each with a latency of its own', () => {
    const books = new Books();
    for (const [revision, at] of [
      ['5', 0],
      ['6', 10],
      ['7', 20],
    ] as const)
      books.changed('a', state(revision), revision, at);
    books.written('a', state('6'), '6', 100);
    expect(books).toMatchObject({ wrong: 1, uncovered: 1 });
    books.written('a', state('7'), '7', 150);
    expect(books).toMatchObject({ wrong: 0, uncovered: 0 });
    expect(books.latencies.quantiles([0, 0.5, 1])).toEqual([90, 100, 130]);
  });

  test('see an older state after a newer one, and the row that it leaves', () => {
    const books = new Books();
    books.changed('a', state('9'), '9', 0);
    books.changed('a', state('10'), '10', 1);
    books.written('a', state('10'), '10', 50);
    books.written('a', state('9'), '9', 60);
    expect(books).toMatchObject({ orderViolations: 1, wrong: 1, exactSince: null, uncovered: 0 });
  });

  test('see a deletion overtaken by the put before it: the row of nothing stays', () => {
    const books = new Books();
    books.changed('a', state('5'), '5', 0);
    books.changed('a', null, '6', 1);
    // Nothing is stored yet and nothing is to be: that moment the copy is exact.
    expect(books).toMatchObject({ wrong: 0, uncovered: 0 });
    books.written('a', null, '6', 50);
    books.written('a', state('5'), '5', 60);
    expect(books).toMatchObject({ orderViolations: 1, wrong: 1 });
    expect(books.compare(new Map([['a', state('5')]]))).toEqual({ missing: 0, stale: 0, surplus: 1 });
  });

  test('leave nothing open of what came and went while the deletion before it was under way', () => {
    const books = new Books();
    books.preload('a', state('1'));
    books.changed('a', null, '2', 0);
    books.changed('a', state('3', 'u2'), '3', 5);
    books.changed('a', null, '4', 10);
    books.written('a', null, '2', 50);
    expect(books).toMatchObject({ wrong: 0, uncovered: 0 });
  });

  test('tell the same uid from another of the same name', () => {
    const books = new Books();
    books.changed('a', state('5', 'new'), '5', 0);
    expect(books.compare(new Map([['a', state('5', 'old')]]))).toEqual({ missing: 0, stale: 1, surplus: 0 });
    expect(books.compare(new Map([['b', state('5', 'new')]]))).toEqual({ missing: 1, stale: 0, surplus: 1 });
  });

  test('agree at every moment with a comparison of whole tables', () => {
    const seed = 11;
    const random = seededRandom(seed);
    const books = new Books();
    const truth = new Map<string, State>();
    const stored = new Map<string, State>();
    for (let round = 0; round < 3_000; round++) {
      const name = `n${Math.floor(random.next() * 12)}`;
      const revision = String(1_000 + round);
      const isDeletion = random.next() < 0.3;
      const [table, tell] = random.next() < 0.5 ? [truth, books.changed] : [stored, books.written];
      if (isDeletion) table.delete(name);
      else table.set(name, table === stored && random.next() < 0.7 ? (truth.get(name) ?? state(revision)) : state(revision));
      tell.call(books, name, table.get(name) ?? null, revision, round);
      const names = new Set([...truth.keys(), ...stored.keys()]);
      const wrong = [...names].filter((one) => truth.get(one)?.revision !== stored.get(one)?.revision).length;
      expect(books.wrong, `seed ${seed}, round ${round}`).toBe(wrong);
      const { missing, stale, surplus } = books.compare(stored);
      expect(missing + stale + surplus, `seed ${seed}, round ${round}`).toBe(wrong);
    }
  });
});
