import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { UsageError } from '../model/errors.ts';
import { Child } from './child-process.ts';
import { checkout } from './compiled.ts';
import type { BenchContext } from './context.ts';
import { usageOf } from './usage.ts';

/** A real etcd and kube-apiserver with pods of 4 KB in it. */
export interface RealCluster {
  readonly kubeconfig: string;
  /** Of the API server, so far. */
  cpuSeconds(): number;
  /** Changes pods: `rate` changes a second for `seconds` over the first `hot` of them, waits until the copy in `db` holds them all, and says what process `pid` used. */
  burst(load: {
    readonly rate: number;
    readonly seconds: number;
    readonly hot: number;
    readonly pid: number;
    readonly db: string;
  }): Promise<Readonly<Record<string, unknown>>>;
  close(): Promise<void>;
}

const NAMESPACES = 50;

/** The control plane of the tests, as far as it is used here; it does not belong to `src/`, so it is found by its path. */
interface ControlPlaneModule {
  readonly ControlPlane: {
    start(): Promise<{ readonly kubeconfigPath: string; readonly etcdUrl: string; pids(): readonly number[]; close(): Promise<void> }>;
  };
}

export async function startRealCluster(context: BenchContext, pods: number): Promise<RealCluster> {
  const goload = peer(context, 'goload');
  context.say('a real API server is being started');
  const { ControlPlane } = (await import(pathToFileURL(join(checkout(), 'test/cluster/control-plane.ts')).href)) as ControlPlaneModule;
  const plane = await ControlPlane.start();
  try {
    const etcd = new URL(plane.etcdUrl).host;
    const env = { KUBECONFIG: plane.kubeconfigPath };
    const common = ['-etcd', etcd, '-ns', String(NAMESPACES), '-pods', String(pods)];
    const seeded = await Child.program(goload, ['seed', ...common], { env }).ended();
    if (seeded['failed'] !== 0) throw new Error(`Cannot seed the cluster: ${JSON.stringify(seeded)}`);
    // In start order: etcd, kube-apiserver.
    const [, apiServer = -1] = plane.pids();
    return {
      kubeconfig: plane.kubeconfigPath,
      cpuSeconds: () => usageOf(apiServer).cpuSeconds,
      burst: ({ rate, seconds, hot, pid, db }) =>
        Child.program(goload, ['burst', ...common, '-rate', String(rate), '-secs', String(seconds), '-hot', String(hot), '-pid', String(pid), '-db', db], {
          env,
        }).ended(),
      close: () => plane.close(),
    };
  } catch (cause) {
    await plane.close();
    throw cause;
  }
}

/** The path of a peer program. */
export function peer({ peers }: BenchContext, name: 'gomirror' | 'goload'): string {
  if (peers === null)
    throw new UsageError(
      `This benchmark needs ${name}, which is not part of the project: build it (see --help) and name its folder by --peers or KUBEFOLD_PEERS`,
    );
  const path = join(peers, name);
  if (!existsSync(path)) throw new UsageError(`There is no ${name} in ${peers}: build it (see --help)`);
  return path;
}
