import { WIDTH } from './batch.ts';

/** What one transaction's bodies and numbers are packed into. */
export interface Slab {
  readonly slab: SharedArrayBuffer;
  readonly ints: Int32Array<SharedArrayBuffer>;
}

/** Room for the most that is merged into one transaction: 1,000 rows of 4 KB. Only what is used is ever resident. */
export const SLAB_BYTES = 4 * 2 ** 20;
export const SLAB_ROWS = 1_000;

/** Hands out slabs and takes them back, so that a batch makes no garbage. Larger ones are made for one transaction and let go. */
export class SlabPool {
  readonly #free: Slab[] = [];

  take(rows: number, bytes: number): Slab {
    if (rows <= SLAB_ROWS && bytes <= SLAB_BYTES) {
      const slab = this.#free.pop();
      if (slab !== undefined) return slab;
    }
    return {
      slab: new SharedArrayBuffer(Math.max(bytes, SLAB_BYTES)),
      ints: new Int32Array(new SharedArrayBuffer(Math.max(rows, SLAB_ROWS) * WIDTH * Int32Array.BYTES_PER_ELEMENT)),
    };
  }

  give({ slab, ints }: Slab): void {
    if (slab.byteLength === SLAB_BYTES && ints.length === SLAB_ROWS * WIDTH) this.#free.push({ slab, ints });
  }
}
