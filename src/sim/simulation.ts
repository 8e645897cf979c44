import { seededRandom } from '../kit/random.ts';
import { nameOf, namespaceOf, objectKey } from '../model/key.ts';
import type { KindId } from '../model/kind.ts';
import type { Writer } from '../storage/storage.ts';
import { VirtualClock } from './clock.ts';
import { CLUSTER_NAME, Database } from './database.ts';
import { Draw } from './draw.ts';
import { KINDS, type SimKind } from './kinds.ts';
import { Ledger, type Wanted } from './ledger.ts';
import { EXCLUDED_NAMESPACE, type Plan, type Step } from './plan.ts';
import { Operator } from './operator.ts';
import { Process } from './process.ts';
import { Replicas } from './replicas.ts';
import { SimServer } from './server.ts';
import { Trace } from './trace.ts';
import { Truth } from './truth.ts';
import { type ApiFault, type StorageFault, Weather } from './weather.ts';

/** When the faults are over, everything is to be right within this: the longest silence a watch is granted, and the backoffs behind it. */
const QUIET_WITHIN_MS = 40 * 60_000;
const LOOK_EVERY_MS = 5_000;
/** Of lists that nothing but the mirror itself asks for. */
const MOST_LISTS = 2_000;
/** A mirror that asks the same again and again never comes to rest, and its run would not end. The busiest of 150 seeds of 1,000 mutations took 11,025. */
const MOST_TIMERS = 200_000;
/** How long a mirror on a finished copy is watched for writes that nobody needs. */
const IDLE_MS = 20_000;
const STOP_WITHIN_MS = 60_000;
const LARGE = 6_000;
/** Long enough for any process to come to its next step, and die before it. */
const DOWN_MS = 10_000;
/** How long storage is away at the end of some plans, and how soon afterwards everything must be right. */
const OUTAGE_MS = 600_000;
const RETURN_WITHIN_MS = 60_000;
/** The history guard looks once a minute, and a look may take a while. */
const OLDEST_LOOK_MS = 75_000;

export interface Result {
  readonly mutations: number;
  /** Rows that were put or deleted. */
  readonly writes: number;
  /** What went wrong first; null when nothing did. */
  readonly failure: string | null;
  /** Equal for two runs of one plan. */
  readonly digest: string;
  readonly virtualMs: number;
  /** Steps of the plan that were taken when it failed, or all. */
  readonly steps: number;
  readonly trace: readonly string[];
}

export async function simulate(plan: Plan, options: { readonly isRecording?: boolean } = {}): Promise<Result> {
  return await new Simulation(plan, options.isRecording ?? false).run();
}

class Simulation {
  readonly #plan: Plan;
  readonly #clock = new VirtualClock();
  readonly #trace: Trace;
  readonly #truth: Truth;
  readonly #ledger: Ledger;
  readonly #server: SimServer;
  readonly #database: Database;
  readonly #api: Weather<ApiFault>;
  readonly #storage: Weather<StorageFault>;
  readonly #operator: Operator;
  #wanted: Wanted = { excluded: null, isMasked: false };
  readonly #replicas: Replicas;
  #timers = 0;

