import { type DiscoveredGroup, type DiscoveredResource, record, records, text, texts } from './discovered.ts';

/** v2 since 1.30, v2beta1 for 1.26 to 1.29, plain JSON for the rest: the server picks the first it knows (kubectl sends the same). */
export const AGGREGATED_ACCEPT = [
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
  'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList',
  'application/json',
].join(',');

/** Whether `/api` or `/apis` answered with the aggregated document, and not with the plain list of an older server. */
export function isAggregated(document: unknown): boolean {
  return text(record(document)['kind']) === 'APIGroupDiscoveryList';
}

/** Reads an APIGroupDiscoveryList. Groups behind an aggregated API server that did not answer are `Stale`, often without resources. */
export function readAggregated(document: unknown): DiscoveredGroup[] {
  return records(record(document)['items']).map((item) => {
    const group = text(record(item['metadata'])['name']);
    return {
      name: group,
      versions: records(item['versions']).map((entry) => {
        const version = text(entry['version']);
        const isStale = text(entry['freshness']) === 'Stale';
        return {
          version,
          resources: records(entry['resources']).map((resource) => readResource(resource, group, version)),
          broken: isStale ? 'its discovery is stale: the API server behind this group does not answer' : null,
        };
      }),
    };
  });
}

function readResource(resource: Record<string, unknown>, group: string, version: string): DiscoveredResource {
  const name = text(resource['resource']);
  return {
    group,
    version,
    resource: name,
    kind: text(record(resource['responseKind'])['kind']),
    namespaced: text(resource['scope']) === 'Namespaced',
    singular: text(resource['singularResource']),
    shortNames: texts(resource['shortNames']),
    categories: texts(resource['categories']),
    verbs: texts(resource['verbs']),
  };
}
