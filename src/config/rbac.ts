import { type Kind, kindId, type KindId, splitKindId } from '../model/kind.ts';
import { OFF_BY_DEFAULT } from './defaults.ts';
import { isPattern } from './glob.ts';
import type { KindPlan } from './plan.ts';
import { type CompiledRules, planKind } from './rules.ts';

/** Verbs that mirroring needs, and no more. */
const READ = ['get', 'list', 'watch'];

/** What Kubernetes itself puts over a pod, and over that. */
const POD_OWNERS: readonly KindId[] = [
  'cronjobs.batch',
  'daemonsets.apps',
  'deployments.apps',
  'jobs.batch',
  'nodes',
  'replicasets.apps',
  'replicationcontrollers',
  'statefulsets.apps',
];
/** An owner is read by its name, and many of a kind by a list. */
const LOOK_UP = ['get', 'list'];

/** One rule of a role: the resources of one group. */
interface PolicyRule {
  readonly comment: string;
  readonly group: string;
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

export interface RoleOptions {
  readonly name: string;
  /** Whether readers of the HTTP surface show tokens of the cluster (`auth.tokenReview`). Default false. */
  readonly tokenReview?: boolean | undefined;
}

/** The rights to ask whose a token is, and what its user may do. */
const REVIEWS: readonly PolicyRule[] = [
  {
    comment: 'Readers of /metrics and the rest show tokens of the cluster (auth.tokenReview): whose they are,',
    group: 'authentication.k8s.io',
    resources: ['tokenreviews'],
    verbs: ['create'],
  },
  { comment: 'and what they may.', group: 'authorization.k8s.io', resources: ['subjectaccessreviews'], verbs: ['create'] },
];

/**
 * The least role for a configuration, as YAML with comments, ready for kubectl apply: get, list and watch on exactly what
 * is mirrored, and what the mirror needs to know the cluster and its kinds. With discovery (`kinds`) the resources are exact, and kinds
 * whose namespaces are all literal go into a Role per namespace. Without a cluster (`null`) the names in the rules are taken as they
 * are; where a wildcard or the defaults decide, RBAC has no narrower word than `*`, which includes Secrets, and the text says so.
 */
export function roleFor(kinds: readonly Kind[] | null, rules: CompiledRules, options: RoleOptions = { name: 'kubefold' }): string {
  const documents =
    kinds === null
      ? [withoutCluster(rules, options)]
      : withCluster(
          kinds.map((kind) => planKind(kind, rules)),
          options,
        );
  return `${documents.join('---\n')}`;
}

/** What a pod writes in its own namespace, as a Role: Events about itself, and, where replicas elect, their Lease, or with `shards` their Leases. */
export function podRoleFor(
  election: { readonly enabled: boolean; readonly name: string; readonly namespace: string | null },
  options: { readonly name: string; readonly shards?: number },
): string {
  const events: PolicyRule = { comment: 'Events about the pod: what a person must know.', group: '', resources: ['events'], verbs: ['create'] };
  const lease = { group: 'coordination.k8s.io', resources: ['leases'] };
  const { namespace } = election;
  const header = [`What kubefold writes in the namespace of its pod${namespace === null ? '' : ', and of its Lease'}. Bind it there with a RoleBinding.`];
  const elects: readonly PolicyRule[] = [
    // A name cannot be asked for before it is there.
    { ...lease, comment: 'The Lease over which replicas elect: made once.', verbs: ['create'] },
    { ...lease, comment: 'The Lease over which replicas elect.', resourceNames: [election.name], verbs: ['get', 'update', 'watch'] },
  ];
  const shares: readonly PolicyRule[] = [
    {
      ...lease,
      comment: 'The Leases by which replicas share the shards: of each shard and of each replica, whose name nobody knows before it is there.',
      verbs: ['create', 'get', 'list', 'watch', 'update', 'delete'],
    },
  ];
  const rules = !election.enabled ? [events] : [events, ...((options.shards ?? 1) > 1 ? shares : elects)];
  return role({ kind: 'Role', name: options.name, ...(namespace === null ? {} : { namespace }), header, rules, discovery: false });
}

function withCluster(all: readonly KindPlan[], options: RoleOptions): readonly string[] {
  const { name } = options;
  const discovered = all.map(({ kind }) => kind);
  const plans = all.filter(({ mirror }) => mirror);
  const wide = plans.filter(({ scopes }) => scopes.includes(''));
  const narrow = plans.filter(({ scopes }) => !scopes.includes(''));
  const header = [
    'Exact for the kinds the cluster has now: print it again when kinds were added. A kind without permission is',
    'reported and waits; the others go on and nothing of it is deleted.',
  ];
  const documents = [
    role({
      kind: 'ClusterRole',
      name,
      header,
      rules: [...mirrorRules(wide), ...ownerRules(wide, ownersIn(discovered)), ...ownRules(wide), ...reviewRules(options)],
      discovery: true,
    }),
  ];
  const namespaces = [...new Set(narrow.flatMap(({ scopes }) => scopes))].sort();
  for (const namespace of namespaces) {
    const inside = narrow.filter(({ scopes }) => scopes.includes(namespace));
    const bind = [`What is mirrored of namespace ${namespace}. Bind it there with a RoleBinding.`];
    // Nothing without a namespace can be granted here: a chain that goes on above a node ends with it.
    const owners = ownersIn(discovered.filter(({ namespaced }) => namespaced));
    documents.push(
      role({
        kind: 'Role',
        name,
        namespace,
        header: bind,
        rules: [...mirrorRules(inside), ...ownerRules(inside, owners, [...wide, ...inside])],
        discovery: false,
      }),
    );
  }
  return documents;
}

function withoutCluster(rules: CompiledRules, options: RoleOptions): string {
  const { name } = options;
  const literal = literalKinds(rules);
  if (literal === null) {
    const header = [
      'Written without a cluster, and the configuration mirrors kinds by wildcard or default, so it may read everything,',
      'SECRETS INCLUDED: RBAC cannot take single kinds out. kubefold does not ask for kinds that are off. For the exact',
      'role print this with a cluster: kubefold rbac --from-cluster.',
    ];
    return role({
      kind: 'ClusterRole',
      name,
      header,
      rules: [{ comment: 'Everything that can be mirrored.', group: '*', resources: ['*'], verbs: READ }, ...reviewRules(options)],
      discovery: true,
    });
  }
  const header = ['Written without a cluster: the names of kinds are those of the configuration, not checked.'];
  return role({
    kind: 'ClusterRole',
    name,
    header,
    rules: [...mirrorRules(literal), ...ownerRules(literal, POD_OWNERS), ...ownRules(literal), ...reviewRules(options)],
    discovery: true,
  });
}

/** The ids that can be mirrored, when the configuration names them all; null when a wildcard or the default lets others in. */
function literalKinds(rules: CompiledRules): readonly Granted[] | null {
  const granted = (id: KindId): Granted => {
    const matching = rules.rules.find(({ patterns }) => patterns.some(({ text }) => text === id || text === '*'));
    return { id, annotateWorkload: matching?.rule.annotateWorkload ?? (rules.annotatesPods && id === 'pods') };
  };
  const off = new Set(
    rules.rules.filter(({ rule }) => !rule.mirror).flatMap(({ patterns }) => patterns.filter(({ literal }) => literal).map(({ text }) => text)),
  );
  if (rules.only !== null) {
    const names = rules.only.map(({ text }) => text);
    if (names.some((text) => !isId(text))) return null;
    return names.filter((id) => !off.has(id)).map(granted);
  }
  const ids = new Set<KindId>();
  for (const { rule, patterns } of rules.rules) {
    if (!rule.mirror && patterns.some(({ text }) => text === '*')) {
      const later = rules.rules.filter((other) => other.rule.mirror).flatMap((other) => other.patterns.map(({ text }) => text));
      for (const id of later) if (OFF_BY_DEFAULT[id] !== undefined && !off.has(id)) ids.add(id);
      return [...ids].map(granted);
    }
    if (!rule.mirror) continue;
    for (const { text } of patterns) {
      if (!isId(text)) return null;
      if (!off.has(text)) ids.add(text);
    }
  }
  return null;
}

/** `Pod` and wildcards are no resource names; short names cannot be told from resources here and are taken as such. */
function isId(text: string): boolean {
  return !isPattern(text) && text === text.toLowerCase() && !text.includes('/');
}

/** A kind that is mirrored, as far as rights go. */
interface Granted {
  readonly id: KindId;
  readonly annotateWorkload: boolean;
}

function mirrorRules(plans: readonly Granted[]): readonly PolicyRule[] {
  return byGroup(
    plans.map(({ id }) => id),
    { what: 'Mirrored', verbs: READ },
  );
}

/** What stands over objects that get their top workload, unless it is read anyway. Owners of other kinds are left out: their names are not known here. */
function ownerRules(plans: readonly Granted[], owners: readonly KindId[], readAnyway: readonly Granted[] = plans): readonly PolicyRule[] {
  if (!plans.some(({ annotateWorkload }) => annotateWorkload)) return [];
  return byGroup(
    owners.filter((id) => !readAnyway.some((plan) => plan.id === id)),
    { what: 'Owners, looked up for annotateWorkload (add custom ones that own pods)', verbs: LOOK_UP },
  );
}

function ownersIn(kinds: readonly Kind[]): readonly KindId[] {
  const ids = new Set(kinds.map(kindId));
  return POD_OWNERS.filter((id) => ids.has(id));
}

function byGroup(ids: readonly KindId[], { what, verbs }: { readonly what: string; readonly verbs: readonly string[] }): readonly PolicyRule[] {
  const groups = Map.groupBy(ids, (id) => splitKindId(id).group);
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([group, members]) => ({
      comment: group === '' ? `${what}: the core group.` : `${what}: ${group}.`,
      group,
      resources: members.map((id) => splitKindId(id).resource).sort(),
      verbs,
    }));
}

