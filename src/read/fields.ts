import type { KindId } from '../model/kind.ts';
import { type FieldSelector, parseFieldSelector, SelectorError } from './selectors.ts';
import { isTree, type Tree, valueAt } from './tree.ts';

/** What a path reads as in an object that does not set it, where that is not the empty text. */
const UNSET: Readonly<Record<string, string>> = {
  'spec.unschedulable': 'false',
  'spec.hostNetwork': 'false',
  'status.replicas': '0',
  'status.successful': '0',
};

/** A path that is another one's name: `spec.host` is the old name of a pod's node. */
const ALIASES: Readonly<Record<string, string>> = { 'spec.host': 'spec.nodeName', 'status.successful': 'status.succeeded', source: 'source.component' };

const ABOUT = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'];

/** Paths beside `metadata.name` and `metadata.namespace` that the API server selects by (read contract, section 6). */
const FIELDS: Readonly<Record<KindId, readonly string[]>> = {
  pods: [
    ...['spec.nodeName', 'spec.host', 'spec.restartPolicy', 'spec.schedulerName', 'spec.serviceAccountName', 'spec.hostNetwork'],
    ...['status.phase', 'status.podIP', 'status.nominatedNodeName'],
  ],
  events: [...ABOUT.map((field) => `involvedObject.${field}`), 'reason', 'reportingComponent', 'source', 'type'],
  'events.events.k8s.io': [...ABOUT.map((field) => `regarding.${field}`), 'reason', 'reportingController', 'type'],
  namespaces: ['status.phase'],
  nodes: ['spec.unschedulable'],
  secrets: ['type'],
  services: ['spec.clusterIP', 'spec.type'],
  replicationcontrollers: ['status.replicas'],
  'replicasets.apps': ['status.replicas'],
  'jobs.batch': ['status.successful'],
  'certificatesigningrequests.certificates.k8s.io': ['spec.signerName'],
  'resourceslices.resource.k8s.io': ['spec.nodeName', 'spec.driver'],
};

/**
 * A field selector for one kind. A path that the API server does not select by is a SelectorError: a wrong path would otherwise match
 * nothing, or with `!=` everything. `more` are a custom kind's own paths.
 */
export function fieldMatcher(text: string, kind: KindId, more: readonly string[]): (object: Tree) => boolean {
  const selector: FieldSelector = parseFieldSelector(text);
  const known = ['metadata.name', 'metadata.namespace', ...(Object.hasOwn(FIELDS, kind) ? (FIELDS[kind] ?? []) : []), ...more];
  for (const { path } of selector.requirements) {
    if (!known.includes(path)) throw new SelectorError(`field label not supported: ${path}; ${kind} can be selected by ${known.join(', ')}`);
  }
  return (object) => selector.matches((path) => fieldOf(object, path));
}

function fieldOf(object: Tree, path: string): string {
  const value = valueAt(object, (Object.hasOwn(ALIASES, path) ? ALIASES[path] : undefined) ?? path);
  if (value === undefined || value === null) return (Object.hasOwn(UNSET, path) ? UNSET[path] : undefined) ?? '';
  return isTree(value) || Array.isArray(value) ? '' : String(value);
}
