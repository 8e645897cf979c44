import { median } from '../bench/report.ts';
import { impliedDrainMs } from './implied.ts';
import type { GrowthPoint } from './growth.ts';
import { loadOf } from './load/loads.ts';
import { PUBLISHED, type PublishedRun } from './published.ts';
import { endOf, isBehind, type Reach } from './reach.ts';
import { JITTER } from './run.ts';
import type { Row } from './summary.ts';

/** One expectation, and what was seen. */
export interface Finding {
  readonly asked: string;
  readonly seen: string;
  /** Null when no run of this comparison says anything about it. */
  readonly isMet: boolean | null;
  /** What does not fit, run by run. */
  readonly exceptions: readonly string[];
}

/** A row of the published tables beside ours and what arithmetic says. Times in seconds. */
export interface PublishedRow extends PublishedRun {
  /** Of our burst. */
  readonly burstSeconds: number;
  readonly impliedSeconds: number;
  /** Null where it was not run, or did not end. */
  readonly oursSeconds: number | null;
  readonly oursWritesPerSecond: number | null;
  readonly foldingSeconds: number | null;
  readonly defaultsSeconds: number | null;
}

/** Drains this much sooner, where partitions end a burst behind: with as many writers, and as the product is delivered. */
const TIMES_SOONER = { folding: 5, 'folding-defaults': 10 } as const;
const FROM_IMPLIED = 0.25;
const LONGEST_SECONDS = 600;
/** A cost that rises by no more than this share counts as flat. */
export const FLAT = 0.2;
/** Later than a perfect folder by so little: what it costs that writes differ in length, and that each kind has a queue of its own. */
const NEAR_PERFECT = 0.05;
const FOLDINGS = ['folding', 'folding-batches', 'folding-defaults'];
/** Whether a change comes just before or just after its object is taken is chance where time is real. */
const CHANCE = 0.05;
/** What a timer or a commit may take longer on a machine that is busy, once. */
const HELD_UP_MS = 50;

/** The published tables with ours beside them. `seeds` and `partitions` are those of the runs; what is implied is the median over the seeds, as ours is. */
export function publishedRows(rows: readonly Row[], seeds: readonly number[], partitions: number): readonly PublishedRow[] {
  return PUBLISHED.map((run) => {
    const name = `ladder-${run.offeredPerSecond}`;
    const found = (strategy: string): Row | undefined => rows.find((row) => row.target === 'memory' && row.load === name && row.strategy === strategy);
    const ours = found(run.design);
    const { durationMs = 10_000, latencyMs = run.latencyMs } = ours ?? {};
    const lines = run.design === 'serial' ? 1 : partitions;
    const implied = median(seeds.map((seed) => impliedDrainMs(loadOf(name, { seed, durationMs }), lines, latencyMs ?? run.latencyMs)));
    const seconds = (row: Row | undefined): number | null => (row?.exactMs == null ? null : row.exactMs / 1000);
    return {
      ...run,
      burstSeconds: durationMs / 1000,
      impliedSeconds: implied / 1000,
      oursSeconds: ours?.drainedMs == null ? null : ours.drainedMs / 1000,
      oursWritesPerSecond: ours?.writesPerSecond ?? null,
      foldingSeconds: seconds(found('folding')),
      defaultsSeconds: seconds(found('folding-defaults')),
    };
  });
}

/** What the issue asks of a comparison, each with what these rows say. Whatever does not fit is named. */
export function findingsOf(parts: {
  readonly rows: readonly Row[];
  readonly reach: readonly Reach[];
  readonly published: readonly PublishedRow[];
  readonly growth: readonly GrowthPoint[];
  /** Of a whole comparison; null of a part. */
  readonly tookSeconds: number | null;
}): readonly Finding[] {
  const { rows, reach, published, growth, tookSeconds } = parts;
  return [
    implied(published),
    sooner({ rows, reach, strategy: 'folding', how: 'equal concurrency' }),
    reachable(reach),
    perfect(reach),
    sooner({ rows, reach, strategy: 'folding-defaults', how: "the product's defaults" }),
    slower(rows),
    more(rows, ['folding'], 'at equal concurrency folding never writes more than partitions'),
    more(rows, ['folding-batches', 'folding-defaults'], "with batches, or the product's defaults, it does not write more either"),
    right(rows),
    parallel(rows),
    ...(growth.length > 1
      ? [
          flat(growth, ({ microsInOrder }) => microsInOrder, 'µs', 'time'),
          inRandomOrder(growth),
          flat(growth, beyondMap, 'µs', 'time in random order, less what the look-up in a plain Map takes,'),
          flat(growth, ({ bytesPerWaitingChange }) => bytesPerWaitingChange, 'bytes', 'memory'),
        ]
      : []),
    ...(tookSeconds === null
      ? []
      : [
          {
            asked: `all of it takes less than ${LONGEST_SECONDS / 60} minutes`,
            seen: `${tookSeconds.toFixed(0)} s`,
            isMet: tookSeconds < LONGEST_SECONDS,
            exceptions: [],
          },
        ]),
  ];
}

