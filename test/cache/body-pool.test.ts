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

  test('a body larger than the whole pool is let in, one at a time: it would be read again for ever and never written', () => {
    const pool = new SlabPool(MiB);
    pool.store(filled(10, 1));
    const giant = pool.store(filled(1.5 * MiB, 7));
    expect(giant?.length).toBe(1.5 * MiB);
    expect(pool.store(filled(1.5 * MiB, 8))).toBeNull();
    expect(pool.store(filled(100_000, 8))).toBeNull();
    giant?.release();
    expect(pool.store(filled(600 * 1024, 9))).not.toBeNull();
    expect(pool.store(filled(600 * 1024, 9))).not.toBeNull();
    expect(pool.store(filled(600 * 1024, 9))).toBeNull();
  });

  test('the smallest of pools still takes one body at a time', () => {
    const pool = new SlabPool(1);
    const body = pool.store(filled(5_000, 3));
    expect(body?.bytes()[4_999]).toBe(3);
    expect(pool.store(filled(5_000, 4))).toBeNull();
    body?.release();
    expect(pool.store(filled(5_000, 4))).not.toBeNull();
  });

  test('a slab without bodies is not in use: waiting for room does not wait for it', async () => {
    const pool = new SlabPool(256 * 1024);
    const bodies = [1, 2, 3].map((value) => pool.store(filled(16_000, value)));
    for (const body of bodies) body?.release();
    expect(pool.usedBytes).toBe(0);
    await pool.room(0, new AbortController().signal);
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

  test('the new state of an object takes the place of the old one, so that a pool of few objects does not fill up however often they change', () => {
    const pool = new SlabPool(MiB);
    const bodies = Array.from({ length: 12 }, (_, index) => ({ body: pool.store(filled(40_000, index)), value: index }));
    for (let step = 0; step < 1_000; step++) {
      const one = bodies[(step * 7) % 12];
      if (one === undefined) throw new Error('unreachable');
      one.body?.release();
      one.value = step % 251;
      one.body = pool.store(filled(40_000 - (step % 100), one.value));
    }
    expect(pool.usedBytes).toBe(MiB / 2);
    for (const { body, value } of bodies) expect(body?.bytes().every((byte) => byte === value)).toBe(true);
  });

  test('memory beyond what is kept for reuse is given back at the release, not at the next garbage collection', () => {
    const pool = new SlabPool(16 * MiB);
    const bodies = Array.from({ length: 256 }, () => pool.store(filled(60_000, 1)));
    const slabs = new Set(bodies.map((body) => body?.bytes().buffer as ArrayBuffer));
    expect(slabs.size).toBe(64);
    for (const body of bodies) body?.release();
    expect([...slabs].filter((slab) => slab.detached)).toHaveLength(32);
  });

  test('waiting for room ends with the reason of the abort', async () => {
    const pool = new SlabPool(256 * 1024);
    pool.store(filled(200_000, 1));
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
        expect(pool.usedBytes).toBe(0);
      }),
    );
  });
});
