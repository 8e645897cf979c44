import { apiVersionOf, kindId } from '../model/kind.ts';
import type { Kind } from '../model/kind.ts';
import type { Encoding, ObjectTree, Tree } from './objects.ts';

/** One stored resource type: all its versions and aliases share its objects. */
export interface StoredKind extends Kind, Encoding {
  /** Whether `/status` exists, and the main resource therefore ignores status. */
  readonly hasStatus: boolean;
  /** A watch of it never gets a periodic bookmark (events have no watch cache). */
  readonly bookmarks: boolean;
}

/** A stored kind as one group and version serves it. */
export interface View {
  readonly stored: StoredKind;
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly apiVersion: string;
  /** What an object of a watch or GET begins with, before its bytes. */
  readonly prefix: Buffer;
  /** What an item of a list begins with. */
  readonly itemPrefix: Buffer;
  /** Null when the stored bytes are already right for this view. */
  readonly convert: { readonly out: (tree: ObjectTree) => ObjectTree; readonly in: (tree: ObjectTree) => ObjectTree } | null;
  /** Selectable paths of this view, each with the stored path that it reads. */
  readonly fields: ReadonlyMap<string, string>;
  /** What a bookmark's object has beside metadata, as text: the empty shape of the kind. */
  readonly emptyShape: string;
  /** Additional columns of `kubectl get`, from the CRD. */
  readonly columns: readonly PrinterColumn[];
}

export interface PrinterColumn {
  readonly name: string;
  readonly type: string;
  readonly jsonPath: string;
  readonly priority?: number;
  readonly format?: string;
  readonly description?: string;
}

interface Row {
  readonly group?: string;
  readonly resource: string;
  readonly kind: string;
  readonly cluster?: boolean;
  readonly short?: readonly string[];
  readonly categories?: readonly string[];
  readonly fields?: readonly string[];
  /** Selectable, but not kept beside the bytes. */
  readonly cold?: readonly string[];
  readonly status?: boolean;
  readonly bookmarks?: boolean;
  readonly shape?: string;
}

const POD_FIELDS = ['spec.nodeName', 'status.phase'];
const COLD_POD_FIELDS = [
  'spec.restartPolicy',
  'spec.schedulerName',
  'spec.serviceAccountName',
  'spec.hostNetwork',
  'status.podIP',
  'status.podIPs',
  'status.nominatedNodeName',
];
const REFERENCE = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'];
const EVENT_FIELDS = ['involvedObject.namespace', 'involvedObject.name', 'involvedObject.uid'];
const COLD_EVENT_FIELDS = [
  'involvedObject.kind',
  'involvedObject.apiVersion',
  'involvedObject.resourceVersion',
  'involvedObject.fieldPath',
  'reason',
  'reportingComponent',
  'source.component',
  'type',
];

const SPEC_STATUS = ',"spec":{},"status":{}';

const ROWS: readonly Row[] = [
  { resource: 'namespaces', kind: 'Namespace', cluster: true, short: ['ns'], fields: ['status.phase'], status: true, shape: SPEC_STATUS },
  { resource: 'nodes', kind: 'Node', cluster: true, short: ['no'], fields: ['spec.unschedulable'], status: true, shape: SPEC_STATUS },
  {
    resource: 'pods',
    kind: 'Pod',
    short: ['po'],
    categories: ['all'],
    fields: POD_FIELDS,
    cold: COLD_POD_FIELDS,
    status: true,
    shape: ',"spec":{"containers":null},"status":{}',
  },
  {
    resource: 'services',
    kind: 'Service',
    short: ['svc'],
    categories: ['all'],
    fields: ['spec.clusterIP', 'spec.type'],
    status: true,
    shape: ',"spec":{},"status":{"loadBalancer":{}}',
  },
  { resource: 'configmaps', kind: 'ConfigMap', short: ['cm'] },
  { resource: 'secrets', kind: 'Secret', fields: ['type'] },
  {
    resource: 'events',
    kind: 'Event',
    short: ['ev'],
    fields: EVENT_FIELDS,
    cold: COLD_EVENT_FIELDS,
    bookmarks: false,
    shape: ',"involvedObject":{},"source":{},"firstTimestamp":null,"lastTimestamp":null,"eventTime":null,"reportingComponent":"","reportingInstance":""',
  },
  {
    group: 'apps',
    resource: 'deployments',
    kind: 'Deployment',
    short: ['deploy'],
    categories: ['all'],
    status: true,
    shape: ',"spec":{"selector":null,"template":{"metadata":{},"spec":{"containers":null}},"strategy":{}},"status":{}',
  },
  {
    group: 'apps',
    resource: 'replicasets',
    kind: 'ReplicaSet',
    short: ['rs'],
    categories: ['all'],
    fields: ['status.replicas'],
    status: true,
    shape: ',"spec":{"selector":null,"template":{"metadata":{},"spec":{"containers":null}}},"status":{"replicas":0}',
  },
  { group: 'coordination.k8s.io', resource: 'leases', kind: 'Lease', shape: ',"spec":{}' },
  { group: 'discovery.k8s.io', resource: 'endpointslices', kind: 'EndpointSlice', shape: ',"addressType":"","endpoints":null,"ports":null' },
  {
    group: 'apiextensions.k8s.io',
    resource: 'customresourcedefinitions',
    kind: 'CustomResourceDefinition',
    cluster: true,
    short: ['crd', 'crds'],
    categories: ['api-extensions'],
    status: true,
    shape:
      ',"spec":{"group":"","names":{"plural":"","kind":""},"scope":"","versions":null},"status":{"conditions":null,"acceptedNames":{"plural":"","kind":""},"storedVersions":null}',
  },
];

