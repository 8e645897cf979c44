import type { KindPlan } from '../config/plan.ts';
import type { ObjectKey } from '../model/key.ts';
import type { KindId } from '../model/kind.ts';
import { compareRevisions, type Revision } from '../model/revision.ts';
import type { ScopeRecord } from '../storage/storage.ts';
import { compare, type Drift, type Seen } from './diff.ts';
import { KindView, type KindViewParts } from './kind-view.ts';

/** A difference counts when the copy has had this long to catch up with what the cluster showed. */
const PATIENCE_MS = 10_000;
const LOOK_EVERY_MS = 20;
/** More objects than this are looked at for the last time by one list instead of a get each. */
const MOST_GETS = 200;
/** What is still open after so long is asked of the cluster again; after that in ever longer intervals. */
const ASK_AFTER_MS = 500;
/** States of one object that are remembered, for a copy that runs after them. */
const MOST_SIGHTS = 64;

export interface Difference {
  readonly kind: KindId;
  readonly key: ObjectKey;
  readonly drift: Drift;
  readonly live: Pick<Seen, 'uid' | 'revision'> | null;
  readonly row: Pick<Seen, 'uid' | 'revision'> | null;
}

/** Something of which nothing can be said: a whole kind, or one object. */
export interface Untold {
  readonly kind: KindId;
  readonly key?: ObjectKey;
  readonly drift: 'unknown';
  readonly error: string;
}

/** What the copy keeps, or has let go, by age alone: counted, and no difference. */
export interface ByAge {
  readonly kind: KindId;
  readonly drift: 'by age';
  /** Whose objects are gone. */
  readonly rows: number;
  /** Whose rows are gone. */
  readonly objects: number;
  readonly why: string;
}

export interface VerifyOptions extends Omit<KindViewParts, 'plan'> {
  readonly plans: readonly KindPlan[];
  /** Turns an error of the cluster or the copy into a sentence. */
  readonly explain: (cause: unknown) => string;
  /** Called with what was compared so far. */
  readonly onProgress?: (compared: Compared) => void;
}

export interface Compared {
  readonly kinds: number;
  readonly objects: number;
}

/** One object that differed when it was first looked at. */
interface Suspect {
  readonly view: KindView;
  readonly key: ObjectKey;
  /** The newest that the cluster has shown of it. */
  live: Seen | null;
  /** The cluster had nothing of it as of this revision. */
  absentAt: Revision;
  /** Its states that were seen, by revision. */
  readonly sights: Map<Revision, Seen>;
  /** The row when it was first looked at, and whether it has been another one since. */
  readonly first: string;
  firstRevision: Revision | null;
  hasMoved: boolean;
  /** How long after the beginning the cluster is to be asked for it again. */
  askAfterMs: number;
}

/**
 * Compares kinds of a live cluster with their copy, by content. Memory is a hash per object of one kind. What differs at first sight is looked at again,
 * object by object and all kinds at the same time, until both sides agree or the copy had time enough: beside a running mirror, under churn, a copy that
 * merely lags by a commit is no difference. Where nothing can be told, that is said instead of guessed.
 */
export async function* verifyKinds(options: VerifyOptions): AsyncGenerator<Difference | Untold | ByAge, Compared> {
  const { plans, reader, clusterName, clock, signal, explain, onProgress } = options;
  const compared = { kinds: 0, objects: 0 };
  const suspects: Suspect[] = [];
  for (const plan of plans) {
    const view = new KindView({ ...options, plan });
    try {
      const found = await firstSight(view, (objects) => onProgress?.({ ...compared, objects: compared.objects + objects }));
      compared.objects += found.objects;
      compared.kinds++;
      const records = (await reader.scopes(clusterName)).filter(({ kind }) => kind === plan.id);
      if (records.length === 0 && found.rows === 0 && found.objects > 0) {
        const error = `the copy holds nothing of it and no record that it was listed: it is not mirrored, or not yet; the cluster has ${found.objects} objects`;
        yield { kind: plan.id, drift: 'unknown', error };
        continue;
      }
      for (const suspect of found.suspects) suspects.push(suspect);
      const { byAge } = found;
      if (view.retention !== null && byAge.rows + byAge.objects > 0) yield { kind: plan.id, drift: 'by age', ...byAge, why: view.retention.why };
    } catch (cause) {
      signal.throwIfAborted();
      yield { kind: plan.id, drift: 'unknown', error: explain(cause) };
    }
  }
  yield* settle(suspects, { ...options, begunAt: clock.now() });
  return compared;
}

