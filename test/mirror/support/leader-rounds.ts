import process from 'node:process';
import { expect } from 'vitest';
import { systemClock } from '../../../src/kit/clock.ts';
import { type LeaderStatus, type Replicas, statusOf } from './replicas.ts';

/** Shorter than the defaults, so that the tests are: `leaseSeconds: 3, renewSeconds: 2, retrySeconds: 1`. */
const LEASE_MS = 3_000;
/** The bar, beside the lease. */
const BEYOND_MS = 3_000;
/** The bar of a rolling update. */
const GAP_MS = 2_000;
const ENDS_WITHIN_MS = 30_000;

export interface RoundsParts {
  readonly replicas: Replicas;
  /** Changes of the cluster from now on. */
  readonly churn: () => void;
  /** Ends them, and fails unless the copy becomes what the cluster is. */
  readonly becomesExact: () => Promise<void>;
  /** A moment, by chance, of so many milliseconds at the most. */
  readonly pause: (maxMs: number) => Promise<void>;
}

/** What befalls a leader in churn, one round each: the other one leads in time, the copy is exact, and whoever is gone is replaced. */
export class LeaderRounds {
  readonly #parts: RoundsParts;
  #rounds = 0;
  /** Frozen leaders that had something to write when they woke, and were refused by storage. */
  #refused = 0;

  constructor(parts: RoundsParts) {
    this.#parts = parts;
  }

  /** Killed: the other one goes on within the lease. */
  async killed(): Promise<{ readonly before: LeaderStatus; readonly now: LeaderStatus }> {
    const { replicas, pause } = this.#parts;
    await this.#begin();
    const before = await statusOf(replicas.leader);
    const since = systemClock.now();
    await replicas.leader.kill();
    await replicas.takenOver(since, LEASE_MS + BEYOND_MS);
    const now = await statusOf(replicas.leader);
    expect(now.epoch).toBeGreaterThan(before.epoch ?? -1);
    await pause(500);
    await this.#end();
    return { before, now };
  }

  /** Frozen for longer than its lease: it writes nothing when it wakes, and ends with 3. */
  async frozen(): Promise<void> {
    const { replicas, pause } = this.#parts;
    await this.#begin();
    const frozen = await replicas.freezeLeader(LEASE_MS + BEYOND_MS);
    await pause(500);
    const { epoch } = await statusOf(replicas.leader);
    const wokenAt = systemClock.wall();
    frozen.child.signal('SIGCONT');
    const exit = await frozen.child.exited;
    expect(exit.code, exit.stderr.slice(-2_000)).toBe(3);
    expect(exit.stderr).toContain('leadership is lost');
    if (exit.stderr.includes('"msg":"storage refuses what this process writes"')) this.#refused++;
    await pause(500);
    expect(replicas.lateRows(epoch ?? -1, wokenAt)).toBe(0);
    await this.#end();
  }

  /** Stopped in order: it hands the lease over, and hardly a write has to wait. */
  async stopped(): Promise<void> {
    const { replicas, pause } = this.#parts;
    const churnedSince = systemClock.wall();
    await this.#begin();
    const { leader } = replicas;
    const since = systemClock.now();
    const stopped = leader.child.stop(ENDS_WITHIN_MS);
    await replicas.takenOver(since, LEASE_MS);
    expect((await stopped).code).toBe(0);
    await pause(1_000);
    const { epoch } = await statusOf(replicas.leader);
    await this.#parts.becomesExact();
    const gapMs = replicas.gapBefore(epoch ?? -1, churnedSince);
    replicas.gaps.push(gapMs);
    expect(gapMs).toBeLessThan(GAP_MS);
    await replicas.startStandby();
  }

  /** Says how long they took; the bars were held in each. `each`: rounds of each of the three. */
  wereQuick(each: number): void {
    const { takeovers, gaps, insideTransactions } = this.#parts.replicas;
    process.stderr.write(
      `takeovers ${takeovers.map(Math.round).join(', ')} ms; gaps of rolling updates ${gaps.join(', ')} ms; refused by storage ${this.#refused}, frozen inside a transaction ${insideTransactions}\n`,
    );
    expect(this.#rounds).toBe(3 * each);
    expect(takeovers.length + insideTransactions).toBe(3 * each);
    expect(gaps).toHaveLength(each);
  }

  async #begin(): Promise<void> {
    this.#rounds++;
    this.#parts.churn();
    await this.#parts.pause(800);
  }

  async #end(): Promise<void> {
    await this.#parts.becomesExact();
    await this.#parts.replicas.startStandby();
  }
}
