import { join } from 'node:path';
import { systemClock } from '../kit/clock.ts';
import { Child, numberOf } from './child-process.ts';
import type { MirrorChildOptions } from './child/mirror.ts';
import type { Bench, BenchContext } from './context.ts';
import { type HollowProcess, startHollowProcess } from './hollow-cluster.ts';
import { shown } from './report.ts';

const PODS = 300_000;
const INFORMER_PODS = 20_000;
const SLOW_ROWS_PER_SECOND = 5_000;
/** After the sync: V8 gives memory back some seconds after it is free. */
const REST_MS = 15_000;

interface Held {
  readonly objects: number;
  readonly syncedMiB: number;
  readonly residentMiB: number;
  readonly collectedMiB: number;
  readonly peakMiB: number;
}

export const memory: Bench = {
  async run(context) {
    const most = context.pods ?? PODS;
    const sizes = [0, Math.round(most / 3), most];
    const held: Held[] = [];
    let slow: Held | null = null;
    for (const pods of sizes) {
      const hollow = await startHollowProcess(context, pods);
      try {
        held.push(await mirror(context, hollow, { name: `m${pods}` }));
        if (pods === most) {
          context.say(`the same with storage at ${SLOW_ROWS_PER_SECOND} rows a second: ${Math.round(most / SLOW_ROWS_PER_SECOND)} s`);
          slow = await mirror(context, hollow, { name: 'slow', rowsPerSecond: SLOW_ROWS_PER_SECOND });
        }
      } finally {
        await hollow.stop();
      }
    }
    const informers: Held[] = [];
    for (const pods of [0, INFORMER_PODS]) {
      const hollow = await startHollowProcess(context, pods);
      try {
        informers.push(await informer(context, hollow));
      } finally {
        await hollow.stop();
      }
    }
    const bytesAnObject = (all: readonly Held[], index: number, field: 'residentMiB' | 'collectedMiB'): number => {
      const [idle, full] = [all[0], all[index]];
      return idle === undefined || full === undefined ? Number.NaN : ((full[field] - idle[field]) * 1024 * 1024) / full.objects;
    };
    const row = (name: string, one: Held): string[] => [
      name,
      shown(one.objects),
      shown(one.syncedMiB),
      shown(one.residentMiB),
      shown(one.collectedMiB),
      shown(one.peakMiB),
    ];
    const ours = bytesAnObject(held, 2, 'residentMiB');
    const theirs = bytesAnObject(informers, 1, 'residentMiB');
    return {
      question: `How much resident memory does an object cost beyond the idle process, in the default cache mode, against client-node's informer; and how high does a first sync go when storage takes ${shown(SLOW_ROWS_PER_SECOND)} rows a second?`,
      table: [
        ['', 'objects', 'MiB when synced', `MiB ${REST_MS / 1000} s later`, 'MiB after a collection', 'peak MiB'],
        ...held.map((one) => row('kubefold', one)),
        ...(slow === null ? [] : [row('kubefold, slow storage', slow)]),
        ...informers.map((one) => row("client-node's informer", one)),
      ],
      answers: [
        { name: `bytes an object at ${shown(sizes[1] ?? 0)}`, value: bytesAnObject(held, 1, 'residentMiB'), unit: 'bytes', bar: { atMost: 1_536 } },
        { name: `bytes an object at ${shown(most)}`, value: ours, unit: 'bytes', bar: { atMost: 1_536 } },
        { name: `the same after a collection`, value: bytesAnObject(held, 2, 'collectedMiB'), unit: 'bytes' },
        { name: 'against the informer', value: ours / theirs, unit: 'times', bar: { atMost: 0.1 } },
        { name: `peak of a sync of ${shown(most)} with slow storage`, value: slow?.peakMiB ?? Number.NaN, unit: 'MiB', bar: { atMost: 700 } },
      ],
      notes: ['The idle process is the same program, mirroring a cluster that has no pods. Objects are pods of 4 KB without managedFields.'],
    };
  },
};

async function mirror(
  context: BenchContext,
  hollow: HollowProcess,
  { name, rowsPerSecond }: { readonly name: string; readonly rowsPerSecond?: number },
): Promise<Held> {
  const options: MirrorChildOptions = {
    kubeconfig: hollow.kubeconfig,
    storage: `sqlite:${join(context.folder, `${name}.db`)}`,
    kinds: ['pods'],
    ...(rowsPerSecond === undefined ? {} : { rowsPerSecond }),
  };
  const child = Child.node(context.program('bench/child/mirror'), [JSON.stringify(options)], { nodeFlags: ['--expose-gc'] });
  try {
    const ready = await child.line('ready');
    return await atRest(child, numberOf(ready, 'objects'), numberOf(ready, 'residentMiB'));
  } finally {
    await child.stop();
  }
}

async function informer(context: BenchContext, hollow: HollowProcess): Promise<Held> {
  const child = Child.node(context.program('bench/child/informer'), [JSON.stringify({ url: hollow.url, events: -1 })], { nodeFlags: ['--expose-gc'] });
  try {
    const listed = await child.line('listed');
    return await atRest(child, numberOf(listed, 'objects'), numberOf(listed, 'residentMiB'));
  } finally {
    await child.stop();
  }
}

async function atRest(child: Child, objects: number, syncedMiB: number): Promise<Held> {
  await systemClock.sleep(REST_MS);
  const use = await child.ask('use');
  const gc = await child.ask('gc');
  return { objects, syncedMiB, residentMiB: numberOf(use, 'residentMiB'), collectedMiB: numberOf(gc, 'residentMiB'), peakMiB: numberOf(use, 'peakMiB') };
}
