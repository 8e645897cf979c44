import type { Random } from '../../kit/random.ts';
import { seededRandom } from '../../kit/random.ts';
import type { Kind } from '../../model/kind.ts';
import { type ObjectKey, objectKey } from '../../model/key.ts';
import { partitionOf } from '../../queue/strategies/partition.ts';
import { EVENTS, LEASES, PODS } from './kinds.ts';
import type { Load, LoadChange, Trouble } from './load.ts';
import { LoadWriter, type Subject } from './writer.ts';

/** What every load can be told. */
export interface TrafficOptions {
  /** Default 1. */
  readonly seed?: number | undefined;
  /** Milliseconds; default 10,000, as the published tables have it. */
  readonly durationMs?: number | undefined;
  readonly changesPerSecond?: number | undefined;
  /** Objects that change. */
  readonly objects?: number | undefined;
  /** Size of an object as JSON. Default 4,096. */
  readonly bytes?: number | undefined;
}

const DURATION_MS = 10_000;
const BYTES = 4_096;
const NAMESPACES = 20;
/** Revisions of what exists before a load begin here, so that none is shorter than another: those of the load go on from there. */
const FIRST_REVISION = 1_000_000;

interface Scene {
  readonly random: Random;
  readonly subjects: readonly Subject[];
  readonly writer: LoadWriter;
}

interface Script {
  readonly name: string;
  readonly summary: string;
  readonly options: TrafficOptions;
  readonly perSecond: number;
  readonly objects: number;
  /** The names; default pods in 20 namespaces. */
  readonly subjects?: ((count: number, bytes: number) => Subject[]) | undefined;
  readonly troubles?: readonly Trouble[] | undefined;
  /** Which of the subjects exist and are stored before; default all. */
  readonly stored?: ((index: number) => boolean) | undefined;
  /** Changes of one moment. Called `perSecond` times a second, evenly. */
  readonly step: (scene: Scene, atMs: number, index: number) => Iterable<LoadChange>;
  /** Changes that are not part of the even stream, at its very start. */
  readonly first?: ((scene: Scene) => Iterable<LoadChange>) | undefined;
}

/** A load whose every look at its changes is a run of its own from the seed. */
function traffic(script: Script): Load {
  const { seed = 1, durationMs = DURATION_MS, bytes = BYTES } = script.options;
  const { name, summary, objects, perSecond, troubles = [], stored = (): boolean => true } = script;
  if (!(perSecond > 0) || !(durationMs > 0) || !Number.isInteger(objects) || objects < 1)
    throw new RangeError(
      `Cannot make the load ${name}: changes a second (${perSecond}) and duration (${durationMs}) must be > 0, objects (${objects}) an integer >= 1`,
    );
  const make = script.subjects ?? pods;
  return {
    name,
    summary,
    seed,
    durationMs,
    objects,
    troubles,
    *initial() {
      const writer = new LoadWriter(FIRST_REVISION);
      for (const [index, subject] of make(objects, bytes).entries()) if (stored(index)) yield writer.put(subject, 0);
    },
    *changes() {
      const scene = { random: seededRandom(seed), subjects: make(objects, bytes), writer: new LoadWriter(FIRST_REVISION + objects) };
      if (script.first !== undefined) yield* script.first(scene);
      const steps = Math.floor((perSecond * durationMs) / 1000);
      for (let index = 0; index < steps; index++) yield* script.step(scene, (index * 1000) / perSecond, index);
    },
  };
}

function pods(count: number, bytes: number): Subject[] {
  return Array.from({ length: count }, (_, index) => subject(PODS, podKey(index), bytes));
}

function podKey(index: number): ObjectKey {
  return objectKey(`load-${String(index % NAMESPACES).padStart(2, '0')}`, `app-${index}-7d4b9c6f5-${(index * 7919).toString(36).padStart(5, 'x')}`);
}

function subject(kind: Kind, key: ObjectKey, bytes: number): Subject {
  return { kind, key, bytes, incarnation: 0 };
}

function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random.next() * items.length)] as T;
}

/** The offered rates of the published tables (design.md section 9): one queue, then 30 partitions. */
export const LADDER = { serial: [117, 298, 513, 577, 974, 1_699], partitioned: [352, 585, 736, 1_049, 1_164, 818, 963] } as const;

/** One rung of the published ladder: changes of pods picked evenly. */
export function ladder(perSecond: number, options: TrafficOptions = {}): Load {
  return traffic({
    name: `ladder-${perSecond}`,
    summary: `${perSecond} changes a second, each of a pod picked evenly: a rung of the published tables.`,
    options,
    perSecond,
    objects: options.objects ?? 1_000,
    *step({ random, subjects, writer }, atMs) {
      yield writer.put(pick(random, subjects), atMs);
    },
  });
}

export function steady(options: TrafficOptions = {}): Load {
  return traffic({
    name: 'steady',
    summary: 'Even churn over many objects, slow enough for every design but the serial one.',
    options: { durationMs: 30_000, ...options },
    perSecond: options.changesPerSecond ?? 100,
    objects: options.objects ?? 5_000,
    *step({ random, subjects, writer }, atMs) {
      yield writer.put(pick(random, subjects), atMs);
    },
  });
}

export function hotObject(options: TrafficOptions = {}): Load {
  return traffic({
    name: 'hot-object',
    summary: 'Every change is of one and the same object.',
    options,
    perSecond: options.changesPerSecond ?? 200,
    objects: 1,
    *step({ subjects, writer }, atMs) {
      yield writer.put(subjects[0] as Subject, atMs);
    },
  });
}

