import type { Random } from '../kit/random.ts';
import { type LeaseIdentity, type LeaseRecord, microTime, type ObservedLease, type SeenLease, writeLease } from './record.ts';

/** In milliseconds; `leaseMs` > `renewMs` > 1.2 times `retryMs` (LE-S1). */
export interface LeaseTimings {
  /** Others wait for so long after they saw the lease change. */
  readonly leaseMs: number;
  /** A leader gives up when it could not renew for so long. */
  readonly renewMs: number;
  /** From one attempt to the next. */
  readonly retryMs: number;
}

export interface ElectorOptions {
  readonly identity: string;
  readonly place: LeaseIdentity;
  readonly timings: LeaseTimings;
  readonly random: Random;
  /** What was seen of the lease before: its duration is counted from then. Absent: from the first look. */
  readonly known?: ObservedLease | null | undefined;
}

/** `lost` and `released` are for ever. */
export type Role = 'candidate' | 'leader' | 'lost' | 'released';

/** What to do next. A request is to be given up after `withinMs`; then failed() is to be told. */
export type Step =
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'read'; readonly withinMs: number }
  | { readonly do: 'create' | 'update'; readonly lease: object; readonly withinMs: number }
  | { readonly do: 'stop' };

const JITTER = 1.2;
/** When a lease runs out, every candidate knows it to the millisecond; they come in one after the other. */
const EXPIRY_SPREAD = 0.15;
/** The shortest time that a request gets (LE-S9). */
const LEAST_TIMEOUT_MS = 1_000;
/** The lease is given back as one that runs out at once, should somebody still look at its duration (LE-S7). */
const RELEASED_MS = 1_000;

/** What the request under way is for. */
type Asked = { readonly at: number; readonly for: 'looking' | 'holding' | 'releasing'; readonly isFast: boolean };

/**
 * Leader election over one Lease (rules LE-S1 to LE-S9 of the semantics page). Knows no clock and sends nothing: it is told `now` (monotonic ms) and what became
 * of its requests, and says what to do. One request is under way at a time.
 *
 * Two things are stricter than in client-go. A leader counts its time from when it *sent* the renewal that succeeded, as those who wait count theirs
 * from when they saw it; and it ends at once when it reads that somebody else holds the lease. And a candidate comes when the lease runs out, not at
 * the next turn of its own.
 */
export class Elector {
  readonly #options: ElectorOptions;
  #role: Role = 'candidate';
  #why = '';
  #asked: Asked | null = null;
  /** When the next attempt is due. */
  #dueAt = Number.NEGATIVE_INFINITY;
  /** The lease as read or written last; null when there is none, or nothing was read yet. */
  #seen: SeenLease | null = null;
  /** The record as it was seen to change last, and when. */
  #record: LeaseRecord | null = null;
  #changedAt = 0;
  /** What to send now that the lease was read; null when it must be read first. */
  #plan: { readonly record: (wall: number) => LeaseRecord } | null = null;
  /** When the renewal was sent that succeeded last. */
  #renewedAt = 0;
  #epoch: number | null = null;
  #leastEpoch = 0;
  #isReleasing = false;
  #slowPaths = 0;

  constructor(options: ElectorOptions) {
    checkTimings(options);
    this.#options = options;
    if (options.known) this.#note(options.known.changedAt, options.known.lease.record);
  }

  get role(): Role {
    return this.#role;
  }

  /** Why it was lost; '' while it is not. */
  get why(): string {
    return this.#why;
  }

  /** Of the leader, as it is on record; null before it was one. */
  get epoch(): number | null {
    return this.#epoch;
  }

  /** Who was seen to hold the lease last; null when nobody does, or nothing was seen yet. */
  get holder(): string | null {
    return this.#record === null || this.#record.holder === '' ? null : this.#record.holder;
  }

  /** Renewals that could not be sent without reading first (LE-S4). */
  get slowPaths(): number {
    return this.#slowPaths;
  }

