/** Something about an old setting that its owner should know. */
export interface Note {
  /** The old key: `bcs.tls.password`. */
  readonly key: string;
  /** `lost`: it has no effect any more. `differs`: it was carried over, and means more or less than it did. */
  readonly type: 'lost' | 'differs';
  /** Why, and what to do, as sentences. */
  readonly text: string;
}

/** A value of the old files in a message: short, on one line. */
export function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** `a`, `a and b`, `a, b and c`. */
export function listed(items: readonly string[]): string {
  const [last = '', ...before] = items.toReversed();
  return before.length === 0 ? last : `${before.toReversed().join(', ')} and ${last}`;
}
