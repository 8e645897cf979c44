import type { KindPlan } from '../config/plan.ts';
import { compileRules, off, planKind } from '../config/rules.ts';
import type { Config } from '../config/schema.ts';
import { unmatchedRules } from '../config/unmatched.ts';
import { type Kind, type KindId, splitKindId } from '../model/kind.ts';

/** What the rules make of the kinds that discovery shows: those to be mirrored, those left out, and rules that nothing matches. */
export function planAll(
  kinds: readonly Kind[],
  config: Config,
): {
  readonly wanted: ReadonlyMap<KindId, KindPlan>;
  readonly left: readonly { readonly id: KindId; readonly why: string }[];
  readonly warnings: readonly string[];
} {
  const rules = compileRules(config);
  const plans = kinds.map((kind) => planKind(kind, rules));
  return {
    wanted: new Map(plans.filter((plan) => plan.mirror).map((plan) => [plan.id, plan])),
    left: plans.filter((plan) => !plan.mirror).map(({ id, reason }) => ({ id, why: reason })),
    warnings: unmatchedRules(kinds, rules).map(({ message }) => message),
  };
}

/** What is, and what is asked for. */
export interface Situation {
  readonly running: ReadonlyMap<KindId, KindPlan>;
  /** Plans of the kinds that discovery shows and rules want. */
  readonly wanted: ReadonlyMap<KindId, KindPlan>;
  /** Kinds that discovery shows and rules leave out. */
  readonly left: ReadonlySet<KindId>;
  /** Group-versions of which discovery can say nothing. */
  readonly broken: readonly string[];
  /** Kinds that storage holds anything of. */
  readonly stored: readonly KindId[];
  /** Kinds that were absent the last time, without a reason. */
  readonly missing: ReadonlySet<KindId>;
}

/** What to do, in this order. */
export interface Reconciliation {
  /** Nobody asks for them any more: their rows go. */
  readonly retire: readonly KindId[];
  /** Other objects, or other content, than before: listed anew. */
  readonly restart: readonly KindPlan[];
  /** Only numbers may have changed. */
  readonly retune: readonly KindPlan[];
  readonly start: readonly KindPlan[];
  /** Absent for the first time: discovery should be asked again soon, and this handed in then. */
  readonly missing: ReadonlySet<KindId>;
}

/**
 * Makes what runs equal to what discovery and rules ask for. A kind that discovery does not show is gone when it is absent twice in a row while
 * its group can be discovered: discovery may lag behind, and a row that is deleted by mistake costs more than one that stays.
 */
export function reconcile({ running, wanted, left, broken, stored, missing }: Situation): Reconciliation {
  const unwanted = new Set([...running.keys(), ...stored].filter((id) => !wanted.has(id)));
  const absent = [...unwanted].filter((id) => !left.has(id) && !isBroken(id, broken));
  const kept = [...wanted.values()].flatMap((plan) => {
    const was = running.get(plan.id);
    return was === undefined ? [] : [{ plan, was }];
  });
  return {
    retire: [...[...unwanted].filter((id) => left.has(id)), ...absent.filter((id) => missing.has(id))],
    restart: kept.filter(({ plan, was }) => !isSame(was, plan)).map(({ plan }) => plan),
    retune: kept.filter(({ plan, was }) => isSame(was, plan)).map(({ plan }) => plan),
    start: [...wanted.values()].filter(({ id }) => !running.has(id)),
    missing: new Set(absent.filter((id) => !missing.has(id))),
  };
}

/** Whether two plans of a kind need nothing but retuning. */
function isSame(a: KindPlan, b: KindPlan): boolean {
  return a.fingerprint === b.fingerprint && a.kind.version === b.kind.version && String(a.scopes) === String(b.scopes);
}

/** A group-version is `apps/v1`, or `v1` for the core group. */
function isBroken(id: KindId, broken: readonly string[]): boolean {
  const { group } = splitKindId(id);
  return broken.some((groupVersion) => groupVersion === group || groupVersion.startsWith(`${group}/`) || (group === '' && !groupVersion.includes('/')));
}

/** A plan that follows nothing: what storage holds of the kind is deleted. */
export function retiredPlan(id: KindId): KindPlan {
  const kind: Kind = { ...splitKindId(id), version: '', kind: '', namespaced: true, singular: '', shortNames: [], categories: [] };
  return off(kind, 'not mirrored any more');
}
