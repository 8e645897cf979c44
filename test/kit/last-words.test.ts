import { expect, test } from 'vitest';
import { lastWords } from '../../src/kit/last-words.ts';
import { messageOf } from '../../src/model/errors.ts';

/** What the engine says of this text. */
function parseError(text: string): unknown {
  try {
    JSON.parse(text);
  } catch (cause) {
    return cause;
  }
  throw new Error('it was parsed');
}

function urlError(text: string): unknown {
  try {
    return new URL(text);
  } catch (cause) {
    return cause;
  }
}

const SECRET = 'geheim';
const firstLine = (cause: unknown): string => lastWords(cause).split('\n', 1)[0] ?? '';

test.each<readonly [string, unknown, string]>([
  ['a parser that quotes its text', parseError(`{"a":"${SECRET}" x`), 'SyntaxError: Expected … after property value in JSON at position 14 (line 1 column 15)'],
  ['a parser that quotes its text as a whole', parseError(SECRET), 'SyntaxError: Unexpected token …'],
  ['a header in the message', new Error(`refused: Authorization: Bearer ${SECRET}`), 'Error: refused: Authorization: Bearer ***'],
  ['a document in the message', new Error(`cannot store {"password":"${SECRET}"}`), 'Error: cannot store …'],
  ['a value in quotation marks', new TypeError(`Received type string ('${SECRET}') and "${SECRET}"`), 'TypeError: Received type string (…'],
  ['a password in a URL', new TypeError(`Failed to parse URL from http://u:${SECRET}@host/`), 'TypeError: Failed to parse URL from http://***@host/'],
  ['a URL that it keeps as a field', urlError(`http://u:${SECRET}@[`), 'TypeError ERR_INVALID_URL: Invalid URL'],
  [
    'request and headers as fields',
    Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET', headers: { authorization: SECRET } }),
    'Error UND_ERR_SOCKET: other side closed',
  ],
  ['a class with a name that is none', Object.assign(new Error('x'), { name: `${SECRET} "` }), 'Error: x'],
  ['a text that is thrown', SECRET, 'something that is no error was thrown (string)'],
  ['an object that is thrown', { token: SECRET }, 'something that is no error was thrown (object)'],
  ['nothing that is thrown', undefined, 'something that is no error was thrown (undefined)'],
  ['an error without a message', new RangeError(), 'RangeError'],
])('of %s the secret is not said', (_, cause, words) => {
  const first = firstLine(cause);
  expect(first.startsWith(words.replace(/…$/, '')), first).toBe(true);
  expect(lastWords(cause)).not.toContain(SECRET);
});

test('the places in the code are said, of the error and of what caused it, and lines of a message are not taken for places', () => {
  const inner = new Error(`deep\n    at ${SECRET} (tell it)\n    at x (file:///${SECRET} "y":1:2)`);
  const words = lastWords(new Error('outer', { cause: inner }));
  expect(words).toMatch(/^Error: outer\n {4}at .*last-words\.test\.ts:\d+:\d+\)?\n[\s\S]*\ncaused by Error: deep/);
  expect(words.split('\n').filter((line) => line.startsWith('    at ')).length).toBeGreaterThan(2);
  expect(lastWords(Object.assign(new Error(''), { stack: `Error\n    at ${SECRET} (tell it)\n    at f (file:///a.js:1:2)` }))).toBe(
    'Error\n    at f (file:///a.js:1:2)',
  );
});

test('an error that causes itself comes to an end', () => {
  const error = new Error('round');
  error.cause = error;
  expect(lastWords(error).match(/round/g)).toHaveLength(4);
});

test('a message never has a piece of the text that could not be parsed', () => {
  for (const text of [`{"a":${SECRET}}`, SECRET, `{"a":"${SECRET}`, `["${SECRET}" 1]`, `{"${SECRET}":1} ${SECRET}`]) {
    expect(messageOf(parseError(text)), text).not.toMatch(/gehe|heim/);
    expect(messageOf(parseError(text)).length).toBeGreaterThan(20);
  }
});
