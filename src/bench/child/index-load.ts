import { DatabaseSync } from 'node:sqlite';
import { ObjectCache } from '../../cache/object-cache.ts';
import { systemClock } from '../../kit/clock.ts';
import { createSqliteStorage } from '../../storage/sqlite/sqlite-storage.ts';
import { ownUsage } from '../usage.ts';
import { optionsOf, tell } from './serve.ts';

export interface IndexLoadOptions {
  readonly file: string;
  readonly cluster: string;
  /** `plain`: one SELECT through node:sqlite, its rows counted. `read`: the index as storage hands it out. `load`: that, taken into a cache as a start does. */
  readonly how: 'plain' | 'read' | 'load';
}

const { file, cluster, how } = optionsOf<IndexLoadOptions>();
const clock = systemClock;
const before = ownUsage();
const { keys, seconds, cpuSeconds } = how === 'plain' ? plain() : await ours();
tell({ keys, seconds, cpuSeconds, grownMiB: ownUsage().peakMiB - before.residentMiB });
process.exit(0);

interface Figures {
  readonly keys: number;
  readonly seconds: number;
  /** Of the thread that reads. */
  readonly cpuSeconds: number;
}

function stopwatch(): () => Omit<Figures, 'keys'> {
  const startedAt = clock.now();
  const used = process.threadCpuUsage();
  return () => {
    const { user, system } = process.threadCpuUsage(used);
    return { seconds: (clock.now() - startedAt) / 1000, cpuSeconds: (user + system) / 1e6 };
  };
}

function plain(): Figures {
  const db = new DatabaseSync(file, { readOnly: true });
  const select = db.prepare(
    `SELECT namespace, name, uid, resource_version FROM objects WHERE cluster = ? AND api_group = '' AND resource = 'pods' ORDER BY namespace, name`,
  );
  select.setReturnArrays(true);
  const read = stopwatch();
  let keys = 0;
  for (const row of select.iterate(cluster)) if (row !== undefined) keys++;
  const figures = read();
  db.close();
  return { keys, ...figures };
}

async function ours(): Promise<Figures> {
  const storage = createSqliteStorage({ path: file, cluster, clock });
  await storage.open();
  const cache = new ObjectCache(['']);
  const read = stopwatch();
  let keys = 0;
  for await (const rows of storage.index('pods', '')) {
    keys += rows.length;
    if (how === 'load') for (const row of rows) cache.load(row, 'keep');
  }
  const figures = read();
  await storage.close();
  return { keys: how === 'load' ? cache.size : keys, ...figures };
}
