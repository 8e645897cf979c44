import { hostname } from 'node:os';
import { randomUUID } from 'node:crypto';
import type { LeaseStore } from '../cluster/cluster.ts';
import type { Config } from '../config/schema.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import type { Random } from '../kit/random.ts';
import { onAbort } from '../kit/within.ts';
import { Election } from '../lease/election.ts';
import type { LeaseTimings } from '../lease/elector.ts';
import type { ObservedLease } from '../lease/record.ts';
import { EpochError, LeadershipLostError, messageOf, StorageError } from '../model/errors.ts';
import type { Shard } from '../model/shard.ts';
import type { LeadershipStatus } from '../model/status.ts';
import { aroundStorage } from '../storage/around.ts';
import type { Storage } from '../storage/storage.ts';
import { Tenure } from './tenure.ts';

export interface LeadershipOptions {
  readonly settings: Config['leaderElection'];
  /** The lease and who wants it. Absent: that of the settings, and a name of its own. */
  readonly lease?: LeaseChoice | undefined;
  readonly leases: LeaseStore;
  /** Of the Lease, when none is configured. */
  readonly namespace: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** One lease of several that this process may hold. */
export interface LeaseChoice {
  readonly name: string;
  readonly identity: string;
  readonly labels: Readonly<Record<string, string>>;
  /** As it was seen before; null when it was not. */
  readonly known: ObservedLease | null;
  /** What its holder writes. */
  readonly shard: Shard;
}

/** As controller-runtime does: unique, so that who starts again never takes a lease of its former life for its own. */
export function newIdentity(id: string = randomUUID()): string {
  return `${hostname()}_${id}`;
}

export function leaseTimings({ leaseSeconds, renewSeconds, retrySeconds }: Config['leaderElection']): LeaseTimings {
  return { leaseMs: leaseSeconds * 1000, renewMs: renewSeconds * 1000, retryMs: retrySeconds * 1000 };
}

/** A leader whose storage cannot be opened just now tries again after so long. */
const OPEN_AGAIN_MS = 1_000;

/**
 * Holds election, storage and mirror together: storage is opened with the epoch of the lease once this process leads, and only then the mirror writes; and
 * when the lease is lost, or storage has met a newer writer, all of it ends.
 */
export class Leadership {
  readonly tenure = new Tenure('undecided');
  readonly name: string;
  readonly #options: LeadershipOptions;
  readonly #log: Logger;
  readonly #election: Election;
  readonly #lost = new AbortController();
  #storage: Storage | null = null;
  #opening: Promise<void> | null = null;
  readonly #ending = new AbortController();
  #hasOpened = false;
  #isRefused = false;
  #onEpoch = (): void => {};

  constructor(options: LeadershipOptions) {
    const { settings, lease, leases, clock, random } = options;
    this.#options = options;
    this.name = lease?.name ?? settings.name;
    this.#log = options.log.child({ component: 'lease' });
    this.#election = new Election({
      leases,
      place: { namespace: settings.namespace ?? options.namespace, name: this.name, labels: lease?.labels },
      identity: lease?.identity ?? newIdentity(),
      timings: leaseTimings(settings),
      known: lease?.known,
      clock,
      random,
      log: this.#log,
      onChange: () => this.#changed(),
    });
  }

  /** Aborts when this process must write no more. The reason says why: a LeadershipLostError, or what is wrong with storage. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Whether storage was ever opened, and is to be closed. */
  get hasOpened(): boolean {
    return this.#hasOpened;
  }

  get slowPaths(): number {
    return this.#election.slowPaths;
  }

  /** Whether the lease is this process's, whatever became of storage. */
  get holdsLease(): boolean {
    return this.#election.role === 'leader';
  }

  get isLeading(): boolean {
    return this.#election.role === 'leader' && this.tenure.isLeading && !this.#lost.signal.aborted;
  }

  /** The same storage, which ends this process when it has met a newer writer. One that knows no epochs is asked only while nobody else can lead. */
  guard(engine: Storage): Storage {
    return aroundStorage(engine, async (writes, scopes) => {
      try {
        if (engine.cannot.epoch !== undefined && !this.#election.isValid())
          throw new EpochError('the lease may have run out, and this storage takes what any writer sends', this.#election.epoch ?? 0);
        return await engine.write(writes, scopes);
      } catch (cause) {
        if (cause instanceof EpochError) this.#refused(cause);
        throw cause;
      }
    });
  }

  /** `storage` is opened once this process leads. */
  start(storage: Storage): void {
    this.#storage = storage;
    this.#election.start();
  }

  status(): LeadershipStatus {
    const { identity, holder, epoch } = this.#election;
    return { role: this.isLeading ? 'leader' : 'standby', identity, holder, epoch: this.isLeading ? epoch : null };
  }

  /** Storage is not opened any more; resolves when an attempt under way is over, so that `hasOpened` is final. Never rejects. */
  async stopOpening(): Promise<void> {
    this.#ending.abort();
    await this.#opening;
  }

  /** Everything that needed the lease has ended: gives it back, unless it is lost. Never rejects. */
  end(): Promise<void> {
    return this.#lost.signal.reason instanceof LeadershipLostError ? this.#election.end() : this.#election.release();
  }

  #changed(): void {
    const { role, hasLooked } = this.#election;
    this.#onEpoch();
    if (role === 'lost') this.#lose(new LeadershipLostError(this.#election.why));
    else if (role === 'leader' && this.#opening === null) {
      this.#opening = this.#open();
    } else if (role === 'candidate' && hasLooked) this.tenure.standBy();
  }

  #refused(cause: EpochError): void {
    if (!this.#isRefused) this.#log.warn('storage refuses what this process writes', { error: cause.message });
    this.#isRefused = true;
    this.#lose(new LeadershipLostError(cause.message));
  }

  #lose(cause: Error): void {
    if (this.#lost.signal.aborted) return;
    this.#log.error('this process must write no more, and ends', { reason: cause.message });
    this.#lost.abort(cause);
  }

  async #open(): Promise<void> {
    const { clock, lease } = this.#options;
    const stopped = AbortSignal.any([this.#lost.signal, this.#ending.signal]);
    for (let failures = 0; !stopped.aborted && this.#election.role === 'leader'; ) {
      const { epoch, identity: holder } = this.#election;
      try {
        await this.#storage?.open({ epoch: epoch ?? 0, holder, ...(lease && { shard: lease.shard }) });
        this.#hasOpened = true;
        return this.tenure.begin();
      } catch (cause) {
        if (cause instanceof EpochError) {
          // The lease was made anew since: its count is behind. Nobody else holds it, so ours may go ahead.
          this.#election.raise(cause.newest + 1);
          await this.#epochAbove(cause.newest, stopped);
          continue;
        }
        if (!(cause instanceof StorageError) || !cause.retryable) return this.#lose(cause instanceof Error ? cause : new Error(messageOf(cause)));
        this.tenure.standBy();
        this.#log[failures++ < 10 ? 'warn' : 'error']('this process leads, but storage cannot be opened yet', { error: cause.message });
        await clock.sleep(OPEN_AGAIN_MS, stopped);
      }
    }
  }

  #epochAbove(newest: number, stopped: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if ((this.#election.epoch ?? -1) <= newest && this.#election.role === 'leader' && !stopped.aborted) return;
        this.#onEpoch = () => {};
        resolve();
      };
      this.#onEpoch = look;
      onAbort(stopped, look);
      look();
    });
  }
}
