import type { ObjectCache, Verdict } from '../cache/object-cache.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { KindPlan } from '../config/plan.ts';
import { Alarm } from '../kit/alarm.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import { messageOf } from '../model/errors.ts';
import type { ObjectKey } from '../model/key.ts';
import { groupOf, type Kind, type KindId, kindId } from '../model/kind.ts';
import type { Owner } from '../model/owner.ts';
import type { RawObject } from '../model/raw-object.ts';
import { BACKGROUND, type WorkQueue } from '../queue/queue.ts';
import type { StorageReader } from '../storage/storage.ts';
import { type Followed, type Learned, type Link, Owners } from '../transform/owners.ts';
import { readWorkload, type Workload } from '../transform/workload.ts';
import type { WorkloadsOfKind } from '../worker/write-of.ts';
import { OwnerLookUps, type Route } from './owner-look-ups.ts';
import { scanObject } from './scan-object.ts';
import type { WorkloadCounts } from './workload-counts.ts';

/** Links that nobody needs yet: an owner often comes before what it owns. Some 300 bytes each. */
const MOST_IDLE = 50_000;
/** Rows are read on the main thread: so many at a time, then others get their turn. */
const ROWS = 100;
const BREATH_MS = 2;
const RETRY_MS = 10_000;
const IDLE_MS = 3_600_000;
/** There are more of them than of anything else, and hardly anything is controlled by one: nobody's until somebody names it as an owner. */
const HARDLY_OWNERS: ReadonlySet<KindId> = new Set(['pods', 'events', 'events.events.k8s.io']);
/** What a row says that has no annotations. */
const UNTOLD: Workload = { kind: '', name: '' };

export interface WorkloadsOptions {
  readonly clusterName: string;
  readonly cluster: Cluster;
  /** The copy, to read what was written before this process. Without one nothing of that is noticed until an object changes. */
  readonly reader?: StorageReader | { readonly why: string } | undefined;
  /** The run ends once the copy is exact. */
  readonly listsFirst?: boolean | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Joined {
  readonly plan: KindPlan;
  readonly cache: ObjectCache;
  readonly queue: WorkQueue;
}

/** One kind as its mirror meets the workloads. */
export interface KindWorkloads extends WorkloadsOfKind {
  /** An object was delivered, and the cache has said what that meant. */
  seen(key: ObjectKey, object: RawObject, verdict: Verdict): void;
  /** An object of another shard was delivered: it may own some of ours. */
  passed(object: RawObject): void;
  /** It is gone, or its rule does not want it any more. */
  gone(key: ObjectKey): void;
  /** The cache knows the rows of an earlier process. */
  loaded(): void;
  /**
   * Whether what earlier processes wrote was held against its owners of now, and is written again where it must be. Only asked of a run that ends once the
   * copy is exact: any other goes on with it while it is ready.
   */
  isSettled(): boolean;
  end(): void;
}

/**
 * The top workloads of objects whose rule asks for them, over all kinds of one cluster (WORKLOADS.md says how they are kept right). Owners are learned from
 * every delivery of every kind, and looked up where none comes; what was written otherwise is written again.
 */
export class Workloads {
  readonly #options: WorkloadsOptions;
  readonly #reader: StorageReader | null;
  readonly #owners = new Owners({ mostIdle: MOST_IDLE });
  readonly #lookUps: OwnerLookUps;
  readonly #joined = new Map<KindId, Joined>();
  /** Kinds whose rows are to be read, and after which key. */
  readonly #unread = new Map<Joined, ObjectKey | undefined>();
  readonly #alarm: Alarm;
  /** Discovered kinds by group and Kind. */
  #kinds: ReadonlyMap<string, Kind> = new Map();
  #planned: ReadonlySet<KindId> = new Set();
  #isAsked = false;
  #renewed = 0;
  /** Renewals that the end of the run waits for. */
  #owed: { readonly cache: ObjectCache; readonly key: ObjectKey }[] = [];

