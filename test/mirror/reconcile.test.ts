import { expect, test } from 'vitest';
import type { KindPlan } from '../../src/config/plan.ts';
import { storedForm } from '../../src/mirror/forms.ts';
import { reconcile, type Reconciliation, type Situation } from '../../src/mirror/reconcile.ts';
import { parsePath } from '../../src/transform/paths.ts';
import { planOf } from './world.ts';

const plan = (id: string, changes: Partial<KindPlan> = {}): KindPlan => planOf({ id, ...changes });
const plans = (...list: KindPlan[]): Map<string, KindPlan> => new Map(list.map((entry) => [entry.id, entry]));
const named = (done: Reconciliation): Record<string, readonly string[]> => {
  const ids = (list: readonly KindPlan[]): readonly string[] => list.map(({ id }) => id);
  const all = { retire: done.retire, restart: ids(done.restart), retune: ids(done.retune), start: ids(done.start), missing: [...done.missing] };
  return Object.fromEntries(Object.entries(all).filter(([, list]) => list.length > 0));
};

const KEY = new Uint8Array(32);
const NOTHING: Situation = { running: new Map(), wanted: new Map(), left: new Set(), broken: [], stored: [], missing: new Set() };

test.each<[string, Partial<Situation>, Record<string, readonly string[]>]>([
  ['nothing is asked for and nothing is there', {}, {}],
  ['a wanted kind starts, with rows or without', { wanted: plans(plan('a'), plan('b')), stored: ['a'] }, { start: ['a', 'b'] }],
  ['one that runs as it should is retuned', { running: plans(plan('a')), wanted: plans(plan('a', { workers: 9 })), stored: ['a'] }, { retune: ['a'] }],
  ['other objects or content: anew', { running: plans(plan('a')), wanted: plans(plan('a', { fingerprint: 'other' })) }, { restart: ['a'] }],
  ['other scopes: anew', { running: plans(plan('a')), wanted: plans(plan('a', { scopes: ['x'] })) }, { restart: ['a'] }],
  ['another version: anew', { running: plans(plan('a')), wanted: plans(plan('a', { kind: { ...plan('a').kind, version: 'v2' } })) }, { restart: ['a'] }],
  ['a rule leaves out a kind that runs: its rows go at once', { running: plans(plan('a')), left: new Set(['a']), stored: ['a'] }, { retire: ['a'] }],
  ['a rule leaves out a kind with rows of an earlier run: they go at once', { left: new Set(['a']), stored: ['a'] }, { retire: ['a'] }],
  ['absent for the first time: nothing yet, ask again', { running: plans(plan('a.g')), stored: ['a.g', 'b.g'] }, { missing: ['a.g', 'b.g'] }],
  ['absent for the second time in a row: gone', { running: plans(plan('a.g')), stored: ['a.g'], missing: new Set(['a.g']) }, { retire: ['a.g'] }],
  ['back again: goes on', { running: plans(plan('a.g')), wanted: plans(plan('a.g')), missing: new Set(['a.g']) }, { retune: ['a.g'] }],
  [
    'its group is broken: nothing is concluded, and the absences start again',
    { running: plans(plan('a.g')), stored: ['a.g', 'b.g'], broken: ['g/v1'], missing: new Set(['a.g', 'b.g']) },
    {},
  ],
  ['another group is broken: no reason', { running: plans(plan('a.g')), broken: ['gg/v1', 'v1'], missing: new Set(['a.g']) }, { retire: ['a.g'] }],
  [
    'the core group is broken: its kinds stay',
    { running: plans(plan('pods')), stored: ['pods', 'nodes'], broken: ['v1'], missing: new Set(['pods', 'nodes']) },
    {},
  ],
])('%s', (_name, situation, expected) => {
  expect(named(reconcile({ ...NOTHING, ...situation }))).toEqual(expected);
});

test('rows are rewritten when the same object gives other bytes, and only then', () => {
  const form = storedForm(plan('a'), KEY);
  expect(form).toMatch(/^[0-9a-f]{32}$/);
  expect(storedForm(plan('a', { workers: 3, scopes: ['x'], fingerprint: 'other' }), KEY)).toBe(form);
  const hashed = storedForm(plan('a', { secrets: 'hashed' }), KEY);
  expect(hashed).not.toBe(form);
  // Another key gives other hashes; where nothing is hashed it changes nothing.
  expect(storedForm(plan('a', { secrets: 'hashed' }), new Uint8Array(16))).not.toBe(hashed);
  expect(storedForm(plan('a'), new Uint8Array(16))).toBe(form);
  expect(storedForm(plan('a', { mask: [parsePath('data.value')] }), KEY)).not.toBe(form);
  expect(storedForm(plan('a', { remove: [{ path: parsePath('data.value'), namespaces: null }] }), KEY)).not.toBe(form);
  const labelled = storedForm(plan('a', { setLabels: { x: '1', y: '2' } }), KEY);
  expect(labelled).not.toBe(form);
  expect(storedForm(plan('a', { setLabels: { y: '2', x: '1' } }), KEY)).toBe(labelled);
  expect(storedForm(plan('a', { setLabels: { x: '1', y: '3' } }), KEY)).not.toBe(labelled);
  expect(storedForm(plan('a', { annotateWorkload: true }), KEY)).not.toBe(form);
  expect(storedForm(plan('a', { kind: { ...plan('a').kind, version: 'v2' } }), KEY)).not.toBe(form);
});
