import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JsonError } from '../../src/json/error.ts';
import type { ApiStatus } from '../../src/json/status.ts';
import { WatchReader } from '../../src/json/watch-reader.ts';
import { anyPod, anyValue, inPieces, space, spelling, written } from './documents.ts';
import { BOOKMARK, BUILT_IN_ITEM, BUILT_IN_OBJECT, EXPIRED, INITIAL_END } from './samples.ts';
import { type Found, findByParsing } from './twin.ts';

const POD = { kind: 'Pod', apiVersion: 'v1' };
const ONE_LINE = { newlines: false };

type Heard =
  | { readonly type: string; readonly object: Found; readonly kept?: string }
  | { readonly bookmark: string; readonly initialEnd: boolean }
  | { readonly status: ApiStatus }
  | { readonly damaged: string };

function readerInto(heard: Heard[], maxLineBytes?: number): WatchReader {
  return new WatchReader({
    ...POD,
    maxLineBytes,
    onEvent(type, raw) {
      const target = Buffer.alloc(raw.size);
      raw.copyTo(target, 0);
      const { namespace, name, uid, revision } = raw;
      heard.push({ type, object: { namespace, name, uid, revision, kept: JSON.parse(target.toString()) }, kept: target.toString() });
    },
    onBookmark: (bookmark, initialEnd) => heard.push({ bookmark, initialEnd }),
    onError: (status) => heard.push({ status }),
    onDamaged: (error) => heard.push({ damaged: error.message }),
  });
}

function read(stream: string, cuts: readonly number[] = []): { readonly heard: Heard[]; readonly end: string } {
  const heard: Heard[] = [];
  const reader = readerInto(heard);
  inPieces(Buffer.from(stream), cuts, (piece) => reader.push(piece));
  return { heard, end: reader.end() };
}

