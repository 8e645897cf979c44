import { expect, test } from 'vitest';
import { seedCluster } from '../../src/hollow/load.ts';
import { startHollow } from '../../src/hollow/server.ts';
import { until } from '../support/until.ts';
import { TestMirror } from './test-mirror.ts';

test('a configuration that is refused is a metric, until a valid version is in use', async () => {
  const hollow = await startHollow();
  try {
    seedCluster(hollow, { pods: 5, nodes: 1, namespaces: 1, bytes: 600 });
    await using mirror = await TestMirror.start(hollow, { follow: true });
    await mirror.ready();
    expect((await mirror.get('/metrics')).text).toMatch(/^kubefold_config_refused 0$/m);
    mirror.configure('workers: { default: none }\n');
    await until('it is refused', async () => (await mirror.metric('kubefold_config_refused')) === 1);
    mirror.configure({ workers: { default: 2 } });
    await until('the next one is in use', async () => (await mirror.metric('kubefold_config_refused')) === 0);
  } finally {
    await hollow.close();
  }
});