interface FirstSight {
  readonly objects: number;
  readonly rows: number;
  readonly suspects: readonly Suspect[];
  readonly byAge: Pick<ByAge, 'rows' | 'objects'>;
}

async function firstSight(view: KindView, onProgress: (objects: number) => void): Promise<FirstSight> {
  const { live, listed, aged } = await view.list();
  const suspects: Suspect[] = [];
  const byAge = { rows: 0, objects: 0 };
  let objects = 0;
  let rows = 0;
  const differs = (key: ObjectKey, seen: Seen | null, row: Seen | null): void => {
    const sights = new Map(seen === null ? [] : [[seen.revision, seen]]);
    suspects.push({
      view,
      key,
      live: seen,
      absentAt: listed,
      sights,
      first: identityOf(row),
      firstRevision: row?.revision ?? null,
      hasMoved: false,
      askAfterMs: ASK_AFTER_MS,
    });
  };
  for await (const row of view.rows()) {
    const seen = live.get(row.key) ?? null;
    live.delete(row.key);
    const reduced = view.reduce(row, seen);
    if (seen === null && view.retention !== null) byAge.rows++;
    else if (compare(seen, reduced, view.revisions) !== null) differs(row.key, seen, reduced);
    rows++;
    onProgress(++objects);
  }
  for (const [key, seen] of live) {
    if (aged.has(key)) byAge.objects++;
    else differs(key, seen, null);
    onProgress(++objects);
  }
  return { objects, rows, suspects, byAge };
}

/** Looks again and again at all that differed, of all kinds together. Yields what is wrong as soon as that is certain, and what cannot be told. */
async function* settle(suspects: readonly Suspect[], options: VerifyOptions & { readonly begunAt: number }): AsyncGenerator<Difference | Untold, void> {
  const { clock, signal, begunAt } = options;
  const left = new Set(suspects);
  const failed = new Map<KindId, string>();
  const late: Suspect[] = [];
  while (left.size > 0) {
    const roundAt = clock.now();
    for (const suspect of [...left]) {
      signal.throwIfAborted();
      const { plan } = suspect.view;
      const verdict = failed.has(plan.id)
        ? 'over'
        : await look(suspect, left.size > MOST_GETS ? 0 : clock.now() - begunAt).catch((cause: unknown) => failedTo(plan, cause));
      if (verdict === 'open' && clock.now() < begunAt + PATIENCE_MS + plan.minIntervalSeconds * 1000) continue;
      left.delete(suspect);
      if (verdict === 'open') late.push(suspect);
      else if (typeof verdict === 'object') yield verdict;
    }
    // Many suspects take long to look at: half of the time is left to others.
    if (left.size > 0) await clock.sleep(Math.max(LOOK_EVERY_MS, clock.now() - roundAt), signal);
  }
  yield* conclude(late, options, failed, failedTo);
  for (const [kind, error] of failed) yield { kind, drift: 'unknown', error };

  function failedTo(plan: KindPlan, cause: unknown): 'over' {
    signal.throwIfAborted();
    failed.set(plan.id, options.explain(cause));
    return 'over';
  }
}

/**
 * `over`: both sides agree. `open`: the copy may still get there. Else what is certainly wrong.
 * `waitedMs` is counted from the beginning, and 0 while there are too many to ask for each.
 */
