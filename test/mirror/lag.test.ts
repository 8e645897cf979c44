import { expect, test } from 'vitest';
import { ScopeState } from '../../src/cache/scope.ts';
import { rowsAsOf, watermarkLag } from '../../src/mirror/lag.ts';

/** A scope whose list is complete and which has delivered everything up to `progress`. */
function scopeAt(progress: string): ScopeState {
  const state = new ScopeState('');
  state.complete = true;
  state.progress = progress;
  return state;
}

test('a watermark is behind from the oldest change that is not durable, in revisions and in time', () => {
  const state = scopeAt('100');
  expect(watermarkLag([state], 5_000)).toEqual({ revisions: 0, ms: 0 });
  const first = state.positions.open('100', 1_000);
  state.progress = '101';
  state.positions.open('101', 2_000);
  state.progress = '142';
  expect(watermarkLag([state], 5_000)).toEqual({ revisions: 42, ms: 4_000 });
  state.positions.close(first);
  expect(watermarkLag([state], 5_000)).toEqual({ revisions: 41, ms: 3_000 });
});

test('a change that waits for a person holds the watermark back, although nobody waits for it', () => {
  const state = scopeAt('100');
  const parked = state.positions.open('100', 1_000);
  state.positions.park(parked);
  state.progress = '105';
  expect(state.positions.oldestAwaited()).toBeNull();
  expect(watermarkLag([state], 61_000)).toEqual({ revisions: 5, ms: 60_000 });
});

test('revisions are of any length', () => {
  const state = scopeAt('99999999999999999999999990');
  state.positions.open(state.progress, 0);
  state.progress = '100000000000000000000000010';
  expect(watermarkLag([state], 0).revisions).toBe(20);
});

test('of several scopes the one furthest behind counts, and while one has no watermark there is no number', () => {
  const [quiet, late] = [scopeAt('100'), scopeAt('100')];
  late.positions.open('100', 500);
  late.progress = '107';
  expect(watermarkLag([quiet, late], 1_000)).toEqual({ revisions: 7, ms: 500 });
  const listing = new ScopeState('new');
  listing.positions.open(null, 0);
  expect(watermarkLag([quiet, late, listing], 1_000)).toEqual({ revisions: null, ms: 1_000 });
  expect(watermarkLag([], 1_000)).toEqual({ revisions: null, ms: 0 });
});

test('rows are as old as the oldest change that is on its way to them, and no older for what waits for a person', () => {
  const WALL = Date.parse('2026-11-21T10:00:00Z');
  const state = scopeAt('100');
  expect(rowsAsOf(state, 50_000, WALL)).toBeNull();
  state.heardAt = WALL - 3_000;
  expect(rowsAsOf(state, 50_000, WALL)).toBe(WALL - 3_000);
  const position = state.positions.open('100', 20_000);
  expect(rowsAsOf(state, 50_000, WALL)).toBe(WALL - 30_000);
  // Storage keeps whole milliseconds, and a monotonic clock has fractions.
  expect(rowsAsOf(state, 50_000.25, WALL)).toBe(WALL - 30_001);
  state.positions.park(position);
  expect(rowsAsOf(state, 50_000, WALL)).toBe(WALL - 3_000);
  state.positions.open('101', 49_000);
  expect(rowsAsOf(state, 50_000, WALL)).toBe(WALL - 3_000);
});
