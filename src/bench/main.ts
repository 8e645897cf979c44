import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf, UsageError } from '../model/errors.ts';
import { compile } from './compiled.ts';
import type { Bench } from './context.ts';
import { formatReport, isWithin } from './report.ts';
import { machineTime, stolenPercent } from './usage.ts';

/** Loaded only when asked for. */
const BENCHES: Readonly<Record<string, { readonly summary: string; readonly load: () => Promise<Bench> }>> = {
  ingest: { summary: "watch events through scan, cache and queue, against client-node's informer", load: async () => (await import('./ingest.ts')).ingest },
  'initial-sync': { summary: '100,000 pods into SQLite, against the plain limit', load: async () => (await import('./initial-sync.ts')).initialSync },
  memory: {
    summary: "resident bytes an object, against client-node's informer; peak under a slow storage",
    load: async () => (await import('./memory.ts')).memory,
  },
  folding: { summary: '1,700 changes a second over 2,000 pods: what is written of them', load: async () => (await import('./folding.ts')).folding },
  restart: {
    summary: '100,000 stored objects: started again unchanged, after 1 % changed, and after the history expired',
    load: async () => (await import('./restart.ts')).restart,
  },
  outage: {
    summary: 'storage gone for a minute under load: memory, attempts, and how soon the copy is exact again',
    load: async () => (await import('./outage.ts')).outage,
  },
  bcs: {
    summary: 'the storage service of bcs-k8s-watch, 87 ms away: writes a second, the published burst, a first sync, a restart',
    load: async () => (await import('./bcs.ts')).bcs,
  },
  shards: {
    summary: 'the same service: two shards with 128 connections each against one',
    load: async () => (await import('./shards.ts')).shards,
  },
  takeover: {
    summary: '100,000 stored objects, light churn: the leader is killed; how soon the standby leads and is exact, and what it costs',
    load: async () => (await import('./takeover.ts')).takeover,
  },
  audit: {
    summary: 'the continuous audit of 100,000 pods: its CPU, its requests, and what it says of an hour of changes',
    load: async () => (await import('./audit.ts')).audit,
  },
  'first-list': {
    summary: "paged or streaming, on a real API server: our cost and the server's",
    load: async () => (await import('./first-list.ts')).firstList,
  },
  'peer-sync': { summary: 'first sync from a real API server, against a client-go mirror', load: async () => (await import('./peer-sync.ts')).peerSync },
  'peer-changes': {
    summary: '1,000 changes a second from a real API server, against a client-go mirror',
    load: async () => (await import('./peer-changes.ts')).peerChanges,
  },
  queue: { summary: 'the work queue alone, against a Map and an array', load: async () => (await import('./queue.ts')).queue },
};

const OPTIONS = {
  rounds: { type: 'string', default: '3' },
  pods: { type: 'string' },
  events: { type: 'string' },
  quick: { type: 'boolean' },
  only: { type: 'string' },
  json: { type: 'string' },
  peers: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

function help(): string {
  const width = Math.max(...Object.keys(BENCHES).map((name) => name.length));
  const rows = Object.entries(BENCHES).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return `Usage: npm run bench -- NAME [options]

Each answers one question with figures of this machine, in which the contestants take turns. Ratios can be trusted, rates only on a quiet machine.

${rows.join('\n')}

  --rounds N    how often the contestants take turns; the median counts. Default 3.
  --pods N      instead of the number of pods that the question names
  --events N    the same for the events of ingest
  --quick       restart, outage, audit, bcs, shards, takeover and queue: so small and short that figures say nothing, only that it works
  --only LOAD   outage: the cases of one load alone, churn or sweep
  --json FILE   writes the report as JSON, too
  --peers DIR   the folder of gomirror and goload, the client-go mirror and the load generator. Default: KUBEFOLD_PEERS.

first-list and peer-* start a real kube-apiserver; KUBEBUILDER_ASSETS names its folder, else it is built with Go the first time.
They need the two peers, which are not part of this project. To build them, in the folder of their sources:

  B=$(mktemp -d); go build -o $B/ ./gomirror ./goload; export KUBEFOLD_PEERS=$B

memory needs about 6 GB for the cluster that it simulates.
`;
}

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  const [name] = positionals;
  if (name === undefined || values.help === true) {
    process.stdout.write(help());
    return values.help === true ? 0 : 2;
  }
  const entry = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  if (entry === undefined) throw new UsageError(`There is no benchmark "${name}". They are: ${Object.keys(BENCHES).join(', ')}`);
  const bench = await entry.load();
  const folder = mkdtempSync(join(tmpdir(), 'kubefold-bench-'));
  const before = machineTime();
  try {
    const say = (text: string): void => void process.stderr.write(`… ${text}\n`);
    const program = name === 'queue' ? (file: string) => file : compile(folder);
    const optional = (option: 'pods' | 'events'): number | null => (values[option] === undefined ? null : count(option, values[option]));
    const report = await bench.run({
      rounds: count('rounds', values.rounds),
      pods: optional('pods'),
      events: optional('events'),
      quick: values.quick === true,
      only: values.only ?? null,
      peers: values.peers ?? process.env['KUBEFOLD_PEERS'] ?? null,
      program,
      folder,
      say,
    });
    if (report === null) return 0;
    const stolen = stolenPercent(before, machineTime());
    process.stdout.write(
      `${formatReport(report)}  ${stolen.toFixed(1)} % of the machine's time was given to others${stolen > 5 ? ': too much for these figures to say anything' : ''}.\n`,
    );
    if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ name, stolenPercent: stolen, ...report }, null, 2)}\n`);
    return report.answers.some((answer) => isWithin(answer) === false) ? 1 : 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function count(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new UsageError(`--${option} must be an integer >= 1, current value is ${text}`);
  return value;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (cause) {
  process.stderr.write(`bench: ${messageOf(cause)}\n`);
  process.exitCode = 2;
}
