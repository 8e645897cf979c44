import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const RULE = /\b(?:WQ|DQ|RL|PQ|MET)-[ST]\d+\b/g;

test('every rule that the invariants of SPEC.md name is in the title of a test', () => {
  const spec = readFileSync(new URL('../../src/queue/SPEC.md', import.meta.url), 'utf8');
  const invariants = spec.slice(spec.indexOf('## Invariants'), spec.indexOf('## The bounds'));
  const wanted = new Set(invariants.match(RULE));
  const titles = readdirSync(new URL('.', import.meta.url))
    .filter((name) => name.endsWith('.test.ts'))
    .flatMap((name) => readFileSync(new URL(name, import.meta.url), 'utf8').match(/(?:test|describe)\(['"`].*/g) ?? []);
  const named = new Set(titles.join('\n').match(RULE));
  expect([...wanted].filter((rule) => !named.has(rule))).toEqual([]);
  expect([...named].filter((rule) => !wanted.has(rule))).toEqual([]);
  const all = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`);
  const rules = [...all('WQ-S', 11), ...all('DQ-S', 8), ...all('PQ-S', 11), ...all('MET-S', 4), 'RL-S1', 'RL-S2', 'RL-S6', 'RL-S7'];
  expect(rules.filter((rule) => !named.has(rule))).toEqual([]);
});
