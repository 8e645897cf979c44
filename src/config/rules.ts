import { type Kind, type KindId, kindId, type Scope } from '../model/kind.ts';
import { type ObjectPath, parsePath } from '../transform/paths.ts';
import { IGNORED_CHANGES, NEVER_MIRRORED, OFF_BY_DEFAULT } from './defaults.ts';
import { compileGlob, type Glob } from './glob.ts';
import { compileKindPattern, type KindPattern } from './kind-pattern.ts';
import { type NameFilter, passes } from './name-filter.ts';
import type { KindPlan, Removal } from './plan.ts';
import type { Rule } from './rule-schema.ts';
import type { Config } from './schema.ts';
import { escapeValue, joinTerms, splitFieldSelector } from './server-fields.ts';

/** One rule of the file, ready to be asked. `patterns[i]` stands at `resources[index].kinds[i]`. */
export interface CompiledRule {
  readonly index: number;
  readonly patterns: readonly KindPattern[];
  readonly rule: Config['resources'][number];
  readonly namespaces: NameFilter | null;
  readonly names: NameFilter | null;
  readonly always: readonly Glob[];
  readonly mask: readonly ObjectPath[];
  readonly remove: readonly Removal[];
  /** Null when the rule says nothing: the built-in default for the kind applies. */
  readonly ignoreChanges: readonly ObjectPath[] | null;
}

/** Everything of a configuration that decides about kinds. */
export interface CompiledRules {
  /** `kinds`, null for all. */
  readonly only: readonly KindPattern[] | null;
  /** `namespaces`, null for all. */
  readonly namespaces: NameFilter | null;
  readonly rules: readonly CompiledRule[];
  /** Readers of the storage engine look for the top workload on pods. */
  readonly annotatesPods: boolean;
  readonly defaultWorkers: number;
  readonly workers: readonly { readonly pattern: KindPattern; readonly count: number }[];
}

const never: readonly Glob[] = NEVER_MIRRORED.map(compileGlob);

/** Compiles a valid configuration; cheap enough to be done at every change of the file. */
export function compileRules(config: Config): CompiledRules {
  return {
    only: config.kinds?.map(compileKindPattern) ?? null,
    namespaces: nameFilter(config.namespaces === null ? undefined : { include: config.namespaces }),
    rules: config.resources.map((rule, index) => ({
      index,
      rule,
      patterns: rule.kinds.map(compileKindPattern),
      namespaces: nameFilter(rule.namespaces),
      names: nameFilter(rule.names),
      always: rule.always.map(compileGlob),
      mask: rule.mask.map(parsePath),
      remove: rule.remove.map((entry) =>
        typeof entry === 'string'
          ? { path: parsePath(entry), namespaces: null }
          : { path: parsePath(entry.path), namespaces: entry.namespaces.map(compileGlob) },
      ),
      ignoreChanges: rule.ignoreChanges?.map(parsePath) ?? null,
    })),
    annotatesPods: config.storage.url.startsWith('bcs+'),
    defaultWorkers: config.workers.default,
    workers: Object.entries(config.workers)
      .filter(([name]) => name !== 'default')
      .map(([name, count]) => ({ pattern: compileKindPattern(name), count })),
  };
}

function nameFilter(
  rule: { readonly include?: readonly string[] | undefined; readonly exclude?: readonly string[] | undefined } | undefined,
): NameFilter | null {
  if (rule?.include === undefined && rule?.exclude === undefined) return null;
  return { include: rule.include?.map(compileGlob) ?? null, exclude: rule.exclude?.map(compileGlob) ?? [] };
}

/**
 * What to do with one kind. The first rule that matches decides alone; after the rules, Secrets and Leases are off and
 * everything else is on. A kind that is off by default is matched only by a pattern without wildcards, so that `*` in a rule never asks for Secrets.
 */
