import { seededRandom } from '../kit/random.ts';
import type { KindId } from '../model/kind.ts';
import { Draw } from './draw.ts';
import { DEFINITIONS, KINDS, MAPS, NAMESPACES, NODES, WIDGETS, WIDGETS_DEFINITION } from './kinds.ts';
import { API_FAULTS, type ApiFault, STORAGE_FAULTS, type StorageFault } from './weather.ts';

/** What befalls open watches at one moment. */
export const WATCH_FAULTS = ['cut', 'end', 'hole', 'stall', 'expire', 'rewind', 'loseDelete', 'bookmark'] as const;
export type WatchFault = (typeof WATCH_FAULTS)[number];

/** One thing that happens. A plan without some of its steps is a plan too, so that a failure can be made small. */
export type Step =
  | { readonly do: 'put'; readonly kind: KindId; readonly namespace: string; readonly name: string; readonly how: 'plain' | 'quiet' | 'poison' | 'large' }
  /** So many changes of one object at once. */
  | { readonly do: 'hot'; readonly kind: KindId; readonly namespace: string; readonly name: string; readonly changes: number }
  | { readonly do: 'remove'; readonly kind: KindId; readonly namespace: string; readonly name: string }
  /** Deleted, and made anew under the same name. */
  | { readonly do: 'replace'; readonly kind: KindId; readonly namespace: string; readonly name: string }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'api'; readonly fault: ApiFault; readonly kind: KindId | null; readonly share: number; readonly ms: number; readonly times: 1 | null }
  | { readonly do: 'watches'; readonly fault: WatchFault; readonly kind: KindId | null }
  | { readonly do: 'storage'; readonly fault: StorageFault; readonly kind: KindId | null; readonly share: number; readonly ms: number }
  | { readonly do: 'compact'; readonly kind: KindId }
  | { readonly do: 'tokens' | 'backUp' }
  | { readonly do: 'restore'; readonly cuts: boolean }
  /** While the process is down when `ahead`: with revisions beyond the old ones only the identity tells the two clusters apart. */
  | { readonly do: 'wipe'; readonly cuts: boolean; readonly ahead: boolean }
  /** The process ends before the step after so many of its steps, and another begins after a while. */
  | { readonly do: 'crash'; readonly steps: number; readonly downMs: number }
  /** As a crash, but what it has handed to storage goes its way. */
  | { readonly do: 'freeze'; readonly steps: number; readonly downMs: number }
  /** Another process begins to stand by: when the first one is gone it takes over, after `downMs`. */
  | { readonly do: 'standby' }
  /** The process is asked to end, with so much grace. */
  | { readonly do: 'stop'; readonly graceMs: number; readonly downMs: number }
  /** A person looks at what is held, and confirms it after a while when it is really gone. */
  | { readonly do: 'operator'; readonly afterMs: number }
  | { readonly do: 'rules'; readonly excludes: boolean }
  | { readonly do: 'mask'; readonly masks: boolean };

/** What a seed stands for. */
export interface Plan {
  readonly seed: number;
  /** Settings of the mirror. */
  readonly firstList: 'paged' | 'streaming';
  readonly pendingBytes: number;
  readonly batchLimit: number;
  readonly workers: number;
  /** Makes a poisoned object good before the end, or leaves it parked. */
  readonly heals: boolean;
  readonly steps: readonly Step[];
  /** Changes while storage is away for ten minutes, after everything else; null for no such end. */
  readonly outage: readonly Step[] | null;
}

const NAMESPACE_NAMES = ['ns-a', 'ns-b', 'ns-c', 'ns-d'];
/** What `rules` leaves out or lets in. */
export const EXCLUDED_NAMESPACE = 'ns-b';

