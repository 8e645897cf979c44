import type { ChunkSink } from '../cluster/cluster.ts';
import type { VirtualClock } from './clock.ts';
import type { Draw } from './draw.ts';
import type { Life } from './life.ts';

/** The socket's own buffer: whoever keeps a chunk finds other bytes in it later. */
const SOCKET = Buffer.alloc(256 * 1024);
const GARBAGE = 0x21;

/** Told once the reader has had all bytes up to `end` of what is sent; not surely when it gave up somewhere in the piece that ended there or later. */
export interface Mark {
  readonly end: number;
  readonly told: (isSure: boolean) => void;
}

export interface Wire {
  readonly clock: VirtualClock;
  readonly draw: Draw;
}

/** One request of one process: settled once, by an answer, by the abort, or never when the process dies. */
export class Exchange<T> {
  readonly promise: Promise<T>;
  readonly #wire: Wire;
  readonly #life: Life;
  readonly #signal: AbortSignal;
  readonly #resolve: (value: T) => void;
  readonly #reject: (cause: unknown) => void;
  /** Called once, however it ends; also when nobody hears of it. */
  readonly #onClose: () => void;
  #isOpen = true;

  constructor(wire: Wire, life: Life, signal: AbortSignal, onClose: () => void = () => {}) {
    this.#wire = wire;
    this.#life = life;
    this.#signal = signal;
    this.#onClose = onClose;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    if (!life.step()) this.#close();
    else if (signal.aborted) this.fail(signal.reason);
    else signal.addEventListener('abort', this.#aborted, { once: true });
  }

  get isOpen(): boolean {
    return this.#isOpen && !this.#life.isDead;
  }

  after(ms: number, run: () => void): void {
    this.#wire.clock.after(ms, () => {
      if (this.#isOpen && this.#life.step()) run();
    });
  }

  succeed(value: T): void {
    if (!this.#isOpen) return;
    this.#close();
    if (this.#life.step()) this.#resolve(value);
  }

  fail(cause: unknown): void {
    if (!this.#isOpen) return;
    this.#close();
    if (this.#life.step()) this.#reject(cause);
  }

  /** Hands bytes over in pieces, cut anywhere, at once or one after another. Then `done`, unless the reader wanted no more. `marks` are in order. */
  send(bytes: Buffer, sink: ChunkSink, done: () => void, marks: readonly Mark[] = []): void {
    let handed = 0;
    let passed = 0;
    const marking: ChunkSink = (chunk) => {
      let isSure = false;
      try {
        sink(chunk);
        isSure = this.#isOpen;
      } finally {
        handed += chunk.length;
        for (let mark = marks[passed]; mark !== undefined && mark.end <= handed; mark = marks[++passed]) mark.told(isSure);
      }
    };
    this.#send(bytes, marking, done);
  }

  #send(bytes: Buffer, sink: ChunkSink, done: () => void): void {
    const { draw } = this.#wire;
    if (bytes.length > 1 && draw.chance(0.3)) {
      const at = draw.whole(1, bytes.length - 1);
      if (!this.#hand(bytes.subarray(0, at), sink)) return;
      const rest = bytes.subarray(at);
      if (draw.chance(0.5)) this.#send(rest, sink, done);
      else this.after(draw.whole(0, 20), () => this.#send(rest, sink, done));
      return;
    }
    if (this.#hand(bytes, sink)) done();
  }

  #hand(bytes: Buffer, sink: ChunkSink): boolean {
    for (let at = 0; at < bytes.length; at += SOCKET.length) {
      if (!this.#isOpen || !this.#life.step()) return false;
      const size = bytes.copy(SOCKET, 0, at, Math.min(bytes.length, at + SOCKET.length));
      try {
        sink(SOCKET.subarray(0, size));
      } catch (cause) {
        this.fail(cause);
        return false;
      } finally {
        SOCKET.fill(GARBAGE, 0, size);
      }
    }
    return this.isOpen;
  }

  readonly #aborted = (): void => this.fail(this.#signal.reason);

  #close(): void {
    this.#isOpen = false;
    this.#signal.removeEventListener('abort', this.#aborted);
    this.#onClose();
  }
}
