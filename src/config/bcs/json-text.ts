import { LineCounter, parseDocument } from 'yaml';
import { type KeyPath, locate, type Problem } from '../problems.ts';

/** JSON text that was read, and where its values stand. */
export interface JsonText {
  readonly value: unknown;
  /** Line and column, counted from 1, of the value at a path; null when it cannot be told. */
  placeOf(path: KeyPath): Problem['origin'];
}

/** Reads strict JSON, or says what is wrong and where. The text itself is never quoted: it may hold a password. */
export function readJson(text: string): JsonText | { readonly problem: Problem } {
  const json = text.replace(/^\uFEFF/, '');
  try {
    return { value: JSON.parse(json) as unknown, placeOf: (path) => place(json, path) };
  } catch {
    const { at, expected } = firstFault(json);
    const before = json.slice(0, at).split('\n');
    const found = at >= json.length ? 'the end of the file' : /[\s\w"]/.test(json[at] ?? '') ? 'something else' : JSON.stringify(json[at]);
    return {
      problem: { origin: { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }, text: `not valid JSON: expected ${expected}, found ${found}.` },
    };
  }
}

/** JSON is YAML, as far as places go. */
function place(json: string, path: KeyPath): Problem['origin'] {
  try {
    const lines = new LineCounter();
    return locate(parseDocument(json, { lineCounter: lines, prettyErrors: false }), lines, path, 'value');
  } catch {
    return null;
  }
}

type Expected = 'value' | 'value or ]' | 'key' | 'key or }' | 'colon' | 'next' | 'end';

const WORDS: Readonly<Record<Expected, string>> = {
  value: 'a value',
  'value or ]': 'a value or "]"',
  key: 'a key in double quotes',
  'key or }': 'a key in double quotes or "}"',
  colon: '":"',
  next: '"," or a closing bracket',
  end: 'the end of the file',
};

const BLANK = /[ \t\r\n]*/y;
const STRING = /"(?:[^"\\\t\r\n]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = /true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;

/** Where the first fault of a text is that JSON.parse refused: the runtime itself tells no place for most. */
function firstFault(text: string): { readonly at: number; readonly expected: string } {
  const open: ('{' | '[')[] = [];
  let expected: Expected = 'value';
  let at = 0;
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found !== null) at = pattern.lastIndex;
    return found !== null;
  };
  for (;;) {
    take(BLANK);
    const next = text[at];
    const refused = { at, expected: WORDS[expected] };
    if (expected === 'end') return refused;
    if (expected === 'colon') {
      if (next !== ':') return refused;
      at++;
      expected = 'value';
    } else if (expected === 'key' || expected === 'key or }') {
      if (take(STRING)) expected = 'colon';
      else if (next !== '}' || expected === 'key') return refused;
      else close();
    } else if (expected === 'next') {
      if (next === ',') {
        at++;
        expected = open.at(-1) === '{' ? 'key' : 'value';
      } else if (next === (open.at(-1) === '{' ? '}' : ']')) close();
      else return refused;
    } else if (next === '{' || next === '[') {
      at++;
      open.push(next);
      expected = next === '{' ? 'key or }' : 'value or ]';
    } else if (next === ']' && expected === 'value or ]') close();
    else if (take(STRING) || take(SCALAR)) expected = open.length === 0 ? 'end' : 'next';
    else return refused;
  }

  function close(): void {
    at++;
    open.pop();
    expected = open.length === 0 ? 'end' : 'next';
  }
}
