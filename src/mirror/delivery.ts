import type { SlabPool } from '../cache/body-pool.ts';
import { isDirty, type ObjectCache, type Verdict } from '../cache/object-cache.ts';
import type { ScopeState } from '../cache/scope.ts';
import { WriteOrder, type WriteTimes } from '../cache/write-times.ts';
import type { Body, ByteSource } from '../model/body.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import { within } from '../kit/within.ts';
import { messageOf } from '../model/errors.ts';
import { objectKey, type ObjectKey } from '../model/key.ts';
import type { ObjectMeta } from '../model/object.ts';
import type { RawObject } from '../model/raw-object.ts';
import { compareRevisions, type Revision } from '../model/revision.ts';
import { BACKGROUND, LIVE, type WorkQueue } from '../queue/queue.ts';
import type { ListReason, ReflectorSink, ReflectorStatus } from '../reflector/reflector.ts';
import type { Transform } from '../transform/transform.ts';
import type { HeldDeletions } from './held.ts';
import type { KindMetrics } from './metrics.ts';
import type { KindWorkloads } from './workloads.ts';

/** How long a list waits for room for its next page. Longer and its continue token would expire (the server compacts every 5 minutes). */
const PAGE_WAIT_MS = 60_000;
/** A list pauses while more than this share of the pool is in use, so that live changes always find room. */
export const LIST_SHARE = 0.5;

/**
 * How soon an empty list of a scope that had objects is asked for once more. A broken aggregated API or a server that is just starting answers with one,
 * and so does a scope that is really empty; a moment later they differ.
 */
const EMPTY_AGAIN_MS = 3_000;

/**
 * A watch from an earlier process's watermark has caught up once it got as far as the cluster was at the start, or after so long a silence: what was
 * missed is sent at once, and no server says where it ends before the first bookmark, a minute later. A history that has expired is accepted
 * with 200 as well, and said in the first line.
 */
const CAUGHT_UP_AFTER_MS = 300;

const FOUND_BY: Readonly<Record<ListReason, string>> = {
  first: 'the first list did not contain them',
  expired: 'the list after an expired watch did not contain them',
  regressed: 'the list after the history of the cluster went back did not contain them',
  rules: 'the list by other rules did not contain them',
  audit: 'a list did not contain them',
};

const NO_BYTES: ByteSource = { size: 0, copyTo() {} };

export interface DeliveryParts {
  readonly cache: ObjectCache;
  readonly queue: WorkQueue;
  readonly pool: SlabPool;
  /** Null when the bytes pass untouched. */
  readonly transform: Transform | null;
  readonly metrics: KindMetrics;
  readonly writeTimes: WriteTimes;
  readonly clock: Clock;
  readonly log: Logger;
  /** The newest revision of the cluster at the start, null when it is not known. */
  readonly newest: Revision | null;
  /** Runs a pass of deletions by absence under the fence. */
  readonly guard: HeldDeletions['guard'];
  /** An object was seen or brought back: whoever waits for its body may go on. */
  readonly onSeen: (key: ObjectKey) => void;
  readonly onChange: () => void;
  /** Learns owners from what is delivered. */
  readonly workloads: Pick<KindWorkloads, 'seen' | 'gone' | 'passed'> | null;
  /** Whether the object with this uid is of the shard that is mirrored. Null: everything is. */
  readonly isOurs: ((uid: string) => boolean) | null;
  readonly onStatus: (state: ScopeState, status: ReflectorStatus) => void;
  /** Whether another process writes: nothing is queued, and what lists bring has long been written. */
  readonly isStandby: () => boolean;
  /** The server has begun to answer a list. */
  readonly onListing: (state: ScopeState) => void;
}

