import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { seedCluster, startChurn } from '../hollow/load.ts';
import { type Hollow, startHollow } from '../hollow/server.ts';
import { systemClock } from '../kit/clock.ts';
import { Child } from './child-process.ts';
import type { MirrorChildOptions } from './child/mirror.ts';
import type { Bench, BenchContext } from './context.ts';
import { median, shown } from './report.ts';

const PODS = 2_000;
const CHANGES_PER_SECOND = 1_700;
const BURST_MS = 10_000;
/** So slow that most changes of the burst find their key still waiting. */
const SLOW_ROWS_PER_SECOND = 500;

interface Round {
  readonly changes: number;
  readonly offered: number;
  readonly writes: number;
  readonly commits: number;
  /** From the last change until storage held the newest revision of every pod. */
  readonly behindMs: number;
  /** Rows of one key and one revision beyond the first, over everything stored. */
  readonly repeated: number;
  /** Rows of one key beyond the first within one commit. */
  readonly twiceInCommit: number;
}

export const folding: Bench = {
  async run(context) {
    const pods = context.pods ?? PODS;
    const fast: Round[] = [];
    const slow: Round[] = [];
    for (let round = 0; round < context.rounds; round++) {
      context.say(`round ${round + 1} of ${context.rounds}: storage as it is, then at ${SLOW_ROWS_PER_SECOND} rows a second`);
      fast.push(await burst(context, { name: `fast-${round}`, pods }));
      slow.push(await burst(context, { name: `slow-${round}`, pods, rowsPerSecond: SLOW_ROWS_PER_SECOND }));
    }
    const row = (name: string, rounds: readonly Round[]): string[][] =>
      rounds.map((one, index) => [
        `${name}, round ${index + 1}`,
        ...[one.changes, one.offered, one.writes, one.writes / one.changes, one.commits, one.behindMs, one.repeated, one.twiceInCommit].map(shown),
      ]);
    const all = [...fast, ...slow];
    const most = (values: readonly number[]): number => Math.max(...values);
    return {
      question: `What is written of ${shown(CHANGES_PER_SECOND)} changes a second for ${BURST_MS / 1000} s over ${shown(pods)} pods?`,
      table: [
        ['', 'changes', 'offered a second', 'writes', 'writes a change', 'commits', 'ms behind at the end', 'same revision twice', 'key twice in a commit'],
        ...row('SQLite', fast),
        ...row(`SQLite at ${SLOW_ROWS_PER_SECOND} rows a second`, slow),
      ],
      answers: [
        {
          name: 'offered rate, of what was asked, worst round',
          value: Math.min(...all.map((one) => one.offered)) / CHANGES_PER_SECOND,
          unit: 'times',
          bar: { atLeast: 0.95 },
        },
        { name: 'rows of a key beyond the first in one commit, all rounds', value: most(all.map((one) => one.twiceInCommit)), unit: '', bar: { atMost: 0 } },
        { name: 'rows stored twice at one revision, all rounds', value: most(all.map((one) => one.repeated)), unit: '', bar: { atMost: 0 } },
        {
          name: 'newest revision of every pod stored after the last change, worst round',
          value: most(fast.map((one) => one.behindMs)),
          unit: 'ms',
          bar: { atMost: 1_000 },
        },
        { name: 'writes a change', value: median(fast.map((one) => one.writes / one.changes)), unit: '', bar: { atMost: 1 } },
        {
          name: `slow storage: writes, of what it could take in the burst plus one of each pod, worst round`,
          value: most(slow.map((one) => one.writes)) / ((SLOW_ROWS_PER_SECOND * BURST_MS) / 1000 + pods),
          unit: 'times',
          bar: { atMost: 1.05 },
        },
      ],
      notes: [
        'Counted in the table `changes` of the database, which a trigger fills. Rows of one commit carry one time, and commits of one millisecond count as one.',
      ],
    };
  },
};

async function burst(
  context: BenchContext,
  { name, pods, rowsPerSecond }: { readonly name: string; readonly pods: number; readonly rowsPerSecond?: number },
): Promise<Round> {
  const hollow = await startHollow({ history: 100_000 });
  const file = join(context.folder, `${name}.db`);
  const kubeconfig = join(context.folder, `kubeconfig-${name}`);
  seedCluster(hollow, { pods, apps: false, nodes: 10 });
  writeFileSync(kubeconfig, hollow.kubeconfig(), { mode: 0o600 });
  const options: MirrorChildOptions = { kubeconfig, storage: `sqlite:${file}`, kinds: ['pods'], ...(rowsPerSecond === undefined ? {} : { rowsPerSecond }) };
  const child = Child.node(context.program('bench/child/mirror'), [JSON.stringify(options)]);
  try {
    await child.line('ready');
    const db = new DatabaseSync(file, { readOnly: true });
    const count = (sql: string): number => Number(db.prepare(sql).get()?.['n']);
    const before = count('SELECT max(seq) AS n FROM changes');
    const startedAt = systemClock.now();
    const churn = startChurn(hollow, { pods, nodes: 10, changesPerSecond: CHANGES_PER_SECOND, clock: systemClock, mix: { status: 1 } });
    await systemClock.sleep(BURST_MS);
    churn.stop();
    const endedAt = systemClock.now();
    await untilEqual(hollow, db);
    const behindMs = systemClock.now() - endedAt;
    const round: Round = {
      changes: churn.changes,
      offered: (churn.changes * 1000) / (endedAt - startedAt),
      writes: count(`SELECT count(*) AS n FROM changes WHERE seq > ${before}`),
      commits: count(`SELECT count(DISTINCT written_at) AS n FROM changes WHERE seq > ${before}`),
      behindMs,
      repeated: count('SELECT count(*) - count(DISTINCT namespace || char(47) || name || char(47) || resource_version) AS n FROM changes'),
      twiceInCommit: count(`SELECT count(*) - count(DISTINCT namespace || char(47) || name || char(47) || written_at) AS n FROM changes WHERE seq > ${before}`),
    };
    db.close();
    return round;
  } finally {
    await child.stop();
    await hollow.close();
  }
}

/** Waits until the database holds the newest revision of every pod; throws when that takes a minute. */
async function untilEqual(hollow: Hollow, db: DatabaseSync): Promise<void> {
  const wanted = new Map(hollow.list('pods').map(({ metadata }) => [`${metadata?.namespace}/${metadata?.name}`, String(metadata?.['resourceVersion'])]));
  const select = db.prepare('SELECT namespace, name, resource_version FROM objects');
  const deadline = systemClock.now() + 60_000;
  for (;;) {
    const rows = select.all();
    if (rows.length === wanted.size && rows.every((row) => wanted.get(`${String(row['namespace'])}/${String(row['name'])}`) === row['resource_version']))
      return;
    if (systemClock.now() > deadline) throw new Error('The database did not hold the newest revision of every pod within a minute');
    await systemClock.sleep(10);
  }
}
