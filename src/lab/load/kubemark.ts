import { type Random, seededRandom } from '../../kit/random.ts';
import { Agenda } from './agenda.ts';
import { type KubemarkShape, LEASE_EVERY_MS, namespaceSizes, SERVICE_EVERY_MS, servicesOf, STATUS_EVERY_MS } from './kubemark-shape.ts';

/**
 * What a watcher sees of one pod, in order (specs/controller-semantics.md section 6.3): one event each. Where readiness comes later than running, `running`
 * is between `sandbox` and `ready`. `released` is the kubelet's last delete: the API server first stores that no grace is left, and then removes the pod.
 */
export const POD_LIFE = ['created', 'bound', 'accepted', 'sandbox', 'running', 'ready', 'terminating', 'ended', 'released', 'removed'] as const;
export type PodStep = (typeof POD_LIFE)[number];

/** One thing that happens in the cluster. Pods, nodes and the rest are numbers; places of pods are in Kubemark. */
export type KubemarkStep =
  | { readonly atMs: number; readonly of: 'pod'; readonly number: number; readonly step: PodStep }
  /** A kubelet, or a controller: one Event made about a pod. */
  | { readonly atMs: number; readonly of: 'event'; readonly number: number; readonly pod: number; readonly reason: string }
  | { readonly atMs: number; readonly of: 'node' | 'lease' | 'service'; readonly number: number }
  /** The endpoints of a service followed its pods. */
  | { readonly atMs: number; readonly of: 'slice'; readonly number: number };

/** Share of pods whose readiness comes in an event after running. */
const LATE_READY_SHARE = 0.2;
/** The endpoints controller gathers changes of a service for so long. */
const SLICE_GATHERS_MS = 500;

/** From one step of a life to the next, in milliseconds: least and most, evenly. */
const BIND_MS = [5, 60] as const;
const ACCEPT_MS = [20, 150] as const;
const SANDBOX_MS = [200, 1_500] as const;
const START_MS = [100, 1_500] as const;
const READY_MS = [500, 3_000] as const;
const END_MS = [300, 2_000] as const;
const RELEASE_MS = [20, 300] as const;
const REMOVE_MS = [0, 2] as const;

type Task =
  | { readonly do: 'churn' }
  | { readonly do: 'gathered'; readonly service: number }
  | { readonly do: 'pod'; readonly pod: number; readonly step: PodStep }
  | { readonly do: 'event'; readonly pod: number; readonly reason: string }
  | { readonly do: 'beat'; readonly of: 'node' | 'lease' | 'service'; readonly number: number; readonly everyMs: number };

/**
 * A cluster of hollow nodes: they renew leases and post status, pods live through all that a watcher sees of them, endpoints follow. Pure: only numbers and
 * times come out. The same seed gives the same.
 */
export class Kubemark {
  readonly shape: KubemarkShape;
  readonly #seed: number;
  /** By service: the number of its namespace. */
  readonly #namespaces: readonly number[];
  /** By pod of the beginning: its service. */
  readonly #services: Uint32Array;
  /** Services of pods that came later; they take the places of those that go. */
  readonly #later = new Map<number, number>();

  constructor(shape: KubemarkShape, seed = 1) {
    this.shape = shape;
    this.#seed = seed;
    const sizes = namespaceSizes(shape);
    const counts = servicesOf(sizes, shape.services);
    const namespaces: number[] = [];
    this.#services = new Uint32Array(shape.pods);
    let pod = 0;
    for (const [namespace, size] of sizes.entries()) {
      const first = namespaces.length;
      const count = counts[namespace] ?? 1;
      for (let service = 0; service < count; service++) namespaces.push(namespace);
      for (let index = 0; index < size; index++) this.#services[pod++] = first + (index % count);
    }
    this.#namespaces = namespaces;
  }

  /** The service that a pod stands behind. Of a pod that came later only while steps() has got there. */
  serviceOf(pod: number): number {
    return this.#services[pod] ?? this.#later.get(pod) ?? 0;
  }

  namespaceOf(service: number): number {
    return this.#namespaces[service] ?? 0;
  }

  nodeOf(pod: number): number {
    return pod % this.shape.nodes;
  }

