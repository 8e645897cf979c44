import { compareRevisions, type Revision } from '../model/revision.ts';
import type { ObservedLease, SeenLease } from './record.ts';

/** By which leases of one election are found: its name. */
export const ELECTION_LABEL = 'kubefold.io/election';
/** Into how many shards the holder splits: those of another number are other parts of the cluster. */
export const SHARDS_LABEL = 'kubefold.io/shards';

/** Names of the leases of one election with shards. */
export interface LeaseNames {
  readonly member: (id: string) => string;
  readonly shard: (index: number | '') => string;
}

/** `name` is that of the election, `leaderElection.name`. */
export function leaseNames(name: string): LeaseNames {
  return { member: (id) => `${name}-member-${id}`, shard: (index) => `${name}-shard-${index}` };
}

interface RosterOptions {
  /** Of this process. */
  readonly identity: string;
  readonly names: LeaseNames;
  readonly shards: number;
}

/**
 * Who is there and who holds which shard, by the leases of an election as they were seen. Knows no clock: it is told `now` (monotonic ms). A lease is alive for its
 * duration after it was *seen* to change, so clocks that differ do no harm; and a member counts from its first renewal on, which its own record says, so
 * that everybody judges alike, and one that dies as soon as it has come moves nothing.
 */
export class Roster {
  readonly #options: RosterOptions;
  readonly #observed = new Map<string, ObservedLease>();
  #listedAt: Revision = '';

  constructor(options: RosterOptions) {
    this.#options = options;
  }

  /** All leases of the election, as a list of revision `revision` had them. */
  listed(now: number, leases: readonly SeenLease[], revision: Revision): void {
    // The cluster was restored: nothing that is known can be compared with what comes.
    if (compareRevisions(revision, this.#listedAt) < 0) this.#observed.clear();
    this.#listedAt = revision;
    const names = new Set(leases.map(nameOf));
    for (const [name, { lease }] of this.#observed) if (!names.has(name) && compareRevisions(revisionOf(lease), revision) <= 0) this.#observed.delete(name);
    for (const lease of leases) this.seen(now, lease);
  }

  /** One of them, as it is now; an older state than what is known changes nothing. */
  seen(now: number, lease: SeenLease): void {
    const name = nameOf(lease);
    const before = this.#observed.get(name);
    if (before !== undefined && compareRevisions(revisionOf(before.lease), revisionOf(lease)) >= 0) return;
    this.#observed.set(name, { lease, changedAt: now });
  }

  gone(lease: SeenLease): void {
    const known = this.#observed.get(nameOf(lease));
    if (known !== undefined && compareRevisions(revisionOf(known.lease), revisionOf(lease)) <= 0) this.#observed.delete(nameOf(lease));
  }

  /** Identities of the members that count now, this one included when it does. Those that split otherwise share other shards. */
  members(now: number): readonly string[] {
    return this.#memberLeases()
      .filter((one) => isSteady(one) && this.#isOfUs(one) && (isAlive(one, now) || holderOf(one) === this.#options.identity))
      .map(holderOf);
  }

  /**
   * Who holds a shard of another split, as during an update that changes their number; null when nobody does. Two splits overlap, so nothing may be taken
   * meanwhile: whoever came first goes on until the last of them has left.
   */
  otherSplit(now: number): string | null {
    const prefix = this.#options.names.shard('');
    const found = [...this.#observed].find(([name, one]) => name.startsWith(prefix) && holderOf(one) !== '' && isAlive(one, now) && !this.#isOfUs(one));
    return found === undefined ? null : holderOf(found[1]);
  }

  /** By index of the shard: who holds its lease; null when nobody does, or it has run out. */
  holders(now: number): readonly (string | null)[] {
    return Array.from({ length: this.#options.shards }, (_, index) => {
      const one = this.shard(index);
      return one === null || holderOf(one) === '' || !isAlive(one, now) ? null : holderOf(one);
    });
  }

  /** What is known of the lease of a shard; null when there is none. */
  shard(index: number): ObservedLease | null {
    return this.#observed.get(this.#options.names.shard(index)) ?? null;
  }

  /**
   * Leases of members that have run out. They are to be removed at once: who comes later cannot know how old they are, would count on the dead for their duration
   * once more, and meanwhile judge otherwise than all others. One that was only frozen makes its lease again.
   */
  remains(now: number): readonly SeenLease[] {
    return this.#memberLeases()
      .filter((one) => holderOf(one) !== this.#options.identity && !isAlive(one, now))
      .map(({ lease }) => lease);
  }

  /** Milliseconds until the next lease runs out that is alive; infinite when none is. */
  untilExpiry(now: number): number {
    const left = [...this.#observed.values()].filter((one) => isAlive(one, now)).map(({ lease, changedAt }) => changedAt + lease.record.durationMs - now);
    return Math.min(Number.POSITIVE_INFINITY, ...left);
  }

  #isOfUs({ lease }: ObservedLease): boolean {
    const labels = (lease.object['metadata'] as Readonly<Record<string, unknown>>)['labels'] as Readonly<Record<string, unknown>> | undefined;
    return labels?.[SHARDS_LABEL] === String(this.#options.shards);
  }

  #memberLeases(): readonly ObservedLease[] {
    const prefix = this.#options.names.member('');
    return [...this.#observed].filter(([name, { lease }]) => name.startsWith(prefix) && lease.record.holder !== '').map(([, one]) => one);
  }
}

function isAlive({ lease, changedAt }: ObservedLease, now: number): boolean {
  return now < changedAt + lease.record.durationMs;
}

/** It has renewed once: both times are its own, so nobody's clock is compared with another's. */
function isSteady({ lease: { record } }: ObservedLease): boolean {
  return record.renewTime !== record.acquireTime;
}

function holderOf({ lease }: Pick<ObservedLease, 'lease'>): string {
  return lease.record.holder;
}

function nameOf({ object }: SeenLease): string {
  return String((object['metadata'] as Readonly<Record<string, unknown>>)['name']);
}

function revisionOf({ object }: SeenLease): Revision {
  return (object['metadata'] as Readonly<Record<string, unknown>>)['resourceVersion'] as Revision;
}
