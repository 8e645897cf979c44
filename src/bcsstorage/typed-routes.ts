import { listText } from './document-store.ts';
import { success } from './envelope.ts';
import { bodyParameters } from './event-query.ts';
import { jsonOf, type Routed, type StorageRequest } from './request.ts';
import { pageOf, type Service } from './service.ts';
import { parseTypedQuery, TYPED_QUERIES, TYPES_OF_USE } from './typed-queries.ts';

/** `rest` is the path below `/query/k8s/dynamic`: `clusters/{clusterId}/<kind>`. GET, and POST with the parameters as a body. */
export function typedRoute(service: Service, request: StorageRequest, rest: readonly string[]): Routed {
  const [clusters, cluster, kind, ...more] = rest;
  if (clusters !== 'clusters' || cluster === undefined || kind === undefined || more.length > 0) return 'unknown';
  const typed = Object.hasOwn(TYPED_QUERIES, kind) ? TYPED_QUERIES[kind] : undefined;
  if (typed === undefined) return 'unknown';
  if (request.method !== 'GET' && request.method !== 'POST') return 'method';
  const run = async (): Promise<string> => {
    const get = request.method === 'GET' ? (name: string): string | null => request.params.get(name) : bodyParameters(jsonOf(request));
    if (kind === 'namespace' && (get('used') === '1' || request.params.get('used') === '1')) {
      return success(JSON.stringify(service.documents.namespacesOf(cluster, TYPES_OF_USE)));
    }
    const query = parseTypedQuery(typed, get);
    return success(listText(await pageOf(service, { cluster, type: typed.type, namespace: null }, query), query));
  };
  return { kind: 'list', shape: 'list', run };
}
