import { join } from 'node:path';
import { systemClock } from '../kit/clock.ts';
import { Child, numberOf } from './child-process.ts';
import type { RequestCounts } from './child/cluster.ts';
import type { IndexLoadOptions } from './child/index-load.ts';
import type { Bench, BenchContext } from './context.ts';
import { type ChangingCluster, startChangingCluster } from './hollow-cluster.ts';
import { CLUSTER_NAME, KubefoldProcess, verified } from './kubefold-process.ts';
import { median, medianRatio, shown } from './report.ts';
import { type LoggedChange, Stored } from './stored.ts';
import { usageOf } from './usage.ts';

const PODS = 100_000;
const CHANGED_SHARE = 0.01;
/** How long a start is watched after it is done: what it does by then without need counts, too. */
const WATCHED_MS = 3_000;
const WATCHED_QUICKLY_MS = 500;
const LOOK_EVERY_MS = 10;
const EXACT_WITHIN_MS = 120_000;
/** The guard of the history asks for these, and no mirror of a kind does. */
const LOOK = 'the look at the history';

const LOADS: Readonly<Record<IndexLoadOptions['how'], string>> = {
  plain: 'one SELECT through node:sqlite, rows counted',
  read: 'index load, storage alone',
  load: 'index load, into the cache',
};

/** What changed while nothing ran. */
interface Changed {
  readonly put: Readonly<Record<string, string>>;
  readonly deleted: readonly string[];
}

/** Keys of the index, for each second and for each second of CPU of the thread that reads: on a machine that others use, too, only the second says what a key costs. */
interface Load {
  readonly perSecond: number;
  readonly perCpuSecond: number;
  readonly grownMiB: number;
}

interface Start {
  readonly readySeconds: number;
  /** Until every changed row was as in the cluster; equal to readySeconds when nothing had changed. */
  readonly exactSeconds: number;
  readonly peakMiB: number;
  readonly cpuSeconds: number;
  readonly requests: ReadonlyMap<string, RequestCounts>;
  /** Rows written, and how many of these nobody asked for, or were written twice, or not as in the cluster. */
  readonly rows: number;
  readonly wrongRows: number;
  /** By the program's own metric. */
  readonly settled: number;
}

