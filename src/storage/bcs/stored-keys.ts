import type { ObjectKey } from '../../model/key.ts';
import { type Outcome, STALE, UNCHANGED } from '../../model/outcome.ts';
import { compareRevisions } from '../../model/revision.ts';
import type { Tombstones } from '../memory/tombstones.ts';
import type { Delete, Put, Write } from '../storage.ts';
import type { Doubt, Known } from './settle.ts';

/**
 * What is known to be stored of one kind: the guards of a write, which the service does not have, stand here. They hold as long as nobody else writes
 * the same documents.
 */
export class StoredKeys {
  readonly rows = new Map<ObjectKey, Known>();
  /** Requests whose effect is not known; few at a time. */
  readonly doubts = new Map<ObjectKey, Doubt>();
  readonly #tombstones: Tombstones;
  readonly #hashOf: (key: ObjectKey) => string | undefined;

  /** `hashOf`: of the body that was stored last, as far as it is remembered. */
  constructor(tombstones: Tombstones, hashOf: (key: ObjectKey) => string | undefined) {
    this.#tombstones = tombstones;
    this.#hashOf = hashOf;
  }

  /** Null: it has to be sent. `hash` is that of the body of a put. */
  judge(write: Write, hash: string, wallMs: number): Outcome | null {
    return write.type === 'put' ? this.#judgePut(write, hash) : this.#judgeDelete(write, wallMs);
  }

  #judgePut({ meta, rewrite = false, force = false }: Put, hash: string): Outcome | null {
    if (force) {
      this.#tombstones.remove(meta.key);
      return null;
    }
    if (this.#tombstones.refuses(meta.key, meta.uid, meta.revision)) return STALE;
    const row = this.rows.get(meta.key);
    if (row === undefined) return null;
    const order = compareRevisions(meta.revision, row.revision);
    if (order < 0) return STALE;
    if (order > 0 || meta.uid !== row.uid) return null;
    return rewrite && this.#hashOf(meta.key) !== hash ? null : UNCHANGED;
  }

  #judgeDelete({ key, uid, revision }: Delete, wallMs: number): Outcome | null {
    if (revision !== null) this.#tombstones.add(key, uid, revision, wallMs);
    const row = this.rows.get(key);
    if (row === undefined) return UNCHANGED;
    return row.uid !== uid || (revision !== null && compareRevisions(row.revision, revision) > 0) ? STALE : null;
  }
}
