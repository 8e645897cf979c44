// Prints `PASSED FAILED SKIPPED` of a vitest JSON report. Fails when there is none, or when it ran no test at all.
import { readFileSync } from 'node:fs';

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const passed = report.numPassedTests;
// A file that could not be loaded has no tests that could fail.
const unloaded = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length;
const failed = report.numFailedTests + unloaded;
const skipped = report.numPendingTests + report.numTodoTests;
if (passed + failed === 0) throw new Error('the report holds no test that ran');
process.stdout.write(`${passed} ${failed} ${skipped}\n`);
