import { createCluster } from './cluster/api-cluster.ts';
import type { AccessReviews } from './cluster/cluster.ts';
import { describeConnectError } from './cluster/connect-error.ts';
import type { Credentials } from './cluster/credentials.ts';
import { describeDiff, diffConfig, withLiveChanges } from './config/diff.ts';
import { clusterNameFrom } from './config/identity.ts';
import { ConfigInUse } from './config/in-use.ts';
import type { ConfigFlags } from './config/load.ts';
import { listenFailure, parseListen, securedBy } from './config/listen.ts';
import type { Config } from './config/schema.ts';
import { configVersion, followConfigFile } from './config/watch-file.ts';
import type { Clock } from './kit/clock.ts';
import type { RootLogger } from './kit/log.ts';
import type { Random } from './kit/random.ts';
import { Semaphore } from './kit/semaphore.ts';
import { BottleneckLimit } from './limit/bottleneck-limit.ts';
import { limitedStorage } from './limit/limited-storage.ts';
import type { Control } from './model/control.ts';
import { messageOf, UsageError } from './model/errors.ts';
import type { MirrorStatus, PoolStatus } from './model/status.ts';
import { VERSION } from './model/version.ts';
import { BcsRequests, showBcsNames } from './mirror/bcs-metrics.ts';
import { Fleet } from './mirror/fleet.ts';
import { Leadership } from './mirror/leadership.ts';
import { showLeadership } from './mirror/leadership-metrics.ts';
import type { Metrics } from './mirror/metrics.ts';
import { Mirror } from './mirror/mirror.ts';
import { type Pod, PodEvents } from './mirror/pod-events.ts';
import { observedPools, showPools } from './mirror/pool-metrics.ts';
import { observedStorage } from './mirror/observed-storage.ts';
import { shardWriters, soleWriter, type Writers, type WritersParts } from './mirror/writers.ts';
import { openLooseDocuments, openOwnReader, openStorage } from './storage/open.ts';
import { readTls } from './storage/bcs/tls.ts';
import type { Storage } from './storage/storage.ts';
import type { Web } from './web/server.ts';

export interface AppOptions {
  readonly config: Config;
  /** The file behind `config`, to be followed; null when there is none. */
  readonly file: {
    readonly path: string;
    readonly text: string;
    readonly read?: ((path: string) => Promise<string>) | undefined;
    readonly flags: ConfigFlags;
  } | null;
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: RootLogger;
  /** As for the mirror: begin with whole lists. */
  readonly listsFirst?: boolean | undefined;
  /** The pod that this process runs in, to tell Events about; absent or null when it is none. */
  readonly pod?: Pod | null | undefined;
  /** Stands around the engine that the configuration names; benchmarks slow it down or listen to it. */
  readonly wrapStorage?: ((engine: Storage) => Storage) | undefined;
}

/** A running mirror, as commands use it. */
export interface App {
  readonly clusterName: string;
  /** Where health, metrics and status page are, null when switched off. */
  readonly url: string | null;
  status(): MirrorStatus;
  /** Whether every kind is complete and durable, except what is parked; far cheaper than status(). */
  isReady(): boolean;
  /** Changes received since the start, for a rate. */
  changes(): number;
  /**
   * Mirrors until `signal` aborts; then writes what is dirty for `shutdown.graceSeconds` at the most, and closes everything. Throws LeadershipLostError when another
   * process writes now: then nothing is waited for.
   */
  run(signal: AbortSignal): Promise<void>;
}

