import { apiVersionOf, type Kind, type KindId, kindId } from '../model/kind.ts';
import type { Discovery } from './cluster.ts';
import type { DiscoveredGroup, DiscoveredResource } from './discovered.ts';

/**
 * Kinds that one object store serves under two groups, so that the same object (same uid) would be mirrored twice:
 * left is dropped when right is served too. Only `events` is left in current servers; `extensions` went in 1.22 and before.
 */
export const ALIASES: ReadonlyMap<KindId, KindId> = new Map([
  ['events.events.k8s.io', 'events'],
  ['daemonsets.extensions', 'daemonsets.apps'],
  ['deployments.extensions', 'deployments.apps'],
  ['replicasets.extensions', 'replicasets.apps'],
  ['ingresses.extensions', 'ingresses.networking.k8s.io'],
  ['networkpolicies.extensions', 'networkpolicies.networking.k8s.io'],
  ['podsecuritypolicies.extensions', 'podsecuritypolicies.policy'],
]);

/**
 * Every kind that can be listed and watched, once: at the first version of its group that serves it, under one of its
 * groups. A group-version that is broken takes nothing from the others; while a preferred one is broken a kind may show
 * under a later version, or not at all, so a caller keeps what it knew about the kinds of a broken group.
 */
export function preferredKinds(groups: readonly DiscoveredGroup[]): Discovery {
  const kinds = new Map<KindId, Kind>();
  const broken: { groupVersion: string; error: string }[] = [];
  for (const group of groups) {
    for (const { version, resources, broken: error } of group.versions) {
      if (error !== null) broken.push({ groupVersion: apiVersionOf({ group: group.name, version }), error });
      for (const resource of resources) {
        const id = kindId(resource);
        if (!kinds.has(id) && canMirror(resource)) kinds.set(id, withoutVerbs(resource));
      }
    }
  }
  for (const [alias, original] of ALIASES) {
    if (kinds.has(original)) kinds.delete(alias);
  }
  return { kinds: [...kinds.values()], broken };
}

function canMirror(resource: DiscoveredResource): boolean {
  return resource.resource !== '' && resource.kind !== '' && resource.verbs.includes('list') && resource.verbs.includes('watch');
}

function withoutVerbs({ verbs: _, ...kind }: DiscoveredResource): Kind {
  return kind;
}
