import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from '../../src/app.ts';
import { type BcsStorage, startBcsStorage } from '../../src/bcsstorage/server.ts';
import { loadCredentials } from '../../src/cluster/credentials.ts';
import { loadConfig } from '../../src/config/load.ts';
import { seedCluster } from '../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { silentLogger } from '../../src/kit/log.ts';
import { systemRandom } from '../../src/kit/random.ts';
import { TestMirror } from '../mirror/test-mirror.ts';
import { FakeNetService } from '../netservice/fake-netservice.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { type Exposed, readExposition } from './exposition.ts';

/*
 * src/web/METRICS.md is what the running program shows: once as most people run it, and once with all that can be switched on. After a change of
 * a metric: vitest run --config test/vitest.config.ts --project net test/web/metrics-page -u
 */

/** Labels whose values are few and always the same. */
const ENUMERATED: ReadonlySet<string> = new Set(['type', 'reason', 'op', 'outcome', 'cause']);

let hollow: Hollow;
let service: BcsStorage;
let netservice: FakeNetService;

beforeAll(async () => {
  hollow = await startHollow();
  seedCluster(hollow, { pods: 20, nodes: 2, namespaces: 2, bytes: 600 });
  service = await startBcsStorage();
  netservice = await FakeNetService.start();
});

afterAll(async () => {
  await netservice.close();
  await service.close();
  await hollow.close();
});

async function plain(): Promise<ReadonlyMap<string, Exposed>> {
  await using mirror = await TestMirror.start(hollow);
  await mirror.ready();
  return readExposition((await mirror.get('/metrics')).text);
}

async function withEverything(): Promise<ReadonlyMap<string, Exposed>> {
  using dir = tempDir('metrics-page');
  writeFileSync(dir.file('kubeconfig'), hollow.kubeconfig());
  const config = loadConfig({
    text: JSON.stringify({
      cluster: { name: 'BCS-K8S-1' },
      storage: { url: service.url.replace('http:', 'bcs+http:') },
      netservice: { endpoints: [netservice.url] },
      metrics: { bcsNames: true },
      leaderElection: { enabled: true },
      listen: '127.0.0.1:0',
    }),
    file: 'kubefold.yaml',
  });
  const credentials = await loadCredentials({ kubeconfig: dir.file('kubeconfig'), env: {}, home: dir.path, clock: systemClock });
  const app = await createApp({ config, file: null, credentials, clock: systemClock, random: systemRandom, log: silentLogger });
  const ending = new AbortController();
  const running = app.run(ending.signal);
  try {
    await until('all is stored', () => app.isReady() && (app.status().pools ?? []).every(({ stored }) => stored > 0), { everyMs: 20 });
    return readExposition(await (await fetch(`${app.url}/metrics`)).text());
  } finally {
    ending.abort();
    await running;
  }
}

function row({ name, type, labels, help }: Exposed): string {
  const shown = [...labels].map(([label, values]) => (ENUMERATED.has(label) ? `\`${label}\`: ${[...values].join(', ')}` : `\`${label}\``));
  return `| \`${name}\` | ${type} | ${shown.join('; ')} | ${help} |`;
}

const table = (metrics: Iterable<Exposed>): string =>
  ['| name | kind | labels | meaning |', '|---|---|---|---|', ...[...metrics].toSorted((a, b) => (a.name < b.name ? -1 : 1)).map(row)].join('\n');

test('the page of metrics says what the running program shows, name for name', async () => {
  const always = await plain();
  const all = await withEverything();
  for (const name of always.keys()) expect(all.has(name), name).toBe(true);
  const page = `# Metrics

What \`/metrics\` shows, written by test/web/metrics-page.net.test.ts from the running program. Names that begin with \`workqueue_\` are those of client-go,
\`process_\` and \`nodejs_\` those of every Prometheus client. \`resource\` and \`name\` are the id of a kind: \`pods\`, \`deployments.apps\`. Histograms have
\`_bucket\`, \`_sum\` and \`_count\` as ever. Dashboard and alerts over them are in manifests/monitoring/.

${table(always.values())}

## Only when configured

With \`leaderElection\`, with \`netservice\`, and with \`metrics.bcsNames\` for the dashboards of bcs-k8s-watch:

${table([...all.values()].filter(({ name }) => !always.has(name)))}
`;
  await expect(page).toMatchFileSnapshot('../../src/web/METRICS.md');
});

test('every metric says what it means, and its name says its unit', async () => {
  for (const { name, type, help } of (await plain()).values()) {
    expect(help.length, name).toBeGreaterThan(8);
    expect(name).toMatch(/^(?:kubefold|workqueue|process|nodejs)_[a-z_]+$/);
    if (type === 'counter') expect(name).toMatch(/_total$/);
    else expect(name).not.toMatch(/_total$/);
    if (type === 'histogram') expect(name).toMatch(/_seconds$/);
  }
});
