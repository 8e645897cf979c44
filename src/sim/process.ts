import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { LogFields, Logger, RootLogger } from '../kit/log.ts';
import type { Random } from '../kit/random.ts';
import { messageOf } from '../model/errors.ts';
import { Mirror } from '../mirror/mirror.ts';
import { Tenure } from '../mirror/tenure.ts';
import type { Writer } from '../storage/storage.ts';
import { ProcessClock, type VirtualClock } from './clock.ts';
import { CLUSTER_NAME, type Connection, type Database } from './database.ts';
import { KINDS, MAPS, MASKED_PATH, WIDGETS } from './kinds.ts';
import type { Wanted } from './ledger.ts';
import { Life } from './life.ts';
import type { Plan } from './plan.ts';
import type { SimServer } from './server.ts';
import { FENCE, Told } from './told.ts';
import type { Trace } from './trace.ts';
import type { Truth } from './truth.ts';

export interface ProcessParts {
  readonly plan: Plan;
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly server: SimServer;
  readonly database: Database;
  readonly trace: Trace;
  readonly truth: Truth;
  readonly onBug: (message: string) => void;
  /** It has ended, in order or not. */
  readonly onEnd: (process: Process) => void;
}

/** One kubefold: the real mirror on simulated handles, from its start to its death. */
export class Process {
  readonly mirror: Mirror;
  readonly told: Told;
  readonly #parts: ProcessParts;
  readonly #life: Life;
  readonly #clock: ProcessClock;
  readonly #connection: Connection;
  readonly #ending = new AbortController();
  readonly #hurry = new AbortController();
  readonly #tenure = new Tenure('undecided');
  #hasEnded = false;
  #isToFreeze = false;
  #cancelHurry: () => void = () => {};

  /** `writer` when it writes from the start; null stands by. */
  constructor(parts: ProcessParts, wanted: Wanted, writer: Writer | null) {
    this.#parts = parts;
    const { clock, random, server, database, trace, truth, onBug } = parts;
    this.told = new Told({ truth, fail: onBug, hasStoodBy: writer === null });
    this.#life = new Life(() => this.#died());
    this.#clock = new ProcessClock(clock, this.#life);
    this.#connection = database.connect(this.#life, this.told);
    this.mirror = new Mirror({
      clusterName: CLUSTER_NAME,
      cluster: server.connect(this.#life, this.told),
      storage: this.#connection,
      tenure: this.#tenure,
      config: configOf(parts.plan, wanted),
      clock: this.#clock,
      random,
      log: tracingLogger(trace, onBug),
      explain: messageOf,
    });
    if (writer === null) this.#tenure.standBy();
    else this.lead(writer);
    void this.#run();
  }

  /** From now on it writes, and nobody of a lower epoch does. */
  lead(writer: Writer): void {
    void this.#connection.open(writer);
    this.told.isLeading = true;
    this.#tenure.begin();
  }

  /** Whether it has nothing left to do, as far as it knows. */
  isQuiet(): boolean {
    return !this.#hasEnded && this.mirror.isReady() && this.mirror.status().kinds.every(({ unsettled }) => unsettled === 0);
  }

  get timers(): number {
    return this.#clock.pending;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  apply(wanted: Wanted): void {
    if (!this.#hasEnded) this.mirror.apply(configOf(this.#parts.plan, wanted));
  }

  dieAfter(steps: number): void {
    this.#life.dieAfter(steps);
  }

  /** As dieAfter(), but what it has handed in goes its way: storage does not know that nobody waits. */
  freezeAfter(steps: number): void {
    this.#isToFreeze = true;
    this.#life.dieAfter(steps);
  }

  spare(): void {
    this.#isToFreeze = false;
    this.#life.spare();
  }

  stop(graceMs: number): void {
    if (this.#ending.signal.aborted) return;
    this.#cancelHurry = this.#clock.after(graceMs, () => this.#hurry.abort());
    this.#ending.abort();
  }

  async #run(): Promise<void> {
    try {
      await this.mirror.run(this.#ending.signal, this.#hurry.signal);
      this.#cancelHurry();
      if (!this.#ending.signal.aborted) this.#parts.onBug('8: the mirror ended by itself');
    } catch (cause) {
      this.#parts.onBug(`8: the mirror ended by ${messageOf(cause)}`);
    }
    await this.#connection.close();
    if (this.#life.isDead) return;
    this.#hasEnded = true;
    this.#parts.trace.note('ended', 0, 0);
    this.#parts.onEnd(this);
  }

  #died(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#parts.trace.note(this.#isToFreeze ? 'frozen' : 'died', 0, 0);
    if (!this.#isToFreeze) this.#connection.died();
    this.#parts.onEnd(this);
  }
}

export function configOf(plan: Plan, { excluded, isMasked }: Wanted): Config {
  const resources = [
    ...(excluded === null ? [] : [{ kinds: [MAPS.id], namespaces: { exclude: [excluded] } }]),
    ...(isMasked ? [{ kinds: [WIDGETS.id], mask: [MASKED_PATH] }] : []),
  ];
  const text = JSON.stringify({
    kinds: KINDS.map(({ id }) => id),
    resources,
    workers: { default: plan.workers },
    cache: { pendingBytes: plan.pendingBytes },
    reflector: { firstList: plan.firstList },
    fence: FENCE,
    audit: { everySeconds: null },
  });
  return loadConfig({ text, file: 'simulated.yaml' });
}

/** What the pipeline calls a bug of its own is one. */
function tracingLogger(trace: Trace, onBug: (message: string) => void): RootLogger {
  const log = (level: string, message: string, fields: LogFields | undefined): void => {
    if (/\bbug\b/.test(message) && !JSON.stringify(fields ?? {}).includes('simulated')) onBug(`8: the mirror says: ${message} ${JSON.stringify(fields)}`);
    trace.tell('log', () => `${level} ${message} ${JSON.stringify(fields ?? {})}`);
  };
  const logger: Logger = {
    debug: (message, fields) => log('debug', message, fields),
    info: (message, fields) => log('info', message, fields),
    warn: (message, fields) => log('warn', message, fields),
    error: (message, fields) => log('error', message, fields),
    child: () => logger,
  };
  return { ...logger, setLevel() {} };
}
