import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { ROOT } from './manifests/manifests.ts';
import { run } from './support/spawn.ts';
import { tempDir } from './support/temp-dir.ts';

const dir = tempDir('audit');
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});
afterAll(() => dir.remove());

/** A registry that answers the question for advisories with this; everything else is not there. */
async function registry(code: number, body: object): Promise<string> {
  const server = createServer((request, response) => {
    const isAsked = request.url === '/-/npm/v1/security/advisories/bulk';
    request.resume().on('end', () => response.writeHead(isAsked ? code : 404, { 'content-type': 'application/json' }).end(JSON.stringify(isAsked ? body : {})));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

interface Signatures {
  readonly invalid: readonly object[];
  readonly missing: readonly object[];
}

/** With real npm and that registry. The keys of signatures come from elsewhere, so what npm says of those is said here; null: that it could not ask. */
function audit(url: string, signatures: Signatures | null = { invalid: [], missing: [] }): ReturnType<typeof run> {
  const said = JSON.stringify(signatures ?? { error: { code: 'ENOTFOUND', summary: 'no way to the keys' } });
  const exit = signatures !== null && signatures.invalid.length + signatures.missing.length === 0 ? 0 : 1;
  writeFileSync(dir.file('npm'), `#!/bin/sh\nif [ "$2" = signatures ]; then echo '${said}'; exit ${exit}; fi\nPATH="\${PATH#*:}" exec npm "$@"\n`);
  chmodSync(dir.file('npm'), 0o755);
  const env = { PATH: `${dir.path}:${process.env['PATH'] ?? ''}`, npm_config_registry: url, npm_config_cache: dir.file(`cache-${new URL(url).port}`) };
  return run(process.execPath, ['.ci/audit.mjs'], { cwd: ROOT, env });
}

const advisory = (severity: string): object => ({
  undici: [
    { id: 1, url: 'https://example.com/1', title: 'a made-up hole', severity, vulnerable_versions: '>=0', cwe: [], cvss: { score: 8, vectorString: null } },
  ],
});

test('a registry that knows of nothing is believed, and so are signatures that are right', async () => {
  const { code, stdout } = await audit(await registry(200, {}));
  expect([code, stdout]).toEqual([0, 'npm audit: nothing found\nnpm audit signatures: nothing found\n']);
});

test('a vulnerability of a package that is shipped fails, and is named; one of less weight does not', async () => {
  const found = await audit(await registry(200, advisory('high')));
  expect([found.code, found.stdout]).toEqual([1, expect.stringMatching(/^ {2}undici: high, a made-up hole$/m)]);
  expect((await audit(await registry(200, advisory('moderate')))).code).toBe(0);
});

test.each([
  ['has no such service', 405],
  ['is broken', 500],
])('a registry that %s is no failure, and said loudly', async (_, status) => {
  const { code, stdout } = await audit(await registry(status, {}));
  expect([code, stdout]).toEqual([0, expect.stringMatching(new RegExp(`^!!! npm audit: THE REGISTRY CANNOT BE ASKED.*${status}`, 'm'))]);
});

test('signatures that cannot be asked for are no failure, and said loudly', async () => {
  const { code, stdout } = await audit(await registry(200, {}), null);
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^!!! npm audit signatures: THE REGISTRY CANNOT BE ASKED.*no way to the keys$/m)]);
});

test('a signature that is wrong or missing fails, and is named', async () => {
  const wrong = { invalid: [{ name: 'pino', version: '1.0.0', code: 'EINTEGRITYSIGNATURE' }], missing: [{ name: 'yaml', version: '2.0.0' }] };
  const { code, stdout } = await audit(await registry(200, {}), wrong);
  const named = '  pino@1.0.0: the signature is wrong (EINTEGRITYSIGNATURE)\n  yaml@2.0.0: the signature is missing\n';
  expect([code, stdout]).toEqual([1, expect.stringContaining(named)]);
});

test('it is part of the proof', () => {
  expect(readFileSync(join(ROOT, '.ci/run'), 'utf8')).toMatch(/^step \S+ "audit" node_modules\/\.bin\/node \.ci\/audit\.mjs$/m);
});
