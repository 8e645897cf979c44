import { DatabaseSync } from 'node:sqlite';
import { systemClock } from '../../../src/kit/clock.ts';
import type { ObjectKey } from '../../../src/model/key.ts';
import { createSqliteReader } from '../../../src/storage/sqlite/sqlite-reader.ts';

/**
 * A reader in a process of its own. `endless` begins a transaction, reads in it, and ends it on SIGUSR2, as somebody's SQL shell; `pages` reads all pods of
 * the copy page by page, over and over, as our own commands do, each page right after the one before. Prints one line for each thing that happened.
 */
const [mode = '', path = ''] = process.argv.slice(2);

function endless(): void {
  const db = new DatabaseSync(path, { readOnly: true });
  db.exec('BEGIN');
  const rows = db.prepare('SELECT count(*) AS n FROM objects').get()?.['n'];
  process.on('SIGUSR2', () => {
    // It still sees what it saw.
    const again = db.prepare('SELECT count(*) AS n FROM objects').get()?.['n'];
    db.exec('COMMIT');
    process.stdout.write(`ended, saw ${String(rows)} and ${String(again)}\n`);
  });
  process.stdin.resume();
  // Keeps the process, for so long at the most, when its input is closed.
  systemClock.after(60_000, () => {});
  process.stdout.write(`reading ${String(rows)}\n`);
}

async function pages(): Promise<never> {
  const reader = createSqliteReader({ path });
  for (let round = 1; ; round++) {
    let after: ObjectKey | undefined;
    let rows = 0;
    for (;;) {
      const page = await reader.list({ cluster: 'prod', kind: 'pods', limit: 100, after });
      rows += page.length;
      const last = page.at(-1);
      if (last === undefined) break;
      after = last.key;
    }
    process.stdout.write(`round ${round}: ${rows}\n`);
  }
}

if (mode === 'endless') endless();
if (mode === 'pages') await pages();
