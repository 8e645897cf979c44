import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/**
 * The suffix of a test file says what it needs, and each need is a project of its own: `vitest run --project unit`.
 * What is left out is left out by name only, never by a list of files, so no new test can be forgotten.
 */
const NEEDS = { net: '.net.test.ts', pg: '.pg.test.ts', cluster: '.cluster.test.ts', browser: '.browser.test.ts' } as const;

/** Where the counts of this run go, for .ci/run. */
const report = process.env['KUBEFOLD_TEST_REPORT'];

const tests = (suffix: string): string => `test/**/*${suffix}`;

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    pool: 'forks',
    // Two cores are what we promise to be testable on.
    maxWorkers: 2,
    watch: false,
    passWithNoTests: false,
    allowOnly: false,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: [tests('.test.ts')], exclude: Object.values(NEEDS).map(tests), testTimeout: 20_000, hookTimeout: 20_000 },
      },
      { extends: true, test: { name: 'net', include: [tests(NEEDS.net)], testTimeout: 30_000, hookTimeout: 30_000 } },
      { extends: true, test: { name: 'pg', include: [tests(NEEDS.pg)], testTimeout: 60_000, hookTimeout: 120_000, maxWorkers: 1 } },
      // A control plane a file, and it may have to be built first; one file after another, for they are heavy.
      {
        extends: true,
        test: { name: 'cluster', include: [tests(NEEDS.cluster)], testTimeout: 240_000, hookTimeout: 300_000, maxWorkers: 1, fileParallelism: false },
      },
      { extends: true, test: { name: 'browser', include: [tests(NEEDS.browser)], testTimeout: 120_000, hookTimeout: 120_000, maxWorkers: 1 } },
    ],
  },
});
