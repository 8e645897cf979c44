import { join } from 'node:path';
import { systemClock } from '../kit/clock.ts';
import { Child, numberOf, textOf } from './child-process.ts';
import type { MirrorChildOptions } from './child/mirror.ts';
import type { Bench, BenchContext } from './context.ts';
import { type ChangingCluster, startChangingCluster } from './hollow-cluster.ts';
import { median, shown } from './report.ts';

const PODS = 100_000;
/** The round that is configured by default. */
const ROUND_SECONDS = 300;
/** The mirror's clock goes so much faster: a round takes 20 s, and costs what it costs. */
const HURRY = 15;
const QUICK_HURRY = 100;
/** An hour of changes. */
const HOUR_ROUNDS = 12;
/** Per second of the machine, so this many times HURRY less for a second of the mirror's clock; storage and watch are not hurried, and seem slower to it. */
const CHANGES_PER_SECOND = 300;
const LOOK_EVERY_MS = 200;

interface Round {
  readonly compared: number;
  readonly drift: number;
  readonly untold: number;
  readonly cpuSeconds: number;
  readonly machineSeconds: number;
  readonly requests: number;
}

export const audit: Bench = {
  async run(context) {
    const pods = context.pods ?? (context.quick ? 1_500 : PODS);
    const hurry = context.quick ? QUICK_HURRY : HURRY;
    const cluster = await startChangingCluster(context, { pods, changes: 100, history: 1_000_000, perSecond: CHANGES_PER_SECOND, bookmarkSeconds: 60 / hurry });
    const quiet: Round[] = [];
    const idle: number[] = [];
    const busy: Round[] = [];
    try {
      const file = join(context.folder, 'audited.db');
      for (let round = 0; round < context.rounds; round++) {
        context.say(`round ${round + 1} of ${context.rounds}: without an audit, then with one`);
        idle.push(await idleCpuShare(context, cluster, { file, hurry }));
        quiet.push(...(await rounds(context, cluster, { file, hurry, count: 1 })));
      }
      context.say('an hour of changes');
      await cluster.ask('churn');
      busy.push(...(await rounds(context, cluster, { file, hurry, count: context.quick ? 2 : HOUR_ROUNDS })));
      await cluster.ask('calm');
    } finally {
      await cluster.stop();
    }
    const cpuOf = (round: Round, index: number): number => round.cpuSeconds - (idle[index] ?? Number.NaN) * round.machineSeconds;
    const rows = (name: string, found: readonly Round[]): string[][] =>
      found.map((round, index) => [`${name}, round ${index + 1}`, ...[round.compared, round.requests, round.cpuSeconds, round.drift, round.untold].map(shown)]);
    const sum = (field: 'drift' | 'untold' | 'compared'): number => [...quiet, ...busy].reduce((total, round) => total + round[field], 0);
    return {
      question: `What does the continuous audit of ${shown(pods)} pods of 4 KB cost, and does it report anything while objects change?`,
      table: [['', 'compared', 'requests', 'CPU s', 'reported', 'not told'], ...rows('quiet', quiet), ...rows('changing', busy)],
      answers: [
        { name: 'of one core, for the audit alone', value: (100 * median(quiet.map(cpuOf))) / ROUND_SECONDS, unit: '%', bar: { atMost: 2 } },
        { name: 'requests a second', value: median(quiet.map(({ requests }) => requests)) / ROUND_SECONDS, unit: '', bar: { atMost: 1 } },
        { name: 'rows reported though nobody but the mirror wrote', value: sum('drift'), unit: '', bar: { atMost: 0 } },
        { name: 'keys in flight at every look, left to the next round', value: (1000 * sum('untold')) / sum('compared'), unit: 'of 1,000' },
      ],
      notes: [
        `A round of ${ROUND_SECONDS} s takes ${ROUND_SECONDS / hurry} s: the mirror's clock goes ${hurry} times as fast. Its CPU is divided by the ${ROUND_SECONDS} s that it has otherwise.`,
        'What the same process uses in the same time without an audit is taken off; CPU is of all threads, what the commits of changes cost is in the rows "changing".',
        `Changes: ${CHANGES_PER_SECOND} a second of the machine.`,
      ],
    };
  },
};

interface AuditedFile {
  readonly file: string;
  readonly hurry: number;
}

/** CPU seconds for each second of the machine. */
async function idleCpuShare(context: BenchContext, cluster: ChangingCluster, { file, hurry }: AuditedFile): Promise<number> {
  const child = startMirror(context, cluster, { file, hurry });
  try {
    await child.line('ready');
    const before = await child.ask('use');
    await systemClock.sleep((ROUND_SECONDS * 1000) / hurry);
    const after = await child.ask('use');
    return (numberOf(after, 'cpuSeconds') - numberOf(before, 'cpuSeconds')) / (numberOf(after, 'seconds') - numberOf(before, 'seconds'));
  } finally {
    await child.stop();
  }
}

/** Whole rounds; the one in which the process begins does not count. */
async function rounds(
  context: BenchContext,
  cluster: ChangingCluster,
  { file, hurry, count }: AuditedFile & { readonly count: number },
): Promise<readonly Round[]> {
  const child = startMirror(context, cluster, { file, hurry, auditSeconds: ROUND_SECONDS });
  const found: Round[] = [];
  try {
    await child.line('ready');
    let before = await roundAfter(child, 0);
    await cluster.requests();
    for (let n = 0; n < count; n++) {
      const after = await roundAfter(child, numberOf(before, 'finishedAt'));
      const asked = (await cluster.requests()).get('pods') ?? { lists: 0, pages: 0, gets: 0 };
      found.push({
        compared: numberOf(after, 'compared'),
        drift: numberOf(after, 'drift'),
        untold: numberOf(after, 'untold'),
        cpuSeconds: numberOf(after, 'cpuSeconds') - numberOf(before, 'cpuSeconds'),
        machineSeconds: numberOf(after, 'seconds') - numberOf(before, 'seconds'),
        requests: asked.lists + asked.pages + asked.gets,
      });
      before = after;
    }
    return found;
  } finally {
    await child.stop();
  }
}

/** What the child says when a round is over that ended after `finishedAt`. */
async function roundAfter(child: Child, finishedAt: number): Promise<Readonly<Record<string, unknown>>> {
  for (;;) {
    const said = await child.ask('audit');
    if (numberOf(said, 'finishedAt') > finishedAt) {
      if (textOf(said, 'skipped') !== '') throw new Error(`The audit left a kind out: ${textOf(said, 'skipped')}`);
      return said;
    }
    await systemClock.sleep(LOOK_EVERY_MS);
  }
}

function startMirror(context: BenchContext, cluster: ChangingCluster, options: AuditedFile & { readonly auditSeconds?: number }): Child {
  const { file, hurry, auditSeconds } = options;
  const asked: MirrorChildOptions = {
    kubeconfig: cluster.kubeconfig,
    storage: `sqlite:${file}`,
    kinds: ['pods'],
    hurry,
    ...(auditSeconds === undefined ? {} : { auditSeconds }),
  };
  return Child.node(context.program('bench/child/mirror'), [JSON.stringify(asked)], { withinMs: 3_600_000 });
}
