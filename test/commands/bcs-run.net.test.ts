import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { WriteEntry } from '../../src/bcsstorage/journal.ts';
import { type BcsStorageOptions, startBcsStorage } from '../../src/bcsstorage/server.ts';
import { seedCluster } from '../../src/hollow/load.ts';
import { podPlace, podStatus } from '../../src/hollow/load-pods.ts';
import { type Hollow, startHollow } from '../../src/hollow/server.ts';
import type { Child } from '../support/spawn.ts';
import { TestAuthority } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { kubefold, startKubefold } from './kubefold.ts';

/* The real program where bcs-k8s-watch ran: its configuration files, its storage service, and what goes wrong with them. */

const SHAPE = { nodes: 2, namespaces: 2, bytes: 800 };
const PODS = 60;

let hollow: Hollow;
let dir: TempDir;
const cleanups: (() => unknown)[] = [];
beforeEach(async () => {
  dir = tempDir('bcs-run');
  hollow = await startHollow();
  seedCluster(hollow, { ...SHAPE, pods: PODS, apps: false });
  writeFileSync(dir.file('kubeconfig'), hollow.kubeconfig());
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await hollow.close();
  dir.remove();
});

const FILTER = { k8sResourceWhiteList: ['v1'], apiResourceSpecification: [{ groupVersion: 'v1', resourceKinds: ['Pod', 'Node', 'Namespace'] }] };

/** The two files of the old program. */
function oldFiles(main: { readonly clusterID?: string; readonly endpoints?: string; readonly filter?: string | null }): void {
  const { clusterID = 'BCS-K8S-1', endpoints = 'http://127.0.0.1:1', filter = 'filter.json' } = main;
  const text = {
    default: { clusterID },
    bcs: { 'custom-storage-endpoints': endpoints },
    k8s: { kubeconfig: dir.file('kubeconfig') },
    ...(filter === null ? {} : { filterConfigPath: filter }),
  };
  writeFileSync(dir.file('main.json'), JSON.stringify(text));
  writeFileSync(dir.file('filter.json'), JSON.stringify(FILTER));
}

const run = (...more: readonly string[]): readonly string[] => ['run', '--config', 'main.json', '--log-format', 'json', ...more];
const refused = async (...more: readonly string[]): Promise<{ code: number | null; stderr: string }> =>
  await kubefold(run('--listen', 'off', ...more), { cwd: dir.path });

async function service(
  options: BcsStorageOptions = {},
): Promise<{ readonly url: string; readonly journal: readonly WriteEntry[]; setLatency(ms: number): void }> {
  const journal: WriteEntry[] = [];
  const started = await startBcsStorage({ checksRevisions: false, onWrite: (entry) => void journal.push(entry), ...options });
  cleanups.push(() => started.close());
  return { url: started.url, journal, setLatency: (ms) => started.faults.setLatency(ms) };
}

const podsOf = (journal: readonly WriteEntry[]): readonly WriteEntry[] => journal.filter(({ key }) => key.includes('/Pod/'));

describe('the end', () => {
  test('4.1 #15: SIGTERM in the middle of a burst ends with 0 when everything that had arrived is stored', async () => {
    const { url, journal, setLatency } = await service();
    oldFiles({ endpoints: url });
    await using child = startKubefold(run('--listen', 'off'), { cwd: dir.path });
    await child.printed(/first sync complete/, { on: 'stderr' });
    setLatency(300);
    const last = new Map<string, string>();
    for (let number = 0; number < PODS; number++) {
      const { namespace, name } = podPlace(number, SHAPE);
      hollow.setStatus('pods', `${namespace}/${name}`, podStatus(number, { phase: 'Running', ready: false, restarts: 7, wallMs: 1_800_000_000_000 }, SHAPE));
      last.set(name, hollow.get('pods', `${namespace}/${name}`)?.metadata?.resourceVersion ?? '');
    }
    await until('the first of them is written', () => podsOf(journal).some(({ outcome }) => outcome === 'updated'), { everyMs: 5 });
    const exit = await child.stop(20_000);
    expect([exit.code, exit.signal]).toEqual([0, null]);
    const written = new Map(podsOf(journal).map(({ key, resourceVersion }) => [key.split('/').at(-1), resourceVersion]));
    for (const [name, revision] of last) expect(written.get(name), name).toBe(revision);
  }, 60_000);
});

