import type { Clock } from '../kit/clock.ts';
import { kubemarkNames } from '../lab/load/kubemark-load.ts';
import { Kubemark, type KubemarkStep } from '../lab/load/kubemark.ts';
import type { KubemarkShape } from '../lab/load/kubemark-shape.ts';
import { KubemarkObjects } from './kubemark-objects.ts';
import { decode, encode } from './objects.ts';
import type { ObjectTree } from './objects.ts';
import type { Hollow } from './server.ts';

const LEASES = 'leases.coordination.k8s.io';
const SLICES = 'endpointslices.discovery.k8s.io';
/** Events kept; older ones are deleted, as a real server's expire. */
const EVENTS_MAX = 20_000;
const GRACE_SECONDS = 30;
/** Size of a pod without managedFields: upstream's exemplar (specs/controller-semantics.md section 6.3). */
const POD_BYTES = 9_200;

export interface KubemarkOptions {
  readonly shape: KubemarkShape;
  readonly seed?: number | undefined;
  readonly clock: Clock;
  /** Size of a pod without managedFields. Default 9,200. */
  readonly podBytes?: number | undefined;
}

/** A Kubemark cluster at work on a hollow server: the same that the laboratory plays as a load, as objects that any client can follow. */
export interface KubemarkRun {
  /** Changes so far, over all kinds. */
  readonly changes: number;
  stop(): void;
}

/** Fills a hollow server with nodes, services and pods, and lets them live until stop(), however long the shape says. */
export function startKubemark(hollow: Hollow, options: KubemarkOptions): KubemarkRun {
  const player = new Player(hollow, options);
  player.seed();
  return player.play();
}

class Player {
  readonly #hollow: Hollow;
  readonly #clock: Clock;
  readonly #cluster: Kubemark;
  readonly #objects: KubemarkObjects;
  /** By service: its pods that are ready. */
  readonly #ready: readonly Set<number>[];
  readonly #events: string[] = [];
  #changes = 0;

  constructor(hollow: Hollow, { shape, seed, clock, podBytes = POD_BYTES }: KubemarkOptions) {
    this.#hollow = hollow;
    this.#clock = clock;
    this.#cluster = new Kubemark({ ...shape, durationMs: Number.POSITIVE_INFINITY }, seed);
    this.#objects = new KubemarkObjects(this.#cluster, podBytes);
    this.#ready = Array.from({ length: shape.services }, () => new Set<number>());
    for (let pod = 0; pod < shape.pods; pod++) this.#ready[this.#cluster.serviceOf(pod)]?.add(pod);
  }

