import type { ChartConfiguration, ChartDataset } from 'chart.js';
import type { Comparison } from '../compare.ts';
import { FLAT } from '../findings.ts';
import type { StrategyResult } from '../result.ts';
import { STRATEGY_NAMES } from '../strategy/strategies.ts';
import { type Row, thinned } from '../summary.ts';

/** A chart of the page: what the library draws, as JSON, and what the reader is to see in it. */
export interface Chart {
  readonly id: string;
  readonly title: string;
  readonly says: string;
  /** By the name in the chart's choice; one name, no choice. */
  readonly configs: Readonly<Record<string, ChartConfiguration<'line' | 'bar' | 'scatter'>>>;
}

/** Dark enough on white, far enough from each other also without red and green (Okabe and Ito). */
const COLORS: Readonly<Record<string, string>> = {
  serial: '#4d4d4d',
  parallel: '#cc3311',
  partitioned: '#e69f00',
  'partitioned-keeping': '#8c6d1f',
  folding: '#0072b2',
  'folding-batches': '#56b4e9',
  'folding-defaults': '#009e73',
};
/** Points of one line in the chart of backlogs. */
const POINTS = 80;
const FIRST_BACKLOG = 'ladder-1049, memory';
/** Of the ladder the charts of all loads show its ends and its middle. */
const RUNGS_SHOWN = ['ladder-117', 'ladder-585', 'ladder-1699'];

export function chartsOf(comparison: Comparison): readonly Chart[] {
  const { rows, runs, growth } = comparison;
  const firstSeed = comparison.seeds[0];
  const first = runs.filter(({ seed }) => seed === firstSeed);
  const inMemory = rows.filter(({ target }) => target === 'memory');
  const shown = inMemory.filter(({ load }) => !load.startsWith('ladder-') || RUNGS_SHOWN.includes(load));
  const charts: Chart[] = [];
  if (first.length > 0)
    charts.push({
      id: 'backlog',
      title: 'Backlog over time',
      says: 'What waits or is under way, from the first change on. Both axes are logarithmic; a line ends where nothing is left. First seed.',
      configs: backlogs(first),
    });
  const ladder = inMemory.filter(({ load }) => load.startsWith('ladder-'));
  if (ladder.length > 0)
    charts.push({
      id: 'drain',
      title: 'Drain time against offered rate',
      says: 'From the end of a burst of 10 s until storage is exact, logarithmic. Hollow marks are the published figures. There is no point where rows stayed wrong.',
      configs: { all: drains(ladder, comparison) },
    });
  if (shown.length > 0) {
    charts.push(
      bars(shown, {
        id: 'writes',
        title: 'Writes per change',
        says: 'One means that every change is written. In memory behind latency.',
        of: ({ writesPerChange }) => writesPerChange,
      }),
      latencies(shown),
      memory(shown),
    );
  }
  if (growth.length > 0) charts.push(growthChart(growth));
  return charts;
}

function backlogs(runs: readonly StrategyResult[]): Chart['configs'] {
  const groups = Map.groupBy(runs, ({ load, target }) => `${load}, ${target}`);
  // One that tells the designs apart comes first; the others follow as they were run.
  const ordered = [...groups].toSorted(([a], [b]) => Number(b === FIRST_BACKLOG) - Number(a === FIRST_BACKLOG));
  const entries = ordered.map(([name, group]) => {
    const datasets = group.map(
      ({ strategy, samples }): ChartDataset<'line'> => ({
        ...line(strategy),
        data: thinned(samples, POINTS)
          .filter(({ atMs, items }) => atMs > 0 && items > 0)
          .map(({ atMs, items }) => ({ x: digits(atMs / 1000), y: items })),
      }),
    );
    return [name, xy(datasets, { x: ['seconds since the first change', 'logarithmic'], y: ['items', 'logarithmic'] })] as const;
  });
  return Object.fromEntries(entries);
}

