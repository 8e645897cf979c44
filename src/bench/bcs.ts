import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { seedCluster, startChurn } from '../hollow/load.ts';
import { makeApp } from '../hollow/load-objects.ts';
import { podPlace, podStatus } from '../hollow/load-pods.ts';
import { type Hollow, startHollow } from '../hollow/server.ts';
import { systemClock } from '../kit/clock.ts';
import { Child, numberOf, textOf } from './child-process.ts';
import type { BcsServiceOptions } from './child/bcs-service.ts';
import type { MirrorChildOptions } from './child/mirror.ts';
import type { Bench, BenchContext } from './context.ts';
import { median, shown } from './report.ts';

/** The published latency of the old design's storage. */
export const LATENCY_MS = 87;
const OBJECTS = 5_000;
const BUDGET = 5_000;
const BURST = { pods: 2_000, perSecond: 1_700, ms: 10_000 };
const RESTART_PODS = 10_000;
/** As the load generator numbers its apps. */
const PODS_PER_APP = 25;
export const SHAPE = { bytes: 4096, namespaces: 50, nodes: 50 };
/** Three round trips, and what timers and a poll of the queue add. */
const BEHIND_MS = 300;

export interface Round {
  readonly puts: number;
  /** Documents that a case is about. */
  readonly objects: number;
  /** From the first change, or the start, to the last commit. */
  readonly seconds: number;
  /** From the first request to the last commit. */
  readonly writingSeconds: number;
  /** From the last change to the last commit. */
  readonly behindMs: number;
  readonly connections: number;
  readonly stepsBack: number;
}

export const bcs: Bench = {
  async run(context) {
    const scale = context.quick ? 0.05 : 1;
    const some = (count: number): number => Math.max(20, Math.round(count * scale));
    const rounds: Record<'changed' | 'budgeted' | 'burst' | 'first' | 'restart' | 'takeover', Round[]> = {
      changed: [],
      budgeted: [],
      burst: [],
      first: [],
      restart: [],
      takeover: [],
    };
    for (let round = 0; round < context.rounds; round++) {
      context.say(`round ${round + 1} of ${context.rounds}: all changed at once, without and with a rate budget`);
      rounds.changed.push(await allChanged(context, some(OBJECTS)));
      rounds.budgeted.push(await allChanged(context, some(OBJECTS), BUDGET));
      context.say(`round ${round + 1} of ${context.rounds}: the burst, a first sync, a restart`);
      rounds.burst.push(await burst(context, some(BURST.pods), BURST.ms * scale));
      rounds.first.push(await firstSync(context, some(OBJECTS)));
      const [restart, takeover] = await restarts(context, some(context.pods ?? RESTART_PODS));
      rounds.restart.push(restart);
      rounds.takeover.push(takeover);
    }
    const rate = ({ puts, writingSeconds }: Round): number => (puts === 0 ? 0 : puts / writingSeconds);
    const row = (name: string, cases: readonly Round[]): string[][] =>
      cases.map((one, index) => [
        `${name}, round ${index + 1}`,
        ...[one.objects, one.puts, one.seconds, one.writingSeconds, rate(one), one.behindMs, one.connections, one.stepsBack].map(shown),
      ]);
    const all = Object.values(rounds).flat();
    const most = (cases: readonly Round[], of: (one: Round) => number): number => Math.max(...cases.map(of));
    return {
      question: `What does a storage service see that takes ${LATENCY_MS} ms for each request?`,
      table: [
        ['', 'objects', 'PUT', 'seconds', 'of them writing', 'PUT a second', 'ms behind the last change', 'connections', 'older after newer'],
        ...row('all changed at once', rounds.changed),
        ...row(`the same within ${shown(BUDGET)} a second`, rounds.budgeted),
        ...row(`${shown(BURST.perSecond)} changes a second for ${BURST.ms / 1000} s`, rounds.burst),
        ...row('first sync of Deployments', rounds.first),
        ...row('restart, nothing changed', rounds.restart),
        ...row('the same without any record of ours', rounds.takeover),
      ],
      answers: [
        { name: 'distinct objects, writes a second', value: median(rounds.changed.map(rate)), unit: '', bar: { atLeast: 2_000 } },
        { name: `the same with a budget of ${shown(BUDGET)} a second`, value: median(rounds.budgeted.map(rate)), unit: '', bar: { atLeast: 2_000 } },
        { name: 'connections, most of all', value: most(all, (one) => one.connections), unit: '', bar: { atMost: 256 } },
        { name: 'the burst: copy exact after its last change', value: median(rounds.burst.map((one) => one.behindMs)), unit: 'ms', bar: { atMost: BEHIND_MS } },
        { name: 'first sync of Deployments', value: median(rounds.first.map((one) => one.seconds)), unit: 's', bar: { atMost: 5 } },
        { name: 'PUT of a restart on unchanged objects', value: most(rounds.restart, (one) => one.puts), unit: '', bar: { atMost: 0 } },
        {
          name: 'PUT of each object where nothing but the documents is left: whether they have the form that the rules ask for is not known',
          value: most(rounds.takeover, (one) => one.puts / one.objects),
          unit: '',
          bar: { atMost: 1 },
        },
        { name: 'writes of an older revision after a newer one, all cases', value: most(all, (one) => one.stepsBack), unit: '', bar: { atMost: 0 } },
      ],
      notes: [
        'PUT counts documents of the mirrored kind by the log of the service itself; the mirror keeps records of its own there, a few a second.',
        'The old design, published: the burst drained in 1,380 s with one queue, and at most 345 writes a second with 30 partitions.',
        'API server, mirror and service share this machine.',
      ],
    };
  },
};

