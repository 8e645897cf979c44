import { customRoute } from './custom-routes.ts';
import { documentRoute, listRoute } from './dynamic-routes.ts';
import { success } from './envelope.ts';
import { eventRoute } from './event-routes.ts';
import { multiclusterRoute } from './multicluster.ts';
import type { Route, Routed, StorageRequest } from './request.ts';
import type { Service } from './service.ts';
import { typedRoute } from './typed-routes.ts';

/** Every path of the service begins with this. */
export const ROOT = ['bcsstorage', 'v1'];

/** What a path below the root leads to (specs/bcs-k8s-watch.md sections 3.3 to 3.7). */
export function route(service: Service, request: StorageRequest): Routed {
  const [first, second, ...rest] = request.segments;
  const isPlatform = first === 'k8s' || first === 'mesos';
  if (isPlatform && second === 'dynamic') return dynamic(service, request, rest);
  if (first === 'query' && second === 'k8s' && rest[0] === 'dynamic') return typedRoute(service, request, rest.slice(1));
  if (first === 'dynamic' && second === 'customresources') return customRoute(service, request, rest);
  if (first === 'events') return eventRoute(service, request, second === undefined ? [] : [second, ...rest]);
  if (first === 'dynamic' && second === 'watch') return watch(request, rest);
  if (first === 'clusters' && second !== undefined && rest.length === 1 && rest[0] === 'data') {
    return request.method === 'DELETE' ? wipeRoute(service, second) : 'method';
  }
  return 'unknown';
}

/** `rest` is the path below `/k8s/dynamic`. A name is missing from a list's path. */
function dynamic(service: Service, request: StorageRequest, rest: readonly string[]): Routed {
  if (rest[0] === 'multicluster_resources') return rest.length === 2 ? multiclusterRoute(service, request, rest[1] ?? '') : 'unknown';
  const [kind, clusters, cluster, ...below] = rest;
  if (clusters !== 'clusters' || cluster === undefined) return 'unknown';
  if (kind === 'namespace_resources' && below[0] === 'namespaces') {
    const [, namespace, type, name, ...more] = below;
    if (namespace === undefined || type === undefined || more.length > 0) return 'unknown';
    return name === undefined ? listRoute(service, request, { cluster, type, namespace }) : documentRoute(service, request, { cluster, type, namespace, name });
  }
  const [type, name, ...more] = below;
  if (type === undefined || more.length > 0) return 'unknown';
  if (kind === 'cluster_resources' && name !== undefined) return documentRoute(service, request, { cluster, type, namespace: '', name });
  if ((kind === 'cluster_resources' || kind === 'all_resources') && name === undefined) return listRoute(service, request, { cluster, type, namespace: null });
  return 'unknown';
}

/** `rest` is the path below `/dynamic/watch`. */
function watch(request: StorageRequest, rest: readonly string[]): Routed {
  const [cluster, type, ...more] = rest;
  // `containers/{clusterId}` watches containers of Mesos, which nobody has here.
  if (cluster === undefined || cluster === 'containers' || type === undefined || more.length > 0) return 'unknown';
  return request.method === 'POST' ? { collection: 'dynamic', cluster, type } : 'method';
}

function wipeRoute({ clock, documents, events, writer }: Service, cluster: string): Route {
  return {
    kind: 'delete',
    shape: 'list',
    async run() {
      const deletedCounts = await writer.submit('many', (log) => {
        log.entries.push({ time: clock.wall(), method: 'DELETE', key: `${cluster}/`, uid: null, resourceVersion: null, outcome: 'wiped' });
        return { dynamic: documents.wipe(cluster), event: events.wipe(cluster) };
      });
      return success(JSON.stringify([{ clusterId: cluster, deletedCounts }]));
    },
  };
}
