import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Condition, isSame, matches } from '../../src/bcsstorage/condition.ts';
import { parseLabelSelector } from '../../src/bcsstorage/label-selector.ts';
import { parsePath, project, valuesAt } from '../../src/bcsstorage/paths.ts';
import { parseListQuery } from '../../src/bcsstorage/query.ts';
import { parseExactly } from '../../src/transform/exact-json.ts';

const documentWith = (labels: Record<string, string>) => ({ data: { metadata: { labels } } });
const holds = (selector: string, labels: Record<string, string>): boolean =>
  parseLabelSelector(selector).every((condition) => matches(documentWith(labels), condition));

describe('label selectors', () => {
  test.each<[string, boolean]>([
    ['app=web', true],
    ['app==web', true],
    ['app=db', false],
    ['app', true],
    ['nope', false],
    ['!nope', true],
    ['!app', false],
    ['app+in+(web,db)', true],
    ['app in (web,db)', true],
    ['app in ( db , web )', true],
    ['app+in+(db)', false],
    ['app+notin+(db)', true],
    ['app+notin+(web)', false],
    ['nope+notin+(web)', true],
    ['app+=+web', true],
    ['app+!=+web', false],
    ['app!=db', true],
    ['nope+!=+x', true],
    ['x.io/a.b=1', true],
    ['x.io/a.b+in+(1),app', true],
    ['app=web,tier', false],
    ['empty=', true],
    ['', true],
    [',', true],
    ['app=web,', true],
  ])('%s', (selector, expected) => {
    expect(holds(selector, { app: 'web', 'x.io/a.b': '1', empty: '' })).toBe(expected);
  });

  test.each([
    '=web',
    'app=(web',
    'app in',
    'app in web',
    'app in ()',
    'app in (web',
    'app web',
    'app in (a)b',
    'app=a=b',
    '!',
    '!app=web',
    'app)(',
    'in (a)(b)',
  ])('%s is refused: never half of it is answered', (selector) => {
    expect(() => parseLabelSelector(selector)).toThrow(/labelSelector/);
  });

  test('agree with a dumb twin on every selector and every set of labels', () => {
    const key = fc.constantFrom('app', 'tier', 'a.b', 'x.io/app', 'x.io/a.b.c');
    const value: fc.Arbitrary<string> = fc.constantFrom('web', 'db', '1.2', 'in');
    const term = fc.oneof(
      fc
        .tuple(key, fc.constantFrom('=', '+=+', ' == '), value)
        .map(([k, sign, v]) => ({ text: `${k}${sign}${v}`, twin: (have: string | undefined) => have === v, k })),
      fc
        .tuple(key, fc.constantFrom('+!=+', '!='), value)
        .map(([k, sign, v]) => ({ text: `${k}${sign}${v}`, twin: (have: string | undefined) => have !== v, k })),
      key.map((k) => ({ text: k, twin: (have: string | undefined) => have !== undefined, k })),
      fc
        .tuple(key, fc.array(value, { minLength: 1, maxLength: 3 }), fc.constantFrom('+', ' '))
        .map(([k, values, by]) => ({ text: `${k}${by}in${by}(${values.join(',')})`, twin: (have: string | undefined) => values.includes(have ?? '?'), k })),
      fc
        .tuple(key, fc.array(value, { minLength: 1, maxLength: 3 }))
        .map(([k, values]) => ({ text: `${k}+notin+(${values.join(',')})`, twin: (have: string | undefined) => !values.includes(have ?? '?'), k })),
    );
    fc.assert(
      fc.property(fc.array(term, { maxLength: 4 }), fc.dictionary(key, value), (terms, labels) => {
        expect(holds(terms.map(({ text }) => text).join(','), labels)).toBe(
          terms.every(({ twin, k }) => twin(Object.hasOwn(labels, k) ? labels[k] : undefined)),
        );
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('dotted paths', () => {
  test('a dot is a step or a part of a key, whichever the document has, and both when it has both', () => {
    const document = { a: { 'b.c': { d: 1 }, b: { 'c.d': 2, c: { d: 3 } } }, 'a.b': { c: { d: 4 } } };
    expect([...valuesAt(document, parsePath('a.b.c.d'))].sort()).toEqual([1, 2, 3, 4]);
    expect(valuesAt(document, parsePath('a.b.x'))).toEqual([]);
    expect(valuesAt({ toString: undefined }, parsePath('constructor'))).toEqual([]);
  });

  test('a step into an array is an index, or taken in each element', () => {
    const document = { list: [{ name: 'x', tags: ['p', 'q'] }, { name: 'y' }, 3] };
    expect(valuesAt(document, parsePath('list.name'))).toEqual(['x', 'y']);
    expect(valuesAt(document, parsePath('list.1.name'))).toEqual(['y']);
    expect(valuesAt(document, parsePath('list.0.tags.1'))).toEqual(['q']);
    expect(matches(document, { op: 'in', path: parsePath('list.tags'), values: ['q'] })).toBe(true);
  });

  test('every value of a document is found by the path of its keys, and a projection to it keeps it and nothing beside it', () => {
    const key = fc.constantFrom('a', 'b', 'a.b', 'c.d/e', 'x', '__proto__');
    const tree = fc.letrec<{ node: unknown }>((tie) => ({
      node: fc.oneof({ depthSize: 'small' }, fc.integer(), fc.string(), fc.dictionary(key, tie('node'), { maxKeys: 3 })),
    })).node;
    fc.assert(
      fc.property(fc.dictionary(key, tree, { minKeys: 1, maxKeys: 4 }), (document) => {
        for (const [path, value] of leavesOf(document, [])) {
          const dotted = parsePath(path.join('.'));
          expect(valuesAt(document, dotted).some((found) => isSame(found, value))).toBe(true);
          const cut = project(document, [dotted]);
          expect(valuesAt(cut, dotted)).toEqual(valuesAt(document, dotted));
          expect(project(cut, [dotted])).toEqual(cut);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('a projection to several paths is the union of the projections to each', () => {
    const document = { _id: 'i', a: { 'b.c': 1, b: { c: 2, d: 3 }, e: [{ f: 1, g: 2 }, 7] }, h: 4 };
    expect(project(document, ['a.b.c', 'a.b.d', 'a.e.f'].map(parsePath))).toEqual({ _id: 'i', a: { 'b.c': 1, b: { c: 2, d: 3 }, e: [{ f: 1 }] } });
    expect(project(document, ['a.b', 'a.b.c'].map(parsePath))).toEqual({ _id: 'i', a: { 'b.c': 1, b: { c: 2, d: 3 } } });
    expect(project(document, ['a.b.x', 'nothing'].map(parsePath))).toEqual({ _id: 'i', a: { b: {} } });
  });

  function leavesOf(value: unknown, path: readonly string[]): readonly (readonly [readonly string[], unknown])[] {
    if (typeof value !== 'object' || value === null) return [[path, value]];
    return Object.entries(value).flatMap(([key, child]) => leavesOf(child, [...path, key]));
  }
});

describe('conditions', () => {
  const path = parsePath('a.n');
  const cases: readonly [string, Condition, unknown, boolean][] = [
    ['a text is not the number it spells', { op: 'in', path, values: ['3'] }, { a: { n: 3 } }, false],
    ['a large number is compared as a number', { op: 'gt', path, value: 1e18 }, parseExactly('{"a":{"n":12345678901234567890}}'), true],
    ['null stands for what is missing', { op: 'eq', path, value: null }, { a: {} }, true],
    ['ne holds for what is missing', { op: 'ne', path, value: 1 }, {}, true],
    ['nothing is less than a value of another type', { op: 'lt', path, value: 5 }, { a: { n: 'x' } }, false],
    ['objects are equal whatever the order of their keys', { op: 'eq', path, value: { x: 1, y: [2] } }, { a: { n: { y: [2], x: 1 } } }, true],
    ['times are compared as times', { op: 'before', path, ms: Date.UTC(2026, 0, 1, 11) }, { a: { n: '2026-01-01T12:00:00+02:00' } }, true],
    ['what is no time is neither before nor after', { op: 'after', path, ms: 0 }, { a: { n: 'soon' } }, false],
  ];
  test.each(cases)('%s', (_name, condition, document, expected) => {
    expect(matches(document, condition)).toBe(expected);
  });
});

describe('parseListQuery()', () => {
  const parse = (query: string) => parseListQuery(new URLSearchParams(query));

  test.each([
    ['offset=x', /offset must be a whole number, found "x"/],
    ['limit=-1', /limit must be a whole number/],
    ['limit=1e3', /limit must be a whole number/],
    ['limit=99999999999999999999', /limit must be a whole number/],
    ['updateTimeBefore=yesterday', /updateTimeBefore must be Unix seconds/],
    ['extra=e30', null],
    ['extra=W10=', /not of an object/],
    ['extra=***', /must be base64/],
    ['extra=YWJj', /not of a JSON object/],
  ])('%s', (query, message) => {
    if (message === null) expect(parse(query).conditions).toEqual([]);
    else expect(() => parse(query)).toThrow(message);
  });

  test('never throws anything but its own errors, whatever the query is', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('field', 'offset', 'limit', 'extra', 'labelSelector', 'updateTimeBefore', 'a.b', ''), fc.string()), { maxLength: 5 }),
        (pairs) => {
          try {
            const { conditions } = parseListQuery(new URLSearchParams(pairs));
            expect(conditions.map((condition) => typeof matches({ data: {} }, condition))).toEqual(conditions.map(() => 'boolean'));
          } catch (cause) {
            expect((cause as Error).name).toBe('RequestError');
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