export interface Rig {
  readonly hollow: Hollow;
  readonly service: Child;
  /** Of the service, while it is slow. */
  readonly latencyMs: number;
  /** Of the service, as a storage URL. */
  readonly storage: string;
  readonly kubeconfig: string;
  readonly rows: string;
  mirror(perSecond?: number): Promise<Child>;
  close(): Promise<void>;
}

let rigs = 0;

export async function startRig(context: BenchContext, type: 'Pod' | 'Deployment', seed: (hollow: Hollow) => void, latencyMs = LATENCY_MS): Promise<Rig> {
  const hollow = await startHollow({ history: 100_000 });
  seed(hollow);
  const name = `bcs-${rigs++}`;
  const [kubeconfig, rows] = [join(context.folder, `kubeconfig-${name}`), join(context.folder, `rows-${name}`)];
  writeFileSync(kubeconfig, hollow.kubeconfig(), { mode: 0o600 });
  const service = Child.node(context.program('bench/child/bcs-service'), [JSON.stringify({ latencyMs, type, rows } satisfies BcsServiceOptions)]);
  const url = textOf(await service.line('url'), 'url');
  const mirrors: Child[] = [];
  return {
    hollow,
    service,
    latencyMs,
    storage: `bcs+${url}`,
    kubeconfig,
    rows,
    mirror: async (perSecond) => {
      const kinds = [type === 'Pod' ? 'pods' : 'deployments.apps'];
      const options: MirrorChildOptions = { kubeconfig, storage: `bcs+${url}`, kinds, ...(perSecond === undefined ? {} : { perSecond }) };
      const child = Child.node(context.program('bench/child/mirror'), [JSON.stringify(options)]);
      mirrors.push(child);
      await child.line('ready');
      return child;
    },
    close: async () => {
      for (const child of mirrors) await child.stop();
      await service.stop();
      await hollow.close();
    },
  };
}

export const seedPods =
  (pods: number) =>
  (hollow: Hollow): void =>
    seedCluster(hollow, { ...SHAPE, pods, apps: false });

async function allChanged(context: BenchContext, objects: number, perSecond?: number): Promise<Round> {
  const rig = await startRig(context, 'Pod', seedPods(objects));
  try {
    await rig.mirror(perSecond);
    await rig.service.ask('slow');
    await rig.service.ask('mark');
    const begin = systemClock.wall();
    changeAll(rig.hollow, objects, begin);
    return await roundOf(rig, 'pods', begin, systemClock.wall());
  } finally {
    await rig.close();
  }
}

