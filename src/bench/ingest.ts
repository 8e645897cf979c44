import { Child, numberOf, textOf } from './child-process.ts';
import type { Bench, BenchContext } from './context.ts';
import { writeKubeconfig } from './hollow-cluster.ts';
import { type Answer, medianRatio, shown } from './report.ts';

const PODS = 2_000;

/** Sizes as kept; managedFields come on top. Events enough that compiling hot code, once in a process, does not show. */
const SIZES = [
  { bytes: 4_096, events: 200_000 },
  { bytes: 10_240, events: 100_000 },
] as const;

interface Round {
  /** CPU microseconds of the client for one event. */
  readonly microseconds: number;
  readonly peakMiB: number;
}

interface Load {
  readonly pods: number;
  readonly bytes: number;
  readonly events: number;
}

export const ingest: Bench = {
  async run(context) {
    const pods = context.pods ?? PODS;
    const table: string[][] = [['', 'CPU µs an event', 'events a CPU second', 'peak MiB']];
    const answers: Answer[] = [];
    for (const { bytes, events } of SIZES) {
      const size = { bytes, events: context.events ?? events };
      const ours: Round[] = [];
      const theirs: Round[] = [];
      const plain: Round[] = [];
      for (let round = 0; round < context.rounds; round++) {
        context.say(`${size.bytes} bytes, round ${round + 1} of ${context.rounds}: client-node, kubefold, the plain limit`);
        theirs.push(await contest(context, { ...size, pods }, 'informer'));
        ours.push(await contest(context, { ...size, pods }, 'pipeline'));
        plain.push(await contest(context, { ...size, pods }, 'reader'));
      }
      const kb = Math.round(size.bytes / 1024);
      const row = (name: string, rounds: readonly Round[]): string[][] =>
        rounds.map((one, index) => [`${kb} KB, ${name}, round ${index + 1}`, shown(one.microseconds), shown(1e6 / one.microseconds), shown(one.peakMiB)]);
      table.push(...row("client-node's informer", theirs), ...row('kubefold', ours), ...row('plain limit', plain));
      const cost = (rounds: readonly Round[]): number[] => rounds.map((one) => one.microseconds);
      answers.push({
        name: `events a CPU second at ${kb} KB, against the informer`,
        value: medianRatio(cost(theirs), cost(ours)),
        unit: 'times',
        bar: { atLeast: 5 },
      });
      answers.push({ name: `the same against the plain limit`, value: medianRatio(cost(plain), cost(ours)), unit: 'times' });
    }
    return {
      question:
        "How many watch events of pods does a second of CPU take in, from socket through scan, cache and queue, against client-node's informer on the same stream?",
      table,
      answers,
      notes: [
        'kubefold: the whole of one kind as the product wires it (HTTP client, reflector, cut of managedFields, cache, queue, workers, metrics) before a storage that keeps nothing. The informer: itself, with an empty callback. The plain limit: the same HTTP client, counting lines.',
        'CPU is of the whole process from before the first event until the last one is settled. Sizes are without managedFields, which add 2.8 KB on the wire.',
      ],
    };
  },
};

async function contest(context: BenchContext, load: Load, contestant: 'informer' | 'pipeline' | 'reader'): Promise<Round> {
  const feed = Child.node(context.program('bench/child/feed'), [JSON.stringify(load)]);
  const served = await feed.line('url');
  const url = textOf(served, 'url');
  const options = { url, kubeconfig: writeKubeconfig(context.folder, url), events: load.events, lastRevision: textOf(served, 'lastRevision') };
  const client = Child.node(context.program(`bench/child/${contestant}`), [JSON.stringify(options)]);
  try {
    const listed = await client.line('listed');
    if (contestant !== 'reader' && numberOf(listed, 'objects') !== load.pods)
      throw new Error(`${contestant} listed ${numberOf(listed, 'objects')} objects, expected ${load.pods}`);
    await feed.line('watched');
    await client.ask('mark');
    const sent = feed.ask('go');
    const done = await client.line('done');
    await sent;
    if (numberOf(done, 'events') !== load.events) throw new Error(`${contestant} saw ${numberOf(done, 'events')} events, expected ${load.events}`);
    return { microseconds: (numberOf(done, 'cpuOfEvents') * 1e6) / load.events, peakMiB: numberOf(done, 'peakMiB') };
  } finally {
    await client.stop();
    await feed.stop();
  }
}
