import type { Cluster } from '../cluster/cluster.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import type { Tally } from '../kit/tallies.ts';
import { messageOf } from '../model/errors.ts';
import { namespaceOf, objectKey, type ObjectKey } from '../model/key.ts';
import type { Scope } from '../model/kind.ts';
import { compareRevisions, type Revision } from '../model/revision.ts';
import { compareBytes } from '../storage/key-order.ts';
import type { IndexRow, StorageReader, StoredObject } from '../storage/storage.ts';
import type { AuditedKind } from './audited-kind.ts';
import { Reducer } from './content.ts';
import type { Drift, Seen } from './diff.ts';
import { judge, type Judgement, type Known, knownOf, LATER } from './judge.ts';
import { readOne } from './live.ts';
import { checkObstacle, liveRanges, type Range } from './live-ranges.ts';
import type { Pace } from './pace.ts';

/** Rows are read on the main thread: so many at a time, or fewer when they are large, then others get their turn. */
const ROWS = 100;
const ROWS_BYTES = 512 * 1024;
const BREATH_MS = 1;
/** Between two looks at what could not be told at once. */
const LOOK_EVERY_MS = 250;
/** How long a connected watch may be behind a list. Commits and watches lag by milliseconds, a busy API server by seconds. */
const PATIENCE_MS = 30_000;
/** What is still in flight by then is left to the next round. */
const GIVE_UP_MS = 45_000;
/** Keys in doubt at a time; beyond them a page is left to the next round. */
const MOST_SUSPECTS = 2_000;
/** More objects than this that the mirror itself has missed are read by one list. */
const MOST_READS = 10;

/** What is counted of one kind. */
export interface AuditCounts {
  readonly drift: Readonly<Record<Drift, Tally>>;
  readonly lists: { readonly audit: Tally };
  /** Objects and rows compared. */
  readonly audited: Tally;
}

export interface KindAuditParts {
  readonly kind: AuditedKind;
  readonly clusterName: string;
  readonly cluster: Cluster;
  readonly reader: StorageReader;
  readonly secretKey: Uint8Array;
  readonly clock: Clock;
  readonly log: Logger;
  readonly pace: Pace;
  readonly counts: AuditCounts;
  readonly signal: AbortSignal;
}

/** What one round says of one kind. */
export interface KindResult {
  /** Objects and rows that were compared. */
  compared: number;
  drift: number;
  /** Keys that were in flight whenever they were looked at, or too many at once. */
  untold: number;
  /** Why the kind was left out, or given up half-way; null when it was compared to its end. */
  skipped: string | null;
}

interface Suspect {
  readonly live: Seen | null;
  readonly listed: Revision;
  /** Since when the watch is connected and has not brought what the list showed. */
  waitingSince: number;
  readonly since: number;
  /** The mirror has known the key when it was looked at: if it does not any more, it was told so. */
  wasKnown: boolean;
}

/** One pass over one kind: scan() goes through its pages, settle() decides what could not be told at once, and has it mended. */
export class KindAudit {
  readonly result: KindResult = { compared: 0, drift: 0, untold: 0, skipped: null };
  readonly #parts: KindAuditParts;
  readonly #reducer: Reducer;
  readonly #suspects = new Map<ObjectKey, Suspect>();
  readonly #foreign: IndexRow[] = [];
  /** Objects of which the mirror has missed a change. */
  readonly #missed = new Set<ObjectKey>();
  /** Objects that were deleted since they were listed, or missed. */
  readonly #unclear = new Set<ObjectKey>();
  #isScanned = false;
  #first: { readonly key: ObjectKey; readonly cause: Drift } | null = null;

  constructor(parts: KindAuditParts) {
    this.#parts = parts;
    this.#reducer = new Reducer(parts.kind.plan, parts.secretKey, parts.reader.reencodes);
  }

