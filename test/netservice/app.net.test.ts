import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type App, createApp } from '../../src/app.ts';
import { type BcsStorage, startBcsStorage } from '../../src/bcsstorage/server.ts';
import { loadCredentials } from '../../src/cluster/credentials.ts';
import { loadConfig } from '../../src/config/load.ts';
import { seedCluster } from '../../src/hollow/load.ts';
import { startHollow } from '../../src/hollow/server.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { silentLogger } from '../../src/kit/log.ts';
import { systemRandom } from '../../src/kit/random.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { FakeNetService, STATIC_DATA, withStatus } from './fake-netservice.ts';

const CLUSTER = 'BCS-K8S-1';

async function stored(service: BcsStorage, type: string): Promise<readonly { readonly resourceName: string; readonly data: unknown }[]> {
  const response = await fetch(`${service.url}/bcsstorage/v1/k8s/dynamic/cluster_resources/clusters/${CLUSTER}/${type}`);
  return ((await response.json()) as { data: { resourceName: string; data: unknown }[] }).data;
}

/** The whole program on a hollow cluster and a storage service, until both are in sync and `look` is content. */
async function mirrored(netservice: object, look: (service: BcsStorage, app: App) => Promise<boolean>, more: object = { listen: 'off' }): Promise<void> {
  const hollow = await startHollow();
  const service = await startBcsStorage();
  const dir = tempDir('netservice');
  const ending = new AbortController();
  let running = Promise.resolve();
  try {
    seedCluster(hollow, { pods: 20, nodes: 2, namespaces: 2, bytes: 600 });
    writeFileSync(dir.file('kubeconfig'), hollow.kubeconfig());
    const text = JSON.stringify({ cluster: { name: CLUSTER }, storage: { url: service.url.replace('http:', 'bcs+http:') }, netservice, ...more });
    const credentials = await loadCredentials({ kubeconfig: dir.file('kubeconfig'), env: {}, home: dir.path, clock: systemClock });
    const parts = { credentials, clock: systemClock, random: systemRandom, log: silentLogger };
    const app = await createApp({ config: loadConfig({ text, file: 'kubefold.yaml' }), file: null, ...parts });
    running = app.run(ending.signal);
    await until('the first sync is complete', () => app.isReady(), { everyMs: 20, withinMs: 15_000 });
    expect(await stored(service, 'Pod')).toHaveLength(20);
    await until('what was to be seen is seen', () => look(service, app), { everyMs: 20, withinMs: 10_000 });
  } finally {
    ending.abort();
    await running;
    await service.close();
    await hollow.close();
    dir.remove();
  }
}

test('a mirror into the storage service copies the pools of a NetService beside the cluster, and ends although nobody answers', async () => {
  const fake = await FakeNetService.start();
  fake.detail = [() => {}];
  try {
    await mirrored({ endpoints: [fake.url] }, async (service) => (await stored(service, 'IPPoolStatic')).length > 0 && fake.asked('detail') === 1);
    expect(fake.asked('static')).toBe(1);
  } finally {
    await fake.close();
  }
});

test('the document is the one of the old program; without netservice there is none', async () => {
  const fake = await FakeNetService.start();
  try {
    await mirrored({ endpoints: [fake.url] }, async (service) => {
      const [document, ...rest] = await stored(service, 'IPPoolStatic');
      if (document === undefined) return false;
      expect([document.resourceName, document.data, rest]).toEqual([`IPPoolStatic-${CLUSTER}`, JSON.parse(STATIC_DATA), []]);
      return (await stored(service, 'IPPoolStaticDetail')).length === 1;
    });
    await mirrored({}, async (service) => (await stored(service, 'IPPoolStatic')).length === 0);
    expect(fake.requests).toHaveLength(2);
  } finally {
    await fake.close();
  }
});

test('polls that fail and documents that are stored are in metrics, under the old names too, on the status and in readiness, which they do not spoil', async () => {
  const fake = await FakeNetService.start();
  fake.detail = [withStatus(503)];
  const get = async (app: App, path: string): Promise<string> => await (await fetch(`${app.url}${path}`)).text();
  try {
    await mirrored(
      { endpoints: [fake.url] },
      async (_service, app) => {
        if ((app.status().pools ?? []).some(({ stored, failed }) => stored + failed === 0)) return false;
        const metrics = await get(app, '/metrics');
        expect(metrics).toContain('kubefold_netservice_polls_total{document="IPPoolStatic",outcome="stored"} 1\n');
        expect(metrics).toContain('kubefold_netservice_polls_total{document="IPPoolStaticDetail",outcome="failed"} 1\n');
        expect(metrics).toContain('kubefold_netservice_failures{document="IPPoolStatic"} 0\n');
        expect(metrics).toContain('kubefold_netservice_failures{document="IPPoolStaticDetail"} 1\n');
        expect(metrics).toMatch(/kubefold_netservice_stored_timestamp_seconds\{document="IPPoolStatic"\} 1\d{9}/);
        expect(metrics).not.toContain('stored_timestamp_seconds{document="IPPoolStaticDetail"');
        const labels = `cluster_id="${CLUSTER}",handler="k8s_cluster_type_name",resource_type="IPPoolStatic",method="PUT",status="success"`;
        expect(metrics).toContain(`bkbcs_k8swatch_storage_request_total_num{${labels}} 1\n`);
        const ready = await get(app, '/readyz?verbose');
        expect(ready).toMatch(/^\[\+\] netservice IPPoolStatic: stored at /m);
        expect(ready).toMatch(/^\[!\] netservice IPPoolStaticDetail: not stored yet, 1 poll failed: .*HTTP 503/m);
        expect(ready).toMatch(/^ready: /m);
        expect(JSON.parse(await get(app, '/status.json'))).toMatchObject({ pools: [{ document: 'IPPoolStatic', failures: 0 }, { failures: 1 }] });
        return true;
      },
      { listen: '127.0.0.1:0', metrics: { bcsNames: true } },
    );
  } finally {
    await fake.close();
  }
});
