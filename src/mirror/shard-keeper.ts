import { randomUUID } from 'node:crypto';
import type { LeaseDirectory, LeaseStore } from '../cluster/cluster.ts';
import type { Config } from '../config/schema.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import type { Random } from '../kit/random.ts';
import { aborted } from '../kit/within.ts';
import { Membership } from '../lease/membership.ts';
import { type LeaseNames, leaseNames } from '../lease/roster.ts';
import { type Claim, movesOf, targetsOf } from '../lease/shares.ts';
import type { MirrorStatus, ShardsStatus } from '../model/status.ts';
import { Leadership, leaseTimings, newIdentity } from './leadership.ts';
import { type MakeShard, ShardUnit } from './shard-unit.ts';

export interface ShardKeeperOptions {
  readonly settings: Config['leaderElection'];
  /** Of the leases, when none is configured. */
  readonly namespace: string;
  readonly count: number;
  readonly leases: LeaseStore & LeaseDirectory;
  readonly make: MakeShard;
  readonly graceMs: () => number;
  /** Of the mirror of a shard; null when it has none. */
  readonly statusOf: (index: number) => Pick<MirrorStatus, 'phase' | 'shard'> | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

type Given = ShardsStatus['given'][number];

/**
 * The shards of this process: makes it known to the other replicas, tries for the leases of the shards that it should have, and gives back those that another one
 * should have (lease/shares.ts says which). A lease that is lost against its will ends the process, as with one shard.
 */
export class ShardKeeper {
  readonly #options: ShardKeeperOptions;
  readonly #names: LeaseNames;
  readonly #identity: string;
  readonly #membership: Membership;
  readonly #units = new Map<number, ShardUnit>();
  /** The ends of their runs; none rejects. */
  readonly #runs = new Set<Promise<void>>();
  readonly #lost = new AbortController();
  readonly #failed = new AbortController();
  readonly #given = new Map<number, Given>();
  /** By the name of the lease, of units that have ended. */
  readonly #slowPaths = new Map<string, number>();
  #hurry = new AbortController().signal;
  #isEnding = false;
  #toldOfSplit: string | null = null;

