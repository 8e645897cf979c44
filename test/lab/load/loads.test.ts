import { describe, expect, test } from 'vitest';
import type { Load, LoadChange } from '../../../src/lab/load/load.ts';
import { LOAD_NAMES, loadOf } from '../../../src/lab/load/loads.ts';
import { LADDER, SKEWED_PARTITIONS } from '../../../src/lab/load/traffic.ts';
import { compareRevisions } from '../../../src/model/revision.ts';
import { partitionOf } from '../../../src/queue/strategies/partition.ts';

/** One rung for all of the ladder, and no cluster that takes seconds to make. */
const small = LOAD_NAMES.filter((name) => !['kubemark-5000', 'kubemark-150k'].includes(name) && (!name.startsWith('ladder-') || name === 'ladder-298'));
const all = (load: Load): readonly LoadChange[] => [...load.changes()];
const nameOf = ({ kind, key }: LoadChange): string => `${kind.resource} ${key}`;

/** What the commonest objects have of all changes. */
function shareOfTop(changes: readonly LoadChange[], objects: number): number {
  const counts = new Map<string, number>();
  for (const change of changes) counts.set(change.key, (counts.get(change.key) ?? 0) + 1);
  const sorted = [...counts.values()].sort((a, b) => b - a);
  return sorted.slice(0, objects).reduce((sum, count) => sum + count, 0) / changes.length;
}

describe.each(small)('%s', (name) => {
  test('gives the same changes for the same seed, also when it is asked twice, and others for another seed', () => {
    const load = loadOf(name, { seed: 5 });
    const changes = all(load);
    expect(all(load)).toEqual(changes);
    expect(all(loadOf(name, { seed: 5 }))).toEqual(changes);
    if (name !== 'hot-object') expect(all(loadOf(name, { seed: 6 }))).not.toEqual(changes);
    expect([...load.initial()]).toEqual([...loadOf(name, { seed: 5 }).initial()]);
  });

  test('is a history that a cluster could have: times and revisions rise, and of an object first comes its creation', () => {
    const load = loadOf(name);
    const uids = new Map([...load.initial()].map((change) => [nameOf(change), change.uid]));
    const wrong: string[] = [];
    let before = [...load.initial()].at(-1);
    for (const change of load.changes()) {
      const { atMs, revision, key, type } = change;
      if (before !== undefined && compareRevisions(revision, before.revision) <= 0) wrong.push(`${key}: revision ${revision} after ${before.revision}`);
      if (before !== undefined && atMs < before.atMs) wrong.push(`${key}: at ${atMs} after ${before.atMs}`);
      if (atMs >= load.durationMs) wrong.push(`${key}: at ${atMs}, after the end`);
      const uid = uids.get(nameOf(change));
      if (type === 'delete' ? uid !== change.uid : uid !== undefined && uid !== change.uid) wrong.push(`${key}: ${type} of ${change.uid}, and there is ${uid}`);
      if (type === 'delete') uids.delete(nameOf(change));
      else uids.set(nameOf(change), change.uid);
      before = change;
    }
    expect(wrong).toEqual([]);
  });
});

describe('the loads', () => {
  test('offer what their names say', () => {
    for (const rate of [...LADDER.serial, ...LADDER.partitioned]) expect(all(loadOf(`ladder-${rate}`))).toHaveLength(rate * 10);
    expect(all(loadOf('ladder-250', { durationMs: 2_000 }))).toHaveLength(500);
    expect(new Set(all(loadOf('hot-object')).map(({ key }) => key)).size).toBe(1);
    expect(shareOfTop(all(loadOf('hot-set')), 200)).toBeCloseTo(0.8, 1);
    expect(shareOfTop(all(loadOf('steady')), 1_000)).toBeLessThan(0.6);
    const storm = all(loadOf('storms'));
    expect(storm.filter(({ type }) => type === 'delete').length).toBeGreaterThan(storm.length / 4);
    const first = all(loadOf('initial-and-live')).filter(({ isBackground }) => isBackground === true);
    expect(first).toHaveLength(10_000);
    expect(first.every(({ atMs }) => atMs === 0)).toBe(true);
    const skewed = all(loadOf('skewed')).filter(({ key }) => partitionOf(key, SKEWED_PARTITIONS) === 0);
    expect(skewed.length / 2_000).toBeGreaterThan(0.45);
    const [noisy, quiet] = [true, false].map((isNoise) => all(loadOf('noise')).filter(({ kind }) => (kind.resource !== 'pods') === isNoise).length);
    expect((noisy ?? 0) / (quiet ?? 1)).toBeCloseTo(10, 1);
  });

  test('whose storage is in trouble say when and how', () => {
    expect(loadOf('outage').troubles).toEqual([{ type: 'fails', fromMs: 5_000, toMs: 15_000 }]);
    const [slow] = loadOf('slow-key').troubles;
    expect(slow).toMatchObject({ type: 'slow-key', ms: 5_000 });
    const changes = all(loadOf('slow-key'));
    expect(changes.filter(({ key }) => slow?.type === 'slow-key' && key === slow.key).length).toBeGreaterThanOrEqual(10);
  });

  test('that are not there, or make no sense, are refused with a way out', () => {
    expect(() => loadOf('ladder-0')).toThrow('There is no load "ladder-0". They are: ladder-RATE, steady, hot-object');
    expect(() => loadOf('kubemark-100', { objects: 5 })).toThrow('The load kubemark-100 has its own objects');
    expect(() => loadOf('steady', { durationMs: 0 })).toThrow('duration (0) must be > 0');
  });
});
