import { describe, expect, test } from 'vitest';
import { readRefusal, readRetryAfter } from '../../src/cluster/api-error.ts';

const at = { request: 'GET /api/v1/pods', retryAfter: undefined, nowWallMs: Date.UTC(2026, 0, 1) };
const status = (fields: object): string => JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', ...fields });

/** The bodies a real API server sends (read contract, section 10). */
const golden: readonly {
  readonly name: string;
  readonly status: number;
  readonly body: string;
  readonly retryAfter?: string;
  readonly expected: object;
  readonly missing?: string;
}[] = [
  {
    name: '404 of an object',
    status: 404,
    body: status({ message: 'pods "nope" not found', reason: 'NotFound', details: { name: 'nope', kind: 'pods' }, code: 404 }),
    expected: { reason: 'NotFound', message: 'GET /api/v1/pods was refused with 404: pods "nope" not found' },
    missing: 'nope',
  },
  {
    name: '404 of a resource',
    status: 404,
    body: status({ message: 'the server could not find the requested resource', reason: 'NotFound', details: {}, code: 404 }),
    expected: { reason: 'NotFound' },
  },
  {
    name: '404 of a path, plain text',
    status: 404,
    body: '404 page not found\n',
    expected: { reason: '', message: 'GET /api/v1/pods was refused with 404: 404 page not found' },
  },
  {
    name: '400',
    status: 400,
    body: status({ message: "unable to parse requirement: found '' expected: '('", reason: 'BadRequest', code: 400 }),
    expected: { reason: 'BadRequest', continueToken: null },
  },
  {
    name: '410 of a list',
    status: 410,
    body: status({ message: 'The resourceVersion for the provided list is too old.', reason: 'Expired', code: 410 }),
    expected: { reason: 'Expired', continueToken: null },
  },
  {
    name: '410 of a page, with the token to go on inconsistently (SV-S3)',
    status: 410,
    body: status({ metadata: { continue: 'abc.def' }, message: 'The provided continue parameter is too old …', reason: 'Expired', code: 410 }),
    expected: { reason: 'Expired', continueToken: 'abc.def' },
  },
  {
    name: '422',
    status: 422,
    body: status({
      message: 'invalid',
      reason: 'Invalid',
      details: { group: 'meta.k8s.io', kind: 'ListOptions', causes: [{ reason: 'FieldValueForbidden', message: 'Forbidden', field: 'resourceVersionMatch' }] },
      code: 422,
    }),
    expected: { reason: 'Invalid', causes: ['FieldValueForbidden'] },
  },
  {
    name: '504 of a revision in the future, with its header',
    status: 504,
    retryAfter: '1',
    body: status({
      message: 'Timeout: Too large resource version: 999999999, current: 570',
      reason: 'Timeout',
      details: { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }], retryAfterSeconds: 1 },
      code: 504,
    }),
    expected: { reason: 'Timeout', causes: ['ResourceVersionTooLarge'], retryAfterMs: 1000 },
  },
  {
    name: '401',
    status: 401,
    body: status({ message: 'Unauthorized', reason: 'Unauthorized', code: 401 }),
    expected: { reason: 'Unauthorized', retryAfterMs: null },
  },
  {
    name: '403',
    status: 403,
    body: status({
      message: 'pods is forbidden: User "nobody" cannot list resource "pods" in API group "" in the namespace "r5"',
      reason: 'Forbidden',
      details: { kind: 'pods' },
      code: 403,
    }),
    expected: { reason: 'Forbidden' },
  },
  {
    name: '429 of a starting storage, from the body alone',
    status: 429,
    body: status({ message: 'storage is (re)initializing', reason: 'TooManyRequests', details: { retryAfterSeconds: 1 }, code: 429 }),
    expected: { reason: 'TooManyRequests', retryAfterMs: 1000 },
  },
  {
    name: '429 of priority and fairness, plain text with a header',
    status: 429,
    retryAfter: '1',
    body: 'Too many requests, please try again later.\n',
    expected: { reason: '', retryAfterMs: 1000, message: 'GET /api/v1/pods was refused with 429: Too many requests, please try again later.' },
  },
  {
    name: 'a web page of a proxy',
    status: 502,
    body: '<html><body>Bad gateway</body></html>',
    expected: { message: 'GET /api/v1/pods was refused with 502: a web page came back, so this is not an API server or something stands in front of it' },
  },
  { name: 'nothing', status: 500, body: '', expected: { message: 'GET /api/v1/pods was refused with 500', reason: '', causes: [] } },
  { name: 'JSON cut off in the middle', status: 500, body: '{"kind":"Sta', expected: { message: 'GET /api/v1/pods was refused with 500: {"kind":"Sta' } },
];

describe('a refusal is read from', () => {
  for (const { name, status: code, body, retryAfter, expected, missing } of golden) {
    test(name, () => {
      const refusal = readRefusal({ ...at, status: code, body, retryAfter });
      expect(refusal.error).toMatchObject({ status: code, ...expected });
      expect(refusal.missingObject).toBe(missing ?? null);
    });
  }
});

test('Retry-After is seconds or a date; anything else is none', () => {
  const nowWallMs = Date.UTC(2026, 0, 1);
  expect(readRetryAfter('7', nowWallMs)).toBe(7000);
  expect(readRetryAfter('Thu, 01 Jan 2026 00:00:30 GMT', nowWallMs)).toBe(30_000);
  expect(readRetryAfter('Wed, 31 Dec 2025 23:00:00 GMT', nowWallMs)).toBe(0);
  expect(readRetryAfter('soon', nowWallMs)).toBeNull();
  expect(readRetryAfter(undefined, nowWallMs)).toBeNull();
});
