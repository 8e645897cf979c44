import type { Body } from '../model/body.ts';
import type { Scope } from '../model/kind.ts';
import type { ObjectKey } from '../model/key.ts';
import type { ObjectMeta } from '../model/object.ts';
import { compareRevisions, type Revision } from '../model/revision.ts';
import type { IndexRow, ParkedRow } from '../storage/storage.ts';
import { Entry, type KnownObject, NONE } from './entry.ts';
import { EntryTable, type Fence } from './entry-table.ts';
import type { Position } from './positions.ts';
import type { ScopeState } from './scope.ts';
import { StandbyCache } from './standby-cache.ts';

/** What a delivery meant. The first three need a write: the caller queues the key. `older` ones came from a server that lags behind. */
export type Verdict = 'added' | 'modified' | 'deleted' | 'clean' | 'older';

export function isDirty(verdict: Verdict): boolean {
  return verdict === 'added' || verdict === 'modified' || verdict === 'deleted';
}

/** What a worker took: the state to write, and everything needed to settle it later, whatever happened meanwhile. */
export interface Taken {
  readonly key: ObjectKey;
  readonly gone: boolean;
  readonly uid: string;
  readonly revision: Revision;
  /** The worker owns it until it is settled. Null when gone, or let go. */
  readonly body: Body | null;
  readonly rewrite: boolean;
  readonly regressed: boolean;
  readonly content: string | null;
  readonly position: Position | null;
}

/** The reading half. */
export interface CacheReader {
  readonly size: number;
  get(key: ObjectKey): KnownObject | undefined;
  entries(): IterableIterator<[ObjectKey, KnownObject]>;
  readonly scopes: readonly ScopeState[];
}

/**
 * The newest known state of every object of one kind: key to uid, revision and, while it waits to be written, the body.
 * One writer (the reflectors' deliveries), workers take and settle; only keys leave it towards the queue.
 *
 * Invariants:
 * - an entry with `pending` set has a key that is queued, waiting for a deadline, about to be queued by the caller, held, or contested;
 * - a body belongs to the entry or to the one Taken of its key, never to both;
 * - a position is closed exactly when every change it stands for is durable or not worth a write;
 * - an entry is dropped only when the object is gone from the cluster and from storage.
 */
export class ObjectCache implements CacheReader {
  readonly #table: EntryTable;
  readonly #entries: Map<ObjectKey, Entry>;
  /** What is done with the same entries while another process writes. */
  readonly standby: StandbyCache;

