import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JsonError } from '../../src/json/error.ts';
import { ObjectScanner } from '../../src/json/scanner.ts';
import { anyPod, anyValue, withoutBackslashes } from './documents.ts';
import { BUILT_IN_ITEM, BUILT_IN_OBJECT, CUSTOM_OBJECT } from './samples.ts';
import { type Found, findByParsing } from './twin.ts';

const POD = { kind: 'Pod', apiVersion: 'v1' };
const WIDGET = { kind: 'Widget', apiVersion: 'demo.example.com/v1' };
const NEWLINES = { newlines: true };

function keptOf(scanner: ObjectScanner): string {
  // Guards on both sides: exactly `size` bytes are written.
  const target = Buffer.alloc(scanner.size + 2, 0x21);
  scanner.copyTo(target, 1);
  expect([target[0], target[target.length - 1]]).toEqual([0x21, 0x21]);
  return target.toString('utf8', 1, target.length - 1);
}

function scanned(text: string | Buffer, type = POD): ObjectScanner {
  const scanner = new ObjectScanner(type);
  const bytes = Buffer.from(text);
  expect(scanner.scan(bytes, 0, bytes.length)).toBe(bytes.length);
  return scanner;
}

function foundBy(scanner: ObjectScanner): Found {
  if (scanner.problem !== null) return 'damaged';
  const { namespace, name, uid, revision } = scanner;
  return { namespace, name, uid, revision, kept: JSON.parse(keptOf(scanner)) };
}

/** Whether a scan of all of `bytes` accepts it, JSON.parse being the judge of the same question beside it. */
function verdicts(bytes: Buffer): { readonly ours: boolean; readonly theirs: boolean; readonly scanner: ObjectScanner } {
  const scanner = new ObjectScanner(POD);
  let theirs = bytes.toString().trimStart().startsWith('{');
  try {
    JSON.parse(withoutBackslashes(bytes.toString()));
  } catch {
    theirs = false;
  }
  let ours: boolean;
  try {
    const end = scanner.scan(bytes, 0, bytes.length);
    ours = end !== -1 && /^[ \t\r\n]*$/.test(bytes.toString('latin1', end));
  } catch (cause) {
    expect(cause).toBeInstanceOf(JsonError);
    ours = false;
  }
  return { ours, theirs, scanner };
}

