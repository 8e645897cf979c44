import { writeFileSync } from 'node:fs';
import { type ClusterOptions, createCluster } from '../../src/cluster/api-cluster.ts';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { loadCredentials } from '../../src/cluster/credentials.ts';
import { systemClock } from '../../src/kit/clock.ts';
import type { Kind } from '../../src/model/kind.ts';
import type { TempDir } from '../support/temp-dir.ts';

export const pods: Kind = {
  group: '',
  version: 'v1',
  resource: 'pods',
  kind: 'Pod',
  namespaced: true,
  singular: 'pod',
  shortNames: ['po'],
  categories: ['all'],
};

/** A client made the way the program makes it: from a kubeconfig file with one context. */
export async function clusterUnderTest(
  dir: TempDir,
  entry: { readonly cluster: object; readonly user?: object },
  options: Partial<ClusterOptions> & { readonly env?: Readonly<Record<string, string | undefined>> } = {},
): Promise<Cluster> {
  const { env = { PATH: process.env['PATH'] }, ...rest } = options;
  const path = dir.file('kubeconfig');
  const { cluster, user = {} } = entry;
  writeFileSync(
    path,
    JSON.stringify({
      'current-context': 'c',
      clusters: [{ name: 'c', cluster }],
      users: [{ name: 'u', user }],
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    }),
  );
  const clock = rest.clock ?? systemClock;
  return createCluster({ clock, version: '0.0.0', credentials: await loadCredentials({ kubeconfig: path, env, home: dir.path, clock }), ...rest });
}