export const restart: Bench = {
  async run(context) {
    const pods = context.pods ?? (context.quick ? 2_000 : PODS);
    const changes = Math.max(1, Math.round(pods * CHANGED_SHARE));
    const rounds = context.quick ? 1 : context.rounds;
    const full = await startChangingCluster(context, { pods, changes, history: 10 * changes + 1_000, perSecond: 1 });
    const empty = await startChangingCluster(context, { pods: 0, changes: 1, history: 1_000, perSecond: 1 });
    const files = { full: join(context.folder, 'full.db'), empty: join(context.folder, 'empty.db') };
    const starts = { bare: [] as number[], empty: [] as Start[], unchanged: [] as Start[], changed: [] as Start[], expired: [] as Start[] };
    const loads = { plain: [] as Load[], read: [] as Load[], load: [] as Load[] };
    let objects = 0;
    let wrong = 0;
    try {
      context.say('first sync of both');
      for (const name of ['full', 'empty'] as const) await firstSync(context, name === 'full' ? full : empty, files[name]);
      for (let round = 0; round < rounds; round++) {
        context.say(`round ${round + 1} of ${rounds}: --version, an empty mirror, the index alone`);
        starts.bare.push(await bareSeconds(context));
        starts.empty.push(await start(context, empty, files.empty, null));
        for (const how of ['plain', 'read', 'load'] as const) loads[how].push(await loadIndex(context, { file: files.full, cluster: CLUSTER_NAME, how }, pods));
        context.say('unchanged; changed while down; changed, and the history expired');
        starts.unchanged.push(await start(context, full, files.full, null));
        starts.changed.push(await start(context, full, files.full, changedBy(await full.ask('change'))));
        const changed = changedBy(await full.ask('change'));
        await full.ask('compact');
        starts.expired.push(await start(context, full, files.full, changed));
      }
      context.say('everything is compared by content');
      const kubefold = await KubefoldProcess.start(context, { kubeconfig: full.kubeconfig, file: files.full });
      await kubefold.ready();
      ({ objects, wrong } = await verified(context, { kubeconfig: full.kubeconfig, file: files.full }));
      await kubefold.stop();
    } finally {
      await full.stop();
      await empty.stop();
    }
    const bare = median(starts.bare);
    const worst = (all: readonly Start[], read: (one: Start) => number): number => Math.max(...all.map(read));
    const beyond = (all: readonly Start[]): number[] => all.map((one, round) => one.readySeconds - (starts.bare[round] ?? bare));
    const row = (name: string, all: readonly Start[]): string[][] =>
      all.map((one, round) => [
        `${name}, round ${round + 1}`,
        ...[
          one.readySeconds,
          one.exactSeconds,
          one.cpuSeconds,
          one.peakMiB,
          mirrored(one, 'lists'),
          mirrored(one, 'pages'),
          looks(one),
          one.rows,
          one.settled,
        ].map(shown),
      ]);
    return {
      question: `What does a start cost that finds ${shown(objects)} objects stored: when nothing changed, when ${shown(changes)} did, and when the history of these expired?`,
      table: [
        ['', 'ready s', 'exact s', 'CPU s', 'peak MiB', 'lists', 'more pages', 'looks', 'rows written', 'by its metric'],
        ...row('empty mirror', starts.empty),
        ...row('unchanged', starts.unchanged),
        ...row(`${shown(changes)} changed`, starts.changed),
        ...row(`${shown(changes)} changed, history expired`, starts.expired),
      ],
      answers: [
        {
          name: 'unchanged: lists of mirrored kinds, worst round',
          value: worst(starts.unchanged, (one) => mirrored(one, 'lists') + mirrored(one, 'pages')),
          unit: '',
          bar: { atMost: 0 },
        },
        { name: 'unchanged: rows written, worst round', value: worst(starts.unchanged, (one) => one.rows + one.settled), unit: '', bar: { atMost: 0 } },
        {
          name: 'unchanged: ready, beyond the time of a process that prints its version, worst round',
          value: Math.max(...beyond(starts.unchanged)),
          unit: 's',
          bar: { atMost: 2 },
        },
        { name: '--version alone', value: bare, unit: 's' },
        {
          name: 'unchanged: ready, beyond an empty mirror',
          value: median(starts.unchanged.map((one, round) => one.readySeconds - (starts.empty[round]?.readySeconds ?? Number.NaN))),
          unit: 's',
        },
        {
          name: 'unchanged: ready, against an empty mirror',
          value: medianRatio(
            starts.unchanged.map((one) => one.readySeconds),
            starts.empty.map((one) => one.readySeconds),
          ),
          unit: 'times',
        },
        { name: 'unchanged: peak resident memory, worst round', value: worst(starts.unchanged, (one) => one.peakMiB), unit: 'MiB' },
        { name: 'index load, into the cache', value: median(loads.load.map((one) => one.perSecond)), unit: 'keys a second' },
        // One thread does it all, so this is what a machine of its own would show; the rate above is also that of the neighbours.
        ...(['load', 'read', 'plain'] as const).map((how) => ({
          name: `${LOADS[how]}, for each CPU second`,
          value: median(loads[how].map((one) => one.perCpuSecond)),
          unit: 'keys',
          ...(how === 'load' ? { bar: { atLeast: 400_000 } } : {}),
        })),
        {
          name: 'index load into the cache, against the plain SELECT, by CPU',
          value: medianRatio(
            loads.load.map((one) => one.perCpuSecond),
            loads.plain.map((one) => one.perCpuSecond),
          ),
          unit: 'times',
        },
        { name: 'resident memory that the load into the cache takes', value: median(loads.load.map((one) => one.grownMiB)), unit: 'MiB' },
        { name: 'changed: lists of mirrored kinds, worst round', value: worst(starts.changed, (one) => mirrored(one, 'lists')), unit: '', bar: { atMost: 0 } },
        {
          name: 'changed: rows more, fewer or other than changed, worst round',
          value: worst(starts.changed, (one) => one.wrongRows),
          unit: '',
          bar: { atMost: 0 },
        },
        { name: 'changed: exact after', value: median(starts.changed.map((one) => one.exactSeconds)), unit: 's' },
        {
          name: 'expired: lists of pods, worst round',
          value: worst(starts.expired, (one) => one.requests.get('pods')?.lists ?? 0),
          unit: '',
          bar: { atMost: 1 },
        },
        {
          name: 'expired: rows more, fewer or other than changed, worst round',
          value: worst(starts.expired, (one) => one.wrongRows),
          unit: '',
          bar: { atMost: 0 },
        },
        { name: 'expired: exact after', value: median(starts.expired.map((one) => one.exactSeconds)), unit: 's' },
        { name: 'differences by content at the end (kubefold verify)', value: wrong, unit: '', bar: { atMost: 0 } },
      ],
      notes: [
        `The real program (kubefold run, SQLite, every kind of the default configuration), asked for /readyz every ${LOOK_EVERY_MS} ms from the moment it is started.`,
        'Lists are counted by the HTTP server. Looks: the guard of the history lists one namespace (limit=1) and gets kube-system, at the start and when watches are open.',
        'Rows written are counted in the table `changes`, which a trigger fills; of the changed, one in twenty was deleted and one in twenty is new.',
        `Each start is watched for ${WATCHED_MS / 1000} s after it was done.`,
      ],
    };
  },
};

