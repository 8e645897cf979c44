import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child, textOf } from './child-process.ts';
import type { ClusterChildOptions, RequestCounts } from './child/cluster.ts';
import type { BenchContext } from './context.ts';

/** A hollow cluster in a process of its own, with pods of 4 KB (as kept; managedFields come on top) and nothing else of size. */
export interface HollowProcess {
  readonly url: string;
  readonly kubeconfig: string;
  stop(): Promise<void>;
}

export async function startHollowProcess(context: BenchContext, pods: number): Promise<HollowProcess> {
  context.say(`a hollow cluster of ${pods} pods is being made`);
  const child = Child.node(
    context.program('hollow/main'),
    ['--pods', String(pods), '--pod-bytes', '4096', '--namespaces', '50', '--no-apps', '--until-stdin-closes'],
    {
      nodeFlags: ['--max-old-space-size=8192'],
      withinMs: 3_600_000,
    },
  );
  const url = textOf(await child.line('url'), 'url');
  return { url, kubeconfig: writeKubeconfig(context.folder, url), stop: () => child.stop() };
}

/** A hollow cluster in a process of its own that is changed by word and counts its requests (child/cluster.ts). */
export interface ChangingCluster extends HollowProcess {
  /** A word of child/cluster.ts; resolves with its answer. */
  ask(word: 'change' | 'sweep' | 'churn' | 'calm' | 'compact'): Promise<Readonly<Record<string, unknown>>>;
  /** What was asked of each kind since the last call. */
  requests(): Promise<ReadonlyMap<string, RequestCounts>>;
  /** `namespace/name` of every pod, and its revision. */
  truth(): Promise<ReadonlyMap<string, string>>;
}

export async function startChangingCluster(context: BenchContext, options: Omit<ClusterChildOptions, 'truth'>): Promise<ChangingCluster> {
  context.say(`a hollow cluster of ${options.pods} pods is being made`);
  const file = join(context.folder, `truth-${options.pods}`);
  const child = Child.node(context.program('bench/child/cluster'), [JSON.stringify({ ...options, truth: file } satisfies ClusterChildOptions)], {
    nodeFlags: ['--max-old-space-size=8192'],
    withinMs: 3_600_000,
  });
  const url = textOf(await child.line('url'), 'url');
  return {
    url,
    kubeconfig: writeKubeconfig(context.folder, url),
    ask: (word) => child.ask(word),
    requests: async () => new Map(Object.entries((await child.ask('requests'))['requests'] as Record<string, RequestCounts>)),
    truth: async () => {
      await child.ask('truth');
      const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
      return new Map(lines.map((line) => line.split(' ', 2) as [string, string]));
    },
    stop: () => child.stop(),
  };
}

/** A kubeconfig for a plain HTTP server that asks for nothing. */
export function writeKubeconfig(folder: string, url: string): string {
  const path = join(folder, `kubeconfig-${new URL(url).port}`);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'bench', cluster: { server: url } }],
    users: [{ name: 'bench', user: {} }],
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }],
    'current-context': 'bench',
  };
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}
