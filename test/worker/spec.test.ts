import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const RULE = /\b(?:ST|SI|CT)-[ST]\d+\b/g;
const ROOMS = ['cache', 'worker', 'mirror'];

function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}

function section(page: string, from: string, to: string): string {
  const text = read(page);
  expect(text).toContain(from);
  expect(text).toContain(to);
  return text.slice(text.indexOf(from), text.indexOf(to));
}

const titles = ROOMS.flatMap((room) =>
  readdirSync(new URL(`../${room}`, import.meta.url))
    .filter((name) => name.endsWith('.test.ts'))
    .flatMap((name) => read(`test/${room}/${name}`).match(/(?:test|describe)(?:\.each\(\w*\))?\(\s*['"`].*/g) ?? []),
).join('\n');

const PAGES = ['src/cache/SPEC.md', 'src/worker/SPEC.md'];

test.each(PAGES)('every rule and every title that the invariants of %s name is in the title of a test', (page) => {
  const invariants = section(page, '## Invariants', '## Rules met otherwise');
  expect([...new Set(invariants.match(RULE))].filter((rule) => !new RegExp(`\\b${rule}\\b`).test(titles))).toEqual([]);
  const quoted = [...invariants.matchAll(/"([^"]+)"/g)].map(([, words = '']) => words);
  expect(quoted.length).toBeGreaterThan(3);
  expect(quoted.filter((words) => !titles.includes(words))).toEqual([]);
});

test('every rule of the store, of handlers and of the controller loop is either proved or given a reason', () => {
  const text = PAGES.map(read).join('\n');
  const all = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`);
  const rules = [...all('ST-S', 6), ...all('SI-S', 12), ...all('CT-S', 20)];
  expect(rules.filter((rule) => !new RegExp(`\\b${rule}\\b`).test(text))).toEqual([]);
});
