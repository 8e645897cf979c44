import { ageOf } from './age.ts';
import {
  NONE,
  accessModes,
  address,
  balancerAddresses,
  bound,
  clusterIp,
  eventObject,
  eventSource,
  eventTimes,
  externalIp,
  ingressHosts,
  jobCompletions,
  jobDuration,
  jobStatus,
  labelsText,
  nodeRoles,
  nodeStatus,
  phase,
  selectorText,
  servicePorts,
  sizeOf,
} from './cells.ts';
import { podSummary } from './pods.ts';
import { AGE, type Column, column, NAME, wideColumn } from './table.ts';
import { countAt, hasTrueCondition, mapAt, textAt, type Tree, treesAt, valueAt } from './tree.ts';

const path = (title: string, where: string, fallback = ''): Column => column(title, (object) => textAt(object, where, fallback));
const count = (title: string, where: string): Column => column(title, (object) => String(countAt(object, where)));

const containersOf = (template: string): readonly Column[] => [
  wideColumn('CONTAINERS', (object) =>
    treesAt(object, `${template}.spec.containers`)
      .map((one) => textAt(one, 'name'))
      .join(','),
  ),
  wideColumn('IMAGES', (object) =>
    treesAt(object, `${template}.spec.containers`)
      .map((one) => textAt(one, 'image'))
      .join(','),
  ),
];
const WORKLOAD: readonly Column[] = [...containersOf('spec.template'), wideColumn('SELECTOR', (object) => selectorText(mapAt(object, 'spec.selector')))];

/** The API server reads no replicas as its default, 1. */
const desired = (object: Tree): number => Number(valueAt(object, 'spec.replicas') ?? 1);

const POD_COLUMNS: readonly Column[] = [
  NAME,
  column('READY', (pod, { nowMs }) => podSummary(pod, nowMs).ready),
  column('STATUS', (pod, { nowMs }) => podSummary(pod, nowMs).status),
  column('RESTARTS', (pod, { nowMs }) => podSummary(pod, nowMs).restarts),
  AGE,
  wideColumn('IP', (pod) => textAt(treesAt(pod, 'status.podIPs')[0] ?? {}, 'ip', textAt(pod, 'status.podIP', NONE))),
  wideColumn('NODE', (pod) => textAt(pod, 'spec.nodeName', NONE)),
  wideColumn('NOMINATED NODE', (pod) => textAt(pod, 'status.nominatedNodeName', NONE)),
  wideColumn('READINESS GATES', (pod) => {
    const gates = treesAt(pod, 'spec.readinessGates');
    return gates.length === 0 ? NONE : `${gates.filter((gate) => hasTrueCondition(pod, textAt(gate, 'conditionType'))).length}/${gates.length}`;
  }),
];

const EVENT_COLUMNS: readonly Column[] = [
  column('LAST SEEN', (event, { nowMs }) => ageOf(eventTimes(event).last, nowMs)),
  path('TYPE', 'type'),
  path('REASON', 'reason'),
  column('OBJECT', eventObject),
  wideColumn('SUBOBJECT', (event) => textAt(event, 'involvedObject.fieldPath', textAt(event, 'regarding.fieldPath'))),
  wideColumn('SOURCE', eventSource),
  column('MESSAGE', (event) => textAt(event, 'message', textAt(event, 'note')).trim()),
  wideColumn('FIRST SEEN', (event, { nowMs }) => ageOf(eventTimes(event).first, nowMs)),
  wideColumn('COUNT', (event) => String(eventTimes(event).count)),
  wideColumn('NAME', NAME.cell),
];

/**
 * The columns of built-in kinds as the API server's own printers give them, by kind id. Kinds that are not here have a name and an age.
 * Source: the tables that a 1.36 API server answers (read contract, section 7) and its printers' rules.
 */
