import { expect, test } from 'vitest';
import { UsageError } from '../../src/model/errors.ts';
import { openReader, openStorage } from '../../src/storage/open.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { tempDir } from '../support/temp-dir.ts';
import { key, outcomes, put } from './build.ts';

const options = { cluster: 'prod', clock: new ManualClock() };

test('the URL picks the engine', () => {
  expect(openStorage('sqlite:./kubefold.db', options).name).toBe('sqlite');
  expect(openStorage('memory:', options).name).toBe('memory');
  expect(openStorage('null:', options).name).toBe('null');
});

test('a SQLite URL names a file that is written and read', async () => {
  using dir = tempDir('sqlite');
  const storage = openStorage(`sqlite:${dir.file('a.db')}`, { ...options, lingerMs: 0 });
  await storage.open();
  expect(await outcomes(storage, [put('a/x', '7')])).toEqual(['written']);
  const reader = openReader(`sqlite:${dir.file('a.db')}`);
  expect(await reader.get('prod', 'pods', key('a/x'))).toMatchObject({ revision: '7' });
  await reader.close();
  await storage.close();
});

test.each(['postgres://kube:s3cret@db.example/kubefold'])('%s is known but not built in, and says what to use', (url) => {
  for (const open of [(): unknown => openStorage(url, options), (): unknown => openReader(url)]) {
    expect(open).toThrow(UsageError);
    expect(open).toThrow(/is known but not built into this version. Use sqlite:/);
    expect(open).not.toThrow(/s3cret/);
  }
});

test('an unknown engine is refused with a list of those there are', () => {
  expect(() => openStorage('mysql://root:s3cret@h/db', options)).toThrow(UsageError);
  expect(() => openStorage('mysql://root:s3cret@h/db', options)).toThrow(/sqlite:\.\/kubefold\.db, postgres:/);
  expect(() => openStorage('mysql://root:s3cret@h/db', options)).not.toThrow(/s3cret/);
  expect(() => openStorage('./kubefold.db', options)).toThrow(/sqlite:\.\/kubefold\.db/);
});

test('what lives only in a process cannot be read from another', () => {
  expect(() => openReader('memory:')).toThrow(/keeps nothing outside the process/);
  expect(() => openReader('null:')).toThrow(UsageError);
});
