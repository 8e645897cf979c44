import { DatabaseSync } from 'node:sqlite';
import { Pool } from 'undici';
import { systemClock } from '../../kit/clock.ts';
import { ListReader } from '../../json/list-reader.ts';
import { MIGRATIONS } from '../../storage/sqlite/schema.ts';
import { ownUsage } from '../usage.ts';
import { LoopWatch } from './loop-watch.ts';
import { obey, optionsOf, tell } from './serve.ts';

/**
 * The plain limit of a first sync: the same bytes are read over HTTP, page by page, and the same number of rows of the same size is inserted
 * by one prepared statement in transactions of 1,000. Nothing is looked for in the bytes but the continue token, nothing is compared.
 */
const { url, file, pageSize } = optionsOf<{ readonly url: string; readonly file: string; readonly pageSize: number }>();
const ROWS_A_TRANSACTION = 1_000;

obey({});
const clock = systemClock;
const loop = new LoopWatch(clock);
const pool = new Pool(url, { connections: 1 });

const db = new DatabaseSync(file);
db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
db.exec(MIGRATIONS[0] ?? '');
db.exec('DROP TRIGGER objects_inserted; DROP TRIGGER objects_updated; DROP TRIGGER objects_deleted');
const insert = db.prepare(
  `INSERT INTO objects (cluster, api_group, resource, namespace, name, api_version, kind, uid, resource_version, hash, epoch, written_at, body)
   VALUES ('bench', '', 'pods', ?, ?, 'v1', 'Pod', ?, ?, ?, 0, 0, CAST(? AS TEXT))`,
);
const hash = new Uint8Array(16);
let body: Uint8Array = new Uint8Array();
let uid = '';

/** One page. Its token stands near its beginning: the metadata of a typed list comes first. */
async function page(token: string, sink: (chunk: Uint8Array) => void): Promise<string> {
  const response = await pool.request({ path: `/api/v1/pods?limit=${pageSize}${token === '' ? '' : `&continue=${encodeURIComponent(token)}`}`, method: 'GET' });
  let head = '';
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    if (head.length < 512) head += chunk.toString('latin1', 0, 512);
    sink(chunk);
  }
  return /"continue":"([^"]+)"/.exec(head)?.[1] ?? '';
}

/** A sample of what is kept of an object, for the rows; before the measurement. */
let perPage = 0;
const reader = new ListReader({
  kind: 'Pod',
  apiVersion: 'v1',
  onItem(object) {
    perPage++;
    body = new Uint8Array(object.size);
    object.copyTo(body, 0);
    uid = object.uid;
  },
  onDamaged: () => {},
});
await page('', (chunk) => reader.push(chunk));
const { remaining } = reader.end();
const total = perPage + (remaining ?? 0);

loop.begin();
const before = ownUsage();
const startedAt = clock.now();
let bytes = 0;
let rows = 0;
let token = '';
do {
  token = await page(token, (chunk) => {
    bytes += chunk.length;
  });
  const until = token === '' ? total : Math.min(total, rows + perPage);
  while (rows < until) {
    if (rows % ROWS_A_TRANSACTION === 0) db.exec('BEGIN IMMEDIATE');
    rows++;
    insert.run(`load-${rows % 50}`, `app-00000-abcdefghi-${String(rows).padStart(7, '0')}`, uid, String(rows), hash, body);
    if (rows % ROWS_A_TRANSACTION === 0) db.exec('COMMIT');
  }
} while (token !== '');
if (rows % ROWS_A_TRANSACTION !== 0) db.exec('COMMIT');
const syncSeconds = (clock.now() - startedAt) / 1000;
loop.end();
const after = ownUsage();
db.close();
await pool.close();
tell({
  ready: true,
  objects: rows,
  bytes,
  syncSeconds,
  cpuOfSync: after.cpuSeconds - before.cpuSeconds,
  ...after,
  longestBlockMs: loop.longestMs,
  longestOwnMs: loop.longestOwnMs,
});
process.exit(0);
