import { expect, test } from 'vitest';
import { parseJsonPath } from '../../src/read/json-path.ts';

const OBJECT = {
  metadata: { labels: { 'a.b/c': 'dotted' } },
  spec: {
    size: 3,
    list: [
      { name: 'x', on: false },
      { name: 'y', on: true },
    ],
  },
  status: {
    conditions: [
      { type: 'Synced', status: 'False' },
      { type: 'Ready', status: 'True' },
    ],
  },
};

test.each([
  ['.spec.size', 3],
  ['{.spec.size}', 3],
  ['$.spec.size', 3],
  ['.metadata.labels.a\\.b/c', 'dotted'],
  [".metadata.labels['a.b/c']", 'dotted'],
  ['.spec.list[1].name', 'y'],
  ['.spec.list[-1].name', 'y'],
  ['.spec.list[*].name', 'x'],
  ['.status.conditions[?(@.type=="Ready")].status', 'True'],
  [".status.conditions[?(@.type=='Ready')].status", 'True'],
  ['.status.conditions[?(@.type != "Synced")].status', 'True'],
  ['.spec.list[?(@.on==true)].name', 'y'],
  ['.spec.nothing.below', undefined],
  ['.spec.list[7]', undefined],
  ['.spec.constructor', undefined],
])('%s finds %j', (path, value) => {
  expect(parseJsonPath(path)?.first(OBJECT)).toBe(value);
});

test('a path beyond the simple ones is refused, not guessed', () => {
  for (const path of ['.spec[?(@.a > 3)]', '.spec[', '.spec..x', '.spec.list[0:2]']) expect(parseJsonPath(path)).toBe(null);
});
