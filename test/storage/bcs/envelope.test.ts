import { describe, expect, test } from 'vitest';
import { judge, retryAfterMs } from '../../../src/storage/bcs/envelope.ts';

const answer = (status: number, body: string): ReturnType<typeof judge> => judge({ status, body: Buffer.from(body) });
const failed = (code: number, message = 'x'): string => JSON.stringify({ result: false, code, message, data: {} });

describe('what an answer means', () => {
  test('success is "result": true, whatever else and whichever status below 500', () => {
    for (const status of [200, 201, 302, 404]) {
      const verdict = answer(status, '{"code":0,"result":true,"message":"success","data":{"a":12345678901234567890}}');
      expect(verdict).toMatchObject({ is: 'done', isStale: false });
      expect(verdict.is === 'done' && verdict.data.toString()).toBe('{"a":12345678901234567890}');
    }
    expect(answer(200, '{"result":true}')).toMatchObject({ is: 'done' });
    expect(answer(200, '{"result":true,"stale":true}')).toMatchObject({ is: 'done', isStale: true });
  });

  test('"result": true with an HTTP 500 is doubtful: it may have been done, and is not believed', () => {
    expect(answer(500, '{"result":true}')).toEqual({ is: 'failed', effect: 'unsure', error: expect.stringContaining('"result": true with HTTP 500') });
  });

  test('"result": false is a failure though HTTP says 200; a document that is not there is an answer', () => {
    expect(answer(200, failed(1405082, '(storage):put resource failed. no reachable servers'))).toEqual({
      is: 'failed',
      effect: 'unsure',
      error: 'the service answered HTTP 200, code 1405082: (storage):put resource failed. no reachable servers',
    });
    expect(answer(200, failed(1405087))).toEqual({ is: 'absent' });
  });

  test('what will never be taken is refused: a body that the service cannot read, or that is too large (4.1 #12: nothing is tried for ever)', () => {
    expect(answer(413, '<html>too big</html>')).toMatchObject({ is: 'refused', error: expect.stringContaining('HTTP 413') });
    expect(answer(400, failed(1405080))).toMatchObject({ is: 'refused' });
    expect(answer(200, failed(1405082, 'an inserted document is too large'))).toMatchObject({ is: 'refused' });
    expect(answer(500, failed(1405082, 'no primary'))).toMatchObject({ is: 'failed' });
    expect(answer(400, failed(1405082, 'no primary'))).toMatchObject({ is: 'failed' });
  });

  test.each([
    [200, '', /0 bytes that are not JSON/, 'unsure'],
    [200, '<html></html>', /13 bytes that are not JSON: is this the address of a bcs-storage/, 'unsure'],
    [200, '{"result":true', /not JSON/, 'unsure'],
    [200, '{"result":true}{}', /not JSON/, 'unsure'],
    [200, '[]', /not JSON/, 'unsure'],
    [200, '{"ok":1}', /without "result"/, 'unsure'],
    [502, 'Bad gateway', /HTTP 502/, 'unsure'],
    [404, '404: Page Not Found', /no such route/, 'none'],
    [401, 'no', /storage\.tokenFile/, 'none'],
    [429, 'slow down', /no more requests/, 'none'],
    [503, 'busy', /no more requests/, 'unsure'],
  ])('HTTP %i with %j is no answer of the service, says so and may work later', (status, body, error, effect) => {
    expect(answer(status, body)).toEqual({ is: 'failed', effect, error: expect.stringMatching(error) });
  });

  test('a message never quotes more than 300 characters of what the service says (4.1 #29)', () => {
    const verdict = answer(200, failed(1405082, 'secret '.repeat(1_000)));
    expect(verdict.is === 'failed' && verdict.error.length).toBeLessThan(400);
  });
});

test('Retry-After counts with 429 and 503 only, as seconds or as a date', () => {
  expect(retryAfterMs(429, '7', 0)).toBe(7_000);
  expect(retryAfterMs(503, 'Thu, 01 Jan 1970 00:01:00 GMT', 20_000)).toBe(40_000);
  expect(retryAfterMs(503, 'Thu, 01 Jan 1970 00:00:01 GMT', 20_000)).toBe(0);
  expect(retryAfterMs(503, 'soon', 0)).toBeNull();
  expect(retryAfterMs(500, '7', 0)).toBeNull();
  expect(retryAfterMs(429, undefined, 0)).toBeNull();
});
