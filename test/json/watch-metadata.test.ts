import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RawObject } from '../../src/model/raw-object.ts';
import { WatchReader } from '../../src/json/watch-reader.ts';

type Seen = { readonly kept: string; readonly revision: string; readonly isChecked: boolean | undefined };

/** Reads lines as the reflector does: no further than metadata. */
function read(lines: string): { readonly seen: Seen[]; readonly damaged: string[] } {
  const seen: Seen[] = [];
  const damaged: string[] = [];
  const reader = new WatchReader({
    kind: 'Pod',
    apiVersion: 'v1',
    walk: 'metadata',
    onEvent: (_type, object: RawObject) => {
      const kept = Buffer.alloc(object.size);
      object.copyTo(kept, 0);
      seen.push({ kept: kept.toString(), revision: object.revision, isChecked: object.isChecked });
    },
    onBookmark() {},
    onError() {},
    onDamaged: (error) => void damaged.push(error.message),
  });
  reader.push(Buffer.from(lines));
  reader.end();
  return { seen, damaged };
}

const META = '"metadata":{"name":"web","namespace":"shop","uid":"u1","resourceVersion":"7","managedFields":[{"a":{}}]}';
const KEPT_META = '"metadata":{"name":"web","namespace":"shop","uid":"u1","resourceVersion":"7"}';

describe('a watch line read no further than metadata', () => {
  test('keeps the rest as it came, says that it was not checked, and cuts managedFields', () => {
    const { seen } = read(`{"type":"MODIFIED","object":{"kind":"Pod","apiVersion":"v1",${META},"spec":{"a":"}}"},"status":{}}}\n`);
    expect(seen).toEqual([{ kept: `{"kind":"Pod","apiVersion":"v1",${KEPT_META},"spec":{"a":"}}"},"status":{}}`, revision: '7', isChecked: false }]);
  });

  test('an object that ends with metadata, or whose kind comes late, is found as well', () => {
    const { seen } = read(
      `{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1",${META}}}\n{"type":"ADDED","object":{${META},"kind":"Pod","apiVersion":"v1"}}\n`,
    );
    expect(seen.map(({ kept }) => kept)).toEqual([`{"kind":"Pod","apiVersion":"v1",${KEPT_META}}`, `{${KEPT_META},"kind":"Pod","apiVersion":"v1"}`]);
  });

  test('metadata that is not JSON gives no object, or one that is marked unchecked; never an error of the stream', () => {
    fc.assert(
      fc.property(fc.nat(META.length), fc.constantFrom('', '"', '\\\\', '{', '}', ']', ','), (at, insert) => {
        const broken = META.slice(0, at) + insert + META.slice(at + 1);
        const { seen, damaged } = read(`{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1",${broken},"spec":{}}}\n`);
        expect(seen.length + damaged.length).toBe(1);
        for (const { isChecked } of seen) expect(isChecked).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  test('a line whose object does not stand last is walked whole', () => {
    const { seen } = read(
      `{"object":{"kind":"Pod","apiVersion":"v1",${META},"spec":{}},"type":"ADDED"}\n{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1",${META},"spec":{}},"x":1}\n`,
    );
    expect(seen.map(({ isChecked }) => isChecked)).toEqual([true, true]);
  });

  test('a line cut in the middle is damaged, and the next one is read', () => {
    const whole = `{"type":"MODIFIED","object":{"kind":"Pod","apiVersion":"v1",${META},"spec":{"a":1}}}`;
    const { seen, damaged } = read(`${whole.slice(0, -5)}\n${whole}\r\n`);
    expect(damaged).toHaveLength(1);
    expect(seen).toHaveLength(1);
    expect(() => JSON.parse(seen[0]?.kept ?? '')).not.toThrow();
  });

  test('gives the same bytes as a walk of the whole line, for any valid rest', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string().filter((key) => !['kind', 'apiVersion', 'metadata'].includes(key) && !key.includes('\\')),
          fc.jsonValue(),
          { maxKeys: 4 },
        ),
        fc.constantFrom('', ' ', '\r'),
        (rest, space) => {
          const members = Object.entries(rest).map(([key, value]) => `,${JSON.stringify(key)}:${JSON.stringify(value)}`);
          const object = (meta: string): string => `{"kind":"Pod","apiVersion":"v1",${meta}${members.join('')}}`;
          const { seen, damaged } = read(`{"type":"ADDED","object":${object(META)}${space}}${space}\n`);
          expect(damaged).toEqual([]);
          expect(seen.map(({ kept }) => kept.trimEnd())).toEqual([object(KEPT_META)]);
        },
      ),
    );
  });
});
