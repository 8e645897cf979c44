import type { AuditedKind } from '../audit/audited-kind.ts';
import { ObjectCache } from '../cache/object-cache.ts';
import type { RowOrigin, ScopeState } from '../cache/scope.ts';
import { WriteTimes } from '../cache/write-times.ts';
import type { ListQuery } from '../cluster/cluster.ts';
import { type KindPlan, selectorsOf } from '../config/plan.ts';
import { ListReader } from '../json/list-reader.ts';
import type { Logger } from '../kit/log.ts';
import { onAbort, untilAborted } from '../kit/within.ts';
import { messageOf } from '../model/errors.ts';
import { apiVersionOf, kindId, type Kind, type Scope } from '../model/kind.ts';
import { BACKGROUND, LIVE } from '../queue/queue.ts';
import { createWorkQueue, type ObservedQueue } from '../queue/work-queue.ts';
import type { ReflectorStatus } from '../reflector/reflector.ts';
import type { ScopeRecord } from '../storage/storage.ts';
import { createTransform } from '../transform/transform.ts';
import { StorageGate } from '../worker/gate.ts';
import { Parked } from '../worker/parked.ts';
import { WorkerPool } from '../worker/pool.ts';
import { Refill } from '../worker/refill.ts';
import { auditedKind } from './audited.ts';
import { Delivery, LIST_SHARE } from './delivery.ts';
import { storedForm } from './forms.ts';
import { HeldDeletions } from './held.ts';
import { rowsAsOf } from './lag.ts';
import type { KindMirrorOptions, StopOptions } from './kind-mirror-options.ts';
import { isAheadOfItsObject } from './newest-row.ts';
import { Reflectors } from './reflectors.ts';
import { beginningOf, rulesOf } from './resume.ts';
import { scanObject } from './scan-object.ts';
import { ScopeStatuses } from './scope-statuses.ts';
import { SecondLook } from './second-look.ts';
import { distrustRecords, loadRows, retireRecords } from './stored-rows.ts';
import { listUnheard, Standby } from './takeover.ts';
import type { KindWorkloads } from './workloads.ts';

const HISTORY_WENT_BACK = { list: 'regressed', why: 'the newest row is newer than its object: the history of the cluster went back' } as const;
const LISTS_FIRST = { list: 'first', why: 'a whole list was asked for' } as const;

/** Scope records ride on a batch at most this often; a watermark that lags by this much costs a restart nothing that can be seen. */
const RECORD_EVERY_MS = 1_000;

/** One kind from the API server to storage: reflectors, cache, queue, workers, in the order in which data flows. */
export class KindMirror {
  readonly kind: Kind;
  readonly id: string;
  readonly cache: ObjectCache;
  readonly parked = new Parked();
  readonly held: HeldDeletions;
  readonly queue: ObservedQueue;
  readonly #options: KindMirrorOptions;
  readonly #log: Logger;
  readonly #gate: StorageGate;
  readonly #workers: WorkerPool;
  readonly #refill: Refill;
  readonly #secondLook: SecondLook;
  readonly #workloads: KindWorkloads | null;
  readonly #reflectors: Reflectors;
  readonly #delivery: Delivery;
  readonly #statuses = new ScopeStatuses();
  /** Null once this process writes. */
  #standby: Standby | null = null;
  readonly #ending = new AbortController();
  #origin: RowOrigin;
  #tasks: Promise<void>[] = [];
  #recordedAt = Number.NEGATIVE_INFINITY;
  #isEmptied = false;
  #hasResumed = false;
  /** The history of the cluster did since the start. */
  #wentBack = false;

