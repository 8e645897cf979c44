import type { Clock } from '../../kit/clock.ts';
import type { Random } from '../../kit/random.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Backlog, Change, Strategy } from '../strategy.ts';
import { Line } from './line.ts';

/** A write that failed goes to the end of the line after 0 to this long, evenly: as the partitioned design does with its keys. */
const RETRY_MS = 5_000;

/** One FIFO of snapshots and N consumers: the obvious way to make the first design faster, and wrong. */
export class Parallel implements Strategy {
  readonly name = 'parallel';
  readonly cannot = {
    order: 'parallel: two snapshots of one object are in two hands at once, and the later one may arrive first: stale rows, and deleted rows that come back',
    folding: 'parallel: every change is a snapshot of its own in the line, and all of them are written',
    'bounded backlog': 'parallel: the line holds a snapshot of each change that is not written',
  };
  readonly consumers: number;
  readonly discarded = 0;
  readonly #line: Line;
  readonly #clock: Clock;
  readonly #random: Random;
  /** Snapshots that failed and wait, each with what cancels its waiting. */
  readonly #waiting = new Map<Change, () => void>();
  #waitingBytes = 0;

  constructor({
    storage,
    clock,
    random,
    consumers,
  }: { readonly storage: Storage; readonly clock: Clock; readonly random: Random; readonly consumers: number }) {
    this.consumers = consumers;
    this.#clock = clock;
    this.#random = random;
    this.#line = new Line({ storage, consumers, onFailed: (change) => this.#putOff(change) });
  }

  get backlog(): Backlog {
    const { length, underWay, bytes } = this.#line;
    return { items: length + underWay + this.#waiting.size, bytes: bytes + this.#waitingBytes };
  }

  offer(change: Change): void {
    this.#line.push(change);
  }

  async stop(): Promise<void> {
    for (const cancel of this.#waiting.values()) cancel();
    this.#waiting.clear();
    this.#waitingBytes = 0;
    await this.#line.stop();
  }

  #putOff(change: Change): 'taken' {
    const cancel = this.#clock.after(RETRY_MS * this.#random.next(), () => {
      this.#waiting.delete(change);
      this.#waitingBytes -= change.bytes;
      this.#line.push(change);
    });
    this.#waiting.set(change, cancel);
    this.#waitingBytes += change.bytes;
    return 'taken';
  }
}
