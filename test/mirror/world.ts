import { SlabPool } from '../../src/cache/body-pool.ts';
import type { Cluster } from '../../src/cluster/cluster.ts';
import type { KindPlan } from '../../src/config/plan.ts';
import { silentLogger } from '../../src/kit/log.ts';
import { type Random, seededRandom } from '../../src/kit/random.ts';
import type { ObjectKey } from '../../src/model/key.ts';
import type { Kind } from '../../src/model/kind.ts';
import { KindMirror } from '../../src/mirror/kind-mirror.ts';
import type { KindMirrorOptions } from '../../src/mirror/kind-mirror-options.ts';
import { Tenure } from '../../src/mirror/tenure.ts';
import type { HistoryMark } from '../../src/mirror/history-guard.ts';
import { KindMetrics } from '../../src/mirror/metrics.ts';
import { ManualClock, settled } from '../support/manual-clock.ts';
import { ScriptedCluster } from '../support/scripted-cluster.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { FaultyStorage } from './faulty-storage.ts';

export const MAPS: Kind = {
  group: '',
  version: 'v1',
  resource: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
  singular: 'configmap',
  shortNames: ['cm'],
  categories: [],
};

export const SECRET_KEY = new Uint8Array();
export const IDENTITY = 'uid of kube-system';

export function planOf(changes: Partial<KindPlan> = {}): KindPlan {
  return {
    kind: MAPS,
    id: 'configmaps',
    mirror: true,
    reason: 'test',
    scopes: [''],
    labelSelector: null,
    fieldSelector: null,
    filter: { namespaces: [], names: null, excepting: null, fields: null },
    mask: [],
    setLabels: {},
    remove: [],
    ignoreChanges: [],
    annotateWorkload: false,
    minIntervalSeconds: 0,
    workers: 2,
    secrets: 'none',
    fingerprint: 'test',
    ...changes,
  };
}

/** One kind from a scripted API server to a faulty storage, on one manual clock: nothing in it waits for real time. */
export class MirrorWorld {
  readonly clock = new ManualClock();
  readonly random: Random;
  readonly cluster: ScriptedCluster;
  readonly storage: FaultyStorage;
  pool: SlabPool;
  mirror: KindMirror;
  /** A second process, which looks on. */
  standby: { readonly mirror: KindMirror; readonly tenure: Tenure; readonly pool: SlabPool } | null = null;
  /** How often a standby went on from what it had seen, and how often it had to begin anew. */
  readonly takeovers = { warm: 0, cold: 0 };
  identity = IDENTITY;
  /** How long an answer to a get or a page is under way, after it was made. */
  answerMs: () => number = () => 0;
  /** How long what a watch says is under way. It stays in order. */
  watchMs: () => number = () => 0;
  /** The cluster as the mirror meets it: with these delays and faults. */
  readonly api: Cluster;
  /** Thrown by the next gets; null lets them through. */
  getFault: (key: ObjectKey) => Error | null = () => null;
  gets = 0;
  #changes: Partial<KindMirrorOptions> & { readonly plan: KindPlan };
  readonly #around: (storage: Storage) => Storage;

  constructor(
    options: {
      readonly seed?: number;
      readonly poolBytes?: number;
      readonly batchLimit?: number;
      readonly revision?: bigint;
      readonly mirror?: Partial<KindMirrorOptions>;
      /** What stands between mirror and storage. */
      readonly around?: (storage: Storage) => Storage;
    } = {},
  ) {
    this.random = seededRandom(options.seed ?? 1);
    this.cluster = new ScriptedCluster({ kind: MAPS, clock: this.clock, random: this.random, revision: options.revision ?? 100n });
    this.api = this.#slowed();
    this.storage = new FaultyStorage(this.clock, options.batchLimit);
    this.pool = new SlabPool(options.poolBytes ?? 8 * 1024 * 1024);
    this.#around = options.around ?? ((storage) => storage);
    this.#changes = { plan: planOf(), ...options.mirror };
    this.mirror = this.#create();
  }

