import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { History } from '../../src/hollow/history.ts';
import { decode, encode, sameContent, sizeOf, withStatus, write } from '../../src/hollow/objects.ts';
import type { Encoding, ObjectTree, Version } from '../../src/hollow/objects.ts';
import { SortedKeys } from '../../src/hollow/sorted-keys.ts';
import { KindStore } from '../../src/hollow/store.ts';

const BUILTIN: Encoding = { custom: false, fields: ['spec.nodeName', 'status.phase'] };
const CUSTOM: Encoding = { custom: true, fields: [] };
const BOUNDS = { count: 1_000, bytes: 1e9 };

function version(key: string, revision: number, text = ''): Version {
  const [namespace, name] = key.split('/');
  return encode({ metadata: { namespace: namespace ?? '', name: name ?? '' }, spec: { text } }, revision, BUILTIN);
}

function textOf(one: Version, revision = String(one.revision)): string {
  const out = Buffer.alloc(sizeOf(one, revision.length));
  expect(write(one, revision, out, 0)).toBe(out.length);
  return out.toString();
}

describe('encoded objects', () => {
  const pod: ObjectTree = {
    status: { phase: 'Running' },
    metadata: { labels: { a: 'b' }, uid: 'u', namespace: 'n', name: 'ü', managedFields: [{ manager: 'kubelet' }], creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { nodeName: 'n1' },
  };

  test('built-in kinds have the key order of a real server, without kind and apiVersion', () => {
    expect(textOf(encode(pod, 12, BUILTIN))).toBe(
      '"metadata":{"name":"ü","namespace":"n","uid":"u","resourceVersion":"12","creationTimestamp":"2026-01-01T00:00:00Z","labels":{"a":"b"},"managedFields":[{"manager":"kubelet"}]},"spec":{"nodeName":"n1"},"status":{"phase":"Running"}}',
    );
  });

  test('custom kinds have sorted keys, so that uid comes after resourceVersion and data before metadata', () => {
    const tree = { kind: 'Widget', apiVersion: 'x/v1', spec: { b: 1, a: [{ d: 1, c: 2 }] }, data: 1, metadata: { uid: 'u', name: 'w', labels: { z: '1' } } };
    expect(textOf(encode(tree, 5, CUSTOM))).toBe(
      '{"apiVersion":"x/v1","data":1,"kind":"Widget","metadata":{"labels":{"z":"1"},"name":"w","resourceVersion":"5","uid":"u"},"spec":{"a":[{"c":2,"d":1}],"b":1}}',
    );
  });

  test('another status shares all other bytes, moves the selectable fields and decodes to the whole object', () => {
    const before = encode(pod, 12, BUILTIN);
    const after = withStatus(before, { phase: 'Succeeded', note: 'é' }, 13, BUILTIN);
    expect(after?.bytes).toBe(before.bytes);
    expect(after?.fields).toEqual(['n1', 'Succeeded']);
    expect(decode(after as Version)).toEqual({ ...pod, metadata: { ...pod.metadata, resourceVersion: '13' }, status: { phase: 'Succeeded', note: 'é' } });
    expect(sameContent(before, after as Version)).toBe(false);
  });

  test('decode gives back any object that was encoded', () => {
    const tree = fc.record({
      metadata: fc.record({ name: fc.string({ minLength: 1 }), namespace: fc.constant('n'), annotations: fc.dictionary(fc.string(), fc.string()) }),
      spec: fc.jsonValue(),
      status: fc.dictionary(fc.string(), fc.jsonValue()),
    });
    fc.assert(
      fc.property(tree, fc.constantFrom(BUILTIN, CUSTOM), (made, encoding) => {
        const plain = JSON.parse(JSON.stringify({ apiVersion: 'v1', kind: 'K', ...made })) as ObjectTree;
        const expected = { ...plain, metadata: { ...plain.metadata, resourceVersion: '7' } } as ObjectTree;
        if (!encoding.custom) {
          delete expected.kind;
          delete expected.apiVersion;
        }
        expect(decode(encode(plain, 7, encoding))).toEqual(expected);
      }),
    );
  });
});

test('SortedKeys agrees with a sorted array through any inserts and deletes', () => {
  const step = fc.record({ key: fc.integer({ min: 0, max: 4_000 }).map((n) => `k${n}`), add: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 3_000, size: 'max' }), fc.constantFrom('', 'k1', 'k2999', 'z'), (steps, start) => {
      const keys = new SortedKeys();
      const twin = new Set<string>();
      for (const { key, add } of steps) {
        if (add && !twin.has(key)) keys.insert(key);
        if (!add) keys.delete(key);
        if (add) twin.add(key);
        else twin.delete(key);
      }
      const sorted = [...twin].sort();
      expect([...keys.from('')]).toEqual(sorted);
      expect([...keys.from(start)]).toEqual(sorted.filter((key) => key >= start));
      expect(keys.rank(start)).toBe(sorted.filter((key) => key < start).length);
      expect(keys.size).toBe(sorted.length);
    }),
    { numRuns: 30 },
  );
});

