import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { seedCluster } from '../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { seededRandom } from '../../src/kit/random.ts';
import { until } from '../support/until.ts';
import { TestMirror } from './test-mirror.ts';

const CAUSES = ['missing', 'surplus', 'uid', 'revision', 'body'] as const;
const ROW = "resource = 'pods' AND namespace = ? AND name = ?";

async function drift(mirror: TestMirror): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const cause of CAUSES) {
    const count = await mirror.metric(`kubefold_drift_total{resource="pods",cause="${cause}"}`);
    if (count > 0) found[cause] = count;
  }
  return found;
}

/** Changes to pods that are not in `quiet`, as fast as they come, until it is ended. */
function churn(hollow: Hollow, quiet: ReadonlySet<string>): () => void {
  const random = seededRandom(7);
  let made = 0;
  const timer = setInterval(() => {
    for (let n = 0; n < 10; n++) {
      const keys = hollow.keys('pods').filter((key) => !quiet.has(key));
      const key = keys[Math.floor(random.next() * keys.length)];
      const dice = random.next();
      if (key !== undefined && dice < 0.8) hollow.patch('pods', key, { metadata: { labels: { turn: String(made++) } } });
      else if (key !== undefined && dice < 0.9) hollow.delete('pods', key);
      else hollow.create('pods', { metadata: { name: `made-${made++}`, namespace: 'default' }, spec: { containers: [] } });
    }
  }, 20);
  return () => clearInterval(timer);
}

test('a hundred rows that were changed behind its back are found in one round, each with its cause, and mended, while other objects change all the time', async () => {
  await using hollow = await startHollow();
  seedCluster(hollow, { pods: 1_200, nodes: 3, namespaces: 3, bytes: 1_500 });
  await using mirror = await TestMirror.start(hollow, { config: { audit: { everySeconds: 60 } } });
  await mirror.ready();
  const victims = hollow
    .keys('pods')
    .filter((_, index) => index % 13 === 0)
    .slice(0, 90);
  expect(victims).toHaveLength(90);
  const stop = churn(hollow, new Set(victims));
  try {
    const rounds = (): number => mirror.app.status().audit.last?.finishedAt ?? 0;
    await until('a round is over', () => rounds() > 0, { withinMs: 20_000, everyMs: 20 });
    expect(await drift(mirror)).toEqual({});

    const db = new DatabaseSync(mirror.file, { timeout: 5_000 });
    const at = (index: number): [string, string] => (victims[index] ?? '/').split('/') as [string, string];
    const each = (from: number, sql: string): void => {
      for (let index = from; index < from + 15; index++) expect(db.prepare(sql).run(...at(index)).changes).toBe(1);
    };
    db.exec('BEGIN IMMEDIATE');
    each(0, `UPDATE objects SET body = replace(body, '"spec"', '"spek"') WHERE ${ROW}`);
    each(15, `UPDATE objects SET api_version = 'v9' WHERE ${ROW}`);
    each(30, `DELETE FROM objects WHERE ${ROW}`);
    each(45, `UPDATE objects SET uid = 'somebody-else' WHERE ${ROW}`);
    each(60, `UPDATE objects SET resource_version = '99999999' WHERE ${ROW}`);
    each(75, `UPDATE objects SET resource_version = '1' WHERE ${ROW}`);
    for (let index = 0; index < 10; index++) {
      const sql = `INSERT INTO objects (cluster, api_group, resource, namespace, name, api_version, kind, uid, resource_version, hash, epoch, written_at, body)
        SELECT cluster, api_group, resource, namespace, name || '-extra', api_version, kind, uid || 'x', resource_version, hash, epoch, written_at, body FROM objects WHERE ${ROW}`;
      expect(db.prepare(sql).run(...at(index)).changes).toBe(1);
    }
    db.exec('COMMIT');
    db.close();

    await until('all are found', async () => Object.values(await drift(mirror)).reduce((sum, count) => sum + count, 0) >= 100, {
      withinMs: 20_000,
      everyMs: 50,
    });
    const last = (): number | undefined => mirror.app.status().audit.last?.drift;
    await until('the round is over', () => last() === 100, { withinMs: 20_000, everyMs: 20 });
    await until('another round has found nothing', () => last() === 0, { withinMs: 20_000, everyMs: 20 });
    expect(await drift(mirror)).toEqual({ body: 30, missing: 15, uid: 15, revision: 30, surplus: 10 });
    expect(mirror.app.status().audit.last).toMatchObject({ skipped: [] });
  } finally {
    stop();
  }
  await mirror.copy.equals(hollow);
}, 90_000);
