import type { Clock } from '../../kit/clock.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Backlog, Change, Strategy } from '../strategy.ts';
import { Line } from './line.ts';

/** How long a write that failed waits before it is tried again, with everything behind it. */
const RETRY_MS = 1_000;

/** One FIFO of snapshots and one consumer: the first design, and the plainest. A write that fails is tried until it succeeds, or order would be lost. */
export class Serial implements Strategy {
  readonly name = 'serial';
  readonly cannot = {
    folding: 'serial: every change is a snapshot of its own in the line, and all of them are written',
    'bounded backlog': 'serial: the line holds a snapshot of each change that is not written',
    independence: 'serial: there is one consumer, and everything waits for the write that it is making',
  };
  readonly consumers = 1;
  readonly discarded = 0;
  readonly #line: Line;
  readonly #stopping = new AbortController();

  constructor({ storage, clock }: { readonly storage: Storage; readonly clock: Clock }) {
    this.#line = new Line({
      storage,
      consumers: 1,
      onFailed: async (): Promise<'again'> => {
        await clock.sleep(RETRY_MS, this.#stopping.signal);
        return 'again';
      },
    });
  }

  get backlog(): Backlog {
    return { items: this.#line.length + this.#line.underWay, bytes: this.#line.bytes };
  }

  offer(change: Change): void {
    this.#line.push(change);
  }

  async stop(): Promise<void> {
    const stopped = this.#line.stop();
    this.#stopping.abort();
    await stopped;
  }
}
