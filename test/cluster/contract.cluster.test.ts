import { createCluster } from '../../src/cluster/api-cluster.ts';
import { loadCredentials } from '../../src/cluster/credentials.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { clusterContract } from './contract.ts';
import { startControlPlane } from './control-plane.ts';

clusterContract('a real kube-apiserver', async () => {
  const plane = await startControlPlane();
  const credentials = await loadCredentials({ kubeconfig: plane.kubeconfigPath, env: {}, home: plane.dir, clock: systemClock });
  const cluster = createCluster({ credentials, clock: systemClock, version: 'test' });
  return {
    cluster,
    api: (path, options) => plane.api(path, options),
    // etcd forgets by compaction, the API server's watch cache by a restart.
    async forgetHistory() {
      await plane.compactEtcd();
      await plane.stopApiServer('SIGKILL');
      await plane.startApiServer();
    },
    async close() {
      await cluster.close();
      await plane.close();
    },
  };
});