function drains(ladder: readonly Row[], { published }: Comparison): ChartConfiguration<'line'> {
  const datasets = inOrder(ladder).map(
    ([strategy, rows]): ChartDataset<'line'> => ({
      ...line(strategy),
      pointRadius: 3,
      data: rows
        .filter(({ exactMs }) => exactMs !== null)
        .map(({ offeredPerSecond, exactMs }) => ({ x: digits(offeredPerSecond), y: digits(Math.max(exactMs ?? 0, SHORTEST_MS) / 1000) }))
        .toSorted((a, b) => a.x - b.x),
    }),
  );
  const told = (['serial', 'partitioned'] as const).map(
    (design): ChartDataset<'line'> => ({
      label: `${design}, published`,
      borderColor: COLORS[design] ?? '',
      backgroundColor: '#ffffff',
      pointRadius: 6,
      pointStyle: 'rectRot',
      pointBorderWidth: 2,
      showLine: false,
      data: published.filter((row) => row.design === design).map(({ offeredPerSecond, drainSeconds }) => ({ x: offeredPerSecond, y: drainSeconds })),
    }),
  );
  return xy([...datasets, ...told], { x: ['changes offered a second', 'linear'], y: ['seconds', 'logarithmic'] });
}
/** A logarithmic axis has no zero. */
const SHORTEST_MS = 10;

interface Bars {
  readonly id: string;
  readonly title: string;
  readonly says: string;
  readonly of: (row: Row) => number | null;
}

function bars(rows: readonly Row[], { id, title, says, of }: Bars): Chart {
  return { id, title, says, configs: { all: barConfig(rows, of, [title.toLowerCase(), 'linear']) } };
}

function latencies(rows: readonly Row[]): Chart {
  const of = (name: 'p50Ms' | 'p99Ms' | 'maxMs') =>
    barConfig(rows, (row) => (row[name] === null ? null : Math.max(1, row[name])), ['milliseconds', 'logarithmic']);
  return {
    id: 'latency',
    title: 'Change to stored',
    says: 'From a change in the cluster until storage holds that state or a newer one. Logarithmic.',
    configs: { p99: of('p99Ms'), p50: of('p50Ms'), longest: of('maxMs') },
  };
}

function memory(rows: readonly Row[]): Chart {
  return {
    id: 'memory',
    title: 'Memory',
    says: 'JSON that is kept for what waits, at its highest; and heap and buffers above what was before the run, garbage included.',
    configs: {
      'JSON that waits': barConfig(rows, ({ peakBytes }) => peakBytes / 2 ** 20, ['MiB', 'linear']),
      'heap and buffers': barConfig(rows, ({ peakMemoryMiB }) => peakMemoryMiB, ['MiB', 'linear']),
    },
  };
}

/** All as multiples of what they are in the smallest cluster: flat is one and the same line for all. */
function growthChart(growth: Comparison['growth']): Chart {
  const relative = (of: (point: Comparison['growth'][number]) => number): { x: number; y: number }[] =>
    growth.map((point) => ({ x: point.objects, y: digits(of(point) / of(growth[0] ?? point)) }));
  const asked: ChartDataset<'line'> = {
    label: 'asked: at most',
    borderColor: COLORS['parallel'] ?? '',
    borderDash: [6, 4],
    borderWidth: 1,
    pointRadius: 0,
    data: growth.map(({ objects }) => ({ x: objects, y: 1 + FLAT })),
  };
  const datasets = [
    { ...line('folding'), label: 'time for one change', pointRadius: 4, data: relative(({ microsInOrder }) => microsInOrder) },
    { ...line('folding-batches'), label: 'time, objects in random order', pointRadius: 4, data: relative(({ microsPerChange }) => microsPerChange) },
    {
      ...line('partitioned'),
      label: 'the same, less the look-up in a plain Map',
      pointRadius: 4,
      data: relative(({ microsPerChange, microsOfMap }) => microsPerChange - microsOfMap),
    },
    { ...line('folding-defaults'), label: 'memory of a waiting change', pointRadius: 4, data: relative(({ bytesPerWaitingChange }) => bytesPerWaitingChange) },
    asked,
  ];
  return {
    id: 'growth',
    title: 'Cost of one change as the cluster grows',
    says: 'From the bytes of the watch to the settled write, as multiples of the smallest cluster. Bodies of 4 KiB; nothing folds. In random order the caches of the processor miss more, the more there is. The line below it leaves out what the look-up in a plain Map of as many objects takes, in the same run: that much anybody would pay who knows each object by its key.',
    configs: { all: xy(datasets, { x: ['objects in the cluster', 'logarithmic'], y: ['times the smallest', 'linear'] }) },
  };
}