/** Wires the rooms in the order in which data flows. The address is taken when it resolves, and storage is open, unless a leader is to be elected first. */
export async function createApp(options: AppOptions): Promise<App> {
  const { credentials, clock, random, log } = options;
  let { config } = options;
  const clusterName = clusterNameFrom(config, credentials.contextName);

  const slots = new Semaphore(config.limits.apiserver.concurrency);
  const rate = new BottleneckLimit(config.limits.apiserver.perSecond);
  const cluster = createCluster({ credentials, clock, version: VERSION, rate, slots });
  const storageSlots = new Semaphore(config.limits.storage.concurrency);
  const storageRate = new BottleneckLimit(config.limits.storage.perSecond);
  const requests = config.metrics.bcsNames ? new BcsRequests() : null;
  const namespace = credentials.namespace || 'default';
  const settings = config.leaderElection;
  const inUse = new ConfigInUse(options.file === null ? null : configVersion(options.file.text));
  const fleet = new Fleet({ clusterName, address: cluster.address, config, configuration: inUse, clock, idlePhase: () => writers?.idlePhase ?? 'connecting' });
  const { metrics, control } = fleet;
  let writers: Writers | null = null;
  let web: Web | null = null;
  let pools: Pools | null = null;
  const status = (): MirrorStatus => ({ ...fleet.status(), ...writers?.status(), ...(pools === null ? {} : { pools: pools.status() }) });
  const parts: WritersParts = {
    fleet,
    openCopy(guard) {
      const engine = openStorage(config.storage.url, {
        cluster: clusterName,
        walBytes: config.storage.walBytes,
        http: config.storage,
        clock,
        log: log.child({ component: 'storage' }),
      });
      const guarded = guard(options.wrapStorage?.(engine) ?? engine);
      const storage = limitedStorage(requests === null ? guarded : observedStorage(guarded, requests, clock), storageSlots, storageRate);
      return { storage, reader: openOwnReader(config.storage.url, engine) };
    },
    createMirror: (copy, more) =>
      new Mirror({
        ...{ clusterName, configuration: inUse, cluster, clock, random },
        log: more.shard === undefined ? log : log.child({ shard: more.shard.index }),
        ...copy,
        ...more,
        config,
        shared: fleet.shared,
        listsFirst: options.listsFirst,
        explain: (error) => describeConnectError(error, cluster.address),
      }),
    beside: async (signal) => {
      try {
        // What ran once has closed what it wrote to.
        if (pools?.hasRun === true) pools = await poolsOf(clusterName, config, requests, options);
      } catch (cause) {
        return log.error('the pools of the NetService are not copied: this process cannot begin with them again', { error: messageOf(cause) });
      }
      await pools?.run(signal);
    },
  };
  const election = { settings, leases: cluster, namespace, clock, random, log };
  writers =
    config.shards > 1
      ? shardWriters(parts, { ...election, count: config.shards, graceMs: () => config.shutdown.graceSeconds * 1000 })
      : await soleWriter(parts, settings.enabled ? new Leadership(election) : null);
  const { lost } = writers;
  showLeadership(metrics, () => writers?.leases() ?? []);
  if (requests !== null) showBcsNames(metrics, { cluster: clusterName, requests });
  try {
    pools = await poolsOf(clusterName, config, requests, options);
    if (pools !== null) showPools(metrics, () => pools?.status() ?? []);
    web = await listen(config, { metrics, control, status, reviews: cluster, clock, log });
  } catch (cause) {
    await writers.end(AbortSignal.abort());
    throw cause;
  }

  function applyUpdate(next: Config, version: string): void {
    // Against what runs: a key that waits for a restart does so until it is as it was.
    const diff = diffConfig(config, next);
    config = withLiveChanges(config, next);
    slots.resize(config.limits.apiserver.concurrency);
    rate.update(config.limits.apiserver.perSecond);
    storageSlots.resize(config.limits.storage.concurrency);
    storageRate.update(config.limits.storage.perSecond);
    log.setLevel(config.log.level);
    fleet.apply(config);
    inUse.applied(version, clock.wall(), diff.restart);
    log.info('configuration applied', { version, changes: describeDiff(diff) });
  }

  return {
    clusterName,
    url: web?.url ?? null,
    status,
    isReady: () => fleet.isReady(),
    changes: () => metrics.changes(),
    async run(signal) {
      for (const warning of credentials.warnings) log.warn(warning);
      const ended = new AbortController();
      const following =
        options.file === null
          ? Promise.resolve()
          : followConfigFile({
              ...options.file,
              clock,
              signal: AbortSignal.any([signal, ended.signal]),
              onUpdate: (update) => {
                if ('config' in update) {
                  applyUpdate(update.config, update.version);
                } else {
                  inUse.refuse(update.version, update.error.message);
                  log.error('a new configuration is refused as a whole, the one before it stays', { version: update.version, error: update.error.message });
                }
              },
            });
      const hurry = new AbortController();
      const cancelHurry = { now: (): void => {} };
      lost?.addEventListener('abort', () => hurry.abort());
      signal.addEventListener('abort', () => {
        cancelHurry.now = clock.after(config.shutdown.graceSeconds * 1000, () => hurry.abort());
      });
      const running = AbortSignal.any([signal, ended.signal, ...(lost === null ? [] : [lost])]);
      const telling = options.pod ? new PodEvents({ pod: options.pod, events: cluster, status, clock, log }).run(running) : Promise.resolve();
      try {
        await writers?.run(running, hurry.signal);
      } finally {
        ended.abort();
        await following;
        await telling;
        await web?.close();
        await writers?.end(hurry.signal);
        await cluster.close();
        cancelHurry.now();
      }
      if (lost?.aborted === true) throw lost.reason;
    },
  };
}