/** Every pod in one go. */
export function changeAll(hollow: Hollow, pods: number, wallMs: number): void {
  for (let number = 0; number < pods; number++) {
    const { namespace, name } = podPlace(number, SHAPE);
    hollow.setStatus('pods', `${namespace}/${name}`, podStatus(number, { phase: 'Running', ready: false, restarts: 7, wallMs }, SHAPE));
  }
}

async function burst(context: BenchContext, pods: number, ms: number): Promise<Round> {
  const rig = await startRig(context, 'Pod', seedPods(pods));
  try {
    await rig.mirror();
    await rig.service.ask('slow');
    await rig.service.ask('mark');
    const begin = systemClock.wall();
    const churn = startChurn(rig.hollow, { ...SHAPE, pods, changesPerSecond: BURST.perSecond, clock: systemClock, mix: { status: 1 } });
    await systemClock.sleep(ms);
    churn.stop();
    return await roundOf(rig, 'pods', begin, systemClock.wall());
  } finally {
    await rig.close();
  }
}

async function firstSync(context: BenchContext, objects: number): Promise<Round> {
  const rig = await startRig(context, 'Deployment', (hollow) => {
    seedPods(0)(hollow);
    hollow.seed(
      'deployments.apps',
      Array.from({ length: objects }, (_, number) => makeApp(number * PODS_PER_APP, 1, SHAPE)['deployments.apps']),
    );
  });
  try {
    await rig.service.ask('slow');
    const mirror = await rig.mirror();
    const seconds = numberOf(await mirror.line('ready'), 'syncSeconds');
    const round = await roundOf(rig, 'deployments.apps', systemClock.wall(), systemClock.wall());
    return { ...round, seconds, behindMs: 0 };
  } finally {
    await rig.close();
  }
}

/** Started again as it ended, and then on documents of which nothing is on record, as a takeover finds them. */
async function restarts(context: BenchContext, pods: number): Promise<readonly [Round, Round]> {
  const rig = await startRig(context, 'Pod', seedPods(pods));
  const again = async (): Promise<Round> => {
    await rig.service.ask('mark');
    const begin = systemClock.wall();
    const mirror = await rig.mirror();
    const round = await roundOf(rig, 'pods', begin, begin);
    const seconds = numberOf(await mirror.line('ready'), 'syncSeconds');
    await mirror.stop();
    return { ...round, seconds, behindMs: 0 };
  };
  try {
    await (await rig.mirror()).stop();
    await rig.service.ask('slow');
    const restart = await again();
    await rig.service.ask('forget');
    return [restart, await again()];
  } finally {
    await rig.close();
  }
}

/** Waits until the service holds the newest revision of every object; throws when that takes two minutes. */
export async function roundOf({ hollow, service, rows, latencyMs }: Rig, kind: string, beganAt: number, changedAt: number): Promise<Round> {
  const store = hollow.world.kind(kind)?.store;
  const keys = hollow.keys(kind);
  const wanted = keys.map((key) => `${key} ${store?.get(key)?.revision}`).sort();
  const deadline = systemClock.now() + 120_000;
  for (;;) {
    await service.ask('rows');
    const found = readFileSync(rows, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .sort();
    if (found.length === wanted.length && found.every((line, index) => line === wanted[index])) break;
    if (systemClock.now() > deadline) throw new Error(`The service did not hold the newest revision of all ${kind} within two minutes`);
    await systemClock.sleep(100);
  }
  const counts = await service.ask('counts');
  const lastAt = numberOf(counts, 'lastAt');
  return {
    objects: keys.length,
    puts: numberOf(counts, 'puts'),
    seconds: Math.max(0, lastAt - beganAt) / 1000,
    writingSeconds: lastAt === 0 ? 0 : (lastAt - numberOf(counts, 'firstAt') + latencyMs) / 1000,
    behindMs: Math.max(0, lastAt - changedAt),
    connections: numberOf(counts, 'mostConnections'),
    stepsBack: numberOf(counts, 'stepsBack'),
  };
}
