/** Bytes that can be copied out once, now: a view into somebody else's buffer, valid only during the call it was handed to. */
export interface ByteSource {
  readonly size: number;
  /** The bytes were walked to their end and are JSON. When not, whoever makes them durable checks them first. */
  readonly isChecked?: boolean | undefined;
  /** Writes exactly `size` bytes into `target` from `at` on. */
  copyTo(target: Uint8Array, at: number): void;
}

/**
 * The JSON of one object, held in pooled memory while somebody still needs it. Whoever holds a Body must release it
 * exactly once; after that its bytes belong to somebody else.
 */
export interface Body {
  readonly length: number;
  /** As of the source it was copied from. */
  readonly isChecked: boolean;
  /** A view, valid until release(). */
  bytes(): Uint8Array;
  release(): void;
}

/** Takes bodies in, within a bound and one giant body. */
export interface BodyPool {
  /** A copy, or null when the pool is full: the body is then read again from the API server when its turn comes. */
  store(source: ByteSource): Body | null;
  /**
   * Bytes of memory in use, including what is free inside partly used slabs: what the process really pays. Above `limitBytes` by one body at the most,
   * which is let in because it is larger than half of the bound: it could never be written otherwise.
   */
  readonly usedBytes: number;
  readonly limitBytes: number;
}
