import { describe, expect, test } from 'vitest';
import { forEachMatch, parsePath, protectedPart, readPath } from '../../src/transform/paths.ts';

describe('reading a path', () => {
  test('fields, elements, quoted names and wildcards', () => {
    expect(parsePath('spec.containers[*].env[0]["a.b/c"].*').steps).toEqual([
      { type: 'field', name: 'spec' },
      { type: 'field', name: 'containers' },
      { type: 'elements' },
      { type: 'field', name: 'env' },
      { type: 'element', index: 0 },
      { type: 'field', name: 'a.b/c' },
      { type: 'any' },
    ]);
    expect(parsePath(`metadata.annotations['x"y']`).steps.at(-1)).toEqual({ type: 'field', name: 'x"y' });
    expect(parsePath('a["q\\"r\\\\s"]').steps.at(-1)).toEqual({ type: 'field', name: 'q"r\\s' });
    expect(parsePath('["kind-of"].x').steps[0]).toEqual({ type: 'field', name: 'kind-of' });
  });

  const wrong: readonly (readonly [string, string])[] = [
    ['', 'expected the name of a field at position 1, the text ends'],
    ['.spec', 'expected the name of a field at position 1, found "."'],
    ['spec.', 'expected the name of a field at position 6, the text ends'],
    ['spec..x', 'expected the name of a field at position 6, found "."'],
    ['[*].x', 'expected the name of a field at position 1, found "["'],
    ['a[x]', 'expected [*], [0] or ["name"] at position 2, found "["'],
    ['a["x]', 'expected [*], [0] or ["name"] at position 2, found "["'],
    ['a[*]b', 'expected "." or "[" at position 5, found "b"'],
    ['a b', 'expected "." or "[" at position 2, found " "'],
    ['a.b/c', 'expected "." or "[" at position 4, found "/"'],
    ['a**', 'expected "." or "[" at position 2, found "*"'],
  ];
  for (const [text, message] of wrong) {
    test(`refuses ${JSON.stringify(text)} with the position and an example`, () => {
      expect(() => parsePath(text)).toThrow(new Error(`${message}; a path looks like spec.containers[*].env[*].value`));
    });
  }
});

describe('following a path', () => {
  const found = (object: unknown, path: string): readonly unknown[] => {
    const values: unknown[] = [];
    forEachMatch(object, parsePath(path), (container, key) => values.push((container as Record<string | number, unknown>)[key]));
    return values;
  };

  test('finds what is there and nothing else', () => {
    const object = { spec: { containers: [{ env: [{ value: 1 }, { name: 'x' }] }, { env: null }, 'odd'], n: 5 }, data: { a: 1, b: [2] } };
    expect(found(object, 'spec.containers[*].env[*].value')).toEqual([1]);
    expect(found(object, 'spec.containers[0].env')).toEqual([[{ value: 1 }, { name: 'x' }]]);
    expect(found(object, 'spec.containers[7].env')).toEqual([]);
    expect(found(object, 'data.*')).toEqual([1, [2]]);
    expect(found(object, 'spec.n.deeper')).toEqual([]);
    expect(found(object, 'data[*]')).toEqual([]);
    expect(found(object, 'toString')).toEqual([]);
  });

  test('a field name that meets a list is looked for in every element, so that a forgotten [*] does not undo a mask', () => {
    expect(found({ spec: { containers: [{ env: [{ value: 1 }, { value: 2 }] }] } }, 'spec.containers.env.value')).toEqual([1, 2]);
  });

  test('a plain dotted path reads one value', () => {
    expect(readPath({ a: { b: 0 } }, 'a.b')).toBe(0);
    expect(readPath({ a: [1] }, 'a.0')).toBe(undefined);
    expect(readPath({ a: {} }, 'a.constructor')).toBe(undefined);
  });
});

test('what identifies an object is recognised as protected, also through wildcards and from above', () => {
  const hidden = ['kind', 'metadata', 'metadata.uid', 'metadata.*', '*', '*.name', 'metadata["resourceVersion"]'];
  expect(hidden.map((path) => protectedPart(parsePath(path)))).not.toContain(null);
  const free = ['metadata.labels', 'metadata.name.x', 'data.*', 'spec.kind', 'metadata.annotations.*'];
  expect(free.map((path) => protectedPart(parsePath(path)))).toEqual(free.map(() => null));
});
