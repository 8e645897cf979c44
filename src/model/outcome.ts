/**
 * How one write ended. A closed list: the worker settles every key by it in one switch.
 * - `written`: the row changed.
 * - `unchanged`: storage already holds exactly this object at this revision; nothing was written.
 * - `stale`: storage holds a newer revision (or the delete's uid is no longer the stored one); nothing was written.
 * - `rejected`: this write will never work as it is (too large, invalid for the engine): park the key.
 * - `retry`: it may work later; nothing is known to be wrong with the object.
 */
export type Outcome =
  | { readonly kind: 'written' | 'unchanged' | 'stale' }
  | { readonly kind: 'rejected'; readonly error: string }
  | { readonly kind: 'retry'; readonly error: string };

export const WRITTEN: Outcome = { kind: 'written' };
export const UNCHANGED: Outcome = { kind: 'unchanged' };
export const STALE: Outcome = { kind: 'stale' };
