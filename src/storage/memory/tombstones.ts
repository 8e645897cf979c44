import type { ObjectKey } from '../../model/key.ts';
import type { Revision } from '../../model/revision.ts';
import { compareRevisions } from '../../model/revision.ts';

/** As long as the other engines remember a delete at least. */
const KEEP_MS = 3_600_000;

interface Tombstone {
  readonly revision: Revision;
  /** Unix ms. */
  readonly deletedAt: number;
}

/** What the deletes of one kind leave behind; the rules are those of sqlite/tombstones.ts. */
export class Tombstones {
  /** By key and uid; the key that was deleted last is the last. */
  readonly #keys = new Map<ObjectKey, Map<string, Tombstone>>();

  add(key: ObjectKey, uid: string, revision: Revision, wallMs: number): void {
    const uids = this.#keys.get(key) ?? new Map<string, Tombstone>();
    const before = uids.get(uid);
    if (before === undefined || compareRevisions(before.revision, revision) <= 0) uids.set(uid, { revision, deletedAt: wallMs });
    dropOld(uids, wallMs);
    this.#keys.delete(key);
    this.#keys.set(key, uids);
    for (const [oldKey, old] of this.#keys) {
      dropOld(old, wallMs);
      if (old.size > 0) return;
      this.#keys.delete(oldKey);
    }
  }

  /** Whether the uid was deleted as of a newer revision. */
  refuses(key: ObjectKey, uid: string, revision: Revision): boolean {
    const tombstone = this.#keys.get(key)?.get(uid);
    return tombstone !== undefined && compareRevisions(revision, tombstone.revision) < 0;
  }

  remove(key: ObjectKey): void {
    this.#keys.delete(key);
  }
}

function dropOld(uids: Map<string, Tombstone>, wallMs: number): void {
  for (const [uid, { deletedAt }] of uids) if (deletedAt < wallMs - KEEP_MS) uids.delete(uid);
}
