import { expect, test } from 'vitest';
import { hurriedClock } from '../../src/bench/child/hurried-clock.ts';
import { seedCluster } from '../../src/hollow/load.ts';
import { startHollow } from '../../src/hollow/server.ts';
import { until } from '../support/until.ts';
import { TestMirror } from './test-mirror.ts';

const MIB = 2 ** 20;

test('bodies that wait for a slow storage stay within cache.pendingBytes, and everything arrives', async () => {
  await using hollow = await startHollow();
  // 8 MiB of pods, eight times the bound.
  seedCluster(hollow, { pods: 2_000, nodes: 4, namespaces: 3, bytes: 4_096, apps: false });
  const config = { kinds: ['pods'], cache: { pendingBytes: '1MiB' }, limits: { storage: { concurrency: 1, perSecond: 300 } } };
  await using mirror = await TestMirror.start(hollow, { follow: true, clock: hurriedClock(20), config });
  let most = 0;
  let churned = 0;
  await until(
    'half of them are stored, while others change',
    () => {
      most = Math.max(most, mirror.app.status().pendingBytes);
      const keys = hollow.keys('pods');
      for (let n = 0; n < 5; n += 1, churned += 7)
        hollow.patch('pods', keys[churned % keys.length] ?? '', { metadata: { labels: { churned: String(churned) } } });
      return Number(mirror.copy.all('SELECT count(*) AS n FROM objects')[0]?.['n']) >= 600;
    },
    { everyMs: 10 },
  );
  expect(mirror.app.isReady()).toBe(false);
  mirror.configure({ ...config, limits: {} });
  await until(
    'the first sync is complete',
    () => {
      most = Math.max(most, mirror.app.status().pendingBytes);
      return mirror.app.isReady();
    },
    { everyMs: 5, withinMs: 20_000 },
  );
  await mirror.copy.equals(hollow, { kinds: ['pods'] });
  expect(most).toBeGreaterThan(MIB / 4);
  expect(most).toBeLessThanOrEqual(MIB);
  await until('nothing is pending', () => mirror.app.status().pendingBytes === 0, { everyMs: 20 });
});
