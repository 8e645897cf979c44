import { request } from 'node:https';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import { MANIFESTS, ROOT } from '../manifests/manifests.ts';
import { TestAuthority } from '../support/certificates.ts';
import { type Child, spawn } from '../support/spawn.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

/** The program beside a real API server, with the rights and the roles of manifests/components/serving and nothing else. */

const NAMESPACE = 'kubefold-system';
const dir = tempDir('token-review');
const authority = new TestAuthority();

let plane: ControlPlane;
let child: Child;
let port = 0;

beforeAll(async () => {
  plane = await startControlPlane();
  mkdirSync(dir.file('k'));
  const from = (path: string): string => relative(dir.file('k'), join(MANIFESTS, path));
  const resources = { resources: [from('overlays/development')], components: [from('components/serving')] };
  writeFileSync(
    join(dir.file('k'), 'kustomization.yaml'),
    JSON.stringify({ apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization', ...resources }),
  );
  await plane.kubectl(['apply', '-k', dir.file('k'), '--server-side', '--validate=strict']);
  await plane.kubectl(['create', 'namespace', 'monitoring']);
  for (const name of ['prometheus', 'person', 'nobody']) await plane.kubectl(['-n', 'monitoring', 'create', 'serviceaccount', name]);
  const bind = (name: string, role: string): Promise<string> =>
    plane.kubectl(['create', 'clusterrolebinding', name, `--clusterrole=${role}`, `--serviceaccount=monitoring:${name}`]);
  await bind('prometheus', 'kubefold-metrics-reader');
  await bind('person', 'kubefold-operator');

  const { certFile, keyFile } = authority.issue({ commonName: 'kubefold', names: ['IP:127.0.0.1'] });
  const config = { kinds: ['nodes'], listen: '0.0.0.0:0', tls: { certFile, keyFile }, auth: { tokenReview: true } };
  writeFileSync(dir.file('kubefold.json'), JSON.stringify({ ...config, storage: { url: 'memory:' } }));
  const kubeconfig = plane.writeKubeconfig('kubefold', await plane.serviceAccountToken(NAMESPACE, 'kubefold'));
  const args = ['run', '--config', dir.file('kubefold.json'), '--kubeconfig', kubeconfig, '--log-level', 'debug', '--log-format', 'json'];
  child = spawn(process.execPath, ['src/main.ts', ...args], { cwd: ROOT, withinMs: 400_000 });
  const [, url = ''] = await child.printed(/"status":"(https:[^"]+)"/, { on: 'stderr' });
  port = Number(new URL(url).port);
});

afterAll(async () => {
  await child?.stop(30_000);
  await plane?.close();
  authority.remove();
  dir.remove();
});

function ask(path: string, token?: string, method = 'GET'): Promise<{ readonly code: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    request({ host: '127.0.0.1', port, path, method, ca: authority.cert, headers, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ code: response.statusCode ?? 0, text }));
    })
      .on('error', reject)
      .end();
  });
}

const PATHS = ['/metrics', '/', '/status.json', '/readyz?verbose', '/control/held'];
const codesOf = async (token?: string): Promise<readonly number[]> => {
  // One after another is what Prometheus and people do; together is what a dashboard does, and tests elsewhere.
  const codes: number[] = [];
  for (const path of PATHS) codes.push((await ask(path, token)).code);
  return codes;
};

test('service accounts may do what their roles say, and nobody else anything; the kubelet needs no token', async () => {
  const prometheus = await plane.serviceAccountToken('monitoring', 'prometheus');
  const person = await plane.serviceAccountToken('monitoring', 'person');
  const nobody = await plane.serviceAccountToken('monitoring', 'nobody');
  expect(await codesOf(prometheus)).toEqual([200, 403, 403, 403, 403]);
  expect((await ask('/metrics', prometheus)).text).toMatch(/^kubefold_objects\{/m);
  expect((await ask('/', prometheus)).text).toMatch(/^system:serviceaccount:monitoring:prometheus may not get \/: /);
  expect(await codesOf(person)).toEqual([200, 200, 200, 200, 200]);
  // Everybody may get /readyz of the API server, and does not see ours with its details for that.
  expect(await codesOf(nobody)).toEqual([403, 403, 403, 403, 403]);
  expect(await codesOf(plane.adminToken)).toEqual([200, 200, 200, 200, 200]);
  expect(await codesOf('made-up')).toEqual([401, 401, 401, 401, 401]);
  // Whole, with a valid head and body, and a signature that is none.
  expect((await ask('/metrics', `${prometheus.split('.').slice(0, 2).join('.')}.${'A'.repeat(342)}`)).code).toBe(401);
  expect(await codesOf()).toEqual([401, 401, 401, 401, 401]);
  expect([(await ask('/livez')).code, await ask('/readyz')]).toEqual([200, { code: 200, text: 'ok\n' }]);
  // Forbidden, and not: no such pass.
  expect((await ask('/control/held/confirm', prometheus, 'POST')).code).toBe(403);
  expect((await ask('/control/held/confirm', person, 'POST')).text).toMatch(/x-kubefold-control is missing/);
  for (const token of [prometheus, person, nobody, plane.adminToken]) expect(child.stderr()).not.toContain(token);
});

test('a token that is revoked, and a right that is taken away, end within half a minute and what the API server itself remembers', async () => {
  const [revoked, kept] = [await plane.serviceAccountToken('monitoring', 'person'), await plane.serviceAccountToken('monitoring', 'prometheus')];
  expect([(await ask('/metrics', revoked)).code, (await ask('/metrics', kept)).code]).toEqual([200, 200]);
  // Its tokens go with the account. The binding stays: it is the token that is no more.
  await plane.kubectl(['-n', 'monitoring', 'delete', 'serviceaccount', 'person']);
  await plane.kubectl(['delete', 'clusterrolebinding', 'prometheus']);
  await until('the token is refused', async () => (await ask('/metrics', revoked)).code === 401, { withinMs: 50_000, everyMs: 500 });
  await until('the right is missing', async () => (await ask('/metrics', kept)).code === 403, { withinMs: 50_000, everyMs: 500 });
});

test('without the rights of auth.tokenReview, and without the API server, nobody is let in, and the log says which it was', async () => {
  await plane.kubectl(['apply', '--server-side', '--force-conflicts', '-f', join(MANIFESTS, 'base/cluster-role.yaml')]);
  // A token that is known would be let in for a while: each look shows a new one.
  await until('a new token is not let in', async () => (await ask('/metrics', await plane.serviceAccountToken('monitoring', 'nobody'))).code === 503, {
    withinMs: 20_000,
    everyMs: 200,
  });
  expect(child.stderr()).toMatch(/lacks the rights that kubefold rbac prints for auth\.tokenReview/);
  await plane.kubectl(['apply', '-k', dir.file('k'), '--server-side', '--force-conflicts']);
  const [before, other] = [plane.adminToken, await plane.serviceAccountToken('monitoring', 'nobody')];
  await until('tokens are checked again', async () => (await ask('/metrics', before)).code === 200, { withinMs: 20_000, everyMs: 200 });
  await plane.stopApiServer('SIGKILL');
  const refused = await ask('/metrics', other);
  expect(refused).toMatchObject({ code: 503, text: expect.stringMatching(/because the API server cannot be asked/) });
  expect((await ask('/metrics', before)).code).toBe(200);
  expect((await ask('/livez')).code).toBe(200);
  await plane.startApiServer();
  await until('tokens are checked again', async () => (await ask('/metrics', other)).code === 403, { withinMs: 60_000, everyMs: 200 });
});
