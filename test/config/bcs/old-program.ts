import type { Kind } from '../../../src/model/kind.ts';

/*
 * What bcs-k8s-watch does with its two files, written down plainly from its specification (sections 1.2 to 1.4, 2.2 and 2.6) and as slow as can be.
 * The import is compared with it.
 */

export interface OldFiles {
  readonly main: {
    readonly watch_resource: { readonly namespace: string; readonly disable_crd: boolean; readonly label_selectors: Readonly<Record<string, string>> };
  };
  readonly filter: {
    readonly k8sResourceWhiteList: readonly string[];
    readonly crdResourceWhiteList: readonly string[];
    readonly apiResourceException: readonly ListEntry[];
    readonly apiResourceSpecification: readonly ListEntry[];
    readonly resourceNamespaceFilters: readonly string[];
    readonly resourceNameFilters: readonly string[];
    readonly resourceMaskers: readonly Masker[];
  };
}

export interface ListEntry {
  readonly groupVersion: string;
  readonly resourceKinds: readonly string[];
}

export interface Masker {
  readonly kind: string;
  readonly namespace: string;
  readonly path: readonly string[];
}

export type OldDecision = { readonly kept: false } | { readonly kept: true; readonly object: Readonly<Record<string, unknown>> };

export type TestObject = Readonly<Record<string, unknown>> & {
  readonly metadata: { readonly namespace: string; readonly name: string; readonly labels: Readonly<Record<string, string>> };
};

/** What the old program writes for an object. `isCustom`: the kind comes from a CRD. `server`: a federated one selects by labels that objects do not show. */
export function oldDecision(files: OldFiles, kind: Kind, isCustom: boolean, object: TestObject, server: 'plain' | 'federated'): OldDecision {
  const arrives = inNamespace(files, kind, object) && (server === 'federated' || isSelected(files, kind, object));
  const copy = structuredClone(object) as Record<string, unknown>;
  const { metadata } = copy as { metadata: Record<string, unknown> };
  metadata['labels'] = { ...object.metadata.labels, ...Object.fromEntries(selectorPairs(files, kind)) };
  if (isCustom && customIsWatched(files, kind) && arrives) return { kept: true, object: copy };
  if (!builtInIsWatched(files, kind) || !arrives || isDropped(files, kind, object)) return { kept: false };
  for (const masker of files.filter.resourceMaskers) {
    if (masker.kind !== kind.kind) continue;
    if (masker.namespace !== '' && masker.namespace !== object.metadata.namespace) continue;
    deleteField(copy, masker.path);
  }
  return { kept: true, object: copy };
}

function versionOf(kind: Kind): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}

function builtInIsWatched({ main, filter }: OldFiles, kind: Kind): boolean {
  const version = versionOf(kind);
  if (!filter.k8sResourceWhiteList.includes(version)) return false;
  if (main.watch_resource.namespace !== '' && !kind.namespaced) return false;
  if (kind.kind !== 'Namespace') {
    const banned = filter.apiResourceException.findLast((entry) => entry.groupVersion === version);
    if (banned !== undefined && (banned.resourceKinds.length === 0 || banned.resourceKinds.includes(kind.kind))) return false;
    if (filter.apiResourceSpecification.length > 0) {
      const specified = filter.apiResourceSpecification.findLast((entry) => entry.groupVersion === version);
      if (specified === undefined) return false;
      if (specified.resourceKinds.length > 0 && !specified.resourceKinds.includes(kind.kind)) return false;
    }
  }
  if (['ComponentStatus', 'Binding', 'ReplicationControllerDummy'].includes(kind.kind)) return false;
  return version !== 'storage.k8s.io/v1' || kind.kind === 'StorageClass';
}

function customIsWatched({ main, filter }: OldFiles, kind: Kind): boolean {
  return !main.watch_resource.disable_crd && filter.crdResourceWhiteList.includes(versionOf(kind));
}

function inNamespace({ main }: OldFiles, kind: Kind, object: TestObject): boolean {
  return !kind.namespaced || main.watch_resource.namespace === '' || main.watch_resource.namespace === object.metadata.namespace;
}

function isSelected(files: OldFiles, kind: Kind, object: TestObject): boolean {
  return selectorPairs(files, kind).every(([key, value]) => object.metadata.labels[key] === value);
}

function selectorPairs({ main }: OldFiles, kind: Kind): readonly (readonly [string, string])[] {
  const selector = main.watch_resource.label_selectors[kind.kind] ?? '';
  return selector.split(',').flatMap((pair) => {
    const [key = '', value = ''] = pair.split('=');
    return pair === '' ? [] : [[key, value] as const];
  });
}

function isDropped({ filter }: OldFiles, kind: Kind, { metadata: { namespace, name } }: TestObject): boolean {
  if (namespace === 'kube-system' && kind.kind === 'Event') return !['kube-', 'kubedns-', 'nginx-proxy', 'bcs-'].some((prefix) => name.startsWith(prefix));
  return filter.resourceNamespaceFilters.includes(namespace) || filter.resourceNameFilters.includes(name);
}

/** An index is only an index right behind a list, and has something behind it. */
function deleteField(object: Record<string, unknown>, path: readonly string[]): void {
  const [key, index] = path;
  if (key === undefined) return;
  if (path.length === 1) {
    delete object[key];
    return;
  }
  const child = object[key];
  if (Array.isArray(child)) {
    const element: unknown = /^[0-9]+$/.test(index ?? '') ? child[Number(index)] : undefined;
    if (isMapping(element)) deleteField(element, path.slice(2));
  } else if (isMapping(child)) deleteField(child, path.slice(1));
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