  constructor(plan: Plan, isRecording: boolean) {
    this.#plan = plan;
    const clock = this.#clock;
    const drawOf = (purpose: number): Draw => new Draw(seededRandom(Math.imul(plan.seed + 1, 0x85ebca6b) ^ purpose));
    this.#trace = new Trace({ now: () => clock.nowMs, isRecording });
    this.#truth = new Truth((event) => {
      const { type, state } = event;
      this.#trace.note(type, state.revision, state.serial, () => `${state.kind.id} ${state.key} ${state.uid}@${state.revision}`);
      this.#ledger.changed(event);
      this.#server.happened(event);
    });
    this.#ledger = new Ledger(this.#truth, () => clock.nowMs);
    this.#api = new Weather(drawOf(1));
    this.#storage = new Weather(drawOf(2));
    this.#server = new SimServer({
      clock,
      draw: drawOf(3),
      truth: this.#truth,
      weather: this.#api,
      isRemembered: (state) => this.#ledger.isRemembered(state),
      onListed: (kind, was) => this.#ledger.listed(kind, was),
    });
    this.#database = new Database({ clock, draw: drawOf(4), weather: this.#storage, ledger: this.#ledger, trace: this.#trace, batchLimit: plan.batchLimit });
    this.#replicas = new Replicas({ clock, trace: this.#trace, create: (...about) => this.#create(...about) });
    this.#operator = new Operator({
      process: () => this.#process,
      isGone: (kind, key) => this.#ledger.isGone(kind, key, this.#wanted),
      fail: (message) => this.#ledger.fail(message),
    });
  }

  async run(): Promise<Result> {
    let steps = 0;
    this.#replicas.begin();
    for (const step of this.#plan.steps) {
      if (this.#isBroken()) break;
      steps++;
      await this.#take(step);
    }
    if (!this.#isBroken()) await this.#settle();
    this.#replicas.end();
    return {
      mutations: this.#truth.mutations,
      writes: this.#ledger.changedRows,
      failure: this.#ledger.violation,
      digest: this.#trace.digest,
      virtualMs: this.#clock.nowMs,
      steps,
      trace: this.#trace.lines ?? [],
    };
  }

  /** The one that writes. */
  get #process(): Process | null {
    return this.#replicas.leader;
  }

  /** Asked before every timer. */
  readonly #isBroken = (): boolean => {
    if (++this.#timers === MOST_TIMERS) this.#ledger.fail(`12: it does not come to rest: ${MOST_TIMERS} timers in ${this.#clock.nowMs} ms`);
    return this.#ledger.violation !== null;
  };

  async #pass(ms: number): Promise<void> {
    await this.#clock.advance(ms, this.#isBroken);
  }

  #create(number: number, writer: Writer | null, onEnd: (process: Process) => void): Process {
    const parts = { plan: this.#plan, clock: this.#clock, server: this.#server, database: this.#database, trace: this.#trace, truth: this.#truth, onEnd };
    const random = seededRandom(Math.imul(this.#plan.seed + 1, 0xc2b2ae35) + number);
    return new Process({ ...parts, random, onBug: (message) => this.#ledger.fail(message) }, this.#wanted, writer);
  }

  async #take(step: Step): Promise<void> {
    if (step.do !== 'pass') this.#trace.note('step', step.do.length, 0, () => JSON.stringify(step));
    switch (step.do) {
      case 'put':
        return this.#put(step, step.how);
      case 'hot':
        for (let change = 0; change < step.changes; change++) this.#put(step, 'plain');
        return;
      case 'remove':
        return this.#truth.remove(kindOf(step.kind), objectKey(step.namespace, step.name));
      case 'replace':
        this.#truth.remove(kindOf(step.kind), objectKey(step.namespace, step.name));
        return this.#put(step, 'plain');
      case 'pass':
        return await this.#pass(step.ms);
      case 'api':
        return this.#api.begin({ ...step, isOnce: step.times === 1, untilMs: this.#clock.nowMs + step.ms });
      case 'storage':
        return this.#storage.begin({ ...step, untilMs: this.#clock.nowMs + step.ms });
      case 'watches':
        return this.#befall(step);
      case 'compact':
        return this.#truth.compact(kindOf(step.kind));
      case 'tokens':
        return this.#server.expireTokens();
      case 'backUp':
        return this.#truth.backUp();
      case 'restore':
        // A back-up is older than the last look at the history, as in life, where looks succeed now and then.
        this.#api.clear();
        await this.#pass(OLDEST_LOOK_MS);
        return this.#restore(step.cuts);
      case 'wipe':
        if (step.ahead) await this.#crash();
        this.#truth.wipe(step.ahead);
        return this.#historyChanged(step.cuts);
      case 'crash':
        this.#replicas.downMs = step.downMs;
        return this.#process?.dieAfter(step.steps);
      case 'freeze':
        this.#replicas.downMs = step.downMs;
        return this.#process?.freezeAfter(step.steps);
      case 'standby':
        return this.#replicas.standBy();
      case 'stop':
        this.#replicas.downMs = step.downMs;
        return this.#process?.stop(step.graceMs);
      case 'operator':
        return this.#decide(step.afterMs);
      case 'rules':
        this.#ledger.rulesChange(EXCLUDED_NAMESPACE);
        return this.#want({ ...this.#wanted, excluded: step.excludes ? EXCLUDED_NAMESPACE : null });
      case 'mask':
        return this.#want({ ...this.#wanted, isMasked: step.masks });
      default:
        step satisfies never;
    }
  }

  #put(
    { kind, namespace, name }: { readonly kind: KindId; readonly namespace: string; readonly name: string },
    how: 'plain' | 'quiet' | 'poison' | 'large',
  ): void {
    this.#truth.put(kindOf(kind), namespace, name, { isQuiet: how === 'quiet', isPoison: how === 'poison', pad: how === 'large' ? LARGE : 20 });
  }

  #want(wanted: Wanted): void {
    this.#wanted = wanted;
    this.#replicas.apply(wanted);
  }

  /** Looks at what is held, and decides a while later. */
  #decide(afterMs: number): void {
    const shown = this.#operator.look();
    if (shown.length > 0) this.#clock.after(afterMs, () => this.#operator.confirm(shown));
  }

  async #crash(): Promise<void> {
    this.#replicas.downMs = DOWN_MS;
    this.#replicas.dieAfter(0);
    const end = this.#clock.nowMs + DOWN_MS;
    while ((this.#process !== null || this.#replicas.standby !== null) && this.#clock.nowMs < end) await this.#pass(100);
  }

  #restore(cuts: boolean): void {
    if (this.#truth.restore()) this.#historyChanged(cuts);
  }

  #historyChanged(cuts: boolean): void {
    this.#ledger.historyChanged();
    this.#server.historyChanged(cuts);
    this.#database.historyChanged();
  }

  #befall({ fault, kind }: Extract<Step, { do: 'watches' }>): void {
    this.#server.streams(kind, (stream) => {
      switch (fault) {
        case 'cut':
          return stream.break();
        case 'end':
          return stream.endsAfterThis('clean');
        case 'hole':
          return stream.silence();
        case 'stall':
          return stream.stall(30_000);
        case 'expire':
          return stream.expire();
        case 'rewind':
          return stream.rewind();
        case 'loseDelete':
          return stream.loseDelete();
        case 'bookmark':
          return stream.bookmark();
      }
    });
  }

  /** The faults are over: from here on everything must become right, and stay so. */
  async #settle(): Promise<void> {
    this.#trace.note('faults over', 0, 0);
    this.#api.clear();
    this.#storage.clear();
    this.#replicas.spare();
    if (this.#plan.heals) this.#heal();
    const end = this.#clock.nowMs + QUIET_WITHIN_MS;
    const { lists } = this.#server;
    while (!(this.#isQuiet() && (await this.#wronglyParked()) === null) && this.#clock.nowMs < end && !this.#isBroken()) {
      await this.#pass(LOOK_EVERY_MS);
      this.#operator.confirm(this.#operator.look());
      if (this.#server.lists - lists > MOST_LISTS) this.#ledger.fail('12: when the faults are over the mirror lists without end');
      for (const kind of this.#ledger.misled) this.#server.streams(kind, (stream) => stream.expire());
    }
    if (this.#isBroken()) return;
    if (!this.#isQuiet()) {
      const kinds = this.#process?.mirror.status().kinds.map(({ id, state, complete, unsettled }) => ({ id, state, complete, unsettled }));
      return this.#ledger.fail(
        `9: not at rest ${QUIET_WITHIN_MS / 60_000} minutes after the last fault: ${this.#differences().join('; ') || 'no difference'}; ${JSON.stringify(kinds)}`,
      );
    }
    if (this.#plan.outage !== null) await this.#outlast(this.#plan.outage);
    if (!this.#isBroken()) await this.#checkEngine();
    if (!this.#isBroken()) await this.#checkRestart();
  }

  /** Invariant 15: storage is away for ten minutes under load, everything else is well. */
  async #outlast(load: readonly Step[]): Promise<void> {
    this.#trace.note('outage', load.length, 0);
    const end = this.#clock.nowMs + OUTAGE_MS;
    this.#storage.begin({ fault: 'down', kind: null, share: 1, untilMs: end });
    for (const step of load) {
      await this.#take(step);
      await this.#pass(OUTAGE_MS / load.length);
      const { pendingBytes } = this.#process?.mirror.status() ?? { pendingBytes: 0 };
      if (pendingBytes > this.#plan.pendingBytes) this.#ledger.fail(`15: ${pendingBytes} bytes wait for storage, and ${this.#plan.pendingBytes} may`);
      if (this.#isBroken()) return;
    }
    if (this.#clock.nowMs < end) await this.#pass(end - this.#clock.nowMs);
    while (!this.#isQuiet() && this.#clock.nowMs < end + RETURN_WITHIN_MS && !this.#isBroken()) await this.#pass(1_000);
    if (!this.#isQuiet())
      this.#ledger.fail(`15: not right ${RETURN_WITHIN_MS / 1000} s after storage was back: ${this.#differences().join('; ') || 'not at rest'}`);
  }

  #heal(): void {
    for (const line of this.#ledger.poisoned({ excluded: null, isMasked: false })) {
      const [kind = '', key = ''] = line.split(' ');
      this.#put({ kind, namespace: namespaceOf(key as never), name: nameOf(key as never) }, 'plain');
    }
  }

  #isQuiet(): boolean {
    return this.#process?.isQuiet() === true && this.#ledger.differences(this.#wanted).length === 0;
  }

  #differences(): readonly string[] {
    return this.#ledger.differences(this.#wanted);
  }

  /** The engine's own word, and what it says of refused rows. */
  async #checkEngine(): Promise<void> {
    const { engine } = this.#database;
    for (const kind of KINDS) {
      const rows = await engine.list({ cluster: CLUSTER_NAME, kind: kind.id, limit: 1_000_000 });
      const found = rows.map(({ key, uid, revision }) => `${key} ${uid} ${revision}`).sort();
      if (String(found) !== String(this.#ledger.rowsOf(kind))) this.#ledger.fail(`9: storage holds other rows of ${kind.id} than it said it wrote`);
    }
    const wrong = await this.#wronglyParked();
    if (wrong !== null) this.#ledger.fail(`10: ${wrong}`);
  }

  /** What is parked and should not be, or the other way round; null when it is right. */
  async #wronglyParked(): Promise<string | null> {
    const parked = (await this.#database.engine.parked()).map(({ kind, key, uid, revision }) => `${kind} ${key} ${uid} ${revision}`).sort();
    const poisoned = this.#ledger.poisoned(this.#wanted);
    return String(parked) === String(poisoned) ? null : `parked are [${parked.join(', ')}], but storage refuses [${poisoned.join(', ')}]`;
  }

  /** An orderly end leaves nothing behind; a start on what it left writes nothing, and whoever stood by comes to rest on it. */
  async #checkRestart(): Promise<void> {
    const process = this.#process;
    if (process === null) return;
    this.#replicas.downMs = 1_000;
    process.stop(25_000);
    const end = this.#clock.nowMs + STOP_WITHIN_MS;
    while (!process.hasEnded && this.#clock.nowMs < end && !this.#isBroken()) await this.#pass(100);
    if (!process.hasEnded) return this.#ledger.fail('11: the mirror did not end when asked to');
    if (process.timers > 0) this.#ledger.fail(`11: the mirror ended and left ${process.timers} timers`);
    if (this.#replicas.standby !== null) return await this.#checkTakeover();
    // A change and its opposite may still be on their way in a stream that is silent: what nobody has heard of cannot be told from news.
    const records = await this.#database.engine.scopes(CLUSTER_NAME);
    const isCaughtUp = KINDS.every(({ id }) => {
      const newest = this.#truth.kinds.get(id)?.log.at(-1)?.state.revision ?? 0;
      return records.every(({ kind, watermark }) => kind !== id || Number(watermark ?? newest) >= newest);
    });
    // Of what a rule ignores nobody remembers the rest over a restart, so a first heartbeat is written.
    const before = this.#ledger.changedLoudly;
    await this.#pass(IDLE_MS);
    if (!this.#isQuiet()) await this.#pass(IDLE_MS);
    if (!this.#isQuiet()) this.#ledger.fail(`11: a start on a finished copy is not at rest: ${this.#differences().join('; ')}`);
    if (isCaughtUp && this.#ledger.changedLoudly > before)
      this.#ledger.fail(`11: a start on a finished copy wrote ${this.#ledger.changedLoudly - before} rows`);
  }

  async #checkTakeover(): Promise<void> {
    const end = this.#clock.nowMs + QUIET_WITHIN_MS;
    while (!this.#isQuiet() && this.#clock.nowMs < end && !this.#isBroken()) {
      await this.#pass(LOOK_EVERY_MS);
      this.#operator.confirm(this.#operator.look());
    }
    if (!this.#isQuiet()) this.#ledger.fail(`11: whoever took over a finished copy is not at rest: ${this.#differences().join('; ')}`);
  }
}

function kindOf(id: KindId): SimKind {
  const found = KINDS.find((kind) => kind.id === id);
  if (found === undefined) throw new Error(`Cannot simulate ${id}: src/sim/kinds.ts has no such kind`);
  return found;
}