const COLUMNS: Readonly<Record<string, readonly Column[]>> = {
  pods: POD_COLUMNS,
  'deployments.apps': [
    NAME,
    column('READY', (object) => `${countAt(object, 'status.readyReplicas')}/${desired(object)}`),
    count('UP-TO-DATE', 'status.updatedReplicas'),
    count('AVAILABLE', 'status.availableReplicas'),
    AGE,
    ...WORKLOAD,
  ],
  'replicasets.apps': [
    NAME,
    column('DESIRED', (object) => String(desired(object))),
    count('CURRENT', 'status.replicas'),
    count('READY', 'status.readyReplicas'),
    AGE,
    ...WORKLOAD,
  ],
  'statefulsets.apps': [
    NAME,
    column('READY', (object) => `${countAt(object, 'status.readyReplicas')}/${desired(object)}`),
    AGE,
    ...containersOf('spec.template'),
  ],
  'daemonsets.apps': [
    NAME,
    count('DESIRED', 'status.desiredNumberScheduled'),
    count('CURRENT', 'status.currentNumberScheduled'),
    count('READY', 'status.numberReady'),
    count('UP-TO-DATE', 'status.updatedNumberScheduled'),
    count('AVAILABLE', 'status.numberAvailable'),
    column('NODE SELECTOR', (object) => labelsText(mapAt(object, 'spec.template.spec.nodeSelector'))),
    AGE,
    ...WORKLOAD,
  ],
  services: [
    NAME,
    path('TYPE', 'spec.type'),
    column('CLUSTER-IP', clusterIp),
    column('EXTERNAL-IP', (service, { isWide }) => externalIp(service, isWide)),
    column('PORT(S)', servicePorts),
    AGE,
    wideColumn('SELECTOR', (service) => labelsText(mapAt(service, 'spec.selector'))),
  ],
  nodes: [
    NAME,
    column('STATUS', nodeStatus),
    column('ROLES', nodeRoles),
    AGE,
    path('VERSION', 'status.nodeInfo.kubeletVersion'),
    wideColumn('INTERNAL-IP', address('InternalIP')),
    wideColumn('EXTERNAL-IP', address('ExternalIP')),
    ...(['osImage', 'kernelVersion', 'containerRuntimeVersion'] as const).map((field, index) =>
      wideColumn(['OS-IMAGE', 'KERNEL-VERSION', 'CONTAINER-RUNTIME'][index] ?? '', (node) => textAt(node, `status.nodeInfo.${field}`, '<unknown>')),
    ),
  ],
  namespaces: [NAME, path('STATUS', 'status.phase'), AGE],
  configmaps: [NAME, column('DATA', (object) => String(Number(sizeOf(object, 'data')) + Number(sizeOf(object, 'binaryData')))), AGE],
  secrets: [NAME, path('TYPE', 'type'), column('DATA', (object) => sizeOf(object, 'data')), AGE],
  events: EVENT_COLUMNS,
  'events.events.k8s.io': EVENT_COLUMNS,
  'jobs.batch': [
    NAME,
    column('STATUS', jobStatus),
    column('COMPLETIONS', jobCompletions),
    column('DURATION', (job, { nowMs }) => jobDuration(job, nowMs)),
    AGE,
    ...WORKLOAD,
  ],
  'cronjobs.batch': [
    NAME,
    path('SCHEDULE', 'spec.schedule'),
    path('TIMEZONE', 'spec.timeZone', NONE),
    column('SUSPEND', (job) => (valueAt(job, 'spec.suspend') === true ? 'True' : 'False')),
    column('ACTIVE', (job) => String(treesAt(job, 'status.active').length)),
    column('LAST SCHEDULE', (job, { nowMs }) => (textAt(job, 'status.lastScheduleTime') === '' ? NONE : ageOf(textAt(job, 'status.lastScheduleTime'), nowMs))),
    AGE,
    ...containersOf('spec.jobTemplate.spec.template'),
    wideColumn('SELECTOR', (job) => selectorText(mapAt(job, 'spec.jobTemplate.spec.selector'))),
  ],
  persistentvolumeclaims: [
    NAME,
    column('STATUS', phase),
    path('VOLUME', 'spec.volumeName'),
    column('CAPACITY', (claim) => bound(claim, textAt(claim, 'status.capacity.storage'))),
    column('ACCESS MODES', (claim) => bound(claim, accessModes(claim, 'status.accessModes'))),
    path('STORAGECLASS', 'spec.storageClassName'),
    path('VOLUMEATTRIBUTESCLASS', 'spec.volumeAttributesClassName', '<unset>'),
    AGE,
    wideColumn('VOLUMEMODE', (claim) => textAt(claim, 'spec.volumeMode', '<unset>')),
  ],
  persistentvolumes: [
    NAME,
    path('CAPACITY', 'spec.capacity.storage'),
    column('ACCESS MODES', (volume) => accessModes(volume, 'spec.accessModes')),
    path('RECLAIM POLICY', 'spec.persistentVolumeReclaimPolicy'),
    column('STATUS', phase),
    column('CLAIM', (volume) =>
      valueAt(volume, 'spec.claimRef') === undefined ? '' : `${textAt(volume, 'spec.claimRef.namespace')}/${textAt(volume, 'spec.claimRef.name')}`,
    ),
    path('STORAGECLASS', 'spec.storageClassName'),
    path('VOLUMEATTRIBUTESCLASS', 'spec.volumeAttributesClassName', '<unset>'),
    path('REASON', 'status.reason'),
    AGE,
    wideColumn('VOLUMEMODE', (volume) => textAt(volume, 'spec.volumeMode', '<unset>')),
  ],
  'ingresses.networking.k8s.io': [
    NAME,
    path('CLASS', 'spec.ingressClassName', NONE),
    column('HOSTS', ingressHosts),
    column('ADDRESS', (ingress, { isWide }) => balancerAddresses(ingress, isWide)),
    column('PORTS', (ingress) => (treesAt(ingress, 'spec.tls').length === 0 ? '80' : '80, 443')),
    AGE,
  ],
  'leases.coordination.k8s.io': [NAME, path('HOLDER', 'spec.holderIdentity'), AGE],
  'customresourcedefinitions.apiextensions.k8s.io': [NAME, path('CREATED AT', 'metadata.creationTimestamp', '<unknown>')],
};

const PLAIN: readonly Column[] = [NAME, AGE];

/** The columns of a built-in kind; name and age for one that has no others. */
export function builtinColumns(kind: string): readonly Column[] {
  return (Object.hasOwn(COLUMNS, kind) ? COLUMNS[kind] : undefined) ?? PLAIN;
}
