import { kubemarkNames } from '../lab/load/kubemark-load.ts';
import type { Kubemark, PodStep } from '../lab/load/kubemark.ts';
import { makeEvent, makeLease, makeNode } from './load-objects.ts';
import { makePod, podStatus, uidOf } from './load-pods.ts';
import type { ObjectTree, Tree } from './objects.ts';

/** Endpoints of one slice, as the controller has them. */
const MOST_ENDPOINTS = 100;
const PORTS = [{ name: 'http', protocol: 'TCP', port: 8080 }];

const address = (pod: number): string => `10.${(pod >> 16) & 255}.${(pod >> 8) & 255}.${pod & 255}`;

/** How the numbers of a Kubemark cluster look as objects. */
export class KubemarkObjects {
  readonly #cluster: Kubemark;
  readonly #podBytes: number;

  constructor(cluster: Kubemark, podBytes: number) {
    this.#cluster = cluster;
    this.#podBytes = podBytes;
  }

  namespaceOfPod(pod: number): string {
    return kubemarkNames.namespace(this.#cluster.namespaceOf(this.#cluster.serviceOf(pod)));
  }

  podKey(pod: number): string {
    return `${this.namespaceOfPod(pod)}/${kubemarkNames.pod(pod, this.#cluster.serviceOf(pod))}`;
  }

  serviceKey(service: number): string {
    return `${kubemarkNames.namespace(this.#cluster.namespaceOf(service))}/${kubemarkNames.service(service)}`;
  }

  sliceKey(service: number): string {
    return `${kubemarkNames.namespace(this.#cluster.namespaceOf(service))}/${kubemarkNames.slice(service)}`;
  }

  node(number: number, wallMs: number): ObjectTree {
    const name = kubemarkNames.node(number);
    const tree = makeNode(number, wallMs);
    return { ...tree, metadata: { ...tree.metadata, name, labels: { ...tree.metadata?.labels, 'kubernetes.io/hostname': name, 'hollow-node': 'true' } } };
  }

  lease(number: number, wallMs: number): ObjectTree {
    const name = kubemarkNames.node(number);
    const tree = makeLease(number, wallMs);
    return {
      ...tree,
      metadata: { ...tree.metadata, name, ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid: uidOf(4, number) }] },
      spec: { ...(tree['spec'] as Tree), holderIdentity: name },
    };
  }

  /** As it is when it was just created; `ready` for one that exists from the beginning. */
  pod(number: number, wallMs: number, at: 'created' | 'ready'): ObjectTree {
    const service = this.#cluster.serviceOf(number);
    const app = kubemarkNames.service(service);
    const tree = makePod(number, { bytes: this.#podBytes, wallMs, nodes: this.#cluster.shape.nodes });
    const spec: Tree = { ...(tree['spec'] as Tree) };
    if (at === 'ready') spec['nodeName'] = this.nodeOf(number);
    else delete spec['nodeName'];
    return {
      ...tree,
      metadata: {
        ...tree.metadata,
        name: kubemarkNames.pod(number, service),
        generateName: `${app}-6c9f8b7d5-`,
        namespace: this.namespaceOfPod(number),
        creationTimestamp: new Date(wallMs).toISOString().replace(/\.\d+Z$/, 'Z'),
        labels: { ...tree.metadata?.labels, app },
      },
      spec,
      status: at === 'ready' ? this.status(number, 'ready', wallMs) : { phase: 'Pending', qosClass: 'Burstable' },
    };
  }

  nodeOf(pod: number): string {
    return kubemarkNames.node(this.#cluster.nodeOf(pod));
  }

  /** What scheduler and kubelet have written by that step of a pod's life. */
  status(pod: number, step: PodStep, wallMs: number): Tree {
    switch (step) {
      case 'created':
      case 'bound': {
        const scheduled = { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: new Date(wallMs).toISOString() };
        return { phase: 'Pending', qosClass: 'Burstable', ...(step === 'bound' ? { conditions: [scheduled] } : {}) };
      }
      case 'accepted':
        return podStatus(pod, { phase: 'Pending', ready: false, restarts: 0, wallMs });
      case 'sandbox': {
        const status = podStatus(pod, { phase: 'Pending', ready: false, restarts: 0, wallMs });
        const conditions = (status['conditions'] as readonly Tree[]).map((one) =>
          one['type'] === 'PodReadyToStartContainers' ? { ...one, status: 'True' } : one,
        );
        return { ...status, conditions };
      }
      case 'running':
      case 'ready':
      case 'terminating':
        return podStatus(pod, { phase: 'Running', ready: step !== 'running', restarts: 0, wallMs });
      case 'ended':
      case 'released':
      case 'removed':
        return podStatus(pod, { phase: 'Succeeded', ready: false, restarts: 0, wallMs });
      default:
        return step satisfies never;
    }
  }

  service(number: number): ObjectTree {
    const name = kubemarkNames.service(number);
    return {
      metadata: { name, namespace: kubemarkNames.namespace(this.#cluster.namespaceOf(number)), uid: uidOf(12, number), labels: { app: name } },
      spec: { ports: PORTS, selector: { app: name }, clusterIP: `10.96.${(number >> 8) & 255}.${number & 255}`, type: 'ClusterIP', sessionAffinity: 'None' },
      status: { loadBalancer: {} },
    };
  }

  slice(number: number, pods: Iterable<number>): ObjectTree {
    const service = kubemarkNames.service(number);
    return {
      metadata: {
        name: kubemarkNames.slice(number),
        namespace: kubemarkNames.namespace(this.#cluster.namespaceOf(number)),
        uid: uidOf(13, number),
        labels: { app: service, 'kubernetes.io/service-name': service },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Service', name: service, uid: uidOf(12, number), controller: true, blockOwnerDeletion: true }],
      },
      addressType: 'IPv4',
      endpoints: this.endpoints(pods),
      ports: PORTS,
    };
  }

  endpoints(pods: Iterable<number>): readonly Tree[] {
    return [...pods]
      .slice(0, MOST_ENDPOINTS)
      .map((pod) => ({ addresses: [address(pod)], conditions: { ready: true, serving: true, terminating: false }, nodeName: this.nodeOf(pod) }));
  }

  event(number: number, pod: number, reason: string, wallMs: number): ObjectTree {
    const about = {
      namespace: this.namespaceOfPod(pod),
      name: kubemarkNames.pod(pod, this.#cluster.serviceOf(pod)),
      uid: uidOf(1, pod),
      node: this.nodeOf(pod),
    };
    const tree = makeEvent(number, about, reason, wallMs);
    return { ...tree, metadata: { ...tree.metadata, name: kubemarkNames.event(number) } };
  }
}
