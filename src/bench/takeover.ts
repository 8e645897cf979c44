import { join } from 'node:path';
import { systemClock } from '../kit/clock.ts';
import type { Bench } from './context.ts';
import { type ChangingCluster, startChangingCluster } from './hollow-cluster.ts';
import { KubefoldProcess, verified } from './kubefold-process.ts';
import { median, quantile, shown } from './report.ts';
import { Stored } from './stored.ts';
import { forgetPeak, usageOf } from './usage.ts';

const PODS = 100_000;
/** Light churn: what a quiet cluster of that size does. */
const PER_SECOND = 20;
/** The defaults of the configuration, and shorter ones for a trial. */
const LEASE = { leaseSeconds: 15, renewSeconds: 10, retrySeconds: 2 };
const LEASE_QUICKLY = { leaseSeconds: 3, renewSeconds: 2, retrySeconds: 1 };
/** What a takeover may take beyond the lease. */
const BEYOND_SECONDS = 3;
/** How long both run beside each other before one is killed. */
const TOGETHER_MS = 5_000;
const LOOK_EVERY_MS = 20;
const GIVE_UP_MS = 120_000;
const LIFE_MS = 3_600_000;

interface Takeover {
  /** From the kill until the other one leads, with storage open; and until every row is as in the cluster. */
  readonly leadsSeconds: number;
  readonly exactSeconds: number;
  /** Of the process that takes over: from the kill until it was exact. */
  readonly cpuSeconds: number;
  readonly peakMiB: number;
  /** The same process while it stood by: resident just before the kill, and its CPU until it was warm. */
  readonly standbyMiB: number;
  readonly warmCpuSeconds: number;
  readonly warmSeconds: number;
}

export const takeover: Bench = {
  async run(context) {
    const pods = context.pods ?? (context.quick ? 2_000 : PODS);
    const rounds = context.quick ? 1 : context.rounds;
    const lease = context.quick ? LEASE_QUICKLY : LEASE;
    const cluster = await startChangingCluster(context, { pods, changes: 1, history: 1_000_000, perSecond: PER_SECOND });
    const file = join(context.folder, 'copy.db');
    const start = (): Promise<KubefoldProcess> =>
      KubefoldProcess.start(context, {
        kubeconfig: cluster.kubeconfig,
        file,
        withinMs: LIFE_MS,
        config: `leaderElection: ${JSON.stringify({ enabled: true, name: 'copy', namespace: 'default', ...lease })}\n`,
      });
    const all: Takeover[] = [];
    let objects = 0;
    let wrong = 0;
    try {
      context.say('first sync');
      let leader = await start();
      await leader.ready();
      for (let round = 0; round < rounds; round++) {
        context.say(`round ${round + 1} of ${rounds}: a standby starts, the leader is killed`);
        const standby = await start();
        all.push(await killed(cluster, { leader, standby, file }));
        leader = standby;
      }
      context.say('everything is compared by content');
      ({ objects, wrong } = await verified(context, { kubeconfig: cluster.kubeconfig, file }));
      await leader.stop();
    } finally {
      await cluster.stop();
    }
    const leads = all.map((one) => one.leadsSeconds);
    return {
      question: `How soon does a standby lead when the leader of ${shown(objects)} objects is killed in ${PER_SECOND} changes a second, and what does it cost?`,
      table: [
        ['', 'leads s', 'exact s', 'CPU s', 'peak MiB', 'standing by MiB', 'warm after s', 'CPU s until warm'],
        ...all.map((one, round) => [
          `round ${round + 1}`,
          ...[one.leadsSeconds, one.exactSeconds, one.cpuSeconds, one.peakMiB, one.standbyMiB, one.warmSeconds, one.warmCpuSeconds].map(shown),
        ]),
      ],
      answers: [
        {
          name: `leads after, p95 (lease ${lease.leaseSeconds} s)`,
          value: quantile(leads, 0.95),
          unit: 's',
          bar: { atMost: lease.leaseSeconds + BEYOND_SECONDS },
        },
        { name: 'leads after, median', value: median(leads), unit: 's' },
        { name: 'from leading until every row is as in the cluster, worst round', value: worst(all, (one) => one.exactSeconds - one.leadsSeconds), unit: 's' },
        { name: 'CPU of the takeover, worst round', value: worst(all, (one) => one.cpuSeconds), unit: 's' },
        { name: 'peak resident memory from the kill until exact, worst round', value: worst(all, (one) => one.peakMiB), unit: 'MiB' },
        { name: 'resident memory of the standby before, median', value: median(all.map((one) => one.standbyMiB)), unit: 'MiB' },
        { name: 'differences by content at the end (kubefold verify)', value: wrong, unit: '', bar: { atMost: 0 } },
      ],
      notes: [
        `The real program twice on one SQLite file; leaseSeconds ${lease.leaseSeconds}, renewSeconds ${lease.renewSeconds}, retrySeconds ${lease.retrySeconds}; the leader is ended with SIGKILL.`,
        'Leads: by /status.json of the standby, which says so once storage is open for it. The churn stops then, and the copy is compared by revision until it is exact; each look takes a while itself.',
        'API server, both replicas and the comparison share this machine.',
      ],
    };
  },
};

const worst = (all: readonly Takeover[], read: (one: Takeover) => number): number => Math.max(...all.map(read));

/** One round: resolves when the standby has taken over, and the copy is exact. */
async function killed(
  cluster: ChangingCluster,
  { leader, standby, file }: { readonly leader: KubefoldProcess; readonly standby: KubefoldProcess; readonly file: string },
): Promise<Takeover> {
  const warmSeconds = (await standby.ready()) / 1000;
  const { pid } = standby.child;
  const warmCpuSeconds = usageOf(pid).cpuSeconds;
  await cluster.ask('churn');
  await systemClock.sleep(TOGETHER_MS);
  const before = usageOf(pid);
  forgetPeak(pid);
  const since = systemClock.now();
  const seconds = (): number => (systemClock.now() - since) / 1000;
  leader.child.signal('SIGKILL');
  while ((await standby.role()) !== 'leader') {
    if (systemClock.now() - since > GIVE_UP_MS) throw new Error(`nobody leads ${GIVE_UP_MS / 1000} s after the leader was killed`);
    await systemClock.sleep(LOOK_EVERY_MS);
  }
  const leadsSeconds = seconds();
  await cluster.ask('calm');
  const truth = await cluster.truth();
  using stored = new Stored(file);
  let differences = stored.differences(truth);
  while (differences > 0) {
    if (systemClock.now() - since > GIVE_UP_MS)
      throw new Error(`${differences} rows are not as in the cluster ${GIVE_UP_MS / 1000} s after the leader was killed`);
    await systemClock.sleep(LOOK_EVERY_MS);
    differences = stored.differences(truth);
  }
  const exactSeconds = seconds();
  const after = usageOf(pid);
  return {
    leadsSeconds,
    exactSeconds,
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
    peakMiB: after.peakMiB,
    standbyMiB: before.residentMiB,
    warmCpuSeconds,
    warmSeconds,
  };
}
