import { afterAll, beforeAll, expect, test } from 'vitest';
import { KubemarkObjects } from '../../src/hollow/kubemark-objects.ts';
import { Kubemark, POD_LIFE, type PodStep } from '../../src/lab/load/kubemark.ts';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import { until } from '../support/until.ts';
import { RECORDED } from './load/recording.ts';

const PODS = '/api/v1/namespaces/default/pods';

interface Event {
  readonly type: string;
  readonly object: {
    readonly metadata: { readonly name: string };
    readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
  };
}
type Counts = Readonly<Record<string, number>>;

let plane: ControlPlane;

beforeAll(async () => {
  plane = await startControlPlane({ nodes: 2 });
});
afterAll(async () => {
  await plane?.close();
});

async function revision(): Promise<string> {
  return (await plane.apiOk<{ metadata: { resourceVersion: string } }>(PODS)).metadata.resourceVersion;
}

/** Every event since, as a watcher gets them: replayed by the server, which then ends the watch. */
async function eventsSince(from: string): Promise<readonly Event[]> {
  const { text } = await plane.api(`${PODS}?watch=1&resourceVersion=${from}&timeoutSeconds=2`);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Event);
}

function countsOf(events: readonly Event[]): ReadonlyMap<string, Counts> {
  const counts = new Map<string, Record<string, number>>();
  for (const { type, object } of events) {
    const mine = counts.get(object.metadata.name) ?? {};
    mine[type] = (mine[type] ?? 0) + 1;
    counts.set(object.metadata.name, mine);
  }
  return counts;
}

test('pods on simulated nodes live through as many events as were recorded', async () => {
  const from = await revision();
  await plane.kubectl(['create', 'deployment', 'web', '--image=none', '--replicas=10']);
  const phases = async (): Promise<readonly string[]> =>
    (await plane.apiOk<{ items: { status: { phase: string } }[] }>(PODS)).items.map(({ status }) => status.phase);
  await until('10 pods are Running', async () => (await phases()).filter((phase) => phase === 'Running').length === 10, { withinMs: 60_000 });
  await plane.kubectl(['scale', 'deployment', 'web', '--replicas=0']);
  await until('no pod is left', async () => (await phases()).length === 0, { withinMs: 60_000 });
  // A pod that came before its nodes were ready is told so once more, by how long that took: no part of a life.
  const isUnplaced = ({ object }: Event): boolean =>
    object.status.conditions?.some(({ type, status }) => type === 'PodScheduled' && status === 'False') === true;
  const counts = countsOf((await eventsSince(from)).filter((event) => !isUnplaced(event)));
  expect(counts.size).toBe(10);
  for (const [name, count] of counts) expect(count, name).toEqual(RECORDED.kwok);
});

test('a pod whose kubelet writes each step of the generator makes one event of each, and no other', async () => {
  const objects = new KubemarkObjects(new Kubemark({ nodes: 2, pods: 8, services: 2, namespaces: 2, podsPerSecond: 1, durationMs: 1 }), 4_096);
  // A node that no simulator knows.
  const made = await plane.api('/api/v1/nodes', {
    method: 'POST',
    body: { metadata: { name: 'mine' }, spec: { taints: [{ key: 'mine', effect: 'NoSchedule' }] } },
  });
  expect(made.status).toBe(201);
  const from = await revision();
  const path = `${PODS}/one`;
  const ok = async (step: PodStep, request: string, method: 'POST' | 'PATCH' | 'DELETE', body: unknown): Promise<void> => {
    const answer = await plane.api(request, { method, body });
    expect(answer.status, `${step}: ${answer.text}`).toBeLessThan(300);
  };
  for (const step of POD_LIFE) {
    if (step === 'created')
      await ok(step, PODS, 'POST', {
        metadata: { name: 'one' },
        spec: {
          schedulerName: 'nobody',
          containers: [{ name: 'main', image: 'none', resources: { requests: { cpu: '100m' } } }],
          automountServiceAccountToken: false,
        },
      });
    else if (step === 'bound') await ok(step, `${path}/binding`, 'POST', { metadata: { name: 'one' }, target: { kind: 'Node', name: 'mine' } });
    else if (step === 'terminating') await ok(step, path, 'DELETE', undefined);
    else if (step === 'released') await ok(step, path, 'DELETE', { gracePeriodSeconds: 0 });
    else if (step === 'removed') continue;
    else await ok(step, `${path}/status`, 'PATCH', { status: objects.status(0, step, Date.UTC(2026, 0, 1) + POD_LIFE.indexOf(step) * 1_000) });
  }
  const events = (await eventsSince(from)).filter(({ object }) => object.metadata.name === 'one');
  expect(events.map(({ type }) => type)).toEqual(POD_LIFE.map((step) => (step === 'created' ? 'ADDED' : step === 'removed' ? 'DELETED' : 'MODIFIED')));
  expect(countsOf(events).get('one')).toEqual(RECORDED.kubelet);
});
