import { expect, test } from 'vitest';
import { readFileSync } from 'node:fs';
import { spawn } from '../support/spawn.ts';
import { tempDir } from '../support/temp-dir.ts';

const MAIN = 'src/bench/main.ts';

/** Exit code, and what was printed. 1 means that a bar was not met, which says nothing on a machine that runs tests. */
async function bench(...args: readonly string[]): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { withinMs: 60_000 });
  return await child.exited;
}

test('--help lists every benchmark and says how the peers are built', async () => {
  const { code, stdout } = await bench('--help');
  expect(code).toBe(0);
  for (const name of ['ingest', 'initial-sync', 'memory', 'folding', 'first-list', 'peer-sync', 'peer-changes', 'queue']) expect(stdout).toContain(name);
  expect(stdout).toContain('KUBEFOLD_PEERS');
});

test('an unknown name, a wrong count and missing peers are refused with a way out', async () => {
  const [unknown, count, peers] = await Promise.all([bench('speed'), bench('ingest', '--rounds', '0'), bench('peer-sync', '--peers', '/nowhere')]);
  expect([unknown.code, count.code, peers.code]).toEqual([2, 2, 2]);
  expect(unknown.stderr).toContain('There is no benchmark "speed". They are: ingest');
  expect(count.stderr).toContain('--rounds must be an integer >= 1, current value is 0');
  expect(peers.stderr).toContain('There is no goload in /nowhere');
});

test('a small first sync is measured against the plain limit and reported, as JSON too', async () => {
  using dir = tempDir('bench');
  const { code, stdout, stderr } = await bench('initial-sync', '--pods', '1000', '--rounds', '1', '--json', dir.file('report.json'));
  expect(code, stderr).toBeLessThan(2);
  expect(stdout).toContain('rate against the plain limit:');
  const report = JSON.parse(readFileSync(dir.file('report.json'), 'utf8')) as { name: string; answers: { name: string; value: number }[] };
  expect(report.name).toBe('initial-sync');
  for (const { name, value } of report.answers) expect(value, name).toBeGreaterThan(0);
});

test('a small stream of events is taken in by both contestants, none missed', async () => {
  const { code, stdout, stderr } = await bench('ingest', '--pods', '50', '--events', '1000', '--rounds', '1');
  expect(code, stderr).toBeLessThan(2);
  expect(stdout).toContain('events a CPU second at 10 KB, against the informer:');
});
