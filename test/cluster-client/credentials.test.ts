import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CredentialOptions, type Credentials, loadCredentials } from '../../src/cluster/credentials.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { UsageError } from '../../src/model/errors.ts';
import { TestAuthority } from '../support/certificates.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';

const authority = new TestAuthority();
const client = authority.issue({ commonName: 'jane' });
afterAll(() => authority.remove());

let dir: TempDir;
let clock: ManualClock;
beforeEach(() => {
  dir = tempDir('credentials');
  clock = new ManualClock({ wallMs: systemClock.wall() });
});
afterEach(() => dir.remove());

interface Config {
  readonly cluster?: object;
  readonly user?: object;
  readonly context?: object;
  readonly name?: string;
}

/** A kubeconfig with one context, as JSON, which is YAML too. */
function config({ cluster = {}, user = {}, context = {}, name = 'one' }: Config = {}): string {
  return JSON.stringify({
    'current-context': name,
    clusters: [{ name, cluster: { server: `https://${name}.example.com:6443`, ...cluster } }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name, ...context } }],
  });
}

function write(name: string, content: string): string {
  writeFileSync(dir.file(name), content);
  return dir.file(name);
}

function load(options: Partial<CredentialOptions> = {}): Promise<Credentials> {
  return loadCredentials({ env: {}, home: dir.path, clock, serviceAccountDir: dir.file('no-service-account'), ...options });
}

