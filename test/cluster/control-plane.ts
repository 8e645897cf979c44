import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { closeSync, cpSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'undici';
import { messageOf } from '../../src/model/errors.ts';
import { freePorts } from '../support/free-port.ts';
import { guard } from '../support/guard.ts';
import { runOk } from '../support/spawn.ts';
import { tempDir } from '../support/temp-dir.ts';
import type { TempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { findAssets, NODE_ASSETS, SERVER_ASSETS } from './assets.ts';
import type { AssetName, Assets } from './assets.ts';
import { RawApi } from './raw-api.ts';
import type { ApiAnswer, ApiRequest } from './raw-api.ts';

export interface ControlPlaneOptions {
  /** Simulated nodes on which pods really become Running; 0 starts neither scheduler nor controllers. Default 0. */
  readonly nodes?: number;
  /** Added to kube-apiserver, for example `--etcd-compaction-interval=10s` or `--watch-cache=false`. */
  readonly apiServerFlags?: readonly string[];
  /** Callers beside `admin`, each with a token: to be given rights by RBAC, or none. */
  readonly users?: readonly { readonly name: string; readonly groups?: readonly string[] }[];
}

type Program = Exclude<AssetName, 'kubectl' | 'kwok-stages.yaml'>;

interface Running {
  readonly child: ChildProcess;
  readonly exited: Promise<void>;
}

/** Open watches live on for 60 s after SIGTERM, and the process with them (measured: 61.7 s). */
const GRACEFUL_EXIT_MS = 75_000;

/**
 * A real etcd and kube-apiserver, on loopback and free ports, with data in a temporary folder; with nodes also the controllers, the scheduler
 * and kwok. Starts in about 3 seconds. Its processes end with close(), and at the latest with the test process, however that ends.
 */
export class ControlPlane implements AsyncDisposable {
  /** `https://127.0.0.1:PORT`. */
  readonly url: string;
  readonly etcdUrl: string;
  readonly adminToken: string;
  readonly #assets: Assets;
  readonly #dir: TempDir;
  readonly #ports: { readonly api: number; readonly etcd: number; readonly peer: number };
  readonly #tokens: ReadonlyMap<string, string>;
  readonly #options: ControlPlaneOptions;
  /** In start order. */
  readonly #running = new Map<Program, Running>();
  #backups = 0;
  /** Made when the server's certificate is there. */
  #api: RawApi | undefined;

  private constructor(parts: { readonly assets: Assets; readonly ports: readonly number[]; readonly options: ControlPlaneOptions }) {
    const [api = 0, etcd = 0, peer = 0] = parts.ports;
    this.#assets = parts.assets;
    this.#options = parts.options;
    this.#ports = { api, etcd, peer };
    this.#dir = tempDir('control-plane');
    this.url = `https://127.0.0.1:${api}`;
    this.etcdUrl = `http://127.0.0.1:${etcd}`;
    this.#tokens = new Map(['admin', ...(parts.options.users ?? []).map((user) => user.name)].map((name) => [name, randomBytes(16).toString('hex')]));
    this.adminToken = this.token('admin');
  }

  static async start(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
    const assets = await findAssets([...SERVER_ASSETS, ...((options.nodes ?? 0) > 0 ? NODE_ASSETS : [])], (line) => process.stderr.write(`${line}\n`));
    const plane = new ControlPlane({ assets, ports: await freePorts(3), options });
    try {
      plane.#writeCredentials();
      plane.#startEtcd();
      await plane.startApiServer();
      writeFileSync(plane.kubeconfigPath, plane.kubeconfig());
      if ((options.nodes ?? 0) > 0) await plane.#startNodes(options.nodes ?? 0);
      return plane;
    } catch (cause) {
      await plane.close();
      throw cause;
    }
  }

  /** Data, certificates and logs (`etcd.log`, …). */
  get dir(): string {
    return this.#dir.path;
  }

  /** The administrator's (system:masters). */
  get kubeconfigPath(): string {
    return this.#dir.file('kubeconfig');
  }

  /** PEM of the certificate that the API server made for itself. */
  get ca(): string {
    return readFileSync(this.#dir.file('certs/apiserver.crt'), 'utf8');
  }

  /** The token of `admin` or of one of `users`. */
  token(user: string): string {
    const token = this.#tokens.get(user);
    if (token === undefined) throw new Error(`Cannot find a token: "${user}" must be one of ${[...this.#tokens.keys()].join(', ')}`);
    return token;
  }

  /** The text of a kubeconfig with one context, `test`, that presents `token`. */
  kubeconfig(token: string = this.adminToken): string {
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'test', cluster: { server: this.url, 'certificate-authority-data': Buffer.from(this.ca).toString('base64') } }],
      users: [{ name: 'test', user: { token } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
      'current-context': 'test',
    });
  }

  /** Writes such a kubeconfig beside the administrator's and returns its path. */
  writeKubeconfig(name: string, token: string): string {
    const path = this.#dir.file(`kubeconfig-${name}`);
    writeFileSync(path, this.kubeconfig(token));
    return path;
  }

  /** A token of a service account, as a pod would have it. */
  async serviceAccountToken(namespace: string, name: string, expirationSeconds = 3600): Promise<string> {
    const answer = await this.api(`/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`, {
      method: 'POST',
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds } },
    });
    if (answer.status !== 201) throw new Error(`Cannot get a token of ${namespace}/${name}: ${answer.text}`);
    return answer.json<{ readonly status: { readonly token: string } }>().status.token;
  }

  /** One request, whatever the answer; rejects only when there is none. */
  api(path: string, options?: ApiRequest): Promise<ApiAnswer> {
    this.#api ??= new RawApi({ url: this.url, token: this.adminToken, ca: this.ca });
    return this.#api.send(path, options);
  }

  /** As api(), but any status of 300 and more throws. */
  async apiOk<T>(path: string, options: ApiRequest = {}): Promise<T> {
    const answer = await this.api(path, options);
    if (answer.status >= 300) throw new Error(`${options.method ?? 'GET'} ${path} was answered with ${answer.status}: ${answer.text.slice(0, 1_000)}`);
    return answer.json<T>();
  }

  /** Real kubectl as the administrator; its stdout. Throws when it fails. */
  kubectl(args: readonly string[], stdin?: string): Promise<string> {
    return runOk(this.#path('kubectl'), ['--kubeconfig', this.kubeconfigPath, ...args], {
      stdin,
      withinMs: 120_000,
      env: { KUBECACHEDIR: this.#dir.file('kubectl-cache') },
    });
  }

  /** Full path of a program, for tests that start one themselves. */
  program(name: AssetName): string {
    return this.#path(name);
  }

  /** The last lines of a program's log, for messages. */
  log(program: Program): string {
    const path = this.#dir.file(`${program}.log`);
    return existsSync(path) ? readFileSync(path, 'utf8').slice(-4_000) : '';
  }

  /** Starts it again on the same data and port; first waits for the end of one that is still shutting down. */
  async startApiServer(flags: readonly string[] = this.#options.apiServerFlags ?? []): Promise<void> {
    await this.#running.get('kube-apiserver')?.exited;
    this.#spawn('kube-apiserver', [
      ...['--etcd-servers', this.etcdUrl, '--bind-address', '127.0.0.1', '--secure-port', String(this.#ports.api), '--cert-dir', this.#dir.file('certs')],
      ...['--service-cluster-ip-range', '10.0.0.0/16', '--authorization-mode', 'RBAC', '--allow-privileged', '--token-auth-file', this.#dir.file('tokens.csv')],
      ...['--service-account-key-file', this.#dir.file('sa.pub'), '--service-account-signing-key-file', this.#dir.file('sa.key')],
      ...['--service-account-issuer', 'https://kubernetes.default.svc', '--disable-admission-plugins', 'ServiceAccount'],
      ...flags,
    ]);
    await this.#ready('kube-apiserver', async () => existsSync(this.#dir.file('certs/apiserver.crt')) && (await this.api('/readyz')).status === 200);
  }

  /**
   * Resolves when the process has ended. After SIGTERM the listener closes at once, but open watches go on for up to a minute and the process
   * with them: do not await this at once to see that minute. SIGKILL cuts every connection.
   */
  async stopApiServer(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.#stop('kube-apiserver', signal, GRACEFUL_EXIT_MS);
  }

  /** Freezes the process: connections stay open and silent, as behind a dead network. */
  pauseApiServer(): void {
    this.#running.get('kube-apiserver')?.child.kill('SIGSTOP');
  }

  resumeApiServer(): void {
    this.#running.get('kube-apiserver')?.child.kill('SIGCONT');
  }

  /** The newest revision of etcd, which is that of the cluster. */
  async etcdRevision(): Promise<string> {
    const answer = await this.#etcd<{ readonly header: { readonly revision: string } }>('/v3/kv/range', { key: Buffer.from('/x').toString('base64') });
    return answer.header.revision;
  }

  /** Throws etcd's history away up to `revision` (default: the newest) and returns that revision. The API server's own windows live on. */
  async compactEtcd(revision?: string): Promise<string> {
    const upTo = revision ?? (await this.etcdRevision());
    await this.#etcd('/v3/kv/compaction', { revision: upTo, physical: true });
    return upTo;
  }

  /** A copy of etcd's data as it is now, for restoreEtcd(). It is frozen meanwhile, so the copy is what a crash would have left. */
  backUpEtcd(): string {
    const backup = this.#dir.file(`etcd-backup-${this.#backups}`);
    this.#backups += 1;
    const etcd = this.#running.get('etcd')?.child;
    etcd?.kill('SIGSTOP');
    try {
      cpSync(this.#dir.file('etcd'), backup, { recursive: true });
    } finally {
      etcd?.kill('SIGCONT');
    }
    return backup;
  }

  /** The cluster is what it was at the backup: what was written since is lost, and revisions go on from there. */
  async restoreEtcd(backup: string): Promise<void> {
    await this.#replaceEtcd(() => cpSync(backup, this.#dir.file('etcd'), { recursive: true }));
  }

  /** The cluster is replaced by an empty one with the same address and credentials, whose revisions begin anew. */
  async wipeEtcd(): Promise<void> {
    await this.#replaceEtcd(() => {});
  }

  async #replaceEtcd(fill: () => void): Promise<void> {
    await this.stopApiServer('SIGKILL');
    await this.#stop('etcd', 'SIGKILL', 10_000);
    rmSync(this.#dir.file('etcd'), { recursive: true, force: true });
    fill();
    this.#startEtcd();
    await this.startApiServer();
  }

  /** Ids of the running processes, in start order. */
  pids(): readonly number[] {
    return [...this.#running.values()].flatMap(({ child }) => child.pid ?? []);
  }

  /** Ends every process, newest first, and removes the data. */
  async close(): Promise<void> {
    for (const program of [...this.#running.keys()].toReversed()) await this.#stop(program, 'SIGKILL', 10_000);
    await this.#api?.close();
    this.#dir.remove();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #path(name: AssetName): string {
    const path = this.#assets.get(name);
    if (path === undefined) throw new Error(`Cannot use ${name}: this control plane was started without nodes`);
    return path;
  }

  #writeCredentials(): void {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    });
    writeFileSync(this.#dir.file('sa.key'), privateKey, { mode: 0o600 });
    writeFileSync(this.#dir.file('sa.pub'), publicKey);
    const users = [{ name: 'admin', groups: ['system:masters'] }, ...(this.#options.users ?? [])];
    const rows = users.map(({ name, groups = [] }) => `${this.token(name)},${name},${name},"${groups.join(',')}"\n`);
    writeFileSync(this.#dir.file('tokens.csv'), rows.join(''), { mode: 0o600 });
  }

  #startEtcd(): void {
    const peerUrl = `http://127.0.0.1:${this.#ports.peer}`;
    this.#spawn('etcd', [
      ...['--data-dir', this.#dir.file('etcd'), '--log-level', 'error', '--unsafe-no-fsync', '--initial-cluster', `default=${peerUrl}`],
      ...['--listen-client-urls', this.etcdUrl, '--advertise-client-urls', this.etcdUrl],
      ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
    ]);
  }

  async #startNodes(count: number): Promise<void> {
    const common = ['--kubeconfig', this.kubeconfigPath, '--leader-elect=false', '--secure-port', '0'];
    const keys = ['--service-account-private-key-file', this.#dir.file('sa.key')];
    this.#spawn('kube-controller-manager', [...common, ...keys, '--controllers', '*,-serviceaccount-token-controller']);
    this.#spawn('kube-scheduler', common);
    this.#spawn('kwok', [
      ...['--kubeconfig', this.kubeconfigPath, '--config', this.#path('kwok-stages.yaml')],
      ...['--manage-all-nodes=true', '--node-lease-duration-seconds', '40'],
    ]);
    const room = { cpu: '64', memory: '256Gi', pods: '500' };
    for (let i = 1; i <= count; i += 1) {
      await this.apiOk('/api/v1/nodes', {
        method: 'POST',
        body: { apiVersion: 'v1', kind: 'Node', metadata: { name: `hollow-${i}`, labels: { type: 'kwok' } }, status: { allocatable: room, capacity: room } },
      });
    }
    await this.#ready('kwok', async () => {
      const nodes = await this.apiOk<{ readonly items: readonly { readonly status: { readonly conditions?: readonly { type: string; status: string }[] } }[] }>(
        '/api/v1/nodes',
      );
      return nodes.items.every((node) => node.status.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True'));
    });
  }

  #spawn(program: Program, args: readonly string[]): void {
    const log = openSync(this.#dir.file(`${program}.log`), 'a');
    const child = spawn(this.#path(program), args, { stdio: ['ignore', log, log], cwd: this.dir });
    closeSync(log);
    guard(child);
    const exited = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    this.#running.set(program, { child, exited });
  }

  async #stop(program: Program, signal: NodeJS.Signals, withinMs: number): Promise<void> {
    const running = this.#running.get(program);
    if (running === undefined) return;
    const hasEnded = (): boolean => running.child.exitCode !== null || running.child.signalCode !== null || running.child.pid === undefined;
    running.child.kill(signal);
    // A frozen process takes no SIGTERM until it goes on.
    if (signal !== 'SIGKILL') running.child.kill('SIGCONT');
    await until(`${program} ends after ${signal}`, hasEnded, { withinMs, everyMs: 20 });
    this.#running.delete(program);
  }

  async #ready(program: Program, look: () => Promise<boolean | undefined>): Promise<void> {
    const child = this.#running.get(program)?.child;
    try {
      await until(`${program} is ready`, async () => child?.exitCode !== null || (await look()), { withinMs: 60_000, everyMs: 100 });
    } catch (cause) {
      throw new Error(`${messageOf(cause)}. The end of its log: ${this.log(program)}`, { cause });
    }
    if (child?.exitCode !== null) throw new Error(`${program} ended with ${child?.exitCode} while it started. The end of its log: ${this.log(program)}`);
  }

  async #etcd<T>(path: string, body: unknown): Promise<T> {
    const answer = await request(`${this.etcdUrl}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`etcd answered ${path} with ${answer.statusCode}: ${text}`);
    return JSON.parse(text) as T;
  }
}

/** Starts a control plane; see ControlPlane. */
export function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  return ControlPlane.start(options);
}
