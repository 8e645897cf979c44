/** One mirrored resource type, as discovery describes it: the preferred version of one group and resource. */
export interface Kind {
  /** `''` for the core group. */
  readonly group: string;
  readonly version: string;
  /** Plural, lower case: `pods`. */
  readonly resource: string;
  /** `Pod`. */
  readonly kind: string;
  readonly namespaced: boolean;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
}

/** `pods`, `deployments.apps`: the name of a kind in rules, metrics, queues and messages. */
export type KindId = string;

export function kindId(kind: Pick<Kind, 'group' | 'resource'>): KindId {
  return kind.group === '' ? kind.resource : `${kind.resource}.${kind.group}`;
}

/** The inverse of kindId(): a resource name cannot contain a dot. */
export function splitKindId(id: KindId): { readonly group: string; readonly resource: string } {
  const dot = id.indexOf('.');
  return dot === -1 ? { group: '', resource: id } : { group: id.slice(dot + 1), resource: id.slice(0, dot) };
}

/** `v1`, `apps/v1`. */
export function apiVersionOf(kind: Pick<Kind, 'group' | 'version'>): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}

/** `apps` of `apps/v1`, `''` of `v1`. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash === -1 ? '' : apiVersion.slice(0, slash);
}

/** The part of a kind that one reflector follows: `''` is all namespaces (or a cluster-scoped kind), else one namespace. */
export type Scope = string;
