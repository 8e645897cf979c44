import { messageOf } from '../../model/errors.ts';
import type { Outcome } from '../../model/outcome.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Change } from '../strategy.ts';
import { Fifo } from './fifo.ts';

/** What becomes of a change whose write failed: somebody else has it now, or its consumer is to try again. */
export type OnFailed = (change: Change) => 'taken' | Promise<'again'>;

/** A line of snapshots and the consumers before it, each of which writes one at a time. */
export class Line {
  readonly #storage: Storage;
  readonly #consumers: number;
  readonly #onFailed: OnFailed;
  readonly #onRoom: () => void;
  readonly #waiting = new Fifo<Change>();
  readonly #running = new Set<Promise<void>>();
  #bytes = 0;
  #isOver = false;

  constructor(options: {
    readonly storage: Storage;
    readonly consumers: number;
    readonly onFailed: OnFailed;
    /** The line became shorter. */
    readonly onRoom?: (() => void) | undefined;
  }) {
    this.#storage = options.storage;
    this.#consumers = options.consumers;
    this.#onFailed = options.onFailed;
    this.#onRoom = options.onRoom ?? ((): void => {});
  }

  /** Snapshots that no consumer has taken. */
  get length(): number {
    return this.#waiting.length;
  }

  get underWay(): number {
    return this.#running.size;
  }

  /** Of all snapshots here, also those under way. */
  get bytes(): number {
    return this.#bytes;
  }

  push(change: Change): void {
    if (this.#isOver) return;
    this.#waiting.push(change);
    this.#bytes += change.bytes;
    if (this.#running.size < this.#consumers) this.#start();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    this.#waiting.clear();
    await Promise.all(this.#running);
  }

  #start(): void {
    const run: Promise<void> = this.#consume().finally(() => {
      this.#running.delete(run);
      // Pushed while the last consumer was on its way out.
      if (this.#waiting.length > 0 && this.#running.size < this.#consumers) this.#start();
    });
    this.#running.add(run);
  }

  async #consume(): Promise<void> {
    for (let change = this.#waiting.shift(); change !== undefined; change = this.#waiting.shift()) {
      this.#onRoom();
      while (!isDone(await this.#write(change)) && !this.#isOver) if ((await this.#onFailed(change)) === 'taken') break;
      this.#bytes -= change.bytes;
    }
  }

  async #write({ write }: Change): Promise<Outcome> {
    try {
      const [outcome] = await this.#storage.write([write], []);
      return outcome ?? { kind: 'retry', error: 'storage settled nothing' };
    } catch (cause) {
      return { kind: 'retry', error: messageOf(cause) };
    }
  }
}

function isDone({ kind }: Outcome): boolean {
  return kind !== 'retry';
}
