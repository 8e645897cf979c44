import type { LeaseStore } from '../cluster/cluster.ts';
import { Alarm } from '../kit/alarm.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import type { Random } from '../kit/random.ts';
import { within } from '../kit/within.ts';
import { ApiError, messageOf } from '../model/errors.ts';
import { Elector, type LeaseTimings, type Role, type Step } from './elector.ts';
import { type LeaseIdentity, type ObservedLease, readLease } from './record.ts';

export interface ElectionOptions {
  readonly leases: LeaseStore;
  readonly place: LeaseIdentity;
  readonly identity: string;
  readonly timings: LeaseTimings;
  /** What was seen of the lease before; absent or null: nothing. */
  readonly known?: ObservedLease | null | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** The role, the holder or the epoch changed. */
  readonly onChange: () => void;
}

/** Longer than any wait of the elector. */
const LONGEST_WAIT_MS = 60_000;
/** A process that ends does not wait longer than this for giving the lease back: others would have it after its duration anyway. */
const RELEASE_WITHIN_MS = 3_000;

/** Carries an elector out over the API server: one request at a time, and a watch by which a candidate learns at once that the lease was given back. */
export class Election {
  readonly #options: ElectionOptions;
  readonly #elector: Elector;
  readonly #alarm: Alarm;
  /** Aborts when the loop is to end although nothing is lost. */
  readonly #ending = new AbortController();
  #known: { readonly role: Role; readonly holder: string | null; readonly epoch: number | null; readonly hasLooked: boolean } = {
    role: 'candidate',
    holder: null,
    epoch: null,
    hasLooked: false,
  };
  #failures = 0;
  /** An answer was had, of whatever kind. */
  #hasLooked = false;
  #running: Promise<void> = Promise.resolve();

  constructor(options: ElectionOptions) {
    this.#options = options;
    this.#elector = new Elector(options);
    this.#alarm = new Alarm(options.clock);
  }

  get identity(): string {
    return this.#options.identity;
  }

  get role(): Role {
    return this.#elector.role;
  }

  get holder(): string | null {
    return this.#elector.holder;
  }

  get epoch(): number | null {
    return this.#elector.epoch;
  }

  get slowPaths(): number {
    return this.#elector.slowPaths;
  }

  /** Why leadership was lost. */
  get why(): string {
    return `the lease ${this.#options.place.namespace}/${this.#options.place.name} was lost: ${this.#elector.why}`;
  }

  /** Whether an attempt to look at the lease is over, and how it ended is known to whoever asks. */
  get hasLooked(): boolean {
    return this.#hasLooked;
  }

  /** Whether nobody else can have taken over. */
  isValid(): boolean {
    return this.#elector.isValid(this.#options.clock.now());
  }

  /** Runs until the lease is lost or released, or end() is called. */
  start(): void {
    this.#running = Promise.all([this.#run(), this.#listen()]).then(() => {});
  }

  /** The next renewal carries this epoch at least; onChange tells when it is on record. */
  raise(epoch: number): void {
    this.#elector.raise(this.#options.clock.now(), epoch);
    this.#alarm.set(0);
  }

  /** What needed the lease has ended: gives it back, and ends. Never rejects. */
  async release(): Promise<void> {
    const cancel = this.#options.clock.after(RELEASE_WITHIN_MS, () => this.#ending.abort());
    this.#elector.release(this.#options.clock.now());
    this.#alarm.set(0);
    await this.#running;
    cancel();
  }

  /** Ends without giving the lease back. */
  async end(): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#ending.signal.aborted) {
      const step = this.#elector.next(clock.now(), clock.wall());
      if (step.do === 'stop') break;
      if (step.do === 'wait') await this.#alarm.wait(Math.min(step.ms, LONGEST_WAIT_MS), this.#ending.signal);
      else await this.#request(step);
      this.#notice();
    }
    this.#notice();
    this.#ending.abort();
  }

  async #request(step: Exclude<Step, { readonly do: 'wait' | 'stop' }>): Promise<void> {
    const { leases, place, clock, log } = this.#options;
    try {
      const answer = await within(clock, step.withinMs, this.#ending.signal, async (signal) => {
        switch (step.do) {
          case 'read':
            return await leases.getLease(place, signal);
          case 'create':
            return await leases.createLease(place, step.lease, signal);
          case 'update':
            return await leases.updateLease(place, step.lease, signal);
          default:
            return step satisfies never;
        }
      });
      const lease = answer === null ? null : readLease(answer);
      if (step.do === 'read') this.#elector.seen(clock.now(), lease);
      else if (lease !== null) this.#elector.written(clock.now(), lease);
      if (this.#failures > 0) log.info('the lease can be used again');
      this.#failures = 0;
    } catch (cause) {
      const isConflict = cause instanceof ApiError && cause.status === 409;
      this.#elector.failed(clock.now(), isConflict ? 'conflict' : 'error');
      if (isConflict || this.#ending.signal.aborted) return;
      this.#failures++;
      const level = this.#failures < 2 ? 'info' : this.#failures < 4 ? 'warn' : 'error';
      log[level]('cannot use the lease, will retry', { lease: `${place.namespace}/${place.name}`, what: step.do, error: messageOf(cause) });
    }
    this.#hasLooked = true;
  }

  /** While it is a candidate. Without the right to watch it looks at every turn of its own, as any candidate does. */
  async #listen(): Promise<void> {
    const { leases, place, clock, log, timings } = this.#options;
    while (!this.#ending.signal.aborted && this.#elector.role === 'candidate') {
      const watching = new AbortController();
      const signal = AbortSignal.any([this.#ending.signal, watching.signal]);
      const onChange = (): void => {
        if (this.#elector.role !== 'candidate') return watching.abort();
        this.#elector.knock(clock.now());
        this.#alarm.set(0);
      };
      try {
        await leases.watchLease(place, onChange, signal);
      } catch (cause) {
        if (signal.aborted) continue;
        log.debug('cannot watch the lease, it is only looked at now and then', { error: messageOf(cause) });
      }
      await clock.sleep(timings.retryMs, this.#ending.signal);
    }
  }

  #notice(): void {
    const { role, holder, epoch } = this.#elector;
    const before = this.#known;
    if (before.role === role && before.holder === holder && before.epoch === epoch && before.hasLooked === this.#hasLooked) return;
    this.#known = { role, holder, epoch, hasLooked: this.#hasLooked };
    const { log, identity } = this.#options;
    if (role === 'leader' && before.role !== 'leader') log.info('this process leads', { identity, epoch });
    else if (role === 'leader' && before.epoch !== epoch) log.info('the epoch was raised above that of storage', { epoch });
    else if (role === 'lost') log.error('leadership is lost', { reason: this.#elector.why });
    else if (role === 'candidate' && holder !== before.holder && holder !== null) log.info('another process leads', { holder });
    this.#options.onChange();
  }
}