/** What the mirror reads for itself, unless it is mirrored anyway. */
function ownRules(plans: readonly { readonly id: KindId }[]): readonly PolicyRule[] {
  const own: readonly { readonly id: KindId; readonly rule: PolicyRule }[] = [
    {
      id: 'namespaces',
      rule: {
        comment: 'The uid of kube-system identifies the cluster: another cluster behind the same address is noticed.',
        group: '',
        resources: ['namespaces'],
        verbs: ['get'],
        resourceNames: ['kube-system'],
      },
    },
    {
      id: 'customresourcedefinitions.apiextensions.k8s.io',
      rule: { comment: 'Kinds that come and go.', group: 'apiextensions.k8s.io', resources: ['customresourcedefinitions'], verbs: ['list', 'watch'] },
    },
    {
      id: 'apiservices.apiregistration.k8s.io',
      rule: { comment: 'Aggregated APIs that come and go.', group: 'apiregistration.k8s.io', resources: ['apiservices'], verbs: ['list', 'watch'] },
    },
  ];
  return own.filter(({ id }) => !plans.some((plan) => plan.id === id)).map(({ rule }) => rule);
}

function reviewRules({ tokenReview }: RoleOptions): readonly PolicyRule[] {
  return tokenReview === true ? REVIEWS : [];
}