async function look(suspect: Suspect, waitedMs: number): Promise<'over' | 'open' | Difference> {
  const { view, key } = suspect;
  const row = await view.row(key, suspect.live);
  if (identityOf(row) !== suspect.first) suspect.hasMoved = true;
  let drift = compare(suspect.live, row, view.revisions);
  // A row that is past what the cluster has shown says that there is more to see; without one it is asked now and then.
  const isPast = row === null ? suspect.live !== null && suspect.hasMoved : compareRevisions(row.revision, suspect.live?.revision ?? suspect.absentAt) > 0;
  const isDue = waitedMs >= suspect.askAfterMs;
  if (isDue) suspect.askAfterMs = waitedMs * 2;
  if (drift !== null && (isPast || isDue)) {
    await lookAtCluster(suspect, row?.revision ?? null);
    drift = compare(suspect.live, row, view.revisions);
  }
  if (drift === null) return 'over';
  // Same incarnation, same revision, other content: waiting cannot mend that.
  if (drift === 'body' && suspect.live?.revision === row?.revision) return differenceOf(suspect, drift, row);
  return isInPursuit(suspect, row) ? 'over' : 'open';
}

/** A copy that runs after a busy object was right if its row, which has moved since, is a state in which the object was seen. */
function isInPursuit({ view, sights, hasMoved, firstRevision }: Suspect, row: Seen | null): boolean {
  if (row === null || !hasMoved || (firstRevision !== null && compareRevisions(row.revision, firstRevision) <= 0)) return false;
  return compare(sights.get(row.revision) ?? null, row, view.revisions) === null;
}

async function lookAtCluster(suspect: Suspect, past: Revision | null): Promise<void> {
  const seen = await suspect.view.one(suspect.key);
  suspect.live = seen;
  if (seen === null) {
    if (past !== null) suspect.absentAt = past;
    return;
  }
  suspect.sights.set(seen.revision, seen);
  const oldest = suspect.sights.keys().next();
  if (suspect.sights.size > MOST_SIGHTS && oldest.done !== true) suspect.sights.delete(oldest.value);
}

/** The last look at those that had all the time: what the cluster shows now, and then the row. */
async function* conclude(
  late: readonly Suspect[],
  { reader, clusterName }: VerifyOptions,
  failed: ReadonlyMap<KindId, string>,
  failedTo: (plan: KindPlan, cause: unknown) => unknown,
): AsyncGenerator<Difference | Untold, void> {
  if (late.length === 0) return;
  const records = await reader.scopes(clusterName);
  const kinds = new Map<KindView, Suspect[]>();
  for (const suspect of late) kinds.set(suspect.view, [...(kinds.get(suspect.view) ?? []), suspect]);
  for (const [view, suspects] of kinds) {
    const { id } = view.plan;
    const isListed = isComplete(records.filter(({ kind }) => kind === id));
    let missing = 0;
    try {
      const listed = suspects.length > MOST_GETS ? (await view.list()).live : null;
      for (const suspect of suspects) {
        suspect.live = listed === null ? await view.one(suspect.key) : (listed.get(suspect.key) ?? null);
        const row = await view.row(suspect.key, suspect.live);
        if (identityOf(row) !== suspect.first) suspect.hasMoved = true;
        const drift = compare(suspect.live, row, view.revisions);
        if (drift === null || isInPursuit(suspect, row)) continue;
        if (drift === 'missing' && !isListed) missing++;
        else if (suspect.hasMoved) yield { kind: id, key: suspect.key, drift: 'unknown', error: 'it changes faster than both sides can be read' };
        else yield differenceOf(suspect, drift, row);
      }
    } catch (cause) {
      if (!failed.has(id)) failedTo(view.plan, cause);
    }
    if (missing > 0) yield { kind: id, drift: 'unknown', error: `its first list is not complete in the copy yet: ${missing} objects are missing so far` };
  }
}

/** A kind without any record is one of which a row was found all the same: what is missing there is a difference. */
function isComplete(records: readonly ScopeRecord[]): boolean {
  return records.every(({ complete }) => complete);
}

function differenceOf({ view, key, live }: Suspect, drift: Drift, row: Seen | null): Difference {
  return { kind: view.plan.id, key, drift, live: brief(live), row: brief(row) };
}

function identityOf(row: Seen | null): string {
  return row === null ? '' : `${row.uid}@${row.revision}`;
}

function brief(seen: Seen | null): Pick<Seen, 'uid' | 'revision'> | null {
  return seen === null ? null : { uid: seen.uid, revision: seen.revision };
}
