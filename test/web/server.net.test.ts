import { request } from 'node:https';
import { rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seedCluster } from '../../src/hollow/load.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import { TestMirror } from '../mirror/test-mirror.ts';
import { TestAuthority } from '../support/certificates.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

/** What design.md section 7 promises and this release has, by metric: the labels of one sample. */
const PROMISED: Readonly<Record<string, readonly string[]>> = {
  kubefold_changes_total: ['resource', 'type'],
  kubefold_lists_total: ['resource', 'reason'],
  kubefold_storage_writes_total: ['resource', 'op', 'outcome'],
  kubefold_change_to_stored_seconds: ['resource'],
  kubefold_objects: ['resource'],
  kubefold_parked: ['resource'],
  kubefold_held_deletions: ['resource'],
  kubefold_oldest_pending_seconds: ['resource'],
  kubefold_heard_timestamp_seconds: ['resource'],
  kubefold_pending_bytes: [],
  workqueue_adds_total: ['name'],
  workqueue_depth: ['name'],
  workqueue_retries_total: ['name'],
  workqueue_queue_duration_seconds: ['name'],
  workqueue_work_duration_seconds: ['name'],
  workqueue_unfinished_work_seconds: ['name'],
  workqueue_longest_running_processor_seconds: ['name'],
};

let hollow: Hollow;
beforeEach(async () => {
  hollow = await startHollow();
  seedCluster(hollow, { pods: 50, nodes: 2, namespaces: 2, bytes: 1_500 });
});
afterEach(() => hollow.close());

