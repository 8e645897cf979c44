import { createHash } from 'node:crypto';
import type { StoredKind, View } from './kinds.ts';
import type { Tree } from './objects.ts';
import type { World } from './world.ts';

/** Exactly this text, or clients do not recognize the aggregated document (read-contract rule 2). */
export const AGGREGATED_TYPE = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

const VERBS = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'];

/** How discovery misbehaves, or is older than 1.30. */
export interface DiscoverySwitches {
  /** Off: only the legacy documents, as old servers have them. */
  aggregated: boolean;
  /** `metrics.k8s.io/v1beta1`: group-versions whose backend does not answer: stale and empty, 503 in the legacy documents. */
  broken: readonly string[];
}

/** Whether the client lists the aggregated document among what it takes. */
export function wantsAggregated(accept: string | undefined): boolean {
  return (accept ?? '').split(',').some((entry) => {
    const parts = entry.split(';').map((part) => part.trim());
    return parts[0] === 'application/json' && parts.includes('g=apidiscovery.k8s.io') && parts.includes('v=v2') && parts.includes('as=APIGroupDiscoveryList');
  });
}

export interface Document {
  readonly text: string;
  readonly etag: string;
}

/** `/api` (core) or `/apis` (all other groups), aggregated. */
export function aggregated(world: World, core: boolean, broken: readonly string[]): Document {
  const items = groups(world, broken)
    .filter((group) => (group.name === '') === core)
    .map((group) => ({
      metadata: group.name === '' ? {} : { name: group.name },
      versions: group.versions.map((version) => {
        const isBroken = broken.includes(`${group.name}/${version}`);
        return {
          version,
          resources: isBroken ? [] : group.views.filter((view) => view.version === version).map(resource),
          freshness: isBroken ? 'Stale' : 'Current',
        };
      }),
    }));
  const text = `${JSON.stringify({ kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2', metadata: {}, items })}\n`;
  return { text, etag: `"${createHash('sha256').update(text).digest('hex').toUpperCase()}"` };
}

function resource(view: View): Tree {
  const { stored } = view;
  const responseKind = { group: view.group, version: view.group === '' ? '' : view.version, kind: view.kind };
  return {
    resource: stored.resource,
    responseKind: view.group === '' ? { group: '', version: '', kind: view.kind } : responseKind,
    scope: stored.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: stored.singular,
    verbs: VERBS,
    ...(stored.shortNames.length === 0 ? {} : { shortNames: stored.shortNames }),
    ...(stored.categories.length === 0 ? {} : { categories: stored.categories }),
    ...(stored.hasStatus ? { subresources: [{ subresource: 'status', responseKind, verbs: ['get', 'patch', 'update'] }] } : {}),
  };
}

interface Group {
  readonly name: string;
  /** Preferred first. */
  readonly versions: readonly string[];
  readonly views: readonly View[];
}

function groups(world: World, broken: readonly string[]): readonly Group[] {
  const views = [...world.kinds()].flatMap((served) => served.views);
  // Groups that only lend another name to a kind come after those that own kinds.
  const owners = [...world.kinds()].flatMap((served) => served.views.slice(0, 1)).map((view) => view.group);
  const names = [...new Set([...owners, ...views.map((view) => view.group), ...broken.map(groupOf)])];
  return names.map((name) => {
    const own = views.filter((view) => view.group === name);
    const extra = broken.filter((groupVersion) => groupOf(groupVersion) === name).map((groupVersion) => groupVersion.slice(name.length + 1));
    return { name, versions: [...new Set([...own.map((view) => view.version), ...extra])].sort(byPriority), views: own };
  });
}

const groupOf = (groupVersion: string): string => groupVersion.slice(0, groupVersion.indexOf('/'));

/** `v2`, `v1`, `v1beta2`, `v1alpha1`, then others by name: which version is preferred. */
export function byPriority(a: string, b: string): number {
  const [x, y] = [rank(a), rank(b)];
  for (let index = 0; index < 3; index += 1) if (x[index] !== y[index]) return (y[index] ?? 0) - (x[index] ?? 0);
  return a < b ? -1 : a > b ? 1 : 0;
}