export function hotSet(options: TrafficOptions = {}): Load {
  return traffic({
    name: 'hot-set',
    summary: 'Four of five changes are of one object in five.',
    options,
    perSecond: options.changesPerSecond ?? 1_000,
    objects: options.objects ?? 1_000,
    *step({ random, subjects, writer }, atMs) {
      const hot = Math.max(1, Math.floor(subjects.length / 5));
      const isHot = random.next() < 0.8;
      const index = isHot ? Math.floor(random.next() * hot) : hot + Math.floor(random.next() * (subjects.length - hot));
      yield writer.put(subjects[Math.min(index, subjects.length - 1)] as Subject, atMs);
    },
  });
}

/** Names that come and go: what a deletion that is overtaken by an older write leaves behind is a row of nothing. */
export function storms(options: TrafficOptions = {}): Load {
  const isThere = new WeakMap<Subject, boolean>();
  return traffic({
    name: 'storms',
    summary: 'Objects are created, changed and deleted under the same names, over and over, and most are deleted in the end.',
    options,
    perSecond: options.changesPerSecond ?? 500,
    objects: options.objects ?? 200,
    stored: () => false,
    *step({ random, subjects, writer }, atMs) {
      const chosen = pick(random, subjects);
      const exists = isThere.get(chosen) === true;
      const isDeletion = exists && random.next() < 0.5;
      isThere.set(chosen, !isDeletion);
      yield isDeletion ? writer.delete(chosen, atMs) : writer.put(chosen, atMs);
    },
  });
}

export function initialAndLive(options: TrafficOptions = {}): Load {
  const objects = options.objects ?? 10_000;
  return traffic({
    name: 'initial-and-live',
    summary: 'A first list of all objects arrives at once, and changes of them go on beside it.',
    options,
    perSecond: options.changesPerSecond ?? 100,
    objects,
    stored: () => false,
    *first({ subjects, writer }) {
      for (const one of subjects) yield writer.put(one, 0, true);
    },
    *step({ random, subjects, writer }, atMs) {
      yield writer.put(pick(random, subjects), atMs);
    },
  });
}

export function slowKey(options: TrafficOptions = {}): Load {
  return traffic({
    name: 'slow-key',
    summary: 'Storage takes 5 s for every write of one object, and its usual time for all others.',
    options,
    perSecond: options.changesPerSecond ?? 200,
    objects: options.objects ?? 1_000,
    troubles: [{ type: 'slow-key', key: podKey(0), ms: 5_000 }],
    // One change in 200 is of the slow one: every second one, at the usual rate.
    *step({ random, subjects, writer }, atMs, index) {
      yield writer.put(index % 200 === 0 ? (subjects[0] as Subject) : pick(random, subjects), atMs);
    },
  });
}

export function outage(options: TrafficOptions = {}): Load {
  return traffic({
    name: 'outage',
    summary: 'Storage refuses every write for 10 s while changes go on.',
    options: { durationMs: 20_000, ...options },
    perSecond: options.changesPerSecond ?? 200,
    objects: options.objects ?? 1_000,
    troubles: [{ type: 'fails', fromMs: 5_000, toMs: 15_000 }],
    *step({ random, subjects, writer }, atMs) {
      yield writer.put(pick(random, subjects), atMs);
    },
  });
}

/** The number of partitions that `skewed` is made against. */
export const SKEWED_PARTITIONS = 30;

export function skewed(options: TrafficOptions = {}): Load {
  return traffic({
    name: 'skewed',
    summary: `Half of the changes are of the objects whose keys hash to one and the same of ${SKEWED_PARTITIONS} partitions.`,
    options,
    perSecond: options.changesPerSecond ?? 200,
    objects: options.objects ?? 1_000,
    *step({ random, subjects, writer }, atMs) {
      const together = crowdOf(subjects);
      yield writer.put(random.next() < 0.5 ? pick(random, together) : pick(random, subjects), atMs);
    },
  });
}

const crowds = new WeakMap<readonly Subject[], readonly Subject[]>();

function crowdOf(subjects: readonly Subject[]): readonly Subject[] {
  let crowd = crowds.get(subjects);
  if (crowd === undefined) {
    crowd = subjects.filter(({ key }) => partitionOf(key, SKEWED_PARTITIONS) === 0);
    if (crowd.length === 0) crowd = subjects.slice(0, 1);
    crowds.set(subjects, crowd);
  }
  return crowd;
}

/** Leases that are renewed and Events that are only ever made, as many as in a large cluster, beside a few changes of pods. */
export function noise(options: TrafficOptions = {}): Load {
  const objects = options.objects ?? 2_000;
  return traffic({
    name: 'noise',
    summary: 'Leases renewed and Events made at ten times the rate at which pods change.',
    options,
    perSecond: options.changesPerSecond ?? 550,
    objects,
    subjects: (count, bytes) =>
      Array.from({ length: count }, (_, index) =>
        index % 4 === 0 ? subject(PODS, podKey(index), bytes) : subject(LEASES, objectKey('kube-node-lease', `node-${index}`), 600),
      ),
    *step({ random, subjects, writer }, atMs, index) {
      const turn = index % 11;
      if (turn === 0) yield writer.put(subjects[Math.floor((random.next() * subjects.length) / 4) * 4] as Subject, atMs);
      else if (turn % 2 === 0) {
        const at = Math.floor((random.next() * subjects.length) / 4) * 4 + 1 + Math.floor(random.next() * 3);
        yield writer.put(subjects[Math.min(at, subjects.length - 1)] as Subject, atMs);
      } else yield writer.put(subject(EVENTS, objectKey(`load-${String(index % NAMESPACES).padStart(2, '0')}`, `event-${index}`), 900), atMs);
    },
  });
}
