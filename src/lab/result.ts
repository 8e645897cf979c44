/** Where the strategies write to: a table in memory behind latency, the HTTP service of bcs-k8s-watch with latency, a SQLite file. */
export type TargetName = 'memory' | 'http' | 'sqlite';

/** One moment of a run. */
export interface Sample {
  /** From the start of the load. */
  readonly atMs: number;
  readonly items: number;
  readonly bytes: number;
  /** Writes that storage has carried out so far. */
  readonly writes: number;
}

/** What one run of one strategy under one load showed. All of it is JSON. Times are milliseconds, by the clock of the run. */
export interface StrategyResult {
  readonly strategy: string;
  readonly cannot: Readonly<Record<string, string>>;
  /** The most writes under way at once. */
  readonly consumers: number;
  /** The most rows in one write. */
  readonly batch: number;
  readonly load: string;
  readonly seed: number;
  readonly target: TargetName;
  readonly clock: 'virtual' | 'real';
  /** Of a write, on average; null where it is what it is. */
  readonly latencyMs: number | null;
  /** Objects that existed and were stored before the load began. */
  readonly storedBefore: number;
  readonly changes: number;
  /** The end of the burst. */
  readonly durationMs: number;
  readonly offeredPerSecond: number;
  /** Writes that storage carried out, one for each row. */
  readonly writes: number;
  readonly writesPerChange: number;
  /** From the start of the load to the last write. */
  readonly writesPerSecond: number;
  /** Writes that storage failed on purpose, or refused for being older than what it holds. */
  readonly failed: number;
  readonly refused: number;
  /** From the end of the burst until nothing waited and nothing was under way; null when that was not reached in time. */
  readonly drainedMs: number | null;
  /** From the end of the burst until storage was exact and stayed so; 0 when it was before. Null when it never was. */
  readonly exactMs: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
  /** Changes that no write ever covered, though the state that they led to may have been stored since. */
  readonly uncovered: number;
  readonly peakItems: number;
  readonly peakBytes: number;
  /** Snapshots given up for lack of room. */
  readonly discarded: number;
  readonly orderViolations: number;
  /** Rows that differ from the cluster at the end, counted in what storage itself says it holds. */
  readonly wrongRows: number;
  readonly wrong: { readonly missing: number; readonly stale: number; readonly surplus: number };
  /** CPU of the thread that ran the strategy, its load and, in memory, its storage. */
  readonly cpuSeconds: number;
  /** The most heap and buffers that were in use, above what was before the run, in MiB; garbage included. */
  readonly peakMemoryMiB: number;
  /** How long the run took for those who waited for it. */
  readonly tookMs: number;
  /** Backlog over time, at most SAMPLES of them, evenly spaced. */
  readonly samples: readonly Sample[];
}