function implied(published: readonly PublishedRow[]): Finding {
  const run = published.filter(({ oursSeconds }) => oursSeconds !== null);
  const off = run.map(({ oursSeconds, impliedSeconds }) => Math.abs((oursSeconds ?? 0) / impliedSeconds - 1));
  return {
    asked: `the published ladder drains within ${percent(FROM_IMPLIED)} of what rate, lines and latency imply`,
    seen: run.length === 0 ? 'not run' : `${run.length} of ${published.length} rungs run, at most ${percent(Math.max(...off))} off`,
    isMet: run.length === 0 ? null : Math.max(...off) <= FROM_IMPLIED,
    exceptions: run
      .filter((_, index) => (off[index] ?? 0) > FROM_IMPLIED)
      .map(
        ({ design, offeredPerSecond, oursSeconds, impliedSeconds }) =>
          `${design} at ${offeredPerSecond}/s: ${sec(oursSeconds)} s, implied ${sec(impliedSeconds)} s`,
      ),
  };
}

interface Pair {
  readonly partitioned: Row;
  readonly folding: Row;
}

function pairs(rows: readonly Row[], strategies: readonly string[]): readonly Pair[] {
  const partitioned = new Map(rows.filter(({ strategy }) => strategy === 'partitioned').map((row) => [`${row.target} ${row.load}`, row]));
  return rows.flatMap((folding) => {
    const other = partitioned.get(`${folding.target} ${folding.load}`);
    return other !== undefined && strategies.includes(folding.strategy) ? [{ partitioned: other, folding }] : [];
  });
}

function sooner(parts: {
  readonly rows: readonly Row[];
  readonly reach: readonly Reach[];
  readonly strategy: keyof typeof TIMES_SOONER;
  readonly how: string;
}): Finding {
  const { rows, reach, strategy, how } = parts;
  const least = TIMES_SOONER[strategy];
  const compared = pairs(rows, [strategy]);
  const behind = compared
    .filter(({ partitioned }) => isBehind(partitioned))
    .map((pair) => ({ ...pair, times: endOf(pair.partitioned) / endOf(pair.folding) }))
    // Of partitions that were given up only the least that they would have taken is known.
    .filter(({ partitioned, times }) => partitioned.unfinished === 0 || times >= least);
  const fits = behind.filter(({ times }) => times >= least);
  const limitOf = (row: Row): string => {
    const found = reach.find(({ load }) => row.strategy === 'folding' && row.clock === 'virtual' && load === row.load);
    return found === undefined ? '' : `; ${limits(found)}`;
  };
  return {
    asked: `where partitions end a burst with a backlog, folding drains at least ${least} times sooner at ${how}`,
    seen:
      compared.length === 0
        ? 'not run'
        : behind.length === 0
          ? 'partitions were never behind'
          : `${fits.length} of ${behind.length} loads; ${range(behind.map(({ times }) => times))} times`,
    isMet: behind.length === 0 ? null : fits.length === behind.length,
    exceptions: behind
      .filter(({ times }) => times < least)
      .map(
        ({ partitioned, folding, times }) =>
          `${where(folding)}: ${times.toFixed(1)} times (${drain(partitioned)} against ${drain(folding)})${limitOf(folding)}`,
      ),
  };
}

function limits({ foldedTimes, foldedMs, mostTimes, leastMs }: Reach): string {
  return `a perfect folder would reach ${foldedTimes.toFixed(1)} times (${sec(foldedMs / 1000)} s), and nobody more than ${mostTimes.toFixed(1)} (${sec(leastMs / 1000)} s)`;
}

