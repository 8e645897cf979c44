import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fnv1a64, isInShard, shardOf, shardSelectorOf } from '../../src/model/shard.ts';

/** The same by the definition, slowly. */
function twin(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) % (1n << 64n);
  return hash;
}

function hashOf(text: string): bigint {
  const halves = new Uint32Array(2);
  fnv1a64(text, halves);
  const [high = 0, low = 0] = halves;
  return (BigInt(high) << 32n) | BigInt(low);
}

/** The bounds that a selector names. */
function boundsOf(selector: string): [bigint, bigint] {
  const [, from, to] = /^shardRange\(object\.metadata\.uid, '(0x[0-9a-f]{16})', '(0x(?:[0-9a-f]{16}|10000000000000000))'\)$/.exec(selector) ?? [];
  if (from === undefined || to === undefined) throw new Error(`not a selector: ${selector}`);
  return [BigInt(from), BigInt(to)];
}

const text = fc.oneof(fc.uuid(), fc.string(), fc.string({ unit: 'binary' }));
const count = fc.integer({ min: 1, max: 1024 });

test.each([
  ['', 0xcbf29ce484222325n],
  ['a', 0xaf63dc4c8601ec8cn],
  ['foobar', 0x85944171f73967e8n],
])('FNV-1a of %j is the published one', (input, hash) => {
  expect(hashOf(input)).toBe(hash);
});

test('the hash in halves of 32 bits is the one in whole numbers, for any text', () => {
  fc.assert(
    fc.property(text, (input) => {
      expect(hashOf(input)).toBe(twin(input));
    }),
    { numRuns: 2_000 },
  );
});

test('a uid is in the shard in whose range the server would see it, and in no other', () => {
  fc.assert(
    fc.property(text, count, (uid, shards) => {
      const index = shardOf(uid, shards);
      const [from, to] = boundsOf(shardSelectorOf({ index, count: shards }));
      const hash = twin(uid);
      expect(from <= hash && hash < to).toBe(true);
      expect(isInShard(uid, { index, count: shards })).toBe(true);
      if (shards > 1) expect(isInShard(uid, { index: (index + 1) % shards, count: shards })).toBe(false);
    }),
    { numRuns: 2_000 },
  );
});

test('the ranges of all shards are contiguous, cover 64 bits and differ by one at most', () => {
  fc.assert(
    fc.property(count, (shards) => {
      const bounds = Array.from({ length: shards }, (_, index) => boundsOf(shardSelectorOf({ index, count: shards })));
      expect(bounds[0]?.[0]).toBe(0n);
      expect(bounds.at(-1)?.[1]).toBe(1n << 64n);
      for (const [i, [from, to]] of bounds.entries()) {
        if (i > 0) expect(from).toBe(bounds[i - 1]?.[1]);
        const least = (1n << 64n) / BigInt(shards);
        expect([least, least + 1n]).toContain(to - from);
      }
    }),
    { numRuns: 100 },
  );
});

test('two halves are named as the server was seen to want it', () => {
  expect(shardSelectorOf({ index: 0, count: 2 })).toBe("shardRange(object.metadata.uid, '0x0000000000000000', '0x8000000000000000')");
  expect(shardSelectorOf({ index: 1, count: 2 })).toBe("shardRange(object.metadata.uid, '0x8000000000000000', '0x10000000000000000')");
});
