import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../kit/clock.ts';
import { Child, numberOf } from './child-process.ts';
import type { Bench, BenchContext } from './context.ts';
import { remove } from './peer-sync.ts';
import { type RealCluster, startRealCluster } from './real-cluster.ts';
import { medianRatio, shown } from './report.ts';

const PODS = 20_000;
/** After each run: what the API server still does for it (closing the watch, collecting garbage) is part of its cost. */
const SETTLE_MS = 3_000;

type Way = 'paged' | 'streaming';

interface Round {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMiB: number;
  readonly serverCpuSeconds: number;
}

export const firstList: Bench = {
  async run(context) {
    const pods = context.pods ?? PODS;
    const cluster = await startRealCluster(context, pods);
    const rounds: Record<Way, Round[]> = { paged: [], streaming: [] };
    try {
      await sync(context, cluster, 'paged');
      await sync(context, cluster, 'streaming');
      for (let round = 0; round < context.rounds; round++) {
        context.say(`round ${round + 1} of ${context.rounds}: paged, then streaming`);
        for (const way of ['paged', 'streaming'] as const) rounds[way].push(await sync(context, cluster, way));
      }
    } finally {
      await cluster.close();
    }
    const row = (way: Way): string[][] =>
      rounds[way].map((one, index) => [
        `${way}, round ${index + 1}`,
        shown(one.seconds),
        shown(one.cpuSeconds),
        shown(one.peakMiB),
        shown(one.serverCpuSeconds),
      ]);
    const ratio = (field: keyof Round): number =>
      medianRatio(
        rounds.streaming.map((one) => one[field]),
        rounds.paged.map((one) => one[field]),
      );
    return {
      question: `Should the first list be paged or streaming? ${shown(pods)} pods of 4 KB from a real API server into SQLite.`,
      table: [['', 'seconds', 'our CPU s', 'our peak MiB', "the server's CPU s"], ...row('paged'), ...row('streaming')],
      answers: [
        { name: 'elapsed, streaming against paged', value: ratio('seconds'), unit: 'times' },
        { name: 'our CPU, streaming against paged', value: ratio('cpuSeconds'), unit: 'times' },
        { name: 'our peak memory, streaming against paged', value: ratio('peakMiB'), unit: 'times' },
        { name: "the server's CPU, streaming against paged", value: ratio('serverCpuSeconds'), unit: 'times' },
      ],
      notes: [
        `The server's CPU is counted until ${SETTLE_MS / 1000} s after the end of each run, with what it does anyway. Both had a run before the first round.`,
      ],
    };
  },
};

async function sync(context: BenchContext, cluster: RealCluster, way: Way): Promise<Round> {
  const db = join(context.folder, `${way}.db`);
  remove(db);
  const config = join(context.folder, `${way}.yaml`);
  writeFileSync(config, `reflector: { firstList: ${way} }\n`);
  const serverBefore = cluster.cpuSeconds();
  const startedAt = systemClock.now();
  const args = [
    'run',
    '--once',
    '--config',
    config,
    '--kinds',
    'pods',
    '--storage',
    `sqlite:${db}`,
    '--kubeconfig',
    cluster.kubeconfig,
    '--listen',
    'off',
    '--log-format',
    'json',
  ];
  const line = await Child.node(context.program('main'), args, { nodeFlags: ['--import', context.program('bench/child/probe')] }).ended();
  const seconds = (systemClock.now() - startedAt) / 1000;
  await systemClock.sleep(SETTLE_MS);
  return { seconds, cpuSeconds: numberOf(line, 'cpuSeconds'), peakMiB: numberOf(line, 'peakMiB'), serverCpuSeconds: cluster.cpuSeconds() - serverBefore };
}
