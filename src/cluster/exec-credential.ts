import { execFile } from 'node:child_process';
import { isAbsolute, join } from 'node:path';
import type { Cluster } from '@kubernetes/client-node/dist/config_types.js';
import { UsageError } from '../model/errors.ts';
import type { Environment } from './proxy-choice.ts';

/** The `exec` entry of a kubeconfig user. */
export interface ExecConfig {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly apiVersion: string;
  readonly installHint: string;
  readonly interactiveMode: string;
  readonly provideClusterInfo: boolean;
}

/** What the plugin answered (client.authentication.k8s.io ExecCredential). */
export interface ExecCredential {
  readonly token: string | null;
  readonly certificate: string | null;
  readonly key: string | null;
  /** Unix milliseconds; null: valid until the server says 401. */
  readonly expiresAtMs: number | null;
}

/** A plugin may open a browser; longer than this it hangs. */
const PLUGIN_TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 1 << 20;

/** Checks the entry; throws UsageError when it cannot be used here. */
export function readExecConfig(value: unknown, userName: string): ExecConfig {
  const raw = record(value);
  const command = raw['command'];
  if (typeof command !== 'string' || command === '')
    throw new UsageError(`User "${userName}" of the kubeconfig has an exec entry without a command: name the credential plugin in exec.command`);
  const interactiveMode = text(raw['interactiveMode']);
  if (interactiveMode === 'Always') {
    throw new UsageError(
      `The credential plugin "${command}" of user "${userName}" demands a terminal (interactiveMode: Always), which kubefold does not give it: use IfAvailable or Never, or a user without a plugin`,
    );
  }
  return {
    command,
    args: Array.isArray(raw['args']) ? raw['args'].map(String) : [],
    env: Array.isArray(raw['env']) ? raw['env'].map((pair: unknown) => ({ name: text(record(pair)['name']), value: text(record(pair)['value']) })) : [],
    apiVersion: text(raw['apiVersion']) || 'client.authentication.k8s.io/v1',
    installHint: text(raw['installHint']),
    interactiveMode,
    provideClusterInfo: raw['provideClusterInfo'] === true,
  };
}

/** Runs the plugin once. Its output is a secret and never part of an error; its standard error is, shortened. */
export function runExecPlugin(
  exec: ExecConfig,
  context: { readonly cluster: Cluster; readonly ca: Buffer | undefined; readonly directory: string; readonly env: Environment },
): Promise<ExecCredential> {
  // As in client-go: a name is looked up in PATH, a relative path belongs to the kubeconfig's folder.
  const command = exec.command.includes('/') && !isAbsolute(exec.command) ? join(context.directory, exec.command) : exec.command;
  const env: Record<string, string | undefined> = { ...context.env };
  for (const { name, value } of exec.env) env[name] = value;
  env['KUBERNETES_EXEC_INFO'] = JSON.stringify({
    kind: 'ExecCredential',
    apiVersion: exec.apiVersion,
    spec: { interactive: false, ...(exec.provideClusterInfo ? { cluster: clusterInfo(context.cluster, context.ca) } : {}) },
  });
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      [...exec.args],
      { env, timeout: PLUGIN_TIMEOUT_MS, killSignal: 'SIGKILL', maxBuffer: MAX_OUTPUT_BYTES, encoding: 'utf8' },
      (error, stdout, stderr) => {
        if (error !== null) return reject(new UsageError(failure(exec, error, stderr)));
        try {
          resolve(readExecCredential(stdout, exec));
        } catch (cause) {
          reject(cause);
        }
      },
    );
    child.stdin?.on('error', () => {});
    child.stdin?.end();
  });
}

/** Reads the plugin's answer; exported for its table of tests. */
export function readExecCredential(stdout: string, exec: Pick<ExecConfig, 'command' | 'apiVersion'>): ExecCredential {
  const bad = (problem: string): UsageError =>
    new UsageError(`The credential plugin "${exec.command}" gave an answer that cannot be used: ${problem}; run it by hand to see, or update it`);
  let answer: Record<string, unknown>;
  try {
    answer = record(JSON.parse(stdout));
  } catch {
    throw bad('it is not JSON');
  }
  if (answer['kind'] !== 'ExecCredential') throw bad(`its kind must be ExecCredential, and is ${JSON.stringify(answer['kind'] ?? null)}`);
  if (answer['apiVersion'] !== exec.apiVersion)
    throw bad(`its apiVersion must be ${exec.apiVersion} as the kubeconfig says, and is ${JSON.stringify(answer['apiVersion'] ?? null)}`);
  const status = record(answer['status']);
  const token = text(status['token']).trim() || null;
  const certificate = text(status['clientCertificateData']) || null;
  const key = text(status['clientKeyData']) || null;
  if (token === null && certificate === null) throw bad('its status has neither a token nor a client certificate');
  if ((certificate === null) !== (key === null)) throw bad('clientCertificateData and clientKeyData must come together');
  const expires = status['expirationTimestamp'];
  const expiresAtMs = typeof expires === 'string' && expires !== '' ? Date.parse(expires) : null;
  if (Number.isNaN(expiresAtMs)) throw bad('its expirationTimestamp is not a time');
  return { token, certificate, key, expiresAtMs };
}

function failure(exec: ExecConfig, error: Error & { readonly code?: unknown; readonly killed?: boolean }, stderr: string): string {
  const hint = exec.installHint === '' ? '' : `; its install hint: ${exec.installHint.trim()}`;
  if (error.code === 'ENOENT') return `The credential plugin "${exec.command}" was not found: install it or put it into PATH${hint}`;
  if (error.code === 'EACCES') return `The credential plugin "${exec.command}" may not be executed: check its permissions${hint}`;
  if (error.killed === true)
    return `The credential plugin "${exec.command}" did not answer within ${PLUGIN_TIMEOUT_MS / 1000} s and was ended: run it by hand to see what it waits for`;
  const said = stderr.trim().slice(0, 500);
  return `The credential plugin "${exec.command}" failed${typeof error.code === 'number' ? ` with exit code ${error.code}` : ''}${said === '' ? '' : `: ${said}`}; sign in again with it or run it by hand`;
}

function clusterInfo(cluster: Cluster, ca: Buffer | undefined): Record<string, unknown> {
  return {
    server: cluster.server,
    ...(cluster.tlsServerName ? { 'tls-server-name': cluster.tlsServerName } : {}),
    ...(cluster.skipTLSVerify ? { 'insecure-skip-tls-verify': true } : {}),
    ...(ca ? { 'certificate-authority-data': ca.toString('base64') } : {}),
    ...(cluster.proxyUrl ? { 'proxy-url': cluster.proxyUrl } : {}),
    config: null,
  };
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
