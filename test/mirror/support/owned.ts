import type { ObjectTree } from '../../../src/hollow/objects.ts';
import type { Hollow } from '../../../src/hollow/server.ts';
import { WORKLOAD_KIND, WORKLOAD_NAME } from '../../../src/transform/workload.ts';
import { until } from '../../support/until.ts';
import type { Copy } from '../copy.ts';

/** Kinds of owners, by Kind: the id and the apiVersion. */
const KINDS: Readonly<Record<string, readonly [string, string]>> = {
  Pod: ['pods', 'v1'],
  Node: ['nodes', 'v1'],
  ReplicaSet: ['replicasets.apps', 'apps/v1'],
  Deployment: ['deployments.apps', 'apps/v1'],
  Job: ['jobs.batch', 'batch/v1'],
  CronJob: ['cronjobs.batch', 'batch/v1'],
  Widget: ['widgets.example.com', 'example.com/v1'],
};

/** The uid of the first object of this kind and name, when nobody gave it another. */
export const uidOf = (kind: string, name: string): string => `uid-of-${kind}-${name}`;

/** A controller's reference: `ReplicaSet/web-1`, or with a uid of its own `ReplicaSet/web-1/uid`. */
export function controlledBy(owner: string): Record<string, unknown> {
  const [kind = '', name = '', uid = uidOf(kind, name)] = owner.split('/');
  return { apiVersion: KINDS[kind]?.[1] ?? 'v1', kind, name, uid, controller: true, blockOwnerDeletion: true };
}

/** Creates `ReplicaSet/web-1`, controlled by `owner` when there is one. */
export function create(hollow: Hollow, what: string, owner: string | null = null): ObjectTree {
  const [kind = '', name = '', uid = uidOf(kind, name)] = what.split('/');
  const [id = '', apiVersion = ''] = KINDS[kind] ?? [];
  const references = owner === null ? {} : { ownerReferences: [controlledBy(owner)] };
  const namespace = kind === 'Node' ? {} : { namespace: 'default' };
  return hollow.create(id, { apiVersion, kind, metadata: { name, uid, ...namespace, ...references }, spec: { containers: [] } });
}

/** Gives an object that exists another controller, or none: adoption, and orphaning. */
export function adopt(hollow: Hollow, what: string, owner: string | null): void {
  const [kind = '', name = ''] = what.split('/');
  hollow.patch(KINDS[kind]?.[0] ?? '', `default/${name}`, { metadata: { ownerReferences: owner === null ? null : [controlledBy(owner)] } });
}

export function remove(hollow: Hollow, what: string): void {
  const [kind = '', name = ''] = what.split('/');
  hollow.delete(KINDS[kind]?.[0] ?? '', kind === 'Node' ? name : `default/${name}`);
}

/** The hollow cluster has no Jobs of its own. */
export function createJobKinds(hollow: Hollow): void {
  for (const [plural, kind] of [
    ['jobs', 'Job'],
    ['cronjobs', 'CronJob'],
  ] as const) {
    hollow.create('customresourcedefinitions.apiextensions.k8s.io', {
      metadata: { name: `${plural}.batch` },
      spec: {
        group: 'batch',
        scope: 'Namespaced',
        names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    });
  }
}

/** What an object is told to belong to: `Deployment/web`; `none` without annotations. */
export function workloadIn(tree: ObjectTree): string {
  const annotations = tree.metadata?.annotations ?? {};
  return annotations[WORKLOAD_KIND] === undefined ? 'none' : `${annotations[WORKLOAD_KIND]}/${annotations[WORKLOAD_NAME]}`;
}

/** The pods of the copy and what they are told to belong to. */
export function workloads(copy: Copy, kind = 'pods'): Readonly<Record<string, string>> {
  return Object.fromEntries(copy.rows(kind).map(({ key, body }) => [key.slice('default/'.length), workloadIn(body)]));
}

/** Waits until the pods of the copy belong to what is expected. */
export async function belong(copy: Copy, expected: Readonly<Record<string, string>>, kind = 'pods'): Promise<void> {
  await until(`${kind} belong to ${JSON.stringify(expected)}`, () => {
    const found = workloads(copy, kind);
    const wrong = Object.keys({ ...expected, ...found }).filter((name) => found[name] !== expected[name]);
    if (wrong.length > 0) throw new Error(`${wrong.length} are wrong: ${wrong.slice(0, 3).map((name) => `${name} belongs to ${found[name]}`)}`);
    return true;
  });
}

/** The body of a row without the two annotations, as the cluster would show it. */
export function withoutWorkload(tree: ObjectTree): ObjectTree {
  const { annotations, ...metadata } = tree.metadata ?? {};
  const { [WORKLOAD_KIND]: _kind, [WORKLOAD_NAME]: _name, ...others } = annotations ?? {};
  return { ...tree, metadata: { ...metadata, ...(Object.keys(others).length === 0 ? {} : { annotations: others }) } };
}
