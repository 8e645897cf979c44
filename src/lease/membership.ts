import type { LeaseDirectory, LeaseStore } from '../cluster/cluster.ts';
import { Alarm } from '../kit/alarm.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import { within } from '../kit/within.ts';
import { ApiError, messageOf } from '../model/errors.ts';
import type { LeaseTimings } from './elector.ts';
import { type LeaseRecord, microTime, readLease, type SeenLease, writeLease } from './record.ts';
import { ELECTION_LABEL, type LeaseNames, Roster, SHARDS_LABEL } from './roster.ts';

export interface MembershipOptions {
  readonly leases: LeaseStore & LeaseDirectory;
  readonly namespace: string;
  /** Of the election: what all of its leases are labelled with. */
  readonly election: string;
  readonly names: LeaseNames;
  /** As whom this process holds leases. */
  readonly identity: string;
  /** The end of the name of its own lease. */
  readonly id: string;
  readonly shards: number;
  readonly timings: LeaseTimings;
  readonly clock: Clock;
  readonly log: Logger;
  /** Who is there, or who holds what, may have changed. */
  readonly onChange: () => void;
}

/** A process that ends does not wait longer than this for being taken off: others would not count on it after its lease anyway. */
const LEAVE_WITHIN_MS = 3_000;
/** So much later than a lease runs out it surely has. */
const JUST_AFTER_MS = 5;

/**
 * Makes this process known to the other replicas of an election, by a lease of its own that it renews, and keeps the roster of all leases: a list with each
 * renewal, and a watch between them, whose events tell at once who came, who went and what was given back. Unlike that of a shard its own lease is
 * never lost: nobody else wants it, and one that cannot be renewed is renewed later.
 */
