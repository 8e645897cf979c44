import { collectGarbage } from '../kit/heap.ts';
import { loadOf } from './load/loads.ts';
import { runStrategy } from './run.ts';
import type { Sizing, SizingQuestion } from './sizing.ts';

/** What a run of the laboratory showed, beside what the model said. Times in milliseconds. */
export interface SizingCheck {
  readonly writesPerSecond: number;
  /** Half of the changes were stored within this, and all within the second. */
  readonly medianLagMs: number | null;
  readonly longestLagMs: number | null;
  /** What waited or was under way at the end of the load. */
  readonly backlog: number;
  readonly changes: number;
  readonly seed: number;
}

/** A run so long that what waits has come to rest, and no longer: as many rounds of all objects as that takes. */
const ROUNDS = 4;
const SHORTEST_MS = 10_000;
/** What a run may have: more changes than that and it would take minutes. */
const MOST_CHANGES = 500_000;
const SEED = 1;

/** Runs folding with the advised concurrency under that load, on the virtual clock. */
export async function checkSizing({ objects, changesPerSecond, storageMs, objectBytes }: SizingQuestion, advice: Sizing): Promise<SizingCheck> {
  const wantedMs = Math.max(SHORTEST_MS, ROUNDS * (advice.waitMs + 2 * storageMs));
  const durationMs = Math.min(wantedMs, Math.max(1, MOST_CHANGES / changesPerSecond) * 1000);
  const load = loadOf('steady', { seed: SEED, objects, changesPerSecond, durationMs, bytes: objectBytes });
  collectGarbage();
  const result = await runStrategy({ strategy: 'folding', load, target: 'memory', clock: 'virtual', consumers: advice.concurrency, latencyMs: storageMs });
  const before = result.samples.filter(({ atMs }) => atMs <= durationMs);
  const [half, last] = [before[Math.floor(before.length / 2)], before.at(-1)];
  // The first half fills up what waits, the second is as it will go on.
  const writesPerSecond =
    half === undefined || last === undefined || last.atMs === half.atMs ? 0 : ((last.writes - half.writes) * 1000) / (last.atMs - half.atMs);
  const { p50Ms, maxMs, changes } = result;
  return { writesPerSecond, medianLagMs: p50Ms, longestLagMs: maxMs, backlog: last?.items ?? 0, changes, seed: SEED };
}
