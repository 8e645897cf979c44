import type { Kind } from '../../model/kind.ts';

const kind = (group: string, version: string, resource: string, name: string, namespaced = true): Kind => ({
  group,
  version,
  resource,
  kind: name,
  namespaced,
  singular: name.toLowerCase(),
  shortNames: [],
  categories: [],
});

/** The kinds that loads change. */
export const PODS = kind('', 'v1', 'pods', 'Pod');
export const NODES = kind('', 'v1', 'nodes', 'Node', false);
/** Of the newer group: those of the core group have a route of their own in the HTTP service, which keeps them by age. */
export const EVENTS = kind('events.k8s.io', 'v1', 'events', 'Event');
export const SERVICES = kind('', 'v1', 'services', 'Service');
export const LEASES = kind('coordination.k8s.io', 'v1', 'leases', 'Lease');
export const SLICES = kind('discovery.k8s.io', 'v1', 'endpointslices', 'EndpointSlice');

export const LOAD_KINDS: readonly Kind[] = [PODS, NODES, EVENTS, SERVICES, LEASES, SLICES];