describe('properties', () => {
  test('finds and keeps what JSON.parse finds, whatever the order, spacing, escapes and repetitions', () => {
    const scanner = new ObjectScanner(POD);
    let readable = 0;
    fc.assert(
      fc.property(anyPod(NEWLINES), fc.string({ maxLength: 3 }), (text, after) => {
        const bytes = Buffer.from(` \n${text}${after}`);
        expect(scanner.scan(bytes, 0, bytes.length)).toBe(Buffer.byteLength(text) + 2);
        const found = foundBy(scanner);
        expect(found).toStrictEqual(findByParsing(JSON.parse(text)));
        if (found !== 'damaged') readable++;
      }),
      { numRuns: 3000 },
    );
    // The generator must not drift into objects that are all damaged.
    expect(readable).toBeGreaterThan(1000);
  });

  test('every beginning of an object is incomplete, never an object and never an error', () => {
    const scanner = new ObjectScanner(POD);
    fc.assert(
      fc.property(anyPod(NEWLINES), (text) => {
        const bytes = Buffer.from(text);
        for (let end = 0; end < bytes.length; end++) expect(scanner.scan(bytes, 0, end)).toBe(-1);
        expect(scanner.problem).not.toBeNull();
      }),
      { numRuns: 200 },
    );
  });

  test('with one byte removed, changed or added, accepts exactly what JSON.parse accepts, and reads the same', () => {
    fc.assert(
      fc.property(
        anyPod(NEWLINES),
        fc.nat(),
        fc.constantFrom('remove', 'change', 'add'),
        fc.oneof(fc.constantFrom(...Buffer.from('{}[]",:\\u0e-+. \n\0')), fc.nat(255)),
        (text, where, how, byte) => {
          const before = Buffer.from(text);
          const at = where % before.length;
          const bytes = Buffer.concat([before.subarray(0, at), Buffer.from(how === 'remove' ? [] : [byte]), before.subarray(how === 'add' ? at : at + 1)]);
          const { ours, theirs, scanner } = verdicts(bytes);
          expect(ours).toBe(theirs);
          if (ours && withoutBackslashes(bytes.toString()) === bytes.toString())
            expect(foundBy(scanner)).toStrictEqual(findByParsing(JSON.parse(bytes.toString())));
        },
      ),
      { numRuns: 10_000 },
    );
  });

  test('accepts exactly what JSON.parse accepts, of any bytes that look like JSON', () => {
    const token = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '"a"',
      '\\',
      '\\u00e9',
      '\\x',
      '0',
      '1',
      '-',
      '+',
      '.',
      'e',
      'E',
      'true',
      'false',
      'null',
      'nul',
      ' ',
      '\n',
      '\f',
      '\u00a0',
      '\ufeff',
      'é',
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 12 }), (tokens) => {
        const { ours, theirs } = verdicts(Buffer.from(`{"a":${tokens.join('')}}`));
        expect(ours).toBe(theirs);
      }),
      { numRuns: 20_000 },
    );
  });

  test('accepts any value as a member', () => {
    fc.assert(
      fc.property(anyValue(NEWLINES), (value) => {
        expect(verdicts(Buffer.from(`{"spec":${value}}`)).ours).toBe(true);
      }),
    );
  });
});

describe('what the API server sends', () => {
  test('a built-in object: metadata first, managedFields last in it', () => {
    const scanner = scanned(BUILT_IN_OBJECT);
    expect(foundBy(scanner)).toStrictEqual(findByParsing(JSON.parse(BUILT_IN_OBJECT)));
    expect(scanner).toMatchObject({ namespace: 'r5', name: 'p4k', uid: 'bd4a1a4e-33a5-4c44-a04c-b21ff4a7a3a1', revision: '237' });
    expect(keptOf(scanner)).not.toContain('managedFields');
  });

  test('a list item, which has no kind and apiVersion, keeps the same bytes as the watch object', () => {
    expect(BUILT_IN_ITEM).not.toContain('"apiVersion":"v1","metadata"');
    expect(keptOf(scanned(BUILT_IN_ITEM))).toBe(keptOf(scanned(BUILT_IN_OBJECT)));
  });

  test('a custom resource: sorted keys, the name of an ownerReference before its own', () => {
    const scanner = scanned(CUSTOM_OBJECT, WIDGET);
    expect(scanner.problem).toBeNull();
    expect(scanner).toMatchObject({ namespace: 'r5', name: 'w1', uid: '0b7ae9a5-2b3d-4f86-9d9f-a4b1e9b2a001', revision: '729' });
    const expected = JSON.parse(CUSTOM_OBJECT) as { metadata: Record<string, unknown> };
    delete expected.metadata.managedFields;
    expect(keptOf(scanner)).toBe(JSON.stringify(expected));
  });

  test('a cluster-scoped object has the namespace ""', () => {
    expect(scanned('{"metadata":{"name":"n","uid":"u","resourceVersion":"1"}}').namespace).toBe('');
  });

  test('1.5 MB of annotations and of one string are walked over', () => {
    const annotations = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`example.com/key-${i}`, 'value "quoted" é'.repeat(2)]));
    const text = JSON.stringify({ metadata: { annotations, name: 'big', uid: 'u', resourceVersion: '5' }, data: { blob: 'x"\\'.repeat(250_000) } });
    expect(text.length).toBeGreaterThan(1_500_000);
    expect(foundBy(scanned(text))).toStrictEqual(findByParsing(JSON.parse(text)));
  });
});

