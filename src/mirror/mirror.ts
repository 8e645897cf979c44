import { Auditor } from '../audit/auditor.ts';
import { BODIES_SHARE, SlabPool } from '../cache/body-pool.ts';
import type { Discovery } from '../cluster/cluster.ts';
import { readSecretKey } from '../config/secret-key.ts';
import type { KindPlan } from '../config/plan.ts';
import type { Config } from '../config/schema.ts';
import { Alarm } from '../kit/alarm.ts';
import { Semaphore } from '../kit/semaphore.ts';
import { untilAborted } from '../kit/within.ts';
import { messageOf } from '../model/errors.ts';
import type { KindId } from '../model/kind.ts';
import { StorageGate } from '../worker/gate.ts';
import { MirrorControl } from './control.ts';
import { DISCOVER_AFTER_CHANGE_MS, DISCOVER_EVERY_MS, Discovered, TELL_KINDS } from './discovered.ts';
import { unclaimedRule } from './fence.ts';
import { keepFlushing } from './flushing.ts';
import { HistoryGuard } from './history-guard.ts';
import { KindMirror } from './kind-mirror.ts';
import { isComplete, kindGauges, kindStatus } from './kind-status.ts';
import { type KindGauges, Metrics } from './metrics.ts';
import { showMirror } from './mirror-metrics.ts';
import type { Control } from '../model/control.ts';
import type { MirrorStatus } from '../model/status.ts';
import type { MirrorOptions } from './mirror-options.ts';
import { Moves } from './moves.ts';
import { persistently } from './persistently.ts';
import { planAll, reconcile, retiredPlan } from './reconcile.ts';
import { sharded, type ShardedOptions } from './sharding.ts';
import { Tenure } from './tenure.ts';
import type { WorkloadCounts } from './workload-counts.ts';
import { Workloads } from './workloads.ts';

const RECONCILE_RETRY_MS = 5_000;

type Running = { readonly mirror: KindMirror; readonly plan: KindPlan };

/** All kinds of one cluster: follows discovery and the configuration, and keeps one KindMirror per kind that rules ask for. */
export class Mirror {
  readonly metrics: Metrics;
  readonly control: Control;
  readonly #options: ShardedOptions;
  readonly #pool: SlabPool;
  readonly #gate: StorageGate;
  readonly #guard: HistoryGuard;
  readonly #auditor: Auditor;
  readonly #workloads: Workloads;
  readonly #tenure: Tenure;
  /** When discovery is to be asked again. */
  readonly #alarm: Alarm;
  readonly #discovered: Discovered;
  readonly #kinds = new Map<KindId, Running>();
  /** Kinds that nobody asks for any more, and whose rows stay until somebody confirms that they may go. */
  readonly #leaving = new Map<KindId, KindMirror>();
  readonly #moves = new Moves({ onFailure: (cause) => this.#failedToReconcile(cause, this.#hurry), onChance: () => this.#planAgain() });
  /** One kind after the other loads its rows, however many rules have changed. */
  readonly #starting = new Semaphore(1);
  /** Kinds that discovery did not show the last time; the second time in a row they are gone. */
  #missing: ReadonlySet<KindId> = new Set();
  /** The discovery that the last reconciliation went by. */
  #judged: Discovery | null = null;
  #config: Config;
  /** What runs is to be compared with the rules once more, by the discovery that is known. */
  #isPlanOld = false;
  #left: readonly { readonly id: KindId; readonly why: string }[] = [];
  #warnings: readonly string[] = [];
  /** Known once the API server was reached. */
  #secretKey = new Uint8Array();
  /** Why kinds that rules ask for are not started; null when all are. The error is null before anything was tried. */
  #unreconciled: { readonly error: string | null } | null = { error: null };
  #phase: 'connecting' | 'running' | 'stopping' = 'connecting';
  /** Aborts when the end of the mirror must not wait any longer, whatever is being stopped or removed just then. Set by run(). */
  #hurry = new AbortController().signal;

