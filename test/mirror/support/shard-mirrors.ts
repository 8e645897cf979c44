import { createCluster } from '../../../src/cluster/api-cluster.ts';
import { loadCredentials } from '../../../src/cluster/credentials.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { Clock } from '../../../src/kit/clock.ts';
import { createLogger } from '../../../src/kit/log.ts';
import { systemRandom } from '../../../src/kit/random.ts';
import { messageOf } from '../../../src/model/errors.ts';
import type { Shard } from '../../../src/model/shard.ts';
import { Mirror } from '../../../src/mirror/mirror.ts';
import { openOwnReader, openStorage } from '../../../src/storage/open.ts';
import { until } from '../../support/until.ts';

export interface ShardMirrorOptions {
  readonly kubeconfig: string;
  readonly url: string;
  readonly clusterName: string;
  readonly shard: Shard;
  readonly epoch: number;
  readonly clock: Clock;
  /** The configuration beside the storage. */
  readonly config?: object;
}

/** One shard of a cluster, mirrored in this process by an elected writer. */
export class ShardMirror implements AsyncDisposable {
  readonly mirror: Mirror;
  readonly #lines: readonly string[];
  readonly #ending: AbortController;
  readonly #ended: Promise<void>;

  private constructor(parts: { readonly mirror: Mirror; readonly lines: readonly string[]; readonly ending: AbortController; readonly ended: Promise<void> }) {
    this.mirror = parts.mirror;
    this.#lines = parts.lines;
    this.#ending = parts.ending;
    this.#ended = parts.ended;
    this.#ended.catch(() => {});
  }

  static async start(options: ShardMirrorOptions): Promise<ShardMirror> {
    const { kubeconfig, url, clusterName, shard, epoch, clock } = options;
    const lines: string[] = [];
    const log = await createLogger({ level: 'debug', format: 'json', write: (line) => lines.push(line) });
    const text = JSON.stringify({ storage: { url }, listen: 'off', ...options.config });
    const config = loadConfig({ text, file: 'test', flags: {} });
    const credentials = await loadCredentials({ kubeconfig, env: {}, home: '/', clock });
    const cluster = createCluster({ credentials, clock, version: 'test' });
    const storage = openStorage(url, { cluster: clusterName, clock, log, http: config.storage });
    const reader = openOwnReader(url, storage);
    await storage.open({ epoch, holder: `shard ${shard.index}/${shard.count}`, shard });
    const mirror = new Mirror({ clusterName, cluster, storage, reader, shard, config, clock, random: systemRandom, log, explain: messageOf });
    const ending = new AbortController();
    const run = async (): Promise<void> => {
      try {
        await mirror.run(ending.signal, new AbortController().signal);
      } finally {
        if ('close' in reader) await reader.close();
        await storage.close();
        await cluster.close();
      }
    };
    return new ShardMirror({ mirror, lines, ending, ended: run() });
  }

  /** Everything logged so far. */
  get log(): string {
    return this.#lines.join('');
  }

  /** Lists by their reason, over all kinds; but for the audit's, which come and go by time. */
  async lists(): Promise<Readonly<Record<string, number>>> {
    const { audit: _, ...lists } = await this.#sumOf('kubefold_lists_total', 'reason');
    return lists;
  }

  /** Writes by their outcome, over all kinds. */
  async writes(): Promise<Readonly<Record<string, number>>> {
    return await this.#sumOf('kubefold_storage_writes_total', 'outcome');
  }

  async ready(withinMs = 30_000): Promise<void> {
    const look = (): boolean => {
      if (this.mirror.isReady()) return true;
      const { error, kinds } = this.mirror.status();
      throw new Error(`not complete: ${error ?? ''} ${kinds.flatMap((kind) => (kind.complete ? [] : [`${kind.id} ${kind.state}`])).join(', ')}`);
    };
    await until('the shard is complete', look, { withinMs, everyMs: 20 });
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #sumOf(name: string, label: string): Promise<Record<string, number>> {
    const sums: Record<string, number> = {};
    for (const line of (await this.mirror.metrics.registry.metrics()).split('\n')) {
      if (!line.startsWith(`${name}{`)) continue;
      const group = new RegExp(`${label}="([^"]*)"`).exec(line)?.[1] ?? '';
      const value = Number(line.slice(line.lastIndexOf(' ') + 1));
      if (value > 0) sums[group] = (sums[group] ?? 0) + value;
    }
    return sums;
  }
}

/** Every shard of a cluster, over one copy. */
export async function startShards(count: number, options: Omit<ShardMirrorOptions, 'shard'>): Promise<readonly ShardMirror[]> {
  return await Promise.all(Array.from({ length: count }, (_, index) => ShardMirror.start({ ...options, shard: { index, count } })));
}