  constructor(options: KindMirrorOptions) {
    const { plan, cluster, storage, clock, random, metrics } = options;
    this.#options = options;
    this.kind = plan.kind;
    this.id = kindId(plan.kind);
    this.#log = options.log.child({ kind: this.id });
    this.#origin = { form: storedForm(plan, options.secretKey), rules: rulesOf(plan), identity: options.history.identity };
    this.cache = new ObjectCache(plan.scopes);
    this.queue = createWorkQueue({ name: this.id, clock, random, metrics: metrics.queue });
    const writeTimes = new WriteTimes();
    this.held = new HeldDeletions({ kind: this.id, cache: this.cache, queue: this.queue, rule: options.fence, clock, log: this.#log });
    const common = { kind: this.kind, cache: this.cache, queue: this.queue, clock, log: this.#log };
    this.#reflectors = new Reflectors({ ...options, cache: this.cache, log: this.#log });
    if (options.tenure?.isLeading === false) {
      const more = { parked: this.parked, held: this.held, storage, status: this.#statuses.shown, origin: () => this.#origin };
      this.#standby = new Standby({ ...common, ...more, kind: this.id, onForgotten: (key) => this.#workloads?.gone(key) });
    }
    this.#workloads = (plan.mirror && options.workloads?.join({ plan, cache: this.cache, queue: this.queue })) || null;
    this.#secondLook = new SecondLook({ ...common, cluster });
    this.#refill = new Refill({
      ...common,
      random,
      cluster,
      scopes: plan.scopes,
      page: (scope, query, signal) => this.#readPage(scope, query, signal),
      single: (bytes) => this.#delivery.restore(scanObject(this.kind, bytes)),
      room: (signal) => options.pool.room(LIST_SHARE, signal),
    });
    this.#delivery = new Delivery({
      cache: this.cache,
      queue: this.queue,
      pool: options.pool,
      transform: createTransform(plan, { secretKey: options.secretKey }),
      metrics,
      writeTimes,
      clock,
      log: this.#log,
      newest: options.history.revision,
      guard: (why, run) => (this.#standby ?? this.held).guard(why, run),
      isStandby: () => this.#standby !== null,
      onSeen: (key) => this.#refill.delivered(key),
      onChange: () => options.onChange?.(),
      workloads: this.#workloads,
      isOurs: options.sharding?.isOurs ?? null,
      onStatus: ({ scope }, status) => {
        if (this.#statuses.note(scope, status) === 'reconnected') options.onReconnect?.();
      },
      onListing: ({ scope }) => {
        if (this.#statuses.accepted(scope) === 'reconnected') options.onReconnect?.();
      },
    });
    this.#gate = options.gate ?? new StorageGate({ clock, random, log: this.#log });
    this.#workers = new WorkerPool({
      ...common,
      storage,
      gate: this.#gate,
      parked: this.parked,
      events: metrics,
      writeTimes,
      onContested: (refused) => this.#secondLook.request(refused),
      workloads: this.#workloads ?? undefined,
      readAgain: (key) => this.#refill.request(key),
      isCrowded: () => options.pool.usedBytes > options.pool.limitBytes * LIST_SHARE,
      records: () => this.#records(),
    });
  }

  /**
   * Loads what storage holds, then starts workers, and reflectors from where the record of their scope says that everything is durable. While another
   * process leads: only reflectors, with a list.
   */
  async start(): Promise<void> {
    const { storage, plan, clock } = this.#options;
    if (this.#standby !== null) {
      for (const scope of plan.scopes) this.#spawn(this.#follow(scope, undefined));
      return;
    }
    const { cache, parked } = this;
    const { records, refused } = await loadRows({ storage, kind: this.id, scopes: plan.scopes, form: this.#origin.form, cache, parked, log: this.#log });
    this.#workloads?.loaded();
    await this.#write();
    for (const scope of plan.scopes) this.#spawn(this.#follow(scope, records.get(scope)));
    // Once at every start: this may be a newer program, or a database with other limits.
    for (const { key } of refused) if (this.cache.retry(key, clock.now())) this.queue.add(key, BACKGROUND);
  }

  /**
   * This process leads now, and storage is open. False when what was seen while it stood by cannot be gone on with: it has to be started anew. `isSure`: it
   * is of the history that the cluster has just now; by another one the rows of the former leader must not be judged.
   */
  async takeOver(isSure: boolean): Promise<boolean> {
    if (this.#standby === null) return true;
    const taken = isSure ? await this.#standby.takeOver() : null;
    if (taken === null) return false;
    this.#standby = null;
    this.#hasResumed = true;
    this.#workloads?.loaded();
    for (const key of taken.dirty) this.queue.add(key, LIVE);
    if (taken.hasGoneBack) this.relist(this.#origin.identity);
    await this.#write();
    this.#spawn(listUnheard(this.cache, this.#options.clock, this.#ending.signal, (scope) => this.#reflectors.resync(scope, 'audit')));
    return true;
  }

  /** The rows are in the cache: removes those that no scope covers any more, and starts whoever writes. */
  async #write(): Promise<void> {
    const { plan, storage, clock } = this.#options;
    const why = plan.scopes.length === 0 ? 'the kind is not mirrored any more' : 'their namespaces are not mirrored any more';
    const outside = this.held.guard(why, (fence) => this.cache.dropOutside(clock.now(), fence));
    for (const key of outside) this.queue.add(key, BACKGROUND);
    // A kind that is mirrored no more at all keeps its records until retire().
    if (plan.scopes.length === 0) await distrustRecords(storage, this.id);
    else await retireRecords(storage, this.id, (scope) => !plan.scopes.includes(scope));
    this.#workers.minIntervalMs = plan.minIntervalSeconds * 1000;
    this.#workers.resize(plan.workers);
    this.#spawn(this.#refill.run(this.#ending.signal));
    this.#spawn(this.#secondLook.run(this.#ending.signal));
  }

  async #follow(scope: Scope, record: ScopeRecord | undefined): Promise<void> {
    const state = this.cache.scope(scope);
    const { history, listsFirst = false } = this.#options;
    const wished =
      listsFirst && record?.identity === this.#origin.identity
        ? LISTS_FIRST
        : beginningOf(record, this.#origin, history.revision, state.newestLoaded?.revision ?? null);
    const beginning = 'from' in wished && (await this.#hasGoneBack(state)) ? HISTORY_WENT_BACK : wished;
    const reflector = this.#reflectors.create(scope, 'from' in beginning ? beginning.from : null, this.#delivery);
    this.#hasResumed ||= 'from' in beginning;
    if ('from' in beginning) state.resume({ watermark: beginning.from, listedAt: record?.listedAt ?? null, heardAt: record?.heardAt ?? null });
    else this.#log[beginning.list === 'regressed' ? 'warn' : 'debug']('a scope begins with a list', { scope, reason: beginning.why });
    if ('list' in beginning && beginning.list === 'regressed') reflector.resync('regressed');
    await reflector.run(this.#ending.signal);
  }

  /** The history of the cluster went back: everything is listed anew, and what is known from before counts for nothing. */
  relist(identity: string | null): void {
    this.#origin = { ...this.#origin, identity };
    this.#wentBack = true;
    this.#reflectors.resyncAll('regressed');
  }

  /** The API server answered another kind: whoever waits because it was away asks again. */
  reached(): void {
    this.#reflectors.reached();
  }

  /** Applies what can change without a new list. */
  retune(plan: Pick<KindPlan, 'workers' | 'minIntervalSeconds'>): void {
    if (this.#standby !== null) return;
    this.#workers.minIntervalMs = plan.minIntervalSeconds * 1000;
    this.#workers.resize(plan.workers);
  }

  /**
   * Stops listening, writes what is dirty and ends. When `hurry` aborts, what is left is left to the next start, and a write that
   * does not end is not waited for: the watermark knows nothing of either.
   */
  async stop(hurry: AbortSignal, { puts = 'write', cut }: StopOptions = {}): Promise<void> {
    this.#ending.abort();
    this.#delivery.close();
    await Promise.all(this.#tasks);
    onAbort(cut, () => this.#workers.end());
    await untilAborted(this.#drain(puts), hurry);
    this.#workers.end();
    this.#workloads?.end();
  }

  async #drain(puts: 'write' | 'leave'): Promise<void> {
    this.#workers.drain(puts);
    await this.queue.drain();
    this.#workers.end();
    await this.#workers.ended();
    // The next start lists anyhow; what must not be skipped is giving the bodies back.
    await this.flush().catch((cause: unknown) => this.#log.warn('cannot commit how complete a kind is at its end', { error: messageOf(cause) }));
    this.#isEmptied = this.cache.isEmpty;
    this.cache.clear();
  }

  /** Commits the scope records as they are now; not while storage is away. That they were written says nothing: without rows no outcome is told. */
  async flush(): Promise<void> {
    this.#standby?.rest();
    if (this.#standby !== null || this.#gate.isOpen) return;
    this.#recordedAt = Number.NEGATIVE_INFINITY;
    const records = this.#records();
    if (records.length > 0) await this.#options.storage.write([], records);
  }

  /** After stop(): removes the scope records of a kind that is not mirrored any more, once its rows are gone. */
  async retire(): Promise<void> {
    if (this.#isEmptied && this.#standby === null) await retireRecords(this.#options.storage, this.id, () => true);
  }

  get scopeStatus(): ReadonlyMap<Scope, ReflectorStatus> {
    return this.#statuses.shown;
  }

  /** Another process writes; this one only looks on. */
  get isStandby(): boolean {
    return this.#standby !== null;
  }

  /** Keys whose newest state is not durable: queued, held, waiting for a deadline, for their body or for a second look. */
  get unsettled(): number {
    return this.queue.length + this.queue.held + this.queue.waiting + this.#refill.waiting + this.#secondLook.waiting;
  }

  /** Whether rows name the owners of now; only asked of a run that ends once the copy is exact. */
  get isSettled(): boolean {
    return this.#workloads?.isSettled() ?? true;
  }

  /** Whether it went on from rows that an earlier process wrote, without a list. */
  get hasResumed(): boolean {
    return this.#hasResumed;
  }

  /** Nobody asks for the kind any more: it only removes its rows. */
  get isLeaving(): boolean {
    return !this.#options.plan.mirror;
  }

  /** As the audit meets it; `relist` is called when its history went back. */
  audited(relist: () => void): AuditedKind {
    const { plan, clock, sharding } = this.#options;
    const parts = { plan, clock, sharding, cache: this.cache, queue: this.queue, held: this.held, delivery: this.#delivery, status: this.#statuses.shown };
    return auditedKind({ ...parts, relist, ending: this.#ending.signal, resync: (scope) => this.#reflectors.resync(scope, 'audit') });
  }

  get workers(): number {
    return this.#workers.workers;
  }

  get damaged(): number {
    return this.#delivery.damaged;
  }

  #spawn(task: Promise<void>): void {
    this.#tasks.push(
      task.catch((cause: unknown) => {
        if (!this.#ending.signal.aborted) this.#log.error('a part of the mirror of this kind ended by a bug', { error: messageOf(cause) });
      }),
    );
  }

  /** Asked of the newest row; or somebody has found it out meanwhile. */
  async #hasGoneBack({ newestLoaded }: ScopeState): Promise<boolean> {
    const parts = { ...this.#options, kind: this.kind, log: this.#log, signal: this.#ending.signal };
    const isAhead = newestLoaded !== null && (await isAheadOfItsObject(newestLoaded, parts));
    return isAhead || this.#wentBack;
  }

  /** Scope records for the next batch. They count the batch's own keys as not yet durable: a record may lag, never lead. */
  #records(): readonly ScopeRecord[] {
    const now = this.#options.clock.now();
    if (now - this.#recordedAt < RECORD_EVERY_MS) return [];
    this.#recordedAt = now;
    const wall = this.#options.clock.wall();
    const recordOf = (state: ScopeState): ScopeRecord => ({ ...state.record(this.id, this.#origin), heardAt: rowsAsOf(state, now, wall) });
    return this.cache.scopes.flatMap((state) => (state.isBehindRecord ? [] : [recordOf(state)]));
  }

  async #readPage(scope: Scope, query: ListQuery, signal: AbortSignal): Promise<string | null> {
    const { plan, cluster } = this.#options;
    const reader = new ListReader({
      kind: this.kind.kind,
      apiVersion: apiVersionOf(this.kind),
      onItem: (object) => this.#delivery.restore(object),
      onDamaged: () => {},
    });
    await cluster.list(this.kind, scope, { ...query, ...selectorsOf(plan) }, (chunk) => reader.push(chunk), signal);
    return reader.end().continue;
  }
}
