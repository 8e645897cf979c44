import { describe, expect, test } from 'vitest';
import { Entry } from '../../src/cache/entry.ts';
import { type Evidence, judge, type Judgement, type Known, knownOf } from '../../src/audit/judge.ts';
import { Positions } from '../../src/cache/positions.ts';

/** Revisions of the tables: the list was made at 50. */
const LISTED = '50';
const live = (revision: string, uid = 'u', content = 'c'): NonNullable<Evidence['live']> => ({ uid, revision, content });
const row = (revision: string, uid = 'u', content = 'c', damage: string | null = null): NonNullable<Evidence['row']> => ({ uid, revision, content, damage });
const durable = (revision: string, uid = 'u'): Known => ({ is: 'durable', uid, revision, gone: false });
const moving = (revision: string, gone = false): Known => ({ is: 'moving', uid: 'u', revision, gone });
const refused = (revision: string): Known => ({ is: 'waiting', uid: 'u', revision, gone: false });
const held: Known = { is: 'waiting', uid: 'u', revision: '40', gone: true };
const UNKNOWN: Known = { is: 'unknown' };

function verdict(parts: Partial<Evidence> & { readonly known?: Known }): string {
  const { known = UNKNOWN, ...rest } = parts;
  const base = {
    live: null,
    listed: LISTED,
    row: null,
    before: known,
    after: known,
    progress: '30',
    patience: 'left',
    revisions: 'equal',
    forms: 'one',
  } as const;
  return text(judge({ ...base, ...rest }));
}

function text(judgement: Judgement): string {
  return judgement.is === 'drift' ? `${judgement.cause}: ${judgement.mend}` : judgement.is;
}

describe('an object that cluster and mirror show alike, durable', () => {
  const known = durable('40');
  test.each<[string, Evidence['row'], string]>([
    ['the same row', row('40'), 'ok'],
    ['no row', null, 'missing: write'],
    ['a row of another object', row('40', 'other'), 'uid: write'],
    ['an older row', row('39'), 'revision: write'],
    ['a newer row', row('41'), 'revision: write'],
    ['other content', row('40', 'u', 'x'), 'body: write'],
    ['a damaged row', row('40', 'u', 'text', 'text'), 'body: write'],
  ])('%s', (_, found, expected) => {
    expect(verdict({ live: live('40'), known, row: found })).toBe(expected);
  });

  test('where a rule ignores changes, the row may be older with the same content, and never newer', () => {
    const parts = { live: live('40'), known, revisions: 'may lag' } as const;
    expect(verdict({ ...parts, row: row('39') })).toBe('ok');
    expect(verdict({ ...parts, row: row('39', 'u', 'x') })).toBe('body: write');
    expect(verdict({ ...parts, row: row('41') })).toBe('revision: write');
  });

  test('while rows are being written in another form their content says nothing, all else does', () => {
    const parts = { live: live('40'), known, forms: 'mixed' } as const;
    expect(verdict({ ...parts, row: row('40', 'u', 'x') })).toBe('later');
    expect(verdict({ ...parts, row: row('40', 'u', 'text', 'text') })).toBe('later');
    expect(verdict({ ...parts, row: null })).toBe('missing: write');
  });
});

describe('nothing is told while a key is in flight', () => {
  const rows = [null, row('40'), row('40', 'other'), row('60'), row('40', 'u', 'x')];
  const lives = [null, live('40'), live('45'), live('40', 'other')];
  test('as long as it moves, whatever is found', () => {
    for (const known of [moving('40'), moving('45'), moving('60'), moving('40', true)])
      for (const found of rows)
        for (const seen of lives) for (const patience of ['left', 'over'] as const) expect(verdict({ live: seen, known, row: found, patience })).toBe('later');
  });

  test('when it was another state before the row was read than after', () => {
    const states = [UNKNOWN, durable('40'), durable('41'), durable('40', 'other'), refused('40'), held];
    for (const before of states)
      for (const after of states)
        if (before !== after) for (const found of rows) expect(verdict({ live: live('40'), before, after, row: found })).toBe('later');
  });
});

describe('the mirror is ahead of the list', () => {
  test.each<[string, Evidence['row'], string]>([
    ['the row is what the mirror wrote', row('60'), 'ok'],
    ['and its content is not known', row('60', 'u', 'anything'), 'ok'],
    ['no row', null, 'missing: write'],
    ['still the listed one', row('40'), 'revision: write'],
    ['a newer one', row('61'), 'revision: write'],
    ['another object', row('60', 'other'), 'uid: write'],
    ['damaged', row('60', 'u', 'text', 'text'), 'body: write'],
  ])('%s', (_, found, expected) => {
    expect(verdict({ live: live('40'), known: durable('60'), row: found })).toBe(expected);
    expect(verdict({ live: null, known: durable('60'), row: found })).toBe(expected);
  });

  test('an older row is right where a rule ignores changes', () => {
    expect(verdict({ live: live('40'), known: durable('60'), row: row('40'), revisions: 'may lag' })).toBe('ok');
  });

  test('a state that the list should have shown is no state of this history, once there was time to see', () => {
    const parts = { live: live('40'), known: durable('45'), row: row('45') };
    expect(verdict(parts)).toBe('later');
    expect(verdict({ ...parts, patience: 'over' })).toBe('revision: relist');
  });
});