  constructor(given: MirrorOptions) {
    const options = sharded(given, (kind) => TELL_KINDS.has(kind) || this.#workloads.needsAll(kind));
    this.#options = options;
    this.#config = options.config;
    this.#tenure = options.tenure ?? new Tenure('leading');
    this.#alarm = new Alarm(options.clock);
    this.#discovered = new Discovered({ ...options, askAgain: (delayMs) => this.#askAgain([delayMs]) });
    this.#guard = new HistoryGuard({
      ...options,
      delivered: () => this.#kinds.get('namespaces')?.mirror.cache.scopes[0]?.progress ?? null,
      onBroken: () => {
        for (const { mirror } of this.#kinds.values()) mirror.relist(this.#guard.seen.identity);
        return this.#kinds.keys();
      },
    });
    this.#pool = options.shared?.pool ?? new SlabPool(options.config.cache.pendingBytes * BODIES_SHARE);
    this.#gate = new StorageGate(options);
    // Owners may be of any shard.
    this.#workloads = new Workloads(given);
    this.control = new MirrorControl({ ...options, mirrors: () => this.#mirrors() });
    this.metrics = options.shared?.metrics ?? new Metrics({ kinds: () => this.gauges(), pendingBytes: () => this.#pool.usedBytes });
    this.#auditor = new Auditor({
      ...options,
      reader: options.reader ?? { why: 'no reader of the copy was given' },
      everySeconds: options.config.audit.everySeconds,
      isHurried: () => [...this.#kinds.values()].some(({ mirror }) => mirror.hasResumed),
      kinds: () => [...this.#kinds.values()].map(({ mirror }) => mirror.audited(() => mirror.relist(this.#guard.seen.identity))),
      secretKey: () => this.#secretKey,
      countsOf: (id) => this.metrics.forKind(id),
    });
    if (options.shared === undefined) showMirror(this.metrics, { status: () => this.status(), workloads: () => this.workloads, clock: options.clock });
  }

  /** Mirrors until `signal` aborts, then writes what is dirty until `hurry` aborts. Storage must be open as soon as this process leads. */
  async run(signal: AbortSignal, hurry: AbortSignal): Promise<void> {
    this.#hurry = hurry;
    // Ends the loops beside this one also when it ends by an error.
    const ended = new AbortController();
    const running = AbortSignal.any([signal, ended.signal]);
    const leaving = (): ReadonlySet<KindMirror> => new Set(this.#leaving.values());
    const flushing = keepFlushing({ ...this.#options, all: () => this.#mirrors(), leaving }, () => this.#askAgain([0]), running);
    let guarding = Promise.resolve();
    let auditing = Promise.resolve();
    try {
      await this.#connect(signal);
      guarding = this.#guard.run(running);
      if (!this.#tenure.isLeading) await this.#tenure.decided(signal);
      auditing = this.#lead(running);
      while (!signal.aborted) {
        await this.#reconcile(signal).catch((cause: unknown) => this.#failedToReconcile(cause, signal));
        if (this.#phase === 'connecting') this.#phase = 'running';
        await this.#alarm.wait(DISCOVER_EVERY_MS, signal);
        if (signal.aborted) break;
        // Discovery may take long, and new rules do not wait for it.
        if (this.#isPlanOld) this.#askAgain([0]);
        else await this.#discovered.again(signal);
      }
    } catch (cause) {
      if (!signal.aborted) throw cause;
    } finally {
      this.#phase = 'stopping';
      ended.abort();
      await auditing;
      await untilAborted(this.#moves.ended(), hurry);
      await Promise.all(this.#mirrors().map((mirror) => mirror.stop(hurry)));
      this.#kinds.clear();
      this.#leaving.clear();
      // A flush may wait for storage, too.
      await untilAborted(flushing, hurry);
      await guarding;
    }
  }

  /** Takes a new configuration: workers and limits at once, rules by starting and stopping kinds. */
  apply(config: Config): void {
    this.#config = config;
    this.#auditor.retune(config.audit.everySeconds);
    const { wanted } = planAll(this.#discovered.current.kinds, config);
    for (const [id, { mirror, plan }] of this.#kinds) mirror.retune(wanted.get(id) ?? plan);
    this.#discovered.interrupt();
    this.#planAgain();
  }

  /** Whether every kind that rules ask for is complete and durable, except what is parked. Cheap enough to be asked many times a second. */
  isReady(): boolean {
    return this.#tenure.isLeading && this.isWarm();
  }

  /** The same of a process that stands by: whether every object is known. */
  isWarm(): boolean {
    return (
      this.#phase === 'running' &&
      this.#unreconciled === null &&
      !this.#moves.isFollowing &&
      [...this.#kinds.values()].every(({ mirror }) => isComplete(mirror))
    );
  }

  get workloads(): WorkloadCounts {
    return this.#workloads.counts;
  }

  gauges(): readonly KindGauges[] {
    return this.#mirrors().map((mirror) => kindGauges(mirror, this.#options.clock));
  }

  status(): MirrorStatus {
    const { cluster, clock, configuration } = this.#options;
    return {
      cluster: this.#options.clusterName,
      configuration: configuration?.status,
      address: cluster.address,
      phase: this.#phase === 'running' ? (this.isWarm() ? (this.#tenure.isLeading ? 'live' : 'standby') : 'syncing') : this.#phase,
      error: this.#discovered.error ?? this.#unreconciled?.error ?? null,
      isRefused: this.#discovered.isRefused,
      kinds: this.#mirrors().map((mirror) => kindStatus(mirror, clock)),
      left: this.#left,
      broken: this.#discovered.current.broken,
      warnings: [...(configuration?.warnings ?? []), ...this.#warnings],
      pendingBytes: this.#pool.usedBytes,
      storage: this.#gate.status(),
      audit: this.#auditor.status(),
      shard: this.#options.sharding?.status(),
    };
  }

  /** What only the process does that writes, from when it does. */
  async #lead(signal: AbortSignal): Promise<void> {
    if (!this.#tenure.isLeading) await this.#tenure.begun(signal).then(() => this.#askAgain([0]));
    await Promise.all([this.#auditor.run(signal), this.#workloads.run(signal)]);
  }

  async #connect(signal: AbortSignal): Promise<void> {
    const onFailure = (cause: unknown): string => this.#discovered.failed(cause);
    await persistently({ ...this.#options, address: this.#options.cluster.address, onFailure }, signal, async () => {
      await this.#discovered.ask(signal);
      await this.#guard.begin(signal);
      this.#secretKey = Uint8Array.from(await readSecretKey(this.#config, async () => this.#guard.seen.identity));
    });
  }

  /** Storage could not be read, or the like: what runs goes on, and what is missing is started when it can be. */
  #failedToReconcile(cause: unknown, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#unreconciled = { error: messageOf(cause) };
    this.#options.log.error('cannot start or stop every kind that rules ask for, will retry', this.#unreconciled);
    this.#askAgain([RECONCILE_RETRY_MS]);
  }

  /** Makes what runs equal to what discovery and rules ask for. */
  async #reconcile(signal: AbortSignal): Promise<void> {
    const before = this.#unreconciled;
    const isFree = (id: KindId): boolean => !this.#moves.has(id);
    this.#isPlanOld = false;
    // Goes on from what was seen while another process wrote. That one may have noticed a moment ago that the history of the cluster went back.
    if (this.#tenure.isLeading) {
      const isSure = [...this.#kinds.values()].some(({ mirror }) => mirror.isStandby) && (await this.#guard.check(signal));
      for (const { mirror, plan } of [...this.#kinds.values()]) if (isFree(plan.id) && !(await mirror.takeOver(isSure))) await this.#restart(plan);
    }
    for (const [id, mirror] of this.#leaving) if (mirror.cache.held === 0 && isFree(id)) this.#moves.begin(id, 'leave', (cut) => this.#finish(id, mirror, cut));
    const stored = this.#tenure.isLeading ? await this.#options.storage.kinds() : [];
    // Nothing is waited for from here until all is begun: what is under way may end at any time.
    const { wanted, left, warnings } = planAll(this.#discovered.current.kinds, this.#config);
    this.#workloads.plan(this.#discovered.current.kinds, wanted.values());
    this.#left = left;
    this.#warnings = warnings;
    for (const id of wanted.keys()) this.#moves.isWanted(id);
    const done = reconcile({
      running: new Map([...this.#kinds].filter(([id]) => isFree(id)).map(([id, running]) => [id, running.plan])),
      wanted: new Map([...wanted].filter(([id]) => isFree(id))),
      left: new Set(left.map(({ id }) => id)),
      broken: this.#discovered.current.broken.map(({ groupVersion }) => groupVersion),
      stored: stored.filter((id) => !this.#leaving.has(id) && isFree(id)),
      // When discovery has failed the answer is the one from before, and proves no second absence.
      missing: this.#discovered.current === this.#judged ? new Set() : this.#missing,
    });
    this.#judged = this.#discovered.current;
    this.#missing = done.missing;
    if (done.missing.size > 0) this.#askAgain([2_000]);
    for (const id of done.retire) this.#moves.begin(id, 'leave', (cut) => this.#retire(id, cut));
    for (const plan of done.restart) this.#moves.begin(plan.id, 'follow', () => this.#restart(plan));
    // At the start it holds nothing up, and a run that ends by itself must not end before the rows are gone.
    if (this.#phase === 'connecting') await this.#moves.ended();
    if (this.#unreconciled !== before) return;
    for (const plan of done.retune) this.#kinds.get(plan.id)?.mirror.retune(plan);
    for (const plan of done.start) {
      if (signal.aborted) return;
      await this.#start(plan);
    }
    this.#unreconciled = null;
  }

  async #start(plan: KindPlan): Promise<void> {
    if (this.#phase === 'stopping') return;
    // It is back: what its rows are is for a list to say.
    await this.#leaving.get(plan.id)?.stop(this.#hurry, { cut: AbortSignal.abort() });
    this.#leaving.delete(plan.id);
    const mirror = this.#create(plan);
    await mirror.start();
    this.#kinds.set(plan.id, { mirror, plan });
    if (this.#guard.isNewsTo(plan.id)) mirror.relist(this.#guard.seen.identity);
  }

  #create(plan: KindPlan): KindMirror {
    // What was stopped in a hurry may have writes under way still: their keys must not be in the hands of a successor.
    this.#hurry.throwIfAborted();
    const { cluster, sharding, storage, clock, random, log } = this.#options;
    return new KindMirror({
      plan,
      cluster,
      sharding,
      storage,
      gate: this.#gate,
      tenure: this.#tenure,
      pool: this.#pool,
      secretKey: this.#secretKey,
      history: this.#guard.seen,
      fence: () => (!plan.mirror && storage.isUnclaimed?.(plan.id) === true ? unclaimedRule(this.#config.fence) : this.#config.fence),
      clock,
      random,
      log,
      metrics: this.metrics.forKind(plan.id),
      firstList: this.#config.reflector.firstList,
      listsFirst: this.#options.listsFirst,
      workloads: this.#workloads,
      // What one kind hears of the API server is news to all that wait for it.
      onReconnect: () => {
        this.#guard.reconnected();
        for (const mirror of this.#mirrors()) mirror.reached();
      },
      ...(TELL_KINDS.has(plan.id) ? { onChange: () => this.#askAgain(DISCOVER_AFTER_CHANGE_MS) } : {}),
    });
  }

  async #restart(plan: KindPlan): Promise<void> {
    this.#options.log.info('a kind is started anew', { kind: plan.id, version: plan.kind.version });
    await this.#kinds.get(plan.id)?.mirror.stop(this.#hurry, { puts: 'leave' });
    this.#kinds.delete(plan.id);
    await this.#starting.run(() => this.#start(plan));
  }

  /** Stops a kind and removes its rows, once they may go. */
  async #retire(id: KindId, cut: AbortSignal): Promise<void> {
    this.#options.log.info('removing the rows of a kind that is not mirrored any more', { kind: id });
    await this.#kinds.get(id)?.mirror.stop(this.#hurry, { puts: 'leave', cut });
    this.#kinds.delete(id);
    if (cut.aborted || this.#phase === 'stopping') return;
    const mirror = this.#create(retiredPlan(id));
    await mirror.start();
    this.#leaving.set(id, mirror);
    if (mirror.cache.held === 0) await this.#finish(id, mirror, cut);
  }

  async #finish(id: KindId, mirror: KindMirror, cut: AbortSignal): Promise<void> {
    try {
      await mirror.stop(this.#hurry, { cut });
      await mirror.retire();
    } finally {
      this.#leaving.delete(id);
    }
  }

  /** Every kind of which there are rows, those that leave included. */
  #mirrors(): KindMirror[] {
    return [...[...this.#kinds.values()].map(({ mirror }) => mirror), ...this.#leaving.values()];
  }

  /** What runs may not be what rules ask for; discovery has nothing to do with it. */
  #planAgain(): void {
    this.#isPlanOld = true;
    this.#askAgain([0]);
  }

  #askAgain(delaysMs: readonly number[]): void {
    for (const delayMs of delaysMs) this.#alarm.set(delayMs);
  }
}
