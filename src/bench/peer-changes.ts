import { join } from 'node:path';
import { Child, numberOf } from './child-process.ts';
import type { MirrorChildOptions } from './child/mirror.ts';
import type { Bench, BenchContext } from './context.ts';
import { remove } from './peer-sync.ts';
import { peer, type RealCluster, startRealCluster } from './real-cluster.ts';
import { median, medianRatio, shown } from './report.ts';

const PODS = 20_000;
const LOAD = { rate: 1_000, seconds: 10, hot: 1_000 };

interface Round {
  readonly changes: number;
  /** From the first change until the copy held the newest revision of every pod. */
  readonly cpuSeconds: number;
  readonly peakMiB: number;
  readonly residentMiB: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Per cent of the changes that were durable within 40 ms of their receipt; of ours alone. */
  readonly withinPercent: number;
}

export const peerChanges: Bench = {
  async run(context) {
    const pods = context.pods ?? PODS;
    const cluster = await startRealCluster(context, pods);
    const ours: Round[] = [];
    const theirs: Round[] = [];
    try {
      for (let round = 0; round < context.rounds; round++) {
        context.say(`round ${round + 1} of ${context.rounds}: client-go, then kubefold, ${LOAD.seconds} s of changes each`);
        theirs.push(await clientGo(context, cluster));
        ours.push(await kubefold(context, cluster));
      }
    } finally {
      await cluster.close();
    }
    const row = (name: string, rounds: readonly Round[]): string[][] =>
      rounds.map((one, index) => [
        `${name}, round ${index + 1}`,
        shown(one.changes),
        shown(one.cpuSeconds),
        shown(one.peakMiB),
        shown(one.residentMiB),
        shown(one.p50Ms),
        shown(one.p99Ms),
        shown(one.withinPercent),
      ]);
    const ratio = (field: keyof Round): number =>
      medianRatio(
        ours.map((one) => one[field]),
        theirs.map((one) => one[field]),
      );
    return {
      question: `What do ${shown(LOAD.rate * LOAD.seconds)} changes at ${shown(LOAD.rate)} a second over ${shown(LOAD.hot)} of ${shown(pods)} pods cost, from a real API server into SQLite, against a mirror written on client-go (typed, protobuf)?`,
      table: [
        ['', 'changes', 'CPU s', 'peak MiB', 'resident MiB at the end', 'p50 ms', 'p99 ms', '% within 40 ms of receipt'],
        ...row('client-go', theirs),
        ...row('kubefold', ours),
      ],
      answers: [
        { name: 'CPU against client-go', value: ratio('cpuSeconds'), unit: 'times', bar: { atMost: 0.65 } },
        { name: 'peak memory against client-go', value: ratio('peakMiB'), unit: 'times', bar: { atMost: 0.4 } },
        { name: 'memory at the end against client-go', value: ratio('residentMiB'), unit: 'times' },
        { name: 'change to stored, p99', value: median(ours.map((one) => one.p99Ms)), unit: 'ms', bar: { atMost: 40 } },
        { name: 'the same of client-go', value: median(theirs.map((one) => one.p99Ms)), unit: 'ms' },
        {
          name: 'changes that were durable within 40 ms of their receipt',
          value: median(ours.map((one) => one.withinPercent)),
          unit: '%',
          bar: { atLeast: 99 },
        },
      ],
      notes: [
        "p50 and p99 run from just before the change was written into etcd until its newest state was durable, of every write; the API server's own delay is in them, which on a busy machine is most of it; the last column has ours alone.",
        'CPU includes waiting for the copy to be whole, up to 0.1 s.',
      ],
    };
  },
};

async function clientGo(context: BenchContext, cluster: RealCluster): Promise<Round> {
  const db = join(context.folder, 'theirs.db');
  remove(db);
  const child = Child.program(peer(context, 'gomirror'), ['-watchlist=false', '-sink', 'sqlite', '-db', db], { env: { KUBECONFIG: cluster.kubeconfig } });
  try {
    await child.line('why');
    const load = await cluster.burst({ ...LOAD, pid: child.pid, db });
    const from = child.lines.length;
    child.signal('SIGUSR1');
    const line = await child.line('why', from);
    return { ...cost(load), p50Ms: numberOf(line, 'writtenP50ms'), p99Ms: numberOf(line, 'writtenP99ms'), withinPercent: Number.NaN };
  } finally {
    await child.stop();
  }
}

async function kubefold(context: BenchContext, cluster: RealCluster): Promise<Round> {
  const db = join(context.folder, 'ours.db');
  remove(db);
  const options: MirrorChildOptions = { kubeconfig: cluster.kubeconfig, storage: `sqlite:${db}`, kinds: ['pods'], stamped: true };
  const child = Child.node(context.program('bench/child/mirror'), [JSON.stringify(options)]);
  try {
    await child.line('ready');
    const load = await cluster.burst({ ...LOAD, pid: child.pid, db });
    const line = await child.ask('ages');
    return { ...cost(load), p50Ms: numberOf(line, 'p50Ms'), p99Ms: numberOf(line, 'p99Ms'), withinPercent: 100 * numberOf(line, 'withinShare') };
  } finally {
    await child.stop();
  }
}

function cost(load: Readonly<Record<string, unknown>>): Pick<Round, 'changes' | 'cpuSeconds' | 'peakMiB' | 'residentMiB'> {
  if (load['behind'] !== 0) throw new Error(`The copy never became whole: ${JSON.stringify(load)}`);
  return {
    changes: numberOf(load, 'updates'),
    cpuSeconds: numberOf(load, 'peerCpuTotal'),
    peakMiB: numberOf(load, 'peerMaxRssMB'),
    residentMiB: numberOf(load, 'peerRssMB'),
  };
}