  #create(more: Partial<KindMirrorOptions> = {}): KindMirror {
    const { clock, random, pool } = this;
    const storage = this.#around(this.storage.of(this.storage.epoch));
    return new KindMirror({
      cluster: this.api,
      storage,
      pool,
      secretKey: SECRET_KEY,
      // By default nothing that would let a start go on from a watermark.
      history: { identity: null, revision: null },
      fence: () => ({ maxDeleteShare: 1, minObjects: 0, confirmAfterSeconds: null }),
      clock,
      random,
      log: silentLogger,
      metrics: new KindMetrics(),
      firstList: 'paged',
      ...this.#changes,
      ...more,
    });
  }

  /** Starts a second process that stands by, unless there is one. */
  async standBy(): Promise<void> {
    if (this.standby !== null) return;
    const tenure = new Tenure('undecided');
    tenure.standBy();
    const pool = new SlabPool(this.pool.limitBytes);
    // It may learn of things later than the one that writes them.
    const cluster = this.#slowed(() => (this.random.next() < 0.3 ? Math.floor(this.random.next() * 3_000) : 0));
    const storage = this.storage.of(this.storage.epoch + 1);
    this.standby = { mirror: this.#create({ tenure, pool, cluster, storage, history: this.look() }), tenure, pool };
    await this.standby.mirror.start();
    await settled();
  }

  /** The first process is gone, with or without an orderly end, and the second one leads. */
  async takeOver(how: 'crash' | 'orderly'): Promise<void> {
    if (this.standby === null) return;
    const { mirror, tenure, pool } = this.standby;
    this.standby = null;
    const hurry = new AbortController();
    if (how === 'crash') {
      hurry.abort();
      this.storage.epoch++;
    }
    await this.stop(hurry.signal);
    if (how === 'orderly') this.storage.epoch++;
    this.pool = pool;
    this.mirror = mirror;
    tenure.begin();
    if (await mirror.takeOver(true)) this.takeovers.warm++;
    else {
      this.takeovers.cold++;
      await this.restart({ history: this.look() });
    }
    await settled();
  }

  async start(): Promise<void> {
    await this.mirror.start();
    await settled();
  }

  /** What the guard of history would tell a start just now. */
  look(): HistoryMark {
    return { identity: this.identity, revision: this.cluster.revision };
  }

  /** Ends the mirror and starts another on what storage holds; a plan changes what it follows. */
  async restart(changes: Partial<KindMirrorOptions> = {}, hurry = new AbortController().signal): Promise<void> {
    await this.stop(hurry);
    this.#changes = { ...this.#changes, ...changes };
    this.mirror = this.#create();
    await this.start();
  }

  async stop(hurry: AbortSignal = new AbortController().signal): Promise<void> {
    let isOver = false;
    const standby = this.standby?.mirror.stop(hurry);
    this.standby = null;
    const stopping = Promise.all([this.mirror.stop(hurry), standby]).finally(() => {
      isOver = true;
    });
    for (let turn = 0; !isOver && turn < 200; turn++) await this.clock.advanceAsync(1_000);
    await stopping;
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms);
  }

  /** `name` to `uid@revision`, as the rows say. */
  rows(): Record<string, string> {
    return Object.fromEntries([...this.storage.rows].map(([id, row]) => [id.slice('configmaps/'.length), `${row.uid}@${row.revision}`]));
  }

  truth(): Record<string, string> {
    return Object.fromEntries(this.cluster.truth);
  }

  /** Answers are made when asked for and arrive later; so what they say may be over by then. */
  #slowed(watchMs = (): number => this.watchMs()): Cluster {
    const { cluster, clock } = this;
    const later = async (signal: AbortSignal): Promise<void> => {
      const ms = this.answerMs();
      if (ms > 0) await clock.sleep(ms, signal);
      signal.throwIfAborted();
    };
    return {
      address: cluster.address,
      discover: () => cluster.discover(),
      identity: () => cluster.identity(),
      close: () => cluster.close(),
      watch: async (kind, scope, query, sink, onOpen, signal) => {
        let lastAt = clock.now();
        const slowly = (chunk: Uint8Array): void => {
          const at = Math.max(lastAt, clock.now() + watchMs());
          if (at <= clock.now()) return sink(chunk);
          lastAt = at;
          const bytes = Uint8Array.from(chunk);
          clock.after(at - clock.now(), () => {
            if (!signal.aborted) sink(bytes);
          });
        };
        await cluster.watch(kind, scope, query, slowly, onOpen, signal);
        await clock.sleep(lastAt - clock.now(), signal);
      },
      list: async (kind, scope, query, sink, signal) => {
        const chunks: Uint8Array[] = [];
        await cluster.list(kind, scope, query, (chunk) => void chunks.push(Uint8Array.from(chunk)), signal);
        await later(signal);
        for (const chunk of chunks) sink(chunk);
      },
      get: async (kind, key, signal) => {
        this.gets++;
        const fault = this.getFault(key);
        if (fault !== null) throw fault;
        const bytes = await cluster.get(kind, key);
        await later(signal);
        return bytes;
      },
    };
  }
}
