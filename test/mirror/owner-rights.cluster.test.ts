import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import { kubefold } from '../commands/kubefold.ts';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import type { ClusterRole } from '../manifests/manifests.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { Copy } from './copy.ts';

/* Pods that name their top workload, where nothing but pods is mirrored: owners are looked up, and that takes rights. */

const dir = tempDir('owner-rights');
let plane: ControlPlane;
let role: ClusterRole;

beforeAll(async () => {
  // Controllers make the ReplicaSet and the pods; they run when there are nodes.
  plane = await startControlPlane({ nodes: 1 });
  await plane.kubectl(['create', 'deployment', 'web', '--image=none', '--replicas=2']);
  await plane.kubectl(['create', 'serviceaccount', 'kubefold']);
  await until('the pods are there', async () => {
    const { items } = await plane.apiOk<{ readonly items: readonly unknown[] }>('/api/v1/namespaces/default/pods');
    return items.length === 2;
  });
  const resources = [
    { kinds: ['pods'], annotateWorkload: true },
    { kinds: ['*'], mirror: false },
  ];
  writeFileSync(dir.file('kubefold.json'), JSON.stringify({ resources, listen: 'off' }));
  const printed = await kubefold(['rbac', '--config', dir.file('kubefold.json')]);
  role = parseDocument(printed.stdout).toJS() as ClusterRole;
  await plane.kubectl(['apply', '-f', '-'], printed.stdout);
  await plane.kubectl(['create', 'clusterrolebinding', 'kubefold', '--clusterrole=kubefold', '--serviceaccount=default:kubefold']);
});

afterAll(async () => {
  await plane?.close();
  dir.remove();
});

/** What the copy of each pod says its top workload is, and what was logged. */
async function mirrored(name: string): Promise<{ readonly workloads: readonly unknown[]; readonly log: string }> {
  const kubeconfig = plane.writeKubeconfig(name, await plane.serviceAccountToken('default', 'kubefold'));
  const flags = ['--kubeconfig', kubeconfig, '--config', dir.file('kubefold.json'), '--storage', `sqlite:${dir.file(`${name}.db`)}`];
  const { code, stderr } = await kubefold(['run', '--once', ...flags, '--log-format', 'json'], { withinMs: 120_000 });
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  using copy = new Copy(dir.file(`${name}.db`));
  const annotation = (what: string): string => `(body ->> '$.metadata.annotations."workload.bkbcs.tencent.com/${what}"')`;
  const rows = copy.all(
    `SELECT ${annotation('kind')} || ' ' || ${annotation('name')} AS workload FROM objects WHERE resource = 'pods' AND namespace = 'default'`,
  );
  return { workloads: rows.map(({ workload }) => workload), log: stderr };
}

test('with the role that kubefold rbac prints every pod names its Deployment', async () => {
  const { workloads, log } = await mirrored('enough');
  expect(workloads).toEqual(['Deployment web', 'Deployment web']);
  expect(log).not.toMatch(/cannot be looked up|403/);
});

test('without its rights to look owners up pods name what is known without, and the log says which kind may not be read', async () => {
  const bare = { ...role, rules: role.rules.filter(({ verbs }) => verbs.join() !== 'get,list') };
  expect(bare.rules.length).toBeLessThan(role.rules.length);
  await plane.kubectl(['replace', '-f', '-'], JSON.stringify(bare));
  const subject = 'system:serviceaccount:default:kubefold';
  const may = ['auth', 'can-i', 'get', 'replicasets.apps', '--as', subject];
  await until('the right is gone', async () => (await plane.kubectl(may).catch(() => 'no')).trim() === 'no');
  const { workloads, log } = await mirrored('bare');
  expect(workloads).toEqual([expect.stringMatching(/^ReplicaSet web-/), expect.stringMatching(/^ReplicaSet web-/)]);
  expect(log).toMatch(/owners of a kind cannot be looked up.*/);
  expect(log).toContain('ReplicaSet.apps');
});
