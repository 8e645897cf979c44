import type { VirtualClock } from './clock.ts';
import type { Wanted } from './ledger.ts';
import type { Process } from './process.ts';
import type { Trace } from './trace.ts';
import type { Writer } from '../storage/storage.ts';

export interface ReplicasParts {
  readonly clock: VirtualClock;
  readonly trace: Trace;
  /** Makes the `number`th process; `writer` when it writes from the start, null stands by. */
  readonly create: (number: number, writer: Writer | null, onEnd: (process: Process) => void) => Process;
}

/** The process that leads, and the one that stands by when there is one; whoever ends is followed by the other, or by a new one. */
export class Replicas {
  readonly #parts: ReplicasParts;
  leader: Process | null = null;
  standby: Process | null = null;
  /** How long nobody leads when the leader is gone: until a new process begins, or the lease of the old one has run out. */
  downMs = 0;
  #processes = 0;
  #epochs = 0;
  #isOver = false;

  constructor(parts: ReplicasParts) {
    this.#parts = parts;
  }

  begin(): void {
    const { trace, create } = this.#parts;
    trace.note('start', ++this.#processes, 0);
    this.leader = create(this.#processes, this.#nextWriter(), this.#ended);
  }

  /** Another process begins to stand by, unless one does. */
  standBy(): void {
    if (this.standby !== null || this.#isOver) return;
    const { trace, create } = this.#parts;
    trace.note('stands by', ++this.#processes, 0);
    this.standby = create(this.#processes, null, this.#ended);
  }

  apply(wanted: Wanted): void {
    this.leader?.apply(wanted);
    this.standby?.apply(wanted);
  }

  /** Takes back what was announced to befall them. */
  spare(): void {
    this.leader?.spare();
    this.standby?.spare();
  }

  dieAfter(steps: number): void {
    this.leader?.dieAfter(steps);
    this.standby?.dieAfter(steps);
  }

  /** The end of the simulation: nobody follows. */
  end(): void {
    this.#isOver = true;
    this.dieAfter(0);
  }

  readonly #ended = (process: Process): void => {
    if (process === this.standby) {
      this.standby = null;
      return;
    }
    this.leader = null;
    this.#parts.clock.after(this.downMs, () => this.#succeed());
  };

  #succeed(): void {
    if (this.leader !== null || this.#isOver) return;
    if (this.standby === null) return this.begin();
    this.leader = this.standby;
    this.standby = null;
    const writer = this.#nextWriter();
    this.#parts.trace.note('leads', writer.epoch, 0);
    this.leader.lead(writer);
  }

  #nextWriter(): Writer {
    return { epoch: ++this.#epochs, holder: `process ${this.#processes}` };
  }
}
