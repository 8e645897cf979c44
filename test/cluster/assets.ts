import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../../src/model/errors.ts';
import { runOk } from '../support/spawn.ts';

/*
 * Where a real control plane comes from. Prebuilt ones are usually fetched from an object store, which not every machine may reach; Go's module
 * proxy is reachable wherever Go is. So: the folder in KUBEBUILDER_ASSETS when it is set (the convention of setup-envtest), else built once
 * with the ordinary Go client (1.26 or newer) from the versions pinned in control-plane/go.mod, into a cache folder named after that file.
 * Measured on 2 cores: about 5 minutes for the API server, 8 with everything; nothing the second time.
 */

const MODULE_DIR = fileURLToPath(new URL('control-plane', import.meta.url));

const PACKAGES = {
  etcd: 'go.etcd.io/etcd/server/v3',
  'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
  kubectl: 'k8s.io/kubernetes/cmd/kubectl',
  'kube-controller-manager': 'k8s.io/kubernetes/cmd/kube-controller-manager',
  'kube-scheduler': 'k8s.io/kubernetes/cmd/kube-scheduler',
  kwok: 'sigs.k8s.io/kwok/cmd/kwok',
} as const;

/** What simulated nodes do, as kwok reads it: assembled from the module's own files. */
const STAGES = 'kwok-stages.yaml';

export type AssetName = keyof typeof PACKAGES | typeof STAGES;

/** What an API server alone needs, and what KUBEBUILDER_ASSETS holds by convention. */
export const SERVER_ASSETS = ['etcd', 'kube-apiserver', 'kubectl'] as const satisfies readonly AssetName[];
/** What it takes for Deployments to roll out on simulated nodes. */
export const NODE_ASSETS = ['kube-controller-manager', 'kube-scheduler', 'kwok', STAGES] as const satisfies readonly AssetName[];

/** Full paths by name. */
export type Assets = ReadonlyMap<AssetName, string>;

/**
 * Finds or builds what is asked for. `say` hears of every build, which takes minutes. Throws when KUBEBUILDER_ASSETS is set but is not such a
 * folder: a test must not run against another API server than the one it was pointed at.
 */
export async function findAssets(names: readonly AssetName[], say: (line: string) => void = () => {}): Promise<Assets> {
  const given = process.env['KUBEBUILDER_ASSETS'];
  if (given !== undefined && given !== '' && !(await isExecutable(join(given, 'kube-apiserver')))) {
    throw new Error(
      `Cannot use KUBEBUILDER_ASSETS: it must name a folder that holds kube-apiserver, etcd and kubectl, current value is "${given}". Correct it, or unset it to build them`,
    );
  }
  const cache = await cacheDir();
  const found = new Map<AssetName, string>();
  for (const name of names) {
    const ready = given === undefined || given === '' ? null : join(given, name);
    if (ready !== null && (await isReadable(ready))) found.set(name, ready);
    else found.set(name, await inCache(cache, name, say));
  }
  return found;
}

/** One folder a version: `${XDG_CACHE_HOME:-~/.cache}/kubefold-testcluster/<hash of go.mod>`. */
async function cacheDir(): Promise<string> {
  const hash = createHash('sha256')
    .update(await readFile(join(MODULE_DIR, 'go.mod')))
    .digest('hex')
    .slice(0, 12);
  const root = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const dir = join(root, 'kubefold-testcluster', hash);
  await mkdir(dir, { recursive: true });
  return dir;
}

async function inCache(cache: string, name: AssetName, say: (line: string) => void): Promise<string> {
  const path = join(cache, name);
  if (await isReadable(path)) return path;
  say(`building ${name} with Go`);
  // Under a name of our own first: two test processes may build at once, and half a program must never be found.
  const draft = `${path}.${process.pid}.tmp`;
  if (name === STAGES) await writeFile(draft, await stages());
  else await go(['build', '-trimpath', '-ldflags', await versionFlags(), '-o', draft, PACKAGES[name]]);
  await rename(draft, path);
  return path;
}

/** A plain build says v0.0.0-master, which clients refuse to compare with; the release's own version goes in by the linker. */
async function versionFlags(): Promise<string> {
  const version = await go(['list', '-mod=mod', '-m', '-f', '{{.Version}}', 'k8s.io/kubernetes']);
  const minor = version.split('.')[1] ?? '';
  const settings = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((path) => [
    `-X ${path}.gitVersion=${version}`,
    `-X ${path}.gitMajor=1`,
    `-X ${path}.gitMinor=${minor}`,
  ]);
  return ['-s', '-w', ...settings].join(' ');
}

async function stages(): Promise<string> {
  const root = join(await go(['list', '-mod=mod', '-m', '-f', '{{.Dir}}', 'sigs.k8s.io/kwok']), 'kustomize/stage');
  const documents: string[] = [];
  for (const folder of ['node/fast', 'node/heartbeat-with-lease', 'pod/general']) {
    for (const file of (await readdir(join(root, folder))).toSorted()) {
      if (file.endsWith('.yaml') && file !== 'kustomization.yaml') documents.push(await readFile(join(root, folder, file), 'utf8'));
    }
  }
  if (documents.length === 0) throw new Error(`Cannot assemble ${STAGES}: no stage found below ${root}`);
  return documents.map((document) => `---\n${document}`).join('');
}

async function go(args: readonly string[]): Promise<string> {
  try {
    return (await runOk('go', args, { cwd: MODULE_DIR, withinMs: 20 * 60_000 })).trim();
  } catch (cause) {
    const wayOut = 'Install Go 1.26 or newer, or set KUBEBUILDER_ASSETS to a folder with kube-apiserver, etcd and kubectl';
    throw new Error(`Cannot build a control plane for the tests. ${wayOut}. ${messageOf(cause)}`, { cause });
  }
}

const isExecutable = (path: string): Promise<boolean> => isThere(path, constants.X_OK);
const isReadable = (path: string): Promise<boolean> => isThere(path, constants.R_OK);

async function isThere(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}

// `node test/cluster/assets.ts` builds everything ahead, so that a long build does not count against the first test.
if (import.meta.main) {
  const assets = await findAssets([...SERVER_ASSETS, ...NODE_ASSETS], (line) => process.stdout.write(`${line}\n`));
  for (const path of assets.values()) process.stdout.write(`${path}\n`);
}
