import type { Kind, KindId, Scope } from '../model/kind.ts';
import type { ObjectPath } from '../transform/paths.ts';
import type { Glob } from './glob.ts';
import type { NameFilter } from './name-filter.ts';

/** What this process still has to check itself, after what the API server already filtered. */
export interface ObjectFilter {
  /** All of them must let the namespace pass. Always empty for cluster-scoped kinds. */
  readonly namespaces: readonly NameFilter[];
  readonly names: NameFilter | null;
  /** Filters of a rule that has exceptions: one of `always` (globs over `namespace/name`, the name alone without a namespace) passes whatever the filters say. */
  readonly excepting: { readonly always: readonly Glob[]; readonly namespaces: NameFilter | null; readonly names: NameFilter | null } | null;
  /** A field selector over any path of the object; needs a parse. Null when the server evaluates everything. */
  readonly fields: string | null;
}

/** A field that the copy leaves out, everywhere or in some namespaces. */
export interface Removal {
  readonly path: ObjectPath;
  /** Null for all. */
  readonly namespaces: readonly Glob[] | null;
}

/** What the rules make of one kind: whether it is mirrored, what is asked of the API server, and what happens to each object. */
export interface KindPlan {
  readonly kind: Kind;
  readonly id: KindId;
  readonly mirror: boolean;
  /** Which rule or default decided, for status and messages. */
  readonly reason: string;
  /** What reflectors follow: `['']`, or literal namespaces. Empty when the kind is not mirrored. */
  readonly scopes: readonly Scope[];
  /** For the server, in every list and watch; null when there is none. */
  readonly labelSelector: string | null;
  readonly fieldSelector: string | null;
  readonly filter: ObjectFilter;
  /** Labels that every object gets in the copy, whatever it has; empty for none. Before anything is removed or masked. */
  readonly setLabels: Readonly<Record<string, string>>;
  readonly mask: readonly ObjectPath[];
  readonly remove: readonly Removal[];
  readonly ignoreChanges: readonly ObjectPath[];
  /** Every object that has an owner gets its top workload as two annotations, after everything else. */
  readonly annotateWorkload: boolean;
  readonly minIntervalSeconds: number;
  readonly workers: number;
  /** `none` for every kind but Secrets. */
  readonly secrets: 'none' | 'hashed' | 'plain';
  /** Equal exactly when the same objects are stored with the same content: a difference means that the kind must be listed again. */
  readonly fingerprint: string;
}

/** As list and watch ask for them. */
export function selectorsOf(plan: Pick<KindPlan, 'labelSelector' | 'fieldSelector'>): {
  readonly labelSelector: string | undefined;
  readonly fieldSelector: string | undefined;
} {
  return { labelSelector: plan.labelSelector ?? undefined, fieldSelector: plan.fieldSelector ?? undefined };
}