export function planKind(kind: Kind, rules: CompiledRules): KindPlan {
  const id = kindId(kind);
  const named = (patterns: readonly KindPattern[]): boolean => patterns.some((pattern) => pattern.literal && pattern.matches(kind));
  const offReason = OFF_BY_DEFAULT[id];
  const matching = rules.rules.find(
    ({ rule: { scope }, patterns }) =>
      (scope === null || (scope === 'namespaced') === kind.namespaced) &&
      (offReason === undefined ? patterns.some((pattern) => pattern.matches(kind)) : named(patterns)),
  );
  const rule = matching?.rule;
  const askedByKinds = rules.only !== null && named(rules.only);

  if (never.some((glob) => glob.matches(id))) return off(kind, 'computed when asked for; there is nothing to mirror');
  if (rules.only !== null && !(offReason === undefined ? rules.only.some((pattern) => pattern.matches(kind)) : askedByKinds))
    return off(kind, 'not among kinds (--kinds)');
  if (rule?.mirror === false) return off(kind, `${ruleName(matching)} says mirror: false`);
  if (offReason !== undefined && rule === undefined && !askedByKinds) return off(kind, `${offReason}; a rule that names ${id} turns them on`);
  if (!kind.namespaced && rules.namespaces !== null && !askedByKinds && !named(matching?.patterns ?? [])) {
    return off(kind, 'cluster-scoped, and namespaces (--namespace) is set; a rule that names it turns it on');
  }

  const filters = kind.namespaced ? [matching?.namespaces, rules.namespaces].filter((filter) => filter !== null && filter !== undefined) : [];
  const scopes = scopesOf(filters);
  if (scopes.length === 0) return off(kind, `no namespace is left by ${ruleName(matching)} and namespaces`);
  const wide = scopes[0] === '';
  const fields = splitFieldSelector(kind, rule?.fields ?? '');
  const always = matching?.always ?? [];
  const names = always.length > 0 ? null : (matching?.names ?? null);
  // What has exceptions is judged here, whole: the server knows no "or".
  const plain = always.length > 0 ? filters.filter((filter) => filter !== matching?.namespaces) : filters;
  const server = [
    fields.server,
    ...nameTerms('metadata.name', names),
    ...(wide ? plain.flatMap((filter) => nameTerms('metadata.namespace', { include: null, exclude: filter.exclude })) : []),
  ];
  const plan = {
    kind,
    id,
    mirror: true,
    reason: rule === undefined ? (askedByKinds ? 'named in kinds (--kinds)' : 'no rule matches; mirrored by default') : ruleName(matching),
    scopes,
    labelSelector: rule?.labels ?? null,
    fieldSelector: joinTerms(server.filter((term) => term !== null)),
    filter: {
      namespaces: wide ? plain.map(withoutPushed).filter(hasWork) : [],
      names: names === null || isPushed(names) ? null : names,
      excepting:
        matching === undefined || always.length === 0 ? null : { always, namespaces: kind.namespaced ? matching.namespaces : null, names: matching.names },
      fields: fields.client,
    },
    setLabels: rule?.setLabels ?? {},
    mask: matching?.mask ?? [],
    remove: matching?.remove ?? [],
    ignoreChanges: matching?.ignoreChanges ?? (IGNORED_CHANGES[id] ?? []).map(parsePath),
    annotateWorkload: rule?.annotateWorkload ?? (rules.annotatesPods && id === 'pods'),
    minIntervalSeconds: rule?.minIntervalSeconds ?? 0,
    workers: workersOf(kind, rules),
    secrets: id === 'secrets' ? (rule?.secrets ?? 'hashed') : 'none',
  } as const;
  return { ...plan, fingerprint: fingerprintOf(plan, filters, matching) };
}

