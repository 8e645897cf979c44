import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { annotateWorkload, dropWorkload, readWorkload, WORKLOAD_KIND, WORKLOAD_NAME } from '../../src/transform/workload.ts';

const annotated = (text: string, kind = 'Deployment', name = 'web'): string => Buffer.from(annotateWorkload(Buffer.from(text), { kind, name })).toString();
const OURS = `"${WORKLOAD_KIND}":"Deployment","${WORKLOAD_NAME}":"web"`;

describe('the annotations of the top workload', () => {
  test.each<[string, string, string]>([
    ['become the only ones of an object without any', '{"metadata":{"name":"p"}}', `{"metadata":{"annotations":{${OURS}},"name":"p"}}`],
    ['also of empty metadata', '{"metadata":{ }}', `{"metadata":{"annotations":{${OURS}} }}`],
    [
      'stand before those there are, which keep their bytes',
      '{"metadata":{"annotations":{"a" : "\\u0031", "b":"2"},"name":"p"}}',
      `{"metadata":{"annotations":{${OURS},"a" : "\\u0031","b":"2"},"name":"p"}}`,
    ],
    ['replace null', '{"metadata":{"annotations":null}}', `{"metadata":{"annotations":{${OURS}}}}`],
    ['replace what is no mapping', '{"metadata":{"annotations":["x"]},"spec":1}', `{"metadata":{"annotations":{${OURS}}},"spec":1}`],
    ['fill an empty mapping', '{"metadata":{"annotations":{ }}}', `{"metadata":{"annotations":{${OURS}}}}`],
    [
      'take the place of their own earlier values',
      `{"metadata":{"annotations":{"a":"1","${WORKLOAD_NAME}":"old","b":"2","${WORKLOAD_KIND}":{}}}}`,
      `{"metadata":{"annotations":{${OURS},"a":"1","b":"2"}}}`,
    ],
    [
      'also when their key is written with an escape, or given twice',
      `{"metadata":{"annotations":{"${WORKLOAD_NAME.replace('w', '\\u0077')}":"old","${WORKLOAD_KIND}":"x","${WORKLOAD_KIND}":"y"}}}`,
      `{"metadata":{"annotations":{${OURS}}}}`,
    ],
    [
      'go to the last of two mappings, which is the one that counts',
      '{"metadata":{"annotations":{"a":"1"},"annotations":{"b":"2"}}}',
      `{"metadata":{"annotations":{"a":"1"},"annotations":{${OURS},"b":"2"}}}`,
    ],
    [
      'are not looked for anywhere else',
      '{"spec":{"metadata":{"annotations":{"a":"1"}}},"metadata":{"labels":{"annotations":"x"}}}',
      `{"spec":{"metadata":{"annotations":{"a":"1"}}},"metadata":{"annotations":{${OURS}},"labels":{"annotations":"x"}}}`,
    ],
    ['leave an object without metadata as it is', '{"spec":{}}', '{"spec":{}}'],
    ['leave what is no JSON as it is', '{"metadata":{"annotations":{"a" 1}}}', '{"metadata":{"annotations":{"a" 1}}}'],
    ['leave what ends too early as it is', '{"metadata":{"annotations":{"a":', '{"metadata":{"annotations":{"a":'],
    ['leave what is no object as it is', '[1]', '[1]'],
    ['leave nothing as it is', '', ''],
  ])('%s', (_name, text, expected) => {
    expect(annotated(text)).toBe(expected);
  });

  test('are escaped', () => {
    expect(JSON.parse(annotated('{"metadata":{}}', 'K"\\', 'ä\n'))).toEqual({ metadata: { annotations: { [WORKLOAD_KIND]: 'K"\\', [WORKLOAD_NAME]: 'ä\n' } } });
  });

  test('are read back, and only when both are texts', () => {
    expect(readWorkload(Buffer.from(annotated('{"metadata":{"annotations":{"a":"1"}}}', 'K"', 'ä')))).toEqual({ kind: 'K"', name: 'ä' });
    for (const text of [
      '{}',
      '{"metadata":{}}',
      `{"metadata":{"annotations":{"${WORKLOAD_KIND}":"K"}}}`,
      `{"metadata":{"annotations":{"${WORKLOAD_KIND}":"K","${WORKLOAD_NAME}":1}}}`,
      '{"metadata":',
    ])
      expect(readWorkload(Buffer.from(text))).toBe(null);
  });

  test('whatever the object: the JSON says the same but for them, and the last annotating counts, byte by byte', () => {
    const key = fc.oneof(
      fc.constantFrom(WORKLOAD_KIND, WORKLOAD_NAME, 'a', 'b"c', ''),
      fc.string().filter((text) => !text.includes('\\') && text !== '__proto__'),
    );
    const annotations = fc.oneof(
      fc.constant(undefined),
      fc.constant(null),
      fc.dictionary(key, fc.oneof(fc.string(), fc.jsonValue({ maxDepth: 1 })), { noNullPrototype: true }),
    );
    const object = fc.record({ annotations, name: fc.string(), before: fc.boolean(), space: fc.constantFrom(undefined, 1, '\t') });
    let changed = 0;
    fc.assert(
      fc.property(object, fc.string(), fc.string(), ({ annotations: own, name, before, space }, kind, top) => {
        if (JSON.stringify(own ?? null).includes('\\\\')) return;
        const metadata = before ? { ...(own === undefined ? {} : { annotations: own }), name } : { name, ...(own === undefined ? {} : { annotations: own }) };
        const text = JSON.stringify({ kind: 'Pod', metadata, spec: { annotations: { a: 1 } } }, null, space);
        const once = annotated(text, kind, top);
        // As JSON says it: it knows no -0.
        const mapping = JSON.parse(JSON.stringify(own ?? {}));
        expect(JSON.parse(once)).toEqual({
          kind: 'Pod',
          metadata: { name, annotations: { ...mapping, [WORKLOAD_KIND]: kind, [WORKLOAD_NAME]: top } },
          spec: { annotations: { a: 1 } },
        });
        expect(annotated(annotated(text, 'other', 'thing'), kind, top)).toBe(once);
        expect(readWorkload(Buffer.from(once))).toEqual({ kind, name: top });
        changed++;
      }),
      { numRuns: 2_000 },
    );
    expect(changed).toBeGreaterThan(1_000);
  });
});

test('what is dropped leaves the object as if it had never been annotated', () => {
  for (const annotations of ['null', '{}', '[]']) {
    const object: unknown = JSON.parse(`{"metadata":{"annotations":${annotations}}}`);
    dropWorkload(object);
    expect(object).toEqual({ metadata: {} });
  }
  for (const text of ['{"metadata":{"name":"p"}}', '{"metadata":{"annotations":{"a":"1"}}}', '{"spec":1}']) {
    const object: unknown = JSON.parse(annotated(text));
    dropWorkload(object);
    expect(object).toEqual(JSON.parse(text));
  }
});
