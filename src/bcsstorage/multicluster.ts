import { listText } from './document-store.ts';
import type { DocumentRow } from './documents.ts';
import { success } from './envelope.ts';
import { parseMulticlusterQuery } from './multicluster-query.ts';
import { jsonOf, type Route, type StorageRequest } from './request.ts';
import { matchingChunks, type Service } from './service.ts';

/** POST `multicluster_resources/{resourceType}`: documents of several clusters, newest first, with how many there are. */
export function multiclusterRoute(service: Service, request: StorageRequest, type: string): Route | 'method' {
  if (request.method !== 'POST') return 'method';
  const run = async (): Promise<string> => {
    const query = parseMulticlusterQuery(jsonOf(request));
    const page: DocumentRow[] = [];
    let total = 0;
    for await (const rows of matchingChunks(service.documents.newestFirst(type, query.clusters), query)) {
      for (const row of rows) if (total++ >= query.offset && page.length < query.limit) page.push(row);
    }
    return success(listText(page, query), { total, pageSize: query.limit, offset: query.offset });
  };
  return { kind: 'list', shape: 'list', run };
}
