import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import type { Comparison } from '../../src/lab/compare.ts';
import { tempDir } from '../support/temp-dir.ts';
import { kubefold } from './kubefold.ts';

const dir = tempDir('bench-command');
afterAll(() => dir.remove());

describe('kubefold bench strategies', () => {
  test('runs what was chosen on every storage, and writes the table, the figures and the page', async () => {
    const choice = ['--load', 'hot-object', '--strategy', 'partitioned', '--strategy', 'folding', '--rounds', '1', '--storage-ms', '20', '--writers', '4'];
    const files = ['--json', dir.file('all.json'), '--report', dir.file('all.html')];
    const { code, stdout, stderr } = await kubefold(['bench', 'strategies', ...choice, ...files], { withinMs: 120_000 });
    expect([code, stderr]).toEqual([0, '']);
    for (const title of ['hot-object, in memory, virtual time', 'hot-object, HTTP service, real time', 'hot-object, SQLite, real time'])
      expect(stdout).toContain(title);
    expect(stdout).toMatch(/^ +met +folding ends with 0 wrong rows and 0 order violations, always: 3 of 3 contestants$/m);
    const comparison = JSON.parse(readFileSync(dir.file('all.json'), 'utf8')) as Comparison;
    expect(comparison.rows.map(({ target, strategy }) => `${target} ${strategy}`)).toEqual([
      ...['memory partitioned', 'memory folding', 'http partitioned', 'http folding', 'sqlite partitioned', 'sqlite folding'],
    ]);
    for (const { strategy, wrongRows, consumers, latencyMs, target } of comparison.rows) {
      expect([consumers, latencyMs]).toEqual([4, target === 'sqlite' ? null : 20]);
      if (strategy === 'folding') expect(wrongRows).toBe(0);
    }
    expect(comparison.runs).toHaveLength(6);
    expect(comparison.command).toMatch(/^kubefold bench strategies --load hot-object --strategy partitioned --strategy folding --rounds 1 /);
    const page = readFileSync(dir.file('all.html'), 'utf8');
    expect(page).toContain('<canvas id="backlog"');
    expect(page).not.toMatch(/(?:src|href)=/);
  }, 120_000);

  test.each<[string, readonly string[], RegExp]>([
    ['no verb', [], /takes 1 arguments \(strategies \| sizing\), found 0/],
    ['an unknown verb', ['speed'], /bench has no "speed": use strategies or sizing/],
    ['an unknown load', ['strategies', '--load', 'hot'], /There is no load "hot"\. They are: ladder-RATE, steady, hot-object/],
    ['an unknown strategy', ['strategies', '--strategy', 'fold'], /--strategy must be one of serial, parallel, .*found "fold"/],
    ['an unknown storage', ['strategies', '--storage', 'redis'], /--storage must be one of memory, http, sqlite, found "redis"/],
    ['rounds of none', ['strategies', '--rounds', '0'], /--rounds must be a whole number from 1 to 100, found "0"/],
    [
      'a file in no folder',
      ['strategies', '--report', '/no/such/folder/a.html'],
      /--report \/no\/such\/folder\/a\.html cannot be written: .*Name a file in a folder that exists/,
    ],
    ['an option of sizing', ['strategies', '--objects', '5'], /--objects is an option of kubefold bench sizing, not of strategies/],
    ['an option of strategies', ['sizing', '--quick'], /--quick is an option of kubefold bench strategies, not of sizing/],
    ['sizing of nothing', ['sizing', '--objects', '5'], /bench sizing needs --changes-per-second\. For example --objects 100000/],
  ])('%s is refused with a way out, before anything runs', async (_, args, message) => {
    const { code, stdout, stderr } = await kubefold(['bench', ...args]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
  });
});

test('kubefold bench sizing advises, prints its formula, and is held against a run when asked', async () => {
  const question = ['--objects', '1000', '--changes-per-second', '1699', '--storage-ms', '87', '--concurrency', '30'];
  const { code, stdout, stderr } = await kubefold(['bench', 'sizing', ...question, '--check', '--json', dir.file('sizing.json')]);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain('T0 = L + c N / R');
  expect(stdout).toMatch(/writes a second +345, 0\.20 for each change/);
  expect(stdout).toMatch(/writes a second +3[34]\d, predicted 345/);
  const { advice, check } = JSON.parse(readFileSync(dir.file('sizing.json'), 'utf8')) as { advice: { waiting: number }; check: { backlog: number } };
  expect(advice.waiting).toBeGreaterThan(700);
  expect(check.backlog).toBeGreaterThan(700);
});
