import type { Clock } from '../kit/clock.ts';
import { seededRandom } from '../kit/random.ts';
import type { Random } from '../kit/random.ts';
import { makeApp, makeEvent, makeLease, makeNamespace, makeNode, nodeStatus } from './load-objects.ts';
import { makePod, namespaceName, nodeName, podPlace, podStatus, uidOf } from './load-pods.ts';
import type { PodShape } from './load-pods.ts';
import type { ObjectTree } from './objects.ts';
import type { Hollow } from './server.ts';

export interface SeedOptions extends PodShape {
  readonly pods: number;
  /** Pods of one replica set, each of which brings a deployment, a service and what belongs to it. 0: pods alone. */
  readonly apps?: boolean;
}

const PODS_PER_APP = 25;

/** Fills a hollow cluster: namespaces, nodes with leases, apps, pods. The same options give the same objects. */
export function seedCluster(hollow: Hollow, options: SeedOptions): void {
  const { pods, nodes = 100, namespaces = 10, apps = true } = options;
  const wallMs = options.wallMs ?? hollow.world.clock.wall();
  const shape: PodShape = { ...options, nodes, namespaces, wallMs: wallMs - 3_600_000 };
  const present = new Set(hollow.keys('namespaces'));
  hollow.seed(
    'namespaces',
    numbers(namespaces)
      .filter((n) => !present.has(namespaceName(n)))
      .map(makeNamespace),
  );
  hollow.seed(
    'nodes',
    mapped(nodes, (n) => makeNode(n, wallMs)),
  );
  hollow.seed(
    'leases.coordination.k8s.io',
    mapped(nodes, (n) => makeLease(n, wallMs)),
  );
  if (apps) {
    const makers = appMakers(pods, shape);
    for (const kind of APP_KINDS) hollow.seed(kind, makers(kind));
  }
  hollow.seed(
    'pods',
    mapped(pods, (n) => makePod(n, shape)),
  );
}

const APP_KINDS = ['deployments.apps', 'replicasets.apps', 'services', 'endpointslices.discovery.k8s.io', 'configmaps'] as const;

/** What belongs to the pods, one kind at a time: seeding a kind at once is what makes it cheap. */
function appMakers(pods: number, shape: PodShape): (kind: (typeof APP_KINDS)[number]) => Generator<ObjectTree> {
  return (kind) => mapped(Math.ceil(pods / PODS_PER_APP), (n) => makeApp(n * PODS_PER_APP, Math.min(PODS_PER_APP, pods - n * PODS_PER_APP), shape)[kind]);
}

function numbers(count: number): readonly number[] {
  return Array.from({ length: count }, (_, n) => n);
}

function* mapped(count: number, make: (n: number) => ObjectTree): Generator<ObjectTree> {
  for (let n = 0; n < count; n += 1) yield make(n);
}

export interface ChurnOptions extends PodShape {
  readonly changesPerSecond: number;
  readonly clock: Clock;
  /** Default: seeded with `seed`. */
  readonly random?: Random;
  readonly seed?: number;
  /** Pods that were seeded, numbered from 0: all that churn changes. */
  readonly pods: number;
  /** How changes are shared out, as weights. Default: mostly pod status, some of everything. `status: 1` alone gives pure status load. */
  readonly mix?: ChurnMix;
}

export interface ChurnMix {
  readonly status?: number;
  /** One pod deleted and another created: the life of read 6.3, about five changes. */
  readonly rollout?: number;
  readonly heartbeat?: number;
  readonly lease?: number;
  readonly event?: number;
}

/** Field data say that leases and events outnumber pod changes; for a demo the pods matter more. */
const DEFAULT_MIX: Required<ChurnMix> = { status: 70, rollout: 3, heartbeat: 2, lease: 10, event: 15 };

export interface Churn {
  /** Changes made so far. */
  readonly changes: number;
  /** How many changes a second from now on. */
  setRate(changesPerSecond: number): void;
  stop(): void;
}

/** One burst a tick: short enough that a watcher sees a stream, long enough that timers cost nothing. */
const TICK_MS = 10;
/** Changes made up for when the process was held up; more are given up, or it would never catch up. */
const MAX_DEBT_MS = 250;
/** Events kept; older ones are deleted, as a real server's expire. */
const EVENTS_MAX = 5_000;

/** Changes the cluster at a rate until stop(). The same seed and clock give the same changes. */
export function startChurn(hollow: Hollow, options: ChurnOptions): Churn {
  const { clock } = options;
  const churner = new Churner(hollow, options);
  let rate = options.changesPerSecond;
  let debt = 0;
  let lastMs = clock.now();
  let cancel = (): void => {};
  const tick = (): void => {
    const nowMs = clock.now();
    debt += (rate * Math.min(nowMs - lastMs, MAX_DEBT_MS)) / 1_000;
    lastMs = nowMs;
    while (debt >= 1) debt -= churner.step();
    cancel = clock.after(TICK_MS, tick);
  };
  cancel = clock.after(TICK_MS, tick);
  return {
    get changes() {
      return churner.changes;
    },
    setRate(changesPerSecond) {
      rate = changesPerSecond;
    },
    stop: () => cancel(),
  };
}

interface LivePod {
  readonly number: number;
  readonly key: string;
  restarts: number;
  isReady: boolean;
}

class Churner {
  changes = 0;
  readonly #hollow: Hollow;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #shape: PodShape;
  readonly #mix: readonly (readonly [weight: number, run: () => number])[];
  readonly #weights: number;
  /** Pods that exist, in no order: a deleted one is replaced by the one that was created. */
  readonly #pods: LivePod[];
  readonly #nodes: number;
  #nextPod: number;
  #nextEvent = 0;
  readonly #events: string[] = [];

