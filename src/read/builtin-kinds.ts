/** What may be asked for by name. */
export interface ReadableKind {
  readonly group: string;
  /** Plural. */
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly singular: string;
  readonly shortNames: readonly string[];
  /** `all`, for kubefold get all. */
  readonly categories: readonly string[];
}

/**
 * The kinds of Kubernetes 1.36 itself, with the short names that its discovery gives: group, then `plural Kind short…`. A `*` before the plural is
 * cluster-scoped, a `+` behind the Kind is in the category `all`. Used to understand names only; what is mirrored is found in the copy.
 */
const TABLE: Readonly<Record<string, readonly string[]>> = {
  '': [
    'pods Pod+ po',
    'services Service+ svc',
    'replicationcontrollers ReplicationController+ rc',
    '*namespaces Namespace ns',
    '*nodes Node no',
    'configmaps ConfigMap cm',
    'secrets Secret',
    'events Event ev',
    'endpoints Endpoints ep',
    'serviceaccounts ServiceAccount sa',
    'persistentvolumeclaims PersistentVolumeClaim pvc',
    '*persistentvolumes PersistentVolume pv',
    'limitranges LimitRange limits',
    'resourcequotas ResourceQuota quota',
    'podtemplates PodTemplate',
  ],
  apps: [
    'deployments Deployment+ deploy',
    'replicasets ReplicaSet+ rs',
    'statefulsets StatefulSet+ sts',
    'daemonsets DaemonSet+ ds',
    'controllerrevisions ControllerRevision',
  ],
  batch: ['jobs Job+', 'cronjobs CronJob+ cj'],
  autoscaling: ['horizontalpodautoscalers HorizontalPodAutoscaler+ hpa'],
  'networking.k8s.io': [
    'ingresses Ingress ing',
    'networkpolicies NetworkPolicy netpol',
    '*ingressclasses IngressClass',
    '*ipaddresses IPAddress ip',
    '*servicecidrs ServiceCIDR',
  ],
  'discovery.k8s.io': ['endpointslices EndpointSlice'],
  'events.k8s.io': ['events Event ev'],
  'coordination.k8s.io': ['leases Lease'],
  policy: ['poddisruptionbudgets PodDisruptionBudget pdb'],
  'rbac.authorization.k8s.io': ['roles Role', 'rolebindings RoleBinding', '*clusterroles ClusterRole', '*clusterrolebindings ClusterRoleBinding'],
  'storage.k8s.io': [
    '*storageclasses StorageClass sc',
    '*csidrivers CSIDriver',
    '*csinodes CSINode',
    'csistoragecapacities CSIStorageCapacity',
    '*volumeattachments VolumeAttachment',
    '*volumeattributesclasses VolumeAttributesClass vac',
  ],
  'scheduling.k8s.io': ['*priorityclasses PriorityClass pc'],
  'node.k8s.io': ['*runtimeclasses RuntimeClass'],
  'resource.k8s.io': [
    'resourceclaims ResourceClaim',
    'resourceclaimtemplates ResourceClaimTemplate',
    '*resourceslices ResourceSlice',
    '*deviceclasses DeviceClass',
  ],
  'certificates.k8s.io': ['*certificatesigningrequests CertificateSigningRequest csr'],
  'apiextensions.k8s.io': ['*customresourcedefinitions CustomResourceDefinition crd crds'],
  'apiregistration.k8s.io': ['*apiservices APIService'],
  'admissionregistration.k8s.io': [
    '*mutatingwebhookconfigurations MutatingWebhookConfiguration',
    '*validatingwebhookconfigurations ValidatingWebhookConfiguration',
    '*validatingadmissionpolicies ValidatingAdmissionPolicy',
    '*validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding',
  ],
  'flowcontrol.apiserver.k8s.io': ['*flowschemas FlowSchema', '*prioritylevelconfigurations PriorityLevelConfiguration'],
};

/** In the order in which a name is understood: the core group first, as in discovery. */
export const BUILTIN_KINDS: readonly ReadableKind[] = Object.entries(TABLE).flatMap(([group, rows]) =>
  rows.map((row) => {
    const [plural = '', name = '', ...shortNames] = row.split(' ');
    const kind = name.replace('+', '');
    return {
      group,
      resource: plural.replace('*', ''),
      kind,
      namespaced: !plural.startsWith('*'),
      singular: kind.toLowerCase(),
      shortNames,
      categories: name.endsWith('+') ? ['all'] : [],
    };
  }),
);
