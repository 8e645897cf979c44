import fc from 'fast-check';
import { expect, test } from 'vitest';
import { objectKey } from '../../src/model/key.ts';
import { Lines, type NamespaceLine } from '../../src/queue/lines.ts';
import { Ticket } from '../../src/queue/ticket.ts';

/** Cluster-scoped keys, names that begin alike, and so many that some share a slot. */
const namespace = fc.oneof(
  fc.constantFrom('', 'a', 'ab', 'a-b'),
  fc.nat(400).map((number) => `namespace-${number}`),
);
const step = fc.oneof(
  { weight: 20, arbitrary: fc.record({ do: fc.constant('find' as const), namespace }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constant('push' as const), namespace }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('shift' as const), namespace }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('prune' as const) }) },
);

test('PQ-S11: all keys of a namespace find one line, and no other key does, whatever lines come and are forgotten', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 100, maxLength: 600, size: 'max' }), (steps) => {
      const lines = new Lines();
      const twin = new Map<string, NamespaceLine>();
      const used = new Set<NamespaceLine>();
      for (const [index, one] of steps.entries()) {
        if (one.do === 'prune') {
          lines.prune();
          for (const [name, line] of twin) {
            if (line.keys.first === null) twin.delete(name);
          }
        } else {
          const key = objectKey(one.namespace, `${index}`);
          const line = lines.of(key);
          if (!twin.has(one.namespace) && used.has(line)) throw new Error(`${key} found the line of another namespace, or one that was forgotten`);
          expect(line).toBe(twin.get(one.namespace) ?? line);
          twin.set(one.namespace, line);
          used.add(line);
          if (one.do === 'push') line.keys.push(new Ticket(key));
          if (one.do === 'shift') line.keys.shift();
        }
        expect(lines.size).toBe(twin.size);
      }
    }),
    { numRuns: 40 },
  );
});