  constructor(hollow: Hollow, options: ChurnOptions) {
    this.#hollow = hollow;
    this.#clock = options.clock;
    this.#random = options.random ?? seededRandom(options.seed ?? 1);
    this.#shape = { ...options, nodes: options.nodes ?? 100, namespaces: options.namespaces ?? 10 };
    this.#nodes = this.#shape.nodes ?? 0;
    this.#pods = numbers(options.pods).map((n) => this.#live(n));
    this.#nextPod = options.pods;
    const mix = options.mix ?? DEFAULT_MIX;
    const hasPods = options.pods > 0;
    const hasNodes = this.#nodes > 0;
    this.#mix = [
      [hasPods ? (mix.status ?? 0) : 0, () => this.#status()],
      [hasPods ? (mix.rollout ?? 0) : 0, () => this.#rollout()],
      [hasNodes ? (mix.heartbeat ?? 0) : 0, () => this.#heartbeat()],
      [hasNodes ? (mix.lease ?? 0) : 0, () => this.#lease()],
      [hasPods ? (mix.event ?? 0) : 0, () => this.#event(this.#anyPod(), 'Pulled')],
    ];
    this.#weights = this.#mix.reduce((sum, [weight]) => sum + weight, 0);
    if (this.#weights <= 0)
      throw new RangeError(`Cannot churn: nothing to change with ${options.pods} pods, ${this.#nodes} nodes and mix ${JSON.stringify(mix)}`);
  }

  /** Makes one thing happen; returns how many changes it was. */
  step(): number {
    let at = this.#random.next() * this.#weights;
    const chosen = this.#mix.find(([weight]) => {
      at -= weight;
      return at < 0;
    });
    const made = chosen?.[1]() ?? 1;
    this.changes += made;
    return made;
  }

  #live(n: number): LivePod {
    const { namespace, name } = podPlace(n, this.#shape);
    return { number: n, key: `${namespace}/${name}`, restarts: 0, isReady: true };
  }

  #pick(count: number): number {
    return Math.floor(this.#random.next() * count);
  }

  #anyPod(): LivePod {
    return this.#pods[this.#pick(this.#pods.length)] as LivePod;
  }

  #status(): number {
    const pod = this.#anyPod();
    // A namespace may have been deleted by hand; its pods are gone then.
    if (this.#hollow.world.kind('pods')?.store.get(pod.key) === undefined) return 1;
    pod.isReady = !pod.isReady;
    if (!pod.isReady) pod.restarts += 1;
    this.#hollow.setStatus(
      'pods',
      pod.key,
      podStatus(pod.number, { phase: 'Running', ready: pod.isReady, restarts: pod.restarts, wallMs: this.#clock.wall() }, this.#shape),
    );
    return 1;
  }

  /** A pod goes (marked, ended, removed) and its successor comes (pending, running). */
  #rollout(): number {
    const index = this.#pick(this.#pods.length);
    const old = this.#pods[index] as LivePod;
    const hollow = this.#hollow;
    const wallMs = this.#clock.wall();
    let made = 0;
    if (hollow.world.kind('pods')?.store.get(old.key) !== undefined) {
      hollow.setStatus('pods', old.key, podStatus(old.number, { phase: 'Succeeded', ready: false, restarts: old.restarts, wallMs }, this.#shape));
      hollow.delete('pods', old.key);
      made += 2;
    }
    const pod = this.#live(this.#nextPod);
    this.#nextPod += 1;
    if (hollow.world.kind('namespaces')?.store.get(pod.key.slice(0, pod.key.indexOf('/'))) === undefined) return made + 1;
    const tree = makePod(pod.number, { ...this.#shape, wallMs });
    hollow.create('pods', { ...tree, status: podStatus(pod.number, { phase: 'Pending', ready: false, restarts: 0, wallMs }, this.#shape) });
    hollow.setStatus('pods', pod.key, podStatus(pod.number, { phase: 'Running', ready: true, restarts: 0, wallMs }, this.#shape));
    this.#pods[index] = pod;
    return made + 2 + this.#event(pod, 'Started');
  }

  #heartbeat(): number {
    const n = this.#pick(this.#nodes);
    if (this.#hollow.world.kind('nodes')?.store.get(nodeName(n)) !== undefined)
      this.#hollow.setStatus('nodes', nodeName(n), nodeStatus(n, this.#clock.wall(), true));
    return 1;
  }

  #lease(): number {
    const n = this.#pick(this.#nodes);
    const lease = makeLease(n, this.#clock.wall());
    const kind = 'leases.coordination.k8s.io';
    if (this.#hollow.world.kind(kind)?.store.get(`kube-node-lease/${nodeName(n)}`) !== undefined) this.#hollow.update(kind, lease);
    return 1;
  }

  #event(pod: LivePod, reason: string): number {
    const { namespace, name, node } = podPlace(pod.number, this.#shape);
    const event = makeEvent(this.#nextEvent, { namespace, name, uid: uidOf(1, pod.number), node }, reason, this.#clock.wall());
    this.#nextEvent += 1;
    const key = `${namespace}/${event.metadata?.name}`;
    if (this.#hollow.world.kind('events')?.store.get(key) !== undefined) return 1;
    this.#hollow.create('events', event);
    this.#events.push(key);
    if (this.#events.length <= EVENTS_MAX) return 1;
    const oldest = this.#events.shift() as string;
    if (this.#hollow.world.kind('events')?.store.get(oldest) !== undefined) this.#hollow.delete('events', oldest);
    return 2;
  }
}
