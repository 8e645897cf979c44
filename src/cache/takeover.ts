import { compareRevisions, type Revision } from '../model/revision.ts';
import type { IndexRow } from '../storage/storage.ts';
import type { KnownObject } from './entry.ts';

/**
 * A row that a former leader stored, against what the cache of a standby knows of its key (mirror/STANDBY.md):
 * - `same`: it holds the newest state; nothing is to be written.
 * - `behind`: it holds an older one; what the cache knows is to be written over it, or deleted.
 * - `ahead`: it holds a newer one than was delivered here so far; that is on its way.
 * - `foreign`: it holds what in this history of the cluster cannot be; what the cache knows replaces it whatever it holds.
 */
export type Meeting = 'same' | 'behind' | 'ahead' | 'foreign';

/** `delivered`: everything up to this revision was delivered to the cache; null when that cannot be said of any. */
export function meeting(row: IndexRow, known: KnownObject, delivered: Revision | null): Meeting {
  if (known.regressed) return 'foreign';
  const order = compareRevisions(row.revision, known.revision);
  if (order < 0) return 'behind';
  if (order > 0) return delivered === null || compareRevisions(row.revision, delivered) > 0 ? 'ahead' : 'foreign';
  if (row.uid !== known.uid) return 'foreign';
  // It left a selection at just that revision, and its row was not deleted yet.
  return known.gone ? 'behind' : 'same';
}