  /** Everything that happens, in the order of time, until the end of the shape's duration. Lives that are half-way then stay half-way. */
  *steps(): Generator<KubemarkStep, void, undefined> {
    const { nodes, pods, services, podsPerSecond, durationMs } = this.shape;
    const random = seededRandom(this.#seed);
    const agenda = new Agenda<Task>();
    const beat = (of: 'node' | 'lease' | 'service', number: number, everyMs: number): void =>
      agenda.put(random.next() * everyMs, { do: 'beat', of, number, everyMs });
    for (let node = 0; node < nodes; node++) {
      beat('lease', node, LEASE_EVERY_MS);
      beat('node', node, STATUS_EVERY_MS);
    }
    for (let service = 0; service < services; service++) beat('service', service, SERVICE_EVERY_MS);
    if (podsPerSecond > 0) agenda.put(0, { do: 'churn' });
    /** Pods that are ready, in no order. */
    const ready = Array.from({ length: pods }, (_, pod) => pod);
    const gathering = new Set<number>();
    let nextPod = pods;
    let nextEvent = 0;
    this.#later.clear();
    for (let next = agenda.take(); next !== undefined && next.atMs < durationMs; next = agenda.take()) {
      const { atMs, item } = next;
      switch (item.do) {
        case 'beat':
          yield { atMs, of: item.of, number: item.number };
          agenda.put(atMs + item.everyMs, item);
          break;
        case 'event':
          yield { atMs, of: 'event', number: nextEvent++, pod: item.pod, reason: item.reason };
          break;
        case 'gathered':
          gathering.delete(item.service);
          yield { atMs, of: 'slice', number: item.service };
          break;
        case 'churn': {
          agenda.put(atMs + 1_000 / podsPerSecond, item);
          const old = removeAny(ready, random);
          if (old === undefined) break;
          this.#later.set(nextPod, this.serviceOf(old));
          agenda.put(atMs, { do: 'pod', pod: nextPod++, step: 'created' });
          agenda.put(atMs, { do: 'pod', pod: old, step: 'terminating' });
          break;
        }
        case 'pod': {
          const { pod, step } = item;
          yield { atMs, of: 'pod', number: pod, step };
          if (step === 'ready') ready.push(pod);
          for (const [delayMs, task] of followers(item, random)) agenda.put(atMs + delayMs, task);
          const service = this.serviceOf(pod);
          if ((step === 'ready' || step === 'terminating') && !gathering.has(service)) {
            gathering.add(service);
            agenda.put(atMs + SLICE_GATHERS_MS, { do: 'gathered', service });
          }
          if (step === 'removed') this.#later.delete(pod);
          break;
        }
        default:
          item satisfies never;
      }
    }
  }
}

/** What comes of a step of a pod's life, each after so many milliseconds. */
function* followers({ pod, step }: Extract<Task, { do: 'pod' }>, random: Random): Generator<readonly [delayMs: number, task: Task]> {
  const after = ([least, most]: readonly [number, number], next: PodStep): readonly [number, Task] => [
    least + random.next() * (most - least),
    { do: 'pod', pod, step: next },
  ];
  const event = (reason: string): readonly [number, Task] => [random.next() * 20, { do: 'event', pod, reason }];
  switch (step) {
    case 'created':
      return yield after(BIND_MS, 'bound');
    case 'bound':
      yield event('Scheduled');
      return yield after(ACCEPT_MS, 'accepted');
    case 'accepted':
      return yield after(SANDBOX_MS, 'sandbox');
    case 'sandbox':
      yield event('Pulled');
      yield event('Created');
      return yield after(START_MS, random.next() < LATE_READY_SHARE ? 'running' : 'ready');
    case 'running':
      return yield after(READY_MS, 'ready');
    case 'ready':
      return yield event('Started');
    case 'terminating':
      yield event('Killing');
      return yield after(END_MS, 'ended');
    case 'ended':
      return yield after(RELEASE_MS, 'released');
    case 'released':
      return yield after(REMOVE_MS, 'removed');
    case 'removed':
      return;
    default:
      step satisfies never;
  }
}

function removeAny<T>(items: T[], random: Random): T | undefined {
  const at = Math.floor(random.next() * items.length);
  const found = items[at];
  const last = items.pop();
  if (last !== undefined && at < items.length) items[at] = last;
  return found;
}