  constructor(options: ShardKeeperOptions) {
    const { settings, count, leases, clock, log } = options;
    const id = randomUUID();
    this.#options = options;
    this.#identity = newIdentity(id);
    this.#names = leaseNames(settings.name);
    this.#membership = new Membership({
      leases,
      namespace: settings.namespace ?? options.namespace,
      election: settings.name,
      names: this.#names,
      identity: this.#identity,
      id,
      shards: count,
      timings: leaseTimings(settings),
      clock,
      log: log.child({ component: 'lease' }),
      onChange: () => this.#decide(),
    });
  }

  /** Aborts when this process must write no more; the reason is as that of Leadership. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** The phase of a process that writes no shard: a ready standby is one whom nobody needs. */
  get idlePhase(): MirrorStatus['phase'] {
    if (this.#isEnding) return 'stopping';
    if (this.#units.size > 0) return 'syncing';
    return this.#members().includes(this.#identity) ? 'standby' : 'connecting';
  }

  /** By the name of the lease: whether this process holds it and writes, and how many of its renewals failed at first. */
  leases(): readonly { readonly name: string; readonly shard: number; readonly isLeading: boolean; readonly slowPaths: number }[] {
    return Array.from({ length: this.#options.count }, (_, shard) => {
      const name = this.#names.shard(shard);
      const leadership = this.#units.get(shard)?.leadership;
      return { name, shard, isLeading: leadership?.isLeading ?? false, slowPaths: (this.#slowPaths.get(name) ?? 0) + (leadership?.slowPaths ?? 0) };
    });
  }

  status(): ShardsStatus {
    const { count, clock, statusOf } = this.#options;
    const own = [...this.#units].flatMap(([index, { leadership, since }]) => {
      const { epoch } = leadership.status();
      const mirror = statusOf(index);
      return epoch === null || since === null ? [] : [{ index, epoch, since, phase: mirror?.phase ?? 'syncing', splitBy: mirror?.shard?.splitBy ?? null }];
    });
    const split = this.#membership.roster.otherSplit(clock.now());
    return {
      count,
      identity: this.#identity,
      members: this.#members().length,
      holders: this.#holders(),
      own: own.sort((a, b) => a.index - b.index),
      given: [...this.#given.values()],
      waits: split === null ? null : `${split} holds a shard of another number of shards`,
    };
  }

  /** Shares the shards until `signal` aborts; then all of them are given back, within the grace or until `hurry` aborts. */
  async run(signal: AbortSignal, hurry: AbortSignal): Promise<void> {
    this.#hurry = hurry;
    const over = AbortSignal.any([signal, this.#failed.signal]);
    if (!over.aborted) this.#membership.start();
    await aborted(over);
    this.#isEnding = true;
    // First of all, so that others know whom the shards go to, and wait for the leases already.
    const leaving = this.#membership.leave();
    for (const unit of this.#units.values()) unit.stop();
    while (this.#runs.size > 0) await Promise.all(this.#runs);
    await leaving;
    if (this.#failed.signal.aborted) throw this.#failed.signal.reason;
  }

  #members(): readonly string[] {
    return this.#membership.roster.members(this.#options.clock.now());
  }

  #claims(): ReadonlyMap<number, Claim> {
    return new Map([...this.#units].map(([index, { claim }]) => [index, claim]));
  }

  /** As the roster has them, but of this process as it knows itself. */
  #holders(): readonly (string | null)[] {
    const claims = this.#claims();
    return this.#membership.roster.holders(this.#options.clock.now()).map((holder, index) => {
      const claim = claims.get(index);
      if (claim === 'held' || claim === 'ending') return this.#identity;
      return holder === this.#identity ? null : holder;
    });
  }

  #decide(): void {
    if (this.#isEnding || this.#lost.signal.aborted || this.#failed.signal.aborted) return;
    const members = this.#members();
    const holders = this.#membership.roster.holders(this.#options.clock.now());
    const claims = this.#claims();
    const { take, drop, release } = movesOf(this.#identity, { members, holders }, claims);
    if (this.#mayTake()) for (const index of take) this.#take(index);
    else for (const [index, claim] of claims) if (claim === 'trying') this.#units.get(index)?.stop();
    for (const index of drop) this.#units.get(index)?.stop();
    for (const index of release) this.#give(index, members);
  }

  /** Shards of two splits overlap: who comes with another number of them waits until those of the first have left. */
  #mayTake(): boolean {
    const split = this.#membership.roster.otherSplit(this.#options.clock.now());
    if (split !== this.#toldOfSplit && split !== null)
      this.#options.log.warn(
        'no shard is taken while another replica splits the cluster into another number of them: this one waits until that one has ended',
        {
          shards: this.#options.count,
          holder: split,
        },
      );
    this.#toldOfSplit = split;
    return split === null;
  }

  #take(index: number): void {
    const { settings, leases, namespace, count, make, graceMs, clock, random, log } = this.#options;
    const shard = { index, count };
    const shardLog = log.child({ shard: index });
    const lease = {
      name: this.#names.shard(index),
      identity: this.#identity,
      labels: this.#membership.labels,
      known: this.#membership.roster.shard(index),
      shard,
    };
    const leadership = new Leadership({ settings, lease, leases, namespace, clock, random, log: shardLog });
    const unit = new ShardUnit({ shard, leadership, make, clock, graceMs });
    this.#units.set(index, unit);
    this.#given.delete(index);
    leadership.lost.addEventListener('abort', () => this.#lost.abort(leadership.lost.reason), { once: true });
    const run = unit
      .run(this.#hurry)
      .catch((cause: unknown) => this.#failed.abort(cause))
      .finally(() => {
        this.#units.delete(index);
        this.#runs.delete(run);
        this.#slowPaths.set(leadership.name, (this.#slowPaths.get(leadership.name) ?? 0) + leadership.slowPaths);
        this.#decide();
      });
    this.#runs.add(run);
  }

  #give(index: number, members: readonly string[]): void {
    const { log, count, clock } = this.#options;
    const to = targetsOf({ members, holders: this.#holders() })[index] ?? 'nobody';
    const why = `${count} shards are shared by ${members.length} replicas, and ${to} has less than its part`;
    log.info('a shard is given back, for another replica to take', { shard: index, to, replicas: members.length });
    this.#given.delete(index);
    this.#given.set(index, { index, at: clock.wall(), why });
    this.#units.get(index)?.stop();
  }
}
