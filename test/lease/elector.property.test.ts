import { expect, test } from 'vitest';
import { type Random, seededRandom } from '../../src/kit/random.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { Elector, type LeaseTimings, type Step } from '../../src/lease/elector.ts';
import { type LeaseRecord, readLease } from '../../src/lease/record.ts';
import { LeaseServer } from './lease-server.ts';

/**
 * Candidates over one Lease on clocks that run differently fast, with requests that are lost, late, carried out without an answer, and processes that freeze,
 * die and come back. What must hold whatever happens: no two believe at the same time that nobody else can have taken over, epochs only grow, and each
 * that leads has one of its own. A dumb twin judges every taking over by the rules as they are written.
 */

const seed = Number(process.env['KUBEFOLD_SEED'] ?? systemClock.wall() % 2 ** 32);
const TIMINGS: LeaseTimings = { leaseMs: 15_000, renewMs: 10_000, retryMs: 2_000 };
const ROUNDS = 150;
const MINUTES = 10;

class Candidate {
  readonly elector: Elector;
  readonly identity: string;
  readonly rate: number;
  readonly #offset: number;
  readonly #random: Random;
  readonly #server: LeaseServer;
  readonly #twin: Twin;
  frozenUntil = 0;
  /** In true time. */
  wakesAt = 0;
  #arrival: (() => void) | null = null;

  constructor(identity: string, parts: { rate: number; random: Random; server: LeaseServer; twin: Twin; now: number }) {
    this.identity = identity;
    this.rate = parts.rate;
    this.#random = parts.random;
    this.#offset = parts.random.next() * 1e6;
    this.#server = parts.server;
    this.#twin = parts.twin;
    this.wakesAt = parts.now;
    this.elector = new Elector({ identity, place: { namespace: 'a', name: 'b' }, timings: TIMINGS, random: parts.random });
  }

  /** This process's own clock. */
  local(now: number): number {
    return now * this.rate + this.#offset;
  }

  get isOver(): boolean {
    return this.elector.role === 'lost' || this.elector.role === 'released';
  }

  wake(now: number): void {
    if (now < this.frozenUntil) {
      this.wakesAt = this.frozenUntil;
      return;
    }
    const arrive = this.#arrival;
    this.#arrival = null;
    arrive?.();
    const step = this.elector.next(this.local(now), now);
    this.wakesAt = now + this.#carryOut(step, now);
  }

  /** Milliseconds of true time until it goes on. */
  #carryOut(step: Step, now: number): number {
    if (step.do === 'stop') return Number.POSITIVE_INFINITY;
    if (step.do === 'wait') return Math.max(1, step.ms / this.rate);
    const fate = this.#random.next();
    const boundMs = step.withinMs / this.rate;
    const delayMs = 1 + this.#random.next() ** 4 * 6_000;
    if (fate < 0.05 || delayMs > boundMs) {
      // Without an answer; half of them were carried out all the same.
      if (fate < 0.025) this.#serve(step, now);
      this.#arrival = () => this.elector.failed(this.local(this.wakesAt), 'error');
      return boundMs;
    }
    const answer = this.#serve(step, now);
    this.#arrival = () => {
      const at = this.local(this.wakesAt);
      if (step.do === 'read') {
        this.#twin.read(this.identity, at, answer?.record ?? null);
        this.elector.seen(at, answer);
      } else if (answer === null) this.elector.failed(at, 'conflict');
      else this.elector.written(at, answer);
    };
    return delayMs;
  }

  #serve(step: Exclude<Step, { do: 'wait' | 'stop' }>, now: number): ReturnType<LeaseServer['read']> {
    if (step.do === 'read') return this.#server.read();
    const before = this.#server.record;
    const answer = step.do === 'create' ? this.#server.create(step.lease) : this.#server.update(step.lease);
    if (answer !== null) this.#twin.wrote(this.identity, this.local(now), before, readLease({ ...step.lease, metadata: { resourceVersion: '' } }).record);
    return answer;
  }
}

