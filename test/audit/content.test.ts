import { hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Reducer } from '../../src/audit/content.ts';
import { ObjectScanner } from '../../src/json/scanner.ts';
import type { ObjectKey } from '../../src/model/key.ts';
import type { StoredObject } from '../../src/storage/storage.ts';
import { parsePath } from '../../src/transform/paths.ts';
import { createTransform } from '../../src/transform/transform.ts';
import { annotateWorkload } from '../../src/transform/workload.ts';
import { planOf } from '../mirror/world.ts';

const METADATA = '"metadata":{"namespace":"shop","name":"a","uid":"u1","resourceVersion":"7"}';
const LIVE = `{"kind":"ConfigMap","apiVersion":"v1",${METADATA},"data":{"b":"1","a":"2"},"list":[3,1.0]}`;
const ROW = { key: 'shop/a' as ObjectKey, uid: 'u1', revision: '7', apiVersion: 'v1', kind: 'ConfigMap', writtenAt: 0 };

function verdict(reencodes: boolean, body: string): 'equal' | 'other' {
  const reducer = new Reducer(planOf(), new Uint8Array(), reencodes);
  const scanner = new ObjectScanner({ kind: 'ConfigMap', apiVersion: 'v1' });
  const bytes = Buffer.from(LIVE);
  scanner.scan(bytes, 0, bytes.length);
  const live = reducer.live(scanner);
  return reducer.row({ ...ROW, body: Buffer.from(body) }, live).content === live?.content ? 'equal' : 'other';
}

test('bodies are compared by their bytes, and as JSON where storage keeps documents in a form of its own', () => {
  const other = `{"apiVersion":"v1","data":{"a":"2","b":"1"},"kind":"ConfigMap","list":[3,1],${METADATA}}`;
  expect([verdict(false, LIVE), verdict(false, other)]).toEqual(['equal', 'other']);
  expect([verdict(true, LIVE), verdict(true, other)]).toEqual(['equal', 'equal']);
});

test('where bodies are compared as JSON another value, another order of a list and no JSON at all are differences', () => {
  for (const changed of [LIVE.replace('"2"', '"3"'), LIVE.replace('[3,1.0]', '[1.0,3]'), LIVE.slice(0, -1)]) expect(verdict(true, changed)).toBe('other');
});

test.each([
  ['a value that the rule hides', { mask: [parsePath('data.a')] }],
  ['a value that the rule hides, where a change is ignored', { mask: [parsePath('data.a')], ignoreChanges: [parsePath('data.b')] }],
  ['a field that the rule takes out', { remove: [{ path: parsePath('data.a'), namespaces: null }] }],
  ['no label that the rule sets', { setLabels: { a: 'b' } }],
  ['another value of a label that the rule sets', { setLabels: { a: 'b' } }, '"labels":{"a":"c"},'],
])('a row that has %s is not the row of its object, although the rule would make it so', (_, rule, more = '') => {
  const reducer = new Reducer(planOf(rule), new Uint8Array(), false);
  const scanner = new ObjectScanner({ kind: 'ConfigMap', apiVersion: 'v1' });
  const object = (text: string): StoredObject => ({ ...ROW, body: Buffer.from(text) });
  const scanned = (text: string): ObjectScanner => {
    scanner.scan(Buffer.from(text), 0, Buffer.byteLength(text));
    return scanner;
  };
  const untouched = LIVE.replace('"uid"', `${more}"uid"`);
  const live = reducer.live(scanned(LIVE));
  expect(reducer.row(object(untouched), live)).toMatchObject({ damage: expect.stringContaining('not in the form that its rule gives') });
  const made = createTransform(planOf(rule), { secretKey: new Uint8Array() })?.apply(scanned(LIVE));
  const bytes = Buffer.alloc(made?.keep === true ? made.source.size : 0);
  if (made?.keep === true) made.source.copyTo(bytes, 0);
  expect(reducer.row(object(bytes.toString()), live)).toMatchObject({ damage: null, content: live?.content });
  // Nothing is known of its object: the form alone is told.
  expect(reducer.row(object(bytes.toString()), null).damage).toBe(null);
});

describe('where the rule asks for the top workload', () => {
  const POD_METADATA = '"name":"a","namespace":"shop","uid":"u1","resourceVersion":"7"';
  const pod = (annotations: string, data = '{"a":"1"}'): string =>
    `{"kind":"ConfigMap","apiVersion":"v1","metadata":{${annotations}${POD_METADATA}},"data":${data}}`;
  const written = (text: string, name = 'web'): string => Buffer.from(annotateWorkload(Buffer.from(text), { kind: 'Deployment', name })).toString();

  function judged(live: string, body: string, rule: object = {}, more: Partial<StoredObject> = {}): string {
    const reducer = new Reducer(planOf({ annotateWorkload: true, ...rule }), new Uint8Array(), false);
    const scanner = new ObjectScanner({ kind: 'ConfigMap', apiVersion: 'v1' });
    const bytes = Buffer.from(live);
    scanner.scan(bytes, 0, bytes.length);
    const seen = reducer.live(scanner);
    const row = reducer.row({ ...ROW, body: Buffer.from(body), ...more }, seen);
    return row.damage ?? (row.content === seen?.content ? 'equal' : 'other');
  }

  test.each([
    ['an object without annotations', ''],
    ['an object with others', '"annotations":{"x":"1"},'],
    ['an object with empty ones', '"annotations":{},'],
    ['an object whose annotations are null', '"annotations":null,'],
    ['an object that has one of the two itself', '"annotations":{"x":"1","workload.bkbcs.tencent.com/name":"mine"},'],
  ])('a row of %s differs by nothing, with them, with others, and without', (_name, annotations) => {
    const live = pod(annotations);
    for (const rule of [{}, { ignoreChanges: [parsePath('data.b')] }, { mask: [parsePath('data.a')] }]) {
      const masked = 'mask' in rule ? live.replace('"1"}}', '"***"}}') : live;
      expect(judged(live, written(masked), rule)).toBe('equal');
      expect(judged(live, written(written(masked), 'other'), rule)).toBe('equal');
    }
    expect(judged(live, live)).toBe('equal');
  });

  test.each([
    ['another value beside them', written(pod('', '{"a":"2"}'))],
    ['another annotation more', written(pod('"annotations":{"y":"1"},'))],
    ['one annotation less', written(pod(''))],
    [
      'another order of bytes',
      written(pod('"annotations":{"x":"1"},').replace('"kind":"ConfigMap","apiVersion":"v1"', '"apiVersion":"v1","kind":"ConfigMap"')),
    ],
  ])('%s is a difference', (_name, body) => {
    expect(judged(pod('"annotations":{"x":"1"},'), body)).toBe('other');
  });

  test('the hash of a row is that of its whole body, annotations included', () => {
    const live = pod('');
    const hashOf = (text: string): string => hash('sha256', Buffer.from(text), 'hex').slice(0, 32);
    expect(judged(live, written(live), {}, { hash: hashOf(written(live)) })).toBe('equal');
    expect(judged(live, written(live, 'tampered'), {}, { hash: hashOf(written(live)) })).toContain('hash');
  });

  test('and where it does not ask for it, an annotation is content like any other', () => {
    expect(judged(pod(''), written(pod('')), { annotateWorkload: false })).toBe('other');
  });
});