describe('the mirror is behind the list', () => {
  const cases: readonly [string, Partial<Evidence> & { readonly known: Known }, string, string][] = [
    ['a change', { live: live('45'), known: durable('40'), row: row('40') }, '45', 'revision: read'],
    ['a replacement', { live: live('45', 'new'), known: durable('40'), row: row('40') }, '45', 'uid: read'],
    ['a new object', { live: live('45'), known: UNKNOWN, row: null }, '45', 'missing: read'],
    ['an object of which only the row is right', { live: live('45'), known: UNKNOWN, row: row('45') }, '45', 'missing: read'],
    ['a deletion', { live: null, known: durable('40'), row: row('40') }, LISTED, 'surplus: read'],
    ['a deletion of which the row has gone', { live: null, known: durable('40'), row: null }, LISTED, 'surplus: read'],
    ['a change of a refused object', { live: live('45'), known: refused('40'), row: null }, '45', 'missing: read'],
  ];
  test.each(cases)('%s: it has time until the watch has passed it, or does not come', (_, parts, change, drift) => {
    const before = String(Number(change) - 1);
    expect(verdict({ ...parts, progress: null })).toBe('later');
    expect(verdict({ ...parts, progress: before })).toBe('later');
    expect(verdict({ ...parts, progress: change })).toBe(drift);
    expect(verdict({ ...parts, progress: before, patience: 'over' })).toBe(drift);
  });
});

test('an object that was listed and is not known any more may have been deleted since: only the cluster can tell', () => {
  for (const found of [null, row('45')])
    for (const patience of ['left', 'over'] as const) expect(verdict({ live: live('45'), row: found, progress: '51', patience })).toBe('ask');
  expect(verdict({ live: live('45'), row: null, progress: LISTED })).toBe('missing: read');
});

describe('what waits for a person is no drift', () => {
  test('a refused object, whatever its row is', () => {
    for (const found of [null, row('30'), row('40', 'other')]) {
      expect(verdict({ live: live('40'), known: refused('40'), row: found })).toBe('ok');
      expect(verdict({ live: live('40'), known: refused('60'), row: found })).toBe('ok');
    }
  });

  test('a held deletion; and when its object is there after all, it is read again', () => {
    expect(verdict({ live: null, known: held, row: row('40') })).toBe('ok');
    expect(verdict({ live: live('45'), known: held, row: row('40'), progress: '44' })).toBe('later');
    expect(verdict({ live: live('45'), known: held, row: row('40'), progress: '45' })).toBe('back');
    expect(verdict({ live: live('40'), known: held, row: row('40'), patience: 'over' })).toBe('back');
  });
});

test('a row that nobody knows an object of is surplus; one newer than the list has time', () => {
  expect(verdict({ row: null })).toBe('ok');
  expect(verdict({ row: row('40') })).toBe('surplus: delete');
  expect(verdict({ row: row('60') })).toBe('later');
  expect(verdict({ row: row('60'), patience: 'over' })).toBe('surplus: delete');
});

describe('what an entry says', () => {
  const position = new Positions().open('1', 0);
  const entry = (changes: Partial<Entry> = {}): Entry => Object.assign(new Entry('u', '40', 0), { settled: '40', storedUid: 'u' }, changes);
  test.each<[string, Entry | undefined, boolean, string]>([
    ['none', undefined, true, 'unknown'],
    ['none, but its key is queued', undefined, false, 'moving'],
    ['all written', entry(), true, 'durable'],
    ['in a worker’s hands', entry(), false, 'moving'],
    ['dirty', entry({ pending: position }), true, 'moving'],
    ['an older state is durable', entry({ settled: '39' }), true, 'moving'],
    ['nothing is durable', entry({ settled: null }), true, 'moving'],
    ['another object is stored', entry({ storedUid: 'other' }), true, 'moving'],
    ['to be written in another form', entry({ rewrite: true }), true, 'moving'],
    ['in doubt', entry({ regressed: true }), true, 'moving'],
    ['gone', entry({ gone: true }), true, 'moving'],
    ['refused', entry({ refused: true }), true, 'waiting'],
    ['held', entry({ gone: true, held: true, pending: position }), true, 'waiting'],
  ])('%s', (_, known, isIdle, expected) => {
    expect(knownOf(known, isIdle).is).toBe(expected);
  });
});
