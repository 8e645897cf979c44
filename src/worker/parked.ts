import type { ObjectKey } from '../model/key.ts';
import type { Revision } from '../model/revision.ts';

/** A key whose object storage will never take as it is. It waits for a change of the object, or for a person. */
export interface ParkedKey {
  readonly uid: string;
  readonly revision: Revision;
  readonly error: string;
  readonly attempts: number;
  /** Unix ms. */
  readonly since: number;
}

/** The parked keys of one kind. Parking holds nobody up: the neighbours of a batch are written without it. */
export class Parked {
  readonly #keys = new Map<ObjectKey, ParkedKey>();

  get size(): number {
    return this.#keys.size;
  }

  /** The one that waits longest; null when there is none. */
  get first(): { readonly key: ObjectKey; readonly error: string } | null {
    for (const [key, { error }] of this.#keys) return { key, error };
    return null;
  }

  list(): IterableIterator<[ObjectKey, ParkedKey]> {
    return this.#keys.entries();
  }

  park(key: ObjectKey, found: Omit<ParkedKey, 'attempts' | 'since'>, wall: number): void {
    const before = this.#keys.get(key);
    this.#keys.set(key, { ...found, attempts: (before?.attempts ?? 0) + 1, since: before?.since ?? wall });
  }

  /** One that an earlier process recorded. */
  load({ key, uid, revision, error, attempts, since }: ParkedKey & { readonly key: ObjectKey }): void {
    this.#keys.set(key, { uid, revision, error, attempts, since });
  }

  release(key: ObjectKey): void {
    this.#keys.delete(key);
  }
}
