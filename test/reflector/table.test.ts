import { describe, expect, test } from 'vitest';
import { step, TABLE } from '../../src/reflector/machine.ts';
import { DEFAULT_OPTIONS } from '../../src/reflector/options.ts';
import type { Effect, Input, State } from '../../src/reflector/state.ts';
import { answer, MachineDriver, opened, page, room, start, watchingFrom } from './machine-driver.ts';

type Cell = Exclude<State['at'], 'idle'> | 'idle' | 'same' | 'either';

/**
 * Where each input leads from each state: `same` changes nothing, `either` depends on what the state holds and is told by the
 * stories of the other files. The type has no optional member, so a new state or input does not compile before it is thought about.
 */
const EXPECTED: { readonly [S in State['at']]: { readonly [I in Input['type']]: Cell } } = {
  idle: {
    start: 'either',
    room: 'same',
    opened: 'same',
    pageDone: 'same',
    heard: 'same',
    initialEnd: 'same',
    errorEvent: 'same',
    deleteLost: 'same',
    failed: 'same',
    ended: 'same',
    wake: 'same',
    reached: 'same',
    resync: 'idle',
    stop: 'stopped',
  },
  listing: {
    start: 'same',
    room: 'listing',
    opened: 'listing',
    pageDone: 'either',
    heard: 'listing',
    initialEnd: 'same',
    errorEvent: 'same',
    deleteLost: 'same',
    failed: 'either',
    ended: 'same',
    wake: 'either',
    reached: 'same',
    resync: 'either',
    stop: 'stopped',
  },
  streaming: {
    start: 'same',
    room: 'same',
    opened: 'streaming',
    pageDone: 'same',
    heard: 'streaming',
    initialEnd: 'either',
    errorEvent: 'either',
    deleteLost: 'waiting',
    failed: 'either',
    ended: 'waiting',
    wake: 'either',
    reached: 'same',
    resync: 'either',
    stop: 'stopped',
  },
  watching: {
    start: 'same',
    room: 'same',
    opened: 'watching',
    pageDone: 'same',
    heard: 'watching',
    initialEnd: 'watching',
    errorEvent: 'waiting',
    deleteLost: 'waiting',
    failed: 'waiting',
    ended: 'waiting',
    wake: 'either',
    reached: 'same',
    resync: 'either',
    stop: 'stopped',
  },
  waiting: {
    start: 'same',
    room: 'same',
    opened: 'same',
    pageDone: 'same',
    heard: 'same',
    initialEnd: 'same',
    errorEvent: 'same',
    deleteLost: 'same',
    failed: 'same',
    ended: 'same',
    wake: 'either',
    reached: 'either',
    resync: 'waiting',
    stop: 'stopped',
  },
  stopped: {
    start: 'same',
    room: 'same',
    opened: 'same',
    pageDone: 'same',
    heard: 'same',
    initialEnd: 'same',
    errorEvent: 'same',
    deleteLost: 'same',
    failed: 'same',
    ended: 'same',
    wake: 'same',
    reached: 'same',
    resync: 'same',
    stop: 'same',
  },
};

const SAMPLES: readonly State[] = [
  new MachineDriver().state,
  new MachineDriver().give(start()).state,
  new MachineDriver().give(start(), room).state,
  new MachineDriver().give(start(), room, opened).state,
  new MachineDriver().give(start(), room, opened, page('10', 'c')).state,
  new MachineDriver().give(start(), room, opened, page('10', 'c'), room).state,
  new MachineDriver().give(start(), room, opened, page('10', 'c'), room, { type: 'failed', failure: answer(429) }).state,
  new MachineDriver().give(start(), room, { type: 'failed', failure: answer(403) }).state,
  new MachineDriver({ firstList: 'streaming' }).give(start()).state,
  new MachineDriver({ firstList: 'streaming' }).give(start(), opened).state,
  new MachineDriver().give(start('10')).state,
  watchingFrom('10').state,
  watchingFrom('10').give({ type: 'failed', failure: answer(500) }).state,
  watchingFrom('10').give({ type: 'failed', failure: { kind: 'network', code: 'ECONNREFUSED', message: '' } }).state,
  new MachineDriver().give(start(), { type: 'stop' }).state,
];

