import { type KubemarkRun, startKubemark } from '../hollow/kubemark.ts';
import { type HollowProxies, startProxies } from '../hollow/proxies.ts';
import { systemClock } from '../kit/clock.ts';
import { aborted } from '../kit/within.ts';
import { KUBEMARK_SHAPES, type KubemarkName } from '../lab/load/kubemark-shape.ts';
import { UsageError } from '../model/errors.ts';
import { type Churn, seedCluster, startChurn } from '../hollow/load.ts';
import { type Hollow, startHollow } from '../hollow/server.ts';
import type { Command, OptionTable, Parsed } from './command.ts';

/** Options that say how large the simulated cluster is and how much happens in it. */
export const LOAD_OPTIONS: OptionTable = {
  pods: { type: 'string', value: 'N', help: 'Pods at the start. Default 2000.' },
  nodes: { type: 'string', value: 'N', help: 'Nodes. Default 50.' },
  churn: { type: 'string', value: 'N', help: 'Changes a second: pod status, rollouts, heartbeats, leases, events. Default 100; 0 for none.' },
  'pod-bytes': { type: 'string', value: 'N', help: 'Size of a pod without managedFields. Default 4096.' },
  seed: { type: 'string', value: 'N', help: 'Seed of the load: the same seed, the same load. Default 1.' },
};

/** Starts a simulated cluster with its load. Its revisions go on from the clock, so that a copy of an earlier run is recognised as older. */
export async function startLoadedHollow(parsed: Parsed, port: number): Promise<{ readonly hollow: Hollow; readonly churn: Churn | null }> {
  const pods = parsed.number('pods', { min: 0, max: 1_000_000 }, 2_000);
  const shape = { bytes: parsed.number('pod-bytes', { min: 1_000, max: 1_000_000 }, 4_096), nodes: parsed.number('nodes', { min: 1, max: 100_000 }, 50) };
  const changesPerSecond = parsed.number('churn', { min: 0, max: 100_000 }, 100);
  const seed = parsed.number('seed', { min: 0, max: 2 ** 32 - 1 }, 1);
  const hollow = await startHollow({ port, revision: systemClock.wall() });
  seedCluster(hollow, { ...shape, pods });
  const churn = changesPerSecond === 0 ? null : startChurn(hollow, { ...shape, pods, changesPerSecond, seed, clock: systemClock });
  return { hollow, churn };
}

/** What --profile replaces. */
const REPLACED = ['pods', 'nodes', 'churn'];

/** Starts a simulated cluster that plays a Kubemark profile, with its hollow proxies. */
async function startProfile(
  name: string,
  parsed: Parsed,
  port: number,
): Promise<{ readonly hollow: Hollow; readonly churn: KubemarkRun; readonly proxies: HollowProxies }> {
  if (!Object.hasOwn(KUBEMARK_SHAPES, name))
    throw new UsageError(`--profile must be one of ${Object.keys(KUBEMARK_SHAPES).join(', ')}, current value is ${JSON.stringify(name)}`);
  const replaced = REPLACED.find((option) => parsed.text(option) !== undefined);
  if (replaced !== undefined) throw new UsageError(`--profile says how many nodes and pods there are and what they do: leave --${replaced} out`);
  const proxyCount = parsed.number('proxies', { min: 0, max: 5_000 }, DEFAULT_PROXIES);
  const podBytes = parsed.number('pod-bytes', { min: 1_000, max: 1_000_000 }, 9_200);
  const seed = parsed.number('seed', { min: 0, max: 2 ** 32 - 1 }, 1);
  const server = await startHollow({ port, revision: systemClock.wall(), history: 100_000 });
  const churn = startKubemark(server, { shape: KUBEMARK_SHAPES[name as KubemarkName], seed, podBytes, clock: systemClock });
  return { hollow: server, churn, proxies: startProxies({ url: server.url, proxies: proxyCount, clock: systemClock }) };
}

/** Enough that every change of a service or slice has several readers; one for each node would be most of the server's work. */
const DEFAULT_PROXIES = 10;

export const hollow: Command = {
  name: 'hollow',
  summary: 'Serves a simulated API server with node, pod and proxy load.',
  usage: '',
  description: `
Good enough for kubectl, client-go and kubefold on the kinds it has: namespaces, nodes, pods, deployments,
replicasets, services, endpointslices, configmaps, secrets, events, leases, and any CRD created in it. Listens on
127.0.0.1 only, without TLS and without credentials. Stop it with Ctrl-C.

  kubefold hollow --port 8001 --pods 5000 --churn 500
  kubefold hollow --port 8001 --profile kubemark-1000
  kubectl --server http://127.0.0.1:8001 get pods -A
  kubefold hollow --kubeconfig-file hollow.yaml &  kubefold run --kubeconfig hollow.yaml`,
  options: {
    port: { type: 'string', value: 'PORT', help: 'Default 0: a free one.' },
    'kubeconfig-file': { type: 'string', value: 'FILE', help: 'Writes a kubeconfig for it.' },
    profile: {
      type: 'string',
      value: 'NAME',
      help: `A Kubemark cluster instead of --pods, --nodes and --churn: ${Object.keys(KUBEMARK_SHAPES).join(', ')}.`,
    },
    proxies: { type: 'string', value: 'N', help: `With --profile: hollow proxies that watch services and endpointslices. Default ${DEFAULT_PROXIES}.` },
    ...LOAD_OPTIONS,
  },
  positionals: { min: 0, max: 0 },
  async run(parsed, context) {
    const port = parsed.number('port', { min: 0, max: 65_535 }, 0);
    const profile = parsed.text('profile');
    if (profile === undefined && parsed.text('proxies') !== undefined) throw new UsageError('--proxies needs --profile: only a profile has hollow proxies');
    const started = profile === undefined ? await startLoadedHollow(parsed, port) : await startProfile(profile, parsed, port);
    const { hollow: server, churn } = started;
    const file = parsed.text('kubeconfig-file');
    if (file !== undefined) await (await import('node:fs/promises')).writeFile(file, server.kubeconfig(), { mode: 0o600 });
    context.stdout(`serving a simulated cluster at ${server.url}\n  kubectl --server ${server.url} get pods -A\n`);
    await aborted(context.signal);
    churn?.stop();
    if ('proxies' in started) await started.proxies.stop();
    await server.close();
    return 0;
  },
};
