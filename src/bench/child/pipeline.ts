import { homedir } from 'node:os';
import { SlabPool } from '../../cache/body-pool.ts';
import { createCluster } from '../../cluster/api-cluster.ts';
import { loadCredentials } from '../../cluster/credentials.ts';
import { loadConfig } from '../../config/load.ts';
import { compileRules, planKind } from '../../config/rules.ts';
import { systemClock } from '../../kit/clock.ts';
import { silentLogger } from '../../kit/log.ts';
import { systemRandom } from '../../kit/random.ts';
import { KindMirror } from '../../mirror/kind-mirror.ts';
import { Metrics } from '../../mirror/metrics.ts';
import { VERSION } from '../../model/version.ts';
import { createNullStorage } from '../../storage/null/null-storage.ts';
import { ownUsage } from '../usage.ts';
import { obey, optionsOf, tell } from './serve.ts';

/**
 * One kind, wired as the product wires it: client, reflector, scan, cut, cache, queue, workers, metrics. Only the storage keeps nothing.
 * Says `listed`, then `done` when everything up to `lastRevision` was delivered and nothing is left in the queue.
 */
const { kubeconfig, lastRevision } = optionsOf<{ readonly kubeconfig: string; readonly lastRevision: string }>();
const clock = systemClock;
const credentials = await loadCredentials({ kubeconfig, context: undefined, env: process.env, home: homedir(), clock });
const cluster = createCluster({ credentials, clock, version: VERSION });
const rules = compileRules(loadConfig({ text: null, file: 'the benchmark', flags: { kinds: ['pods'] } }));
const { kinds } = await cluster.discover(new AbortController().signal);
const [kind] = kinds;
if (kind === undefined) throw new Error('The feed serves no kind');
const pool = new SlabPool(128 * 1024 * 1024);
const metrics = new Metrics({ kinds: () => [], pendingBytes: () => pool.usedBytes });
const mirror = new KindMirror({
  plan: planKind(kind, rules),
  cluster,
  storage: createNullStorage(),
  pool,
  secretKey: new Uint8Array(32),
  history: { identity: null, revision: null },
  fence: () => ({ maxDeleteShare: 1, minObjects: 0, confirmAfterSeconds: null }),
  clock,
  random: systemRandom,
  log: silentLogger,
  metrics: metrics.forKind('pods'),
  firstList: 'paged',
});
let before = ownUsage();
obey({
  mark: () => {
    before = ownUsage();
    tell({ mark: true });
  },
});
const [scope] = mirror.cache.scopes;
await mirror.start();
while (scope?.complete !== true || mirror.unsettled > 0) await clock.sleep(5);
const listed = metrics.changes();
tell({ listed: true, objects: mirror.cache.size });
while (scope.progress !== lastRevision || mirror.unsettled > 0) await clock.sleep(5);
const after = ownUsage();
tell({ done: true, events: metrics.changes() - listed, cpuOfEvents: after.cpuSeconds - before.cpuSeconds, ...after });
