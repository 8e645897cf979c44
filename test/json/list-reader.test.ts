import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JsonError } from '../../src/json/error.ts';
import { ListReader, type ListEnd } from '../../src/json/list-reader.ts';
import type { RawObject } from '../../src/model/raw-object.ts';
import { anyPod, anyValue, inPieces, space, written } from './documents.ts';
import { BUILT_IN_ITEM, BUILT_IN_OBJECT, CUSTOM_OBJECT } from './samples.ts';
import { type Found, findByParsing } from './twin.ts';

const POD = { kind: 'Pod', apiVersion: 'v1' };
const NEWLINES = { newlines: true };

interface Log {
  readonly items: Found[];
  readonly kept: string[];
  readonly errors: string[];
}

function copyOf(object: RawObject): string {
  const target = Buffer.alloc(object.size);
  object.copyTo(target, 0);
  return target.toString();
}

function readerInto(log: Log, options: { type?: { kind: string; apiVersion: string }; maxBytes?: number; gatherBytes?: number } = {}): ListReader {
  return new ListReader({
    ...(options.type ?? POD),
    maxBytes: options.maxBytes,
    // Reading at every chunk is what is hard; gathering only makes the chunks larger.
    gatherBytes: options.gatherBytes ?? 1,
    onItem(object) {
      const kept = copyOf(object);
      const { namespace, name, uid, revision } = object;
      log.items.push({ namespace, name, uid, revision, kept: JSON.parse(kept) });
      log.kept.push(kept);
    },
    onDamaged(error) {
      log.items.push('damaged');
      log.errors.push(error.message);
    },
  });
}

const emptyLog = (): Log => ({ items: [], kept: [], errors: [] });

/** Reads a body, whole or cut; what came of it, the end or an error. */
function read(
  body: string | Buffer,
  cuts: readonly number[] = [],
  options: Parameters<typeof readerInto>[1] = {},
): Log & { readonly end: ListEnd | JsonError } {
  const log = emptyLog();
  const reader = readerInto(log, options);
  try {
    inPieces(Buffer.from(body), cuts, (piece) => reader.push(piece));
    return { ...log, end: reader.end() };
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    return { ...log, end: cause };
  }
}

const BUILT_IN = `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"286","continue":"abc","remainingItemCount":7},"items":[${BUILT_IN_ITEM},${BUILT_IN_ITEM}]}\n`;

describe('what the API server sends', () => {
  test('a built-in list: kind, apiVersion, metadata, items without kind', () => {
    const { end, kept } = read(BUILT_IN);
    expect(end).toEqual({ revision: '286', continue: 'abc', remaining: 7, shardInfo: null });
    const expected = JSON.parse(BUILT_IN_OBJECT) as { metadata: Record<string, unknown> };
    delete expected.metadata.managedFields;
    expect(kept).toEqual([JSON.stringify(expected), JSON.stringify(expected)]);
  });

  test('a list that the server has split says by what', () => {
    const list = BUILT_IN.replace('"continue":"abc"', '"shardInfo":{"selector":"shardRange(…)"}');
    expect(read(list).end).toMatchObject({ shardInfo: 'shardRange(…)' });
    expect(read(list.replace('{"selector":"shardRange(…)"}', 'null')).end).toMatchObject({ shardInfo: null });
  });

  test('a custom list: items first, the revision last, continue "" on the last page', () => {
    const body = `{"apiVersion":"demo.example.com/v1","items":[${CUSTOM_OBJECT}],"kind":"WidgetList","metadata":{"continue":"","resourceVersion":"751"}}\n`;
    const { end, items, errors } = read(body, [], { type: { kind: 'Widget', apiVersion: 'demo.example.com/v1' } });
    expect(errors).toEqual([]);
    expect(items).toMatchObject([{ name: 'w1', revision: '729' }]);
    expect(end).toEqual({ revision: '751', continue: null, remaining: null, shardInfo: null });
  });

  test.each(['[]', 'null', ' [ ] '])('no items: %s', (items) => {
    const { end, ...log } = read(`{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":${items}}`);
    expect(end).toEqual({ revision: '5', continue: null, remaining: null, shardInfo: null });
    expect(log).toEqual(emptyLog());
  });

  test('a small list split at every byte gives the same', () => {
    const whole = read(BUILT_IN);
    for (let cut = 0; cut <= BUILT_IN.length; cut++) expect(read(BUILT_IN, [cut])).toEqual(whole);
    const everywhere = Array.from({ length: BUILT_IN.length }, (_, i) => i);
    expect(read(BUILT_IN, everywhere)).toEqual(whole);
  });

  test('a list cut short anywhere is an error at the end', () => {
    const body = BUILT_IN.trimEnd();
    for (let length = 0; length < body.length; length++) expect(read(body.slice(0, length)).end).toBeInstanceOf(JsonError);
  });
});

