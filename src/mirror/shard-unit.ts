import type { Clock } from '../kit/clock.ts';
import { untilAborted } from '../kit/within.ts';
import type { Claim } from '../lease/shares.ts';
import type { Shard } from '../model/shard.ts';
import type { Storage } from '../storage/storage.ts';
import type { Leadership } from './leadership.ts';

/** What stores one shard. */
export interface ShardCopy {
  /** Asks `leadership` before each write, and is opened by it. */
  readonly storage: Storage;
  /** Mirrors until `signal` aborts, then writes what is dirty until `hurry` aborts. Only called when storage is open. */
  run(signal: AbortSignal, hurry: AbortSignal): Promise<void>;
  /** Of whatever beside `storage` was opened for it. */
  close(): Promise<void>;
}

/** Makes what stores a shard; nothing is opened yet. */
export type MakeShard = (shard: Shard, leadership: Leadership) => ShardCopy;

export interface ShardUnitOptions {
  readonly shard: Shard;
  readonly leadership: Leadership;
  readonly make: MakeShard;
  readonly clock: Clock;
  /** Milliseconds that a shard which is given back may take for what is dirty. */
  readonly graceMs: () => number;
}

/**
 * One shard of this process, from the first try for its lease until that is given back: storage is opened with the epoch of the lease, then the mirror begins
 * where the last holder's watermark stands. The lease goes only after the last write and the closing of storage.
 */
export class ShardUnit {
  readonly shard: Shard;
  readonly leadership: Leadership;
  readonly #options: ShardUnitOptions;
  readonly #stopping = new AbortController();
  readonly #graceOver = new AbortController();
  /** Unix ms since when this process writes it; null while it does not. */
  #since: number | null = null;

  constructor(options: ShardUnitOptions) {
    this.#options = options;
    this.shard = options.shard;
    this.leadership = options.leadership;
  }

  get claim(): Claim {
    return this.#stopping.signal.aborted ? 'ending' : this.leadership.holdsLease ? 'held' : 'trying';
  }

  get since(): number | null {
    return this.#since;
  }

  /** The end of run(), within the grace. */
  stop(): void {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    const { clock, graceMs } = this.#options;
    const cancel = clock.after(graceMs(), () => this.#graceOver.abort());
    this.#graceOver.signal.addEventListener('abort', cancel, { once: true });
  }

  /** Until stop() is called, or the lease is lost: then nothing is waited for once `hurry` has aborted. Rejects with what cannot be gone on with. */
  async run(hurry: AbortSignal): Promise<void> {
    const { shard, leadership, make, clock } = this.#options;
    const copy = make(shard, leadership);
    const { storage } = copy;
    const hurried = AbortSignal.any([hurry, this.#graceOver.signal]);
    const running = AbortSignal.any([this.#stopping.signal, leadership.lost]);
    try {
      leadership.start(storage);
      await leadership.tenure.begun(running);
      if (!running.aborted) {
        this.#since = clock.wall();
        await copy.run(running, hurried);
      }
    } finally {
      this.#since = null;
      await untilAborted(leadership.stopOpening(), hurried);
      await copy.close();
      const isLost = leadership.lost.aborted;
      if (leadership.hasOpened) await (isLost ? untilAborted(storage.close(), hurried) : storage.close());
      await leadership.end();
      this.#graceOver.abort();
    }
  }
}
