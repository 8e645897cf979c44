import { messageOf } from '../../model/errors.ts';
import { parseLabelSelector } from '../../read/selectors.ts';
import { parsePath, protectedPart } from '../../transform/paths.ts';
import { groupOf } from '../../model/kind.ts';
import { isBuiltInGroup } from './known-kinds.ts';
import { maskerPaths } from './masker-path.ts';
import { listed, type Note, quoted } from './note.ts';
import type { OldConfig, OldFilter } from './old-files.ts';
import { isGroupVersion, isKind, type Selection, selectionOf, selects } from './selection.ts';

/** One rule of ours, with what it stands for. */
export interface ImportedRule {
  readonly comment: string;
  readonly rule: Readonly<Record<string, unknown>>;
}

/** Events of kube-system that the old program kept although it dropped all others there; fixed in its code. */
const KEPT_EVENTS = ['kube-*', 'kubedns-*', 'nginx-proxy*', 'bcs-*'];

/** Kinds that our wildcards leave out and the old program's lists did not, with their groups. */
const OFF_HERE: Readonly<Record<string, string>> = { Secret: '', Lease: 'coordination.k8s.io', LeaseCandidate: 'coordination.k8s.io' };

const NEVER_WATCHABLE = /(?:^|\/)(?:metrics|authentication|authorization)\.k8s\.io\//;

type Filters = { readonly namespaces?: object; readonly names?: object };

