import type { Kind } from '../../model/kind.ts';
import { nameOf, namespaceOf, type ObjectKey } from '../../model/key.ts';

/** Below every endpoint. */
export const ROOT = '/bcsstorage/v1';

const DYNAMIC = '/k8s/dynamic';

/** Where the documents of one kind are: what the service calls the type, and whether its documents are in namespaces. */
export interface Place {
  readonly type: string;
  readonly namespaced: boolean;
}

/** Where the document of an object is. Its key says whether it is in a namespace: the scope of a kind may change with its definition. */
export function placeOf(type: string, key: ObjectKey): Place {
  return { type, namespaced: namespaceOf(key) !== '' };
}

/** Every part of a path is escaped: a name may hold anything that the API server lets pass. */
function path(...segments: readonly string[]): string {
  return segments.map((segment) => `/${encodeURIComponent(segment)}`).join('');
}

/** One document. */
export function documentPath(cluster: string, { type, namespaced }: Place, key: ObjectKey): string {
  if (!namespaced) return `${DYNAMIC}/cluster_resources/clusters${path(cluster, type, key)}`;
  return `${DYNAMIC}/namespace_resources/clusters${path(cluster)}/namespaces${path(namespaceOf(key), type, nameOf(key))}`;
}

/** Of a DELETE: only the document of this very object. A comma would be read as a list; no uid has one. */
export function uidCondition(uid: string): string {
  return queryOf({ 'data.metadata.uid': uid });
}

/** All documents of a type: of one namespace, or (`''`) of all, and the cluster-scoped ones. By cluster, so that rows of namespaces that are gone are found too. */
export function listPath(cluster: string, type: string, namespace: string, query: Readonly<Record<string, string | number>>): string {
  const base =
    namespace === ''
      ? `${DYNAMIC}/cluster_resources/clusters${path(cluster, type)}`
      : `${DYNAMIC}/namespace_resources/clusters${path(cluster)}/namespaces${path(namespace, type)}`;
  return base + queryOf(query);
}

/** Events have a route of their own, for PUT only: the service keeps them by age. */
export const EVENTS_PATH = '/events';

/** Free-form documents, of no cluster. */
export function customPath(type: string, query: Readonly<Record<string, string | number>> = {}): string {
  return `/dynamic/customresources${path(type)}${queryOf(query)}`;
}

export function customIndexPath(type: string, index: string): string {
  return `/dynamic/customresources${path(type)}/index${path(index)}`;
}

/** The events of the core group go to EVENTS_PATH; those of `events.k8s.io` have other fields, and are documents like any. */
export function isEvent(kind: Pick<Kind, 'group' | 'kind'>): boolean {
  return kind.group === '' && kind.kind === 'Event';
}

function queryOf(query: Readonly<Record<string, string | number>>): string {
  const parts = Object.entries(query).map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}