function barConfig(rows: readonly Row[], of: (row: Row) => number | null, y: readonly [string, 'linear' | 'logarithmic']): ChartConfiguration<'bar'> {
  const loads = [...new Set(rows.toSorted((a, b) => rungOf(a.load) - rungOf(b.load)).map(({ load }) => load))];
  const datasets = inOrder(rows).map(([strategy, group]): ChartDataset<'bar'> => {
    const color = COLORS[strategy] ?? '#000000';
    const byLoad = new Map(group.map((row) => [row.load, of(row)]));
    return { label: strategy, backgroundColor: color, data: loads.map((load) => digitsOrNull(byLoad.get(load) ?? null)) };
  });
  return {
    type: 'bar',
    data: { labels: loads, datasets },
    options: { ...COMMON, scales: { y: { type: y[1], title: { display: true, text: y[0] } } } },
  };
}

const COMMON = {
  responsive: true,
  maintainAspectRatio: false,
  // Drawn at once: a page that is printed or photographed must not show half of a movement.
  animation: false,
  interaction: { mode: 'nearest', intersect: false },
  plugins: { legend: { position: 'bottom' } },
} as const;

/** Titles of neighbours must not run into each other, and those of logarithms stand close. */
const TICKS = { maxRotation: 0, autoSkipPadding: 16 } as const;

type Axis = readonly [title: string, type: 'linear' | 'logarithmic'];

function xy(datasets: ChartDataset<'line'>[], { x, y }: { readonly x: Axis; readonly y: Axis }): ChartConfiguration<'line'> {
  const axis = ([text, type]: Axis) => ({ type, title: { display: text !== '', text }, ticks: TICKS });
  return {
    type: 'line',
    data: { datasets },
    options: { ...COMMON, scales: { x: axis(x), y: { ...axis(y), ...(y[1] === 'linear' ? { beginAtZero: true } : {}) } } },
  };
}

function line(strategy: string): Partial<ChartDataset<'line'>> {
  const color = COLORS[strategy] ?? '#000000';
  // Both kinds of partitions mostly go the same way: the second one is dashes on top of the first.
  const over = strategy === 'partitioned-keeping' ? { borderDash: [4, 6], order: 0 } : { order: 1 };
  return { label: strategy, borderColor: color, backgroundColor: color, borderWidth: 2, pointRadius: 1, ...over };
}

/** Rungs of the ladder by their rate, before all others. */
function rungOf(load: string): number {
  return load.startsWith('ladder-') ? Number(load.slice('ladder-'.length)) : Number.MAX_SAFE_INTEGER;
}

/** Rows by strategy, in the order of the strategies, so that a color stands at the same place everywhere. */
function inOrder(rows: readonly Row[]): readonly (readonly [string, readonly Row[]])[] {
  return STRATEGY_NAMES.flatMap((strategy) => {
    const group = rows.filter((row) => row.strategy === strategy);
    return group.length === 0 ? [] : [[strategy, group] as const];
  });
}

/** Four digits that mean something: the page carries thousands of them. */
function digits(value: number): number {
  return Number(value.toPrecision(4));
}

function digitsOrNull(value: number | null): number | null {
  return value === null ? null : digits(value);
}
