import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Position, Positions } from '../../src/cache/positions.ts';

test('the oldest open position is the one that the watermark waits for, in whatever order they close', () => {
  const positions = new Positions();
  const first = positions.open('10', 1);
  const second = positions.open('11', 2);
  positions.close(second);
  expect(positions.oldest()).toEqual(expect.objectContaining({ before: '10' }));
  positions.close(first);
  expect(positions.oldest()).toBeNull();
});

test('changes of one moment share a position, which closes with the last of them', () => {
  const positions = new Positions();
  const one = positions.open(null, 1);
  const two = positions.open(null, 1);
  expect(two).toBe(one);
  positions.close(one);
  expect(positions.oldest()).not.toBeNull();
  positions.close(two);
  expect(positions.oldest()).toBeNull();
});

test('closing more often than opening is a bug and says so', () => {
  const positions = new Positions();
  const one = positions.open('1', 1);
  positions.close(one);
  expect(() => positions.close(one)).toThrow('Cannot close a position more often');
});

test('one stuck key among a million others costs no memory for them', () => {
  const positions = new Positions();
  positions.open('1', 0);
  for (let at = 1; at <= 1_000_000; at++) positions.close(positions.open(String(at), at));
  expect(positions.oldest()?.before).toBe('1');
  expect(positions.held).toBeLessThan(3_000);
});

test('the oldest is always the first in history that is open, as a plain list says', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant('open' as const), fc.nat(50)), { maxLength: 5_000 }), (steps) => {
      const positions = new Positions();
      const twin: Position[] = [];
      let at = 0;
      for (const step of steps) {
        if (step === 'open') twin.push(positions.open(String(++at), at));
        else {
          const [closed] = twin.splice(step, 1);
          if (closed !== undefined) positions.close(closed);
        }
        expect(positions.oldest()).toBe(twin[0] ?? null);
      }
    }),
  );
});

type PositionStep =
  | { readonly do: 'open'; readonly isFirst: boolean }
  | { readonly do: 'close' | 'park' | 'unpark'; readonly which: number }
  | { readonly do: 'forget' };

test('what the first list waits for are its open keys that are not parked, as a plain list says; a history that is forgotten makes all of them first', () => {
  const which = fc.nat(20);
  const step: fc.Arbitrary<PositionStep> = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('open' as const), isFirst: fc.boolean() }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('close' as const, 'park' as const, 'unpark' as const), which }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('forget' as const) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const positions = new Positions();
      let twin: { readonly position: Position; readonly isFirst: boolean; readonly isParked: boolean }[] = [];
      let at = 0;
      for (const one of steps) {
        if (one.do === 'open') {
          // Two keys of one moment now and then.
          at += at % 3 === 0 ? 0 : 1;
          twin.push({ position: positions.open(one.isFirst ? null : String(at), at), isFirst: one.isFirst, isParked: false });
        } else if (one.do === 'forget') {
          positions.forgetHistory();
          twin = twin.map((key) => ({ ...key, isFirst: true }));
        } else {
          const key = twin[one.which];
          if (key === undefined || key.isParked !== (one.do === 'unpark')) continue;
          positions[one.do](key.position);
          if (one.do === 'close') twin.splice(one.which, 1);
          else twin[one.which] = { ...key, isParked: one.do === 'park' };
        }
        expect(positions.awaited).toBe(twin.filter(({ isFirst, isParked }) => isFirst && !isParked).length);
      }
    }),
  );
});
