import { readFile } from 'node:fs/promises';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import type { Cluster, User } from '@kubernetes/client-node/dist/config_types.js';
import { messageOf, UsageError } from '../model/errors.ts';
import type { Environment } from './proxy-choice.ts';

/** One context of the kubeconfig, with what it points to; paths are absolute. */
export interface KubeContext {
  readonly contextName: string;
  /** `''` when the context names none. */
  readonly namespace: string;
  readonly cluster: Cluster;
  readonly user: KubeUser;
}

/** client-node's user, with the fields of the format that it does not read. */
export interface KubeUser extends User {
  readonly tokenFile?: string | undefined;
  readonly impersonate?:
    | { readonly uid?: string; readonly groups?: readonly string[]; readonly extra?: Readonly<Record<string, readonly string[]>> }
    | undefined;
  /** The folder of the file it came from: relative exec commands are resolved against it. */
  readonly directory: string;
}

interface Named {
  readonly name?: unknown;
}

interface KubeFile {
  readonly path: string;
  readonly clusters: readonly Named[];
  readonly users: readonly Named[];
  readonly contexts: readonly Named[];
  readonly currentContext: string;
}

/** Where a kubeconfig is looked for, in order; `isExplicit` ones must exist. */
export function kubeconfigPaths(options: { readonly kubeconfig?: string | undefined; readonly env: Environment; readonly home: string }): {
  readonly paths: readonly string[];
  readonly isExplicit: boolean;
  readonly from: string;
} {
  if (options.kubeconfig) return { paths: [options.kubeconfig], isExplicit: true, from: '--kubeconfig' };
  const listed = (options.env['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== '');
  if (listed.length > 0) return { paths: [...new Set(listed)], isExplicit: false, from: 'KUBECONFIG' };
  return { paths: [join(options.home, '.kube', 'config')], isExplicit: false, from: 'the home folder' };
}

/** Reads what exists; null when nothing does. A file that exists and cannot be used is an error, never skipped. */
export async function readKubeFiles(paths: readonly string[]): Promise<KubeFile[] | null> {
  const files: KubeFile[] = [];
  for (const path of paths) {
    const text = await readIfPresent(path);
    if (text !== null) files.push(await parse(path, text));
  }
  return files.length === 0 ? null : files;
}

/** Picks the context. As in kubectl the first file that has a name wins, also for `current-context`. */
export async function selectContext(files: readonly KubeFile[], wanted: string | undefined): Promise<KubeContext> {
  const where = files.map((file) => file.path).join(', ');
  const contextName = wanted ?? files.find((file) => file.currentContext !== '')?.currentContext;
  const known = [...new Set(files.flatMap((file) => file.contexts.map((context) => String(context.name))))];
  const choices = known.length === 0 ? 'it has no contexts at all' : `it has ${known.join(', ')}`;
  if (contextName === undefined) throw new UsageError(`No context is selected in the kubeconfig ${where}: set current-context or pass --context (${choices})`);
  const { newClusters, newContexts, newUsers } = await import('@kubernetes/client-node/dist/config_types.js');

  const contextEntry = find(files, 'contexts', contextName);
  if (contextEntry === null) throw new UsageError(`Context "${contextName}" is not in the kubeconfig ${where}: ${choices}; choose one of them with --context`);
  const context = only(() => newContexts([contextEntry.entry]), `context "${contextName}" of ${contextEntry.path}`);

  const clusterEntry = find(files, 'clusters', context.cluster);
  if (clusterEntry === null) {
    throw new UsageError(
      `Context "${contextName}" of ${contextEntry.path} names cluster "${context.cluster}", which is not in the kubeconfig ${where}: add it or choose another --context`,
    );
  }
  const cluster = only(() => newClusters([clusterEntry.entry]), `cluster "${context.cluster}" of ${clusterEntry.path}`);
  if (cluster.caFile) cluster.caFile = absolute(clusterEntry.path, cluster.caFile);

  const userName = context.user ?? '';
  const userEntry = userName === '' ? null : find(files, 'users', userName);
  if (userName !== '' && userEntry === null) {
    throw new UsageError(
      `Context "${contextName}" of ${contextEntry.path} names user "${userName}", which is not in the kubeconfig ${where}: add it or choose another --context`,
    );
  }
  const user =
    userEntry === null
      ? { name: '', directory: dirname(contextEntry.path) }
      : toUser(userEntry, (entry) => only(() => newUsers([entry]), `user "${userName}" of ${userEntry.path}`));
  return { contextName, namespace: context.namespace ?? '', cluster, user };
}

function toUser(found: { readonly path: string; readonly entry: Named }, read: (entry: unknown) => User): KubeUser {
  const raw = asRecord(asRecord(found.entry)['user']);
  // client-node would read a token file once, here and now; we read it again as it rotates.
  const { 'token-file': dashed, ...rest } = raw;
  const user = read({ name: found.entry.name, user: rest });
  if (user.certFile) user.certFile = absolute(found.path, user.certFile);
  if (user.keyFile) user.keyFile = absolute(found.path, user.keyFile);
  const tokenFile = raw['tokenFile'] ?? dashed;
  return {
    ...user,
    directory: dirname(found.path),
    tokenFile: typeof tokenFile === 'string' && tokenFile !== '' ? absolute(found.path, tokenFile) : undefined,
    impersonate: {
      ...(typeof raw['as-uid'] === 'string' ? { uid: raw['as-uid'] } : {}),
      groups: strings(raw['as-groups']),
      extra: Object.fromEntries(Object.entries(asRecord(raw['as-user-extra'])).map(([key, values]) => [key, strings(values)])),
    },
  };
}

async function readIfPresent(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null;
    throw new UsageError(`Cannot read the kubeconfig ${path}: ${messageOf(cause)}; check its permissions or pass another with --kubeconfig`);
  }
}

async function parse(path: string, text: string): Promise<KubeFile> {
  const { parse: parseYaml } = await import('yaml');
  let document: unknown;
  try {
    document = parseYaml(text, { prettyErrors: false });
  } catch (cause) {
    // Only the position: a YAML error may quote the line, and the line may be a token.
    const at = cause instanceof Error && 'pos' in cause && Array.isArray(cause.pos) ? ` near character ${String(cause.pos[0])}` : '';
    throw new UsageError(`The kubeconfig ${path} is not valid YAML${at}: correct it or pass another with --kubeconfig`);
  }
  if (document !== null && document !== undefined && (typeof document !== 'object' || Array.isArray(document))) {
    throw new UsageError(`The kubeconfig ${path} is not a kubeconfig: it must be a YAML mapping with clusters, users and contexts`);
  }
  const record = asRecord(document);
  const currentContext = record['current-context'];
  return {
    path,
    clusters: entries(record['clusters']),
    users: entries(record['users']),
    contexts: entries(record['contexts']),
    currentContext: typeof currentContext === 'string' ? currentContext : '',
  };
}

function find(files: readonly KubeFile[], list: 'clusters' | 'users' | 'contexts', name: string): { readonly path: string; readonly entry: Named } | null {
  for (const file of files) {
    const entry = file[list].find((candidate) => candidate.name === name);
    if (entry !== undefined) return { path: file.path, entry };
  }
  return null;
}

function only<T>(read: () => T[], what: string): T {
  let problem = 'it is empty';
  try {
    const first = read()[0];
    if (first !== undefined) return first;
  } catch (cause) {
    problem = messageOf(cause).replace(/^\w+\[0\]\./, '');
  }
  throw new UsageError(`The ${what} cannot be used: ${problem}; complete it or choose another --context`);
}

function entries(value: unknown): Named[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'object' && entry !== null) : [];
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function absolute(file: string, path: string): string {
  return isAbsolute(path) ? path : join(dirname(file), path);
}