/** The rules that choose the same objects as the two old files, in an order in which the first that matches decides. Problems are told by `refuse`. */
export function resourceRules(
  config: Pick<OldConfig, 'namespace' | 'disableCrd' | 'labelSelectors'>,
  filter: OldFilter,
  notes: Note[],
  refuse: (key: string, rule: string, found: string, fix: string) => void,
): readonly ImportedRule[] {
  const lost = (key: string, text: string): void => void notes.push({ key, type: 'lost', text });
  const differs = (key: string, text: string): void => void notes.push({ key, type: 'differs', text });
  const { namespace } = config;
  if (namespace !== '' && !isNamespace(namespace)) {
    refuse('watch_resource.namespace', 'must be the name of one namespace', quoted(namespace), 'Correct it, or leave it out for all namespaces.');
  }
  const selectors = labelSelectors();
  const selections = builtInSelections();
  const customVersions = customGroupVersions();
  const { filters, dropsClusterScoped } = objectFilters();
  const removals = removalsByKind();
  const rules: ImportedRule[] = [];
  customRules();
  builtInRules();
  rules.push({ comment: 'Nothing else.', rule: { kinds: ['*'], mirror: false } });
  return rules;

  function labelSelectors(): ReadonlyMap<string, string> {
    const found = new Map<string, string>();
    for (const [kind, selector] of config.labelSelectors) {
      if (selector === '') continue;
      const key = `watch_resource.label_selectors.${kind}`;
      if (!isKind(kind)) {
        lost(key, 'no Kind can have this name.');
        continue;
      }
      try {
        parseLabelSelector(selector);
        found.set(kind, selector);
        if (forcedLabels(selector) === null)
          differs(key, `with ${quoted(selector)} the old program ended at its start; kubefold selects by it. No label is set, for it names no single value.`);
      } catch (cause) {
        refuse(key, `must be a label selector (${messageOf(cause).replaceAll('\n', ' ')})`, quoted(selector), 'For example app=web,tier=db.');
      }
    }
    return found;
  }

  function builtInSelections(): readonly Selection[] {
    const versions = [...new Set(filter.whiteList)];
    const bad = versions.filter((version) => !isGroupVersion(version));
    if (bad.length > 0)
      lost('k8sResourceWhiteList', `${listed(bad.map(quoted))} cannot be a group and version as discovery writes them (apps/v1), so nothing ever matched.`);
    const good = versions.filter(isGroupVersion);
    for (const version of good.filter((one) => NEVER_WATCHABLE.test(one)))
      lost('k8sResourceWhiteList', `${quoted(version)}: computed when asked for; there is nothing to mirror.`);
    const found = good.map((version) => selectionOf(version, filter)).filter((selection) => selection !== null);
    if (found.length === 0)
      lost(
        'k8sResourceWhiteList',
        'it leaves no kind of Kubernetes itself: the old program watched none, and neither will kubefold. Add rules under resources.',
      );
    return withoutSecondEvents(found);
  }

  /** Both groups serve the same Events. */
  function withoutSecondEvents(found: readonly Selection[]): readonly Selection[] {
    if (!found.some((selection) => selection.groupVersion === 'v1' && selects(selection, 'Event'))) return found;
    return found.flatMap((selection) => {
      if (groupOf(selection.groupVersion) !== 'events.k8s.io' || !selects(selection, 'Event')) return [selection];
      differs(
        'k8sResourceWhiteList',
        `${quoted(selection.groupVersion)} has the same Events as "v1". The old program watched only this one, because it knows a kind by its name alone, and wrote Events without the object they are about; kubefold takes those of v1.`,
      );
      return [];
    });
  }

  function customGroupVersions(): readonly string[] {
    const versions = [...new Set(filter.crdWhiteList)];
    if (config.disableCrd) {
      if (versions.length > 0) lost('crdResourceWhiteList', 'watch_resource.disable_crd is true: no custom resources, as before.');
      return [];
    }
    const [good, bad] = [versions.filter((version) => isGroupVersion(version) && !isBuiltInGroup(groupOf(version))), [] as string[]];
    for (const version of versions) if (!good.includes(version)) bad.push(version);
    if (bad.length > 0) {
      lost(
        'crdResourceWhiteList',
        `${listed(bad.map(quoted))} never matched: the old program compares the group/version of a CRD. To mirror such a kind, name it in a rule: kinds: [gamedeployments.tkex.tencent.com].`,
      );
    }
    return good;
  }

  function objectFilters(): { readonly filters: Filters; readonly dropsClusterScoped: boolean } {
    const isName = (name: string): boolean => name !== '' && !/[*?/]/.test(name);
    const namespaces = [...new Set(filter.namespaces)];
    const names = [...new Set(filter.names)];
    const impossible = [...namespaces.filter((name) => name !== '' && !isNamespace(name)), ...names.filter((name) => !isName(name))];
    if (impossible.length > 0)
      lost(
        'resourceNamespaceFilters, resourceNameFilters',
        `${listed(impossible.map(quoted))}: compared letter by letter, so nothing ever matched. kubefold knows * and ?, in names and namespaces of a rule.`,
      );
    if (namespaces.includes(''))
      differs('resourceNamespaceFilters', 'the empty text drops every object without a namespace: kinds that are cluster-scoped are left out as a whole.');
    const excluded = namespaces.filter(isNamespace);
    const literal = names.filter(isName);
    const include = namespace === '' ? {} : { include: [namespace] };
    return {
      filters: {
        ...(namespace === '' && excluded.length === 0 ? {} : { namespaces: { ...include, ...(excluded.length === 0 ? {} : { exclude: excluded }) } }),
        ...(literal.length === 0 ? {} : { names: { exclude: literal } }),
      },
      dropsClusterScoped: namespace !== '' || namespaces.includes(''),
    };
  }

  function removalsByKind(): ReadonlyMap<string, readonly unknown[]> {
    const found = new Map<string, unknown[]>();
    for (const [index, masker] of filter.maskers.entries()) {
      const key = `resourceMaskers[${index}]`;
      const what = `${quoted(masker.path)} of ${quoted(masker.kind)}`;
      if (!selections.some((selection) => selects(selection, masker.kind)) || !isKind(masker.kind)) {
        lost(key, `${what}: no kind of this name is watched, or only as a custom resource, which the old program never masked.`);
        continue;
      }
      if (masker.namespace !== '' && !isNamespace(masker.namespace)) {
        lost(key, `${what}: no namespace can be called ${quoted(masker.namespace)}.`);
        continue;
      }
      const paths = maskerPaths(masker.path);
      const hidden = paths.map((path) => protectedPart(parsePath(path))).find((part) => part !== null);
      if (paths.length === 0) lost(key, `${what}: ${masker.path.length === 0 ? 'the path is empty' : 'it has too many numbers in it'}.`);
      else if (hidden !== undefined) lost(key, `${what} would take out ${hidden}, by which kubefold finds the object.`);
      else {
        const entries = paths.map((path) => (masker.namespace === '' ? path : { path, namespaces: [masker.namespace] }));
        found.set(masker.kind, [...(found.get(masker.kind) ?? []), ...entries]);
      }
    }
    if (found.size > 0) {
      differs(
        'resourceMaskers',
        'a step that meets a list is looked for in each of its elements, where the old masker then hid nothing; and the copy in the annotation of kubectl apply is masked too.',
      );
    }
    return found;
  }

  function customRules(): void {
    if (customVersions.length === 0) return;
    const inNamespace = namespace === '' ? {} : { namespaces: { include: [namespace] } };
    for (const [kind, labels] of selectors) {
      const kinds = customVersions.map((version) => `${version}/${kind}`);
      rules.push({ comment: `label_selectors: custom resources of Kind ${kind}.`, rule: { kinds, ...inNamespace, ...selected(labels) } });
    }
    rules.push({
      comment:
        'crdResourceWhiteList: custom resources, without the filters by name and namespace and without maskers, which the old program did not apply to them.',
      rule: { kinds: customVersions.map((version) => `${version}/*`), ...inNamespace },
    });
    if (filter.names.length + filter.namespaces.length + filter.maskers.length > 0) {
      differs(
        'crdResourceWhiteList',
        'name and namespace filters and maskers never applied to custom resources. That is kept; to change it, give their rule namespaces, names and remove.',
      );
    }
  }

  function builtInRules(): void {
    if (selections.length === 0) return;
    const banned = selections.flatMap(({ groupVersion, except }) => except.map((kind) => `${groupVersion}/${kind}`));
    if (banned.length > 0) rules.push({ comment: 'apiResourceException.', rule: { kinds: banned, mirror: false } });
    if (dropsClusterScoped) {
      const kinds = selections.flatMap(({ groupVersion, only }) => only?.map((kind) => `${groupVersion}/${kind}`) ?? [`${groupVersion}/*`]);
      const why = namespace === '' ? 'resourceNamespaceFilters has an empty text' : 'watch_resource.namespace is set';
      rules.push({ comment: `${why}: no cluster-scoped kinds.`, rule: { kinds, scope: 'cluster', mirror: false } });
    }
    const named = new Set<string>();
    for (const kind of new Set(['Event', 'Pod', ...Object.keys(OFF_HERE), ...selectors.keys(), ...removals.keys()])) {
      const isChanged = kind === 'Event' || kind === 'Pod' || selectors.has(kind) || removals.has(kind);
      const versions = selections.filter((selection) => selects(selection, kind)).map(({ groupVersion }) => groupVersion);
      const isOffHere = versions.some((version) => groupOf(version) === OFF_HERE[kind]);
      const kinds = versions.filter((version) => isChanged || groupOf(version) === OFF_HERE[kind]).map((version) => `${version}/${kind}`);
      if (kinds.length === 0) continue;
      for (const pattern of kinds) named.add(pattern);
      if (isOffHere) noteOffHere(kind);
      if (kind === 'Pod') noteWorkload();
      rules.push({
        comment: commentOf(kind, isOffHere),
        rule: {
          kinds,
          ...(kind === 'Event' ? eventFilters() : filters),
          ...selected(selectors.get(kind)),
          ...(removals.has(kind) ? { remove: removals.get(kind) } : {}),
          ...(kind === 'Pod' ? { annotateWorkload: true } : {}),
          ...(kind === 'Secret' && isOffHere ? { secrets: 'plain' } : {}),
        },
      });
    }
    const others = selections
      .flatMap(({ groupVersion, only }) => only?.map((kind) => `${groupVersion}/${kind}`) ?? [`${groupVersion}/*`])
      .filter((pattern) => !named.has(pattern));
    if (others.length > 0)
      rules.push({ comment: 'k8sResourceWhiteList: only kinds that the API server prefers in exactly this version.', rule: { kinds: others, ...filters } });
    differs(
      'k8sResourceWhiteList',
      'a kind is mirrored only while the API server prefers it in a listed version, as before; so on current clusters Ingresses (networking.k8s.io/v1), HorizontalPodAutoscalers (autoscaling/v2) and others may be missing. The status page and kubefold config check --against-cluster name each entry that matches nothing, with the version that the cluster has.',
    );
    differs(
      'k8sResourceWhiteList',
      'of two groups with a Kind of the same name the old program watched the later one only. kubefold mirrors both; in a bcs-storage the second is called by Kind and group.',
    );
  }

  function noteWorkload(): void {
    differs(
      'k8sResourceWhiteList',
      'Pods have the annotations workload.bkbcs.tencent.com/kind and /name, as before. The old program went from a ReplicaSet to its owner and no further; kubefold goes over every controller to the highest (from a Job to its CronJob), and writes a Pod again when that changes.',
    );
  }

  function noteOffHere(kind: string): void {
    const text =
      kind === 'Secret'
        ? 'Secrets are mirrored with their values readable, as before: no exception bans them. secrets: hashed in their rule stores hashes of the values.'
        : `${kind}s are mirrored, as before. They are heartbeats, renewed every few seconds: to leave them out, drop their rule.`;
    differs('k8sResourceWhiteList', text);
  }

  function commentOf(kind: string, isOffHere: boolean): string {
    const why = [
      ...(kind === 'Event' ? ['fixed in the old program: of the Events in kube-system only some'] : []),
      ...(kind === 'Pod' ? ['fixed in the old program: each with its top workload in two annotations'] : []),
      ...(isOffHere ? ['not banned, and wildcards never mean this kind'] : []),
      ...(selectors.has(kind) ? ['label_selectors'] : []),
      ...(removals.has(kind) ? ['resourceMaskers'] : []),
    ];
    return `${kind}: ${why.join('; ')}.`;
  }

  /** In kube-system the old program looked at the name only, before all other filters. */
  function eventFilters(): Readonly<Record<string, unknown>> {
    if (namespace === 'kube-system') return { namespaces: { include: [namespace] }, names: { include: KEPT_EVENTS } };
    if (namespace !== '') return filters;
    const exclude = [...new Set(['kube-system', ...filter.namespaces.filter(isNamespace)])];
    return { ...filters, namespaces: { exclude }, always: KEPT_EVENTS.map((name) => `kube-system/${name}`) };
  }
}

/** What a selector becomes: the API server selects, and every object has the labels, also where a server for many clusters (Karmada) leaves them out. */
function selected(selector: string | undefined): { readonly labels?: string; readonly setLabels?: Readonly<Record<string, string>> } {
  if (selector === undefined) return {};
  const setLabels = forcedLabels(selector);
  return setLabels === null ? { labels: selector } : { labels: selector, setLabels };
}

/** The pairs of a selector that the old program understood, `a=b,c=d`; null for any other. */
function forcedLabels(selector: string): Readonly<Record<string, string>> | null {
  const pairs = selector.split(',').map((pair) => pair.split('=').map((part) => part.trim()));
  if (pairs.some(([key = '', value, more]) => value === undefined || more !== undefined || /[!<>]/.test(key))) return null;
  return Object.fromEntries(pairs.map(([key = '', value = '']) => [key, value]));
}

function isNamespace(name: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(name);
}
