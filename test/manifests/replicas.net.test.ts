import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { startBcsStorage } from '../../src/bcsstorage/server.ts';
import { seedCluster } from '../../src/hollow/load.ts';
import { startHollow } from '../../src/hollow/server.ts';
import { startKubefold } from '../commands/kubefold.ts';
import type { Child } from '../support/spawn.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { manifest } from './manifests.ts';

interface Replica {
  readonly child: Child;
  readonly url: string;
}

const metric = async ({ url }: Replica, name: string): Promise<number> => {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
};

test('with the configuration of overlays/bcs-http two replicas are both ready, one writes, and the other goes on when that one ends', async () => {
  const hollow = await startHollow();
  const service = await startBcsStorage();
  using dir = tempDir('replicas');
  const replicas: Replica[] = [];
  try {
    seedCluster(hollow, { pods: 30, nodes: 2, namespaces: 2, bytes: 600 });
    writeFileSync(dir.file('kubeconfig'), hollow.kubeconfig());
    writeFileSync(dir.file('kubefold.yaml'), manifest('overlays/bcs-http/kubefold.yaml'));
    const storage = service.url.replace('http:', 'bcs+http:');
    const args = ['run', '--config', dir.file('kubefold.yaml'), '--kubeconfig', dir.file('kubeconfig'), '--storage', storage, '--listen', '127.0.0.1:0'];
    for (const name of ['kubefold-a', 'kubefold-b']) {
      const child = startKubefold(args, { cwd: dir.path, env: { TMPDIR: dir.path, POD_NAME: name, POD_NAMESPACE: 'default' }, withinMs: 90_000 });
      const [, url = ''] = await child.printed(/"status":"(http:[^"]+)"/, { on: 'stderr' });
      replicas.push({ child, url });
    }
    // What a rolling update waits for.
    await until('both are ready', async () => (await Promise.all(replicas.map(({ url }) => fetch(`${url}/readyz`)))).every(({ status }) => status === 200));
    const leads = await Promise.all(replicas.map((replica) => metric(replica, 'kubefold_leader')));
    expect(leads.toSorted()).toEqual([0, 1]);
    const [leader, standby] = leads[0] === 1 ? replicas : replicas.toReversed();
    if (leader === undefined || standby === undefined) throw new Error('there must be two replicas');
    expect((await leader.child.stop(30_000)).code).toBe(0);
    await until('the other leads', async () => (await metric(standby, 'kubefold_leader')) === 1);
    hollow.create('configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'late', namespace: hollow.keys('pods')[0]?.split('/')[0] ?? '' } });
    await until('it writes', async () => {
      const answer = await fetch(`${service.url}/bcsstorage/v1/k8s/dynamic/cluster_resources/clusters/BCS-K8S-00000/ConfigMap`);
      return (await answer.text()).includes('"late"');
    });
  } finally {
    for (const { child } of replicas) await child.stop(10_000);
    await service.close();
    await hollow.close();
  }
}, 90_000);
