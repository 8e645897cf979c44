import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type ConfigUpdate, configVersion, followConfigFile, readConfigFile } from '../../src/config/watch-file.ts';
import type { ConfigFlags } from '../../src/config/load.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { UsageError } from '../../src/model/errors.ts';
import { tempDir } from '../support/temp-dir.ts';

/** Reports in their order, each handed out once, with how long it took. */
function follower(path: string, flags: ConfigFlags = {}) {
  const updates: ConfigUpdate[] = [];
  let wake = (): void => {};
  const stop = new AbortController();
  const done = followConfigFile({
    path,
    text: readFileSync(path, 'utf8'),
    flags,
    clock: systemClock,
    signal: stop.signal,
    onUpdate(update) {
      updates.push(update);
      wake();
    },
  });
  return {
    updates,
    async next(): Promise<ConfigUpdate> {
      for (;;) {
        const update = updates.shift();
        if (update !== undefined) return update;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
    },
  };
}

/** As kubelet does it: a folder with a new name, a link beside, renamed over `..data`; the file is a link through `..data` and never changes. */
function swap(mount: string, version: string, text: string): void {
  mkdirSync(join(mount, `..${version}`));
  writeFileSync(join(mount, `..${version}`, 'kubefold.yaml'), text);
  symlinkSync(`..${version}`, join(mount, '..data_tmp'));
  renameSync(join(mount, '..data_tmp'), join(mount, '..data'));
}

function levelOf(update: ConfigUpdate): string {
  return 'config' in update ? update.config.log.level : `refused: ${update.error.message}`;
}

describe('a mounted ConfigMap', () => {
  test('each swap of ..data is seen within 2 s; a bad version is refused whole and a good one is taken after it', async () => {
    using dir = tempDir('config');
    swap(dir.path, 'one', 'log: { level: info }');
    symlinkSync(join('..data', 'kubefold.yaml'), dir.file('kubefold.yaml'));
    await using follow = follower(dir.file('kubefold.yaml'), { logFormat: 'json' });

    const start = systemClock.now();
    swap(dir.path, 'two', 'log: { level: debug }');
    rmSync(dir.file('..one'), { recursive: true });
    const first = await follow.next();
    expect(systemClock.now() - start).toBeLessThan(2000);
    expect(first).toMatchObject({ version: configVersion('log: { level: debug }'), config: { log: { level: 'debug', format: 'json' } } });

    swap(dir.path, 'three', 'log: { level: loud }\nworkers: { pods: 9 }');
    expect(levelOf(await follow.next())).toMatch(/^refused: The configuration cannot be used: 1 problem\.\n.*kubefold\.yaml:1:15: log\.level must be one of/);

    swap(dir.path, 'four', 'log: { level: warn }');
    expect(levelOf(await follow.next())).toBe('warn');
    expect(systemClock.now() - start).toBeLessThan(6000);
    expect(follow.updates).toEqual([]);
  });
});

describe('a plain file', () => {
  test('an edit in place is reported once, when it is whole; the same text again is not', async () => {
    using dir = tempDir('config');
    const path = dir.file('kubefold.yaml');
    writeFileSync(path, '');
    await using follow = follower(path);
    writeFileSync(path, 'log: { lev');
    writeFileSync(path, '');
    writeFileSync(path, 'log: { level: error }');
    expect(levelOf(await follow.next())).toBe('error');
    writeFileSync(path, 'log: { level: error }');
    writeFileSync(path, 'log: { level: silent }');
    expect(levelOf(await follow.next())).toBe('silent');
    expect(follow.updates).toEqual([]);
  });

  test('emptied or taken away: refused, and the way out is said; back again: taken', async () => {
    using dir = tempDir('config');
    const path = dir.file('kubefold.yaml');
    writeFileSync(path, 'listen: off');
    await using follow = follower(path);
    writeFileSync(path, '\n');
    expect(levelOf(await follow.next())).toBe(`refused: ${path} has become empty; the configuration in use stays. Write {} if every default is meant.`);
    rmSync(path);
    expect(levelOf(await follow.next())).toBe(`refused: Cannot read the configuration ${path}: there is no such file. Name a readable file with --config.`);
    writeFileSync(path, 'log: { level: debug }');
    expect(levelOf(await follow.next())).toBe('debug');
  });
});

test('a file that cannot be read is refused with the reason', async () => {
  using dir = tempDir('config');
  await expect(readConfigFile(dir.file('none.yaml'))).rejects.toThrow(
    new UsageError(`Cannot read the configuration ${dir.file('none.yaml')}: there is no such file. Name a readable file with --config.`),
  );
  await expect(readConfigFile(dir.path)).rejects.toThrow(/it is a directory/);
  writeFileSync(dir.file('big'), 'x'.repeat(1024 * 1024 + 1));
  await expect(readConfigFile(dir.file('big'))).rejects.toThrow(/has 1048577 bytes; a configuration has at most 1048576/);
});