describe('history', () => {
  const change = (revision: number) => ({ type: 'ADDED' as const, revision, version: version('a/b', revision), previous: null });

  test('WC-T2: capacity 5, revisions 3 to 10: older than the evicted is gone, the rest is there', () => {
    const history = new History({ count: 5, bytes: 1e9 }, 2);
    for (let revision = 3; revision <= 10; revision += 1) history.append(change(revision), 1);
    expect(history.after(1)).toBeNull();
    expect(history.after(4)).toBeNull();
    expect(history.floor).toBe(5);
    const from = history.after(5) ?? -1;
    expect(Array.from({ length: history.next - from }, (_, index) => history.at(from + index).revision)).toEqual([6, 7, 8, 9, 10]);
    expect(history.after(10)).toBe(history.next);
    expect(() => history.at(history.first - 1)).toThrow(RangeError);
  });

  test('WC-S4: clearing does not let places go back, and a reader at the end has missed nothing', () => {
    const history = new History({ count: 5, bytes: 1e9 }, 0);
    history.append(change(1), 1);
    history.append(change(2), 1);
    const atEnd = history.next;
    history.clear(9);
    expect(history.first).toBe(atEnd);
    expect(history.floor).toBe(9);
    expect(history.after(8)).toBeNull();
    history.append(change(10), 1);
    expect(history.at(atEnd).revision).toBe(10);
  });

  test('the byte bound evicts, but never the newest change', () => {
    const history = new History({ count: 100, bytes: 10 }, 0);
    history.append(change(1), 4);
    history.append(change(2), 4);
    history.append(change(3), 4);
    expect(history.floor).toBe(1);
    history.append(change(4), 1_000);
    expect(history.next - history.first).toBe(1);
    expect(history.at(history.first).revision).toBe(4);
  });

  test('a count below 1 is refused', () => {
    expect(() => new History({ count: 0, bytes: 1 }, 0)).toThrow(/must be an integer >= 1, current value is 0/);
  });
});

describe('store', () => {
  test('keys are ordered by the bytes of namespace/name: sem-a/z before sem/a', () => {
    const store = new KindStore(BOUNDS, 0);
    for (const [index, key] of ['sem/a', 'sem-a/z', 'b/a'].entries()) store.put(version(key, index + 1));
    expect([...store.keys()]).toEqual(['b/a', 'sem-a/z', 'sem/a']);
    expect(store.page({ namespace: 'sem', after: '', at: null, filter: null, limit: null }).versions.map(({ key }) => key)).toEqual(['sem/a']);
  });

  test('pages at any reachable revision, with any limit, add up to the state of that moment, with true remaining counts', () => {
    const step = fc.record({ key: fc.constantFrom('a/1', 'a/2', 'a-b/1', 'b/1', 'b/2', 'c/9'), put: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 30 }),
        fc.nat(),
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom('', 'a', 'b', 'zz'),
        (steps, pick, limit, namespace) => {
          const store = new KindStore(BOUNDS, 0);
          const twins: ReadonlyMap<string, number>[] = [new Map()];
          steps.forEach(({ key, put }, index) => {
            const twin = new Map(twins.at(-1));
            if (put) {
              store.put(version(key, index + 1));
              twin.set(key, index + 1);
            } else {
              store.remove(key, index + 1);
              twin.delete(key);
            }
            twins.push(twin);
          });
          const at = pick % twins.length;
          const expected = [...(twins[at] as Map<string, number>)]
            .filter(([key]) => namespace === '' || key.startsWith(`${namespace}/`))
            .sort(([a], [b]) => (a < b ? -1 : 1));
          const seen: [string, number][] = [];
          for (let after = ''; ; ) {
            const page = store.page({ namespace, after, at, filter: null, limit });
            seen.push(...page.versions.map((one): [string, number] => [one.key, one.revision]));
            if (!page.hasMore) break;
            expect(page.remaining).toBe(expected.length - seen.length);
            after = page.versions.at(-1)?.key ?? '';
          }
          expect(seen).toEqual(expected);
        },
      ),
    );
  });

  test('SV-S1: with a filter the page is filled behind it and nothing is said about what remains', () => {
    const store = new KindStore(BOUNDS, 0);
    for (let n = 1; n <= 9; n += 1) store.put(version(`a/${n}`, n));
    const filter = ({ revision }: Version): boolean => revision >= 8;
    expect(store.page({ namespace: '', after: '', at: null, filter, limit: 1 })).toMatchObject({ hasMore: true, remaining: null });
    expect(store.page({ namespace: '', after: 'a/8', at: null, filter, limit: 1 })).toMatchObject({ hasMore: false });
  });
});
