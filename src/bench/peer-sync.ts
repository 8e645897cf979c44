import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../kit/clock.ts';
import { Child, numberOf } from './child-process.ts';
import { checkout } from './compiled.ts';
import type { Bench, BenchContext } from './context.ts';
import { peer, type RealCluster, startRealCluster } from './real-cluster.ts';
import { medianRatio, shown } from './report.ts';

const PODS = 20_000;

interface Round {
  readonly cpuSeconds: number;
  readonly peakMiB: number;
  readonly seconds: number;
}

export const peerSync: Bench = {
  async run(context) {
    const pods = context.pods ?? PODS;
    const cluster = await startRealCluster(context, pods);
    const ours: Round[] = [];
    const sources: Round[] = [];
    const theirs: Round[] = [];
    try {
      // The API server's first list fills its caches; nobody is to pay for that.
      await clientGo(context, cluster, pods);
      for (let round = 0; round < context.rounds; round++) {
        context.say(`round ${round + 1} of ${context.rounds}: client-go, kubefold, kubefold from its sources`);
        theirs.push(await clientGo(context, cluster, pods));
        ours.push(await kubefold(context, cluster, context.program('main')));
        sources.push(await kubefold(context, cluster, join(checkout(), 'src/main.ts')));
      }
    } finally {
      await cluster.close();
    }
    const row = (name: string, rounds: readonly Round[]): string[][] =>
      rounds.map((one, index) => [`${name}, round ${index + 1}`, shown(one.cpuSeconds), shown(one.peakMiB), shown(one.seconds)]);
    const ratio = (field: keyof Round, rounds: readonly Round[]): number =>
      medianRatio(
        rounds.map((one) => one[field]),
        theirs.map((one) => one[field]),
      );
    return {
      question: `What does the first sync of ${shown(pods)} pods of 4 KB from a real API server into SQLite cost, against a mirror written on client-go (typed, protobuf, plain list)? Start-up is included.`,
      table: [['', 'CPU s', 'peak MiB', 'seconds'], ...row('client-go', theirs), ...row('kubefold', ours), ...row('kubefold from sources', sources)],
      answers: [
        { name: 'CPU against client-go', value: ratio('cpuSeconds', ours), unit: 'times', bar: { atMost: 0.8 } },
        { name: 'peak memory against client-go', value: ratio('peakMiB', ours), unit: 'times', bar: { atMost: 0.4 } },
        { name: 'elapsed against client-go', value: ratio('seconds', ours), unit: 'times', bar: { atMost: 1.5 } },
        { name: 'CPU from sources', value: ratio('cpuSeconds', sources), unit: 'times' },
        { name: 'peak memory from sources', value: ratio('peakMiB', sources), unit: 'times' },
      ],
      notes: ['Seconds are of the whole process, from its start to its end.'],
    };
  },
};

async function clientGo(context: BenchContext, cluster: RealCluster, pods: number): Promise<Round> {
  const db = join(context.folder, 'theirs.db');
  remove(db);
  const startedAt = systemClock.now();
  const line = await Child.program(peer(context, 'gomirror'), ['-once', '-watchlist=false', '-sink', 'sqlite', '-db', db], {
    env: { KUBECONFIG: cluster.kubeconfig },
  }).ended();
  if (line['writes'] !== pods) throw new Error(`The peer wrote ${String(line['writes'])} rows, expected ${pods}`);
  return { cpuSeconds: numberOf(line, 'cpu'), peakMiB: numberOf(line, 'maxRssMB'), seconds: (systemClock.now() - startedAt) / 1000 };
}

async function kubefold(context: BenchContext, cluster: RealCluster, main: string): Promise<Round> {
  const db = join(context.folder, 'ours.db');
  remove(db);
  const startedAt = systemClock.now();
  const args = ['run', '--once', '--kinds', 'pods', '--storage', `sqlite:${db}`, '--kubeconfig', cluster.kubeconfig, '--listen', 'off', '--log-format', 'json'];
  const line = await Child.node(main, args, { nodeFlags: ['--import', context.program('bench/child/probe')] }).ended();
  return { cpuSeconds: numberOf(line, 'cpuSeconds'), peakMiB: numberOf(line, 'peakMiB'), seconds: (systemClock.now() - startedAt) / 1000 };
}

/** Each run begins with no file. */
export function remove(db: string): void {
  for (const suffix of ['', '-wal', '-shm', '.lock']) rmSync(`${db}${suffix}`, { force: true });
}
