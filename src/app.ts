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
import { untilAborted } from './kit/within.ts';
import { UsageError } from './model/errors.ts';
import type { MirrorStatus, PoolStatus } from './model/status.ts';
import { VERSION } from './model/version.ts';
import { BcsRequests, showBcsNames } from './mirror/bcs-metrics.ts';
import { Leadership } from './mirror/leadership.ts';
import { showLeadership } from './mirror/leadership-metrics.ts';
import { Mirror } from './mirror/mirror.ts';
import { type Pod, PodEvents } from './mirror/pod-events.ts';
import { observedPools, showPools } from './mirror/pool-metrics.ts';
import { observedStorage } from './mirror/observed-storage.ts';
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
  const engine = openStorage(config.storage.url, {
    cluster: clusterName,
    walBytes: config.storage.walBytes,
    http: config.storage,
    clock,
    log: log.child({ component: 'storage' }),
  });
  const requests = config.metrics.bcsNames ? new BcsRequests() : null;
  const namespace = credentials.namespace || 'default';
  const settings = config.leaderElection;
  const leadership = settings.enabled ? new Leadership({ settings, leases: cluster, namespace, clock, random, log }) : null;
  const wrapped = options.wrapStorage?.(engine) ?? engine;
  const guarded = leadership?.guard(wrapped) ?? wrapped;
  const storage = limitedStorage(requests === null ? guarded : observedStorage(guarded, requests, clock), storageSlots, storageRate);
  if (leadership === null) await storage.open();
  const reader = openOwnReader(config.storage.url, engine);
  const inUse = new ConfigInUse(options.file === null ? null : configVersion(options.file.text));
  const mirror = new Mirror({
    clusterName,
    configuration: inUse,
    cluster,
    storage,
    reader,
    tenure: leadership?.tenure,
    config,
    listsFirst: options.listsFirst,
    clock,
    random,
    log,
    explain: (error) => describeConnectError(error, cluster.address),
  });
  showLeadership(mirror.metrics, leadership);
  if (requests !== null) showBcsNames(mirror.metrics, { cluster: clusterName, requests });
  let web: Web | null = null;
  let pools: Pools | null = null;
  const status = (): MirrorStatus => ({
    ...mirror.status(),
    ...(leadership === null ? {} : { leadership: leadership.status() }),
    ...(pools === null ? {} : { pools: pools.status() }),
  });
  try {
    pools = await poolsOf(clusterName, config, requests, options);
    if (pools !== null) showPools(mirror.metrics, pools.status);
    web = await listen(config, { mirror, status, reviews: cluster, clock, log });
  } catch (cause) {
    if (leadership === null) await storage.close();
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
    mirror.apply(config);
    inUse.applied(version, clock.wall(), diff.restart);
    log.info('configuration applied', { version, changes: describeDiff(diff) });
  }

  return {
    clusterName,
    url: web?.url ?? null,
    status,
    isReady: () => mirror.isReady(),
    changes: () => mirror.metrics.changes(),
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
      leadership?.lost.addEventListener('abort', () => hurry.abort());
      signal.addEventListener('abort', () => {
        cancelHurry.now = clock.after(config.shutdown.graceSeconds * 1000, () => hurry.abort());
      });
      const running = AbortSignal.any(leadership === null ? [signal, ended.signal] : [signal, ended.signal, leadership.lost]);
      leadership?.start(storage);
      const telling = options.pod ? new PodEvents({ pod: options.pod, events: cluster, status, clock, log }).run(running) : Promise.resolve();
      const polling = (leadership?.tenure.begun(running) ?? Promise.resolve()).then(() => (running.aborted ? undefined : pools?.run(running)));
      try {
        await mirror.run(running, hurry.signal);
      } finally {
        ended.abort();
        await following;
        await telling;
        await polling;
        await web?.close();
        if ('close' in reader) await reader.close();
        // Who has lost the lease ends before others may write, and whatever is under way is refused, or as late as it would be anyway.
        const isLost = leadership?.lost.aborted === true;
        if (leadership === null || leadership.hasOpened) await (isLost ? untilAborted(storage.close(), hurry.signal) : storage.close());
        await leadership?.end();
        await cluster.close();
        cancelHurry.now();
      }
      if (leadership?.lost.aborted === true) throw leadership.lost.reason;
    },
  };
}

interface Pools {
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
  return {
    status: () => poller.status(),
    async run(signal) {
      const cut = (): void => void documents.close().catch(() => {});
      signal.addEventListener('abort', cut, { once: true });
      await poller.run(signal);
      await documents.close().catch(() => {});
    },
  };
}

interface Served {
  readonly mirror: Mirror;
  readonly status: () => MirrorStatus;
  readonly reviews: AccessReviews;
  readonly clock: Clock;
  readonly log: RootLogger;
}

async function listen(config: Config, { mirror, status, reviews, clock, log }: Served): Promise<Web | null> {
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
      control: mirror.control,
      metrics: async () => ({ text: await mirror.metrics.registry.metrics(), contentType: mirror.metrics.registry.contentType }),
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
