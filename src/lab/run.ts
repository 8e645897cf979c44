import { type Clock, systemClock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import { seededRandom } from '../kit/random.ts';
import { UsageError } from '../model/errors.ts';
import type { ObjectKey } from '../model/key.ts';
import type { Kind } from '../model/kind.ts';
import type { Strategy } from '../queue/strategy.ts';
import { ProcessClock, VirtualClock } from '../sim/clock.ts';
import { Life } from '../sim/life.ts';
import type { Put } from '../storage/storage.ts';
import { putOf, writeOf } from './bodies.ts';
import { Books } from './books.ts';
import type { Load, LoadChange } from './load/load.ts';
import { Meter } from './meter.ts';
import type { StrategyResult, TargetName } from './result.ts';
import { batchOf, createStrategy, isProduct, type StrategyName } from './strategy/strategies.ts';
import { createHttpTarget } from './target/http-target.ts';
import { createMemoryTarget } from './target/memory-target.ts';
import { createSqliteTarget } from './target/sqlite-target.ts';
import { nameOf, type Target } from './target/target.ts';
import { troubled } from './target/troubled.ts';

/** The latency of the published tables, between their 86 and 90 ms. */
export const LATENCY_MS = 87;
/** Requests of a real service differ: without that N writers in step would never overtake each other. */
export const JITTER = 0.2;
/** How often a real run is looked at for its end. */
const LOOK_EVERY_MS = 5;
/** A run that has not ended by then is given up: its backlog at that moment is part of its result. */
const LIMIT_MS = { virtual: 6 * 3_600_000, real: 300_000 } as const;

export interface RunOptions {
  readonly strategy: StrategyName;
  readonly load: Load;
  readonly target: TargetName;
  /** `virtual` is for `memory` alone: the others take their own time. */
  readonly clock: 'virtual' | 'real';
  /** Writers side by side; default 30. */
  readonly consumers?: number | undefined;
  /** Of a write, on average. Default LATENCY_MS; SQLite takes what it takes. */
  readonly latencyMs?: number | undefined;
  /** Share of the latency by which a write may differ from it, evenly. Default JITTER. */
  readonly jitter?: number | undefined;
  /** Snapshots that a partition holds; default as in the old program. */
  readonly capacity?: number | undefined;
  /** The longest that a run may take after its burst, by its clock. */
  readonly limitMs?: number | undefined;
  /** An empty folder, for SQLite. */
  readonly folder?: string | undefined;
  readonly log?: Logger | undefined;
  /** Told now and then how far the run is. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export interface Progress {
  readonly atMs: number;
  readonly changes: number;
  readonly writes: number;
  readonly backlog: number;
}

/** Runs one strategy under one load until nothing is left to do, and says what was seen. Throws UsageError for options that exclude each other. */
export async function runStrategy(options: RunOptions): Promise<StrategyResult> {
  if (options.clock === 'virtual' && options.target !== 'memory')
    throw new UsageError(`A run on the virtual clock needs the storage "memory", current value is "${options.target}": others take their own time`);
  return await new Run(options).result();
}

class Run {
  readonly #options: RunOptions;
  readonly #virtual = new VirtualClock();
  readonly #clock: Clock;
  readonly #books = new Books();
  /** The newest change of every object, for bodies that are read again. */
  readonly #newest = new Map<string, LoadChange>();
  #startedAt = 0;
  #failed = 0;
  #peakItems = 0;
  #peakBytes = 0;
  #isOffered = false;
  #lastOfferMs = 0;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#clock = options.clock === 'virtual' ? new ProcessClock(this.#virtual, new Life(() => {})) : systemClock;
  }

  readonly #now = (): number => this.#clock.now() - this.#startedAt;

  async result(): Promise<StrategyResult> {
    const { strategy: name, load } = this.#options;
    const hasLanes = this.#options.target !== 'sqlite';
    const beganAt = systemClock.now();
    const target = await this.#target();
    try {
      const stored = this.#preload();
      await target.preload(stored);
      const engine = await target.storage(isProduct(name) ? 'product' : 'plain');
      const storage = troubled(engine, {
        troubles: load.troubles,
        clock: this.#clock,
        now: this.#now,
        onFailed: (rows) => {
          this.#failed += rows;
        },
      });
      const { consumers, capacity, log } = this.#options;
      const strategy = createStrategy(name, {
        storage,
        clock: this.#clock,
        // The jitter of storage and that of retries must not share their draws: one more retry would change every latency after it.
        random: seededRandom(load.seed + 2),
        hasLanes,
        read: (kind, key) => this.#read(kind, key),
        stored,
        ...{ consumers, capacity, log },
      });
      const storedBefore = stored.length;
      stored.length = 0;
      const meter = new Meter();
      this.#startedAt = this.#clock.now();
      const isFinished = await this.#run(strategy, meter);
      const endedMs = this.#now();
      meter.weigh();
      const cpuSeconds = meter.cpuSeconds;
      await this.#stop(strategy);
      const rows = await target.rows();
      return {
        ...this.#seen({ strategy, isFinished, endedMs, storedBefore }),
        batch: batchOf(name, storage, hasLanes),
        ...this.#judged(rows),
        cpuSeconds,
        peakMemoryMiB: meter.peakMemoryMiB,
        samples: meter.samples,
        tookMs: systemClock.now() - beganAt,
      };
    } finally {
      await target.close();
    }
  }

  async #target(): Promise<Target> {
    const { target, load, folder, latencyMs = LATENCY_MS, jitter = JITTER } = this.#options;
    const common = { clock: this.#clock, books: this.#books, now: this.#now };
    switch (target) {
      case 'memory':
        return createMemoryTarget({ ...common, latencyMs, jitter, random: seededRandom(load.seed + 1) });
      case 'http':
        return await createHttpTarget({ ...common, latencyMs, jitter });
      case 'sqlite':
        if (folder === undefined) throw new UsageError('A run on SQLite needs "folder", an empty folder for its file');
        return await createSqliteTarget({ ...common, folder });
      default:
        target satisfies never;
        throw new UsageError(`There is no storage "${String(target)}". They are: memory, http, sqlite`);
    }
  }

  #preload(): LoadChange[] {
    const stored: LoadChange[] = [];
    for (const change of this.#options.load.initial()) {
      const name = nameOf(change.kind, change.key);
      this.#books.preload(name, { uid: change.uid, revision: change.revision });
      this.#newest.set(name, change);
      stored.push(change);
    }
    return stored;
  }

  #read(kind: Kind, key: ObjectKey): Put | null {
    const change = this.#newest.get(nameOf(kind, key));
    return change === undefined || change.type === 'delete' ? null : putOf(change);
  }

  /** Offers the load and waits until nothing is left. False when that took too long. */
  async #run(strategy: Strategy, meter: Meter): Promise<boolean> {
    const { load, clock, limitMs = LIMIT_MS[clock] } = this.#options;
    const endMs = load.durationMs + limitMs;
    let isOver = false;
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    const look = (): void => {
      const nowMs = this.#now();
      if (nowMs >= meter.nextAt) this.#sample(strategy, meter, nowMs);
      isOver = (this.#isOffered && nowMs >= load.durationMs && strategy.backlog.items === 0) || nowMs >= endMs;
      if (isOver) {
        this.#sample(strategy, meter, nowMs);
        end();
      } else this.#clock.after(clock === 'virtual' ? Math.max(1, meter.nextAt - nowMs) : LOOK_EVERY_MS, look);
    };
    this.#offer(strategy, load.changes()[Symbol.iterator]());
    look();
    if (clock === 'virtual') await this.#virtual.advance(endMs + 1, () => isOver);
    await over;
    return strategy.backlog.items === 0;
  }

  async #stop(strategy: Strategy): Promise<void> {
    let isStopped = false;
    const stopped = strategy.stop().then(() => {
      isStopped = true;
    });
    // A run that was given up has writes under way, and they end by its clock.
    while (this.#options.clock === 'virtual' && !isStopped) await this.#virtual.advance(10_000, () => isStopped);
    await stopped;
  }

  /** Hands in all changes that are due, and comes back for the next one. */
  #offer(strategy: Strategy, changes: Iterator<LoadChange>): void {
    const pump = (pending: LoadChange | null): void => {
      const nowMs = this.#now();
      let change = pending;
      for (;;) {
        if (change === null) {
          const { done, value } = changes.next();
          if (done === true) {
            this.#isOffered = true;
            break;
          }
          change = value;
        }
        if (change.atMs > nowMs) {
          const next = change;
          this.#clock.after(next.atMs - nowMs, () => pump(next));
          break;
        }
        this.#offerOne(strategy, change, nowMs);
        change = null;
      }
      this.#notePeak(strategy);
    };
    pump(null);
  }

  #offerOne(strategy: Strategy, change: LoadChange, nowMs: number): void {
    const { kind, key, uid, revision, type, bytes, isBackground } = change;
    const name = nameOf(kind, key);
    this.#newest.set(name, change);
    this.#books.changed(name, type === 'put' ? { uid, revision } : null, revision, nowMs);
    this.#lastOfferMs = nowMs;
    strategy.offer({ write: writeOf(change), bytes, isBackground });
  }

  #notePeak(strategy: Strategy): void {
    const { items, bytes } = strategy.backlog;
    this.#peakItems = Math.max(this.#peakItems, items);
    this.#peakBytes = Math.max(this.#peakBytes, bytes);
  }

  #sample(strategy: Strategy, meter: Meter, atMs: number): void {
    this.#notePeak(strategy);
    const { items, bytes } = strategy.backlog;
    const { writes, changes } = this.#books;
    meter.look({ atMs, items, bytes, writes });
    this.#options.onProgress?.({ atMs, changes, writes, backlog: items });
  }

  #seen(run: { readonly strategy: Strategy; readonly isFinished: boolean; readonly endedMs: number; readonly storedBefore: number }) {
    const { load, target, clock, latencyMs = LATENCY_MS } = this.#options;
    const { name, cannot, consumers, discarded } = run.strategy;
    const { changes, writes, refused, latencies, uncovered, exactSince, lastWriteMs, orderViolations } = this.#books;
    const [p50Ms = null, p99Ms = null, maxMs = null] = latencies.quantiles([0.5, 0.99, 1]);
    // In real time the last change may come late, when the machine was held up.
    const durationMs = Math.max(load.durationMs, this.#lastOfferMs);
    return {
      strategy: name,
      cannot,
      consumers,
      load: load.name,
      seed: load.seed,
      target,
      clock,
      latencyMs: target === 'sqlite' ? null : latencyMs,
      storedBefore: run.storedBefore,
      changes,
      durationMs,
      offeredPerSecond: (changes * 1000) / durationMs,
      writes,
      writesPerChange: changes === 0 ? 0 : writes / changes,
      writesPerSecond: lastWriteMs === 0 ? 0 : (writes * 1000) / Math.max(lastWriteMs, durationMs),
      failed: this.#failed,
      refused,
      drainedMs: run.isFinished ? Math.max(0, lastWriteMs - durationMs) : null,
      exactMs: exactSince === null ? null : Math.max(0, exactSince - durationMs),
      ...{ p50Ms, p99Ms, maxMs, uncovered },
      peakItems: this.#peakItems,
      peakBytes: this.#peakBytes,
      discarded,
      orderViolations,
    };
  }

  #judged(rows: Parameters<Books['compare']>[0]) {
    const wrong = this.#books.compare(rows);
    return { wrongRows: wrong.missing + wrong.stale + wrong.surplus, wrong };
  }
}
