import type { ObjectCache } from '../cache/object-cache.ts';
import type { RowOrigin, ScopeState } from '../cache/scope.ts';
import type { Clock } from '../kit/clock.ts';
import type { ObjectKey } from '../model/key.ts';
import type { KindId, Scope } from '../model/kind.ts';
import type { Revision } from '../model/revision.ts';
import type { ReflectorStatus } from '../reflector/reflector.ts';
import type { ScopeRecord, Storage } from '../storage/storage.ts';
import type { Parked } from '../worker/parked.ts';
import type { HeldDeletions } from './held.ts';
import { beginningOf } from './resume.ts';

/** How long changes keep their body while another process writes them: far longer than a lease, in milliseconds. */
const BODIES_KEPT_MS = 60_000;
/** How long a deletion is remembered as one. A later takeover finds the row to be without an object, and then the fence judges it. */
const DELETIONS_KEPT_MS = 900_000;
const REST_EVERY_MS = 20_000;

const FOUND_AT_TAKEOVER = 'this process took over, and had seen none of their objects';

export interface StandbyParts {
  readonly kind: KindId;
  readonly cache: ObjectCache;
  readonly parked: Parked;
  readonly held: HeldDeletions;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly status: ReadonlyMap<Scope, ReflectorStatus>;
  readonly origin: () => RowOrigin;
  /** A key of which nothing is known any more. */
  readonly onForgotten: (key: ObjectKey) => void;
}

/** What a kind does differently while another process leads, and how it takes over from that. STANDBY.md says why it is right. */
export class Standby {
  readonly #parts: StandbyParts;
  #restedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: StandbyParts) {
    this.#parts = parts;
  }

  /** A pass of deletions by absence, in place of the fence's: what is gone is forgotten, and its row is judged when it is met. */
  readonly guard: HeldDeletions['guard'] = (_why, run) => {
    for (const key of run(() => 'delete')) {
      this.#parts.cache.standby.forget(key);
      this.#parts.onForgotten(key);
    }
    return [];
  };

  /** To be called now and then: keeps memory bounded by the number of objects. */
  rest(): void {
    const now = this.#parts.clock.now();
    if (now - this.#restedAt < REST_EVERY_MS) return;
    this.#restedAt = now;
    this.#parts.cache.standby.rest(now - BODIES_KEPT_MS, now - DELETIONS_KEPT_MS);
  }

  /**
   * Meets every row that the former leader stored; storage is open for this process, so no other writes any more. Returns the keys that are now dirty, and
   * whether rows show that the history of the cluster went back; or null when the cache cannot be gone on with: then the kind has to begin like after a
   * restart. Throws as storage does; may be called again.
   */
  async takeOver(): Promise<{ readonly dirty: readonly ObjectKey[]; readonly hasGoneBack: boolean } | null> {
    const { kind, cache, parked, held, storage, clock } = this.#parts;
    const records = new Map((await storage.scopes()).filter((record) => record.kind === kind).map((record) => [record.scope, record]));
    const watermarks = new Map<Scope, Revision>();
    /** The number of the last list of each scope. */
    const lists = new Map<Scope, number>();
    for (const state of cache.scopes) {
      const watermark = this.#watermarkOf(state, records.get(state.scope));
      if (watermark === null) return null;
      watermarks.set(state.scope, watermark);
      lists.set(state.scope, state.mark);
    }
    let hasGoneBack = false;
    for await (const rows of storage.index(kind, '')) {
      for (const row of rows) if (!cache.standby.meet(row)) hasGoneBack = true;
    }
    const refused = (await storage.parked()).filter((row) => row.kind === kind);
    // From here on in one go. A list that has begun meanwhile would be taken for what was delivered, and one that has also ended took rows for objects that it lacked.
    if (!cache.scopes.every((state) => this.#isCurrent(state) && lists.get(state.scope) === state.mark)) return null;
    for (const row of refused) {
      cache.standby.meetParked(row);
      parked.load(row);
    }
    let dirty: readonly ObjectKey[] = [];
    held.guard(FOUND_AT_TAKEOVER, (fence) => (dirty = cache.standby.takenOver(watermarks, clock.now(), fence)));
    return { dirty, hasGoneBack };
  }

  /** The revision up to which every change is durable; null when the rows are not of this plan and cluster, or not all of them, or the cache is not. */
  #watermarkOf(state: ScopeState, record: ScopeRecord | undefined): Revision | null {
    if (!this.#isCurrent(state)) return null;
    const beginning = beginningOf(record, this.#parts.origin(), record?.watermark ?? null, null);
    return 'from' in beginning ? beginning.from : null;
  }

  /** All of the scope is in the cache, and no list is under way; what was delivered before one of another history is not complete. */
  #isCurrent(state: ScopeState): boolean {
    const isListing = this.#parts.status.get(state.scope)?.at !== 'watching';
    return state.complete && !state.isDoubtful && !isListing;
  }
}

/** Long enough for any watch that works to bring what a former leader had seen a moment before it ended. */
const UNHEARD_AFTER_MS = 5_000;
/** What a former leader had recorded and no row shows, it may have heard by a bookmark; they come once a minute. */
const BEHIND_AFTER_MS = 90_000;

/**
 * Rows that are newer than what was seen are heard of in a moment, and what was recorded without them with the next bookmark; where they are not, the watch
 * is silent, or the history of the cluster went back: a list tells.
 */
export async function listUnheard(cache: ObjectCache, clock: Clock, signal: AbortSignal, relist: (scope: Scope) => void): Promise<void> {
  await clock.sleep(UNHEARD_AFTER_MS, signal);
  if (signal.aborted) return;
  for (const state of cache.scopes) if (cache.standby.isUnheard(state)) relist(state.scope);
  await clock.sleep(BEHIND_AFTER_MS - UNHEARD_AFTER_MS, signal);
  if (signal.aborted) return;
  for (const state of cache.scopes) if (state.isBehindRecord) relist(state.scope);
}
