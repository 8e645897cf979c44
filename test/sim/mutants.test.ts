import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { MUTANTS } from './mutants.ts';

const HOOKS = fileURLToPath(new URL('./with-mutant.ts', import.meta.url));
const CATCH = fileURLToPath(new URL('./catch.ts', import.meta.url));
const MOST_SEEDS = Math.max(...MUTANTS.map(({ seeds }) => seeds));

async function run(seeds: number, mutant: string | null): Promise<string> {
  const hooks = mutant === null ? [] : ['--import', HOOKS];
  const { stdout } = await promisify(execFile)(process.execPath, [...hooks, CATCH, String(seeds)], { env: { ...process.env, KUBEFOLD_MUTANT: mutant ?? '' } });
  return stdout;
}

describe('the simulation catches the mirror in which', { timeout: 180_000 }, () => {
  test.each(MUTANTS)('$name, within $seeds seeds', async ({ name, seeds }) => {
    expect(await run(seeds, name)).toMatch(/^\d+ \d+: /);
  });
});

test('no mutant is caught by seeds that fail anyway', { timeout: 600_000 }, async () => {
  expect(await run(MOST_SEEDS, null)).toBe('');
});
