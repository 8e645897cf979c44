import { BODIES_SHARE, SlabPool } from '../cache/body-pool.ts';
import type { ConfigInUse } from '../config/in-use.ts';
import type { Config } from '../config/schema.ts';
import type { Clock } from '../kit/clock.ts';
import type { Control } from '../model/control.ts';
import type { MirrorStatus } from '../model/status.ts';
import { MergedControl } from './merged-control.ts';
import { mergedGauges, mergedStatus } from './merged-status.ts';
import { Metrics } from './metrics.ts';
import type { Mirror } from './mirror.ts';
import { showMirror } from './mirror-metrics.ts';
import type { SharedParts } from './mirror-options.ts';
import { noWorkloads, sumOfWorkloads, type WorkloadCounts } from './workload-counts.ts';

/** One mirror of several, as the fleet sees it. */
export type FleetMirror = Pick<Mirror, 'status' | 'isReady' | 'apply' | 'control' | 'gauges' | 'workloads'>;

export interface FleetOptions {
  readonly clusterName: string;
  /** Of the API server. */
  readonly address: string;
  readonly config: Config;
  readonly configuration: Pick<ConfigInUse, 'status' | 'warnings'>;
  readonly clock: Clock;
  /** The phase of a process that has no mirror. */
  readonly idlePhase: () => MirrorStatus['phase'];
}

/** The mirrors of one process, one for each shard that it writes, shown as one. Counters are shared, so what a mirror has counted stays when it goes. */
export class Fleet {
  readonly shared: SharedParts;
  readonly control: Control;
  readonly #options: FleetOptions;
  /** By the index of their shard. */
  readonly #mirrors = new Map<number, FleetMirror>();
  /** Of mirrors that went. */
  #workloads: WorkloadCounts = noWorkloads();
  #config: Config;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#config = options.config;
    const { clusterName, clock } = options;
    const pool = new SlabPool(options.config.cache.pendingBytes * BODIES_SHARE);
    const metrics = new Metrics({ kinds: () => mergedGauges(this.#all().map((mirror) => mirror.gauges())), pendingBytes: () => pool.usedBytes });
    this.shared = { metrics, pool };
    this.control = new MergedControl(clusterName, () => this.#all().map(({ control }) => control));
    showMirror(metrics, { status: () => this.status(), workloads: () => this.#counts(), clock });
  }

  get metrics(): Metrics {
    return this.shared.metrics;
  }

  add(index: number, mirror: FleetMirror): void {
    this.#mirrors.set(index, mirror);
  }

  remove(index: number): void {
    this.#workloads = sumOfWorkloads([this.#workloads, this.#mirrors.get(index)?.workloads ?? noWorkloads()]);
    this.#mirrors.delete(index);
  }

  apply(config: Config): void {
    this.#config = config;
    for (const mirror of this.#all()) mirror.apply(config);
  }

  /** Whether what this process writes is complete and durable; false when it writes nothing. */
  isReady(): boolean {
    return this.#mirrors.size > 0 && this.#all().every((mirror) => mirror.isReady());
  }

  /** Of the mirror of one shard; null when there is none. */
  statusOf(index: number): MirrorStatus | null {
    return this.#mirrors.get(index)?.status() ?? null;
  }

  status(): MirrorStatus {
    const { clusterName, address, configuration, idlePhase } = this.#options;
    const base: MirrorStatus = {
      cluster: clusterName,
      configuration: configuration.status,
      address,
      phase: idlePhase(),
      error: null,
      isRefused: false,
      kinds: [],
      left: [],
      broken: [],
      warnings: configuration.warnings,
      pendingBytes: this.shared.pool.usedBytes,
      storage: { open: false, since: null, failingMs: 0, error: null },
      audit: { everySeconds: this.#config.audit.everySeconds, off: null, last: null },
    };
    return mergedStatus(
      base,
      this.#all().map((mirror) => mirror.status()),
    );
  }

  #all(): readonly FleetMirror[] {
    return [...this.#mirrors.values()];
  }

  #counts(): WorkloadCounts {
    return sumOfWorkloads([this.#workloads, ...this.#all().map(({ workloads }) => workloads)]);
  }
}
