import { groupOf } from '../../model/kind.ts';

/**
 * Kinds of Kubernetes itself by group, to leave out patterns that can match nothing (`batch/v1/Pod`). Only for groups that no CRD can have;
 * a Kind that stands nowhere here may be in any group.
 */
const KINDS_OF: Readonly<Record<string, readonly string[]>> = {
  '': [
    ...['Pod', 'Service', 'Node', 'Namespace', 'Event', 'PersistentVolume', 'PersistentVolumeClaim', 'ReplicationController', 'ResourceQuota', 'LimitRange'],
    ...['PodTemplate', 'ConfigMap', 'Secret', 'Endpoints', 'ServiceAccount', 'ComponentStatus', 'Binding'],
  ],
  apps: ['Deployment', 'DaemonSet', 'StatefulSet', 'ReplicaSet', 'ControllerRevision'],
  extensions: ['Deployment', 'DaemonSet', 'ReplicaSet', 'Ingress', 'NetworkPolicy', 'PodSecurityPolicy', 'ReplicationControllerDummy'],
  autoscaling: ['HorizontalPodAutoscaler'],
  batch: ['Job', 'CronJob'],
  policy: ['PodDisruptionBudget', 'PodSecurityPolicy'],
  'admissionregistration.k8s.io': ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'],
  'apiextensions.k8s.io': ['CustomResourceDefinition'],
  'apiregistration.k8s.io': ['APIService'],
  'coordination.k8s.io': ['Lease', 'LeaseCandidate'],
  'discovery.k8s.io': ['EndpointSlice'],
  'events.k8s.io': ['Event'],
  'networking.k8s.io': ['Ingress', 'IngressClass', 'NetworkPolicy', 'IPAddress', 'ServiceCIDR'],
  'node.k8s.io': ['RuntimeClass'],
  'rbac.authorization.k8s.io': ['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding'],
  'scheduling.k8s.io': ['PriorityClass'],
  'storage.k8s.io': ['StorageClass', 'VolumeAttachment', 'CSIDriver', 'CSINode', 'CSIStorageCapacity', 'VolumeAttributesClass'],
};

/** Groups of Kubernetes itself that are not in the table. */
const OTHER_GROUPS = [
  ...['authentication.k8s.io', 'authorization.k8s.io', 'certificates.k8s.io', 'flowcontrol.apiserver.k8s.io', 'internal.apiserver.k8s.io'],
  ...['resource.k8s.io', 'storagemigration.k8s.io'],
];

/** Whether the group belongs to Kubernetes itself: a CRD's group has a dot and is none of these. */
export function isBuiltInGroup(group: string): boolean {
  return !group.includes('.') || Object.hasOwn(KINDS_OF, group) || OTHER_GROUPS.includes(group);
}

const KNOWN = new Set(Object.values(KINDS_OF).flat());

/** Whether a Kind may be among the resources of `groupVersion`. In doubt it may. */
export function mayHave(groupVersion: string, kind: string): boolean {
  const group = groupOf(groupVersion);
  if (!isBuiltInGroup(group)) return true;
  return KINDS_OF[group]?.includes(kind) === true || !KNOWN.has(kind);
}
