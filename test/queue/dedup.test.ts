import { runInNewContext } from 'node:vm';
import { setFlagsFromString } from 'node:v8';
import { describe, expect, test } from 'vitest';
import { systemRandom } from '../../src/kit/random.ts';
import { objectKey } from '../../src/model/key.ts';
import { Chain } from '../../src/queue/chain.ts';
import { Dedup } from '../../src/queue/dedup.ts';
import { ReadyOrder } from '../../src/queue/priority.ts';
import { Ticket } from '../../src/queue/ticket.ts';
import { createWorkQueue } from '../../src/queue/work-queue.ts';
import { ManualClock } from '../support/manual-clock.ts';

const a = objectKey('', 'a');

/** The table of SPEC.md: every state with every call that is allowed in it, on the queue itself. */
describe('WQ-S2: the transition table', () => {
  type State = 'idle' | 'queued' | 'held' | 'held + dirty' | 'waiting' | 'held + waiting';
  type Call = 'add' | 'addAfter' | 'take' | 'done' | 'deadline';

  const table: Record<State, Record<Call, State | 'throws'>> = {
    idle: { add: 'queued', addAfter: 'waiting', take: 'idle', done: 'throws', deadline: 'idle' },
    queued: { add: 'queued', addAfter: 'queued', take: 'held', done: 'throws', deadline: 'queued' },
    held: { add: 'held + dirty', addAfter: 'held + waiting', take: 'held', done: 'idle', deadline: 'held' },
    'held + dirty': { add: 'held + dirty', addAfter: 'held + dirty', take: 'held + dirty', done: 'queued', deadline: 'held + dirty' },
    waiting: { add: 'queued', addAfter: 'waiting', take: 'waiting', done: 'throws', deadline: 'queued' },
    'held + waiting': { add: 'held + dirty', addAfter: 'held + waiting', take: 'held + waiting', done: 'waiting', deadline: 'held + dirty' },
  };
  const roads: Record<State, readonly Call[]> = {
    idle: [],
    queued: ['add'],
    held: ['add', 'take'],
    'held + dirty': ['add', 'take', 'add'],
    waiting: ['addAfter'],
    'held + waiting': ['add', 'take', 'addAfter'],
  };

  for (const [state, row] of Object.entries(table) as [State, Record<Call, State | 'throws'>][]) {
    for (const [call, expected] of Object.entries(row) as [Call, State | 'throws'][]) {
      test(`${state}, ${call}: ${expected}`, async () => {
        const clock = new ManualClock();
        const queue = createWorkQueue({ name: 'pods', clock, random: systemRandom });
        const apply = async (one: Call): Promise<void> => {
          if (one === 'add') queue.add(a);
          if (one === 'addAfter') queue.addAfter(a, 10);
          if (one === 'take' && queue.length > 0) await queue.take(1);
          if (one === 'done') queue.done(a);
          if (one === 'deadline') clock.advance(10);
        };
        const now = (): string => {
          const marks = [
            queue.held > 0 ? 'held' : '',
            queue.length > 0 ? 'queued' : '',
            queue.snapshot().depth > queue.length ? 'dirty' : '',
            queue.waiting > 0 ? 'waiting' : '',
          ];
          return marks.filter((mark) => mark !== '').join(' + ') || 'idle';
        };
        for (const one of roads[state]) await apply(one);
        expect(now()).toBe(state);
        if (expected === 'throws') await expect(apply(call)).rejects.toThrow(/nobody holds it/);
        else await apply(call);
        expect(now()).toBe(expected === 'throws' ? state : expected);
      });
    }
  }
});

test('a chain keeps the order of its members through removals anywhere', () => {
  const chain = new Chain<Ticket>();
  const tickets = Array.from({ length: 5 }, (_, index) => new Ticket(objectKey('', `${index}`)));
  for (const ticket of tickets) chain.push(ticket);
  for (const index of [2, 0, 4]) {
    const ticket = tickets[index];
    if (ticket !== undefined) chain.remove(ticket);
  }
  const rest = [chain.shift()?.key, chain.shift()?.key, chain.shift()?.key];
  expect(rest).toEqual(['1', '3', undefined]);
  expect(tickets.every((ticket) => ticket.next === null && ticket.prev === null)).toBe(true);
});

test('WQ-S6 WQ-T11: nothing of a finished key is kept while the queue lives', () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const dedup = new Dedup();
  const ready = new ReadyOrder();
  const process = (names: readonly string[]): WeakRef<Ticket>[] =>
    names.map((name) => {
      const ticket = dedup.ticketOf(objectKey('ns', name));
      if (dedup.mark(ticket)) ready.push(ticket);
      return new WeakRef(ticket);
    });
  const refs = process(['1', '2', '3']);
  const stays = dedup.ticketOf(objectKey('ns', 'stays'));
  if (dedup.mark(stays)) ready.push(stays);
  for (let index = 0; index < 3; index++) {
    const ticket = ready.shift();
    if (ticket === null) throw new Error('a queued key was not given');
    dedup.hold(ticket);
    expect(dedup.release(ticket)).toBe(false);
    dedup.drop(ticket);
  }
  return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
    gc();
    expect(refs.map((ref) => ref.deref())).toEqual([undefined, undefined, undefined]);
    expect([dedup.size, dedup.dirty, dedup.busy, ready.size]).toEqual([1, 1, 0, 1]);
  });
});

test('WQ-S6: a hundred thousand keys of as many namespaces, retried and done, leave no memory behind', async () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const clock = new ManualClock();
  const queue = createWorkQueue({ name: 'pods', clock, random: systemRandom });
  const round = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index++) queue.add(objectKey(`namespace-${index}`, `${index}`));
    for (let turn = 0; turn < 2; turn++) {
      while (queue.length > 0) {
        for (const key of await queue.take(1000)) {
          if (turn === 0) queue.addRateLimited(key);
          else queue.forget(key);
          queue.done(key);
        }
      }
      clock.advance(100);
    }
  };
  await round(1000);
  gc();
  const before = process.memoryUsage().heapUsed;
  await round(100_000);
  expect([queue.length, queue.held, queue.waiting]).toEqual([0, 0, 0]);
  gc();
  // Keys, tickets, lines and failures of one round come to more than 40 MB.
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(4_000_000);
});