/** Loads on which nobody could drain so much sooner than partitions do, with as many writers and one row a write. */
export function outOfReach(reach: readonly Reach[]): readonly Reach[] {
  return reach.filter(({ isBehind: isAsked, isAtLeast, mostTimes }) => isAsked && !isAtLeast && mostTimes < TIMES_SOONER.folding);
}

function reachable(reach: readonly Reach[]): Finding {
  const least = TIMES_SOONER.folding;
  const never = outOfReach(reach);
  const asked = reach.filter((one) => one.isBehind && !never.includes(one) && (!one.isAtLeast || one.times >= least));
  const missed = asked.filter(({ times }) => times < least);
  const apart =
    never.length === 0
      ? ''
      : `; out of reach on ${never.length}: ${never.map((one) => `${one.load} (${one.mostTimes.toFixed(1)} times at the most)`).join(', ')}`;
  return {
    asked: `wherever ${least} times is possible at all with as many writers, folding reaches it`,
    seen: reach.length === 0 ? 'not run' : `${asked.length - missed.length} of ${asked.length} loads${apart}`,
    isMet: asked.length === 0 ? null : missed.length === 0,
    exceptions: missed.map((one) => `${one.load}: ${one.times.toFixed(1)} times; ${limits(one)}`),
  };
}

function perfect(reach: readonly Reach[]): Finding {
  // Which write is the last one, and how long it takes, is chance.
  const late = ({ foldingMs, foldedMs, writeMs }: Reach): number => (foldingMs - writeMs * (1 + JITTER)) / foldedMs - 1;
  const far = reach.filter((one) => late(one) > NEAR_PERFECT);
  return {
    asked: `folding drains at most ${percent(NEAR_PERFECT)} and one write later than a perfect folder: oldest first, the newest state, no writer idle`,
    seen: reach.length === 0 ? 'not run' : `${reach.length - far.length} of ${reach.length} loads, at most ${percent(Math.max(0, ...reach.map(late)))} later`,
    isMet: reach.length === 0 ? null : far.length === 0,
    exceptions: far.map((one) => `${one.load}: ${sec(one.foldingMs / 1000)} s against ${sec(one.foldedMs / 1000)} s`),
  };
}

function slower(rows: readonly Row[]): Finding {
  const all = pairs(rows, FOLDINGS);
  const late = all.filter(({ partitioned, folding }) => {
    if (folding.exactMs === null) return partitioned.exactMs !== null;
    if (partitioned.exactMs === null) return false;
    // The last write of a run takes its own latency, and which one that is is chance.
    const chance = (folding.latencyMs ?? 0) * (1 + JITTER) + (folding.clock === 'real' ? HELD_UP_MS : 0);
    return folding.exactMs > partitioned.exactMs + chance;
  });
  return {
    asked: 'folding is never slower than partitions, by more than the latency of one write',
    seen: all.length === 0 ? 'not run' : `${all.length - late.length} of ${all.length} comparisons`,
    isMet: all.length === 0 ? null : late.length === 0,
    exceptions: late.map(({ partitioned, folding }) => `${where(folding)}, ${folding.strategy}: ${drain(folding)} against ${drain(partitioned)}`),
  };
}

function more(rows: readonly Row[], strategies: readonly string[], what: string): Finding {
  // A run that was given up wrote as much as its time let it.
  const all = pairs(rows, strategies).filter(({ partitioned, folding }) => partitioned.unfinished === 0 && folding.unfinished === 0);
  const above = all.filter(({ partitioned, folding }) => folding.writes > partitioned.writes * (folding.clock === 'real' ? 1 + CHANCE : 1));
  return {
    asked: `${what} (in real time, where chance folds too, by more than ${percent(CHANCE)})`,
    seen: all.length === 0 ? 'not run' : `${all.length - above.length} of ${all.length} comparisons`,
    isMet: all.length === 0 ? null : above.length === 0,
    exceptions: above.map(
      (pair) =>
        `${where(pair.folding)}, ${pair.folding.strategy}: ${count(pair.folding.writes)} against ${count(pair.partitioned.writes)} writes${fresher(pair)}`,
    ),
  };
}

/** Whoever keeps up writes every change as it comes; only who is behind has something to fold. */
function fresher({ partitioned, folding }: Pair): string {
  if (!isBehind(partitioned) || folding.backlogAtEnd >= partitioned.backlogAtEnd) return '';
  return `; at the end of the burst ${count(folding.backlogAtEnd)} changes wait, with partitions ${count(partitioned.backlogAtEnd)}: who is up to date has nothing to fold`;
}

