import type { Scope } from '../model/kind.ts';
import type { ObjectKey } from '../model/key.ts';
import { compareRevisions, type Revision } from '../model/revision.ts';
import type { IndexRow, ParkedRow } from '../storage/storage.ts';
import type { Entry } from './entry.ts';
import { type EntryTable, type Fence, noteNewest } from './entry-table.ts';
import type { ScopeState } from './scope.ts';
import { meeting } from './takeover.ts';

/** In place of the number of a list: its row was met, and neither list nor watch has shown an object of it. Numbers of lists are not negative. */
const STRANGER = -1;
/** The same of a key that was known, in an older state. */
const AHEAD = -2;

/**
 * What is done with the entries of a cache while another process writes, and when this one takes over (mirror/STANDBY.md). All dirtiness is then of the
 * newest change of a key, for nothing is known of what the other one has written; at the takeover every row is met, and takenOver() ends it.
 */
export class StandbyCache {
  readonly #table: EntryTable;

  constructor(table: EntryTable) {
    this.#table = table;
  }

  /** Another process writes, so the newest change of a key is what may not be durable. `now` is when it came. */
  restamp(key: ObjectKey, now: number): void {
    const entry = this.#table.entries.get(key);
    if (entry === undefined || entry.pending === null) return;
    const state = this.#table.scopeOf(key);
    this.#table.close(state, entry);
    this.#table.open(state, entry, now);
  }

  /**
   * Changes from before `bodiesBefore` need their body no more, the one that leads has written them; and what is gone since before `goneBefore` need not be
   * known. Both by the monotonic clock. What is wrong about that is found at the takeover, and read again.
   */
  rest(bodiesBefore: number, goneBefore: number): void {
    for (const [key, entry] of this.#table.entries) {
      const at = entry.pending?.at ?? Number.NEGATIVE_INFINITY;
      if (entry.gone && at < goneBefore) this.forget(key);
      else if (at < bodiesBefore) letGo(entry);
    }
  }

  /** Nothing is known of the key any more. What storage holds of it is met as a stranger at the takeover. */
  forget(key: ObjectKey): void {
    const entry = this.#table.entries.get(key);
    if (entry === undefined) return;
    const state = this.#table.scopeOf(key);
    letGo(entry);
    this.#table.close(state, entry);
    if (!entry.gone) state.objects--;
    this.#table.entries.delete(key);
  }

  /**
   * Takes in a row of the former leader, once nobody else writes. To be called for every row, then takenOver(); a row that is met again is the same. Returns
   * false when the row shows that the history of the cluster went back, and nobody here knew.
   */
  meet(row: IndexRow): boolean {
    const known = this.#table.entries.get(row.key);
    if (known === undefined) {
      // It is ahead, or its object is gone: takenOver() knows which.
      this.#table.load(row, 'keep').mark = STRANGER;
      return true;
    }
    const state = this.#table.scopeOf(row.key);
    const verdict = meeting(row, known, state.progress);
    known.storedUid = row.uid;
    switch (verdict) {
      case 'behind':
        return true;
      case 'foreign': {
        const isNews = !known.regressed;
        known.regressed = true;
        return !isNews;
      }
      case 'ahead':
        if (known.gone) state.objects++;
        known.gone = false;
        known.uid = row.uid;
        known.revision = row.revision;
        known.content = null;
        known.mark = AHEAD;
        noteNewest(state, row);
        break;
      case 'same':
        break;
      default:
        verdict satisfies never;
    }
    known.settled = row.revision;
    letGo(known);
    this.#table.close(state, known);
    return true;
  }

  /** Takes in what was recorded as refused, after the rows were met. What is known of its key is tried anyhow; of a key that is not known, only the record may be there. */
  meetParked(row: Pick<ParkedRow, 'key' | 'uid' | 'revision'>): void {
    const known = this.#table.entries.get(row.key);
    if (known === undefined) {
      this.#table.loadParked(row).mark = STRANGER;
      return;
    }
    // When it is gone its delete must follow, also where there is no row: it takes the record away.
    if (known.storedUid !== row.uid) known.maybeUids = [row.uid];
  }

  /**
   * Every row was met. What the cache knows of a scope and no row holds is dirty as of the watermark on record, up to which everything is durable; strangers
   * are gone when everything up to their revision was delivered. Returns the keys that are now dirty. A watermark that is ahead of what was delivered may
   * be of another history: then nothing is known to be durable before all of it is.
   */
  takenOver(watermarks: ReadonlyMap<Scope, Revision>, now: number, fence: Fence): ObjectKey[] {
    const { entries, scopes } = this.#table;
    const before = (state: ScopeState): Revision | null => reached(watermarks.get(state.scope) ?? null, state.progress);
    // All at once: positions must be in the order of history, and changes that came while rows were read are behind the watermark as well.
    for (const [key, entry] of entries) {
      if (entry.pending === null) continue;
      const state = this.#table.scopeOf(key);
      state.positions.close(entry.pending);
      entry.pending = state.positions.open(before(state), entry.pending.at);
    }
    for (const state of scopes.values()) {
      state.recordedUpTo = newer(watermarks.get(state.scope) ?? null, state.newestLoaded?.revision ?? null);
      const absent: ObjectKey[] = [];
      for (const [key, entry] of entries) {
        if (entry.mark !== STRANGER || entry.gone || this.#table.scopeOf(key) !== state) continue;
        if (state.progress === null || compareRevisions(entry.revision, state.progress) > 0) continue;
        // It went at some time behind the watermark, and a restart must see it go again.
        entry.pending ??= state.positions.open(before(state), now);
        absent.push(key);
      }
      this.#table.drop(state, absent, now, fence);
    }
    return [...entries].filter(([, entry]) => entry.pending !== null && !entry.held).map(([key]) => key);
  }

  /** Whether rows were met that are ahead of what was delivered, and nothing has been heard of one of them since. */
  isUnheard(state: ScopeState): boolean {
    for (const [key, { mark, gone }] of this.#table.entries) {
      if ((mark === STRANGER || mark === AHEAD) && !gone && this.#table.scopeOf(key) === state) return true;
    }
    return false;
  }
}

function letGo(entry: Entry): void {
  entry.body?.release();
  entry.body = null;
}

function newer(a: Revision | null, b: Revision | null): Revision | null {
  return a === null || (b !== null && compareRevisions(b, a) > 0) ? b : a;
}

function reached(watermark: Revision | null, delivered: Revision | null): Revision | null {
  return watermark === null || delivered === null || compareRevisions(watermark, delivered) > 0 ? null : watermark;
}
