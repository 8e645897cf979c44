import { expect, test } from 'vitest';
import { withoutCredentials, withoutQuotes } from '../../src/kit/foreign-text.ts';

test.each([
  ['pods is forbidden: User "x" cannot list resource "pods"', 'pods is forbidden: User "x" cannot list resource "pods"'],
  ['cannot pass on: authorization: Bearer abc.def-1', 'cannot pass on: authorization: Bearer ***'],
  ['got "Authorization: Basic dTpw", closing', 'got "Authorization: Basic ***", closing'],
  ['invalid bearer token', 'invalid bearer token'],
  ['basic auth is off', 'basic auth is off'],
  ['token eyJhbGciOi.eyJpc3Mi.c2ln expired', 'token *** expired'],
])('credentials are taken out of %j', (text, shown) => {
  expect(withoutCredentials(text)).toBe(shown);
});

const SENT = '{"data":{"metadata":{"name":"web-7d4b9c"},"spec":{"password":"hunter2-hunter2"}}}';

test.each([
  ['storage is read-only', 'storage is read-only'],
  ['object to insert too large. size in bytes: 17000000, max size: 16777216', 'object to insert too large. size in bytes: 17000000, max size: 16777216'],
  [
    'E11000 duplicate key error collection: dynamic.Pod index: x dup key: { "clusterId": "a" }',
    'E11000 duplicate key error collection: dynamic.Pod index: x dup key: …',
  ],
  ['cannot store hunter2-hunter2', 'cannot store …'],
  ['invalid value (hunter2-hunter2), try again', 'invalid value (…), try again'],
  [`unmarshal ${SENT}`, 'unmarshal …'],
  ['near "password":"hunter2-hunter2"}}}', 'near …'],
  ['who is Bearer abc? {"a":1}', 'who is Bearer *** …'],
])('what was sent is taken out of %j', (text, shown) => {
  expect(withoutQuotes(text, Buffer.from(SENT))).toBe(shown);
  expect(withoutQuotes(text, SENT)).toBe(shown);
});

test('without knowing what was sent, JSON and credentials are taken out all the same', () => {
  expect(withoutQuotes(`unmarshal ${SENT}`, undefined)).toBe('unmarshal …');
  expect(withoutQuotes('cannot store hunter2-hunter2', undefined)).toBe('cannot store hunter2-hunter2');
});
