import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { runOk, run, spawn } from '../support/spawn.ts';
import type { Child } from '../support/spawn.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { kindsOf, manifest, MANIFESTS, objectOf, OVERLAYS, ROOT } from './manifests.ts';
import type { ClusterRole, Deployment } from './manifests.ts';

const NAMESPACE = 'kubefold-system';
const role = objectOf<ClusterRole>('base/cluster-role.yaml');
const roleKinds = kindsOf(role).map(({ group, resource }) => (group === '' ? resource : `${resource}.${group}`));
const dir = tempDir('manifests');

let plane: ControlPlane;

beforeAll(async () => {
  plane = await startControlPlane();
  await plane.kubectl(['apply', '-k', MANIFESTS, '--server-side', '--validate=strict']);
  // What the least role must not give, and something of several kinds.
  await plane.kubectl(['create', 'secret', 'generic', 'hidden', '--from-literal=key=value']);
  await plane.kubectl(['create', 'deployment', 'web', '--image=none', '--replicas=2']);
  await plane.kubectl(['create', 'ingress', 'web', '--rule=example.com/*=web:80']);
});

afterAll(async () => {
  await plane.close();
  dir.remove();
});

/** kubefold as it runs in the pod: the shipped configuration, and nothing but the service account's token. */
async function mirror(name: string): Promise<{ readonly child: Child; readonly url: string; readonly kubeconfig: string; readonly flags: readonly string[] }> {
  const kubeconfig = plane.writeKubeconfig(name, await plane.serviceAccountToken(NAMESPACE, 'kubefold'));
  const flags = ['--config', `${MANIFESTS}/base/kubefold.yaml`, '--storage', `sqlite:${dir.file(`${name}.db`)}`, '--kubeconfig', kubeconfig];
  const child = spawn(process.execPath, ['src/main.ts', 'run', ...flags, '--listen', '127.0.0.1:0'], { cwd: ROOT, withinMs: 180_000 });
  const [, url = ''] = await child.printed(/"status":"(http:[^"]+)"/, { on: 'stderr' });
  return { child, url, kubeconfig, flags };
}

const get = async (url: string): Promise<{ readonly status: number; readonly text: string }> => {
  const answer = await fetch(url);
  return { status: answer.status, text: await answer.text() };
};

/** The objects of a kustomization, as kubectl renders it. */
const rendered = async (folder: string): Promise<readonly { readonly kind: string }[]> =>
  parseAllDocuments(await plane.kubectl(['kustomize', folder])).map((document) => document.toJS() as { readonly kind: string });

/** What the namespace says to a pod like those of the Deployment. */
async function admit(deployment: Deployment, change: (spec: Deployment['spec']['template']['spec']) => object = (spec) => spec): Promise<string> {
  const { template } = deployment.spec;
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'kubefold', labels: template.metadata.labels }, spec: change(template.spec) };
  return plane.kubectl(['create', '-f', '-', '-n', NAMESPACE, '--dry-run=server', '-o', 'name'], JSON.stringify(pod));
}

const EVERYWHERE = [
  'clusterrole.rbac.authorization.k8s.io/kubefold',
  'clusterrolebinding.rbac.authorization.k8s.io/kubefold',
  'configmap/kubefold',
  'deployment.apps/kubefold',
  'namespace/kubefold-system',
  'networkpolicy.networking.k8s.io/kubefold',
  'poddisruptionbudget.policy/kubefold',
  'role.rbac.authorization.k8s.io/kubefold',
  'rolebinding.rbac.authorization.k8s.io/kubefold',
  'service/kubefold',
  'serviceaccount/kubefold',
];

// The overlay that the folder itself installs comes last, so that it is what the tests below find.
test.each([
  ...OVERLAYS.filter((overlay) => overlay !== 'overlays/sqlite').map((overlay) => [overlay, EVERYWHERE] as const),
  ['overlays/sqlite', [...EVERYWHERE, 'persistentvolumeclaim/kubefold']] as const,
  ['.', [...EVERYWHERE, 'persistentvolumeclaim/kubefold']] as const,
])(
  'the API server accepts every object of manifests/%s, the same again changes nothing, and the restricted namespace admits its pod',
  async (place, objects) => {
    const folder = join(MANIFESTS, place);
    const apply = ['apply', '-k', folder, '--server-side', '--validate=strict', '-o', 'name'];
    const { stdout, stderr } = await run(plane.program('kubectl'), ['--kubeconfig', plane.kubeconfigPath, ...apply], { withinMs: 60_000 });
    // A warning would be a Deployment whose pods the namespace refuses, or a field that is deprecated.
    expect([stdout.trim().split('\n').toSorted(), stderr]).toEqual([objects.toSorted(), '']);
    const diff = await run(plane.program('kubectl'), ['--kubeconfig', plane.kubeconfigPath, 'diff', '-k', folder, '--server-side'], { withinMs: 60_000 });
    expect([diff.code, diff.stdout]).toEqual([0, '']);
    const deployment = (await rendered(folder)).find(({ kind }) => kind === 'Deployment') as unknown as Deployment;
    expect(await admit(deployment)).toBe('pod/kubefold\n');
  },
);