/** The rules, said plainly: who may take what, by what it has read and when. */
class Twin {
  readonly #lastChange = new Map<string, { text: string; at: number; record: LeaseRecord | null }>();
  transitions = 0;
  takings = 0;

  read(identity: string, at: number, record: LeaseRecord | null): void {
    const text = JSON.stringify(record);
    if (this.#lastChange.get(identity)?.text !== text) this.#lastChange.set(identity, { text, at, record });
  }

  wrote(identity: string, at: number, before: LeaseRecord | null, after: LeaseRecord): void {
    if (before !== null && before.holder !== '' && before.holder !== identity && after.holder === identity) {
      this.takings++;
      const known = this.#lastChange.get(identity);
      expect(known?.record, 'a candidate takes only what it has read').toEqual(before);
      expect(at - (known?.at ?? at), 'a full duration by its own clock, since it saw the record change').toBeGreaterThanOrEqual(before.durationMs);
    }
    if (after.holder !== '' && after.holder !== before?.holder && before !== null) expect(after.transitions).toBe(before.transitions + 1);
    else if (before !== null) expect(after.transitions).toBe(before.transitions);
    this.transitions = after.transitions;
    // What it wrote it knows.
    this.#lastChange.delete(identity);
  }
}

function simulate(random: Random): { leaders: number; takings: number; msWithoutLeader: number } {
  const server = new LeaseServer();
  const twin = new Twin();
  let born = 0;
  const epochs = new Map<number, string>();
  const make = (now: number): Candidate =>
    // Well inside the tolerated ratio of lease to renew, 1.5.
    new Candidate(`c${++born}`, { rate: 0.9 + random.next() * 0.2, random, server, twin, now });
  let candidates = [make(0), make(0)];
  let msWithoutLeader = 0;
  const end = MINUTES * 60_000;
  for (let now = 0; now < end; ) {
    const next = candidates.reduce((a, b) => (b.wakesAt < a.wakesAt ? b : a));
    const at = Math.max(now, next.wakesAt);
    // Between two wakings a holder may only cease to be valid, so looking at wakings is looking always.
    const before = candidates.filter((one) => one.elector.isValid(one.local(at)));
    if (before.length === 0) msWithoutLeader += at - now;
    now = at;
    next.wake(now);
    const valid = candidates.filter((one) => one.elector.isValid(one.local(now)));
    expect(valid.length, `two leaders at ${now}: ${valid.map(({ identity }) => identity).join()}`).toBeLessThanOrEqual(1);
    for (const one of valid) {
      const epoch = one.elector.epoch ?? -1;
      expect(epochs.get(epoch) ?? one.identity, `epoch ${epoch}`).toBe(one.identity);
      if (!epochs.has(epoch)) expect(epoch, 'epochs grow').toBeGreaterThan(Math.max(-1, ...epochs.keys()));
      epochs.set(epoch, one.identity);
    }
    const fate = random.next();
    if (fate < 0.004) next.frozenUntil = now + random.next() * 40_000;
    else if (fate < 0.006) next.elector.release(next.local(now));
    else if (fate < 0.008) candidates = candidates.filter((one) => one !== next);
    candidates = candidates.filter((one) => !one.isOver);
    while (candidates.length < 2) candidates.push(make(now));
  }
  return { leaders: epochs.size, takings: twin.takings, msWithoutLeader };
}

test(`never two that lead, and every taking over is by the rules (KUBEFOLD_SEED=${seed})`, () => {
  let leaders = 0;
  let takings = 0;
  let msWithoutLeader = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const result = simulate(seededRandom(seed + round));
    leaders += result.leaders;
    takings += result.takings;
    msWithoutLeader += result.msWithoutLeader;
  }
  // Otherwise nothing was tried.
  expect(leaders).toBeGreaterThan(ROUNDS * 2);
  expect(takings).toBeGreaterThan(ROUNDS);
  expect(msWithoutLeader).toBeLessThan(0.5 * ROUNDS * MINUTES * 60_000);
});