const INPUTS: readonly Input[] = [
  start(),
  start('7'),
  room,
  opened,
  page('10'),
  page('10', 'next'),
  page('', null),
  { type: 'heard', revision: '11', events: 1, bookmark: true },
  { type: 'heard', revision: null, events: 0, bookmark: false },
  { type: 'initialEnd', revision: '12' },
  { type: 'initialEnd', revision: '' },
  { type: 'errorEvent', failure: answer(410) },
  { type: 'errorEvent', failure: answer(429) },
  { type: 'errorEvent', failure: answer(500) },
  { type: 'deleteLost' },
  { type: 'failed', failure: answer(410) },
  { type: 'failed', failure: answer(422) },
  { type: 'failed', failure: { kind: 'network', code: 'ECONNREFUSED', message: '' } },
  { type: 'ended' },
  { type: 'wake' },
  { type: 'reached' },
  { type: 'resync', reason: 'rules' },
  { type: 'resync', reason: 'regressed' },
  { type: 'resync', reason: 'audit' },
  { type: 'stop' },
];

describe('the transition table', () => {
  test('every state is sampled, every input is given, and no cell is missing', () => {
    expect(new Set(SAMPLES.map((state) => state.at))).toEqual(new Set(Object.keys(TABLE)));
    for (const row of Object.values(TABLE)) expect(Object.keys(row).sort()).toEqual([...new Set(INPUTS.map((input) => input.type))].sort());
  });

  for (const [number, state] of SAMPLES.entries()) {
    test(`sample ${number}, ${state.at}: each input leads where the table says, also late`, () => {
      for (const now of [0, 1_000_000, 9_000_000]) {
        for (const input of INPUTS) {
          const before = structuredClone(state);
          const [next, effects] = step(state, input, { now, random: 0.5, options: DEFAULT_OPTIONS });
          expect(state, 'the old state is not written to').toEqual(before);
          const expected = EXPECTED[state.at][input.type];
          if (expected === 'same') {
            expect(next, `${input.type} changes nothing`).toBe(state);
            expect(effects).toEqual([]);
          } else if (expected !== 'either') expect(next.at, input.type).toBe(expected);
          expectSound(state, next, effects);
        }
      }
    });
  }

  test('from every state, stop is the end, closes the request and a half list, and nothing is done afterwards', () => {
    for (const state of SAMPLES) {
      const machine = new MachineDriver({}, state).give({ type: 'stop' });
      expect(machine.state).toEqual({ at: 'stopped' });
      for (const input of INPUTS) expect(machine.give(input).effects).toEqual([]);
    }
  });
});

/** What holds for every step, whatever the input. */
function expectSound(from: State, to: State, effects: readonly Effect[]): void {
  const done = effects.map((effect) => effect.do);
  const requests = done.filter((name) => name === 'page' || name === 'watch' || name === 'awaitRoom');
  expect(requests.length, 'at most one request a step').toBeLessThanOrEqual(1);
  if (done.includes('close') && requests.length > 0) expect(done.indexOf('close')).toBeLessThan(done.indexOf(requests[0] ?? 'page'));
  let isOpen = isListOpen(from);
  for (const name of done) {
    if (name === 'listBegin') {
      expect(isOpen, 'no list inside a list').toBe(false);
      isOpen = true;
    }
    if (name === 'listEnd' || name === 'listAbort') {
      expect(isOpen, `${name} only of an open list`).toBe(true);
      isOpen = false;
    }
    if (name === 'progress') expect(isOpen, 'no progress inside a list').toBe(false);
  }
  expect(isListOpen(to), 'the state knows whether the list is open').toBe(isOpen);
  if (to.at !== from.at && to.at !== 'stopped' && to.at !== 'idle' && !(to.at === 'listing' && to.phase === 'room'))
    expect(done, `a timer guards ${to.at}`).toContain('wakeAt');
}

function isListOpen(state: State): boolean {
  if (state.at === 'listing' || state.at === 'streaming') return state.open;
  return state.at === 'waiting' && state.next.go === 'page' && state.next.listing.open;
}
