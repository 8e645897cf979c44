import type { Taken } from '../cache/object-cache.ts';
import { kindId } from '../model/kind.ts';
import type { ObjectKey } from '../model/key.ts';
import { messageOf } from '../model/errors.ts';
import type { Write } from '../storage/storage.ts';
import { type BatchResult, REFUSED } from './breaker.ts';
import { decide } from './decide.ts';
import type { Line } from './gate.ts';
import { type Ending, resultOf, writeApart } from './isolate.ts';
import type { WorkerPoolOptions } from './pool-options.ts';
import { Withdrawals } from './withdrawals.ts';
import { deleteOf, putOf } from './write-of.ts';

/** A body that waits for longer than this is let go in a crowded pool: it would hold up the writes of other kinds. */
const LET_GO_MS = 1_000;

/**
 * The longest wait of a key whose whole batch failed, in milliseconds: storage may be back at any time, and what waits then must be durable within a
 * minute. A key that alone fails beside settled neighbours keeps the queue's own, longer backoff.
 */
const LONGEST_WAIT_MS = 15_000;

type Job = { readonly taken: Taken; readonly write: Write };
const writeOf = ({ write }: Job): Write => write;
const isPut = ({ write }: Job): boolean => write.type === 'put';

/**
 * N workers over one queue. Each takes a batch of keys that it alone holds, reads the newest state of each, writes the
 * batch and settles every key by its own outcome. A worker survives anything a batch does.
 */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  /** By index, so that one which was asked to end and has not yet is never started twice. */
  readonly #running = new Map<number, Promise<void>>();
  /** As configured. */
  #workers = 0;
  /** Of #running: the workers times the lanes that storage gives each. */
  #target = 0;
  #minIntervalMs = 0;
  readonly #line: Line;
  /** From drain() on: how often storage had failed for good by then. The queue takes nothing back any more, so keys stay in hand. */
  #drainsSince: number | null = null;
  #leavesPuts = false;
  #isOver = false;
  readonly #withdrawals = new Withdrawals();

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#line = { hasWork: () => options.queue.length > 0 || this.#isDraining, isImpatient: () => this.#isDraining };
  }

  get workers(): number {
    return this.#workers;
  }

  /** Changes the number of workers, live. Fewer: those that hold keys finish them first. */
  resize(workers: number): void {
    if (!Number.isInteger(workers) || workers < 1)
      throw new RangeError(`Cannot resize the worker pool of ${kindId(this.#options.kind)}: "workers" must be an integer >= 1, current value is ${workers}`);
    this.#workers = workers;
    this.#target = workers * (this.#options.storage.lanes ?? 1);
    for (let index = 0; index < this.#target; index++) {
      if (!this.#running.has(index))
        this.#running.set(
          index,
          this.#work(index).finally(() => this.#running.delete(index)),
        );
    }
  }

  /** At most one write per object in this time; 0 is no limit. Changed live: what was written while there was none counts as long ago. */
  set minIntervalMs(ms: number) {
    this.#minIntervalMs = ms;
  }

  /** Resolves when every worker has ended, which they do when their queue is shut down and empty. */
  async ended(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  /**
   * The queue is about to be drained: what is dirty is written, unless storage is away and stays so for one try more. Puts may be left to a successor, also those
   * that only wait for their budget.
   */
  drain(puts: 'write' | 'leave' = 'write'): void {
    this.#leavesPuts = puts === 'leave';
    this.#drainsSince = this.#options.gate.openings;
    if (this.#leavesPuts) this.#withdrawals.withdraw('puts');
  }

  /** Nothing more is begun, and nothing waited for: what is dirty is left to the next start. */
  end(): void {
    this.#isOver = true;
    this.#withdrawals.withdraw('all');
    this.#options.gate.dismiss(this.#line);
    this.#options.queue.shutDown();
  }

  get #isDraining(): boolean {
    return this.#drainsSince !== null;
  }

  async #work(index: number): Promise<void> {
    const { queue, storage, gate } = this.#options;
    while (index < this.#target && !this.#isOver) {
      const keys = await queue.take(gate.rows(storage.batchLimit));
      if (keys.length === 0) return;
      // One too many since it began to wait: every idle one would still write a batch before it ends, for seconds where there are hundreds.
      if (index >= this.#target && !this.#isDraining && !this.#isOver) return this.#putBack(keys);
      const admission = this.#isOver ? REFUSED : gate.enter();
      if (admission !== REFUSED) await this.#process(this.#upTo(gate.rows(storage.batchLimit), keys), admission);
      else if (this.#isDraining || this.#isOver) await this.#processAtLast(keys);
      else {
        this.#putBack(keys);
        await gate.turn(this.#line);
      }
    }
  }

  /** While draining: waits with the keys in hand, until they are written or storage has failed once more. */
  async #processAtLast(keys: readonly ObjectKey[]): Promise<void> {
    const { queue, gate, log } = this.#options;
    while (!this.#isOver) {
      if (gate.isOpen && gate.openings !== this.#drainsSince) {
        log.warn('storage takes no writes at the end of a kind: what is not durable is left to the next start', { keys: queue.length + queue.held });
        this.end();
        break;
      }
      await gate.turn(this.#line);
      const admission = this.#isOver ? REFUSED : gate.enter();
      if (admission !== REFUSED) return await this.#process(keys, admission);
    }
    for (const key of keys) queue.done(key);
  }

  /** Back to the queue, where they fold and keep their priority, but not their place. */
  #putBack(keys: readonly ObjectKey[]): void {
    const { queue } = this.#options;
    for (const key of keys) {
      queue.addAfter(key, 0);
      queue.done(key);
    }
  }

  /** A batch that was taken for better times is made as small as storage is to be given now. */
  #upTo(rows: number, keys: readonly ObjectKey[]): readonly ObjectKey[] {
    if (keys.length <= rows || this.#isDraining) return keys;
    this.#putBack(keys.slice(rows));
    return keys.slice(0, rows);
  }

  /** `admission` was given by the gate, and is given back before anything is settled. */
  async #process(keys: readonly ObjectKey[], admission: number): Promise<void> {
    const { queue, storage, gate, log } = this.#options;
    const jobs: Job[] = [];
    for (const key of keys) {
      try {
        const job = this.#prepare(key);
        if (job !== null) jobs.push(job);
      } catch (cause) {
        this.#survive(key, cause);
      }
    }
    if (jobs.length === 0) return gate.leave(admission, 'nothing', '', queue.length > 0);
    // The records may be what storage throws at, and they cover none of the rows: they go with the whole batch only.
    const endings = await this.#withdrawals.during(jobs.every(isPut) ? 'puts' : 'mixed', (withdrawn) =>
      writeApart(jobs.map(writeOf), (part) => storage.write(part, part.length === jobs.length ? this.#options.records() : [], withdrawn), withdrawn),
    );
    const { result, error } = resultOf(endings, (index) => jobs[index] !== undefined && queue.requeues(jobs[index].taken.key) === 0);
    gate.leave(admission, result, error, queue.length > 0);
    let longestMs = 0;
    let retried = 0;
    jobs.forEach((job, index) => {
      const ending = endings[index];
      if (ending === undefined) return;
      try {
        const delayMs = this.#settle(job, ending, result);
        queue.done(job.taken.key);
        if (ending.kind === 'bug') log.error('storage threw at a write, which is a bug; it will be tried again', { key: job.taken.key, error: ending.error });
        if (ending.kind !== 'retry') return;
        retried++;
        longestMs = Math.max(longestMs, delayMs);
      } catch (cause) {
        this.#survive(job.taken.key, cause);
      }
    });
    if (retried > 0) {
      const level = longestMs < 1_000 ? 'debug' : longestMs < 15_000 ? 'warn' : 'error';
      log[level]('writes failed, will be tried again', { keys: retried, longestDelayMs: Math.round(longestMs), error });
    }
  }

  /** A bug with one key ends neither the worker nor the batch, and the key is not lost (CT-S4, CT-S5). */
  #survive(key: ObjectKey, cause: unknown): void {
    const { queue, log } = this.#options;
    log.error('a key could not be processed because of a bug, it will be tried again', { key, error: messageOf(cause) });
    queue.addRateLimited(key);
    queue.done(key);
  }

  /** Decides one key. Returns the write to make, or null when the key was settled, put off or sent for reading; then it is done. */
  #prepare(key: ObjectKey): Job | null {
    const { cache, queue, kind, clock, parked, writeTimes, isCrowded } = this.#options;
    const known = cache.get(key);
    const now = clock.now();
    const decision = decide(known, now, this.#minIntervalMs);
    switch (decision.do) {
      case 'nothing': {
        const taken = cache.take(key);
        if (taken !== null) cache.settleNothing(taken, cache.scopeOf(key));
        writeTimes.drop(key);
        parked.release(key);
        queue.forget(key);
        break;
      }
      case 'parked':
        queue.forget(key);
        break;
      case 'wait':
        // Asked before done(), so that the key keeps the priority it was taken with (PQ-S10).
        queue.addAfter(key, decision.ms);
        if (decision.ms > LET_GO_MS && isCrowded()) cache.letGo(key);
        break;
      case 'read':
        // Held no longer: when its body is back, the key is added like any other.
        queue.done(key);
        this.#options.readAgain(key);
        return null;
      case 'put':
      case 'delete': {
        if (decision.do === 'put' && this.#leavesPuts) break;
        const workload = decision.do === 'put' ? (this.#options.workloads?.of(key, !this.#isDraining) ?? null) : null;
        if (typeof workload === 'number') {
          // Its top workload will be known in a moment: it would be written twice.
          queue.addAfter(key, workload);
          if (workload > LET_GO_MS && isCrowded()) cache.letGo(key);
          break;
        }
        const [storedUid] = cache.storedUids(key);
        const taken = cache.take(key);
        if (taken === null) break;
        if (decision.do === 'delete') return { taken, write: deleteOf(kind, taken, storedUid) };
        if (taken.body === null) throw new Error(`Cannot write ${kindId(kind)} ${key}: decided to put without a body`);
        return { taken, write: putOf(kind, taken, taken.body, workload) };
      }
      default:
        decision satisfies never;
    }
    queue.done(key);
    return null;
  }

  /** One outcome, one switch. Returns the delay of a retry in milliseconds, else 0. */
  #settle({ taken, write }: Job, outcome: Ending, result: BatchResult): number {
    const { cache, queue, clock, parked, events, writeTimes } = this.#options;
    const { key } = taken;
    const state = cache.scopeOf(key);
    const now = clock.now();
    if (outcome.kind === 'withdrawn') {
      // Who withdraws takes no key any more: a successor finds it behind the watermark.
      cache.giveBack(taken, state, false);
      return 0;
    }
    events.settled(write.type, outcome.kind === 'bug' ? 'retry' : outcome.kind);
    switch (outcome.kind) {
      case 'stale': {
        // The row holds another incarnation than the delete named: one that a write of unknown outcome had stored, or still the one before it.
        const others = write.type === 'delete' ? cache.storedUids(key).filter((uid) => uid !== write.uid) : [];
        if (others.length > 0) {
          cache.excludeUid(key, write.type === 'delete' ? write.uid : '');
          cache.giveBack(taken, state, false);
          // No failure, and there are only so many: an object that was replaced again and again during an outage must not wait a backoff for each.
          queue.add(key);
          return 0;
        }
        if (write.type === 'delete') break;
        if (cache.contest(taken, state) === 'contested') this.#options.onContested(write.meta);
        else queue.add(key);
        writeTimes.drop(key);
        parked.release(key);
        queue.forget(key);
        return 0;
      }
      case 'written':
      case 'unchanged':
        break;
      case 'rejected':
        parked.park(key, { uid: taken.uid, revision: taken.revision, error: outcome.error }, clock.wall());
        // A newer state may have come that differs only by what a rule ignores, and then nobody queued it.
        if (cache.park(taken, state) === 'changed') queue.add(key);
        writeTimes.drop(key);
        queue.forget(key);
        this.#options.log.error('object was refused by storage and is parked until it changes', { key, error: outcome.error });
        return 0;
      case 'retry':
        cache.giveBack(taken, state, true);
        return result === 'settled' ? queue.addRateLimited(key) : this.#retrySoon(key);
      case 'bug':
        cache.giveBack(taken, state, true);
        return queue.addRateLimited(key);
      default:
        outcome satisfies never;
    }
    if (taken.position !== null) events.stored((now - taken.position.at) / 1000);
    if (taken.gone) writeTimes.drop(key);
    else {
      const writtenAt = writeTimes.settle(key, taken.revision);
      if (writtenAt !== null) events.writtenToStored(Math.max(0, clock.wall() - writtenAt) / 1000);
    }
    cache.settle(taken, this.#minIntervalMs > 0 ? now : null, state);
    this.#options.workloads?.settled(key);
    parked.release(key);
    queue.forget(key);
    return 0;
  }

  /** It failed with all of its batch. When the gate is closed to it, the gate says when it is its turn again, and the failure is not its own. */
  #retrySoon(key: ObjectKey): number {
    const { queue, gate } = this.#options;
    if (gate.isOpen) {
      queue.addAfter(key, 0);
      return 0;
    }
    const delayMs = queue.addRateLimited(key);
    const soonMs = LONGEST_WAIT_MS / 2 + delayMs / 8;
    if (soonMs >= delayMs) return delayMs;
    // Of two deadlines the earlier counts. An eighth keeps what failed together apart.
    queue.addAfter(key, soonMs);
    return soonMs;
  }
}
