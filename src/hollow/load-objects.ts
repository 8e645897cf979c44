import { namespaceName, nodeName, podPlace, uidOf } from './load-pods.ts';
import type { PodShape } from './load-pods.ts';
import type { ObjectTree, Tree } from './objects.ts';

const time = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
const micros = (ms: number): string => new Date(ms).toISOString().replace('Z', '000Z');

export function makeNamespace(n: number): ObjectTree {
  return { metadata: { name: namespaceName(n), uid: uidOf(3, n) } };
}

/** Node number `n`, as large as real ones get (conditions, images, addresses). */
export function makeNode(n: number, wallMs: number): ObjectTree {
  const name = nodeName(n);
  return {
    metadata: {
      name,
      uid: uidOf(4, n),
      labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64', 'topology.kubernetes.io/zone': `zone-${n % 3}` },
      annotations: { 'node.alpha.kubernetes.io/ttl': '0' },
    },
    spec: { podCIDR: `10.${n >> 8}.${n & 255}.0/24`, providerID: `hollow://${name}` },
    status: nodeStatus(n, wallMs, true),
  };
}

export function nodeStatus(n: number, wallMs: number, isReady: boolean): Tree {
  const beat = time(wallMs);
  const condition = (type: string, status: string, reason: string): Tree => ({
    type,
    status,
    lastHeartbeatTime: beat,
    lastTransitionTime: time(Date.UTC(2026, 0, 1)),
    reason,
    message: `kubelet reports ${reason}`,
  });
  return {
    capacity: { cpu: '16', memory: '65536Mi', pods: '110', 'ephemeral-storage': '200Gi' },
    allocatable: { cpu: '15800m', memory: '63488Mi', pods: '110', 'ephemeral-storage': '180Gi' },
    conditions: [
      condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory'),
      condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure'),
      condition('PIDPressure', 'False', 'KubeletHasSufficientPID'),
      condition('Ready', isReady ? 'True' : 'False', isReady ? 'KubeletReady' : 'KubeletNotReady'),
    ],
    addresses: [
      { type: 'InternalIP', address: `192.168.${n >> 8}.${n & 255}` },
      { type: 'Hostname', address: nodeName(n) },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    nodeInfo: {
      machineID: uidOf(5, n).replaceAll('-', ''),
      systemUUID: uidOf(5, n),
      bootID: uidOf(6, n),
      kernelVersion: '6.1.0',
      osImage: 'Hollow Linux',
      containerRuntimeVersion: 'containerd://2.1.0',
      kubeletVersion: 'v1.36.3',
      kubeProxyVersion: '',
      operatingSystem: 'linux',
      architecture: 'amd64',
    },
    images: Array.from({ length: 20 }, (_, index) => ({
      names: [
        `registry.example.com/load/app-${index}@sha256:${uidOf(7, index).replaceAll('-', '').repeat(2)}`,
        `registry.example.com/load/app-${index}:1.4.${index}`,
      ],
      sizeBytes: 50_000_000 + index,
    })),
  };
}

/** The lease by which node `n` says that it lives. */
export function makeLease(n: number, wallMs: number): ObjectTree {
  const name = nodeName(n);
  return {
    metadata: { name, namespace: 'kube-node-lease', uid: uidOf(10, n), ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid: uidOf(4, n) }] },
    spec: { holderIdentity: name, leaseDurationSeconds: 40, renewTime: micros(wallMs) },
  };
}

/** Deployment, replica set, service, endpoint slice and config map of the set that pod `firstPod` belongs to. */
export function makeApp(
  firstPod: number,
  replicas: number,
  shape: PodShape,
): Readonly<Record<'deployments.apps' | 'replicasets.apps' | 'services' | 'endpointslices.discovery.k8s.io' | 'configmaps', ObjectTree>> {
  const { namespace, app, setName, set } = podPlace(firstPod, shape);
  const labels = { app };
  const hashed = { ...labels, 'pod-template-hash': setName.slice(app.length + 1) };
  const template = {
    metadata: { labels: hashed },
    spec: { containers: [{ name: 'main', image: `registry.example.com/load/${app}:1.4.${set % 50}` }], restartPolicy: 'Always' },
  };
  const ports = [{ name: 'http', protocol: 'TCP', port: 8080, targetPort: 'http' }];
  return {
    'deployments.apps': {
      metadata: { name: app, namespace, uid: uidOf(11, set), labels, annotations: { 'deployment.kubernetes.io/revision': '1' } },
      spec: {
        replicas,
        selector: { matchLabels: labels },
        template: { ...template, metadata: { labels } },
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
        revisionHistoryLimit: 10,
        progressDeadlineSeconds: 600,
      },
      status: { observedGeneration: 1, replicas, updatedReplicas: replicas, readyReplicas: replicas, availableReplicas: replicas },
    },
    'replicasets.apps': {
      metadata: {
        name: setName,
        namespace,
        uid: uidOf(2, set),
        labels: hashed,
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: app, uid: uidOf(11, set), controller: true, blockOwnerDeletion: true }],
      },
      spec: { replicas, selector: { matchLabels: hashed }, template },
      status: { replicas, fullyLabeledReplicas: replicas, readyReplicas: replicas, availableReplicas: replicas, observedGeneration: 1 },
    },
    services: {
      metadata: { name: app, namespace, uid: uidOf(12, set), labels },
      spec: {
        ports,
        selector: labels,
        clusterIP: `10.96.${(set >> 8) & 255}.${set & 255}`,
        clusterIPs: [`10.96.${(set >> 8) & 255}.${set & 255}`],
        type: 'ClusterIP',
        sessionAffinity: 'None',
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'SingleStack',
        internalTrafficPolicy: 'Cluster',
      },
      status: { loadBalancer: {} },
    },
    'endpointslices.discovery.k8s.io': {
      metadata: {
        name: `${app}-hollow`,
        namespace,
        uid: uidOf(13, set),
        labels: { ...labels, 'kubernetes.io/service-name': app },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Service', name: app, uid: uidOf(12, set), controller: true, blockOwnerDeletion: true }],
      },
      addressType: 'IPv4',
      endpoints: Array.from({ length: Math.min(replicas, 100) }, (_, index) => ({
        addresses: [`10.0.${((firstPod + index) >> 8) & 255}.${(firstPod + index) & 255}`],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: podPlace(firstPod + index, shape).node,
      })),
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    },
    configmaps: {
      metadata: { name: `${app}-config`, namespace, uid: uidOf(14, set), labels },
      data: { 'application.yaml': `server:\n  port: 8080\nname: ${app}\n` },
    },
  };
}

/** Event number `n`, about a pod. */
export function makeEvent(
  n: number,
  about: { readonly namespace: string; readonly name: string; readonly uid: string; readonly node: string },
  reason: string,
  wallMs: number,
): ObjectTree {
  const at = time(wallMs);
  return {
    metadata: { name: `${about.name}.${n.toString(16).padStart(16, '0')}`, namespace: about.namespace, uid: uidOf(15, n), creationTimestamp: at },
    involvedObject: { kind: 'Pod', namespace: about.namespace, name: about.name, uid: about.uid, apiVersion: 'v1', fieldPath: 'spec.containers{main}' },
    reason,
    message: `${reason} container main`,
    source: { component: 'kubelet', host: about.node },
    firstTimestamp: at,
    lastTimestamp: at,
    count: 1,
    type: reason === 'BackOff' ? 'Warning' : 'Normal',
    eventTime: null,
    reportingComponent: 'kubelet',
    reportingInstance: about.node,
  };
}