describe('the cut', () => {
  const around = (members: string): string => `{"kind":"Pod","apiVersion":"v1","metadata":{${members}},"spec":{"managedFields":[1]}}`;
  const REST = '"name":"a","uid":"u","resourceVersion":"1"';
  test.each([
    ['first', `"managedFields":[{"f:name":{}}],${REST}`],
    ['first, spaced', ` "managedFields" : [ ] , ${REST}`],
    ['in the middle', `"name":"a","managedFields":[],"uid":"u","resourceVersion":"1"`],
    ['last', `${REST},"managedFields":[{"name":"x"}]`],
    ['last, spaced', `${REST} , "managedFields" : null `],
    ['twice at the start', `"managedFields":1,"managedFields":2,${REST}`],
    ['everywhere', `"managedFields":1,"name":"a","managedFields":2,"managedFields":3,"uid":"u","resourceVersion":"1","managedFields":4`],
    ['with an escaped key', `${REST},"managed\\u0046ields":[]`],
  ])('takes exactly one comma with it: %s', (_, members) => {
    const scanner = scanned(around(members));
    expect(JSON.parse(keptOf(scanner))).toStrictEqual(JSON.parse(around(REST)));
  });

  test('leaves valid JSON when nothing else is in metadata', () => {
    for (const members of ['"managedFields":[]', ' "managedFields":[] , "managedFields":[] ']) {
      expect(JSON.parse(keptOf(scanned(around(members))))).toStrictEqual(JSON.parse(around('')));
    }
  });

  test('touches nothing when there is nothing to cut and nothing to insert', () => {
    const text = around(`${REST},"labels":{"managedFields":"no","é":"日"}`);
    expect(keptOf(scanned(text))).toBe(text);
  });

  test('of two metadata the last counts, and no managedFields of either comes back', () => {
    const scanner = scanned(`{"metadata":{${REST},"managedFields":[1]},"metadata":{"name":"b","uid":"v","resourceVersion":"2"}}`);
    expect(foundBy(scanner)).toStrictEqual({
      namespace: '',
      name: 'b',
      uid: 'v',
      revision: '2',
      kept: { ...POD, metadata: { name: 'b', uid: 'v', resourceVersion: '2' } },
    });
    expect(keptOf(scanner)).not.toContain('managedFields');
  });

  test('inserts only what is missing of kind and apiVersion', () => {
    const meta = `"metadata":{${REST}}`;
    expect(keptOf(scanned(`{ ${meta}}`))).toBe(`{"kind":"Pod","apiVersion":"v1", ${meta}}`);
    expect(keptOf(scanned(`{${meta},"kind":"Pod"}`))).toBe(`{"apiVersion":"v1",${meta},"kind":"Pod"}`);
    expect(keptOf(scanned(`{"apiVersion":"v1",${meta}}`))).toBe(`{"kind":"Pod","apiVersion":"v1",${meta}}`);
  });
});