/** A plan that follows nothing. */
export function off(kind: Kind, reason: string): KindPlan {
  return {
    kind,
    id: kindId(kind),
    mirror: false,
    reason,
    scopes: [],
    labelSelector: null,
    fieldSelector: null,
    filter: { namespaces: [], names: null, excepting: null, fields: null },
    setLabels: {},
    mask: [],
    remove: [],
    ignoreChanges: [],
    annotateWorkload: false,
    minIntervalSeconds: 0,
    workers: 1,
    secrets: 'none',
    fingerprint: 'off',
  };
}

/** Literal namespaces that all filters let pass are followed one by one; anything else needs the whole kind. */
function scopesOf(filters: readonly NameFilter[]): readonly Scope[] {
  const literal = filters.find((filter) => filter.include?.every((glob) => glob.literal));
  if (literal === undefined) return [''];
  const names = new Set(literal.include?.map((glob) => glob.text));
  return [...names].filter((name) => filters.every((filter) => passes(filter, name))).sort();
}

/** Exclusions, and the inclusion of a single name, as the server understands them; globs it does not. */
function nameTerms(field: string, filter: NameFilter | null): readonly string[] {
  if (filter === null) return [];
  const [only, more] = filter.include ?? [];
  const included = only?.literal && more === undefined ? [`${field}=${escapeValue(only.text)}`] : [];
  return [...included, ...filter.exclude.filter((glob) => glob.literal).map((glob) => `${field}!=${escapeValue(glob.text)}`)];
}

function isPushed(filter: NameFilter): boolean {
  const included = filter.include === null || (filter.include.length === 1 && filter.include[0]?.literal === true);
  return included && filter.exclude.every((glob) => glob.literal);
}

/** Literal exclusions of namespaces are the server's work. */
function withoutPushed(filter: NameFilter): NameFilter {
  return { include: filter.include, exclude: filter.exclude.filter((glob) => !glob.literal) };
}

function hasWork(filter: NameFilter): boolean {
  return filter.include !== null || filter.exclude.length > 0;
}

/** The id itself first, then any other way to name the kind. */
function workersOf(kind: Kind, rules: CompiledRules): number {
  const id: KindId = kindId(kind);
  const own = rules.workers.find(({ pattern }) => pattern.text === id) ?? rules.workers.find(({ pattern }) => pattern.matches(kind));
  return own?.count ?? rules.defaultWorkers;
}

/** In an order that says nothing. */
export function labelPairs(labels: Readonly<Record<string, string>>): readonly (readonly [string, string])[] {
  return Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
}

function ruleName(rule: CompiledRule | undefined): string {
  return rule === undefined ? 'the defaults' : `resources[${rule.index}] (${rule.patterns.map(({ text }) => text).join(', ')})`;
}

function fingerprintOf(
  plan: Pick<
    KindPlan,
    'kind' | 'scopes' | 'labelSelector' | 'fieldSelector' | 'setLabels' | 'mask' | 'remove' | 'ignoreChanges' | 'annotateWorkload' | 'secrets'
  >,
  filters: readonly NameFilter[],
  matching: CompiledRule | undefined,
): string {
  const texts = (filter: NameFilter | null | undefined): unknown =>
    filter ? [filter.include?.map((glob) => glob.text), filter.exclude.map((glob) => glob.text)] : null;
  return JSON.stringify([
    plan.kind.version,
    plan.scopes,
    plan.labelSelector,
    plan.fieldSelector,
    filters.map(texts),
    texts(matching?.names),
    (matching?.rule as Rule | undefined)?.fields ?? null,
    plan.mask.map(({ text }) => text),
    plan.remove.map(({ path, namespaces }) => [path.text, namespaces?.map(({ text }) => text) ?? null]),
    matching?.always.map(({ text }) => text) ?? [],
    plan.ignoreChanges.map(({ text }) => text),
    plan.secrets,
    // Without any the fingerprint is what it was before there was such a rule.
    ...labelPairs(plan.setLabels),
    ...(plan.annotateWorkload ? ['workload'] : []),
  ]);
}
