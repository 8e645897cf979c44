import { type Kind, type KindId, kindId } from '../model/kind.ts';
import { parseFieldSelector } from '../read/selectors.ts';

const CORE_EVENT = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'];

/** Fields that the API server can select by, beside metadata.name and metadata.namespace (read-contract.md section 6). Custom resources may have more; theirs are evaluated here. */
const SERVER_FIELDS: Readonly<Record<KindId, readonly string[]>> = {
  pods: [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.podIPs',
    'status.nominatedNodeName',
  ],
  events: [...CORE_EVENT.map((field) => `involvedObject.${field}`), 'reason', 'reportingComponent', 'source', 'type'],
  'events.events.k8s.io': [...CORE_EVENT.map((field) => `regarding.${field}`), 'reason', 'reportingController', 'type'],
  namespaces: ['status.phase'],
  nodes: ['spec.unschedulable'],
  secrets: ['type'],
  services: ['spec.clusterIP', 'spec.type'],
  replicationcontrollers: ['status.replicas'],
  'jobs.batch': ['status.successful'],
  'certificatesigningrequests.certificates.k8s.io': ['spec.signerName'],
  'resourceslices.resource.k8s.io': ['spec.nodeName', 'spec.driver'],
};

export function serverSelects(kind: Kind, field: string): boolean {
  if (field === 'metadata.name') return true;
  if (field === 'metadata.namespace') return kind.namespaced;
  return SERVER_FIELDS[kindId(kind)]?.includes(field) ?? false;
}

/** The terms of a field selector that the server can evaluate for the kind, and the others; each joined again, or null when empty. */
export function splitFieldSelector(kind: Kind, selector: string): { readonly server: string | null; readonly client: string | null } {
  const server: string[] = [];
  const client: string[] = [];
  for (const { path, operator, value } of parseFieldSelector(selector).requirements) {
    (serverSelects(kind, path) ? server : client).push(`${path}${operator}${escapeValue(value)}`);
  }
  return { server: joinTerms(server), client: joinTerms(client) };
}

export function joinTerms(terms: readonly string[]): string | null {
  return terms.length === 0 ? null : terms.join(',');
}

/** A value with the three characters escaped that mean something in a field selector. */
export function escapeValue(value: string): string {
  return value.replace(/[\\,=]/g, '\\$&');
}
