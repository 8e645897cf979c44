import { expect, test } from 'vitest';
import { Endpoints } from '../../../src/storage/bcs/endpoints.ts';

const NONE: ReadonlySet<number> = new Set();

test('the first endpoint is asked as long as it answers', () => {
  const endpoints = new Endpoints(3);
  for (let now = 0; now < 100; now++) {
    expect(endpoints.choose(now, NONE)).toBe(0);
    endpoints.answered(0);
  }
});

test('one that cannot be reached rests at once, one that cuts or times out after three in a row', () => {
  const endpoints = new Endpoints(2);
  endpoints.failed(0, 0, 'unreachable');
  expect(endpoints.choose(1, NONE)).toBe(1);
  const broken = new Endpoints(2);
  broken.failed(0, 0, 'broken');
  broken.failed(0, 0, 'broken');
  broken.answered(0);
  broken.failed(0, 0, 'broken');
  broken.failed(0, 0, 'broken');
  expect(broken.choose(1, NONE)).toBe(0);
  broken.failed(0, 1, 'broken');
  expect(broken.choose(2, NONE)).toBe(1);
});

test('after its rest one request probes it, the others stay where they are, and an answer brings all of them back', () => {
  const endpoints = new Endpoints(2);
  endpoints.failed(0, 0, 'unreachable');
  expect(endpoints.choose(999, NONE)).toBe(1);
  expect(endpoints.choose(1_000, NONE)).toBe(0);
  expect(endpoints.choose(1_000, NONE)).toBe(1);
  endpoints.answered(0);
  expect([endpoints.choose(1_001, NONE), endpoints.choose(1_001, NONE)]).toEqual([0, 0]);
});

test('the rest doubles with every probe that fails, up to half a minute; many failures at once count as one', () => {
  const endpoints = new Endpoints(2);
  let now = 0;
  const rests: number[] = [];
  for (let round = 0; round < 8; round++) {
    for (let request = 0; request < 200; request++) endpoints.failed(0, now, 'unreachable');
    const since = now;
    while (endpoints.choose(now, NONE) !== 0) now += 100;
    rests.push(now - since);
  }
  expect(rests).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

test('when all rest, the one whose rest ends first is asked: how often is for the circuit breaker to say', () => {
  const endpoints = new Endpoints(2);
  endpoints.failed(0, 0, 'unreachable');
  endpoints.failed(1, 500, 'unreachable');
  expect(endpoints.choose(600, NONE)).toBe(0);
  expect(endpoints.choose(600, new Set([0]))).toBe(1);
  expect(endpoints.choose(600, new Set([0, 1]))).toBeNull();
});

test('one that asks to be left alone is not asked at all before that time', () => {
  const endpoints = new Endpoints(2);
  endpoints.pause(0, 5_000);
  expect(endpoints.choose(0, NONE)).toBe(1);
  expect(endpoints.pausedUntil(0)).toBeNull();
  endpoints.pause(1, 3_000);
  expect(endpoints.choose(0, NONE)).toBeNull();
  expect(endpoints.pausedUntil(0)).toBe(3_000);
  expect(endpoints.choose(3_000, NONE)).toBe(1);
  expect(endpoints.choose(5_000, NONE)).toBe(0);
});