describe('items', () => {
  test('come as soon as they are complete, while the rest is still under way', () => {
    const log = emptyLog();
    const reader = readerInto(log);
    const [first = '', second = ''] = BUILT_IN.split(/(?<=\}),(?=\{"metadata")/);
    reader.push(Buffer.from(first));
    expect(log.items).toHaveLength(1);
    reader.push(Buffer.from(','));
    reader.push(Buffer.from(second));
    expect(log.items).toHaveLength(2);
  });

  test('of chunks that are gathered come together, the rest at the end', () => {
    const log = emptyLog();
    const body = Buffer.from(BUILT_IN);
    const reader = readerInto(log, { gatherBytes: body.length });
    for (const byte of body.subarray(0, -1)) reader.push(Buffer.of(byte));
    expect(log.items).toHaveLength(0);
    reader.push(body.subarray(-1));
    expect(log.items.length).toBeGreaterThan(0);
    reader.end();
  });

  test('over two chunks come with the second, when it is at least as long as what was kept of the first', () => {
    const log = emptyLog();
    const reader = readerInto(log);
    const cut = BUILT_IN.indexOf('"ownerReferences"');
    reader.push(Buffer.from(BUILT_IN.slice(0, cut)));
    expect(log.items).toHaveLength(0);
    reader.push(Buffer.from(BUILT_IN.slice(cut, -10)));
    expect(log.items).toHaveLength(1);
  });

  test('of 1.5 MB in chunks of 16 KB are read, between small ones', () => {
    const item = (name: string, size: number): string =>
      `{"data":"${'é"'.replace('"', '\\"').repeat(size / 4)}","metadata":{"name":"${name}","uid":"u","resourceVersion":"1"}}`;
    const body = `{"items":[${item('a', 10)},${item('b', 1_600_000)},${item('c', 10)},${item('d', 1_600_000)}],"metadata":{"resourceVersion":"9"}}`;
    const cuts = Array.from({ length: Math.ceil(Buffer.byteLength(body) / 16_384) }, (_, i) => i * 16_384);
    const { end, items } = read(body, cuts);
    expect(end).toMatchObject({ revision: '9' });
    expect(items).toMatchObject([{ name: 'a' }, { name: 'b' }, { name: 'c' }, { name: 'd' }]);
    expect(items).toStrictEqual((JSON.parse(body) as { items: unknown[] }).items.map(findByParsing));
  });

  test('that cannot be mirrored are reported and the rest goes on (RF-S14)', () => {
    const good = '{"metadata":{"name":"a","uid":"u","resourceVersion":"1"}}';
    const { end, items, errors } = read(`{"items":[${good},{"spec":{}},null,7,${good}, [] ],"metadata":{"resourceVersion":"9"}}`);
    expect(end).toMatchObject({ revision: '9' });
    expect(items.map((item) => item === 'damaged')).toEqual([false, true, true, true, false, true]);
    expect(errors[0]).toBe('Cannot read an object of kind Pod: metadata is missing');
    expect(errors[1]).toBe('Cannot read an item of a list of Pod: it is not an object');
  });

  test('that break the grammar are an error of the page, with the place in the body', () => {
    const body = BUILT_IN.replace('"phase":"Running"', '"phase" "Running"');
    const offset = Buffer.byteLength(body.slice(0, body.indexOf('"phase" "'))) + 8;
    for (const cuts of [[], [1000], [10, 500, 1400]]) {
      const { end } = read(body, cuts);
      expect(end).toMatchObject({ offset, message: `Cannot read JSON of a list: expected ":" after a key at offset ${offset}, found """` });
    }
  });
});

