import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { compileRules, planKind } from '../../../src/config/rules.ts';
import { bodyHash, documentBody } from '../../../src/storage/bcs/documents.ts';
import { createTransform } from '../../../src/transform/transform.ts';
import { PODS } from '../build.ts';
import { WEAKNESSES } from './weaknesses.ts';

const TEST = fileURLToPath(new URL('../../', import.meta.url));
/** The rows of table 4.1. */
const ROWS = 36;

/** Numbers of table 4.1 in the titles of the tests of a file. */
function numbersIn(path: string): ReadonlySet<number> {
  const text = readFileSync(TEST + path, 'utf8');
  const found = new Set<number>();
  // A title is a text on a line that opens a test or a group, or that ends a table of cases.
  for (const [, title = ''] of text.matchAll(/(?:\b(?:test|describe)\(|\]\)\()\s*(['"`](?:(?!['"`],).)*)/g))
    for (const [, list = ''] of title.matchAll(/4\.1 ((?:#\d+(?:, )?)+)/g)) for (const [, number] of list.matchAll(/#(\d+)/g)) found.add(Number(number));
  return found;
}

const tests = readdirSync(TEST, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.test.ts'));

test('every row of table 4.1 is shown by the tests that name it in their titles, or there is a reason why it cannot apply', () => {
  expect(WEAKNESSES.map(({ number }) => number)).toEqual(Array.from({ length: ROWS }, (_, index) => index + 1));
  const numbers = new Map(tests.map((path) => [path, numbersIn(path)]));
  for (const row of WEAKNESSES) {
    if ('doesNotApply' in row) {
      expect(row.doesNotApply.length, `#${row.number}`).toBeGreaterThan(20);
      continue;
    }
    expect(row.shownIn.length, `#${row.number}`).toBeGreaterThan(0);
    for (const path of row.shownIn) expect(numbers.get(path)?.has(row.number), `a title with "4.1 #${row.number}" in test/${path}`).toBe(true);
  }
});

test('no title names a row that is not in the table, or one that it does not list the file for', () => {
  const listed = new Map(WEAKNESSES.map((row) => [row.number, 'shownIn' in row ? row.shownIn : []]));
  const wrong = tests.flatMap((path) =>
    [...numbersIn(path)].filter((number) => listed.get(number)?.includes(path) !== true).map((number) => `#${number} in ${path}`),
  );
  expect(wrong).toEqual([]);
});

test('4.1 #20: masks, labels and the body of a request are made of copies: the bytes of an object that others read stay as they are', () => {
  const text = '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"web","uid":"u","resourceVersion":"5"},"spec":{"token":"geheim"}}';
  const bytes = Buffer.from(text);
  const rules = compileRules(loadConfig({ text: 'resources: [{ kinds: [pods], mask: [spec.token] }]', file: 'x' }));
  const transform = createTransform(planKind(PODS, rules), { secretKey: new Uint8Array(32) });
  const object = { namespace: 'web', name: 'a', uid: 'u', revision: '5', size: bytes.length, writtenAt: () => null, owner: () => null };
  const result = transform?.apply({ ...object, copyTo: (target: Uint8Array, at: number) => target.set(bytes, at) });
  if (result?.keep !== true) throw new Error('the object is to be kept');
  const masked = Buffer.alloc(result.source.size);
  result.source.copyTo(masked, 0);
  expect(masked.toString()).toContain('"token":"***"');
  const body = documentBody(bytes);
  body.fill(0);
  bodyHash(bytes);
  expect(bytes.toString()).toBe(text);
});
