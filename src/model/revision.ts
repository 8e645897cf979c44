/**
 * A resourceVersion as the API server sent it: a positive decimal without leading zeros, of any length.
 * Comparable inside one resource type only (KEP-5504, ST-S5). Never converted to a number: 64 bits do not fit.
 */
export type Revision = string;

/** Whether `text` may be compared: `''` and `'0'` are requests ("newest", "any"), not revisions. */
export function isRevision(text: string): boolean {
  return /^[1-9][0-9]*$/.test(text);
}

/** Negative when `a` is older, positive when newer, 0 when equal. Longer decimals are larger; equal lengths compare as text. */
export function compareRevisions(a: Revision, b: Revision): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

export function isNewer(a: Revision, than: Revision): boolean {
  return compareRevisions(a, than) > 0;
}

/** How many revisions `to` is ahead of `from`, for people: exact up to 2^53, and 0 when it is not ahead. All kinds of a cluster count in one row. */
export function revisionsBetween(from: Revision, to: Revision): number {
  return isNewer(to, from) ? Number(BigInt(to) - BigInt(from)) : 0;
}
