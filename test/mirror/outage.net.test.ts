import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { seedCluster } from '../../src/hollow/load.ts';
import { startHollow } from '../../src/hollow/server.ts';
import { until } from '../support/until.ts';
import { TestMirror } from './test-mirror.ts';

const KINDS = ['pods', 'nodes', 'namespaces'];

test('a database that another program keeps locked is an outage: shown, waited for with the copy ready and readable, and then everything is stored', async () => {
  await using hollow = await startHollow();
  seedCluster(hollow, { pods: 200, nodes: 2, namespaces: 2, bytes: 1_000, apps: false });
  await using mirror = await TestMirror.start(hollow, { config: { kinds: KINDS } });
  await mirror.ready();
  using foreign = new DatabaseSync(mirror.file);
  foreign.exec('BEGIN IMMEDIATE');
  let churned = 0;
  await until(
    'the breaker opens',
    () => {
      for (const key of hollow.keys('pods')) hollow.patch('pods', key, { metadata: { labels: { churned: String(churned) } } });
      churned++;
      return mirror.app.status().storage.open;
    },
    { everyMs: 100, withinMs: 60_000 },
  );
  expect(await mirror.metric('kubefold_storage_breaker_open')).toBe(1);
  const { code, text } = await mirror.get('/readyz?verbose');
  expect(code).toBe(200);
  expect(text).toMatch(/^\[!\] storage takes no writes for .*another program holds its write lock/m);
  expect(mirror.copy.rows('pods')).toHaveLength(200);
  foreign.exec('ROLLBACK');
  await mirror.copy.equals(hollow, { kinds: KINDS, withinMs: 20_000 });
  await until('it is closed again', () => !mirror.app.status().storage.open && mirror.app.status().storage.error === null, { everyMs: 20 });
  expect(await mirror.metric('kubefold_storage_breaker_open')).toBe(0);
  expect(mirror.log.match(/storage takes no writes: changes are folded/g)).toHaveLength(1);
  expect(mirror.log.match(/"storage takes writes again"/g)).toHaveLength(1);
}, 90_000);
