import type { Kind } from '../../src/model/kind.ts';

/** A kind as discovery would describe it: `apps/v1 deployments Deployment deploy`, cluster-scoped with a leading `!`. */
export function kindOf(text: string): Kind {
  const [apiVersion = '', resource = '', kind = '', ...shortNames] = text.replace('!', '').split(' ');
  const slash = apiVersion.indexOf('/');
  return {
    group: slash === -1 ? '' : apiVersion.slice(0, slash),
    version: apiVersion.slice(slash + 1),
    resource,
    kind,
    namespaced: !text.startsWith('!'),
    singular: kind.toLowerCase(),
    shortNames,
    categories: [],
  };
}

export const PODS = kindOf('v1 pods Pod po');
export const NODES = kindOf('!v1 nodes Node no');
export const SECRETS = kindOf('v1 secrets Secret');
export const LEASES = kindOf('coordination.k8s.io/v1 leases Lease');
export const DEPLOYMENTS = kindOf('apps/v1 deployments Deployment deploy');
export const WIDGETS = kindOf('example.com/v1 widgets Widget wd');
export const CONFIG_MAPS = kindOf('v1 configmaps ConfigMap cm');
export const NAMESPACES = kindOf('!v1 namespaces Namespace ns');

export const CLUSTER: readonly Kind[] = [PODS, NODES, SECRETS, LEASES, DEPLOYMENTS, WIDGETS, CONFIG_MAPS, NAMESPACES];
