import fc from 'fast-check';
import { expect, test } from 'vitest';
import { objectKey } from '../../src/model/key.ts';
import { Delays } from '../../src/queue/delays.ts';
import { NO_SLOT, Ticket } from '../../src/queue/ticket.ts';

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('put' as const), who: fc.nat(299), at: fc.nat(60).map((tick) => tick * 0.5) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), who: fc.nat(299) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('due' as const), at: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('put many' as const), from: fc.nat(200), at: fc.nat(30) }) },
);

test('DQ-S2 DQ-S3: the heap gives what a sorted array gives: one entry a key, the earliest deadline, ties in order of the calls', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150, size: 'max' }), (steps) => {
      const tickets = Array.from({ length: 300 }, (_, index) => new Ticket(objectKey('', `${index}`)));
      const heap = new Delays();
      let twin: { readonly ticket: Ticket; readonly at: number }[] = [];
      const put = (ticket: Ticket | undefined, at: number): void => {
        if (ticket === undefined) return;
        heap.put(ticket, at);
        const before = twin.find((one) => one.ticket === ticket);
        if (before !== undefined && before.at <= at) return;
        twin = twin.filter((one) => one.ticket !== ticket);
        const later = twin.findIndex((one) => one.at > at);
        twin.splice(later === -1 ? twin.length : later, 0, { ticket, at });
      };
      for (const one of steps) {
        if (one.do === 'put') put(tickets[one.who], one.at);
        if (one.do === 'put many') for (const ticket of tickets.slice(one.from, one.from + 90)) put(ticket, one.at);
        if (one.do === 'remove') {
          const ticket = tickets[one.who];
          if (ticket !== undefined && ticket.slot !== NO_SLOT) heap.remove(ticket);
          twin = twin.filter((other) => other.ticket !== ticket);
        }
        if (one.do === 'due') {
          const due = [];
          for (let ticket = heap.takeDue(one.at); ticket !== null; ticket = heap.takeDue(one.at)) due.push(ticket.key);
          expect(due).toEqual(twin.filter((other) => other.at <= one.at).map((other) => other.ticket.key));
          twin = twin.filter((other) => other.at > one.at);
        }
        expect(heap.size).toBe(twin.length);
        expect(heap.nextAt).toBe(twin[0]?.at ?? Number.POSITIVE_INFINITY);
      }
      expect(new Set(heap.takeAll())).toEqual(new Set(twin.map((one) => one.ticket)));
      expect([heap.size, heap.nextAt, tickets.every((ticket) => ticket.slot === NO_SLOT)]).toEqual([0, Number.POSITIVE_INFINITY, true]);
    }),
    { numRuns: 200 },
  );
});
