import { expect, test } from 'vitest';
import { readFileSync } from 'node:fs';
import { spawn } from '../support/spawn.ts';
import { tempDir } from '../support/temp-dir.ts';

const MAIN = 'src/bench/main.ts';

/** Exit code, and what was printed. 1 means that a bar was not met, which says nothing on a machine that runs tests. */
async function bench(...args: readonly string[]): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { withinMs: 180_000 });
  return await child.exited;
}

test('--help lists every benchmark and says how the peers are built', async () => {
  const { code, stdout } = await bench('--help');
  expect(code).toBe(0);
  for (const name of [
    'ingest',
    'initial-sync',
    'memory',
    'folding',
    'restart',
    'outage',
    'bcs',
    'shards',
    'audit',
    'first-list',
    'peer-sync',
    'peer-changes',
    'queue',
  ])
    expect(stdout).toContain(name);
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

test('a small work queue is measured beside a Map and an array, against the bars, as JSON too', async () => {
  using dir = tempDir('bench');
  const { code, stdout, stderr } = await bench('queue', '--quick', '--json', dir.file('report.json'));
  expect(code, stderr).toBeLessThan(2);
  for (const name of ['kubefold, with metrics', 'Map (folds, no order)', 'array (order, no folding)']) expect(stdout).toContain(name);
  expect(stdout).toMatch(/add\+take\+done a second: [\d,]+ +asked: at least 2000000, (?:NOT )?met/);
  const { answers } = JSON.parse(readFileSync(dir.file('report.json'), 'utf8')) as { answers: { name: string; value: number }[] };
  expect(answers.find(({ name }) => name === 'bytes a waiting key')?.value).toBeLessThan(1_000);
  for (const { name, value } of answers) expect(value, name).toBeGreaterThan(0);
});

test('a small stream of events is taken in by both contestants, none missed', async () => {
  const { code, stdout, stderr } = await bench('ingest', '--pods', '50', '--events', '1000', '--rounds', '1');
  expect(code, stderr).toBeLessThan(2);
  expect(stdout).toContain('events a CPU second at 10 KB, against the informer:');
});

test('a start that finds a small copy is measured: nothing listed or written without need, exactly the changes otherwise', { timeout: 180_000 }, async () => {
  using dir = tempDir('bench');
  const { code, stderr } = await bench('restart', '--quick', '--pods', '500', '--json', dir.file('report.json'));
  expect(code, stderr).toBeLessThan(2);
  const { answers } = JSON.parse(readFileSync(dir.file('report.json'), 'utf8')) as { answers: { name: string; value: number }[] };
  const counted = answers.filter(({ name }) => /lists of mirrored kinds|rows|differences/.test(name) && !name.includes('node:sqlite'));
  expect(counted.map(({ name, value }) => `${name}: ${value}`)).toEqual([
    'unchanged: lists of mirrored kinds, worst round: 0',
    'unchanged: rows written, worst round: 0',
    'changed: lists of mirrored kinds, worst round: 0',
    'changed: rows more, fewer or other than changed, worst round: 0',
    'expired: rows more, fewer or other than changed, worst round: 0',
    'differences by content at the end (kubefold verify): 0',
  ]);
});

test('a storage that goes away and comes back is measured in each way it can go, and the copy is exact again', { timeout: 180_000 }, async () => {
  using dir = tempDir('bench');
  const { code, stdout, stderr } = await bench('outage', '--quick', '--json', dir.file('report.json'));
  expect(code, stderr).toBeLessThan(2);
  for (const how of ['refused', 'hanging', 'locked']) expect(stdout).toContain(how);
  const { answers } = JSON.parse(readFileSync(dir.file('report.json'), 'utf8')) as { answers: { name: string; value: number }[] };
  expect(answers.find(({ name }) => name.startsWith('differences'))?.value).toBe(0);
});

test('a small audit is measured: it reports nothing of what changes all the time', { timeout: 180_000 }, async () => {
  using dir = tempDir('bench');
  const { code, stderr } = await bench('audit', '--quick', '--rounds', '1', '--json', dir.file('report.json'));
  expect(code, stderr).toBeLessThan(2);
  const { answers } = JSON.parse(readFileSync(dir.file('report.json'), 'utf8')) as { answers: { name: string; value: number }[] };
  expect(answers.find(({ name }) => name.startsWith('rows reported'))?.value).toBe(0);
});

test('a small storage service at 87 ms is measured: connections within the bound, no older revision after a newer one, nothing put at a restart', {
  timeout: 180_000,
}, async () => {
  using dir = tempDir('bench');
  const { code, stderr } = await bench('bcs', '--quick', '--rounds', '1', '--json', dir.file('report.json'));
  expect(code, stderr).toBeLessThan(2);
  const { answers } = JSON.parse(readFileSync(dir.file('report.json'), 'utf8')) as { answers: { name: string; value: number }[] };
  const value = (begin: string): number | undefined => answers.find(({ name }) => name.startsWith(begin))?.value;
  expect(value('connections')).toBeLessThanOrEqual(256);
  expect([value('PUT of a restart'), value('writes of an older revision')]).toEqual([0, 0]);
});

test('a small takeover is measured: the standby leads within its bar, and the copy is exact', { timeout: 180_000 }, async () => {
  using dir = tempDir('bench');
  const { code, stderr } = await bench('takeover', '--quick', '--pods', '500', '--json', dir.file('report.json'));
  expect(code, stderr).toBeLessThan(2);
  const { answers } = JSON.parse(readFileSync(dir.file('report.json'), 'utf8')) as { answers: { name: string; value: number }[] };
  expect(answers[0]?.value).toBeGreaterThan(0);
  expect(answers.find(({ name }) => name.startsWith('differences'))?.value).toBe(0);
});

test('two shards over a small storage service write every object once, and are held against one', { timeout: 180_000 }, async () => {
  using dir = tempDir('bench');
  const { code, stderr } = await bench('shards', '--quick', '--rounds', '1', '--json', dir.file('report.json'));
  expect(code, stderr).toBeLessThan(2);
  const { answers, table } = JSON.parse(readFileSync(dir.file('report.json'), 'utf8')) as { answers: { value: number }[]; table: string[][] };
  expect(answers[0]?.value).toBeGreaterThan(0);
  // Objects, PUT, and older after newer.
  expect(table.slice(1).map((row) => [row[1], row[2], row.at(-1)])).toEqual(Array.from({ length: 4 }, () => ['200', '200', '0']));
});