  constructor(scopes: readonly Scope[]) {
    this.#table = new EntryTable(scopes);
    this.#entries = this.#table.entries;
    this.standby = new StandbyCache(this.#table);
  }

  get size(): number {
    return this.#table.size;
  }

  /** Nothing is known, not even of objects whose row is still to be deleted. */
  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  get scopes(): readonly ScopeState[] {
    return [...this.#table.scopes.values()];
  }

  get(key: ObjectKey): KnownObject | undefined {
    return this.#entries.get(key);
  }

  entries(): IterableIterator<[ObjectKey, KnownObject]> {
    return this.#entries.entries();
  }

  scope(scope: Scope): ScopeState {
    return this.#table.scope(scope);
  }

  /**
   * Takes in a row that storage held at start. Nothing is dirty by it: a list or a watch event says what is true.
   * `rewrite` says that what is stored of objects has changed (a mask, the version of the kind): the next sight of it is written at the same revision, too.
   */
  load(row: IndexRow, rewrite: 'rewrite' | 'keep'): void {
    this.#table.load(row, rewrite);
  }

  /** Rows taken in by load() that no scope covers. Returns those that are now dirty, to be deleted: all, or none when the fence holds them. */
  dropOutside(now: number, fence: Fence): ObjectKey[] {
    const absent: ObjectKey[] = [];
    for (const [key, entry] of this.#entries) if (!entry.gone && this.scopeOf(key) === this.#table.outside) absent.push(key);
    return this.#table.drop(this.#table.outside, absent, now, fence);
  }

  /** Takes in what an earlier process recorded as refused, after the rows were loaded. It counts as settled, and is tried again like any by retry(). */
  loadParked(row: Pick<ParkedRow, 'key' | 'uid' | 'revision'>): void {
    this.#table.loadParked(row);
  }

  /** A person, or a new start, wants a refused key tried again: now dirty. False when it is not refused. */
  retry(key: ObjectKey, now: number): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined || !entry.refused) return false;
    const state = this.scopeOf(key);
    entry.refused = false;
    this.#table.open(state, entry, now);
    return true;
  }

  /** The row of a known object was found to be damaged: now dirty, and written whatever the row holds. False when there is nothing to write. */
  doubt(key: ObjectKey, now: number): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.gone || entry.refused) return false;
    const state = this.scopeOf(key);
    entry.settled = null;
    entry.regressed = true;
    entry.contested = false;
    this.#table.open(state, entry, now);
    return true;
  }

  /** What is to be stored of a known object changed though the object did not (its owners): now dirty, at its revision. False when nothing can be written. */
  renew(key: ObjectKey, now: number): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.gone || entry.refused || entry.contested) return false;
    const state = this.scopeOf(key);
    entry.settled = null;
    this.#table.open(state, entry, now);
    return true;
  }

  /** Storage holds a row of which nobody knows an object: now dirty, to be deleted whatever its revision, or held. False when the key is known. */
  adopt(row: IndexRow, now: number, verdict: 'delete' | 'hold' = 'delete'): boolean {
    if (this.#entries.has(row.key)) return false;
    const state = this.scopeOf(row.key);
    const entry = new Entry(row.uid, row.revision, state.mark);
    entry.storedUid = row.uid;
    entry.regressed = true;
    this.#entries.set(row.key, entry);
    state.objects++;
    this.#table.markGone(state, entry, now);
    if (verdict === 'hold') this.#table.hold(state, entry);
    return true;
  }

  /** Objects that are gone and whose rows stay until somebody confirms that they may go. */
  get held(): number {
    return this.#table.held;
  }

  heldKeys(): ObjectKey[] {
    return this.#table.heldKeys();
  }

  /** The row of a held key may go: now dirty. False when it is not held, or not any more. */
  release(key: ObjectKey): boolean {
    return this.#table.release(key);
  }

  /**
   * An object was seen, by list or watch. `body` is called only when the state is new and needs a write, and may return null for lack of room.
   * `content` is equal between two states that differ only by what a rule ignores; null compares unequal to everything.
   */
  see(state: ScopeState, meta: ObjectMeta, now: number, content: string | null, body: () => Body | null): Verdict {
    let entry = this.#entries.get(meta.key);
    let verdict: Verdict = 'modified';
    if (entry === undefined) {
      verdict = 'added';
      entry = new Entry(meta.uid, meta.revision, state.mark);
      // Storage may remember a deletion of the history that is over, and would refuse the object for it.
      entry.regressed = state.regressed;
      this.#entries.set(meta.key, entry);
      state.objects++;
    } else {
      // The first sight of a key in a list after the history went back: what was known of it is of another history.
      const isReplaced = state.regressed && entry.mark !== state.mark && (entry.uid !== meta.uid || entry.revision !== meta.revision);
      // The same state in two histories is the same object by chance at the most. Where its row is known storage compares the content; where none is
      // known storage may have refused the state for what the other history deleted.
      if (state.regressed && entry.mark !== state.mark && !isReplaced && !entry.refused) {
        if (entry.storedUid !== entry.uid || entry.contested) entry.regressed = true;
        else if (!entry.rewrite) {
          entry.rewrite = true;
          state.rewrites++;
        }
      }
      // Seen is seen, even when a stale server showed an old state of it: it must not be swept.
      entry.mark = state.mark;
      if (isReplaced) {
        entry.settled = null;
        entry.content = null;
        entry.regressed = true;
      }
      const order = isReplaced ? 1 : compareRevisions(meta.revision, entry.revision);
      if (order < 0) return 'older';
      const isOwed = (entry.rewrite && !entry.contested) || (entry.regressed && (entry.pending === null || entry.contested));
      if (order === 0 && !entry.gone && entry.uid === meta.uid && (!isOwed || entry.refused)) {
        // The same state once more. If its body was let go while it waits to be written, here it is again.
        if (needsBody(entry)) entry.body = body();
        return 'clean';
      }
      if (entry.held) this.#table.unhold(state, entry);
      if (entry.gone) {
        // Equal revisions: it was gone by absence from a list (a rule that no longer matched), and is back. A DELETED carries a revision of its own.
        entry.gone = false;
        verdict = 'added';
        state.objects++;
      }
      const quiet = content !== null && content === entry.content && entry.uid === meta.uid;
      // Another string of the same text would be kept beside that of storedUid: 56 bytes a key while it waits.
      if (entry.uid !== meta.uid) entry.uid = meta.uid;
      entry.revision = meta.revision;
      if (quiet && entry.pending === null && entry.settled !== null) {
        entry.settled = meta.revision;
        return 'clean';
      }
    }
    entry.content = content;
    entry.refused = false;
    entry.contested = false;
    entry.body?.release();
    entry.body = body();
    this.#table.open(state, entry, now);
    return verdict;
  }

  /** Whether exactly this state waits to be written and its body was let go. */
  lacks({ key, uid, revision }: ObjectMeta): boolean {
    const entry = this.#entries.get(key);
    return entry !== undefined && needsBody(entry) && entry.uid === uid && entry.revision === revision;
  }

  /**
   * The body of a state that lacks() it was read again. Only that: such an answer may be older than what the watch has said meanwhile
   * (a deletion above all), so it brings a body back and never news.
   */
  restore(meta: ObjectMeta, body: () => Body | null): void {
    const entry = this.#entries.get(meta.key);
    if (entry !== undefined && this.lacks(meta)) entry.body = body();
  }

  /** Gives up the body of a key that cannot be written soon; it will be read again. */
  letGo(key: ObjectKey): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.body?.release();
    entry.body = null;
  }

  /** An object was deleted as of `revision` (null when only absence is known). */
  remove(state: ScopeState, key: ObjectKey, uid: string | null, revision: Revision | null, now: number): Verdict {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.gone) return 'clean';
    // A late DELETED of an earlier incarnation, or from a stale server, says nothing about the newer one.
    if (revision !== null && compareRevisions(revision, entry.revision) < 0) return 'older';
    if (uid !== null && uid !== entry.uid && revision === null) return 'older';
    if (revision !== null) entry.revision = revision;
    this.#table.markGone(state, entry, now);
    return 'deleted';
  }

  /** Begins mark and sweep: what is not seen until sweep() is gone. `regressed` when the cluster's history went back since the last list. */
  beginList(state: ScopeState, history: 'continued' | 'regressed' = 'continued'): void {
    state.mark++;
    if (history === 'continued') return;
    state.regressed = true;
    state.recordedUpTo = null;
    // Positions of the old history mean nothing in the new one: nothing may be resumed from before this list is durable.
    state.complete = false;
    state.progress = null;
    state.positions.forgetHistory();
  }

  /** The list was given up half-way: nothing is concluded from it. A history that went back is still gone: the next list begins as such. */
  abortList(state: ScopeState): void {
    state.regressed = false;
  }

  /**
   * The list is complete as of `revision`. What it did not contain is gone. Returns the keys that are now dirty, to be deleted: all of the scope that are
   * gone, also those held before, or none when the fence holds them.
   */
  sweep(state: ScopeState, revision: Revision, now: number, fence: Fence): ObjectKey[] {
    const absent: ObjectKey[] = [];
    for (const [key, entry] of this.#entries) {
      if (entry.mark === state.mark || !this.#table.isIn(state, key)) continue;
      if (state.regressed) {
        // What was known is of another history, also of what was gone before: whatever comes now is newer.
        entry.revision = revision;
        entry.settled = null;
        entry.regressed = true;
      }
      if (entry.gone) continue;
      // A list may come from a server that lags behind the watch: what is newer than the list is not disproved by it.
      if (!state.regressed && compareRevisions(entry.revision, revision) > 0) continue;
      absent.push(key);
    }
    // Before the list counts as complete: what is held must not be resumed past.
    const swept = this.#table.drop(state, absent, now, fence);
    this.#endList(state, revision);
    return swept;
  }

  /** Whether rows from before the start are newer than the cluster is as of `revision`: then its history went back while nobody looked. */
  isAheadOf(state: ScopeState, revision: Revision): boolean {
    return !state.regressed && state.newestLoaded !== null && compareRevisions(state.newestLoaded.revision, revision) > 0;
  }

  /** The list ended as of `revision`, but not all of it could be read: nothing is concluded from absence. */
  keep(state: ScopeState, revision: Revision): ObjectKey[] {
    this.#endList(state, revision);
    return [];
  }

  /** Everything up to `revision` was delivered. Never goes back (an event of another key may carry a smaller one after a relist). */
  advance(state: ScopeState, revision: Revision): void {
    if (state.progress === null || compareRevisions(revision, state.progress) > 0) state.progress = revision;
  }

  /** Hands the newest state of a key to a worker, or null when there is nothing to write. */
  take(key: ObjectKey): Taken | null {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    const { pending: position, body } = entry;
    if (position === null) return null;
    const taken: Taken = {
      key,
      gone: entry.gone,
      uid: entry.uid,
      revision: entry.revision,
      body,
      rewrite: entry.rewrite,
      regressed: entry.regressed,
      content: entry.content,
      position,
    };
    entry.pending = null;
    entry.body = null;
    entry.rewrite = false;
    return taken;
  }

  /** The write of `taken` is durable, or storage already held it; a delete, also when storage held something newer. `at` is kept as when it was written, or null. */
  settle(taken: Taken, at: number | null, state: ScopeState): void {
    taken.body?.release();
    if (taken.position !== null) state.positions.close(taken.position);
    if (taken.rewrite) state.rewrites--;
    const entry = this.#entries.get(taken.key);
    if (entry === undefined) return;
    if (taken.regressed && isStill(entry, taken)) entry.regressed = false;
    if (entry.maybeUids.length > 0) entry.maybeUids = NONE;
    entry.storedUid = taken.gone ? null : taken.uid;
    // A write of a history that is over settles nothing of the one that is.
    if (taken.gone || entry.regressed) entry.settled = null;
    else if (entry.settled === null || compareRevisions(taken.revision, entry.settled) > 0) entry.settled = taken.revision;
    entry.writtenAt = at;
    if (entry.gone && entry.storedUid === null && entry.pending === null) this.#entries.delete(taken.key);
  }

  /** Nothing had to be written for `taken`: storage holds this state already, or never held the object. */
  settleNothing(taken: Taken, state: ScopeState): void {
    taken.body?.release();
    if (taken.position !== null) state.positions.close(taken.position);
    if (taken.rewrite) state.rewrites--;
    const entry = this.#entries.get(taken.key);
    if (entry?.gone && entry.pending === null) this.#entries.delete(taken.key);
  }

  /**
   * Storage refused a put as older than what it knows, of this object or of its deletion. Which of both is right is not known: the position stays open until
   * concede(), doubt(), or news of the object. Returns whether it has changed already: then the key is with the queue.
   */
  contest(taken: Taken, state: ScopeState): 'contested' | 'changed' {
    const isQueued = this.#entries.get(taken.key)?.pending !== null;
    // The row may be of this object or of none, so a later delete tries both.
    this.giveBack(taken, state, true);
    const entry = this.#entries.get(taken.key);
    if (entry === undefined || isQueued || !isStill(entry, taken)) return 'changed';
    entry.body?.release();
    entry.body = null;
    entry.contested = true;
    return 'contested';
  }

  /** Whether exactly this state is contested. */
  isContested({ key, uid, revision }: ObjectMeta): boolean {
    const entry = this.#entries.get(key);
    return entry?.contested === true && entry.uid === uid && entry.revision === revision;
  }

  /** Storage was right to refuse exactly this state: what it knows is newer, and news of that is on its way. */
  concede(meta: ObjectMeta): void {
    const entry = this.#entries.get(meta.key);
    if (entry === undefined || !this.isContested(meta)) return;
    const state = this.scopeOf(meta.key);
    entry.contested = false;
    entry.settled = entry.revision;
    if (entry.rewrite) state.rewrites--;
    entry.rewrite = false;
    this.#table.close(state, entry);
  }

  /**
   * Storage will never take this state, and has recorded so: that counts as settled, until the object changes or a person wants it tried again.
   * Returns whether it has changed already: then the key must be tried again.
   */
  park(taken: Taken, state: ScopeState): 'parked' | 'changed' {
    // Whatever the key is by now: its delete must follow even when no row was ever stored, for it takes the record of the refusal away.
    this.giveBack(taken, state, true);
    const entry = this.#entries.get(taken.key);
    if (entry === undefined || !isStill(entry, taken)) return 'changed';
    entry.body?.release();
    entry.body = null;
    this.#table.close(state, entry);
    entry.refused = true;
    return 'parked';
  }

  /** The row does not hold this uid, after all. */
  excludeUid(key: ObjectKey, uid: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.maybeUids = entry.maybeUids.filter((maybe) => maybe !== uid);
    if (entry.storedUid === uid) entry.storedUid = null;
  }

  /**
   * The write failed, or was put off: the key is dirty again, as of the older of both positions.
   * Its body returns unless a newer one has arrived. `unknown` says that the write may have happened all the same.
   */
  giveBack(taken: Taken, state: ScopeState, unknown: boolean): void {
    const entry = this.#entries.get(taken.key);
    if (entry === undefined) throw new Error(`Cannot give back ${taken.key}: the cache dropped it while it was in a worker's hands`);
    if (unknown && !taken.gone && taken.uid !== entry.storedUid && !entry.maybeUids.includes(taken.uid)) entry.maybeUids = [taken.uid, ...entry.maybeUids];
    if (taken.body !== null) {
      if (isStill(entry, taken) && entry.body === null) entry.body = taken.body;
      else taken.body.release();
    }
    if (taken.rewrite) {
      // A list of another history may have asked for it meanwhile: it is one rewrite all the same.
      if (entry.rewrite) state.rewrites--;
      entry.rewrite = true;
    }
    // A later state may have counted as settled because it differed only by what a rule ignores; it no longer does.
    entry.settled = null;
    if (taken.position === null) return;
    const wasHeld = entry.held;
    if (wasHeld) this.#table.unhold(state, entry);
    if (entry.pending !== null) state.positions.close(entry.pending);
    entry.pending = taken.position;
    if (wasHeld) this.#table.hold(state, entry);
  }

  /** The uid that a delete must name first, and those to try when that is not what the row holds. */
  storedUids(key: ObjectKey): readonly string[] {
    const entry = this.#entries.get(key);
    if (entry === undefined) return [];
    return entry.storedUid === null ? entry.maybeUids : [...entry.maybeUids, entry.storedUid];
  }

  /** Every body goes back to the pool; for the end of a mirror whose pool lives on. */
  clear(): void {
    for (const entry of this.#entries.values()) entry.body?.release();
    this.#entries.clear();
    for (const state of [...this.#table.scopes.values(), this.#table.outside]) state.held = 0;
  }

  scopeOf(key: ObjectKey): ScopeState {
    return this.#table.scopeOf(key);
  }

  #endList(state: ScopeState, revision: Revision): void {
    state.regressed = false;
    state.complete = true;
    state.newestLoaded = null;
    state.recordedUpTo = null;
    this.advance(state, revision);
  }
}

/** Whether the entry is in the state that was taken; revisions of two histories may be equal, uids are not. */
function isStill(entry: Entry, taken: Taken): boolean {
  return entry.revision === taken.revision && entry.uid === taken.uid && entry.gone === taken.gone;
}

/** Whether the key can only be written once its JSON was read again. */
export function needsBody(entry: KnownObject): boolean {
  return entry.pending !== null && entry.body === null && !entry.gone && !entry.refused && !entry.contested;
}
