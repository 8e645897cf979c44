import { expect, test } from 'vitest';
import { ConfigInUse } from '../../src/config/in-use.ts';

test('without a file there is no version, and nothing to tell', () => {
  const { status, warnings } = new ConfigInUse(null);
  expect(status).toEqual({ version: null, appliedAt: null, waitsForRestart: [], refused: null });
  expect(warnings).toEqual([]);
});

test('a refused version leaves the one in use whole, and says why until another one is applied', () => {
  const inUse = new ConfigInUse('a');
  inUse.applied('b', 1_000, ['storage.url']);
  inUse.refuse('c', 'workers.pods must be 1 or more');
  expect(inUse.status).toEqual({
    version: 'b',
    appliedAt: 1_000,
    waitsForRestart: ['storage.url'],
    refused: { version: 'c', error: 'workers.pods must be 1 or more' },
  });
  expect(inUse.warnings).toEqual([
    'configuration c is refused as a whole, the one before it stays: workers.pods must be 1 or more',
    'changed in the configuration, but in use only after a restart: storage.url',
  ]);
  inUse.applied('d', 2_000, []);
  expect(inUse.status).toEqual({ version: 'd', appliedAt: 2_000, waitsForRestart: [], refused: null });
  expect(inUse.warnings).toEqual([]);
});
