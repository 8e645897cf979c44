import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { startControlPlane } from './control-plane.ts';
import type { ControlPlane } from './control-plane.ts';

interface List {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly { readonly metadata: { readonly name: string; readonly uid: string }; readonly status: { readonly phase?: string } }[];
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const PODS = '/api/v1/namespaces/default/pods';

describe('a control plane with simulated nodes', () => {
  let plane: ControlPlane;

  beforeAll(async () => {
    plane = await startControlPlane({ nodes: 2, users: [{ name: 'nobody' }] });
  });
  afterAll(async () => {
    await plane?.close();
  });

  test('runs the pods of a Deployment', async () => {
    await plane.kubectl(['create', 'deployment', 'web', '--image=none', '--replicas=10']);
    const pods = await until(
      '10 pods are Running',
      async () => {
        const list = await plane.apiOk<List>(`${PODS}?labelSelector=app%3Dweb`);
        return list.items.length === 10 && list.items.every((pod) => pod.status.phase === 'Running') ? list.items : null;
      },
      { withinMs: 60_000 },
    );
    expect(new Set(pods.map((pod) => pod.metadata.uid)).size).toBe(10);
  });

  test('kubectl reads its standard input', async () => {
    const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'from-stdin' }, data: { a: '1' } };
    expect(await plane.kubectl(['apply', '-f', '-'], JSON.stringify(map))).toContain('configmap/from-stdin created');
    await expect(plane.kubectl(['get', 'configmap', 'missing'])).rejects.toThrow(/NotFound/);
  });

  test('knows callers without rights, callers without a token, and service accounts', async () => {
    expect((await plane.api(PODS, { token: plane.token('nobody') })).status).toBe(403);
    expect((await plane.api(PODS, { token: 'wrong' })).status).toBe(401);
    expect((await plane.api(PODS, { token: null })).status).toBe(403);
    await plane.kubectl(['create', 'serviceaccount', 'mirror']);
    const token = await plane.serviceAccountToken('default', 'mirror');
    expect((await plane.api(PODS, { token })).status).toBe(403);
    await plane.kubectl(['create', 'clusterrolebinding', 'mirror', '--clusterrole=view', '--serviceaccount=default:mirror']);
    await until('the binding counts', async () => (await plane.api(PODS, { token })).status === 200);
    const path = plane.writeKubeconfig('mirror', token);
    expect(await plane.kubectl(['--kubeconfig', path, 'auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}'])).toBe(
      'system:serviceaccount:default:mirror',
    );
  });

  test('keeps its state and its address over a killed API server', async () => {
    const before = await plane.apiOk<List>(PODS);
    await plane.stopApiServer('SIGKILL');
    await expect(plane.api(PODS)).rejects.toThrow();
    await plane.startApiServer();
    const after = await plane.apiOk<List>(PODS);
    expect(after.items.map((pod) => pod.metadata.uid)).toEqual(before.items.map((pod) => pod.metadata.uid));
  });

  test('a frozen API server neither answers nor refuses, and goes on afterwards', async () => {
    plane.pauseApiServer();
    const answer = plane.api('/readyz');
    const first = await Promise.race([answer.then(() => 'answered'), new Promise((resolve) => setTimeout(() => resolve('silent'), 500))]);
    expect(first).toBe('silent');
    plane.resumeApiServer();
    expect((await answer).status).toBe(200);
  });

  test('compaction takes exact lists of older revisions away', async () => {
    const { metadata } = await plane.apiOk<List>('/api/v1/events');
    const old = `/api/v1/events?resourceVersion=${metadata.resourceVersion}&resourceVersionMatch=Exact`;
    expect((await plane.api(old)).status).toBe(200);
    await plane.kubectl(['create', 'configmap', 'later']);
    const upTo = await plane.compactEtcd();
    expect(BigInt(upTo)).toBeGreaterThan(BigInt(metadata.resourceVersion));
    expect((await plane.api(old)).status).toBe(410);
  });
});

test('an API server ends gracefully within its minute and starts again on the same data', async () => {
  // Without nodes nobody holds a watch open, so the end is quick.
  await using plane = await startControlPlane();
  await plane.kubectl(['create', 'configmap', 'kept']);
  await plane.stopApiServer('SIGTERM');
  await expect(plane.api(PODS)).rejects.toThrow();
  await plane.startApiServer();
  expect(await plane.kubectl(['get', 'configmap', 'kept', '-o', 'name'])).toBe('configmap/kept\n');
});

test('a wiped etcd is another, younger cluster at the same address; close() leaves no process', async () => {
  const plane = await startControlPlane();
  const uidOf = async (): Promise<string> => (await plane.apiOk<List['items'][number]>('/api/v1/namespaces/kube-system')).metadata.uid;
  for (let i = 0; i < 300; i += 1) {
    await plane.apiOk('/api/v1/namespaces/default/configmaps', { method: 'POST', body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `c${i}` } } });
  }
  const before = { uid: await until('kube-system exists', uidOf), revision: await plane.etcdRevision() };
  await plane.wipeEtcd();
  const after = { uid: await until('kube-system exists', uidOf), revision: await plane.etcdRevision() };
  expect(after.uid).not.toBe(before.uid);
  expect(BigInt(after.revision)).toBeLessThan(BigInt(before.revision));
  const pids = plane.pids();
  expect(pids).toHaveLength(2);
  await plane.close();
  expect(pids.filter(isAlive)).toEqual([]);
  await expect(plane.api('/readyz')).rejects.toThrow();
});

test('an API server that does not start says why', async () => {
  await expect(startControlPlane({ apiServerFlags: ['--no-such-flag'] })).rejects.toThrow(
    /kube-apiserver ended with 1 while it started.*unknown flag: --no-such-flag/s,
  );
});