  /** Compares everything, at its pace. A kind that cannot be compared says why in its result. */
  async scan(): Promise<void> {
    const { kind, signal, counts } = this.#parts;
    try {
      let listed: Revision | null = null;
      for (const scope of kind.plan.scopes) {
        counts.lists.audit.inc();
        for await (const range of liveRanges({ ...this.#parts, reducer: this.#reducer }, scope)) {
          await this.#compareRange(range);
          listed = range.listed;
        }
      }
      if (listed !== null && !kind.plan.scopes.includes('')) await this.#scanOutside(listed);
    } catch (cause) {
      signal.throwIfAborted();
      this.#skip(messageOf(cause));
    } finally {
      this.#isScanned = true;
    }
  }

  /** Runs beside scan() and ends after it, when nothing is in doubt any more. */
  async settle(): Promise<void> {
    const { clock, signal, log } = this.#parts;
    while (!this.#isScanned || this.#suspects.size > 0) {
      await clock.sleep(LOOK_EVERY_MS, signal);
      signal.throwIfAborted();
      await this.#lookAtAll();
    }
    try {
      await this.#mendTheRest();
    } catch (cause) {
      signal.throwIfAborted();
      log.warn('the audit cannot mend everything it found, the next round tries again', { error: messageOf(cause) });
    }
    const { compared, drift, untold } = this.result;
    const first = this.#first;
    if (first !== null) log.warn('rows differed from the cluster and are mended', { drift, first: first.key, cause: first.cause, compared });
    if (untold > 0) log.debug('rows were in flight whenever the audit looked', { untold });
  }

  /** Rows in namespaces that nobody follows: only those that the mirror itself did not know at its start can be there. */
  async #scanOutside(listed: Revision): Promise<void> {
    const { kind, reader, clusterName, clock, signal } = this.#parts;
    let after: ObjectKey | undefined;
    for (;;) {
      const [row] = await reader.list({ cluster: clusterName, kind: kind.plan.id, after, limit: 1 });
      if (row === undefined) return;
      const namespace = namespaceOf(row.key);
      // Past every name that a namespace can hold.
      after = kind.plan.scopes.includes(namespace) ? objectKey(namespace, '\u{10ffff}') : row.key;
      if (after === row.key && kind.isOurs(row.uid)) this.#suspect(row.key, null, listed);
      await clock.sleep(BREATH_MS, signal);
      signal.throwIfAborted();
    }
  }

  async #compareRange(range: Range): Promise<void> {
    const { clock, signal } = this.#parts;
    const size = Math.max(1, Math.min(ROWS, Math.floor(ROWS_BYTES / Math.max(range.bytes, 1))));
    const keys = [...range.live.keys()];
    // In order already, but for the pages of an aggregated API.
    if (range.after === null && range.upTo === null) keys.sort(compareBytes);
    let { after } = range;
    for (let from = 0; from === 0 || from < keys.length; from += size) {
      const slice = keys.slice(from, from + size);
      const upTo = from + size >= keys.length ? range.upTo : (slice.at(-1) ?? range.upTo);
      await this.#compareSlice(range, slice, after, upTo, size);
      after = upTo;
      await clock.sleep(BREATH_MS, signal);
      signal.throwIfAborted();
      checkObstacle(this.#parts.kind);
    }
  }

  /** What is as it should be is done with; everything else is looked at alone. */
  async #compareSlice(range: Range, keys: readonly ObjectKey[], after: ObjectKey | null, upTo: ObjectKey | null, size: number): Promise<void> {
    const { counts } = this.#parts;
    const before = keys.map((key) => this.#known(key));
    const rows = await this.#readRows(range.scope, after, upTo, size + 1);
    const wanted = new Set(keys);
    for (const { key, uid } of rows.values()) if (!wanted.has(key) && !this.#parts.kind.isOurs(uid)) rows.delete(key);
    keys.forEach((key, index) => {
      const live = range.live.get(key) ?? null;
      const row = rows.get(key);
      rows.delete(key);
      const known = before[index];
      if (known === undefined || this.#judge(key, { live, listed: range.listed, row: row ?? null, before: known, patience: 'left' }).is !== 'ok')
        this.#suspect(key, live, range.listed, known !== undefined && known.is !== 'unknown');
    });
    if (range.isWhole) for (const key of rows.keys()) this.#suspect(key, null, range.listed);
    this.result.compared += keys.length + rows.size;
    counts.audited.inc(keys.length + rows.size);
  }

  async #readRows(scope: Scope, after: ObjectKey | null, upTo: ObjectKey | null, limit: number): Promise<Map<ObjectKey, StoredObject>> {
    const { kind, reader, clusterName, clock, signal } = this.#parts;
    const rows = new Map<ObjectKey, StoredObject>();
    let from = after;
    for (;;) {
      const query = {
        cluster: clusterName,
        kind: kind.plan.id,
        limit,
        ...(scope === '' ? {} : { namespace: scope }),
        ...(from === null ? {} : { after: from }),
      };
      const found = await reader.list(query);
      for (const row of found) if (upTo === null || compareBytes(row.key, upTo) <= 0) rows.set(row.key, row);
      const last = found.at(-1)?.key;
      if (last === undefined || found.length < limit || (upTo !== null && compareBytes(last, upTo) >= 0)) return rows;
      from = last;
      await clock.sleep(BREATH_MS, signal);
      signal.throwIfAborted();
    }
  }

  async #lookAtAll(): Promise<void> {
    const { clock, kind, signal, reader, clusterName } = this.#parts;
    let looks = 0;
    for (const [key, suspect] of [...this.#suspects]) {
      if (++looks % ROWS === 0) {
        await clock.sleep(BREATH_MS, signal);
        signal.throwIfAborted();
      }
      const before = this.#known(key);
      const row = await reader.get(clusterName, kind.plan.id, key);
      if (kind.obstacle() !== null) {
        this.#suspects.clear();
        return;
      }
      if (before.is !== 'unknown') suspect.wasKnown = true;
      const now = clock.now();
      if (!kind.isWatched(kind.scopeOf(key).scope)) suspect.waitingSince = now;
      const patience = now - suspect.waitingSince >= PATIENCE_MS ? 'over' : 'left';
      const judgement = this.#judge(key, { ...suspect, row, before, patience });
      if (judgement.is === 'later') {
        if (now - suspect.since < GIVE_UP_MS) continue;
        this.result.untold++;
      }
      this.#suspects.delete(key);
      if (judgement.is === 'ask' && !suspect.wasKnown) this.#unclear.add(key);
      if (judgement.is === 'back') this.#missed.add(key);
      if (judgement.is === 'drift') this.#drifted(key, row, judgement);
    }
  }

  #judge(
    key: ObjectKey,
    found: {
      readonly live: Seen | null;
      readonly listed: Revision;
      readonly row: StoredObject | null;
      readonly before: Known;
      readonly patience: 'left' | 'over';
    },
  ): Judgement {
    const { kind } = this.#parts;
    const { progress, rewrites } = kind.scopeOf(key);
    const isForeign = found.row !== null && !kind.isOurs(found.row.uid);
    // An object of another shard has taken the name, and we have yet to hear that ours is gone. Only an older one of that shard must not stand there.
    if (isForeign && isReplaced(found)) return LATER;
    return judge({
      ...found,
      row: found.row === null || isForeign ? null : this.#reducer.row(found.row, found.live),
      after: this.#known(key),
      progress,
      revisions: this.#reducer.revisions,
      forms: rewrites === 0 ? 'one' : 'mixed',
    });
  }

  #drifted(key: ObjectKey, row: StoredObject | null, { cause, mend }: Extract<Judgement, { is: 'drift' }>): void {
    const { kind } = this.#parts;
    this.#count(key, cause);
    if (mend === 'write') kind.rewrite(key);
    else if (mend === 'delete') {
      if (row !== null) this.#foreign.push({ key, uid: row.uid, revision: row.revision });
    } else if (mend === 'read') this.#missed.add(key);
    else kind.relist();
  }

