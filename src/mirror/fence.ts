import type { Config } from '../config/schema.ts';

/** When a mass deletion waits for a person (`fence` of the configuration). */
export type FenceRule = Config['fence'] & {
  /** Said instead of the numbers. */
  readonly because?: string;
};

/** The rule for rows that another program stored of a kind that nobody here asks for: however few they are, somebody has to say that they may go. */
export function unclaimedRule(rule: FenceRule): FenceRule {
  return { ...rule, maxDeleteShare: 0, minObjects: 0, because: 'another program has stored these rows, and no rule here is about their kind' };
}

/** A pass that was held, as it was judged. */
export interface JudgedPass {
  /** Rows that it would have deleted, those held from earlier passes included. */
  readonly absent: number;
  /** Rows of the kind that were known before it. */
  readonly known: number;
  /** When it was held, by the monotonic clock. */
  readonly at: number;
}

/**
 * Whether one pass of deletions by absence may happen, or is held as a whole. Kinds with few rows are not fenced: half of four is an ordinary day.
 * Shares are compared as quotients, since `0.1 * 30` is more than 3.
 */
export function judge({ maxDeleteShare, minObjects }: FenceRule, absent: number, known: number): 'delete' | 'hold' {
  return known >= minObjects && absent / known > maxDeleteShare ? 'hold' : 'delete';
}

/**
 * Why a held pass may go on now without a person, null while it may not. A changed rule judges the pass as it was found, never what is left of it:
 * while objects come back one by one, the rest of them must not fall below the share.
 */
export function releaseReason(pass: JudgedPass, rule: FenceRule, now: number): string | null {
  if (judge(rule, pass.absent, pass.known) === 'delete') return 'the fence was changed and allows it';
  const { confirmAfterSeconds } = rule;
  if (confirmAfterSeconds !== null && now - pass.at >= confirmAfterSeconds * 1000) return `fence.confirmAfterSeconds: ${confirmAfterSeconds} have passed`;
  return null;
}

/** The rule by which a pass is held, with its numbers. */
export function holdReason({ maxDeleteShare, minObjects, because }: FenceRule, absent: number, known: number): string {
  if (because !== undefined) return because;
  const found = Math.floor((absent / known) * 1000) / 10;
  return `${absent} of ${known} rows (${found} %) would go at once, and fence.maxDeleteShare allows ${Number((maxDeleteShare * 100).toPrecision(6))} % of a kind with ${minObjects} rows or more`;
}
