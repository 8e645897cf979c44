/** The smallest stored namespace, in byte order, that is at least `from` and below `below` (null: no bound); null when there is none. */
export type FirstNamespace = (from: string, below: string | null) => string | null;

/** The first character after `-` and `.`: a name that continues with one of those stands before the slash. */
const SLASH = '/';

/**
 * The namespace that follows `after` (null: the first of all) when keys are in byte order of `namespace/name` (read contract, rule 8). That is the
 * order of `namespace + '/'`, which the primary key does not have: `sem-a/` comes before `sem/`, though `sem` comes before `sem-a`. The two differ only
 * where one namespace is the beginning of another, so a few look-ups in the primary key find the next one, and no second index is written
 * for it (measured: such an index costs every insert 46 bytes and up to a tenth of its CPU).
 */
export function nextNamespace(after: string | null, first: FirstNamespace): string | null {
  // All that follow `after` in both orders, and those that continue it with a character beyond the slash.
  let best = first(after === null ? '' : after + SLASH, null);
  while (best !== null) {
    // What continues it with a character before the slash stands before it, and is not below `after`.
    const longer: string | null = first(`${best}\u0001`, best + SLASH);
    if (longer === null) break;
    best = longer;
  }
  if (after === null) return best;
  // A beginning of `after` that goes on there with a character before the slash comes after it.
  for (let length = 1; length < after.length; length++) {
    if (after.charAt(length) >= SLASH) continue;
    const prefix = after.slice(0, length);
    if (first(prefix, `${prefix}\u0001`) !== prefix) continue;
    if (best === null || compareBytes(prefix + SLASH, best + SLASH) < 0) best = prefix;
  }
  return best;
}

const SURROGATE = /[\ud800-\udfff]/;

/** Byte order of the UTF-8 forms. JavaScript compares UTF-16 units, which is the same for all but characters beyond U+FFFF. */
export function compareBytes(a: string, b: string): number {
  if (SURROGATE.test(a) || SURROGATE.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The index of the first of keys in byte order that is beyond `after`, by halving. */
export function firstAfter(sorted: readonly string[], after: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes(sorted[middle] ?? '', after) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