export class Membership {
  readonly roster: Roster;
  readonly #options: MembershipOptions;
  readonly #alarm: Alarm;
  readonly #ending = new AbortController();
  readonly #selector: string;
  readonly #place: { readonly namespace: string; readonly name: string; readonly labels: Readonly<Record<string, string>> };
  /** As the server has it; null when there is none, or nobody knows. */
  #own: SeenLease | null = null;
  #acquireTime: string | null = null;
  #hasLooked = false;
  #failures = 0;
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.roster = new Roster(options);
    this.#alarm = new Alarm(options.clock);
    const labels = { [ELECTION_LABEL]: options.election, [SHARDS_LABEL]: String(options.shards) };
    this.#place = { namespace: options.namespace, name: options.names.member(options.id), labels };
    this.#selector = `${ELECTION_LABEL}=${options.election}`;
  }

  /** What every lease of the election carries that this process writes. */
  get labels(): Readonly<Record<string, string>> {
    return this.#place.labels;
  }

  /** Whether the leases were read at least once. */
  get hasLooked(): boolean {
    return this.#hasLooked;
  }

  start(): void {
    this.#running = Promise.all([this.#run(), this.#listen()]);
  }

  /** Others count on it no longer. Never rejects. */
  async leave(): Promise<void> {
    const { clock, leases, log } = this.#options;
    this.#ending.abort();
    await this.#running;
    if (this.#own === null) return;
    const seen = identityOf(this.#own);
    await within(clock, LEAVE_WITHIN_MS, new AbortController().signal, (signal) => leases.deleteLease(this.#place, seen, signal)).catch((cause: unknown) =>
      log.debug('the lease of this member stays until others remove it', { lease: this.#place.name, error: messageOf(cause) }),
    );
  }

  async #run(): Promise<void> {
    const { clock, timings, onChange } = this.#options;
    const { signal } = this.#ending;
    for (let dueAt = clock.now(); !signal.aborted; ) {
      const now = clock.now();
      if (now >= dueAt) {
        dueAt = now + timings.retryMs;
        await this.#round(signal);
      }
      if (signal.aborted) return;
      if (this.#hasLooked) onChange();
      for (const dead of this.roster.remains(clock.now())) await this.#remove(dead, signal);
      const waitMs = Math.min(dueAt - clock.now(), this.roster.untilExpiry(clock.now()) + JUST_AFTER_MS);
      await this.#alarm.wait(Math.max(0, waitMs), signal);
    }
  }

  /** Reads all leases and renews its own. */
  async #round(signal: AbortSignal): Promise<void> {
    const { clock, timings, leases, log, namespace } = this.#options;
    try {
      await within(clock, timings.renewMs / 2, signal, async (bounded) => {
        const list = readList(await leases.listLeases(namespace, this.#selector, bounded));
        this.roster.listed(clock.now(), list.leases, list.revision);
        this.#own = list.leases.find(({ object }) => metadataOf(object)['name'] === this.#place.name) ?? null;
        await this.#renew(bounded);
      });
      if (this.#failures > 0) log.info('the leases of the shards can be used again');
      this.#failures = 0;
      this.#hasLooked = true;
    } catch (cause) {
      if (signal.aborted) return;
      // Somebody took the dead for dead too early, or wrote into it: the next round reads it anew.
      if (cause instanceof ApiError && cause.status === 409) return;
      this.#failures++;
      const level = this.#failures < 2 ? 'info' : this.#failures < 4 ? 'warn' : 'error';
      log[level]('cannot read or renew the leases that say who shares the shards, will retry', { namespace, error: messageOf(cause) });
      return;
    }
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { clock, identity, leases, timings } = this.#options;
    const renewTime = microTime(clock.wall());
    this.#acquireTime ??= renewTime;
    const record: LeaseRecord = { holder: identity, durationMs: timings.leaseMs, transitions: 0, acquireTime: this.#acquireTime, renewTime };
    const lease = writeLease(record, this.#place, this.#own);
    const answer = await (this.#own === null ? leases.createLease(this.#place, lease, signal) : leases.updateLease(this.#place, lease, signal));
    this.#own = readLease(answer);
    this.roster.seen(clock.now(), this.#own);
  }

  async #remove(dead: SeenLease, signal: AbortSignal): Promise<void> {
    const { clock, leases, log, namespace } = this.#options;
    const name = String(metadataOf(dead.object)['name']);
    try {
      await within(clock, LEAVE_WITHIN_MS, signal, (bounded) => leases.deleteLease({ namespace, name }, identityOf(dead), bounded));
      log.info('removed the lease of a replica that is gone', { lease: name, holder: dead.record.holder });
    } catch (cause) {
      // Somebody else did it, or it has come back.
      if (!signal.aborted) log.debug('cannot remove the lease of a replica that is gone', { lease: name, error: messageOf(cause) });
    }
    this.roster.gone(dead);
  }

  async #listen(): Promise<void> {
    const { leases, namespace, clock, log, timings } = this.#options;
    const { signal } = this.#ending;
    while (!signal.aborted) {
      try {
        await leases.watchLeases(namespace, this.#selector, (event) => this.#event(event), signal);
      } catch (cause) {
        if (!signal.aborted) log.debug('cannot watch the leases of the shards, they are only read now and then', { error: messageOf(cause) });
      }
      await clock.sleep(timings.retryMs, signal);
    }
  }

  #event(event: unknown): void {
    const { type, object } = event as { readonly type?: unknown; readonly object?: unknown };
    if (type !== 'ADDED' && type !== 'MODIFIED' && type !== 'DELETED') return;
    const { roster } = this;
    const now = this.#options.clock.now();
    const facts = (): string => JSON.stringify([roster.members(now), roster.holders(now), roster.otherSplit(now)]);
    const before = facts();
    if (type === 'DELETED') roster.gone(readLease(object));
    else roster.seen(now, readLease(object));
    if (facts() !== before) this.#alarm.set(0);
  }
}

function readList(value: unknown): { readonly leases: readonly SeenLease[]; readonly revision: string } {
  const { items, metadata } = value as { readonly items?: unknown; readonly metadata?: { readonly resourceVersion?: unknown } };
  const revision = metadata?.resourceVersion;
  if (!Array.isArray(items) || typeof revision !== 'string') throw new Error('the API server answered with something that is no list of Leases');
  // Items of a list carry neither: what is sent back must.
  return { leases: items.map((item: object) => readLease({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', ...item })), revision };
}

function metadataOf(object: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return object['metadata'] as Readonly<Record<string, unknown>>;
}

function identityOf({ object }: SeenLease): { readonly uid: string; readonly resourceVersion: string } {
  const { uid, resourceVersion } = metadataOf(object);
  return { uid: String(uid), resourceVersion: String(resourceVersion) };
}
