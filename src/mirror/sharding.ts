import type { ChunkSink, Cluster, ListQuery, WatchQuery } from '../cluster/cluster.ts';
import type { ListEnd } from '../json/list-reader.ts';
import type { Logger } from '../kit/log.ts';
import { ApiError } from '../model/errors.ts';
import { type Kind, type KindId, kindId, type Scope } from '../model/kind.ts';
import { isInShard, type Shard, shardSelectorOf } from '../model/shard.ts';
import type { ShardStatus } from '../model/status.ts';
import { shardStorage } from '../storage/sharded.ts';
import type { MirrorOptions } from './mirror-options.ts';

export interface ShardingOptions {
  readonly shard: Shard;
  readonly cluster: Cluster;
  readonly log: Logger;
  /** Kinds of which this shard has to see every object, though it stores its own only. */
  readonly seesAll: (kind: KindId) => boolean;
}

/**
 * What one shard asks of the API server. A server that can splits for us; whether this one does is only seen in a list, and nothing depends on it: every object
 * that comes is looked at here as well (Delivery).
 */
export class Sharding {
  /** The same cluster, of which lists and watches are asked for this shard's objects. */
  readonly cluster: Cluster;
  readonly #options: ShardingOptions;
  readonly #selector: string;
  #splitBy: ShardStatus['splitBy'] = null;
  /** The server knows the parameter and does not understand our text: it is not sent any more. */
  #isRefused = false;

  constructor(options: ShardingOptions) {
    const { cluster, shard } = options;
    this.#options = options;
    this.#selector = shardSelectorOf(shard);
    this.cluster = {
      address: cluster.address,
      discover: (signal) => cluster.discover(signal),
      list: (kind, scope, query, sink, signal) => this.#list(kind, scope, query, sink, signal),
      watch: (kind, scope, query, sink, onOpen, signal) => this.#watch(kind, scope, query, sink, onOpen, signal),
      get: (kind, key, signal) => cluster.get(kind, key, signal),
      identity: (signal) => cluster.identity(signal),
      close: () => cluster.close(),
    };
  }

  /** Whether the object with this uid is this shard's. */
  readonly isOurs = (uid: string): boolean => isInShard(uid, this.#options.shard);

  /** The share of what a list brings that is ours. */
  get share(): number {
    return this.#splitBy === 'server' ? 1 : 1 / this.#options.shard.count;
  }

  status(): ShardStatus {
    return { ...this.#options.shard, splitBy: this.#splitBy };
  }

  /** A list of the kind has ended. */
  listed(kind: Kind, { shardInfo }: Pick<ListEnd, 'shardInfo'>): void {
    if (!this.#isAsked(kind)) return;
    const splitBy = shardInfo === null ? 'us' : 'server';
    if (splitBy === this.#splitBy) return;
    this.#splitBy = splitBy;
    const { shard, log } = this.#options;
    const what = splitBy === 'server' ? 'the API server splits lists and watches for us' : 'the API server does not split: every shard reads everything';
    log.info(what, { shards: shard.count });
  }

  #isAsked(kind: Kind): boolean {
    return !this.#isRefused && !this.#options.seesAll(kindId(kind));
  }

  async #list(kind: Kind, scope: Scope, query: ListQuery, sink: ChunkSink, signal: AbortSignal): Promise<void> {
    const { cluster } = this.#options;
    await this.#ask(kind, (shardSelector) => cluster.list(kind, scope, { ...query, shardSelector }, sink, signal));
  }

  async #watch(kind: Kind, scope: Scope, query: WatchQuery, sink: ChunkSink, onOpen: () => void, signal: AbortSignal): Promise<void> {
    const { cluster } = this.#options;
    await this.#ask(kind, (shardSelector) => cluster.watch(kind, scope, { ...query, shardSelector }, sink, onOpen, signal));
  }

  async #ask(kind: Kind, ask: (shardSelector: string | undefined) => Promise<void>): Promise<void> {
    if (!this.#isAsked(kind)) return await ask(undefined);
    try {
      await ask(this.#selector);
    } catch (cause) {
      // Before the first byte of an answer, so that it can be asked once more.
      if (!(cause instanceof ApiError) || !/shard ?selector/i.test(cause.message)) throw cause;
      if (!this.#isRefused) this.#options.log.warn('the API server splits in another way than ours: every shard reads everything', { error: cause.message });
      this.#isRefused = true;
      this.#splitBy = 'us';
      await ask(undefined);
    }
  }
}

/** What a mirror works with: cluster and storage are those of its shard. */
export interface ShardedOptions extends MirrorOptions {
  /** Null where everything is mirrored. */
  readonly sharding: Sharding | null;
}

export function sharded(options: MirrorOptions, seesAll: ShardingOptions['seesAll']): ShardedOptions {
  const { shard, cluster, storage, log } = options;
  const sharding = shard === undefined || shard.count === 1 ? null : new Sharding({ shard, cluster, log, seesAll });
  return { ...options, sharding, storage: shardStorage(storage, shard), cluster: sharding?.cluster ?? cluster };
}