describe('files that are wrong end the start with 2 and a way out, not with a crash', () => {
  test('4.1 #17: the filter file is missing, is not named, or is no JSON', async () => {
    oldFiles({ filter: 'gone.json' });
    const missing = await refused();
    expect(missing.code).toBe(2);
    expect(missing.stderr).toMatch(/gone\.json \(filterConfigPath of main\.json\): there is no such file\. Name a readable filter\.json/);
    oldFiles({ filter: null });
    const unnamed = await refused();
    expect(unnamed.code).toBe(2);
    expect(unnamed.stderr).toMatch(/names no filter file \(filterConfigPath\)/);
    oldFiles({});
    writeFileSync(dir.file('filter.json'), '{"k8sResourceWhiteList": [');
    const broken = await refused();
    expect(broken.code).toBe(2);
    expect(broken.stderr).toMatch(/filter\.json:1:27: not valid JSON/);
    for (const { stderr } of [missing, unnamed, broken]) expect(stderr).not.toMatch(/^\s+at /m);
  });

  test.each([
    ['an empty cluster ID', { clusterID: '' }, /default\.clusterID/],
    ['no storage endpoint', { endpoints: '' }, /bcs\.custom-storage-endpoints must name the storage service/],
    ['a storage endpoint without its scheme', { endpoints: 'storage.example:50024' }, /bcs\.custom-storage-endpoints.*(http|scheme)/],
  ])('4.1 #36: %s', async (_, main, message) => {
    oldFiles(main);
    const { code, stderr } = await refused();
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  test('4.1 #36: a port in use ends with an error that says so, not with 0', async () => {
    const { url } = await service();
    oldFiles({ endpoints: url });
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => void taken.close());
    const { port } = taken.address() as AddressInfo;
    const { code, stderr } = await kubefold(run('--listen', `127.0.0.1:${port}`), { cwd: dir.path });
    expect(code).not.toBe(0);
    expect(stderr).toMatch(new RegExp(`${port}.*(in use|EADDRINUSE)`));
  });

  test.each([
    ['bcs+storage.example:50024', /found "bcs\+storage\.example:50024"\. For a bcs-storage write bcs\+http:\/\/storage\.example:50024\./],
    ['storage.example:50024', /found "storage\.example:50024"\. For a bcs-storage write bcs\+http:\/\/storage\.example:50024\./],
    ['bcs+http://', /must name endpoints as HOST:PORT, not "".*For example bcs\+http:\/\/storage-1:50024/],
  ])('a storage URL of ours without scheme or host (%s) is told how to write it', async (storage, message) => {
    const { code, stderr } = await kubefold(['run', '--kubeconfig', dir.file('kubeconfig'), '--listen', 'off', '--storage', storage]);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});

describe('a service that cannot be used is waited for: said in the log and on readiness, and used as soon as it can be', () => {
  interface Waiting {
    readonly child: Child;
    readiness(): Promise<{ readonly code: number; readonly text: string }>;
  }

  async function waiting(url: string, more: readonly string[] = []): Promise<Waiting> {
    const at = `127.0.0.1:${await freePort()}`;
    const flags = ['--kubeconfig', dir.file('kubeconfig'), '--cluster-name', 'prod', '--storage', `bcs+${url}`, '--kinds', 'pods,namespaces'];
    const child = startKubefold(['run', ...flags, '--log-format', 'json', '--listen', at, ...more]);
    cleanups.push(() => child.stop());
    await child.printed(/waiting for the storage service/, { on: 'stderr' });
    const readiness: Waiting['readiness'] = async () => {
      const answer = await fetch(`http://${at}/readyz`);
      return { code: answer.status, text: await answer.text() };
    };
    await until('it is served whether the copy is ready', async () => (await readiness()).code > 0, { everyMs: 20 });
    return { child, readiness };
  }

  test('unreachable at the start', async () => {
    const port = await freePort();
    const { child, readiness } = await waiting(`http://127.0.0.1:${port}`);
    expect(child.stderr()).toMatch(/nothing listens there: start the service, or correct storage\.url \(ECONNREFUSED\)/);
    await until('readiness says why', async () => [await readiness()].some(({ code, text }) => code === 503 && text.includes('nothing listens there')), {
      everyMs: 50,
    });
    const { journal } = await service({ port });
    await child.printed(/first sync complete/, { on: 'stderr', withinMs: 30_000 });
    expect(podsOf(journal)).toHaveLength(PODS);
    expect((await readiness()).code).toBe(200);
    expect((await child.stop()).code).toBe(0);
  }, 60_000);

  test('its certificate has expired', async () => {
    const ca = new TestAuthority();
    cleanups.push(() => ca.remove());
    const { url } = await service({ tls: ca.issue({ commonName: 'old', names: ['IP:127.0.0.1'], days: -1 }) });
    writeFileSync(dir.file('kubefold.yaml'), JSON.stringify({ storage: { url: `bcs+${url}`, tls: { caFile: ca.certFile } } }));
    const { child, readiness } = await waiting(url, ['--config', dir.file('kubefold.yaml')]);
    expect(child.stderr()).toMatch(/its certificate has expired: it has to be renewed there \(CERT_HAS_EXPIRED\)/);
    await until('readiness says why', async () => [await readiness()].some(({ code, text }) => code === 503 && text.includes('its certificate has expired')), {
      everyMs: 50,
    });
    expect((await child.stop()).code).toBe(0);
  });

  test('it answers, but not with JSON: something else is served there', async () => {
    const page = createServer((_request, response) => void response.end('<html>hello</html>'));
    await new Promise<void>((resolve) => page.listen(0, '127.0.0.1', resolve));
    cleanups.push(
      () => page.closeAllConnections(),
      () => void page.close(),
    );
    const { child, readiness } = await waiting(`http://127.0.0.1:${(page.address() as AddressInfo).port}`);
    expect(child.stderr()).toMatch(/18 bytes that are not JSON: is this the address of a bcs-storage, or of a proxy before it\?/);
    await until('readiness says why', async () => [await readiness()].some(({ code, text }) => code === 503 && text.includes('not JSON')), { everyMs: 50 });
    expect((await child.stop()).code).toBe(0);
  });

  test('a client certificate that has expired ends the start with 2: waiting would not help', async () => {
    const ca = new TestAuthority();
    cleanups.push(() => ca.remove());
    const { certFile, keyFile } = ca.issue({ commonName: 'kubefold', days: -1 });
    writeFileSync(dir.file('kubefold.yaml'), JSON.stringify({ storage: { url: 'bcs+https://127.0.0.1:1', tls: { caFile: ca.certFile, certFile, keyFile } } }));
    const { code, stderr } = await kubefold(['run', '--kubeconfig', dir.file('kubeconfig'), '--listen', 'off', '--config', dir.file('kubefold.yaml')]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/storage\.tls\.certFile ".*" expired at .*: renew it/);
  });
});
