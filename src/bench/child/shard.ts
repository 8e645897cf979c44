import { homedir } from 'node:os';
import { createCluster } from '../../cluster/api-cluster.ts';
import { loadCredentials } from '../../cluster/credentials.ts';
import { loadConfig } from '../../config/load.ts';
import { systemClock as clock } from '../../kit/clock.ts';
import { createLogger } from '../../kit/log.ts';
import { systemRandom } from '../../kit/random.ts';
import { Semaphore } from '../../kit/semaphore.ts';
import { BottleneckLimit } from '../../limit/bottleneck-limit.ts';
import { limitedStorage } from '../../limit/limited-storage.ts';
import { Mirror } from '../../mirror/mirror.ts';
import { messageOf } from '../../model/errors.ts';
import type { Shard } from '../../model/shard.ts';
import { openStorage } from '../../storage/open.ts';
import { ownUsage } from '../usage.ts';
import { obey, optionsOf, tell } from './serve.ts';

export interface ShardChildOptions {
  readonly kubeconfig: string;
  readonly storage: string;
  readonly kinds: readonly string[];
  readonly shard: Shard;
  /** The most requests to storage under way. */
  readonly concurrency: number;
}

// The owner of one shard, whose lease is taken for granted. `ready` is said by itself; `use` what was used so far; `stop` ends it in order.

const { kubeconfig, storage: url, kinds, shard, concurrency } = optionsOf<ShardChildOptions>();
const config = loadConfig({
  text: JSON.stringify({ audit: { everySeconds: null }, limits: { storage: { concurrency } } }),
  file: 'the benchmark',
  flags: { storage: url, kinds, listen: 'off', clusterName: 'bench', logLevel: 'warn', logFormat: 'json' },
});
const log = await createLogger({ level: 'warn', format: 'json' });
const credentials = await loadCredentials({ kubeconfig, context: undefined, env: process.env, home: homedir(), clock });
const cluster = createCluster({ credentials, clock, version: 'bench' });
const engine = openStorage(url, { cluster: 'bench', clock, log, http: config.storage });
const { limits } = config;
const storage = limitedStorage(engine, new Semaphore(limits.storage.concurrency), new BottleneckLimit(limits.storage.perSecond));
await storage.open({ epoch: 1, holder: `shard ${shard.index}`, shard });
const mirror = new Mirror({ clusterName: 'bench', cluster, storage, shard, config, clock, random: systemRandom, log, explain: messageOf });
const ending = new AbortController();
obey({ use: () => tell({ use: true, ...ownUsage() }), stop: () => ending.abort() });
const running = mirror.run(ending.signal, new AbortController().signal);
while (!mirror.isReady() && !ending.signal.aborted) await clock.sleep(5, ending.signal);
tell({ ready: true, objects: mirror.status().kinds.reduce((sum, { objects }) => sum + objects, 0) });
await running;
await storage.close();
await cluster.close();
tell({ stop: true, ...ownUsage() });
process.exit(0);
