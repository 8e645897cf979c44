import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../src/kit/random.ts';
import { Fifo } from '../../../src/queue/strategies/fifo.ts';
import { partitionOf } from '../../../src/queue/strategies/partition.ts';

/** As the program computes it, in 64 bits that wrap. */
function twin(key: string, partitions: number): number {
  let h = 0n;
  for (const byte of Buffer.from(key)) h = BigInt.asUintN(64, h * 131n + BigInt(byte));
  return Number((h & 0x7fffffffn) % BigInt(partitions));
}

describe('partitionOf()', () => {
  test('gives what 64 bits that wrap give, for keys of any length and alphabet', () => {
    const random = seededRandom(7);
    for (let round = 0; round < 2_000; round++) {
      const length = 1 + Math.floor(random.next() * 300);
      const wide = round % 10 === 0;
      const key = Array.from({ length }, () => String.fromCharCode(33 + Math.floor(random.next() * (wide ? 2_000 : 90)))).join('');
      const partitions = 1 + Math.floor(random.next() * 120);
      expect(partitionOf(key, partitions), `seed 7, key ${key}`).toBe(twin(key, partitions));
    }
  });

  test('is the hash of the key as a whole: the first steps by hand', () => {
    // 'a' is 97, 'ab' is 97 * 131 + 98.
    expect(partitionOf('a', 1_000)).toBe(97);
    expect(partitionOf('ab', 1_000_000)).toBe(12_805);
    expect(partitionOf('', 30)).toBe(0);
  });
});

describe('Fifo', () => {
  test('gives back in order whatever was put in, through growing and emptying', () => {
    const random = seededRandom(3);
    const fifo = new Fifo<number>();
    let put = 0;
    let taken = 0;
    for (let round = 0; round < 200; round++) {
      for (let left = Math.floor(random.next() * 200); left > 0; left--) fifo.push(put++);
      for (let left = Math.floor(random.next() * 200); left > 0 && fifo.length > 0; left--) expect(fifo.shift(), 'seed 3').toBe(taken++);
      expect(fifo.length).toBe(put - taken);
    }
    fifo.clear();
    expect(fifo.shift()).toBeUndefined();
  });
});