/** Same seed and size, same plan. `changes` is about how many mutations the steps make. */
export function makePlan(seed: number, changes: number): Plan {
  const draw = new Draw(seededRandom(Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995));
  // Each seed has its own few kinds of trouble: where everything goes wrong at once, one fault hides another.
  const hasHistory = draw.chance(0.35);
  // A stale list in the middle of a history that went back cannot be told from it.
  const hasStale = draw.chance(0.35) && !hasHistory;
  const apiFaults = API_FAULTS.filter((fault) => {
    if (fault === 'stale') return hasStale;
    return draw.chance(fault === 'empty' ? 0.2 : 0.35) && !(fault === 'empty' && (hasHistory || hasStale));
  });
  const hasRules = draw.chance(0.15);
  const hasMask = draw.chance(0.15);
  // A kind that begins anew by other rules knows nothing of a write that is still late.
  const storageFaults = STORAGE_FAULTS.filter((fault) => draw.chance(0.4) && !(fault === 'late' && (hasRules || hasMask)));
  const watchFaults = WATCH_FAULTS.filter(() => draw.chance(0.5));
  const names = draw.weighted([
    [2, 3],
    [5, 20],
    [2, 60],
  ]);
  const crashes = draw.of([0, 1, 2, 4]);
  const isHurried = draw.chance(0.5);
  const hasPoison = draw.chance(0.4);
  const kind = (): KindId =>
    draw.weighted([
      [60, MAPS.id],
      [8, NODES.id],
      [12, WIDGETS.id],
      [2, NAMESPACES.id],
    ] as const);
  const anyKind = (): KindId | null => (draw.chance(0.5) ? null : draw.of(KINDS).id);
  const object = (of: KindId): { kind: KindId; namespace: string; name: string } => ({
    kind: of,
    namespace: of === NODES.id || of === NAMESPACES.id ? '' : draw.of(NAMESPACE_NAMES),
    name: of === NAMESPACES.id ? draw.of(NAMESPACE_NAMES) : `n${draw.small(0, of === NODES.id ? 8 : names - 1)}`,
  });
  const put = (): Step => {
    const of = kind();
    const how =
      of === NODES.id && draw.chance(0.6) ? 'quiet' : hasPoison && of !== NAMESPACES.id && draw.chance(0.03) ? 'poison' : draw.chance(0.03) ? 'large' : 'plain';
    return { do: 'put', ...object(of), how };
  };
  const choices: readonly (readonly [number, () => Step])[] = [
    [500, put],
    [90, () => ({ do: 'remove', ...object(kind()) })],
    [50, () => ({ do: 'replace', ...object(kind()) })],
    [30, () => ({ do: 'hot', ...object(kind()), changes: draw.small(2, 40) })],
    [4, () => ({ do: 'remove', ...object(NAMESPACES.id) })],
    [6, () => ({ do: draw.chance(0.5) ? 'put' : 'remove', kind: DEFINITIONS.id, namespace: '', name: WIDGETS_DEFINITION, how: 'plain' })],
    [
      isHurried ? 150 : 400,
      () => ({
        do: 'pass',
        ms: draw.weighted([
          [60, draw.small(0, 30)],
          [30, draw.small(0, 1_000)],
          [8, draw.small(0, 20_000)],
          [1, draw.small(0, 180_000)],
        ]),
      }),
    ],
    [
      apiFaults.length === 0 ? 0 : 12,
      () => ({
        do: 'api',
        fault: draw.of(apiFaults),
        kind: anyKind(),
        share: draw.of([0.2, 0.5, 1]),
        ms: draw.small(10, 120_000),
        times: draw.chance(0.2) ? 1 : null,
      }),
    ],
    [watchFaults.length === 0 ? 0 : 14, () => ({ do: 'watches', fault: draw.of(watchFaults), kind: anyKind() })],
    [
      storageFaults.length === 0 ? 0 : 12,
      () => ({ do: 'storage', fault: draw.of(storageFaults), kind: anyKind(), share: draw.of([0.1, 0.5, 1]), ms: draw.small(10, 120_000) }),
    ],
    [6, () => ({ do: 'operator', afterMs: draw.small(0, 60_000) })],
    [4, () => ({ do: 'compact', kind: draw.of(KINDS).id })],
    [2, () => ({ do: 'tokens' })],
    [hasRules ? 2 : 0, () => ({ do: 'rules', excludes: draw.chance(0.5) })],
    [hasMask ? 2 : 0, () => ({ do: 'mask', masks: draw.chance(0.5) })],
    [crashes, () => ({ do: 'crash', steps: draw.small(0, 400), downMs: draw.small(0, 60_000) })],
    [crashes / 3, () => ({ do: 'stop', graceMs: draw.of([0, 1_000, 25_000]), downMs: draw.small(0, 60_000) })],
  ];
  const steps: Step[] = [{ do: 'put', kind: DEFINITIONS.id, namespace: '', name: WIDGETS_DEFINITION, how: 'plain' }];
  for (let made = 0; made < changes; ) {
    const step = draw.weighted(choices)();
    steps.push(step);
    made += changesOf(step);
  }
  if (hasHistory) bendHistory(steps, draw);
  elect(steps, new Draw(seededRandom(Math.imul(seed, 0x27d4eb2f) ^ 0x165667b1)));
  const load: readonly (readonly [number, () => Step])[] = [
    [500, put],
    [60, () => ({ do: 'remove', ...object(kind()) })],
    [30, () => ({ do: 'replace', ...object(kind()) })],
    [30, () => ({ do: 'hot', ...object(kind()), changes: draw.small(2, 40) })],
  ];
  return {
    seed,
    firstList: draw.chance(0.7) ? 'paged' : 'streaming',
    pendingBytes: draw.weighted([
      [1, 16 * 1024],
      [1, 64 * 1024],
      [4, 8 * 2 ** 20],
    ]),
    batchLimit: draw.of([1, 3, 10, 100]),
    workers: draw.of([1, 2, 4]),
    heals: draw.chance(0.5),
    steps,
    outage: draw.chance(0.15) ? Array.from({ length: Math.ceil(changes / 2) }, () => draw.weighted(load)()) : null,
  };
}

