import { systemClock } from '../kit/clock.ts';
import { changeAll, LATENCY_MS, type Rig, type Round, roundOf, seedPods, startRig } from './bcs.ts';
import { Child, numberOf } from './child-process.ts';
import type { ShardChildOptions } from './child/shard.ts';
import type { Bench, BenchContext } from './context.ts';
import { median, medianRatio, shown } from './report.ts';

const CONNECTIONS = 128;
const PODS = 10_000;
const COUNTS = [1, 2] as const;
/** So far away that hardly any machine is short of cores: then only what shards do to each other counts. */
const FAR_MS = 5 * LATENCY_MS;
/** The uids of so many fall evenly enough, 2,548 and 2,452: of 2,240 one shard had 1,191, and two could not be more than 1.88 times one. */
const FAR_PODS = 5_000;

interface ShardRound extends Round {
  /** CPU seconds of all mirrors while they wrote. */
  readonly cpuSeconds: number;
}

type Rounds = Readonly<Record<(typeof COUNTS)[number], ShardRound[]>>;

/** One process for each shard, and each with its own connections, as replicas that share a cluster have. */
export const shards: Bench = {
  async run(context) {
    const pods = context.quick ? 200 : (context.pods ?? PODS);
    const near: Rounds = { 1: [], 2: [] };
    const far: Rounds = { 1: [], 2: [] };
    for (let round = 0; round < context.rounds; round++) {
      for (const count of COUNTS) {
        context.say(`round ${round + 1} of ${context.rounds}: ${count} ${count === 1 ? 'shard' : 'shards'}`);
        near[count].push(await allChanged(context, pods, count, LATENCY_MS));
        far[count].push(await allChanged(context, Math.min(pods, FAR_PODS), count, FAR_MS));
      }
    }
    const rate = ({ puts, writingSeconds }: Round): number => puts / writingSeconds;
    const ratio = (rounds: Rounds): number => medianRatio(rounds[2].map(rate), rounds[1].map(rate));
    return {
      question: `How many writes a second do two shards make, against one, where storage takes ${LATENCY_MS} ms and each has ${CONNECTIONS} connections?`,
      table: [
        ['', 'objects', 'PUT', 'seconds writing', 'PUT a second', 'connections', 'CPU seconds of the mirrors', 'older after newer'],
        ...[near, far].flatMap((rounds) =>
          COUNTS.flatMap((count) =>
            rounds[count].map((round, index) => [
              `${count} ${count === 1 ? 'shard' : 'shards'}${rounds === far ? ` at ${FAR_MS} ms` : ''}, round ${index + 1}`,
              ...[round.objects, round.puts, round.writingSeconds, rate(round), round.connections, round.cpuSeconds, round.stepsBack].map(shown),
            ]),
          ),
        ),
      ],
      answers: [
        { name: 'two shards, writes a second against one', value: ratio(near), unit: 'times', bar: { atLeast: 1.8 } },
        { name: `the same at ${FAR_MS} ms, where no core is short`, value: ratio(far), unit: 'times', bar: { atLeast: 1.8 } },
        { name: 'one shard', value: median(near[1].map(rate)), unit: 'writes a second' },
        { name: 'two shards', value: median(near[2].map(rate)), unit: 'writes a second' },
      ],
      notes: [
        `${CONNECTIONS} requests at a time of ${LATENCY_MS} ms are ${shown((CONNECTIONS * 1000) / LATENCY_MS)} a second at the most (limits.storage.concurrency; as many connections more are open while one request follows another).`,
        'API server (which does not split), mirrors and service share this machine: where its cores are busy, two shards are held to what they leave.',
      ],
    };
  },
};

async function allChanged(context: BenchContext, pods: number, count: number, latencyMs: number): Promise<ShardRound> {
  const rig = await startRig(context, 'Pod', seedPods(pods), latencyMs);
  const children: Child[] = [];
  try {
    for (let index = 0; index < count; index++) children.push(startShard(context, rig, { index, count }));
    for (const child of children) await child.line('ready');
    await rig.service.ask('slow');
    await rig.service.ask('mark');
    const before = await cpuSeconds(children);
    const begin = systemClock.wall();
    changeAll(rig.hollow, pods, begin);
    const round = await roundOf(rig, 'pods', begin, systemClock.wall());
    return { ...round, cpuSeconds: (await cpuSeconds(children)) - before };
  } finally {
    for (const child of children) await child.stop();
    await rig.close();
  }
}

function startShard(context: BenchContext, { kubeconfig, storage }: Rig, shard: ShardChildOptions['shard']): Child {
  const options: ShardChildOptions = { kubeconfig, storage, kinds: ['pods'], shard, concurrency: CONNECTIONS };
  return Child.node(context.program('bench/child/shard'), [JSON.stringify(options)]);
}

async function cpuSeconds(children: readonly Child[]): Promise<number> {
  let sum = 0;
  for (const child of children) sum += numberOf(await child.ask('use'), 'cpuSeconds');
  return sum;
}