describe('an object that cannot be mirrored', () => {
  test.each([
    ['{}', 'metadata is missing'],
    ['{"metadata":null}', 'metadata is missing'],
    ['{"metadata":{}}', 'metadata.name is missing'],
    ['{"metadata":{"name":"a","resourceVersion":"1"}}', 'metadata.uid is missing'],
    ['{"metadata":{"name":"a","uid":"u"}}', 'metadata.resourceVersion is missing'],
    ['{"metadata":{"name":"a","uid":"u","resourceVersion":"0"}}', 'metadata.resourceVersion is not a positive decimal number'],
    ['{"metadata":{"name":"a","uid":"u","resourceVersion":7}}', 'metadata.resourceVersion is not a string'],
    ['{"metadata":{"name":"a","namespace":[],"uid":"u","resourceVersion":"7"}}', 'metadata.namespace is not a string'],
    ['{"metadata":{"name":"a/b","uid":"u","resourceVersion":"7"}}', 'metadata.name or metadata.namespace contains a slash'],
    ['{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"7"},"rows":[]}', 'kind is "Table", but "Pod" was asked for'],
    ['{"kind":"Pod","apiVersion":"v2","metadata":{"name":"a","uid":"u","resourceVersion":"7"}}', 'apiVersion is "v2", but "v1" was asked for'],
    ['{"kind":["Pod"],"metadata":{"name":"a","uid":"u","resourceVersion":"7"}}', 'kind is not a string'],
  ])('%s: %s (RF-S14)', (text, problem) => {
    expect(scanned(text).problem).toBe(problem);
  });

  test('is named in its error as far as it has a name', () => {
    expect(scanned('{"metadata":{"name":"a","namespace":"n"}}').damage().message).toBe('Cannot read n/a of kind Pod: metadata.uid is missing');
    expect(scanned('{}').damage().message).toBe('Cannot read an object of kind Pod: metadata is missing');
  });

  test('leaves nothing behind for the next one', () => {
    const scanner = scanned('{"kind":"Table","metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"1","managedFields":[]}}');
    const next = Buffer.from('{"metadata":{"name":"b","uid":"v","resourceVersion":"2"}}');
    expect(scanner.scan(next, 0, next.length)).toBe(next.length);
    expect(foundBy(scanner)).toStrictEqual(findByParsing(JSON.parse(next.toString())));
    scanner.release();
    expect(scanner.problem).not.toBeNull();
  });
});

describe('malformed input', () => {
  test.each([
    ['[]', 0, 'an object', '"["'],
    ['{"a" 1}', 5, '":" after a key', '"1"'],
    ['{"a":01}', 6, '"," or "}"', '"1"'],
    ['{"a":[1}}', 7, '"," or the bracket that closes', '"}"'],
    ['{"a":"\n"}', 6, 'no control character inside a string', 'byte 0x0a'],
    ['{"a":tru}', 8, '"true"', '"}"'],
    ['{"a":1,}', 7, 'a key', '"}"'],
    ['{"a":"\\u12g4"}', 10, 'a hexadecimal digit', '"g"'],
    ['{"metadata":{"name":"a" "uid":"u"}}', 24, '"," or "}"', '"""'],
  ])('%s names the place, what was expected and one byte', (text, offset, expected, found) => {
    const bytes = Buffer.from(text);
    let error: unknown;
    try {
      new ObjectScanner(POD).scan(bytes, 0, bytes.length);
    } catch (cause) {
      error = cause;
    }
    expect(error).toBeInstanceOf(JsonError);
    expect(error).toMatchObject({ offset, expected, found });
  });

  test('a document 100,000 levels deep does not overflow the stack, sound or not', () => {
    const depth = 100_000;
    const scanner = new ObjectScanner(POD);
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const sound = Buffer.from(`{"spec":${open.repeat(depth)}1${close.repeat(depth)},"metadata":{"name":"a","uid":"u","resourceVersion":"1"}}`);
      expect(scanner.scan(sound, 0, sound.length)).toBe(sound.length);
      expect(scanner.problem).toBeNull();
      expect(scanner.scan(sound, 0, depth)).toBe(-1);
      const crossed = Buffer.from(`{"spec":${open.repeat(depth)}1${close.repeat(depth - 1)}${close === ']' ? '}' : ']'}`);
      expect(() => scanner.scan(crossed, 0, crossed.length)).toThrow(JsonError);
    }
  });
});

test('reads a plain Uint8Array that is a view into something larger, from any offset', () => {
  const text = '{"metadata":{"name":"é","uid":"u","resourceVersion":"1"}}';
  const whole = new TextEncoder().encode(`######${text}`);
  const view = whole.subarray(4);
  const scanner = new ObjectScanner(POD);
  expect(scanner.scan(view, 2, view.length)).toBe(view.length);
  expect(foundBy(scanner)).toStrictEqual(findByParsing(JSON.parse(text)));
});
