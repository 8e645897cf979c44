import type { Kind, Scope } from '../model/kind.ts';
import { nameOf, namespaceOf, type ObjectKey } from '../model/key.ts';
import type { ListQuery, WatchQuery } from './cluster.ts';

/** `/api/v1`, `/apis/apps/v1`. */
export function groupVersionPath(group: string, version: string): string {
  return group === '' ? `/api/${encodeURIComponent(version)}` : `/apis/${encodeURIComponent(group)}/${encodeURIComponent(version)}`;
}

/** The collection of a kind in one scope; `''` is the whole cluster. */
export function collectionPath(kind: Kind, scope: Scope): string {
  const namespace = scope === '' || !kind.namespaced ? '' : `/namespaces/${encodeURIComponent(scope)}`;
  return `${groupVersionPath(kind.group, kind.version)}${namespace}/${encodeURIComponent(kind.resource)}`;
}

/** One object. Names may hold `:` and more (RBAC), so every part is escaped. */
export function objectPath(kind: Kind, key: ObjectKey): string {
  return `${collectionPath(kind, namespaceOf(key))}/${encodeURIComponent(nameOf(key))}`;
}

/** The query of a list; absent and empty fields are left out, which the server reads the same. */
export function listQuery(query: ListQuery): string {
  return encode([
    ['limit', query.limit],
    ['continue', query.continue],
    ['resourceVersion', query.resourceVersion],
    ['resourceVersionMatch', query.resourceVersionMatch],
    ['labelSelector', query.labelSelector],
    ['fieldSelector', query.fieldSelector],
    ['shardSelector', query.shardSelector],
  ]);
}

/** The query of a watch: bookmarks always; a streaming list asks with `sendInitialEvents` (WL-S2). */
export function watchQuery(query: WatchQuery): string {
  return encode([
    ['watch', 'true'],
    ['allowWatchBookmarks', 'true'],
    ['timeoutSeconds', query.timeoutSeconds],
    ['resourceVersion', query.resourceVersion],
    ['sendInitialEvents', query.sendInitialEvents === undefined ? undefined : String(query.sendInitialEvents)],
    ['resourceVersionMatch', query.sendInitialEvents === undefined ? undefined : 'NotOlderThan'],
    ['labelSelector', query.labelSelector],
    ['fieldSelector', query.fieldSelector],
    ['shardSelector', query.shardSelector],
  ]);
}

function encode(pairs: readonly (readonly [string, string | number | undefined])[]): string {
  const parts: string[] = [];
  for (const [name, value] of pairs) {
    if (value !== undefined && value !== '') parts.push(`${name}=${encodeURIComponent(value)}`);
  }
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}
