import { chmodSync } from 'node:fs';
import { systemClock } from '../../../src/kit/clock.ts';
import { messageOf } from '../../../src/model/errors.ts';
import { createSqliteStorage } from '../../../src/storage/sqlite/sqlite-storage.ts';
import { put, scope } from '../build.ts';

/**
 * A writer in a process of its own: `hold` opens and waits, `churn` writes rounds without end, `open-as-nobody` tries to open without root's rights,
 * `elected` writes once it was frozen and wakes.
 * Prints one line for each thing that happened.
 */
const [mode = '', path = ''] = process.argv.slice(2);
const storage = createSqliteStorage({ path, cluster: 'prod', clock: systemClock, lingerMs: 0 });

/** Each round gives every row the same revision, and the scope record the same watermark. */
async function churn(rows: number): Promise<never> {
  for (let round = 1; ; round++) {
    const revision = String(round);
    const writes = Array.from({ length: rows }, (_, index) => put(`a/x${index}`, revision, { body: `{"round":${round},"pad":"${'x'.repeat(3_000)}"}` }));
    const outcomes = await storage.write(writes, [scope(revision)]);
    if (outcomes.some((outcome) => outcome.kind !== 'written')) throw new Error(`round ${round}: ${JSON.stringify(outcomes[0])}`);
    process.stdout.write(`round ${round}\n`);
  }
}

if (mode === 'open-as-nobody') {
  // Root may write everything, so its rights must go before anything is proved about permissions.
  if (process.getuid?.() === 0) {
    process.setgid?.(65_534);
    process.setuid?.(65_534);
  } else {
    chmodSync(path, 0o444);
  }
}
// Before anybody is told that it is open: who freezes it at once must not wake it for nobody.
const woken = mode === 'elected' ? new Promise((resolve) => process.once('SIGCONT', resolve)) : null;
try {
  await storage.open(mode === 'elected' ? { epoch: 1, holder: 'child' } : undefined);
  process.stdout.write('open\n');
  if (mode === 'elected') {
    process.stdin.resume().on('end', () => systemClock.after(60_000, () => {}));
    await woken;
    await storage.write([put('a/x', '9')], [scope('9')]);
    process.stdout.write('written\n');
  }
  if (mode === 'churn') await churn(200);
  if (mode === 'hold') process.stdin.resume().on('end', () => systemClock.after(60_000, () => {}));
  if (mode === 'open-as-nobody') await storage.close();
} catch (cause) {
  process.stdout.write(`refused: ${messageOf(cause)}\n`);
  process.exitCode = 1;
}