function role(options: {
  readonly kind: 'ClusterRole' | 'Role';
  readonly name: string;
  readonly namespace?: string;
  readonly header: readonly string[];
  readonly rules: readonly PolicyRule[];
  readonly discovery: boolean;
}): string {
  const { kind, name, namespace, header, rules, discovery } = options;
  const lines = [...header.map((line) => `# ${line}`), 'apiVersion: rbac.authorization.k8s.io/v1', `kind: ${kind}`, 'metadata:', `  name: ${name}`];
  if (namespace !== undefined) lines.push(`  namespace: ${JSON.stringify(namespace)}`);
  lines.push('rules:');
  for (const rule of rules) {
    lines.push(
      `  # ${rule.comment}`,
      `  - apiGroups: [${JSON.stringify(rule.group)}]`,
      `    resources:`,
      ...rule.resources.map((resource) => `      - ${resource === '*' ? '"*"' : resource}`),
    );
    if (rule.resourceNames !== undefined) lines.push(`    resourceNames: [${rule.resourceNames.join(', ')}]`);
    lines.push(`    verbs: [${rule.verbs.join(', ')}]`);
  }
  if (discovery) {
    lines.push(
      '  # Discovery: which kinds there are. Most clusters grant it to everybody (system:discovery).',
      '  - nonResourceURLs: ["/api", "/api/*", "/apis", "/apis/*"]',
      '    verbs: [get]',
    );
  }
  return `${lines.join('\n')}\n`;
}
