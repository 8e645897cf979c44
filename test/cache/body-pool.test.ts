import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SlabPool } from '../../src/cache/body-pool.ts';
import type { Body, ByteSource } from '../../src/model/body.ts';

const MiB = 1024 * 1024;

function filled(size: number, value: number): ByteSource {
  return { size, copyTo: (target, at) => void target.fill(value, at, at + size) };
}

describe('the pool of bodies', () => {
  test('a body reads as what was stored', () => {
    const pool = new SlabPool(MiB);
    const body = pool.store({ size: 5, copyTo: (target, at) => target.set(Buffer.from('hello'), at) });
    expect(Buffer.from(body?.bytes() ?? []).toString()).toBe('hello');
  });

  test('a full pool refuses a body and takes the next one after a release', () => {
    const pool = new SlabPool(MiB);
    const bodies: Body[] = [];
    for (let body = pool.store(filled(60_000, 1)); body !== null; body = pool.store(filled(60_000, 1))) bodies.push(body);
    expect(bodies.length).toBe(16);
    expect(pool.usedBytes).toBe(MiB);
    for (const body of bodies.splice(0, 4)) body.release();
    expect(pool.usedBytes).toBe(MiB - 256 * 1024);
    expect(pool.store(filled(60_000, 2))).not.toBeNull();
  });

  test('a body larger than a slab has memory of its own, counted and given back', () => {
    const pool = new SlabPool(4 * MiB);
    const body = pool.store(filled(1.5 * MiB, 7));
    expect(pool.usedBytes).toBe(1.5 * MiB);
    expect(body?.bytes().every((byte) => byte === 7)).toBe(true);
    body?.release();
    expect(pool.usedBytes).toBe(0);
  });

  test('releasing twice, or reading after release, is a bug and says so', () => {
    const body = new SlabPool(MiB).store(filled(10, 1));
    body?.release();
    expect(() => body?.release()).toThrow('Cannot release a body twice');
    expect(() => body?.bytes()).toThrow('Cannot read a body after release()');
  });

  test('waiting for room ends when enough was released', async () => {
    const pool = new SlabPool(MiB);
    const bodies = Array.from({ length: 16 }, () => pool.store(filled(60_000, 1)));
    let roomy = false;
    const waiting = pool.room(0.5, new AbortController().signal).then(() => {
      roomy = true;
    });
    for (const body of bodies.slice(0, 4)) body?.release();
    await Promise.resolve();
    expect(roomy).toBe(false);
    for (const body of bodies.slice(4, 12)) body?.release();
    await waiting;
    expect(pool.usedBytes).toBeLessThanOrEqual(MiB / 2);
  });

  test('waiting for room ends with the reason of the abort', async () => {
    const pool = new SlabPool(256 * 1024);
    pool.store(filled(60_000, 1));
    const ending = new AbortController();
    const waiting = pool.room(0.5, ending.signal);
    ending.abort(new Error('stopped'));
    await expect(waiting).rejects.toThrow('stopped');
  });

  test('whatever is stored and released in whatever order, every body keeps its bytes and the bound holds', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ size: fc.integer({ min: 0, max: 120_000 }), release: fc.nat(20) }), { maxLength: 200 }), (steps) => {
        const pool = new SlabPool(MiB);
        const live: { body: Body; value: number; size: number }[] = [];
        steps.forEach(({ size, release }, index) => {
          const value = index % 251;
          const body = pool.store(filled(size, value));
          if (body !== null) live.push({ body, value, size });
          expect(pool.usedBytes).toBeLessThanOrEqual(MiB);
          const [gone] = live.splice(release, 1);
          gone?.body.release();
          for (const { body: kept, value: expected, size: length } of live) {
            const bytes = kept.bytes();
            expect(bytes.length).toBe(length);
            expect(length === 0 || (bytes[0] === expected && bytes[length - 1] === expected)).toBe(true);
          }
        });
        for (const { body } of live) body.release();
        // At most the slab that is being filled stays.
        expect(pool.usedBytes).toBeLessThanOrEqual(256 * 1024);
      }),
    );
  });
});