/** The dumb twin: split, trim, parse. */
function readByParsing(stream: string): Heard[] {
  const heard: Heard[] = [];
  for (const line of stream.split('\n')) {
    if (/^[ \t\r]*$/.test(line)) continue;
    let event: { type?: unknown; object?: unknown };
    try {
      event = JSON.parse(line) as typeof event;
    } catch {
      heard.push({ damaged: '' });
      continue;
    }
    const { type, object } = event ?? {};
    const found = findByParsing(object);
    if ((type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') && found !== 'damaged') heard.push({ type, object: found });
    else heard.push({ damaged: '' });
  }
  return heard;
}

const withoutTexts = (heard: readonly Heard[]): unknown[] =>
  heard.map((one) => ('damaged' in one ? 'damaged' : 'kept' in one ? { type: one.type, object: one.object } : one));

const event = (type: string, object: string): string => `{"type":"${type}","object":${object}}`;
const small = (name: string): string =>
  `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"${name}","uid":"u","resourceVersion":"1","managedFields":[{"é":"😀"}]}}`;
const namesOf = (heard: readonly Heard[]): unknown[] =>
  heard.map((one) => ('object' in one && one.object !== 'damaged' ? `${one.type} ${one.object.name}` : one));

describe('events', () => {
  test('of every type are told apart (SV-S7), the initial end by its annotation (SV-S10)', () => {
    const lines = [event('ADDED', small('a')), event('MODIFIED', small('b')), event('DELETED', small('c')), BOOKMARK, INITIAL_END, EXPIRED];
    const { heard, end } = read(`${lines.join('\n')}\n`);
    expect(namesOf(heard)).toEqual([
      'ADDED a',
      'MODIFIED b',
      'DELETED c',
      { bookmark: '730', initialEnd: false },
      { bookmark: '286', initialEnd: true },
      { status: { code: 410, reason: 'Expired', message: 'too old resource version: 298 (303)', retryAfterSeconds: null, causes: [], continueToken: null } },
    ]);
    expect(end).toBe('complete');
  });

  test('give the same bytes with and without kind and apiVersion in the object', () => {
    const { heard } = read(`${event('ADDED', BUILT_IN_OBJECT)}\n${event('ADDED', BUILT_IN_ITEM)}\n`);
    expect(heard).toHaveLength(2);
    expect(heard[0]).toEqual(heard[1]);
  });

  test('may have the type after the object, escapes in keys and type, more members and any white space', () => {
    const lines = [
      `{"object":${small('a')},"type":"ADDED"}`,
      ` { "\\u0074ype" : "MODIF\\u0049ED" ,\t"extra" : [ {} ] , "obj\\u0065ct" : ${small('b')} } \r`,
      `{"type":"ERROR","object":${small('x')},"object":${small('c')},"type":"DELETED"}`,
      `{"type":"ADDED","object":${small('x')},"type":"ERROR","object":${small('d')},"type":"DELETED"}`,
    ];
    expect(namesOf(read(`${lines.join('\n')}\n`).heard)).toEqual(['ADDED a', 'MODIFIED b', 'DELETED c', 'DELETED d']);
  });

  test('may end in CRLF, have blank lines between, and come several in a chunk', () => {
    const stream = `\n\r\n${event('ADDED', small('a'))}\r\n\r\n  \n${event('ADDED', small('b'))}\n\n`;
    expect(namesOf(read(stream).heard)).toEqual(['ADDED a', 'ADDED b']);
  });

  test('of a small stream split at every byte, and into single bytes, are the same', () => {
    const stream = `${event('ADDED', small('é'))}\r\n${BOOKMARK}\nbroken {\n${event('DELETED', small('b'))}\n${EXPIRED}\n`;
    const whole = read(stream);
    expect(whole.heard).toHaveLength(5);
    const length = Buffer.byteLength(stream);
    for (let cut = 0; cut <= length; cut++) expect(read(stream, [cut])).toEqual(whole);
    expect(
      read(
        stream,
        Array.from({ length }, (_, i) => i),
      ),
    ).toEqual(whole);
  });

  test('of 1.5 MB over many chunks are read', () => {
    const big = `{"metadata":{"name":"big","uid":"u","resourceVersion":"1"},"data":"${'é\\n'.repeat(400_000)}"}`;
    const stream = `${event('ADDED', small('a'))}\n${event('MODIFIED', big)}\n${event('ADDED', small('b'))}\n`;
    const cuts = Array.from({ length: 200 }, (_, i) => i * 16_384);
    const { heard } = read(stream, cuts);
    expect(namesOf(heard)).toEqual(['ADDED a', 'MODIFIED big', 'ADDED b']);
    expect(withoutTexts(heard)).toStrictEqual(readByParsing(stream));
  });
});

describe('an ERROR event', () => {
  test('brings the causes, by reason or else by message (RF-S4), and the wait', () => {
    const status = {
      code: 504,
      reason: 'Timeout',
      message: 'Too large',
      details: { retryAfterSeconds: 1, causes: [{ reason: 'ResourceVersionTooLarge', message: 'x' }, { message: 'Too large resource version' }] },
    };
    expect(read(`${event('ERROR', JSON.stringify(status))}\n`).heard).toEqual([
      {
        status: {
          code: 504,
          reason: 'Timeout',
          message: 'Too large',
          retryAfterSeconds: 1,
          causes: ['ResourceVersionTooLarge', 'Too large resource version'],
          continueToken: null,
        },
      },
    ]);
  });

  test.each(['null', '7', '{"code":"x","details":[],"metadata":null}', '{"details":{"causes":[null,1,{}]}}'])(
    'with %s as its status is still an error',
    (object) => {
      expect(read(`${event('ERROR', object)}\n`).heard).toEqual([
        { status: { code: 0, reason: '', message: '', retryAfterSeconds: null, causes: [], continueToken: null } },
      ]);
    },
  );
});

describe('a line that cannot be read is reported alone, the next one is heard (RF-S14)', () => {
  test.each([
    ['not JSON', 'upstream connect error', 'Cannot read JSON of a watch line: expected a watch event at offset 0, found "u"'],
    [
      'cut off',
      '{"type":"ADDED","object":{"metadata":{',
      'Cannot read JSON of a watch line: expected more of the event at offset 38, found the end of the line',
    ],
    ['something after it', `${event('ADDED', small('x'))}}`, 'Cannot read JSON of a watch line: expected the end of the line at offset 146, found "}"'],
    ['no object', '{"type":"ADDED"}', 'Cannot read JSON of a watch line: expected "object" at offset 16, found an event without it'],
    ['null object', event('ADDED', 'null'), 'Cannot read JSON of a watch line: expected an object at offset 25, found "n"'],
    ['null object before its type', '{"object":null,"type":"ADDED"}', 'Cannot read JSON of a watch line: expected an object at offset 10, found "n"'],
    ['no type', `{"object":${small('x')}}`, 'Cannot read a watch line of kind Pod: it has no event type that is known'],
    ['an unknown type', event('RESYNC', small('x')), 'Cannot read a watch line of kind Pod: it has no event type that is known'],
    ['a type that is no string', `{"type":7,"object":${small('x')}}`, 'Cannot read a watch line of kind Pod: it has no event type that is known'],
    ['no uid', event('ADDED', '{"metadata":{"name":"x","namespace":"n"}}'), 'Cannot read n/x of kind Pod: metadata.uid is missing'],
    ['a Table', event('ADDED', '{"kind":"Table","rows":[]}'), 'Cannot read an object of kind Pod: kind is "Table", but "Pod" was asked for'],
    [
      'a bookmark without a revision',
      event('BOOKMARK', '{"metadata":{}}'),
      'Cannot read a bookmark of kind Pod: metadata.resourceVersion is not a positive decimal number',
    ],
  ])('%s', (_, line, damaged) => {
    const { heard, end } = read(`${event('ADDED', small('a'))}\n${line}\n${event('ADDED', small('b'))}\n`);
    expect(namesOf(heard)).toEqual(['ADDED a', { damaged }, 'ADDED b']);
    expect(end).toBe('complete');
  });
});

test('a damaged line tells its type as far as it said so: a DELETED that cannot be read must not be lost', () => {
  const types: (string | null)[] = [];
  const reader = new WatchReader({ ...POD, onEvent: () => {}, onBookmark: () => {}, onError: () => {}, onDamaged: (_, type) => types.push(type) });
  const lines = [
    event('DELETED', '{}'),
    event('DELETED', '{"a"'),
    '{"object":{"metadata":null},"type":"DELETED"}',
    event('BOOKMARK', '{}'),
    event('ERROR', '{"a"'),
    event('GONE', '{}'),
    'x',
    '{"object":{}}',
  ];
  for (const line of lines) reader.push(Buffer.from(`${line}\n`));
  expect(types).toEqual(['DELETED', 'DELETED', 'DELETED', null, null, null, null, null]);
});

describe('the end of the stream', () => {
  const line = event('ADDED', small('a'));

  test('in the middle of a line is told, wherever it is, and nothing of the line is heard', () => {
    for (let length = 1; length < line.length; length++)
      expect(read(`${BOOKMARK}\n${line.slice(0, length)}`)).toEqual({ heard: [{ bookmark: '730', initialEnd: false }], end: 'truncated' });
  });

  test('after a whole event without its newline loses nothing', () => {
    expect(namesOf(read(line).heard)).toEqual(['ADDED a']);
    expect(read(EXPIRED)).toMatchObject({ end: 'complete', heard: [{ status: { code: 410 } }] });
  });

  test('after a line, a blank or nothing is complete', () => {
    for (const stream of ['', '\n', ' \r', `${line}\n`, `${line}\n \t`]) expect(read(stream).end).toBe('complete');
  });

  test('after a line that no more bytes could mend reports it as damaged', () => {
    expect(read('{"type" "ADDED"')).toEqual({
      end: 'complete',
      heard: [{ damaged: 'Cannot read JSON of a watch line: expected ":" after a key at offset 8, found """' }],
    });
  });
});

describe('the bound', () => {
  test('ends the stream at a line that passes it, whole or in pieces', () => {
    const line = `${event('ADDED', small('x'.repeat(1000)))}\n`;
    for (const cuts of [[], [700], Array.from({ length: 30 }, (_, i) => i * 40)]) {
      const heard: Heard[] = [];
      const reader = readerInto(heard, 1000);
      reader.push(Buffer.from(`${BOOKMARK}\n`));
      expect(() => inPieces(Buffer.from(line), cuts, (piece) => reader.push(piece))).toThrow(JsonError);
      expect(heard).toHaveLength(1);
    }
  });

  test('does not count the stream, only a line', () => {
    const heard: Heard[] = [];
    const reader = readerInto(heard, 400);
    for (let i = 0; i < 100; i++) inPieces(Buffer.from(`${event('ADDED', small(`p${i}`))}\n`), [i], (piece) => reader.push(piece));
    expect(heard).toHaveLength(100);
  });

  test('an error of a callback comes through as it is', () => {
    const boom = new JsonErrorLookalike('boom');
    const throws = (): never => {
      throw boom;
    };
    const reader = new WatchReader({ ...POD, onEvent: throws, onBookmark: throws, onError: throws, onDamaged: throws });
    for (const line of [event('ADDED', small('a')), BOOKMARK, EXPIRED, 'x']) expect(() => reader.push(Buffer.from(`${line}\n`))).toThrow(boom);
  });
});

class JsonErrorLookalike extends Error {}

test('hears what split, trim and JSON.parse hear, and the same for every cut into chunks', () => {
  const type = fc.constantFrom('ADDED', 'MODIFIED', 'DELETED', 'UNKNOWN').chain(spelling);
  const line = fc
    .tuple(
      type,
      fc.oneof({ weight: 5, arbitrary: anyPod(ONE_LINE) }, { weight: 1, arbitrary: anyValue(ONE_LINE, 1) }),
      fc.boolean(),
      fc.array(anyValue(ONE_LINE, 1), { maxLength: 1 }),
    )
    .chain(([typeText, object, typeFirst, extra]) => {
      const members: (readonly [string, string])[] = [
        ['"type"', typeText],
        ['"object"', object],
      ];
      return written([...(typeFirst ? members : members.reverse()), ...extra.map((value) => ['"extra"', value] as const)], ONE_LINE);
    });
  const noise = fc.oneof(space(ONE_LINE), fc.constantFrom('{', 'x', '{}', '[]', 'null', '{"type":"ADDED"}'));
  const stream = fc
    .array(fc.oneof({ weight: 4, arbitrary: line }, { weight: 1, arbitrary: noise }), { maxLength: 5 })
    .map((lines) => lines.map((one) => `${one}\n`).join(''));
  fc.assert(
    fc.property(stream, fc.array(fc.nat(), { maxLength: 12 }), (text, cuts) => {
      const whole = read(text);
      expect(withoutTexts(whole.heard)).toStrictEqual(withoutTexts(readByParsing(text)));
      expect(read(text, cuts)).toEqual(whole);
    }),
    { numRuns: 1000 },
  );
});
