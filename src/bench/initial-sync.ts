import { join } from 'node:path';
import { DEFAULT_OPTIONS } from '../reflector/options.ts';
import { Child, numberOf } from './child-process.ts';
import type { MirrorChildOptions } from './child/mirror.ts';
import type { Bench, BenchContext } from './context.ts';
import { type HollowProcess, startHollowProcess } from './hollow-cluster.ts';
import { median, medianRatio, shown } from './report.ts';

const PODS = 100_000;

interface Round {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMiB: number;
  readonly longestBlockMs: number;
  readonly longestOwnMs: number;
}

export const initialSync: Bench = {
  async run(context) {
    const pods = context.pods ?? PODS;
    const hollow = await startHollowProcess(context, pods);
    const ours: Round[] = [];
    const plain: Round[] = [];
    try {
      for (let round = 0; round < context.rounds; round++) {
        context.say(`round ${round + 1} of ${context.rounds}: the plain limit, then kubefold`);
        plain.push(await readAndInsert(context, hollow, round));
        ours.push(await mirror(context, hollow, { round, pods }));
      }
    } finally {
      await hollow.stop();
    }
    const row = (name: string, rounds: readonly Round[]): string[][] =>
      rounds.map((one, index) => [
        `${name}, round ${index + 1}`,
        shown(one.seconds),
        shown(pods / one.seconds),
        shown(one.cpuSeconds),
        shown(one.peakMiB),
        shown(one.longestBlockMs),
        shown(one.longestOwnMs),
      ]);
    return {
      question: `How near does the first sync of ${shown(pods)} pods of 4 KB into SQLite come to reading the same bytes and inserting the same rows, and nothing else?`,
      table: [['', 'seconds', 'rows a second', 'CPU s', 'peak MiB', 'longest block ms', 'of own CPU'], ...row('plain limit', plain), ...row('kubefold', ours)],
      answers: [
        {
          name: 'rate against the plain limit',
          value: medianRatio(
            plain.map((one) => one.seconds),
            ours.map((one) => one.seconds),
          ),
          unit: 'times',
          bar: { atLeast: 0.5 },
        },
        { name: 'peak resident memory', value: median(ours.map((one) => one.peakMiB)), unit: 'MiB', bar: { atMost: 400 } },
        {
          name: 'longest time in which the event loop was blocked by its own work',
          value: median(ours.map((one) => one.longestOwnMs)),
          unit: 'ms',
          bar: { atMost: 50 },
        },
        { name: 'the same, with what the machine took away', value: median(ours.map((one) => one.longestBlockMs)), unit: 'ms' },
      ],
      notes: [
        'Seconds run from the start of the mirror, discovery included, until all is durable; CPU and memory are of the whole process.',
        'Longest block: how late a timer of 5 ms fired at worst; own CPU: the most that the main thread itself used between two such timers. A machine that is busy elsewhere shows in the first alone.',
        'The limit is one thread in turn; kubefold has a thread for SQLite.',
      ],
    };
  },
};

async function mirror(context: BenchContext, hollow: HollowProcess, { round, pods }: { readonly round: number; readonly pods: number }): Promise<Round> {
  const options: MirrorChildOptions = { kubeconfig: hollow.kubeconfig, storage: `sqlite:${join(context.folder, `ours-${round}.db`)}`, kinds: ['pods'] };
  const child = Child.node(context.program('bench/child/mirror'), [JSON.stringify(options)]);
  const ready = await child.line('ready');
  if (numberOf(ready, 'objects') !== pods) throw new Error(`The mirror holds ${numberOf(ready, 'objects')} objects, expected ${pods}`);
  const end = await child.ask('stop');
  await child.ended();
  return {
    seconds: numberOf(ready, 'syncSeconds'),
    cpuSeconds: numberOf(end, 'cpuSeconds'),
    peakMiB: numberOf(end, 'peakMiB'),
    longestBlockMs: numberOf(ready, 'longestBlockMs'),
    longestOwnMs: numberOf(ready, 'longestOwnMs'),
  };
}

async function readAndInsert(context: BenchContext, hollow: HollowProcess, round: number): Promise<Round> {
  const options = { url: hollow.url, file: join(context.folder, `plain-${round}.db`), pageSize: DEFAULT_OPTIONS.pageSize };
  const end = await Child.node(context.program('bench/child/plain-sync'), [JSON.stringify(options)]).ended();
  return {
    seconds: numberOf(end, 'syncSeconds'),
    cpuSeconds: numberOf(end, 'cpuSeconds'),
    peakMiB: numberOf(end, 'peakMiB'),
    longestBlockMs: numberOf(end, 'longestBlockMs'),
    longestOwnMs: numberOf(end, 'longestOwnMs'),
  };
}