interface Pools {
  readonly hasRun: boolean;
  readonly status: () => readonly PoolStatus[];
  run(signal: AbortSignal): Promise<void>;
}

/** Copies the pools of a NetService beside the mirror; null when no NetService is configured. `requests` counts the writes. */
async function poolsOf(cluster: string, config: Config, requests: BcsRequests | null, { clock, random, log }: AppOptions): Promise<Pools | null> {
  const { endpoints, zookeeper } = config.netservice;
  const documents = endpoints === null && zookeeper === null ? null : openLooseDocuments(config.storage.url, { cluster, clock, http: config.storage });
  if (documents === null) return null;
  const { createPoolPoller } = await import('./netservice/start.ts');
  const tls = await readTls(config.storage.tls, clock.wall());
  const counted = requests === null ? documents : observedPools(documents, requests, clock);
  const poller = await createPoolPoller(config.netservice, { cluster, documents: counted, tls, clock, random, log: log.child({ component: 'netservice' }) });
  if (poller === null) return null;
  let hasRun = false;
  return {
    get hasRun() {
      return hasRun;
    },
    status: () => poller.status(),
    async run(signal) {
      hasRun = true;
      const cut = (): void => void documents.close().catch(() => {});
      signal.addEventListener('abort', cut, { once: true });
      await poller.run(signal);
      await documents.close().catch(() => {});
    },
  };
}

interface Served {
  readonly metrics: Metrics;
  readonly control: Control;
  readonly status: () => MirrorStatus;
  readonly reviews: AccessReviews;
  readonly clock: Clock;
  readonly log: RootLogger;
}

async function listen(config: Config, { metrics, control, status, reviews, clock, log }: Served): Promise<Web | null> {
  // The configuration has been checked: what is not loopback is secured.
  const address = config.listen === 'off' ? null : parseListen(config.listen);
  if (address === null) return null;
  const secured = securedBy(config);
  try {
    // Loaded only when it is used: node:http costs a start 34 ms of CPU and 20 MB.
    const { startWeb } = await import('./web/server.ts');
    return await startWeb({
      ...address,
      status,
      control,
      metrics: async () => ({ text: await metrics.registry.metrics(), contentType: metrics.registry.contentType }),
      secured: secured === null ? null : { ...secured, ...(secured.tokenReview ? { reviews } : {}) },
      clock,
      debug: config.debug.enabled,
      log: log.child({ component: 'web' }),
    });
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    throw listenFailure(config.listen, code);
  }
}
