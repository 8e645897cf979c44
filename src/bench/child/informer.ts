import { CoreV1Api, KubeConfig, makeInformer } from '@kubernetes/client-node';
import { ownUsage } from '../usage.ts';
import { obey, optionsOf, tell } from './serve.ts';

/** client-node's informer, and nothing behind it: says `listed`, then `done` when it has seen the events. `gc` and `use` tell what it holds. */
const { url, events } = optionsOf<{ readonly url: string; readonly events: number }>();
const config = new KubeConfig();
// Without skipTLSVerify it refuses plain HTTP.
config.loadFromClusterAndUser({ name: 'bench', server: url, skipTLSVerify: true }, { name: 'bench' });
const core = config.makeApiClient(CoreV1Api);
const used = (): Record<string, number> => ({ ...ownUsage() });
let before = ownUsage();
let added = 0;
let updated = 0;

const informer = makeInformer(config, '/api/v1/pods', () => core.listPodForAllNamespaces());
informer.on('add', () => {
  added++;
});
informer.on('update', () => {
  updated++;
  if (updated === events) tell({ done: true, events: updated, cpuOfEvents: ownUsage().cpuSeconds - before.cpuSeconds, ...used() });
});
informer.on('error', (cause: unknown) => {
  process.stderr.write(`${String(cause)}\n`);
  process.exit(1);
});
obey({
  use: () => tell({ use: true, ...used() }),
  gc: () => {
    globalThis.gc?.();
    tell({ gc: true, ...used() });
  },
  mark: () => {
    before = ownUsage();
    tell({ mark: true });
  },
});
await informer.start();
tell({ listed: true, objects: added, ...used() });