function right(rows: readonly Row[]): Finding {
  const folding = rows.filter(({ strategy }) => FOLDINGS.includes(strategy));
  const bad = folding.filter(({ wrongRows, orderViolations, discarded }) => wrongRows + orderViolations + discarded > 0);
  return {
    asked: 'folding ends with 0 wrong rows and 0 order violations, always',
    seen: folding.length === 0 ? 'not run' : `${folding.length - bad.length} of ${folding.length} contestants`,
    isMet: folding.length === 0 ? null : bad.length === 0,
    exceptions: bad.map(
      (row) => `${where(row)}, ${row.strategy}: ${row.wrongRows} wrong rows, ${row.orderViolations} out of order (seeds ${row.seeds.join(', ')})`,
    ),
  };
}

function parallel(rows: readonly Row[]): Finding {
  const runs = rows.filter(({ strategy }) => strategy === 'parallel');
  const sum = (of: (row: Row) => number): number => runs.reduce((all, row) => all + of(row), 0);
  const worst = runs.filter(({ wrongRows }) => wrongRows > 0);
  return {
    asked: 'what parallel does wrong is seen, counted and reproducible by seed',
    seen:
      runs.length === 0
        ? 'not run'
        : `${count(sum(({ orderViolations }) => orderViolations))} order violations, ${count(sum(({ wrongRows }) => wrongRows))} wrong rows under ${worst.length} of ${runs.length} loads`,
    isMet: runs.length === 0 ? null : sum(({ orderViolations }) => orderViolations) > 0,
    exceptions: worst.map(
      (row) =>
        `${where(row)}: ${row.wrongRows} wrong rows (${row.wrong.surplus} came back, ${row.wrong.stale} stale, ${row.wrong.missing} missing) with seed ${row.wrongSeeds.join(', ')}`,
    ),
  };
}

/** Memory that the caches of the processor do not hold is slow for everybody: a plain Map of as many objects says how much of the rise anybody would have. */
function inRandomOrder(growth: readonly GrowthPoint[]): Finding {
  const found = flat(growth, ({ microsPerChange }) => microsPerChange, 'µs', 'time in random order, with what caches of the processor miss,');
  const [first, last] = [growth[0], growth.at(-1)];
  if (first === undefined || last === undefined || last.microsPerChange <= first.microsPerChange) return found;
  const share = (last.microsOfMap - first.microsOfMap) / (last.microsPerChange - first.microsPerChange);
  const plain = `the look-up in a plain Map alone takes ${first.microsOfMap.toFixed(1)} µs at first and ${last.microsOfMap.toFixed(1)} µs at last`;
  return { ...found, seen: `${found.seen}; ${plain}, ${percent(Math.min(share, 1))} of the difference` };
}

function beyondMap({ microsPerChange, microsOfMap }: GrowthPoint): number {
  return microsPerChange - microsOfMap;
}

function flat(growth: readonly GrowthPoint[], of: (point: GrowthPoint) => number, unit: 'bytes' | 'µs', what: string): Finding {
  const values = growth.map(of);
  const [first = Number.NaN] = values;
  const rise = Math.max(...values) / first - 1;
  return {
    asked: `${what} for one change is flat, within ${percent(FLAT)}, from ${count(growth[0]?.objects)} to ${count(growth.at(-1)?.objects)} objects`,
    seen: `${first.toFixed(first < 100 ? 1 : 0)} ${unit} at first, at most ${percent(rise)} more`,
    isMet: rise <= FLAT,
    exceptions:
      rise <= FLAT
        ? []
        : growth.filter((point) => of(point) > first * (1 + FLAT)).map((point) => `${count(point.objects)} objects: ${of(point).toFixed(1)} ${unit}`),
  };
}

function where({ target, load }: Row): string {
  return target === 'memory' ? load : `${load} on ${target}`;
}

function drain({ exactMs, unfinished }: Row): string {
  return exactMs === null ? (unfinished > 0 ? 'not ended in its time' : 'never exact') : `${sec(exactMs / 1000)} s`;
}

function range(times: readonly number[]): string {
  return `${Math.min(...times).toFixed(1)} to ${Math.round(Math.max(...times)).toLocaleString('en-US')}`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 && share > 0 ? 1 : 0)} %`;
}

function sec(value: number | null): string {
  return value === null ? '?' : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

function count(value: number | undefined): string {
  return (value ?? 0).toLocaleString('en-US');
}