export const CRD_ID = 'customresourcedefinitions.apiextensions.k8s.io';

/** The kinds every hollow cluster has, with their views. Events are served by two groups. */
export function builtinViews(): readonly View[] {
  const views = ROWS.map((row): View => {
    const stored: StoredKind = {
      group: row.group ?? '',
      version: 'v1',
      resource: row.resource,
      kind: row.kind,
      namespaced: row.cluster !== true,
      singular: row.kind.toLowerCase(),
      shortNames: row.short ?? [],
      categories: row.categories ?? [],
      custom: false,
      fields: row.fields ?? [],
      hasStatus: row.status === true,
      bookmarks: row.bookmarks !== false,
    };
    const paths = new Map([...stored.fields, ...(row.cold ?? [])].map((path) => [path, path]));
    if (stored.resource === 'pods') paths.set('spec.host', 'spec.nodeName');
    if (stored.resource === 'events') paths.set('source', 'source.component');
    return { stored, ...served(stored, stored.group, stored.version), convert: null, fields: paths, emptyShape: row.shape ?? '', columns: [] };
  });
  const events = views.find((view) => view.stored.resource === 'events');
  return events === undefined ? views : [...views, newEventsView(events.stored)];
}

function served(stored: StoredKind, group: string, version: string): Pick<View, 'group' | 'version' | 'kind' | 'apiVersion' | 'prefix' | 'itemPrefix'> {
  const apiVersion = apiVersionOf({ group, version });
  return {
    group,
    version,
    kind: stored.kind,
    apiVersion,
    prefix: Buffer.from(stored.custom ? '' : `{"kind":${JSON.stringify(stored.kind)},"apiVersion":${JSON.stringify(apiVersion)},`),
    itemPrefix: Buffer.from(stored.custom ? '' : '{'),
  };
}

/** events.k8s.io/v1: the same objects under other names. */
function newEventsView(stored: StoredKind): View {
  const fields = new Map<string, string>(REFERENCE.map((field) => [`regarding.${field}`, `involvedObject.${field}`]));
  for (const path of ['reason', 'type']) fields.set(path, path);
  fields.set('reportingController', 'reportingComponent');
  return {
    stored,
    ...served(stored, 'events.k8s.io', 'v1'),
    convert: { out: (tree) => renamed(tree, OLD_TO_NEW), in: (tree) => renamed(tree, NEW_TO_OLD) },
    fields,
    emptyShape: ',"eventTime":null,"regarding":{},"deprecatedSource":{},"deprecatedFirstTimestamp":null,"deprecatedLastTimestamp":null',
    columns: [],
  };
}

const OLD_TO_NEW: ReadonlyMap<string, string> = new Map([
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
]);
const NEW_TO_OLD: ReadonlyMap<string, string> = new Map([...OLD_TO_NEW].map(([from, to]) => [to, from]));

function renamed(tree: ObjectTree, names: ReadonlyMap<string, string>): ObjectTree {
  return Object.fromEntries(Object.entries(tree).map(([key, value]) => [names.get(key) ?? key, value]));
}

interface CrdVersion {
  readonly name: string;
  readonly served?: boolean;
  readonly storage?: boolean;
  readonly subresources?: Tree;
  readonly selectableFields?: readonly { readonly jsonPath: string }[];
  readonly additionalPrinterColumns?: readonly PrinterColumn[];
}

export interface CrdSpec {
  readonly group: string;
  readonly scope: string;
  readonly names: {
    readonly plural: string;
    readonly singular?: string;
    readonly kind: string;
    readonly listKind?: string;
    readonly shortNames?: readonly string[];
    readonly categories?: readonly string[];
  };
  readonly versions: readonly CrdVersion[];
}

/** The views a CRD asks for, one per served version; objects are kept at its storage version. */
export function customViews(spec: CrdSpec): readonly View[] {
  const storage = spec.versions.find((version) => version.storage === true) ?? spec.versions[0];
  if (storage === undefined) return [];
  const paths = [...new Set(spec.versions.flatMap((version) => (version.selectableFields ?? []).map(pathOf)))];
  const stored: StoredKind = {
    group: spec.group,
    version: storage.name,
    resource: spec.names.plural,
    kind: spec.names.kind,
    namespaced: spec.scope !== 'Cluster',
    singular: spec.names.singular ?? spec.names.kind.toLowerCase(),
    shortNames: spec.names.shortNames ?? [],
    categories: spec.names.categories ?? [],
    custom: true,
    fields: paths,
    hasStatus: spec.versions.some((version) => version.subresources?.['status'] !== undefined),
    bookmarks: true,
  };
  return spec.versions
    .filter((version) => version.served !== false)
    .map((version): View => {
      const base = served(stored, spec.group, version.name);
      const relabelled =
        (to: string) =>
        (tree: ObjectTree): ObjectTree => ({ ...tree, apiVersion: apiVersionOf({ group: spec.group, version: to }) });
      return {
        stored,
        ...base,
        convert: version.name === storage.name ? null : { out: relabelled(version.name), in: relabelled(storage.name) },
        fields: new Map((version.selectableFields ?? []).map((field) => [pathOf(field), pathOf(field)])),
        emptyShape: '',
        columns: version.additionalPrinterColumns ?? [],
      };
    });
}

const pathOf = ({ jsonPath }: { readonly jsonPath: string }): string => jsonPath.replace(/^\./, '');

/** `pods`, `deployments.apps`, by which the in-process API names kinds. */
export function storedId(view: View): string {
  return kindId(view.stored);
}

/** Where a view is served: `/api/v1/pods`, `/apis/apps/v1/deployments`. */
export function viewId(group: string, version: string, resource: string): string {
  return `${group}/${version}/${resource}`;
}