async function refusal(options: Partial<CredentialOptions>): Promise<string> {
  const error = await load(options).then(
    () => null,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(UsageError);
  return (error as UsageError).message;
}

describe('finding the kubeconfig', () => {
  test('--kubeconfig goes before KUBECONFIG, and that before ~/.kube/config', async () => {
    mkdirSync(dir.file('.kube'));
    write('.kube/config', config({ name: 'home' }));
    const listed = write('listed', config({ name: 'listed' }));
    const explicit = write('explicit', config({ name: 'explicit' }));
    expect((await load()).contextName).toBe('home');
    expect((await load({ env: { KUBECONFIG: listed } })).contextName).toBe('listed');
    expect((await load({ env: { KUBECONFIG: listed }, kubeconfig: explicit })).server.href).toBe('https://explicit.example.com:6443/');
  });

  test('several files in KUBECONFIG are one: the first that has a name wins, missing files are left out', async () => {
    const first = write('first', JSON.stringify({ 'current-context': 'b', clusters: [{ name: 'shared', cluster: { server: 'https://first:1' } }] }));
    const second = write(
      'second',
      JSON.stringify({
        'current-context': 'a',
        clusters: [{ name: 'shared', cluster: { server: 'https://second:1' } }],
        contexts: [{ name: 'b', context: { cluster: 'shared', namespace: 'team' } }],
      }),
    );
    const credentials = await load({ env: { KUBECONFIG: [first, dir.file('absent'), second].join(':') } });
    expect([credentials.contextName, credentials.server.host, credentials.namespace]).toEqual(['b', 'first:1', 'team']);
    expect(await credentials.headers()).toEqual({});
  });

  test('a named file that is missing is an error with the path and the way out', async () => {
    const path = dir.file('absent');
    expect(await refusal({ kubeconfig: path })).toBe(
      `The kubeconfig ${path} (--kubeconfig) does not exist: correct the path, or leave it out to use KUBECONFIG or ~/.kube/config`,
    );
  });

  test('no file anywhere names every place tried', async () => {
    const message = await refusal({});
    expect(message).toContain(dir.file('.kube/config'));
    expect(message).toContain(dir.file('no-service-account/token'));
    expect(message).toContain('pass --kubeconfig FILE or set KUBECONFIG');
  });

  test('a file that is not YAML, or not a kubeconfig, is named without quoting it', async () => {
    const broken = await refusal({ kubeconfig: write('broken', 'users: [\n  token: "secret-token\n') });
    expect(broken).toContain('is not valid YAML');
    expect(broken).not.toContain('secret-token');
    expect(await refusal({ kubeconfig: write('list', '[1]') })).toContain('is not a kubeconfig');
  });

  test('in a pod the service account is used, and its token is read again as it rotates, never older than a minute', async () => {
    const account = dir.file('account');
    mkdirSync(account);
    writeFileSync(join(account, 'token'), 'first\n');
    writeFileSync(join(account, 'namespace'), 'mirror');
    writeFileSync(join(account, 'ca.crt'), authority.cert);
    const credentials = await load({ serviceAccountDir: account, env: { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' } });
    expect([credentials.server.origin, credentials.namespace, credentials.contextName]).toEqual(['https://[fd00::1]', 'mirror', 'in-cluster']);
    expect(credentials.tls.ca).toEqual(authority.cert);
    expect(await credentials.headers()).toEqual({ authorization: 'Bearer first' });
    const before = await credentials.headers();
    writeFileSync(join(account, 'token'), 'second\n');
    expect(await credentials.headers()).toBe(before);
    clock.advance(60_000);
    expect(await credentials.headers()).toEqual({ authorization: 'Bearer second' });
    writeFileSync(join(account, 'token'), '');
    clock.advance(60_000);
    expect(await credentials.headers()).toEqual({ authorization: 'Bearer second' });
  });
});

describe('choosing the context', () => {
  test('one that is missing is an error that lists the others', async () => {
    const path = write('config', config({ name: 'prod' }));
    expect(await refusal({ kubeconfig: path, context: 'stage' })).toBe(
      `Context "stage" is not in the kubeconfig ${path}: it has prod; choose one of them with --context`,
    );
  });

  test('none selected, or one that points nowhere, is an error', async () => {
    expect(await refusal({ kubeconfig: write('empty', '') })).toContain('it has no contexts at all');
    expect(await refusal({ kubeconfig: write('nowhere', config({ context: { cluster: 'gone' } })) })).toContain(
      'names cluster "gone", which is not in the kubeconfig',
    );
    expect(await refusal({ kubeconfig: write('nobody', config({ context: { user: 'gone' } })) })).toContain(
      'names user "gone", which is not in the kubeconfig',
    );
    expect(await refusal({ kubeconfig: write('no-server', config({ cluster: { server: '' } })) })).toContain('cluster.server is missing');
    expect(await refusal({ kubeconfig: write('bad-server', config({ cluster: { server: 'ftp://x' } })) })).toContain('not an http or https URL');
  });

  test('a broken entry that the context does not use does no harm', async () => {
    const whole = JSON.parse(config()) as { clusters: object[]; users: object[] };
    whole.clusters.push({ name: 'broken' });
    whole.users.push({});
    expect((await load({ kubeconfig: write('config', JSON.stringify(whole)) })).contextName).toBe('one');
  });
});

describe('who we are', () => {
  test('a token, a token file (relative to the kubeconfig), basic auth', async () => {
    expect(await (await load({ kubeconfig: write('a', config({ user: { token: 'abc' } })) })).headers()).toEqual({ authorization: 'Bearer abc' });
    write('token', 'from-file\n');
    expect(await (await load({ kubeconfig: write('b', config({ user: { tokenFile: 'token' } })) })).headers()).toEqual({ authorization: 'Bearer from-file' });
    expect(await (await load({ kubeconfig: write('c', config({ user: { username: 'u', password: 'p' } })) })).headers()).toEqual({
      authorization: `Basic ${btoa('u:p')}`,
    });
  });

  test('impersonation is passed on with groups', async () => {
    const user = { token: 't', as: 'jane', 'as-groups': ['dev', 'ops'], 'as-uid': '7', 'as-user-extra': { scope: ['x'] } };
    const credentials = await load({ kubeconfig: write('a', config({ user })) });
    expect(await credentials.headers()).toEqual({
      authorization: 'Bearer t',
      'impersonate-user': 'jane',
      'impersonate-uid': '7',
      'impersonate-group': ['dev', 'ops'],
      'impersonate-extra-scope': ['x'],
    });
  });

  test('certificates from files (relative to the kubeconfig) and inline, server name, and a warning when TLS is not verified', async () => {
    write('client.crt', client.cert.toString());
    write('client.key', client.key.toString());
    const cluster = { 'certificate-authority-data': authority.cert.toString('base64'), 'tls-server-name': 'api.internal' };
    const credentials = await load({ kubeconfig: write('a', config({ cluster, user: { 'client-certificate': 'client.crt', 'client-key': 'client.key' } })) });
    expect(credentials.tls).toEqual({ ca: authority.cert, cert: client.cert, key: client.key, servername: 'api.internal' });
    expect(credentials.warnings).toEqual([]);
    const insecure = await load({ kubeconfig: write('b', config({ cluster: { 'insecure-skip-tls-verify': true } })) });
    expect(insecure.tls).toEqual({ rejectUnauthorized: false });
    expect(insecure.warnings[0]).toContain('insecure-skip-tls-verify');
  });

  test('an expired client certificate is named with its subject and its end', async () => {
    const path = write('a', config({ user: { 'client-certificate': client.certFile, 'client-key': client.keyFile } }));
    const message = await refusal({ kubeconfig: path, clock: new ManualClock({ wallMs: systemClock.wall() + 10 * 86_400_000 }) });
    expect(message).toContain('CN=jane, expired at');
    expect(message).toContain(client.certFile);
  });

  test('certificates that are missing, unreadable or of another key are errors before any connection', async () => {
    const other = authority.issue({ commonName: 'other' });
    expect(await refusal({ kubeconfig: write('a', config({ user: { 'client-certificate': 'absent.crt', 'client-key': client.keyFile } })) })).toContain(
      dir.file('absent.crt'),
    );
    expect(await refusal({ kubeconfig: write('b', config({ user: { 'client-certificate': client.certFile, 'client-key': other.keyFile } })) })).toContain(
      'belong together',
    );
    expect(await refusal({ kubeconfig: write('c', config({ user: { 'client-certificate': client.certFile } })) })).toContain('certificate without a key');
    expect(await refusal({ kubeconfig: write('d', config({ cluster: { 'certificate-authority-data': btoa('nonsense') } })) })).toContain(
      'not a certificate in PEM form',
    );
  });

  test('what client-node reads of the same file is what we read (twin)', async () => {
    write('client.crt', client.cert.toString());
    write('client.key', client.key.toString());
    write('ca.crt', authority.cert.toString());
    const path = write(
      'a',
      config({
        cluster: { 'certificate-authority': 'ca.crt', 'tls-server-name': 'x', 'proxy-url': 'http://p:1' },
        user: { 'client-certificate': 'client.crt', 'client-key': 'client.key', token: 't', as: 'jane' },
        context: { namespace: 'n' },
      }),
    );
    const twin = new KubeConfig();
    twin.loadFromFile(path);
    const { context, namespace, server } = await load({ kubeconfig: path });
    expect(context.cluster).toEqual(twin.getCurrentCluster());
    expect(context.user).toMatchObject(JSON.parse(JSON.stringify(twin.getCurrentUser())) as object);
    expect([namespace, server.href]).toEqual([twin.getContextObject('one')?.namespace, `${twin.getCurrentCluster()?.server}/`]);
  });
});

describe('exec plugins', () => {
  /** A plugin that answers what `body` prints and counts its runs in a file. */
  function plugin(name: string, body: string): string {
    const path = write(name, `#!/bin/sh\necho run >> "${dir.file('runs')}"\n${body}\n`);
    chmodSync(path, 0o755);
    return path;
  }
  const runs = (): number => readFileSync(dir.file('runs'), 'utf8').split('\n').length - 1;
  const answer = (status: string): string => `echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":${status}}'`;
  const exec = (command: string, more: object = {}): object => ({
    exec: { apiVersion: 'client.authentication.k8s.io/v1', command, interactiveMode: 'IfAvailable', ...more },
  });
  const headersOf = async (user: object): Promise<unknown> =>
    (await load({ kubeconfig: write('config', config({ user })), env: { PATH: process.env['PATH'] } })).headers();

  test('the token is asked for once, with the arguments and environment of the entry, and found relative to the kubeconfig', async () => {
    plugin('plugin', answer('{"token":"'.concat('\'"$PREFIX-$1"\'', '"}')));
    const credentials = await load({
      kubeconfig: write('config', config({ user: exec('./plugin', { args: ['arg'], env: [{ name: 'PREFIX', value: 'p' }] }) })),
      env: { PATH: process.env['PATH'] },
    });
    expect(await credentials.headers()).toEqual({ authorization: 'Bearer p-arg' });
    expect(await credentials.headers()).toBe(await credentials.headers());
    expect(runs()).toBe(1);
  });

  test('it is told about the cluster when it wants to be', async () => {
    const path = plugin('plugin', `printf '%s' "$KUBERNETES_EXEC_INFO" > "${dir.file('info')}"\n${answer('{"token":"t"}')}`);
    await headersOf(exec(path, { provideClusterInfo: true }));
    expect(JSON.parse(readFileSync(dir.file('info'), 'utf8'))).toEqual({
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      spec: { interactive: false, cluster: { server: 'https://one.example.com:6443', config: null } },
    });
  });

  test('a token is renewed before it expires, and again after a 401, but not in a circle', async () => {
    const end = new Date(clock.wall() + 600_000).toISOString();
    const path = plugin('plugin', answer(`{"token":"t'"$(wc -l < ${dir.file('runs')} | tr -d ' ')"'","expirationTimestamp":"${end}"}`));
    const credentials = await load({ kubeconfig: write('config', config({ user: exec(path) })), env: { PATH: process.env['PATH'] } });
    const first = await credentials.headers();
    expect(first).toEqual({ authorization: 'Bearer t1' });
    clock.advance(530_000);
    expect(await credentials.headers()).toBe(first);
    clock.advance(15_000);
    expect(await credentials.headers()).toEqual({ authorization: 'Bearer t2' });
    expect(await credentials.renew(first)).toBe(true);
    expect(runs()).toBe(2);
    clock.advance(20_000);
    const second = await credentials.headers();
    const renewals = await Promise.all([credentials.renew(second), credentials.renew(second), credentials.renew(second)]);
    expect(renewals).toEqual([true, true, true]);
    expect(await credentials.renew(await credentials.headers())).toBe(false);
  });

  test('a client certificate from the plugin becomes new TLS options', async () => {
    const certificate = { clientCertificateData: client.cert.toString(), clientKeyData: client.key.toString() };
    write('credential.json', JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status: certificate }));
    const path = plugin('plugin', `cat "${dir.file('credential.json')}"`);
    const credentials = await load({ kubeconfig: write('config', config({ user: exec(path) })), env: { PATH: process.env['PATH'] } });
    const before = credentials.tls;
    expect(await credentials.headers()).toEqual({});
    expect(credentials.tls).toEqual({ cert: client.cert.toString(), key: client.key.toString() });
    expect(credentials.tls).not.toBe(before);
  });

  test('a plugin that is not installed is named with its hint', async () => {
    await expect(headersOf(exec('kubefold-no-such-plugin', { installHint: 'brew install it' }))).rejects.toThrow(
      'The credential plugin "kubefold-no-such-plugin" was not found: install it or put it into PATH; its install hint: brew install it',
    );
  });

  test('a plugin that fails is quoted from standard error only; its output never shows', async () => {
    const path = plugin('plugin', `echo secret-output; echo 'session expired' >&2; exit 3`);
    const error = await headersOf(exec(path)).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(UsageError);
    expect(String(error)).toContain('failed with exit code 3: session expired; sign in again');
    expect(String(error)).not.toContain('secret-output');
  });

  test.each([
    ['not JSON', 'echo secret-output', 'it is not JSON'],
    ['another kind', `echo '{"kind":"Status"}'`, 'its kind must be ExecCredential, and is "Status"'],
    ['another version', `echo '{"kind":"ExecCredential","apiVersion":"v0"}'`, 'its apiVersion must be client.authentication.k8s.io/v1'],
    ['no secret', answer('{}'), 'neither a token nor a client certificate'],
    ['half a certificate', answer('{"clientCertificateData":"x"}'), 'must come together'],
    ['a time that is none', answer('{"token":"t","expirationTimestamp":"soon"}'), 'expirationTimestamp is not a time'],
  ])('an answer that is %s is refused with the reason', async (_, body, message) => {
    await expect(headersOf(exec(plugin('plugin', body)))).rejects.toThrow(message);
  });

  test('a plugin that must talk to a person, or has no command, is refused at once', async () => {
    expect(await refusal({ kubeconfig: write('a', config({ user: exec('x', { interactiveMode: 'Always' }) })) })).toContain('demands a terminal');
    expect(await refusal({ kubeconfig: write('b', config({ user: exec('') })) })).toContain('without a command');
  });
});

test('an old auth-provider is served by client-node itself', async () => {
  const token = `h.${Buffer.from(JSON.stringify({ exp: Math.floor(clock.wall() / 1000) + 3600 })).toString('base64url')}.s`;
  const header = Buffer.from('{}').toString('base64url');
  const jwt = `${header}${token.slice(1)}`;
  const credentials = await load({
    kubeconfig: write(
      'a',
      config({ user: { 'auth-provider': { name: 'oidc', config: { 'id-token': jwt, 'client-id': 'c', 'idp-issuer-url': 'https://idp' } } } }),
    ),
  });
  expect(await credentials.headers()).toEqual({ authorization: `Bearer ${jwt}` });
});
