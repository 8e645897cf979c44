import fc from 'fast-check';
import { expect, test } from 'vitest';
import { namespaceOf, objectKey } from '../../src/model/key.ts';
import { LOWEST_EVERY, ReadyOrder } from '../../src/queue/priority.ts';
import { Ticket } from '../../src/queue/ticket.ts';

function ticketOf(namespace: string, name: string, priority: number): Ticket {
  const ticket = new Ticket(objectKey(namespace, name));
  ticket.priority = priority;
  return ticket;
}

const arrival = fc.record({ namespace: fc.constantFrom('', 'a', 'b', 'c', 'd'), priority: fc.constantFrom(-100, 0, 0, 0, 5, 9), takes: fc.nat(3) });

test('PQ-S1 PQ-S11: first in first out inside a namespace and priority, and nothing is lost, whatever comes and goes', () => {
  fc.assert(
    fc.property(fc.array(arrival, { maxLength: 300, size: 'max' }), (arrivals) => {
      const order = new ReadyOrder();
      const out: Ticket[] = [];
      const pull = (): void => {
        const ticket = order.shift();
        if (ticket !== null) out.push(ticket);
      };
      const all = arrivals.map(({ namespace, priority, takes }, index) => {
        const ticket = ticketOf(namespace, `${index}`, priority);
        order.push(ticket);
        for (let take = 0; take < takes; take++) pull();
        return ticket;
      });
      while (order.size > 0) pull();
      const grouped = (tickets: readonly Ticket[]): unknown => Object.groupBy(tickets, (ticket) => `${ticket.priority} ${namespaceOf(ticket.key)}`);
      expect(grouped(out)).toEqual(grouped(all));
      expect(order.shift()).toBeNull();
      expect(order.sizes()).toEqual([]);
    }),
  );
});

test('PQ-S11: while higher levels always have keys, one of any 8 takes comes from the lowest, and every level in between is served within 8 takes a level', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: -200, max: 200 }), { minLength: 2, maxLength: 7 }),
      fc.array(fc.nat(7), { minLength: 300, maxLength: 400, size: 'max' }),
      (priorities, churn) => {
        const order = new ReadyOrder();
        const levels = priorities.toSorted((x, y) => x - y);
        let made = 0;
        const feed = (priority: number): void => order.push(ticketOf(`ns-${made % 3}`, `${made++}`, priority));
        for (const priority of levels) feed(priority);
        const waited = new Map(levels.map((priority) => [priority, 0]));
        for (const extra of churn) {
          const priority = levels[extra % levels.length];
          if (priority !== undefined) feed(priority);
          const served = order.shift();
          if (served === null) throw new Error('there are keys, but none was given');
          feed(served.priority);
          for (const [level, takes] of waited) waited.set(level, level === served.priority ? 0 : takes + 1);
          expect(waited.get(levels[0] ?? 0)).toBeLessThan(LOWEST_EVERY);
          for (const level of levels.slice(1, -1)) expect(waited.get(level)).toBeLessThan(LOWEST_EVERY * (levels.length - 2));
          expect(waited.get(levels.at(-1) ?? 0)).toBeLessThanOrEqual(1);
        }
      },
    ),
  );
});

test('PQ-S11: the lowest level keeps its share when its keys come one by one under endless live load', () => {
  const order = new ReadyOrder();
  for (let index = 0; index < 10_000; index++) order.push(ticketOf('live', `${index}`, 0));
  for (let index = 0; index < 1000; index++) {
    order.push(ticketOf('low', `${index}`, -100));
    let takes = 0;
    for (let isServed = false; !isServed; takes++) isServed = order.shift()?.priority === -100;
    expect(takes).toBeLessThanOrEqual(LOWEST_EVERY);
  }
});

test('PQ-S11: live load keeps seven of eight takes against one lower level', () => {
  const order = new ReadyOrder();
  for (let index = 0; index < 800; index++) for (const priority of [0, -100]) order.push(ticketOf('', `${priority} ${index}`, priority));
  const first = Array.from({ length: 800 }, () => order.shift()?.priority);
  expect(first.filter((priority) => priority === 0)).toHaveLength(700);
});

