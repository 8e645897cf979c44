import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/kit/clock.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { compareEveryObject } from '../mirror/support/independent-comparison.ts';
import { spawn } from '../support/spawn.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { MANIFESTS, ROOT } from './manifests.ts';
import type { Deployment } from './manifests.ts';

/** From the one command to an exact copy, in a cluster of five simulated nodes and 300 pods. */

const NAMESPACE = 'kubefold-system';
const PODS = 300;
const WITHIN_SECONDS = 20;
const dir = tempDir('install');
let plane: ControlPlane;

interface Pods {
  readonly items: readonly { readonly metadata: { readonly name: string; readonly uid: string }; readonly status: { readonly phase?: string } }[];
}

const running = async (namespace: string, label: string): Promise<Pods['items']> => {
  const { items } = await plane.apiOk<Pods>(`/api/v1/namespaces/${namespace}/pods?labelSelector=${encodeURIComponent(label)}`);
  return items.filter(({ status }) => status.phase === 'Running');
};

beforeAll(async () => {
  plane = await startControlPlane({ nodes: 5 });
  // The pod asks for room on the disk of its node, and simulated nodes say nothing of theirs.
  const { items } = await plane.apiOk<{ readonly items: readonly { readonly metadata: { readonly name: string } }[] }>('/api/v1/nodes');
  const room = { 'ephemeral-storage': '100Gi' };
  for (const { metadata } of items) {
    await plane.apiOk(`/api/v1/nodes/${metadata.name}/status`, { method: 'PATCH', body: { status: { capacity: room, allocatable: room } } });
  }
  await plane.kubectl(['create', 'deployment', 'web', '--image=none', `--replicas=${PODS}`]);
  await until('all pods run', async () => (await running('default', 'app=web')).length === PODS, { withinMs: 120_000 });
});

afterAll(async () => {
  await plane?.close();
  dir.remove();
});

test('one command, and within 20 s the copy is exact', async () => {
  const since = systemClock.now();
  await plane.kubectl(['apply', '--server-side', '-k', `${MANIFESTS}/overlays/development`]);
  // Controllers, scheduler and admission do with the Deployment what they do anywhere; only the container is a process of ours, for simulated nodes have none.
  const [pod] = await until('its pod runs', async () => {
    const pods = await running(NAMESPACE, 'app.kubernetes.io/name=kubefold');
    return pods.length === 1 ? pods : null;
  });
  const { data } = await plane.apiOk<{ readonly data: Readonly<Record<string, string>> }>(`/api/v1/namespaces/${NAMESPACE}/configmaps/kubefold`);
  writeFileSync(dir.file('kubefold.yaml'), data['kubefold.yaml'] ?? '');
  const { spec } = await plane.apiOk<Deployment>(`/apis/apps/v1/namespaces/${NAMESPACE}/deployments/kubefold`);
  const args = (spec.template.spec.containers[0]?.args ?? []).map((arg) => arg.replace('/etc/kubefold', dir.path));
  const kubeconfig = plane.writeKubeconfig('install', await plane.serviceAccountToken(NAMESPACE, 'kubefold'));
  const more = ['--kubeconfig', kubeconfig, '--storage', `sqlite:${dir.file('copy.db')}`, '--listen', '127.0.0.1:0'];
  const env = { POD_NAME: pod?.metadata.name, POD_NAMESPACE: NAMESPACE, POD_UID: pod?.metadata.uid };
  await using child = spawn(process.execPath, ['src/main.ts', ...args, ...more], { cwd: ROOT, env, withinMs: 120_000 });
  const [, url = ''] = await child.printed(/"status":"(http:[^"]+)"/, { on: 'stderr' });
  await until('the mirror is ready', async () => (await fetch(`${url}/readyz`)).status === 200, { everyMs: 50 });
  const readySeconds = (systemClock.now() - since) / 1000;
  const comparison = await until('every object is exactly in its row', async () => {
    const found = await compareEveryObject(plane, dir.file('copy.db'), 'development');
    if (found.differences.length > 0) throw new Error(found.differences.slice(0, 5).join('; '));
    return found;
  });
  const exactSeconds = (systemClock.now() - since) / 1000;
  process.stdout.write(
    `ready after ${readySeconds.toFixed(1)} s, exact after ${exactSeconds.toFixed(1)} s: ${comparison.objects} objects of ${comparison.kinds} kinds\n`,
  );
  expect(comparison.objects).toBeGreaterThan(PODS);
  expect(exactSeconds).toBeLessThan(WITHIN_SECONDS);
  // Whoever describes the pod is told which version of the configuration is in use.
  const described = await until('the Event is shown', async () => {
    const text = await plane.kubectl(['describe', 'pod', pod?.metadata.name ?? '', '-n', NAMESPACE]);
    return text.includes('ConfigurationApplied') ? text : null;
  });
  expect(described).toMatch(/Normal +ConfigurationApplied .* kubefold +configuration \w+ is in use/);
  expect((await child.stop(30_000)).code).toBe(0);
});
