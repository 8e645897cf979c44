import { untilAborted } from '../kit/within.ts';
import type { Shard } from '../model/shard.ts';
import type { MirrorStatus } from '../model/status.ts';
import type { Storage, StorageReader } from '../storage/storage.ts';
import type { Fleet, FleetMirror } from './fleet.ts';
import type { Leadership } from './leadership.ts';
import { type LeaseShown, leaseOf } from './leadership-metrics.ts';
import { ShardKeeper, type ShardKeeperOptions } from './shard-keeper.ts';
import type { Tenure } from './tenure.ts';

/** Storage of a mirror, not open yet, and the reader of its audit. */
export interface Copy {
  readonly storage: Storage;
  readonly reader: StorageReader | { readonly why: string };
}

export interface WritersParts {
  readonly fleet: Fleet;
  /** Makes a copy; `guard` stands around its engine. */
  readonly openCopy: (guard: (engine: Storage) => Storage) => Copy;
  readonly createMirror: (copy: Copy, more: { readonly shard?: Shard | undefined; readonly tenure?: Tenure | undefined }) => RunningMirror;
  /** What one process alone does beside the mirrors, until `signal` aborts: that which writes the first shard, if there are several. */
  readonly beside: (signal: AbortSignal) => Promise<void>;
}

type RunningMirror = FleetMirror & { run(signal: AbortSignal, hurry: AbortSignal): Promise<void> };

/** What writes in one process: one mirror of everything, or one for each shard that it owns. */
export interface Writers {
  /** Aborts when this process must write no more; the reason says why. Null where nobody elects. */
  readonly lost: AbortSignal | null;
  /** Of a process that has no mirror just now. */
  readonly idlePhase: MirrorStatus['phase'];
  status(): Pick<MirrorStatus, 'leadership' | 'shards'>;
  leases(): readonly LeaseShown[];
  /** Mirrors until `signal` aborts, then writes what is dirty until `hurry` aborts. */
  run(signal: AbortSignal, hurry: AbortSignal): Promise<void>;
  /** After the run, or instead of it: closes what is open, and then gives leases back. */
  end(hurry: AbortSignal): Promise<void>;
}

/** One mirror of everything. Storage is open when this resolves, unless a leader is to be elected first. */
export async function soleWriter({ fleet, openCopy, createMirror, beside }: WritersParts, leadership: Leadership | null): Promise<Writers> {
  const copy = openCopy((engine) => leadership?.guard(engine) ?? engine);
  const { storage, reader } = copy;
  if (leadership === null) await storage.open();
  const mirror = createMirror(copy, { tenure: leadership?.tenure });
  fleet.add(0, mirror);
  return {
    lost: leadership?.lost ?? null,
    idlePhase: 'connecting',
    status: () => (leadership === null ? {} : { leadership: leadership.status() }),
    leases: () => [leaseOf(leadership)],
    async run(signal, hurry) {
      leadership?.start(storage);
      const ended = new AbortController();
      const running = AbortSignal.any([signal, ended.signal]);
      const besides = (leadership?.tenure.begun(running) ?? Promise.resolve()).then(() => (running.aborted ? undefined : beside(running)));
      try {
        await mirror.run(signal, hurry);
      } finally {
        ended.abort();
        await besides;
      }
    },
    async end(hurry) {
      if ('close' in reader) await reader.close();
      // Who has lost the lease ends before others may write, and whatever is under way is refused, or as late as it would be anyway.
      const isLost = leadership?.lost.aborted === true;
      if (leadership === null || leadership.hasOpened) await (isLost ? untilAborted(storage.close(), hurry) : storage.close());
      await leadership?.end();
    },
  };
}

/** A mirror for each shard whose lease this process holds. */
export function shardWriters(parts: WritersParts, options: Omit<ShardKeeperOptions, 'make' | 'statusOf'>): Writers {
  const { fleet, openCopy, createMirror, beside } = parts;
  const keeper = new ShardKeeper({
    ...options,
    statusOf: (index) => fleet.statusOf(index),
    make(shard, leadership) {
      const copy = openCopy((engine) => leadership.guard(engine));
      const { storage, reader } = copy;
      return {
        storage,
        async run(signal, hurry) {
          const mirror = createMirror(copy, { shard, tenure: leadership.tenure });
          const ended = new AbortController();
          const besides = shard.index === 0 ? beside(AbortSignal.any([signal, ended.signal])) : Promise.resolve();
          fleet.add(shard.index, mirror);
          try {
            await mirror.run(signal, hurry);
          } finally {
            fleet.remove(shard.index);
            ended.abort();
            await besides;
          }
        },
        async close() {
          if ('close' in reader) await reader.close();
        },
      };
    },
  });
  return {
    lost: keeper.lost,
    get idlePhase() {
      return keeper.idlePhase;
    },
    status: () => ({ shards: keeper.status() }),
    leases: () => keeper.leases(),
    run: (signal, hurry) => keeper.run(signal, hurry),
    end: () => Promise.resolve(),
  };
}
