import { expect, test } from 'vitest';
import { POOL_QUERIES, type PoolQuery, poolPath, readAnswer } from '../../src/netservice/answer.ts';

const [STATIC, DETAIL] = POOL_QUERIES as readonly [PoolQuery, PoolQuery];

function read(query: PoolQuery, body: string, status = 200): string {
  const answer = readAnswer(query, status, Buffer.from(body));
  return 'data' in answer ? answer.data.toString() : `problem: ${answer.problem}`;
}

test('the two queries are those of the old program, with the name of the cluster escaped', () => {
  expect(POOL_QUERIES.map((query) => [query.document, query.type, poolPath('BCS-K8S-1', query), poolPath('a/b?c', query)])).toEqual([
    ['IPPoolStatic', 9, '/v1/pool/BCS-K8S-1', '/v1/pool/a%2Fb%3Fc'],
    ['IPPoolStaticDetail', 5, '/v1/pool/BCS-K8S-1?info=detail', '/v1/pool/a%2Fb%3Fc?info=detail'],
  ]);
});

test('data comes out byte by byte: numbers keep their digits and keys their order', () => {
  const data = '{ "poolnum":1, "activeip": 12345678901234567890, "reservedip":1.0 }';
  expect(read(STATIC, `{"type":9,"code":0,"message":"ok","poolStatic":{"x":1},"data":${data}}`)).toBe(data);
  expect(read(DETAIL, '{"data":[{"net":"10.0.0.0"}],"code":0,"type":5}')).toBe('[{"net":"10.0.0.0"}]');
});

test('no pools are what Go makes of them, for the detailed query alone', () => {
  expect(read(DETAIL, '{"type":5,"code":0,"data":null}')).toBe('null');
  expect(read(STATIC, '{"type":9,"code":0,"data":null}')).toMatch(/problem: answered with "data" that is not an object/);
});

test.each<[string, PoolQuery, string, number, RegExp]>([
  ['the other type', STATIC, '{"type":5,"code":0,"data":[]}', 200, /answered type 5 where 9 was asked for, so this is no IPPoolStatic:/],
  ['no type', DETAIL, '{"code":0,"data":[]}', 200, /answered type none where 5 was asked for, so this is no IPPoolStaticDetail:/],
  ['a type that is a text', DETAIL, '{"type":"5","code":0,"data":[]}', 200, /answered type none where 5/],
  ['a code that is not 0', STATIC, '{"type":9,"code":1,"message":"no such cluster","data":{}}', 200, /answered code 1: no such cluster$/],
  ['an envelope of something else', STATIC, '{"result":true,"data":{}}', 200, /without a number "code": is this the address of a NetService\?/],
  ['no data', STATIC, '{"type":9,"code":0}', 200, /answered without "data"/],
  ['data of another shape', DETAIL, '{"type":5,"code":0,"data":{}}', 200, /"data" that is not a list/],
  ['a page of a proxy', STATIC, '<html>', 200, /answered 6 bytes that are not what a NetService says/],
  ['half an answer', STATIC, '{"type":9,"code":0,"data":{', 200, /the JSON ends too early/],
  ['nothing', STATIC, '', 200, /answered 0 bytes/],
  ['a status beside a good body', STATIC, '{"type":9,"code":0,"data":{}}', 503, /^problem: answered HTTP 503$/],
])('%s is told and gives no data', (_what, query, body, status, problem) => {
  expect(read(query, body, status)).toMatch(/^problem: /);
  expect(read(query, body, status)).toMatch(problem);
});

test('a long message is cut', () => {
  expect(read(STATIC, `{"type":9,"code":7,"message":"${'x'.repeat(10_000)}"}`).length).toBeLessThan(400);
});
