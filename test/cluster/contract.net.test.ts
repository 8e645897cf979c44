import { writeFileSync } from 'node:fs';
import { createCluster } from '../../src/cluster/api-cluster.ts';
import { loadCredentials } from '../../src/cluster/credentials.ts';
import { startHollow } from '../../src/hollow/server.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { clusterContract } from './contract.ts';
import { RawApi } from './raw-api.ts';

clusterContract('the hollow server', async () => {
  const hollow = await startHollow();
  const dir = tempDir('hollow-contract');
  const kubeconfig = dir.file('kubeconfig');
  writeFileSync(kubeconfig, hollow.kubeconfig());
  const credentials = await loadCredentials({ kubeconfig, env: {}, home: dir.path, clock: systemClock });
  const cluster = createCluster({ credentials, clock: systemClock, version: 'test' });
  const raw = new RawApi({ url: hollow.url });
  return {
    cluster,
    api: (path, options) => raw.send(path, options),
    async forgetHistory() {
      hollow.restart();
      // Its connections are cut, and a request on one of them would fail before the client has noticed.
      await until('it answers again', async () => (await raw.send('/readyz')).status === 200);
    },
    async close() {
      await cluster.close();
      await raw.close();
      await hollow.close();
      dir.remove();
    },
  };
});