  seed(): void {
    const { nodes, pods, services, namespaces } = this.#cluster.shape;
    const wallMs = this.#clock.wall() - 3_600_000;
    const hollow = this.#hollow;
    const objects = this.#objects;
    hollow.seed(
      'namespaces',
      mapped(namespaces, (number) => ({ metadata: { name: kubemarkNames.namespace(number) } })),
    );
    hollow.seed(
      'nodes',
      mapped(nodes, (number) => objects.node(number, wallMs)),
    );
    hollow.seed(
      LEASES,
      mapped(nodes, (number) => objects.lease(number, wallMs)),
    );
    hollow.seed(
      'services',
      mapped(services, (number) => objects.service(number)),
    );
    hollow.seed(
      SLICES,
      mapped(services, (number) => objects.slice(number, this.#ready[number] ?? [])),
    );
    hollow.seed(
      'pods',
      mapped(pods, (number) => objects.pod(number, wallMs, 'ready')),
    );
  }

  play(): KubemarkRun {
    const steps = this.#cluster.steps();
    const startedAt = this.#clock.now();
    let cancel = (): void => {};
    const pump = (pending: KubemarkStep): void => {
      let step: KubemarkStep | null = pending;
      while (step !== null && step.atMs <= this.#clock.now() - startedAt) {
        this.#take(step);
        const { done, value } = steps.next();
        step = done === true ? null : value;
      }
      if (step === null) return;
      const next = step;
      cancel = this.#clock.after(next.atMs - (this.#clock.now() - startedAt), () => pump(next));
    };
    const first = steps.next();
    if (first.done !== true) pump(first.value);
    const changes = (): number => this.#changes;
    return {
      get changes() {
        return changes();
      },
      stop: () => cancel(),
    };
  }

  /** What was deleted by hand is left alone. */
  #take(step: KubemarkStep): void {
    const wallMs = this.#clock.wall();
    const { number } = step;
    switch (step.of) {
      case 'pod':
        return this.#live(step, wallMs);
      case 'lease':
        return this.#change(LEASES, `kube-node-lease/${kubemarkNames.node(number)}`, (tree) => ({
          ...tree,
          spec: this.#objects.lease(number, wallMs)['spec'],
        }));
      case 'node':
        return this.#change('nodes', kubemarkNames.node(number), (tree) => ({ ...tree, status: this.#objects.node(number, wallMs).status }));
      case 'service':
        return this.#change('services', this.#objects.serviceKey(number), (tree) => ({
          ...tree,
          metadata: { ...tree.metadata, annotations: { 'hollow.example.com/touched': new Date(wallMs).toISOString() } },
        }));
      case 'slice':
        return this.#change(SLICES, this.#objects.sliceKey(number), (tree) => ({ ...tree, endpoints: this.#objects.endpoints(this.#ready[number] ?? []) }));
      case 'event':
        return this.#event(this.#objects.event(number, step.pod, step.reason, wallMs));
      default:
        step satisfies never;
    }
  }

  #live({ number, step }: Extract<KubemarkStep, { of: 'pod' }>, wallMs: number): void {
    const key = this.#objects.podKey(number);
    const ready = this.#ready[this.#cluster.serviceOf(number)];
    if (step === 'ready') ready?.add(number);
    if (step === 'terminating') ready?.delete(number);
    if (step === 'created') {
      if (!this.#has('namespaces', this.#objects.namespaceOfPod(number)) || this.#has('pods', key)) return;
      this.#hollow.create('pods', this.#objects.pod(number, wallMs, 'created'));
      this.#changes++;
    } else if (step === 'removed') {
      if (!this.#has('pods', key)) return;
      this.#hollow.delete('pods', key);
      this.#changes++;
    } else {
      this.#change('pods', key, (tree) => {
        if (step === 'terminating' || step === 'released') {
          const grace = step === 'released' ? 0 : GRACE_SECONDS;
          const deletionTimestamp = new Date(wallMs + grace * 1_000).toISOString().replace(/\.\d+Z$/, 'Z');
          return { ...tree, metadata: { ...tree.metadata, deletionTimestamp, deletionGracePeriodSeconds: grace } };
        }
        const status = this.#objects.status(number, step, wallMs);
        return step === 'bound' ? { ...tree, spec: { ...(tree['spec'] as object), nodeName: this.#objects.nodeOf(number) }, status } : { ...tree, status };
      });
    }
  }

  #event(tree: ObjectTree): void {
    const { namespace = '', name = '' } = tree.metadata ?? {};
    if (!this.#has('namespaces', namespace)) return;
    this.#hollow.create('events', tree);
    this.#changes++;
    this.#events.push(`${namespace}/${name}`);
    if (this.#events.length <= EVENTS_MAX) return;
    const oldest = this.#events.shift();
    if (oldest === undefined || !this.#has('events', oldest)) return;
    this.#hollow.delete('events', oldest);
    this.#changes++;
  }

  #has(kind: string, key: string): boolean {
    return this.#hollow.world.kind(kind)?.store.get(key) !== undefined;
  }

  /** Another state of an object, as its controller would store it: also what clients may not change, as the mark of a deletion. */
  #change(kind: string, key: string, change: (tree: ObjectTree) => ObjectTree): void {
    const { world } = this.#hollow;
    const served = world.kind(kind);
    const stored = served?.views[0]?.stored;
    const before = served?.store.get(key);
    if (served === undefined || stored === undefined || before === undefined) return;
    world.put(served, encode(change(decode(before)), world.nextRevision(), stored));
    this.#changes++;
  }
}

function* mapped(count: number, make: (number: number) => ObjectTree): Generator<ObjectTree> {
  for (let number = 0; number < count; number++) yield make(number);
}