  #count(key: ObjectKey, cause: Drift): void {
    this.#parts.counts.drift[cause].inc();
    this.result.drift++;
    this.#first ??= { key, cause };
  }

  /** What must be judged as a whole: deletions by the fence, and whether a list is cheaper than many gets. */
  async #mendTheRest(): Promise<void> {
    const { kind } = this.#parts;
    if (kind.obstacle() !== null) return;
    if (this.#foreign.length > 0) kind.adopt(this.#foreign);
    if (this.#missed.size > MOST_READS) {
      for (const scope of new Set([...this.#missed].map((key) => kind.scopeOf(key).scope))) kind.resync(scope);
    } else {
      for (const key of this.#missed) await this.#readAgain(key);
    }
    let reads = 0;
    for (const key of this.#unclear) {
      if (++reads > MOST_READS) this.result.untold++;
      else await this.#readAgain(key);
    }
  }

  async #readAgain(key: ObjectKey): Promise<void> {
    const { kind, pace, signal } = this.#parts;
    await pace.turn(signal);
    if (kind.obstacle() !== null) return;
    const entry = kind.cache.get(key);
    const was = entry === undefined ? null : { uid: entry.uid, revision: entry.revision };
    const { progress } = kind.scopeOf(key);
    let isThere = false;
    await readOne({ ...this.#parts, plan: kind.plan }, key, (object) => {
      if (!kind.isOurs(object.uid)) return;
      isThere = true;
      if (kind.obstacle() !== null) return;
      // It was there before the watch had got to where it was when this was asked: it must have been known.
      const isPassed = progress !== null && compareRevisions(object.revision, progress) <= 0;
      if (this.#unclear.has(key) && kind.cache.get(key) === undefined && isPassed) this.#count(key, 'missing');
      kind.seen(object);
    });
    if (!isThere && kind.obstacle() === null) kind.absent(key, was);
  }

  #suspect(key: ObjectKey, live: Seen | null, listed: Revision, wasKnown = false): void {
    const now = this.#parts.clock.now();
    if (this.#suspects.size < MOST_SUSPECTS) this.#suspects.set(key, { live, listed, since: now, waitingSince: now, wasKnown });
    else this.result.untold++;
  }

  #known(key: ObjectKey): Known {
    const { kind } = this.#parts;
    return knownOf(kind.cache.get(key), kind.isIdle(key));
  }

  #skip(why: string): void {
    this.result.skipped = why;
    this.#parts.log.debug('a kind is left out of this round of the audit', { reason: why });
  }
}

/** Whether the row is of a later moment than everything that is known of our object of that name. */
function isReplaced({ live, before, row }: { readonly live: Seen | null; readonly before: Known; readonly row: StoredObject | null }): boolean {
  if (row === null || (live === null && before.is === 'unknown')) return false;
  const isLater = (revision: Revision): boolean => revision === '' || compareRevisions(row.revision, revision) > 0;
  return (live === null || isLater(live.revision)) && (before.is === 'unknown' || isLater(before.revision));
}