describe('on loopback, without credentials', () => {
  test('/livez at once; /readyz 503 with what is missing until the copy is complete, then 200', async () => {
    hollow.faults.add({ effect: { type: 'reject', status: 503 }, verbs: ['list'], kinds: ['pods'] });
    await using mirror = await TestMirror.start(hollow);
    expect(await mirror.get('/livez')).toEqual({ code: 200, text: 'ok\n' });
    const before = await until('all others are complete', async () => {
      const { code, text } = await mirror.get('/readyz');
      return text.includes('pods: ') && text.split('\n').length === 3 ? { code, text } : null;
    });
    expect(before.code).toBe(503);
    expect(before.text).toMatch(/^\[ \] pods: 0 objects, (listing|waiting).*\nnot ready: syncing\n$/);
    hollow.faults.clear();
    await mirror.ready();
    const after = await mirror.get('/readyz');
    expect(after).toEqual({ code: 200, text: expect.stringMatching(/^ready: the copy is (current|up to .* old)\n$/) });
  });

  test('/readyz?verbose has a line for every kind, sorted, and for every kind that is left out', async () => {
    await using mirror = await TestMirror.start(hollow);
    await mirror.ready();
    await until('all watch', () => mirror.app.status().kinds.every((kind) => kind.state === 'watching'), { everyMs: 10 });
    const { code, text } = await mirror.get('/readyz?verbose');
    expect(code).toBe(200);
    expect(text).toMatch(/^\[\+\] pods: 50 objects, watching, complete to \d+, heard \d+\.\d s ago$/m);
    expect(text).toMatch(/^\[-\] secrets: not mirrored, Secrets are off by default; a rule that names secrets turns them on$/m);
    const kinds = text.split('\n').flatMap((line) => /^\[\+\] ([^:]+):/.exec(line)?.[1] ?? []);
    expect(kinds).toEqual(
      mirror.app
        .status()
        .kinds.map(({ id }) => id)
        .sort(),
    );
  });

  test('/metrics is Prometheus text with every promised name and label, and its numbers are right', async () => {
    await using mirror = await TestMirror.start(hollow);
    await mirror.ready();
    hollow.patch('pods', hollow.keys('pods')[0] ?? '', { metadata: { labels: { a: 'b' } } });
    await mirror.copy.equals(hollow);
    const response = await fetch(`${mirror.app.url}/metrics`);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const text = await response.text();
    for (const [name, labels] of Object.entries(PROMISED)) {
      expect(text, name).toMatch(new RegExp(`^# HELP ${name} \\S`, 'm'));
      expect(text, name).toMatch(new RegExp(`^# TYPE ${name} (counter|gauge|histogram)$`, 'm'));
      const sample = text.split('\n').find((line) => new RegExp(`^${name}(_bucket)?[{ ]`).test(line)) ?? '';
      expect(sample, `a sample of ${name}`).not.toBe('');
      for (const label of labels) expect(sample, name).toContain(`${label}="`);
    }
    expect(await mirror.metric('kubefold_objects{resource="pods"}')).toBe(50);
    expect(await mirror.metric('kubefold_lists_total{resource="pods",reason="first"}')).toBe(1);
    expect(await mirror.metric('kubefold_changes_total{resource="pods",type="added"}')).toBe(50);
    expect(await mirror.metric('kubefold_changes_total{resource="pods",type="modified"}')).toBe(1);
    expect(await mirror.metric('kubefold_storage_writes_total{resource="pods",op="put",outcome="written"}')).toBe(51);
    expect(await mirror.metric('kubefold_change_to_stored_seconds_count{resource="pods"}')).toBe(51);
    expect(await mirror.metric('kubefold_objects{resource="deployments.apps"}')).toBe(2);
    // Every line is a comment or a sample.
    for (const line of text.split('\n')) expect(line).toMatch(/^(#.*|[a-z_]+(\{[^}]*\})? \S+|)$/);
  });

  test('/ is one page without a reference to anywhere else; wrong paths and methods are refused', async () => {
    await using mirror = await TestMirror.start(hollow);
    const response = await fetch(`${mirror.app.url}/`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/html/);
    expect(response.headers.get('content-security-policy')).toMatch(/default-src 'none'/);
    const html = await response.text();
    expect(html).toMatch(/^<!doctype html>/i);
    expect(html.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|\/\/[a-z]|@import|<link|<iframe|src=/i);
    expect((await mirror.get('/nothing')).code).toBe(404);
    expect((await fetch(`${mirror.app.url}/livez`, { method: 'POST', body: 'x' })).status).toBe(405);
    expect((await fetch(`${mirror.app.url}/livez`, { method: 'HEAD' })).status).toBe(200);
  });

  test.each([
    ['a path that is no URL', 'GET //:x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 4\d\d /],
    ['an empty double slash', 'GET // HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 4\d\d /],
    ['no HTTP at all', 'hello\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['headers without end', `GET / HTTP/1.1\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
  ])('%s is answered, and does not end the program', async (_, bytes, answer) => {
    await using mirror = await TestMirror.start(hollow);
    const { port } = new URL(mirror.app.url ?? '');
    const received = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect(Number(port), '127.0.0.1', () => socket.write(bytes));
      socket.setTimeout(5_000, () => socket.destroy(new Error('no answer')));
      socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
      socket.on('error', (cause: NodeJS.ErrnoException) => (cause.code === 'ECONNRESET' ? resolve(text) : reject(cause)));
      socket.on('close', () => resolve(text));
    });
    expect(received).toMatch(answer);
    expect((await mirror.get('/livez')).code).toBe(200);
  });
});

describe('beyond loopback', () => {
  const authority = new TestAuthority();
  const pair = authority.issue({ commonName: 'kubefold', names: ['IP:127.0.0.1'] });
  const files = tempDir('web');
  const tokenFile = files.file('token');
  afterAll(() => {
    authority.remove();
    files.remove();
  });

  const secured = { listen: '0.0.0.0:0', tls: { certFile: pair.certFile, keyFile: pair.keyFile }, auth: { tokenFile } };

  function ask(mirror: TestMirror, path: string, token?: string): Promise<{ readonly code: number; readonly text: string }> {
    const { port } = new URL(mirror.app.url ?? '');
    return new Promise((resolve, reject) => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      request({ host: '127.0.0.1', port, path, ca: authority.cert, headers, agent: false }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => resolve({ code: response.statusCode ?? 0, text }));
      })
        .on('error', reject)
        .end();
    });
  }

  test.each([
    ['neither TLS nor token', {}, /loopback address unless tls is set[\s\S]*unless auth\.tokenReview or auth\.tokenFile is set/],
    ['TLS without a token', { tls: secured.tls }, /loopback address unless auth\.tokenReview or auth\.tokenFile is set/],
    ['a token without TLS', { auth: secured.auth }, /loopback address unless tls is set/],
    ['tokens of the cluster without TLS', { auth: { tokenReview: true } }, /loopback address unless tls is set/],
  ])('it refuses to start with %s', async (_, rest, message) => {
    writeFileSync(tokenFile, 'geheim\n');
    await expect(TestMirror.start(hollow, { config: { listen: '0.0.0.0:0', ...rest } })).rejects.toThrow(message);
  });

  test.each([
    ['a token file that is not there', { ...secured, auth: { tokenFile: '/no/such/file' } }, /auth\.tokenFile \/no\/such\/file cannot be read or is empty/],
    [
      'a certificate that is not there',
      { ...secured, tls: { ...secured.tls, certFile: '/no/such/file' } },
      /tls\.certFile \/no\/such\/file .*no such file.*PEM/,
    ],
    ['a key that is none', { ...secured, tls: { ...secured.tls, keyFile: authority.certFile } }, /tls\.keyFile .* cannot be used: .*PEM/],
  ])('it refuses to start with %s, and says which', async (_, config, message) => {
    writeFileSync(tokenFile, 'geheim\n');
    await expect(TestMirror.start(hollow, { config })).rejects.toThrow(message);
  });

  test('with both: everything but probes needs the token, and a rotated token works at once', async () => {
    writeFileSync(tokenFile, 'geheim-1\n');
    await using mirror = await TestMirror.start(hollow, { config: secured });
    await mirror.ready();
    for (const path of ['/metrics', '/', '/status.json', '/readyz?verbose', '/nothing']) {
      expect((await ask(mirror, path)).code, path).toBe(401);
      expect((await ask(mirror, path, 'wrong')).code, path).toBe(401);
      expect((await ask(mirror, path, '')).code, path).toBe(401);
      expect((await ask(mirror, path, 'geheim-1')).code, path).toBe(path === '/nothing' ? 404 : 200);
    }
    // Probes of a kubelet carry no token; they learn nothing else.
    expect(await ask(mirror, '/livez')).toEqual({ code: 200, text: 'ok\n' });
    expect(await ask(mirror, '/readyz')).toEqual({ code: 200, text: 'ok\n' });
    writeFileSync(tokenFile, 'geheim-2\n');
    expect((await ask(mirror, '/metrics', 'geheim-1')).code).toBe(401);
    expect((await ask(mirror, '/metrics', 'geheim-2')).code).toBe(200);
    expect(mirror.log).not.toContain('geheim');
  });

  test('a token file that is empty or gone lets nobody in, and does not end the program', async () => {
    writeFileSync(tokenFile, 'geheim\n');
    await using mirror = await TestMirror.start(hollow, { config: secured });
    writeFileSync(tokenFile, '');
    expect((await ask(mirror, '/metrics', '')).code).toBe(401);
    rmSync(tokenFile);
    expect((await ask(mirror, '/metrics', 'geheim')).code).toBe(401);
    expect((await ask(mirror, '/metrics', '')).code).toBe(401);
    expect((await ask(mirror, '/livez')).code).toBe(200);
  });
});
