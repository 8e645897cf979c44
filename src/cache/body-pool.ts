import type { Body, BodyPool, ByteSource } from '../model/body.ts';

/**
 * Of cache.pendingBytes. The other half is what else grows while much waits. With 100,000 dirty pods of 4 KB that is, in MiB: 22 for their keys (230 bytes each:
 * ticket, slots in maps, revision, position), 13 for V8's young generation, and after the return of the storage 20 to 40 more, most of it garbage that V8 has
 * not collected. Freed slabs are used again, but not all go back to the system. Of 128 MiB, resident memory rose by 158 with three quarters, by 138
 * with half. `npm run bench -- outage --only sweep` is that case.
 */
export const BODIES_SHARE = 0.5;
/**
 * 256 KiB holds some 80 pods of 3 KB: small enough that one body that stays long pins little, large enough that
 * a sync of 20,000 pods makes a few hundred buffers instead of 20,000, each of which the garbage collector would have to know.
 */
const SLAB_BYTES = 256 * 1024;
/** A small pool has smaller slabs, so that one body that stays does not take all of it. */
const LEAST_SLABS = 4;
/** What room() can promise at the most: a body up to this share of the bound finds a place sooner or later, a larger one might never. */
const GIANT_SHARE = 0.5;
/** Empty slabs kept for reuse: 8 MiB. More would show as memory that nobody uses; fewer would be made anew all the time at full rate. */
const KEPT_FREE = 32;
/** Places are this coarse, so that the next state of an object, a few digits longer perhaps, fits where the last one was. */
const PLACE_BYTES = 64;

type Slab = {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** First free byte. Bytes before it belong to bodies, released or not. */
  end: number;
  /** Bodies not yet released. A slab with none starts again at 0. */
  live: number;
};

/**
 * Memory for bodies that wait to be written, bounded by what it really takes: whole slabs, not the sum of the bodies.
 * A slab is free again when every body in it was released; nothing is moved. One body at a time that is larger than half of
 * the bound may stand above it: else an object larger than the pool would be read again for ever and never written.
 *
 * The place of the body that was released last goes to the next one if that fits: a new state of an object that waits comes just after the release of the old
 * one, and in an outage slabs would fill up with places of states that nobody wants any more. 30,000 changes of 20,000 objects of 4 KB: 96 MiB were full with
 * 42 MiB of bodies, and 5,000 found no room; so all find room in 61 MiB, or in 83 MiB when their sizes vary by 600 bytes.
 */
export class SlabPool implements BodyPool {
  readonly limitBytes: number;
  readonly #slabBytes: number;
  /** Larger bodies get memory of their own, so that a slab never loses more than a quarter at its end. */
  readonly #largestShared: number;
  readonly #free: Slab[] = [];
  /** The slab that is being filled; counted in #used. */
  #current: Slab | null = null;
  /** Where the body that was released last was, if its slab has others. Not one object: it would be made anew for each body. */
  #holeIn: Slab | null = null;
  #holeStart = 0;
  #holeRoom = 0;
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
    const hole = this.#holeIn;
    if (hole !== null && this.#holeRoom >= size) {
      this.#holeIn = null;
      return this.#place(source, hole, this.#holeStart, this.#holeRoom);
    }
    let slab = this.#current;
    if (slab === null || slab.end + size > this.#slabBytes) {
      slab = this.#nextSlab();
      if (slab === null) return null;
    }
    const start = slab.end;
    slab.end = Math.min(start + Math.ceil(size / PLACE_BYTES) * PLACE_BYTES, this.#slabBytes);
    return this.#place(source, slab, start, slab.end - start);
  }

  #place(source: ByteSource, slab: Slab, start: number, room: number): Body {
    source.copyTo(slab.bytes, start);
    slab.live++;
    return new PooledBody(slab, start, room, source, this.#release);
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
    return new PooledBody(slab, 0, size, source, this.#releaseLarge);
  }

  readonly #release = (slab: Slab, start: number, room: number): void => {
    slab.live--;
    if (slab.live > 0) {
      this.#holeIn = slab;
      this.#holeStart = start;
      this.#holeRoom = room;
      return;
    }
    if (slab === this.#holeIn) this.#holeIn = null;
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
    // Given back now: left to the garbage collector, 34 MiB of them stood beside a full pool while a storage that had returned was written to.
    else slab.bytes.buffer.transfer(0);
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
  /** Bytes from #start on that are its own; `length` at least. */
  readonly #room: number;
  readonly #onRelease: (slab: Slab, start: number, room: number) => void;
  #slab: Slab | null;

  constructor(slab: Slab, start: number, room: number, { size, isChecked }: ByteSource, onRelease: (slab: Slab, start: number, room: number) => void) {
    this.#slab = slab;
    this.#start = start;
    this.#room = room;
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
    this.#onRelease(slab, this.#start, this.#room);
  }
}