/** What becomes of what the reflectors of one kind see: through the rules into the cache, and the key, if anything changed, into the queue. */
export class Delivery {
  readonly #parts: DeliveryParts;
  /** The time of the chunk being read; asking the clock for each object would cost more than comparing it. */
  #now = 0;
  #damaged = 0;
  readonly #timers = new Set<() => void>();
  /** What #store takes in: one function for all objects, instead of one for each. Set during a delivery only. */
  #source: ByteSource = NO_BYTES;
  readonly #store = (): Body | null => (this.#isBodiless ? null : this.#parts.pool.store(this.#source));
  #isBodiless = false;

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
  }

  /** Objects that could not be read since the start. */
  get damaged(): number {
    return this.#damaged;
  }

  /** The end: no list is asked for any more. */
  close(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }

  /** Where the reflector of one scope delivers. `relist` asks it for a whole list: `regressed` of a history that went back. */
  sink(state: ScopeState, relist: (reason: 'regressed' | 'audit') => void): ReflectorSink {
    const { cache, clock, pool, metrics, writeTimes, log, guard, newest, isOurs, onSeen, onStatus, onListing } = this.#parts;
    /** An item of the running list could not be read, so its key is unknown: absence from this list proves nothing. */
    let isDoubtful = false;
    let reason: ListReason = 'first';
    /** Items of the running list. */
    let listed = 0;
    /** The last list was empty and is not believed yet. Until the next one has ended nothing is known to be complete up to anywhere. */
    let isDoubted = false;
    /** A list of a history that went back has ended and was not believed: the next one is of that history too, whatever the reflector asks it for. */
    let owesRegression = false;
    let isWatching = false;
    let cancelWaiting = (): void => {};
    const caughtUp = (): void => {
      state.isResuming = false;
    };
    const untilSilent = (): void => {
      cancelWaiting();
      cancelWaiting = this.#later(CAUGHT_UP_AFTER_MS, caughtUp);
    };
    /** Made when first asked: what was on record is only known then. */
    let order: WriteOrder | null = null;
    const orderOf = (): WriteOrder => (order ??= new WriteOrder(state.listedAt));
    const damaged = (cause: unknown): void => {
      isDoubtful = true;
      state.isDoubtful = true;
      this.#damaged++;
      log.error('an object could not be read and is left as it was', { error: messageOf(cause) });
    };
    return {
      listBegin: (why) => {
        reason = owesRegression ? 'regressed' : why;
        listed = 0;
        isDoubtful = false;
        this.#now = clock.now();
        cache.beginList(state, reason === 'regressed' ? 'regressed' : 'continued');
        orderOf().listBegan(clock.wall());
        if (reason === 'regressed') writeTimes.clear();
        metrics.lists[reason].inc();
        onListing(state);
      },
      object: (object, from) => {
        // Before anything is known of its name, which another shard's object may have now or have had.
        if (isOurs !== null && !isOurs(object.uid)) return this.#pass(object, from);
        if (from === 'list') listed++;
        this.#isBodiless = from === 'list' && this.#parts.isStandby();
        try {
          // After the first list a list brings what a watch missed: changes as live as any (PQ-S2, CT-T19).
          this.#deliver(state, object, from === 'list' && !state.complete ? BACKGROUND : LIVE);
          // What a list brings may have been written long ago.
          if (from === 'watch' && writeTimes.isDue(this.#now)) this.#sample(object, orderOf());
        } catch (cause) {
          // What a rule must look into and cannot parse; anything else is a bug of ours, for the reflector to report.
          if (!(cause instanceof SyntaxError)) throw cause;
          damaged(cause);
        }
      },
      deleted: (object) => {
        if (isOurs !== null && !isOurs(object.uid)) return this.#parts.onChange();
        const key = objectKey(object.namespace, object.name);
        this.#settle(cache.remove(state, key, object.uid, object.revision, this.#now), key, LIVE);
        onSeen(key);
      },
      listEnd: (revision) => {
        if (cache.isAheadOf(state, revision)) {
          // Only at the start: later the reflector itself knows the newest revision.
          log.warn('the cluster is older than its copy: etcd was wiped or restored, so everything is listed anew', { revision });
          cache.abortList(state);
          owesRegression = true;
          queueMicrotask(() => relist('regressed'));
          return;
        }
        isDoubted = listed === 0 && state.objects > 0 && !isDoubtful && !isDoubted;
        if (isDoubted) {
          log.warn('a list was empty where objects were known: it is asked for once more before it is believed', { scope: state.scope, known: state.objects });
          cache.abortList(state);
          owesRegression = reason === 'regressed';
          this.#later(EMPTY_AGAIN_MS, () => relist(reason === 'regressed' ? 'regressed' : 'audit'));
          return;
        }
        const priority = state.complete ? LIVE : BACKGROUND;
        const swept = isDoubtful ? cache.keep(state, revision) : guard(FOUND_BY[reason], (fence) => cache.sweep(state, revision, clock.now(), fence));
        owesRegression = false;
        state.isResuming = false;
        state.isDoubtful = isDoubtful;
        state.listedAt = clock.wall();
        state.heardAt = state.listedAt;
        orderOf().listEnded();
        for (const key of swept) this.#settle('deleted', key, priority);
      },
      listAbort: () => cache.abortList(state),
      progress: (revision) => {
        if (!isDoubted) cache.advance(state, revision);
        if (state.isResuming && newest !== null && compareRevisions(revision, newest) >= 0) caughtUp();
      },
      heard: () => {
        this.#now = clock.now();
        if (!isWatching) return;
        state.heardAt = clock.wall();
        if (state.isResuming) untilSilent();
      },
      damaged,
      room: async (signal) => {
        await within(clock, PAGE_WAIT_MS, signal, (bounded) => pool.room(LIST_SHARE, bounded)).catch(() => signal.throwIfAborted());
      },
      status: (status) => {
        isWatching = status.at === 'watching' && status.connected;
        cancelWaiting();
        if (isWatching && state.isResuming) untilSilent();
        onStatus(state, status);
      },
    };
  }

  /** Brings back the body of an object that was let go; what it says beyond that is the reflector's to tell. */
  restore(object: RawObject): void {
    const { cache, pool, transform, onSeen } = this.#parts;
    const meta = { key: objectKey(object.namespace, object.name), uid: object.uid, revision: object.revision };
    if (!cache.lacks(meta)) return;
    const result = transform === null ? { keep: true as const, source: object } : transform.apply(object);
    if (!result.keep) return;
    cache.restore(meta, () => pool.store(result.source));
    onSeen(meta.key);
  }

  /** An object was read again because a change of it was missed: as if the watch had brought it. */
  seen(object: RawObject): void {
    const { cache, clock } = this.#parts;
    this.#now = clock.now();
    this.#isBodiless = false;
    this.#deliver(cache.scopeOf(objectKey(object.namespace, object.name)), object, LIVE);
  }

  /** An object was looked for and is not there. What has changed since it was asked for (`was`) is not disproved by that. */
  absent(key: ObjectKey, was: Pick<ObjectMeta, 'uid' | 'revision'> | null): void {
    const { cache, clock } = this.#parts;
    const entry = cache.get(key);
    if (entry === undefined || entry.uid !== was?.uid || entry.revision !== was.revision) return;
    this.#settle(cache.remove(cache.scopeOf(key), key, null, null, clock.now()), key, LIVE);
  }

  /** An object of another shard: nothing of it is kept but whose it is. */
  #pass(object: RawObject, from: 'list' | 'watch'): void {
    this.#parts.workloads?.passed(object);
    if (from === 'watch') this.#parts.onChange();
  }

  #later(ms: number, run: () => void): () => void {
    const cancel = this.#parts.clock.after(ms, () => {
      this.#timers.delete(cancel);
      run();
    });
    this.#timers.add(cancel);
    return () => {
      this.#timers.delete(cancel);
      cancel();
    };
  }

  #deliver(state: ScopeState, object: RawObject, priority: number): void {
    const { cache, transform, onSeen } = this.#parts;
    const key = objectKey(object.namespace, object.name);
    this.#source = object;
    let content: string | null = null;
    if (transform !== null) {
      const result = transform.apply(object);
      if (!result.keep) return this.#settle(cache.remove(state, key, object.uid, object.revision, this.#now), key, priority);
      this.#source = result.source;
      content = result.contentHash;
    }
    const meta = { key, uid: object.uid, revision: object.revision };
    const verdict = cache.see(state, meta, this.#now, content, this.#store);
    this.#parts.workloads?.seen(key, object, verdict);
    this.#settle(verdict, key, priority);
    onSeen(key);
  }

  /** Remembers when a change that waits to be written here was written there. */
  #sample(object: RawObject, order: WriteOrder): void {
    const { cache, clock, writeTimes, isStandby } = this.#parts;
    const key = objectKey(object.namespace, object.name);
    const known = cache.get(key);
    if (isStandby() || known === undefined || known.pending === null || known.gone || known.revision !== object.revision) return;
    const at = object.writtenAt();
    if (at !== null && order.fits(at, clock.wall())) writeTimes.note(key, object.revision, at);
  }

  #settle(verdict: Verdict, key: ObjectKey, priority: number): void {
    if (!isDirty(verdict)) return;
    if (verdict === 'deleted') this.#parts.workloads?.gone(key);
    if (verdict === 'added' || verdict === 'modified' || verdict === 'deleted') this.#parts.metrics.changes[verdict].inc();
    if (this.#parts.isStandby()) this.#parts.cache.standby.restamp(key, this.#now);
    else this.#parts.queue.add(key, priority);
    this.#parts.onChange();
  }
}
