import type { Body, BodyPool, ByteSource } from '../model/body.ts';

/**
 * 256 KiB holds some 80 pods of 3 KB: small enough that one body that stays long pins little, large enough that
 * a sync of 20,000 pods makes a few hundred buffers instead of 20,000, each of which the garbage collector would have to know.
 */
const SLAB_BYTES = 256 * 1024;
/** A small pool has smaller slabs, so that one body that stays does not take all of it. */
const LEAST_SLABS = 4;
/** What room() can promise at the most: a body up to this share of the bound finds a place sooner or later, a larger one might never. */
const GIANT_SHARE = 0.5;
/** Empty slabs kept for reuse: 8 MiB. More would show as memory that nobody uses; fewer make garbage at full rate. */
const KEPT_FREE = 32;

type Slab = {
  readonly bytes: Uint8Array;
  /** First free byte. Bytes before it belong to bodies, released or not. */
  end: number;
  /** Bodies not yet released. A slab with none starts again at 0. */
  live: number;
};

/**
 * Memory for bodies that wait to be written, bounded by what it really takes: whole slabs, not the sum of the bodies.
 * A slab is free again when every body in it was released; nothing is moved. One body at a time that is larger than half of
 * the bound may stand above it: else an object larger than the pool would be read again for ever and never written.
 */
export class SlabPool implements BodyPool {
  readonly limitBytes: number;
  readonly #slabBytes: number;
  /** Larger bodies get memory of their own, so that a slab never loses more than a quarter at its end. */
  readonly #largestShared: number;
  readonly #free: Slab[] = [];
  /** The slab that is being filled; counted in #used. */
  #current: Slab | null = null;
  /** Slabs with live bodies, and large bodies. Above limitBytes by #giant at the most. */
  #used = 0;
  /** The body that was let in above the bound. */
  #giant: Slab | null = null;
  #released: (() => void)[] = [];

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
    this.#slabBytes = Math.min(SLAB_BYTES, Math.floor(limitBytes / LEAST_SLABS));
    this.#largestShared = Math.floor(this.#slabBytes / 4);
  }

  get usedBytes(): number {
    return this.#used;
  }

  store(source: ByteSource): Body | null {
    const { size } = source;
    if (size > this.#largestShared) return this.#storeLarge(source);
    let slab = this.#current;
    if (slab === null || slab.end + size > this.#slabBytes) {
      slab = this.#nextSlab();
      if (slab === null) return null;
    }
    const start = slab.end;
    source.copyTo(slab.bytes, start);
    slab.end = start + size;
    slab.live++;
    return new PooledBody(slab, start, source, this.#release);
  }

  /** Resolves when less than `share` of the limit is in use. Rejects with the signal's reason when it aborts. */
  async room(share: number, signal: AbortSignal): Promise<void> {
    while (this.#used > this.limitBytes * share) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          signal.removeEventListener('abort', wake);
          resolve();
        };
        signal.addEventListener('abort', wake, { once: true });
        this.#released.push(wake);
      });
    }
    signal.throwIfAborted();
  }

  #nextSlab(): Slab | null {
    this.#current = null;
    if (this.#used + this.#slabBytes > this.limitBytes) return null;
    const slab = this.#free.pop() ?? { bytes: Buffer.allocUnsafeSlow(this.#slabBytes), end: 0, live: 0 };
    this.#used += this.#slabBytes;
    this.#current = slab;
    return slab;
  }

  #storeLarge(source: ByteSource): Body | null {
    const { size } = source;
    const fits = this.#used + size <= this.limitBytes;
    if (!fits && (this.#giant !== null || size <= this.limitBytes * GIANT_SHARE)) return null;
    const bytes = Buffer.allocUnsafeSlow(size);
    source.copyTo(bytes, 0);
    this.#used += size;
    const slab: Slab = { bytes, end: size, live: 1 };
    if (!fits) this.#giant = slab;
    return new PooledBody(slab, 0, source, this.#releaseLarge);
  }

  readonly #release = (slab: Slab): void => {
    slab.live--;
    if (slab.live > 0) return;
    if (slab === this.#current) this.#current = null;
    this.#recycle(slab);
  };

  readonly #releaseLarge = (slab: Slab): void => {
    this.#used -= slab.bytes.length;
    if (slab === this.#giant) this.#giant = null;
    this.#wake();
  };

  #recycle(slab: Slab): void {
    this.#used -= this.#slabBytes;
    slab.end = 0;
    if (this.#free.length < KEPT_FREE) this.#free.push(slab);
    this.#wake();
  }

  #wake(): void {
    if (this.#released.length === 0) return;
    const waiting = this.#released;
    this.#released = [];
    for (const wake of waiting) wake();
  }
}

class PooledBody implements Body {
  readonly length: number;
  readonly isChecked: boolean;
  readonly #start: number;
  readonly #onRelease: (slab: Slab) => void;
  #slab: Slab | null;

  constructor(slab: Slab, start: number, { size, isChecked }: ByteSource, onRelease: (slab: Slab) => void) {
    this.#slab = slab;
    this.#start = start;
    this.length = size;
    this.isChecked = isChecked === true;
    this.#onRelease = onRelease;
  }

  bytes(): Uint8Array {
    if (this.#slab === null) throw new Error('Cannot read a body after release(): its memory belongs to somebody else now');
    return this.#slab.bytes.subarray(this.#start, this.#start + this.length);
  }

  release(): void {
    const slab = this.#slab;
    if (slab === null) throw new Error('Cannot release a body twice: its memory belongs to somebody else now');
    this.#slab = null;
    this.#onRelease(slab);
  }
}
