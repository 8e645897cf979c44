import type { Kind } from '../../model/kind.ts';
import { type ObjectKey, objectKey } from '../../model/key.ts';
import { EVENTS, LEASES, NODES, PODS, SERVICES, SLICES } from './kinds.ts';
import { Kubemark, type KubemarkStep } from './kubemark.ts';
import { KUBEMARK_SHAPES, type KubemarkName, type KubemarkShape } from './kubemark-shape.ts';
import type { Load, LoadChange } from './load.ts';
import { LoadWriter, type Subject } from './writer.ts';

/** Sizes as JSON without managedFields: the pod is upstream's exemplar (specs/controller-semantics.md section 6.3), the others are typical. */
const BYTES = { pod: 9_200, node: 12_000, lease: 600, event: 900, service: 1_500, slice: 4_000 } as const;
const FIRST_REVISION = 10_000_000;

/** The names of a Kubemark cluster, the same for everybody who shows it. */
export const kubemarkNames = {
  namespace: (number: number): string => `kubemark-${String(number).padStart(3, '0')}`,
  node: (number: number): string => `hollow-node-${String(number).padStart(5, '0')}`,
  service: (number: number): string => `service-${String(number).padStart(5, '0')}`,
  slice: (number: number): string => `service-${String(number).padStart(5, '0')}-0`,
  pod: (number: number, service: number): string => `service-${String(service).padStart(5, '0')}-6c9f8b7d5-${number.toString(36).padStart(5, '0')}`,
  event: (number: number): string => `hollow-event-${number}`,
} as const;

/** A Kubemark cluster as a load: what exists is stored, then its nodes and pods go on living. */
export function kubemark(name: KubemarkName, options: { readonly seed?: number | undefined; readonly durationMs?: number | undefined } = {}): Load {
  const { seed = 1 } = options;
  const shape: KubemarkShape = { ...KUBEMARK_SHAPES[name], ...(options.durationMs === undefined ? {} : { durationMs: options.durationMs }) };
  const { nodes, pods, services, namespaces } = shape;
  const objects = 2 * nodes + pods + 2 * services;
  return {
    name,
    summary: `Kubemark: ${nodes} hollow nodes, ${pods} pods and ${services} services in ${namespaces} namespaces; ${shape.podsPerSecond} pods a second come and go.`,
    seed,
    durationMs: shape.durationMs,
    objects,
    troubles: [],
    *initial() {
      const writer = new LoadWriter(FIRST_REVISION);
      const cast = new Cast(new Kubemark(shape, seed));
      for (let number = 0; number < nodes; number++) for (const which of ['node', 'lease'] as const) yield writer.put(cast.one(which, number), 0);
      for (let number = 0; number < services; number++) for (const which of ['service', 'slice'] as const) yield writer.put(cast.one(which, number), 0);
      for (let number = 0; number < pods; number++) yield writer.put(cast.pod(number), 0);
    },
    *changes() {
      const cluster = new Kubemark(shape, seed);
      const cast = new Cast(cluster);
      const writer = new LoadWriter(FIRST_REVISION + objects);
      for (const step of cluster.steps()) yield changeOf(step, cast, writer);
    },
  };
}

function changeOf(step: KubemarkStep, cast: Cast, writer: LoadWriter): LoadChange {
  const { atMs, number } = step;
  if (step.of === 'event') return writer.put(cast.event(number, step.pod), atMs);
  if (step.of !== 'pod') return writer.put(cast.one(step.of, number), atMs);
  return step.step === 'removed' ? writer.delete(cast.pod(number), atMs) : writer.put(cast.pod(number), atMs);
}

/** Who plays in a Kubemark cluster. */
class Cast {
  readonly #cluster: Kubemark;

  constructor(cluster: Kubemark) {
    this.#cluster = cluster;
  }

  one(of: 'node' | 'lease' | 'service' | 'slice', number: number): Subject {
    const node = kubemarkNames.node(number);
    if (of === 'node') return subject(NODES, objectKey('', node), BYTES.node);
    if (of === 'lease') return subject(LEASES, objectKey('kube-node-lease', node), BYTES.lease);
    const namespace = kubemarkNames.namespace(this.#cluster.namespaceOf(number));
    return of === 'service'
      ? subject(SERVICES, objectKey(namespace, kubemarkNames.service(number)), BYTES.service)
      : subject(SLICES, objectKey(namespace, kubemarkNames.slice(number)), BYTES.slice);
  }

  pod(number: number): Subject {
    const service = this.#cluster.serviceOf(number);
    const namespace = kubemarkNames.namespace(this.#cluster.namespaceOf(service));
    return subject(PODS, objectKey(namespace, kubemarkNames.pod(number, service)), BYTES.pod);
  }

  event(number: number, pod: number): Subject {
    const namespace = kubemarkNames.namespace(this.#cluster.namespaceOf(this.#cluster.serviceOf(pod)));
    return subject(EVENTS, objectKey(namespace, kubemarkNames.event(number)), BYTES.event);
  }
}

/** No name of a Kubemark cluster is used twice, so there is one incarnation of each. */
function subject(kind: Kind, key: ObjectKey, bytes: number): Subject {
  return { kind, key, bytes, incarnation: 0 };
}
