import { request } from 'node:https';
import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seedCluster } from '../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { kubefold } from '../commands/kubefold.ts';
import { TestMirror } from '../mirror/test-mirror.ts';
import { TestAuthority } from '../support/certificates.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const authority = new TestAuthority();
const { certFile, keyFile } = authority.issue({ commonName: 'kubefold', names: ['IP:127.0.0.1'] });
const files = tempDir('token-review');
const REVIEWS = ['tokenreviews.authentication.k8s.io', 'subjectaccessreviews.authorization.k8s.io'];

let hollow: Hollow;
beforeEach(async () => {
  hollow = await startHollow({ tokens: { 'token-kubefold': 'kubefold', 'token-prometheus': 'prometheus', 'token-admin': 'admin', 'token-nobody': 'nobody' } });
  hollow.readers.set('prometheus', ['get /metrics']);
  hollow.readers.set('nobody', []);
  seedCluster(hollow, { pods: 5, nodes: 1, namespaces: 1, bytes: 600 });
});
afterEach(() => hollow.close());
afterAll(() => {
  authority.remove();
  files.remove();
});

const config = (more: object = {}): object => ({ listen: '0.0.0.0:0', tls: { certFile, keyFile }, auth: { tokenReview: true, ...more } });

interface Answer {
  readonly code: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

function ask(mirror: TestMirror, path: string, token?: string, method = 'GET'): Promise<Answer> {
  const { port } = new URL(mirror.app.url ?? '');
  return new Promise((resolve, reject) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    request({ host: '127.0.0.1', port, path, method, ca: authority.cert, headers, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ code: response.statusCode ?? 0, text, headers: response.headers }));
    })
      .on('error', reject)
      .end();
  });
}

describe('with tokens of the cluster', () => {
  test('everybody may do what the roles say, and nothing else; probes need no token', async () => {
    await using mirror = await TestMirror.start(hollow, { config: config() });
    await mirror.ready();
    const paths = ['/metrics', '/', '/status.json', '/readyz?verbose', '/control/held', '/nothing'];
    const codesOf = async (token?: string): Promise<readonly number[]> => Promise.all(paths.map(async (path) => (await ask(mirror, path, token)).code));
    expect(await codesOf('token-admin')).toEqual([200, 200, 200, 200, 200, 404]);
    expect(await codesOf('token-prometheus')).toEqual([200, 403, 403, 403, 403, 403]);
    expect(await codesOf('token-nobody')).toEqual([403, 403, 403, 403, 403, 403]);
    expect(await codesOf('made-up')).toEqual([401, 401, 401, 401, 401, 401]);
    expect(await codesOf()).toEqual([401, 401, 401, 401, 401, 401]);
    expect((await ask(mirror, '/metrics', 'token-prometheus', 'HEAD')).code).toBe(200);
    expect(await ask(mirror, '/livez')).toMatchObject({ code: 200, text: 'ok\n' });
    expect(await ask(mirror, '/readyz')).toMatchObject({ code: 200, text: 'ok\n' });
    expect((await ask(mirror, '/metrics')).headers).toMatchObject({ 'www-authenticate': 'Bearer' });
    expect((await ask(mirror, '/', 'token-prometheus')).text).toBe(
      'prometheus may not get /: it takes a ClusterRole with nonResourceURLs: ["/"] and verbs: ["get"]\n',
    );
    expect(mirror.log).not.toMatch(/token-(admin|prometheus|nobody)|made-up/);
  });

  test('the right to everybody’s /readyz does not show its details', async () => {
    hollow.readers.set('nobody', ['get /readyz']);
    await using mirror = await TestMirror.start(hollow, { config: config() });
    expect((await ask(mirror, '/readyz?verbose', 'token-nobody')).code).toBe(403);
  });

  test('looking at held deletions and confirming them are two rights, and kubefold confirm shows the token of a file', async () => {
    hollow.readers.set('nobody', ['get /control/held']);
    await using mirror = await TestMirror.start(hollow, { config: config() });
    await mirror.ready();
    expect([(await ask(mirror, '/control/held', 'token-nobody')).code, (await ask(mirror, '/control/held/confirm', 'token-nobody', 'POST')).code]).toEqual([
      200, 403,
    ]);
    writeFileSync(files.file('kubefold.json'), JSON.stringify({ ...config(), listen: `127.0.0.1:${new URL(mirror.app.url ?? '').port}` }));
    const confirm = (...more: readonly string[]): ReturnType<typeof kubefold> =>
      kubefold(['confirm', '--config', files.file('kubefold.json'), ...more], { cwd: files.path });
    expect(await confirm()).toMatchObject({ code: 2, stderr: expect.stringMatching(/auth\.tokenReview.*--token-file FILE/) });
    writeFileSync(files.file('token'), 'token-nobody\n');
    expect(await confirm('--token-file', files.file('token'))).toMatchObject({ code: 0, stderr: expect.stringContaining('No deletion is held') });
    writeFileSync(files.file('token'), 'token-prometheus\n');
    expect(await confirm('--token-file', files.file('token'))).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/403 \(prometheus may not get \/control\/held: [^)]*\)$/m),
    });
  });

  test('a token that is revoked stops within the time that a yes is believed', async () => {
    await using mirror = await TestMirror.start(hollow, { config: config() });
    expect((await ask(mirror, '/metrics', 'token-prometheus')).code).toBe(200);
    hollow.tokens?.delete('token-prometheus');
    await until('it is refused', async () => (await ask(mirror, '/metrics', 'token-prometheus')).code === 401, { everyMs: 50 });
  });

  test('an API server that answers no reviews lets nobody in and says so; the token of a file still opens everything', async () => {
    writeFileSync(files.file('static'), 'geheim\n');
    await using mirror = await TestMirror.start(hollow, { config: config({ tokenFile: files.file('static') }) });
    await mirror.ready();
    hollow.faults.add({ effect: { type: 'reject', status: 500 }, kinds: REVIEWS });
    const refused = await ask(mirror, '/metrics', 'token-admin');
    expect(refused).toMatchObject({ code: 503, headers: { 'retry-after': '2' } });
    expect(refused.text).toMatch(/^whether this bearer token may do this cannot be checked now/);
    expect((await ask(mirror, '/metrics', 'geheim')).code).toBe(200);
    expect(mirror.log).toMatch(/bearer tokens cannot be checked, so nobody new is let in/);
    hollow.faults.clear();
    expect((await ask(mirror, '/metrics', 'token-admin')).code).toBe(200);
    expect(mirror.log).toMatch(/bearer tokens can be checked again/);
    expect(mirror.log).not.toMatch(/token-admin|geheim/);
  });

  test('without the key in the configuration tokens of the cluster open nothing', async () => {
    writeFileSync(files.file('static'), 'geheim\n');
    await using mirror = await TestMirror.start(hollow, { config: config({ tokenReview: false, tokenFile: files.file('static') }) });
    expect((await ask(mirror, '/metrics', 'token-admin')).code).toBe(401);
    expect((await ask(mirror, '/metrics', 'geheim')).code).toBe(200);
  });
});