  constructor(options: WorkloadsOptions) {
    const { reader } = options;
    this.#options = options;
    this.#reader = reader === undefined || 'why' in reader ? null : reader;
    this.#alarm = new Alarm(options.clock);
    this.#lookUps = new OwnerLookUps({
      ...options,
      kindOf: ({ ref }) => this.#kinds.get(`${groupOf(ref.apiVersion)}/${ref.kind}`) ?? null,
      routeOf: (kind, key, uid) => this.#routeOf(kindId(kind), key, uid),
      stored: (kind, key, uid) => this.#stored(kind, key, uid),
      isNeeded: (uid) => this.#owners.isNeeded(uid),
      learned: (uid, link) => this.#learn(uid, link),
      refused: (uid) => this.#renew(this.#owners.release(uid)),
    });
  }

  /** What discovery shows and rules make of it, before the kinds are started. */
  plan(kinds: readonly Kind[], plans: Iterable<KindPlan>): void {
    const known = new Map(kinds.map((kind) => [`${kind.group}/${kind.kind}`, kind]));
    const hasChanged = known.size !== this.#kinds.size || [...known.keys()].some((id) => !this.#kinds.has(id));
    const all = [...plans];
    this.#kinds = known;
    this.#planned = new Set(all.map(({ id }) => id));
    this.#isAsked = all.some(({ annotateWorkload }) => annotateWorkload);
    if (hasChanged) this.#lookUps.kindsChanged();
  }

  /** Whether objects of every shard are needed to know the owners of one: then the API server must not split the kind. What is hardly ever an owner is looked up. */
  needsAll(kind: KindId): boolean {
    return this.#isAsked && !HARDLY_OWNERS.has(kind);
  }

  /** A kind is about to be followed. */
  join(joined: Joined): KindWorkloads {
    const { plan, cache } = joined;
    const { id, annotateWorkload } = plan;
    const remember = !HARDLY_OWNERS.has(id);
    const owners = this.#owners;
    this.#joined.set(id, joined);
    this.#alarm.set(0);
    return {
      seen: (key, object, verdict) => {
        // A server that lags behind says nothing.
        if (!this.#isAsked || verdict === 'older') return;
        const owner = object.owner();
        const isNews = annotateWorkload && owners.follow(id, key, owner);
        // A rule ignores that its owner is another.
        if (isNews && verdict === 'clean') this.#renew([{ kind: id, key }]);
        if (remember || owners.isNeeded(object.uid)) this.#learn(object.uid, owner?.isController === true ? owner : null);
      },
      passed: (object) => {
        if (!this.#isAsked || !(remember || owners.isNeeded(object.uid))) return;
        const owner = object.owner();
        this.#learn(object.uid, owner?.isController === true ? owner : null);
      },
      gone: (key) => {
        if (annotateWorkload) owners.leave(id, key);
      },
      of: (key, mayWait) => {
        const missing = annotateWorkload ? (owners.top(id, key)?.missing ?? null) : null;
        const waitMs = missing === null ? 0 : this.#lookUps.request(missing);
        if (!mayWait || waitMs === 0) return annotateWorkload ? owners.give(id, key) : null;
        owners.wait(id, key);
        return waitMs;
      },
      settled: (key) => {
        if (annotateWorkload && owners.isOutdated(id, key)) this.#renew([{ kind: id, key }]);
      },
      loaded: () => {
        if (!annotateWorkload || this.#reader === null || cache.isEmpty || hidesOwners(plan)) return;
        this.#unread.set(joined, undefined);
        this.#alarm.set(0);
      },
      isSettled: () => !annotateWorkload || this.#isSettled(),
      end: () => {
        this.#unread.delete(joined);
        owners.drop(id);
        if (this.#joined.get(id) === joined) this.#joined.delete(id);
      },
    };
  }

  /** Works until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#lookUps.run(signal), this.#readRows(signal)]);
  }

  get counts(): WorkloadCounts {
    return { lookUps: this.#lookUps.counts, renewed: this.#renewed };
  }

  #isSettled(): boolean {
    if (this.#options.listsFirst !== true) return true;
    this.#owed = this.#owed.filter(({ cache, key }) => (cache.get(key)?.pending ?? null) !== null);
    return this.#unread.size === 0 && this.#owed.length === 0 && !this.#lookUps.isAsking;
  }

  #learn(uid: string, link: Link): void {
    const learned: Learned = this.#owners.learn(uid, link);
    this.#lookUps.known(uid);
    for (const missing of learned.missing) this.#lookUps.request(missing);
    for (const { kind, key } of learned.ready) this.#joined.get(kind)?.queue.add(key, BACKGROUND);
    this.#renew(learned.outdated);
  }

  #renew(followed: readonly Followed[]): void {
    const now = this.#options.clock.now();
    for (const { kind, key } of followed) {
      const joined = this.#joined.get(kind);
      if (joined === undefined) continue;
      const waits = joined.cache.get(key)?.pending !== null;
      // Also one that waits already: a write of it that is under way, and names the old one, must not settle it.
      if (!joined.cache.renew(key, now)) continue;
      if (!waits) this.#renewed++;
      if (this.#options.listsFirst === true) this.#owed.push({ cache: joined.cache, key });
      joined.queue.add(key, BACKGROUND);
    }
  }

  #routeOf(id: KindId, key: ObjectKey, uid: string): Route {
    const joined = this.#joined.get(id);
    if (joined === undefined) return this.#planned.has(id) ? 'coming' : 'none';
    if (!joined.cache.scopeOf(key).complete) return 'coming';
    return joined.cache.get(key)?.uid === uid ? 'known' : 'not known';
  }

  /** Only a row that is what the object is now, and shows its owners. */
  async #stored(kind: Kind, key: ObjectKey, uid: string): Promise<RawObject | null> {
    const joined = this.#joined.get(kindId(kind));
    const entry = joined?.cache.get(key);
    if (this.#reader === null || joined === undefined || entry === undefined || hidesOwners(joined.plan)) return null;
    if (entry.gone || entry.uid !== uid || entry.storedUid !== uid || entry.pending !== null || entry.settled !== entry.revision) return null;
    const row = await this.#reader.get(this.#options.clusterName, kindId(kind), key);
    return row === null || row.uid !== uid ? null : scanObject(joined.plan.kind, row.body);
  }

  /** What was written before this process: who owns what, and what was said of it. */
  async #readRows(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      // Not before every kind is there: of an owner that is mirrored the row tells, or the delivery of a change.
      const isEveryKindThere = [...this.#planned].every((id) => this.#joined.has(id));
      const [next] = isEveryKindThere ? this.#unread : [];
      if (next === undefined) {
        await this.#alarm.wait(IDLE_MS, signal);
        continue;
      }
      const [joined, after] = next;
      try {
        const last = await this.#readPage(joined, after);
        if (!this.#unread.has(joined)) continue;
        if (last === null) this.#unread.delete(joined);
        else this.#unread.set(joined, last);
        await clock.sleep(BREATH_MS, signal);
      } catch (cause) {
        if (signal.aborted) return;
        log.warn('cannot read from the rows which top workload they name, will retry', { kind: joined.plan.id, error: messageOf(cause) });
        await clock.sleep(RETRY_MS, signal);
      }
    }
  }

  /** Returns the last key; null when there are no more. */
  async #readPage(joined: Joined, after: ObjectKey | undefined): Promise<ObjectKey | null> {
    const { plan, cache } = joined;
    const { clusterName: cluster } = this.#options;
    const rows = (await this.#reader?.list({ cluster, kind: plan.id, limit: ROWS, ...(after === undefined ? {} : { after }) })) ?? [];
    for (const { key, uid, revision, body } of rows) {
      const entry = cache.get(key);
      // What is about to be written again is told then.
      if (entry === undefined || entry.gone || entry.uid !== uid || entry.rewrite) continue;
      const owner = ownerIn(plan.kind, body);
      const filled =
        owner === null ? null : this.#owners.fill({ kind: plan.id, key, isCurrent: entry.revision === revision }, owner, readWorkload(body) ?? UNTOLD);
      if (filled === null) continue;
      if (filled.missing !== null) this.#lookUps.request(filled.missing);
      else if (filled.isOutdated) this.#renew([{ kind: plan.id, key }]);
    }
    return rows.length < ROWS ? null : (rows.at(-1)?.key ?? null);
  }
}

/** A damaged row is the audit's to mend, and is told when it is written. */
function ownerIn(kind: Kind, body: Uint8Array): Owner | null {
  try {
    return scanObject(kind, body).owner();
  } catch {
    return null;
  }
}

/** Whether a rule may take from a row what it says of its owners. */
function hidesOwners({ mask, remove }: Pick<KindPlan, 'mask' | 'remove'>): boolean {
  return [...mask, ...remove.map(({ path }) => path)].some(({ steps: [first, second] }) => {
    if (first?.type !== 'field') return true;
    return first.name === 'metadata' && (second?.type !== 'field' || second.name === 'ownerReferences');
  });
}