test('with the serving component the API server accepts every overlay, probes by HTTPS, and lets in who is labelled', async () => {
  for (const overlay of OVERLAYS) {
    mkdirSync(dir.file(overlay), { recursive: true });
    // The load rules of kustomize want paths relative to the file, on whatever machine.
    const from = (path: string): string => relative(dir.file(overlay), join(MANIFESTS, path));
    const text = { apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization', resources: [from(overlay)], components: [from('components/serving')] };
    writeFileSync(join(dir.file(overlay), 'kustomization.yaml'), JSON.stringify(text));
    const objects = await rendered(dir.file(overlay));
    const deployment = objects.find(({ kind }) => kind === 'Deployment') as unknown as Deployment;
    const container = deployment.spec.template.spec.containers[0];
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'] as const) {
      expect(container?.[probe]).toMatchObject({ httpGet: { port: 'https', scheme: 'HTTPS' } });
      expect(container?.[probe]).not.toHaveProperty('exec');
    }
    expect(objects.find(({ kind }) => kind === 'Service')).toMatchObject({ spec: { ports: [{ name: 'https', port: 8443 }] } });
    expect(objects.find(({ kind }) => kind === 'NetworkPolicy')).toMatchObject({ spec: { ingress: [{ ports: [{ port: 8443 }] }] } });
    await plane.kubectl(['apply', '-k', dir.file(overlay), '--server-side', '--validate=strict', '--dry-run=server']);
    expect(await admit(deployment)).toBe('pod/kubefold\n');
  }
});

test('the restricted namespace would refuse the pod without its security settings, each by itself', async () => {
  const deployment = objectOf<Deployment>('base/deployment.yaml');
  const bare = admit(deployment, (spec) => ({ ...spec, containers: spec.containers.map((container) => ({ ...container, securityContext: {} })) }));
  await expect(bare).rejects.toThrow(/violates PodSecurity "restricted.*allowPrivilegeEscalation.*capabilities/s);
  const anybody = admit(deployment, (spec) => ({ ...spec, securityContext: {} }));
  await expect(anybody).rejects.toThrow(/violates PodSecurity "restricted.*runAsNonRoot.*seccompProfile/s);
});

test('the role is what kubefold rbac prints for the shipped configuration on this API server', async () => {
  // Another version has other kinds: with a new one, print the role again and correct the comment in the kustomization.
  const { major, minor } = await plane.apiOk<{ readonly major: string; readonly minor: string }>('/version');
  expect(manifest('kustomization.yaml')).toContain(`a plain Kubernetes ${major}.${minor}, without Secrets`);
  const args = ['src/main.ts', 'rbac', '--from-cluster', '--config', `${MANIFESTS}/base/kubefold.yaml`, '--kubeconfig', plane.kubeconfigPath];
  expect(await runOk(process.execPath, args, { cwd: ROOT })).toBe(manifest('base/cluster-role.yaml'));
});

test('with the service account alone everything the role gives is mirrored, without a refusal, and verify says equal', async () => {
  const { child, url, flags } = await mirror('whole');
  try {
    const ready = await until('the mirror is ready', async () => {
      const answer = await get(`${url}/readyz?verbose`);
      return answer.status === 200 ? answer.text : null;
    });
    expect(ready).not.toMatch(/403|forbidden/i);
    const mirrored = ready.split('\n').flatMap((line) => /^\[\+\] ([^:]+): \d+ objects/.exec(line)?.[1] ?? []);
    expect(mirrored.toSorted()).toEqual(roleKinds.toSorted());
    expect(ready).toMatch(/^\[-\] secrets: not mirrored/m);

    const verify = await run(process.execPath, ['src/main.ts', 'verify', ...flags, '--json'], { cwd: ROOT, withinMs: 60_000 });
    const summary = JSON.parse(verify.stdout.trim().split('\n').at(-1) ?? '{}') as object;
    expect(summary).toMatchObject({ verdict: 'equal', kinds: roleKinds.length, differences: 0, unknown: 0 });
    expect(verify.code).toBe(0);
  } finally {
    expect((await child.stop(30_000)).code).toBe(0);
  }
});

test('with a kind taken from the role that kind is refused and named by readiness, and the others are mirrored', async () => {
  const without = {
    ...role,
    rules: role.rules.map((rule) => ({ ...rule, ...(rule.resources ? { resources: rule.resources.filter((name) => name !== 'ingresses') } : {}) })),
  };
  writeFileSync(dir.file('role.json'), JSON.stringify(without));
  await plane.kubectl(['replace', '-f', dir.file('role.json')]);
  const { child, url, flags } = await mirror('partial');
  try {
    const refused = await until('all kinds but one are complete', async () => {
      const { status, text } = await get(`${url}/readyz?verbose`);
      return status === 503 && text.match(/^\[\+\] [^:]+: \d+ objects/gm)?.length === roleKinds.length - 1 ? text : null;
    });
    expect(refused).toMatch(/^\[ \] ingresses\.networking\.k8s\.io: 0 objects, waiting, .*forbidden/m);
    expect((await get(`${url}/readyz`)).text).toContain('ingresses.networking.k8s.io');
    expect((await get(`${url}/livez`)).status).toBe(200);
    const verify = await run(process.execPath, ['src/main.ts', 'verify', ...flags], { cwd: ROOT, withinMs: 60_000 });
    expect([verify.code, verify.stdout]).toEqual([2, expect.stringMatching(/^ingresses\.networking\.k8s\.io: could not tell: /m)]);

    // Granted again, the kind comes by itself.
    await plane.kubectl(['apply', '-k', MANIFESTS, '--server-side', '--force-conflicts']);
    await until('the kind is mirrored too', async () => (await get(`${url}/readyz`)).status === 200, { withinMs: 60_000 });
  } finally {
    expect((await child.stop(30_000)).code).toBe(0);
  }
});
