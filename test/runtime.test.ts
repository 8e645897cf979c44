import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly engines: { readonly node: string };
};

test('the tests run on the runtime that the development dependency pins, whatever Node started npm', () => {
  expect(process.version).toBe(`v${manifest.devDependencies['node']}`);
  const [, oldest] = /^>=(\d+)$/.exec(manifest.engines.node) ?? [];
  expect(Number(process.versions.node.split('.')[0])).toBeGreaterThanOrEqual(Number(oldest));
});

test('vitest is pinned to one exact version, for its coverage tool must be the very same', () => {
  expect(manifest.devDependencies['vitest']).toMatch(/^\d+\.\d+\.\d+$/);
});
