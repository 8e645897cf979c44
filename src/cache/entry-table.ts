import type { Scope } from '../model/kind.ts';
import { namespaceOf, type ObjectKey } from '../model/key.ts';
import { compareRevisions } from '../model/revision.ts';
import type { IndexRow, ParkedRow } from '../storage/storage.ts';
import { Entry } from './entry.ts';
import { ScopeState } from './scope.ts';

/**
 * Whether a pass may delete what it found to be gone: `absent` keys, those held from earlier passes included, of `known` rows of the kind. Asked once a
 * pass: a fence judges it as a whole.
 */
export type Fence = (absent: number, known: number) => 'delete' | 'hold';

/**
 * The entries of one kind, and the books that must agree with them: how many objects of a scope are there and how many are held, and the position of
 * everything dirty. Whoever makes an entry dirty, clean, held or gone does it here; what that means is said by the cache.
 */
export class EntryTable {
  readonly entries = new Map<ObjectKey, Entry>();
  readonly scopes = new Map<Scope, ScopeState>();
  /** Rows that storage holds for namespaces nobody follows any more. Not a scope of the cluster: it has no record and no watermark. */
  readonly outside = new ScopeState('');

  constructor(scopes: readonly Scope[]) {
    for (const scope of scopes) this.scopes.set(scope, new ScopeState(scope));
  }

  /** Objects of the scopes. */
  get size(): number {
    let objects = 0;
    for (const state of this.scopes.values()) objects += state.objects;
    return objects;
  }

  scope(scope: Scope): ScopeState {
    const state = this.scopes.get(scope);
    if (state === undefined)
      throw new Error(`Cannot find scope "${scope}" in this cache: it follows ${[...this.scopes.keys()].map((name) => `"${name}"`).join(', ')}`);
    return state;
  }

  scopeOf(key: ObjectKey): ScopeState {
    return this.scopes.get('') ?? this.scopes.get(namespaceOf(key)) ?? this.outside;
  }

  isIn(state: ScopeState, key: ObjectKey): boolean {
    return state.scope === '' || namespaceOf(key) === state.scope;
  }

  /** A row of a key that is not known. Nothing is dirty by it. */
  load(row: IndexRow, rewrite: 'rewrite' | 'keep'): Entry {
    const entry = new Entry(row.uid, row.revision, 0);
    entry.storedUid = row.uid;
    entry.settled = row.revision;
    entry.rewrite = rewrite === 'rewrite';
    this.entries.set(row.key, entry);
    const state = this.scopeOf(row.key);
    state.objects++;
    if (entry.rewrite) state.rewrites++;
    noteNewest(state, row);
    return entry;
  }

  /** What was recorded as refused, of a key whose row is loaded or that has none. It counts as settled. */
  loadParked(row: Pick<ParkedRow, 'key' | 'uid' | 'revision'>): Entry {
    const state = this.scopeOf(row.key);
    let entry = this.entries.get(row.key);
    if (entry === undefined) {
      entry = new Entry(row.uid, row.revision, 0);
      this.entries.set(row.key, entry);
      state.objects++;
    }
    // A row that is newer than what was refused after it is of a history that is over.
    if (compareRevisions(entry.revision, row.revision) > 0) entry.regressed = true;
    entry.uid = row.uid;
    entry.revision = row.revision;
    entry.settled = null;
    entry.refused = true;
    if (entry.storedUid !== entry.uid) entry.maybeUids = [entry.uid];
    // Nothing but this may tell that the history went back since.
    noteNewest(state, row);
    return entry;
  }

  /** Dirty from now on, unless it was before: then as of that. */
  open(state: ScopeState, entry: Entry, now: number): void {
    entry.pending ??= state.positions.open(state.complete ? state.progress : null, now);
  }

  /** Dirty no more. */
  close(state: ScopeState, entry: Entry): void {
    if (entry.pending !== null) state.positions.close(entry.pending);
    entry.pending = null;
  }

  hold(state: ScopeState, entry: Entry): void {
    entry.held = true;
    state.held++;
    if (entry.pending !== null) state.positions.park(entry.pending);
  }

  unhold(state: ScopeState, entry: Entry): void {
    entry.held = false;
    state.held--;
    if (entry.pending !== null) state.positions.unpark(entry.pending);
  }

  markGone(state: ScopeState, entry: Entry, now: number): void {
    entry.gone = true;
    entry.content = null;
    entry.refused = false;
    entry.contested = false;
    entry.body?.release();
    entry.body = null;
    this.open(state, entry, now);
    state.objects--;
  }

  /** Objects that are gone and whose rows stay until somebody confirms that they may go. */
  get held(): number {
    let held = this.outside.held;
    for (const state of this.scopes.values()) held += state.held;
    return held;
  }

  heldKeys(): ObjectKey[] {
    if (this.held === 0) return [];
    return [...this.entries].filter(([, entry]) => entry.held).map(([key]) => key);
  }

  /** The row of a held key may go: now dirty. False when it is not held, or not any more. */
  release(key: ObjectKey): boolean {
    const entry = this.entries.get(key);
    if (entry === undefined || !entry.held) return false;
    this.unhold(this.scopeOf(key), entry);
    return true;
  }

  /** One pass of deletions by absence. Returns what is now dirty: all of the scope that are gone, also those held before, or none when the fence holds them. */
  drop(state: ScopeState, absent: readonly ObjectKey[], now: number, fence: Fence): ObjectKey[] {
    const held = state.held === 0 ? [] : this.heldKeys().filter((key) => this.scopeOf(key) === state);
    const all = [...held, ...absent];
    if (all.length === 0) return [];
    const verdict = fence(all.length, this.size + this.outside.objects + this.held);
    for (const key of absent) {
      const entry = this.entries.get(key);
      if (entry === undefined) continue;
      this.markGone(state, entry, now);
      if (verdict === 'hold') this.hold(state, entry);
    }
    if (verdict === 'hold') return [];
    for (const key of held) this.release(key);
    return all;
  }
}

export function noteNewest(state: ScopeState, row: IndexRow): void {
  if (state.newestLoaded === null || compareRevisions(row.revision, state.newestLoaded.revision) > 0) state.newestLoaded = row;
}