describe('what is not a list', () => {
  test.each([
    ['a Table (RF-S7)', '{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"9"},"columnDefinitions":[],"rows":[]}', 'a Table'],
    ['a Table with its kind last', '{"apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"9"},"rows":[],"kind":"Table"}', 'a Table'],
    ['a Status (RF-S7)', '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","code":410}', 'a Status'],
    ['one object', BUILT_IN_OBJECT, 'an object without them'],
    ['an object as items', '{"items":{},"metadata":{"resourceVersion":"9"}}', '"{"'],
    ['items twice', '{"items":[],"items":[],"metadata":{"resourceVersion":"9"}}', 'a second one'],
    ['text', '404 page not found\n', '"4"'],
    ['nothing', '', 'the end of the body'],
    ['two lists', '{"items":[],"metadata":{"resourceVersion":"9"}}{}', '"{"'],
    ['no revision', '{"items":[],"metadata":{}}', 'a list that cannot be watched from'],
    ['revision 0', '{"items":[],"metadata":{"resourceVersion":"0"}}', 'a list that cannot be watched from'],
  ])('%s is a clear error', (_, body, found) => {
    expect(read(body).end).toBeInstanceOf(JsonError);
    expect(read(body).end).toMatchObject({ found });
  });

  test('an item over the bound is an error however it comes, and no more than the bound is held', () => {
    const body = `{"items":[{"metadata":{"name":"a","uid":"u","resourceVersion":"1"},"data":"${'x'.repeat(2000)}"}],"metadata":{"resourceVersion":"9"}}`;
    for (const cuts of [[], [500], Array.from({ length: 40 }, (_, i) => i * 50)]) {
      expect(read(body, cuts, { maxBytes: 1000 }).end).toMatchObject({ expected: 'at most 1000 bytes for one item or member' });
      expect(read(body, cuts, { maxBytes: 3000 }).end).toMatchObject({ revision: '9' });
    }
    const log = emptyLog();
    const reader = readerInto(log, { maxBytes: 1000 });
    reader.push(Buffer.from('{"items":[{"data":"'));
    const endless = (): void => {
      for (let i = 0; i < 100; i++) reader.push(Buffer.alloc(100, 0x78));
    };
    expect(endless).toThrow(JsonError);
  });

  test('an error of the callback comes through as it is', () => {
    const boom = new Error('boom');
    const reader = new ListReader({
      ...POD,
      gatherBytes: 1,
      onDamaged: () => {},
      onItem: () => {
        throw boom;
      },
    });
    expect(() => reader.push(Buffer.from(BUILT_IN))).toThrow(boom);
  });
});

test('gives what JSON.parse gives, whatever the order and spacing, and the same for every cut into chunks', () => {
  const meta = fc.record({
    resourceVersion: fc.constantFrom('1', '99', '12345678901234567890'),
    continue: fc.constantFrom('', 'token', undefined),
    remainingItemCount: fc.constantFrom(0, 5, undefined),
  });
  const list = fc
    .tuple(
      fc.array(
        fc.tuple(space(NEWLINES), fc.oneof({ weight: 4, arbitrary: anyPod(NEWLINES) }, { weight: 1, arbitrary: anyValue(NEWLINES, 1) }), space(NEWLINES)),
        { maxLength: 4 },
      ),
      meta,
      anyValue(NEWLINES, 2),
    )
    .chain(([items, metadata, other]) =>
      fc
        .shuffledSubarray(
          [
            ['"kind"', '"PodList"'],
            ['"apiVersion"', '"v1"'],
            ['"metadata"', JSON.stringify(metadata)],
            ['"items"', `[${items.map((item) => item.join('')).join(',')}]`],
            ['"other"', other],
          ] as const,
          { minLength: 5 },
        )
        .chain((members) => written(members, NEWLINES)),
    );
  fc.assert(
    fc.property(list, fc.array(fc.nat(), { maxLength: 12 }), (text, cuts) => {
      const parsed = JSON.parse(text) as { items: unknown[]; metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number } };
      const whole = read(text);
      expect(whole.items).toStrictEqual(parsed.items.map(findByParsing));
      expect(whole.end).toEqual({
        revision: parsed.metadata.resourceVersion,
        continue: parsed.metadata.continue || null,
        remaining: parsed.metadata.remainingItemCount ?? null,
        shardInfo: null,
      });
      expect(read(text, cuts)).toEqual(whole);
    }),
    { numRuns: 1000 },
  );
});