function changedBy(line: Readonly<Record<string, unknown>>): Changed {
  return line as unknown as Changed;
}

function mirrored(start: Start, field: 'lists' | 'pages'): number {
  let sum = 0;
  for (const [kind, counts] of start.requests) if (kind !== LOOK) sum += counts[field];
  return sum;
}

function looks(start: Start): number {
  const counts = start.requests.get(LOOK);
  return (counts?.lists ?? 0) + (counts?.gets ?? 0);
}

async function firstSync(context: BenchContext, cluster: ChangingCluster, file: string): Promise<void> {
  const kubefold = await KubefoldProcess.start(context, { kubeconfig: cluster.kubeconfig, file });
  await kubefold.ready();
  await kubefold.stop();
  await cluster.requests();
}

/** The least that a process of this program takes. */
async function bareSeconds(context: BenchContext): Promise<number> {
  const startedAt = systemClock.now();
  await Child.node(context.program('main'), ['--version']).ended();
  return (systemClock.now() - startedAt) / 1000;
}

async function loadIndex(context: BenchContext, options: IndexLoadOptions, expected: number): Promise<Load> {
  const end = await Child.node(context.program('bench/child/index-load'), [JSON.stringify(options)]).ended();
  const keys = numberOf(end, 'keys');
  if (keys < expected) throw new Error(`The index has ${keys} pods, expected ${expected}`);
  return { perSecond: keys / numberOf(end, 'seconds'), perCpuSecond: keys / numberOf(end, 'cpuSeconds'), grownMiB: numberOf(end, 'grownMiB') };
}

/** Starts the program on the stored copy, waits until it is ready and every change is stored, watches it for a while and ends it in order. */
async function start(context: BenchContext, cluster: ChangingCluster, file: string, changed: Changed | null): Promise<Start> {
  const expected = new Map<string, string>();
  for (const [key, revision] of Object.entries(changed?.put ?? {})) expected.set(`pods ${key}`, `put ${revision}`);
  for (const key of changed?.deleted ?? []) expected.set(`pods ${key}`, 'delete');
  let newest: number;
  {
    using before = new Stored(file);
    newest = before.newest();
  }
  const kubefold = await KubefoldProcess.start(context, { kubeconfig: cluster.kubeconfig, file });
  const ready = kubefold.ready();
  const exactMs = expected.size === 0 ? await ready : await untilWritten(file, newest + expected.size, kubefold);
  const readyMs = await ready;
  await systemClock.sleep(context.quick ? WATCHED_QUICKLY_MS : WATCHED_MS);
  const settled = await kubefold.counted('kubefold_storage_writes_total', 'outcome');
  const { peakMiB, cpuSeconds } = usageOf(kubefold.child.pid);
  const requests = await cluster.requests();
  const listed = [...requests].filter(([kind, { lists }]) => kind !== LOOK && lists > 0).map(([kind, { lists }]) => `${kind} ${lists}`);
  if (listed.length > 0) context.say(`listed: ${listed.join(', ')}`);
  let written: readonly LoggedChange[];
  {
    using stored = new Stored(file);
    written = stored.changesAfter(newest);
  }
  await kubefold.stop();
  return {
    readySeconds: readyMs / 1000,
    exactSeconds: exactMs / 1000,
    peakMiB,
    cpuSeconds,
    requests,
    rows: written.length,
    wrongRows: wrongRows(written, expected),
    settled: Object.values(settled).reduce((sum, value) => sum + value, 0),
  };
}

/** Milliseconds from the start of the program until the change log had got so far. */
async function untilWritten(file: string, seq: number, kubefold: KubefoldProcess): Promise<number> {
  using stored = new Stored(file);
  while (stored.newest() < seq) {
    if (kubefold.ageMs > EXACT_WITHIN_MS) throw new Error(`${seq - stored.newest()} changes are still missing in the copy after ${EXACT_WITHIN_MS / 1000} s`);
    await systemClock.sleep(LOOK_EVERY_MS);
  }
  return kubefold.ageMs;
}

function wrongRows(written: readonly LoggedChange[], expected: ReadonlyMap<string, string>): number {
  const missing = new Map(expected);
  let wrong = 0;
  for (const { type, key, revision } of written) {
    if (missing.get(key) === (type === 'delete' ? type : `${type} ${revision}`)) missing.delete(key);
    else wrong++;
  }
  return wrong + missing.size;
}