function rank(version: string): readonly number[] {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
  if (match === null) return [-1, 0, 0];
  return [match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0, Number(match[1]), Number(match[3] ?? 0)];
}

/** `/api` */
export function legacyVersions(address: string): Tree {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }] };
}

/** `/apis` */
export function legacyGroups(world: World, broken: readonly string[]): Tree {
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: groups(world, broken)
      .filter((group) => group.name !== '')
      .map(legacyGroup),
  };
}

/** `/apis/G`; null when there is no such group. */
export function legacyGroupOf(world: World, name: string, broken: readonly string[]): Tree | null {
  const group = groups(world, broken).find((one) => one.name === name);
  return group === undefined || name === '' ? null : { kind: 'APIGroup', apiVersion: 'v1', ...legacyGroup(group) };
}

function legacyGroup({ name, versions }: Group): Tree {
  const all = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: all, preferredVersion: all[0] };
}

/** `/api/v1`, `/apis/G/V`; null when there is no such version. */
export function legacyResources(world: World, group: string, version: string): Tree | null {
  const views = [...world.kinds()].flatMap((served) => served.views).filter((view) => view.group === group && view.version === version);
  if (views.length === 0) return null;
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: group === '' ? version : `${group}/${version}`, resources: views.flatMap(legacyResource) };
}

function legacyResource(view: View): readonly Tree[] {
  const { stored } = view;
  const common = { namespaced: stored.namespaced, kind: view.kind };
  const main = {
    name: stored.resource,
    singularName: stored.singular,
    ...common,
    verbs: VERBS,
    ...(stored.shortNames.length === 0 ? {} : { shortNames: stored.shortNames }),
    ...(stored.categories.length === 0 ? {} : { categories: stored.categories }),
    storageVersionHash: storageHash(stored),
  };
  return stored.hasStatus ? [main, { name: `${stored.resource}/status`, singularName: '', ...common, verbs: ['get', 'patch', 'update'] }] : [main];
}

/** Tells clients which kinds of two groups are one. */
function storageHash(stored: StoredKind): string {
  return createHash('sha256').update(`${stored.group}/${stored.version}/${stored.kind}`).digest('base64').slice(0, 11).concat('=');
}

/** `/version` */
export const VERSION: Tree = {
  major: '1',
  minor: '36',
  gitVersion: 'v1.36.3+hollow',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '2026-01-01T00:00:00Z',
  goVersion: 'none',
  compiler: 'none',
  platform: 'linux/amd64',
};

/** `/openapi/v3`: where the stubs are. */
export function openapiIndex(world: World): Tree {
  const paths: Tree = {};
  for (const served of world.kinds()) {
    for (const view of served.views) {
      const path = view.group === '' ? `api/${view.version}` : `apis/${view.group}/${view.version}`;
      paths[path] = { serverRelativeURL: `/openapi/v3/${path}` };
    }
  }
  return { paths };
}

/** A stub that is enough for kubectl create, apply and edit: each kind has a PATCH that takes fieldValidation (read-contract section 9). */
export function openapiDocument(world: World, group: string, version: string): Tree | null {
  const paths: Tree = {};
  for (const view of [...world.kinds()].flatMap((served) => served.views)) {
    if (view.group !== group || view.version !== version) continue;
    const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
    paths[`${root}${view.stored.namespaced ? '/namespaces/{namespace}' : ''}/${view.stored.resource}/{name}`] = {
      patch: {
        parameters: [
          { name: 'fieldValidation', in: 'query', schema: { type: 'string' } },
          { name: 'dryRun', in: 'query', schema: { type: 'string' } },
        ],
        responses: {},
        'x-kubernetes-action': 'patch',
        'x-kubernetes-group-version-kind': { group, version, kind: view.kind },
      },
    };
  }
  return Object.keys(paths).length === 0 ? null : { openapi: '3.0.0', info: { title: 'Kubernetes', version: 'v1.36.3' }, paths };
}
