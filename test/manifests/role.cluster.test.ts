import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, matchesGlob } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { podRoleFor } from '../../src/config/rbac.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { spawn } from '../support/spawn.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { kindsOf, manifest, MANIFESTS, objectOf, ROOT } from './manifests.ts';
import type { ClusterRole } from './manifests.ts';

/** The API server's own record of who asked for what, and which rule let it: what the role must give, and what it gives for nothing. */

const NAMESPACE = 'kubefold-system';
const ACCOUNT = `system:serviceaccount:${NAMESPACE}:kubefold`;
const role = objectOf<ClusterRole>('base/cluster-role.yaml');
const dir = tempDir('role');

/** One line of the audit log, as far as it matters here. */
interface AuditEvent {
  readonly verb: string;
  readonly requestURI: string;
  readonly user: { readonly username: string };
  readonly objectRef?: { readonly resource?: string; readonly apiGroup?: string; readonly name?: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

let plane: ControlPlane;

beforeAll(async () => {
  const policy = {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [{ level: 'Metadata', users: [ACCOUNT] }, { level: 'None' }],
  };
  writeFileSync(dir.file('policy.json'), JSON.stringify(policy));
  plane = await startControlPlane({ apiServerFlags: ['--audit-policy-file', dir.file('policy.json'), '--audit-log-path', dir.file('audit.log')] });
  await plane.kubectl(['apply', '-k', MANIFESTS, '--server-side']);
  await plane.kubectl(['create', 'deployment', 'web', '--image=none']);
  await plane.kubectl(['create', 'ingress', 'web', '--rule=example.com/*=web:80']);
  await plane.kubectl(['create', 'configmap', 'settings', '--from-literal=key=value']);
  // What everybody may do anyway must not stand in for a rule of ours.
  await plane.kubectl(['delete', 'clusterrolebinding', 'system:discovery', 'system:public-info-viewer', 'system:basic-user']);
});

afterAll(async () => {
  await plane?.close();
  dir.remove();
});

/** What the service account asked for until now. */
function asked(): readonly AuditEvent[] {
  if (!existsSync(dir.file('audit.log'))) return [];
  // The last line may be half written.
  const lines = readFileSync(dir.file('audit.log'), 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as AuditEvent).filter(({ user }) => user.username === ACCOUNT);
}

const idOf = ({ objectRef }: AuditEvent): string =>
  objectRef?.apiGroup === undefined ? (objectRef?.resource ?? '') : `${objectRef.resource}.${objectRef.apiGroup}`;
const decision = ({ annotations = {} }: AuditEvent): string | undefined => annotations['authorization.k8s.io/decision'];
const reason = ({ annotations = {} }: AuditEvent): string => annotations['authorization.k8s.io/reason'] ?? '';

test('the role is enough, nothing of it is for nothing, and nothing else lets kubefold do what it does', async () => {
  const kubeconfig = plane.writeKubeconfig('role', await plane.serviceAccountToken(NAMESPACE, 'kubefold'));
  // With hardly any room for bodies every change is read again by its key: the verb get.
  writeFileSync(dir.file('kubefold.yaml'), `${manifest('base/kubefold.yaml')}\ncache: { pendingBytes: 1 }\n`);
  const args = ['run', '--config', dir.file('kubefold.yaml'), '--storage', `sqlite:${dir.file('role.db')}`, '--kubeconfig', kubeconfig];
  await using child = spawn(process.execPath, ['src/main.ts', ...args, '--listen', '127.0.0.1:0'], { cwd: ROOT, withinMs: 180_000 });
  const [, url = ''] = await child.printed(/"status":"(http:[^"]+)"/, { on: 'stderr' });
  await until('the mirror is ready', async () => (await fetch(`${url}/readyz`)).status === 200, { withinMs: 90_000 });

  const granted = kindsOf(role).map(({ group, resource }) => (group === '' ? resource : `${resource}.${group}`));
  const used = (verb: string): ReadonlySet<string> => new Set(asked().flatMap((event) => (event.verb === verb ? [idOf(event)] : [])));
  await until('every kind was listed and is watched', () => granted.every((id) => used('list').has(id) && used('watch').has(id)));
  // All at once and again and again: there is room for one body, and the others are read again.
  const paths = new Map([
    ['deployments.apps', '/apis/apps/v1/namespaces/default/deployments/web'],
    ['ingresses.networking.k8s.io', '/apis/networking.k8s.io/v1/namespaces/default/ingresses/web'],
    ['configmaps', '/api/v1/namespaces/default/configmaps/settings'],
    ['clusterroles.rbac.authorization.k8s.io', '/apis/rbac.authorization.k8s.io/v1/clusterroles/view'],
    ['priorityclasses.scheduling.k8s.io', '/apis/scheduling.k8s.io/v1/priorityclasses/system-node-critical'],
    ['apiservices.apiregistration.k8s.io', '/apis/apiregistration.k8s.io/v1/apiservices/v1.apps'],
  ]);
  let round = 0;
  await until(
    'an object of each of these kinds was read by its name',
    async () => {
      round += 1;
      const body = { metadata: { annotations: { round: `${round} ${'x'.repeat(2_000)}` } } };
      await Promise.all([...paths.values()].map((path) => plane.apiOk(path, { method: 'PATCH', body })));
      return [...paths.keys()].every((id) => used('get').has(id));
    },
    { withinMs: 60_000 },
  );

  const events = asked();
  expect(events.filter((event) => decision(event) !== 'allow').map(({ verb, requestURI }) => `${verb} ${requestURI}`)).toEqual([]);
  expect(events.filter((event) => !reason(event).includes('ClusterRole "kubefold"')).map(({ requestURI }) => `${requestURI}`)).toEqual([]);
  for (const verb of ['get', 'list', 'watch'])
    expect(
      [...used(verb)].filter((id) => id !== '' && !granted.includes(id)),
      verb,
    ).toEqual([]);
  // This server has the aggregated document of all kinds; the patterns are for those that do not, one document a group.
  const urls = [...new Set(events.filter(({ objectRef }) => objectRef === undefined).map(({ requestURI }) => requestURI.split('?')[0] ?? ''))];
  expect(urls.toSorted()).toEqual(['/api', '/apis']);
  const patterns = role.rules.flatMap(({ nonResourceURLs = [] }) => nonResourceURLs);
  expect(['/api', '/api/v1', '/apis', '/apis/apps/v1'].map((path) => patterns.filter((pattern) => matchesGlob(path, pattern.replace('*', '**'))))).toEqual(
    patterns.map((pattern) => [pattern]).toSorted(),
  );
  expect((await child.stop(30_000)).code).toBe(0);
});

test('the Role of the pod is enough for its Events and the Lease over which replicas elect, and nothing of it is for nothing', async () => {
  await plane.kubectl(['apply', '-n', NAMESPACE, '-f', join(MANIFESTS, 'overlays/bcs-http/role.yaml'), '--server-side', '--force-conflicts']);
  const kubeconfig = plane.writeKubeconfig('pod', await plane.serviceAccountToken(NAMESPACE, 'kubefold'));
  const { leaderElection } = loadConfig({ text: manifest('overlays/bcs-http/kubefold.yaml'), file: 'kubefold.yaml' });
  expect(leaderElection.enabled).toBe(true);
  // Outside of a pod nobody says which namespace is its own.
  writeFileSync(dir.file('elect.yaml'), `leaderElection: { enabled: true, namespace: ${NAMESPACE}, name: ${leaderElection.name} }\nkinds: [nodes]\n`);
  const before = asked().length;
  const args = ['run', '--config', dir.file('elect.yaml'), '--storage', 'memory:', '--listen', 'off', '--kubeconfig', kubeconfig];
  const env = { POD_NAME: 'kubefold-0', POD_NAMESPACE: NAMESPACE, POD_UID: 'b7c1' };
  await using child = spawn(process.execPath, ['src/main.ts', ...args], { cwd: ROOT, env, withinMs: 90_000 });
  const own = (): readonly AuditEvent[] =>
    asked()
      .slice(before)
      .filter(({ requestURI }) => requestURI.includes(`/namespaces/${NAMESPACE}/`));
  const verbs = (): readonly string[] => [...new Set(own().map(({ verb, objectRef }) => `${verb} ${objectRef?.resource}`))].toSorted();
  const wanted = ['create events', 'create leases', 'get leases', 'update leases', 'watch leases'];
  await until('every right is used', () => wanted.every((use) => verbs().includes(use)));
  expect((await child.stop(30_000)).code).toBe(0);
  expect(verbs()).toEqual(wanted);
  expect(own().filter((event) => decision(event) !== 'allow' || !reason(event).includes('of Role "kubefold"'))).toEqual([]);
  const events = await plane.apiOk<{ readonly items: readonly object[] }>(`/api/v1/namespaces/${NAMESPACE}/events`);
  const involvedObject = { kind: 'Pod', name: 'kubefold-0', namespace: NAMESPACE, uid: 'b7c1' };
  expect(events.items).toContainEqual(expect.objectContaining({ reason: 'Leading', involvedObject: expect.objectContaining(involvedObject) }));
  expect(events.items).toContainEqual(expect.objectContaining({ reason: 'ConfigurationApplied', source: { component: 'kubefold' } }));
});

test('the Role of a pod that shares shards is enough for its Leases, and nothing of it is for nothing', async () => {
  const text = `shards: 2\nleaderElection: { enabled: true, namespace: ${NAMESPACE}, name: shared, leaseSeconds: 6, renewSeconds: 5, retrySeconds: 1 }\nkinds: [nodes]\n`;
  const { leaderElection, shards } = loadConfig({ text, file: 'shared.yaml' });
  writeFileSync(dir.file('shared-role.yaml'), podRoleFor({ ...leaderElection, namespace: null }, { name: 'kubefold', shards }));
  await plane.kubectl(['apply', '-n', NAMESPACE, '-f', dir.file('shared-role.yaml'), '--server-side', '--force-conflicts']);
  const kubeconfig = plane.writeKubeconfig('shared', await plane.serviceAccountToken(NAMESPACE, 'kubefold'));
  writeFileSync(dir.file('shared.yaml'), text);
  const before = asked().length;
  const args = ['run', '--config', dir.file('shared.yaml'), '--storage', 'memory:', '--listen', '127.0.0.1:0', '--kubeconfig', kubeconfig];
  await using child = spawn(process.execPath, ['src/main.ts', ...args], { cwd: ROOT, withinMs: 90_000 });
  const [, url = ''] = await child.printed(/"status":"(http:[^"]+)"/, { on: 'stderr' });
  const leader = async (): Promise<string> => await (await fetch(`${url}/metrics`)).text();
  await until('it writes both shards', async () => /kubefold_leader\{shard="0"\} 1\n.*shard="1"\} 1\n/.test(await leader()), { withinMs: 60_000 });
  const own = (): readonly AuditEvent[] =>
    asked()
      .slice(before)
      .filter(({ objectRef }) => objectRef?.resource === 'leases');
  const verbs = (): readonly string[] => [...new Set(own().map(({ verb }) => verb))].toSorted();
  expect((await child.stop(30_000)).code).toBe(0);
  await until('every right was used', () => verbs().length >= 6);
  expect(verbs()).toEqual(['create', 'delete', 'get', 'list', 'update', 'watch']);
  expect(own().filter((event) => decision(event) !== 'allow' || !reason(event).includes('of Role "kubefold"'))).toEqual([]);
  // Those of the shards stay, with their epochs; the one of the member is gone.
  const left = await plane.apiOk<{ readonly items: readonly { readonly metadata: { readonly name: string } }[] }>(
    `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases?labelSelector=kubefold.io%2Felection%3Dshared`,
  );
  expect(left.items.map(({ metadata }) => metadata.name).toSorted()).toEqual(['shared-shard-0', 'shared-shard-1']);
});

test('without the discovery rule nothing begins, and what is missing is named', async () => {
  const bare = { ...role, rules: role.rules.filter(({ nonResourceURLs }) => nonResourceURLs === undefined) };
  expect(bare.rules).toHaveLength(role.rules.length - 1);
  await plane.kubectl(['replace', '-f', '-'], JSON.stringify(bare));
  const kubeconfig = plane.writeKubeconfig('bare', await plane.serviceAccountToken(NAMESPACE, 'kubefold'));
  const args = ['run', '--once', '--storage', 'memory:', '--listen', 'off', '--kubeconfig', kubeconfig];
  await using child = spawn(process.execPath, ['src/main.ts', ...args], { cwd: ROOT, withinMs: 60_000 });
  const exit = await child.exited;
  expect([exit.code, exit.stderr]).toEqual([1, expect.stringMatching(/forbidden.*\/apis?\b/s)]);
});
