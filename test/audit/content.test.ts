import { expect, test } from 'vitest';
import { Reducer } from '../../src/audit/content.ts';
import { ObjectScanner } from '../../src/json/scanner.ts';
import type { ObjectKey } from '../../src/model/key.ts';
import type { StoredObject } from '../../src/storage/storage.ts';
import { planOf } from '../mirror/world.ts';

const METADATA = '"metadata":{"namespace":"shop","name":"a","uid":"u1","resourceVersion":"7"}';
const LIVE = `{"kind":"ConfigMap","apiVersion":"v1",${METADATA},"data":{"b":"1","a":"2"},"list":[3,1.0]}`;

function verdict(reencodes: boolean, body: string): 'equal' | 'other' {
  const reducer = new Reducer(planOf(), new Uint8Array(), reencodes);
  const scanner = new ObjectScanner({ kind: 'ConfigMap', apiVersion: 'v1' });
  const bytes = Buffer.from(LIVE);
  scanner.scan(bytes, 0, bytes.length);
  const live = reducer.live(scanner);
  const row: StoredObject = {
    key: 'shop/a' as ObjectKey,
    uid: 'u1',
    revision: '7',
    apiVersion: 'v1',
    kind: 'ConfigMap',
    body: Buffer.from(body),
    writtenAt: 0,
  };
  return reducer.row(row, live).content === live?.content ? 'equal' : 'other';
}

test('bodies are compared by their bytes, and as JSON where storage keeps documents in a form of its own', () => {
  const other = `{"apiVersion":"v1","data":{"a":"2","b":"1"},"kind":"ConfigMap","list":[3,1],${METADATA}}`;
  expect([verdict(false, LIVE), verdict(false, other)]).toEqual(['equal', 'other']);
  expect([verdict(true, LIVE), verdict(true, other)]).toEqual(['equal', 'equal']);
});

test('where bodies are compared as JSON another value, another order of a list and no JSON at all are differences', () => {
  for (const changed of [LIVE.replace('"2"', '"3"'), LIVE.replace('[3,1.0]', '[1.0,3]'), LIVE.slice(0, -1)]) expect(verdict(true, changed)).toBe('other');
});
