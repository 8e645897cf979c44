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