  /** Whether nobody else can have taken over by the rules: the time to say so to what cannot refuse an epoch. */
  isValid(now: number): boolean {
    return this.#role === 'leader' && !this.#isReleasing && this.#isInTime(now);
  }

  /** `wall` is Unix ms, for what people read in the Lease. Not to be called while a request is under way. */
  next(now: number, wall: number): Step {
    if (this.#asked !== null) throw new Error('Cannot ask the elector what to do: a request is under way');
    const { timings, place } = this.#options;
    if (this.#role === 'leader' && !this.#isInTime(now)) this.#lose(`it could not be renewed for ${timings.renewMs / 1000} s`);
    if (this.#role === 'lost' || this.#role === 'released') return { do: 'stop' };
    const leftMs = this.#role === 'leader' ? this.#renewedAt + timings.renewMs - now : Number.POSITIVE_INFINITY;
    if (this.#plan === null && now < this.#dueAt) return { do: 'wait', ms: Math.min(this.#dueAt - now, leftMs) };
    const withinMs = Math.min(Math.max(LEAST_TIMEOUT_MS, timings.renewMs / 2), leftMs);
    const isFast = this.#plan === null && this.#role === 'leader' && !this.#isReleasing && this.#seen !== null;
    const plan = isFast ? { record: (at: number) => this.#renewal(at) } : this.#plan;
    this.#plan = null;
    this.#asked = { at: now, for: this.#isReleasing ? 'releasing' : plan === null ? 'looking' : 'holding', isFast };
    if (plan === null) return { do: 'read', withinMs };
    return { do: this.#seen === null ? 'create' : 'update', lease: writeLease(plan.record(wall), place, this.#seen), withinMs };
  }

  /** A read was answered: the lease, or null when there is none. */
  seen(now: number, lease: SeenLease | null): void {
    this.#asked = null;
    this.#seen = lease;
    this.#note(now, lease?.record ?? null);
    if (this.#isReleasing) {
      if (lease?.record.holder === this.#options.identity) this.#plan = { record: () => ({ ...lease.record, holder: '', durationMs: RELEASED_MS }) };
      else this.#role = 'released';
    } else if (this.#role === 'leader') {
      if (lease !== null && lease.record.holder !== this.#options.identity) this.#lose(`${lease.record.holder || 'nobody'} holds it now`);
      else this.#plan = { record: (wall) => this.#renewal(wall) };
    } else {
      this.#judge(now, lease);
    }
  }

  /** A create or update succeeded; `lease` is the server's answer. */
  written(now: number, lease: SeenLease): void {
    const asked = this.#asked;
    this.#asked = null;
    this.#seen = lease;
    this.#note(now, lease.record);
    if (asked?.for === 'releasing') {
      this.#role = 'released';
      return;
    }
    const sentAt = asked?.at ?? now;
    // It was given up while it was being taken: it is read once more, and goes back.
    if (this.#role === 'candidate' && this.#isReleasing) {
      this.#dueAt = now;
      return;
    }
    const isHurried = this.#isReleasing || lease.record.transitions < this.#leastEpoch;
    this.#dueAt = isHurried ? now : sentAt + this.#options.timings.retryMs;
    // It took so long that others may soon judge it to have run out. It is ours all the same, and is taken once more.
    if (this.#role === 'candidate' && now >= sentAt + this.#options.timings.renewMs) {
      this.#dueAt = now;
      return;
    }
    this.#renewedAt = sentAt;
    this.#epoch = lease.record.transitions;
    this.#role = 'leader';
  }

  /** The request failed, or got no answer: it may have been carried out all the same. */
  failed(now: number, how: 'conflict' | 'error'): void {
    const asked = this.#asked;
    this.#asked = null;
    this.#plan = null;
    const { retryMs } = this.#options.timings;
    if (this.#role === 'leader') {
      if (asked?.isFast === true) this.#slowPaths++;
      // What is on record is not known any more; after a direct write it is read at once.
      this.#seen = null;
      this.#dueAt = asked?.isFast === true || how === 'conflict' ? now : now + retryMs;
    } else {
      this.#dueAt = this.#isReleasing && asked?.for === 'holding' ? now : now + this.#jittered(retryMs);
    }
  }

  /** Somebody wrote to the lease: a candidate looks at once. */
  knock(now: number): void {
    if (this.#role === 'candidate') this.#dueAt = Math.min(this.#dueAt, now);
  }

  /** Storage knows of an epoch as high as ours, of a lease that was deleted since: ours becomes `epoch` at least. Only while leading. */
  raise(now: number, epoch: number): void {
    this.#leastEpoch = Math.max(this.#leastEpoch, epoch);
    this.#dueAt = now;
  }

  /** What needed the lease has ended: it is given back, if it is still ours. */
  release(now: number): void {
    // While it is being taken nobody knows whose it is.
    if (this.#role === 'candidate' && this.#asked?.for !== 'holding') this.#role = 'released';
    if (this.#role === 'released' || this.#role === 'lost') return;
    this.#isReleasing = true;
    this.#plan = null;
    this.#dueAt = now;
  }

  #isInTime(now: number): boolean {
    return now < this.#renewedAt + this.#options.timings.renewMs;
  }

  /** May a candidate take what it has read? */
  #judge(now: number, lease: SeenLease | null): void {
    const { identity, timings } = this.#options;
    if (lease === null) {
      this.#plan = { record: (wall) => this.#fresh(wall, 0) };
      return;
    }
    const { record } = lease;
    const expiresAt = this.#changedAt + record.durationMs;
    if (record.holder === identity) this.#plan = { record: (wall) => this.#renewalOf(record, wall) };
    else if (record.holder === '' || now >= expiresAt) this.#plan = { record: (wall) => this.#fresh(wall, record.transitions + 1) };
    else this.#dueAt = Math.min(now + this.#jittered(timings.retryMs), expiresAt + timings.retryMs * EXPIRY_SPREAD * this.#options.random.next());
  }

  #note(now: number, record: LeaseRecord | null): void {
    if (record !== null && this.#record !== null && isSame(record, this.#record)) return;
    this.#record = record;
    this.#changedAt = now;
  }

  #fresh(wall: number, transitions: number): LeaseRecord {
    const at = microTime(wall);
    return { holder: this.#options.identity, durationMs: this.#options.timings.leaseMs, transitions, acquireTime: at, renewTime: at };
  }

  /** A lease that was deleted under its leader is made again with the epoch that it had. */
  #renewal(wall: number): LeaseRecord {
    return this.#renewalOf(this.#seen?.record ?? this.#fresh(wall, this.#epoch ?? 0), wall);
  }

  #renewalOf(record: LeaseRecord, wall: number): LeaseRecord {
    const transitions = Math.max(record.transitions, this.#leastEpoch);
    return { ...record, transitions, durationMs: this.#options.timings.leaseMs, renewTime: microTime(wall) };
  }

  #lose(why: string): void {
    this.#role = 'lost';
    this.#why = why;
  }

  #jittered(ms: number): number {
    return ms * (1 + this.#options.random.next() * JITTER);
  }
}

function isSame(a: LeaseRecord, b: LeaseRecord): boolean {
  return (
    a.holder === b.holder && a.renewTime === b.renewTime && a.acquireTime === b.acquireTime && a.transitions === b.transitions && a.durationMs === b.durationMs
  );
}

function checkTimings({ identity, timings: { leaseMs, renewMs, retryMs } }: ElectorOptions): void {
  const rule = (isKept: boolean, what: string): void => {
    if (!isKept) throw new RangeError(`Cannot elect a leader: ${what}; current values are lease ${leaseMs} ms, renew ${renewMs} ms, retry ${retryMs} ms`);
  };
  rule(leaseMs > renewMs, 'the lease must last longer than its renewal may take');
  rule(renewMs > JITTER * retryMs, `the renewal must be given more than ${JITTER} times the retry`);
  rule(retryMs > 0, 'the retry must be more than 0');
  rule(identity !== '', 'the identity must not be empty');
}