/** About how many mutations a step makes. */
function changesOf(step: Step): number {
  if (step.do === 'hot') return step.changes;
  if (step.do === 'replace') return 2;
  return step.do === 'put' || step.do === 'remove' ? 1 : 0;
}

/** Half of the plans know a second process: somewhere it begins to stand by, and a while later the first one is gone. */
function elect(steps: Step[], draw: Draw): void {
  if (draw.chance(0.5)) return;
  for (let rounds = draw.of([1, 2, 4]); rounds > 0; rounds--) {
    const at = draw.whole(1, steps.length - 1);
    const downMs = draw.small(0, 20_000);
    const gone: Step = draw.weighted([
      [2, { do: 'crash', steps: draw.small(0, 400), downMs }],
      [2, { do: 'freeze', steps: draw.small(0, 400), downMs }],
      [1, { do: 'stop', graceMs: draw.of([0, 1_000, 25_000]), downMs }],
    ] as const);
    steps.splice(at + draw.whole(10, 200), 0, gone);
    steps.splice(at, 0, { do: 'standby' });
  }
  if (draw.chance(0.5)) steps.splice(draw.whole(1, steps.length - 1), 0, { do: 'standby' });
}

/** Puts a wipe, or a back-up and the return to it, somewhere into the steps. */
function bendHistory(steps: Step[], draw: Draw): void {
  const at = draw.whole(1, steps.length - 1);
  const cuts = draw.chance(0.5);
  if (draw.chance(0.5)) {
    steps.splice(at, 0, { do: 'wipe', cuts, ahead: draw.chance(0.3) });
    return;
  }
  steps.splice(at, 0, { do: 'restore', cuts });
  steps.splice(draw.whole(1, at), 0, { do: 'backUp' });
}