test('PQ-S11: a namespace with 100,000 keys delays the single keys of others by no more takes than there are namespaces', () => {
  const order = new ReadyOrder();
  for (let index = 0; index < 100_000; index++) order.push(ticketOf('greedy', `${index}`, 0));
  for (let other = 0; other < 50; other++) order.push(ticketOf(`modest-${other}`, 'only', 0));
  const first = Array.from({ length: 51 }, () => namespaceOf(order.shift()?.key ?? objectKey('', '')));
  expect(new Set(first).size).toBe(51);
});

test('PQ-S11: inside a level the first key of a namespace waits for at most one take of each other namespace', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ namespace: fc.nat(6), takes: fc.nat(2), isBurst: fc.boolean() }), { maxLength: 200, size: 'max' }), (arrivals) => {
      const order = new ReadyOrder();
      const queued = new Map<string, number>();
      /** Namespace to what was served since its first key stands first. */
      const passed = new Map<string, string[]>();
      let made = 0;
      const push = (namespace: string): void => {
        order.push(ticketOf(namespace, `${made++}`, 0));
        queued.set(namespace, (queued.get(namespace) ?? 0) + 1);
        if (queued.get(namespace) === 1) passed.set(namespace, []);
      };
      const take = (): void => {
        const ticket = order.shift();
        if (ticket === null) return;
        const served = namespaceOf(ticket.key);
        const left = (queued.get(served) ?? 0) - 1;
        queued.set(served, left);
        passed.delete(served);
        for (const list of passed.values()) {
          if (list.includes(served)) throw new Error(`${served} was served twice while another namespace waited`);
          list.push(served);
        }
        if (left > 0) passed.set(served, []);
      };
      for (const { namespace, takes, isBurst } of arrivals) {
        for (let index = 0; index < (isBurst ? 20 : 1); index++) push(`ns-${namespace}`);
        for (let index = 0; index < takes; index++) take();
      }
      while (order.size > 0) take();
      expect(passed.size).toBe(0);
    }),
  );
});

test('PQ-S3: raising takes a key out of the middle of its line without disturbing the rest', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3), { minLength: 1, maxLength: 60, size: 'max' }), fc.array(fc.nat(59), { maxLength: 20 }), (namespaces, raised) => {
      const order = new ReadyOrder();
      const tickets = namespaces.map((namespace, index) => ticketOf(`ns-${namespace}`, `${index}`, 0));
      for (const ticket of tickets) order.push(ticket);
      const up: Ticket[] = [];
      for (const index of raised) {
        const ticket = tickets[index];
        if (ticket === undefined || up.includes(ticket)) continue;
        order.remove(ticket);
        up.push(ticket);
        ticket.priority = 1;
        order.push(ticket);
      }
      expect(order.size).toBe(tickets.length);
      const out: Ticket[] = [];
      for (let ticket = order.shift(); ticket !== null; ticket = order.shift()) out.push(ticket);
      const line = (list: readonly Ticket[], priority: number, namespace: number): readonly string[] =>
        list.filter((one) => one.priority === priority && namespaceOf(one.key) === `ns-${namespace}`).map((one) => one.key);
      for (let namespace = 0; namespace < 4; namespace++) {
        expect(line(out, 1, namespace)).toEqual(line(up, 1, namespace));
        expect(line(out, 0, namespace)).toEqual(line(tickets, 0, namespace));
      }
    }),
  );
});

test('a hundred thousand namespaces and priorities that come and go do not disturb the order of those that stay', () => {
  const order = new ReadyOrder();
  for (let index = 0; index < 100_000; index++) {
    order.push(ticketOf(`ns-${index}`, 'x', index));
    expect(order.shift()?.priority).toBe(index);
  }
  for (const priority of [3, 99_999, -7]) order.push(ticketOf('', `${priority}`, priority));
  expect(order.sizes().map(([priority]) => priority)).toEqual([99_999, 3, -7]);
});
