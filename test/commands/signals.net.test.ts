import { readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import { spawn } from '../support/spawn.ts';
import type { Child } from '../support/spawn.ts';
import { tempDir } from '../support/temp-dir.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** A demo whose files are all in `folder`. */
const demo = (folder: string, more: readonly string[] = []): Child =>
  spawn(process.execPath, [MAIN, 'demo', '--pods', '200', '--listen', 'off', '--log-format', 'json', ...more], { cwd: folder, env: { TMPDIR: folder } });

const leftOf = (folder: string): readonly string[] => readdirSync(folder).filter((name) => /^kubefold-demo-|-wal$|-shm$/.test(name));

test('a Ctrl-C that arrives twice at once, as under npm, is an orderly end: exit 0, nothing left behind', async () => {
  using dir = tempDir('signals');
  const child = demo(dir.path);
  await child.printed(/first sync complete/, { on: 'stderr' });
  expect(leftOf(dir.path)).not.toEqual([]);
  // Two different ones: the same one sent twice may arrive as one.
  child.signal('SIGINT');
  child.signal('SIGTERM');
  const { code, signal } = await child.exited;
  expect([code, signal]).toEqual([0, null]);
  expect(leftOf(dir.path)).toEqual([]);
});

test('a second signal ends at once what is still being written', async () => {
  using dir = tempDir('signals');
  // One row a second: an orderly end would take all of shutdown.graceSeconds.
  writeFileSync(dir.file('slow.yaml'), 'limits: { storage: { perSecond: 1 } }\nshutdown: { graceSeconds: 50 }\n');
  const child = demo(dir.path, ['--config', 'slow.yaml']);
  await child.printed(/"msg":"mirroring"/, { on: 'stderr' });
  await systemClock.sleep(500);
  child.signal('SIGINT');
  // As a person who waited in vain; the pause is what is tested.
  await systemClock.sleep(700);
  const at = systemClock.now();
  child.signal('SIGINT');
  expect((await child.exited).code).toBe(1);
  expect(systemClock.now() - at).toBeLessThan(5_000);
});
