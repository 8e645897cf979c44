import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../kit/clock.ts';
import { UsageError } from '../model/errors.ts';
import { askAuthProvider } from './auth-provider.ts';
import { type CredentialSource, execSource, FetchedSource, staticSource, TokenFileSource } from './credential-source.ts';
import { readExecConfig } from './exec-credential.ts';
import { type KubeContext, kubeconfigPaths, readKubeFiles, selectContext } from './kubeconfig.ts';
import { chooseProxy, type Environment } from './proxy-choice.ts';
import { checkClientCertificate, readTlsOptions, type TlsOptions } from './tls-options.ts';

export type RequestHeaders = Readonly<Record<string, string | string[]>>;

/** Where the cluster is and how to prove who we are. Never logged, never printed. */
export interface Credentials {
  /** The API server, with a path prefix when it sits behind a gateway. */
  readonly server: URL;
  /** A new object when the certificate changed: new connections must be made. Read it after headers(). */
  readonly tls: TlsOptions;
  readonly proxy: URL | null;
  readonly contextName: string;
  /** The context's default namespace, `''` when it names none. */
  readonly namespace: string;
  /** Sentences for the log: what works but should not be so. */
  readonly warnings: readonly string[];
  /** The loaded context, for clientNodeConfig(): the typed clients of other rooms. */
  readonly context: KubeContext;
  /** The headers of one request, brought up to date. The same object until they change. Throws UsageError with a way out. */
  headers(): Promise<RequestHeaders>;
  /** After a 401 to a request that carried `refused`: true when newer credentials are worth one more try. */
  renew(refused: RequestHeaders): Promise<boolean>;
}

export interface CredentialOptions {
  /** `--kubeconfig`; this file must exist. */
  readonly kubeconfig?: string | undefined;
  /** `--context`. */
  readonly context?: string | undefined;
  readonly env: Environment;
  /** The folder that has `.kube/config`. */
  readonly home: string;
  readonly clock: Clock;
  /** Where a pod finds its service account. Default `/var/run/secrets/kubernetes.io/serviceaccount`. */
  readonly serviceAccountDir?: string | undefined;
}

const SERVICE_ACCOUNT_DIR = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * Loads in kubectl's order: `--kubeconfig`, the files of KUBECONFIG merged, `~/.kube/config`, the pod's service account.
 * Entries are read by client-node's config_types.js (4 ms of CPU); its KubeConfig (480 ms) is loaded only for users with an
 * `auth-provider`. What client-node lacks is done here: tokenFile and its rotation, groups to impersonate, KUBECONFIG with
 * missing files, duplicate names (the first wins), exec plugins with hints, time limit and renewal before expiry.
 */
export async function loadCredentials(options: CredentialOptions): Promise<Credentials> {
  const { paths, isExplicit, from } = kubeconfigPaths(options);
  const files = await readKubeFiles(paths);
  if (files === null && isExplicit)
    throw new UsageError(`The kubeconfig ${paths.join(', ')} (${from}) does not exist: correct the path, or leave it out to use KUBECONFIG or ~/.kube/config`);
  const context = files === null ? await serviceAccount(options, paths) : await selectContext(files, options.context);

  const server = serverUrl(context);
  const tls = await readTlsOptions(context.cluster, context.user, options.clock.wall());
  const source = sourceOf(context, tls, options);
  const warnings: string[] = [];
  if (context.cluster.skipTLSVerify)
    warnings.push(`cluster "${context.cluster.name}" has insecure-skip-tls-verify: anybody on the way can read and change what is mirrored`);
  if (server.protocol === 'http:' && !/^(localhost|127\.|\[::1\])/.test(server.hostname))
    warnings.push(`cluster "${context.cluster.name}" is reached without TLS: credentials and objects travel in plain text`);
  return new LoadedCredentials({
    server,
    tls,
    proxy: chooseProxy(server, context.cluster.proxyUrl, options.env),
    context,
    warnings,
    source,
    clock: options.clock,
  });
}

class LoadedCredentials implements Credentials {
  readonly server: URL;
  readonly proxy: URL | null;
  readonly contextName: string;
  readonly namespace: string;
  readonly warnings: readonly string[];
  readonly context: KubeContext;
  #tls: TlsOptions;
  readonly #source: CredentialSource;
  readonly #clock: Clock;
  readonly #impersonate: RequestHeaders;
  #authorization: string | null | undefined;
  #certificate: string | undefined;
  #headers: RequestHeaders = {};

  constructor(parts: {
    readonly server: URL;
    readonly tls: TlsOptions;
    readonly proxy: URL | null;
    readonly context: KubeContext;
    readonly warnings: readonly string[];
    readonly source: CredentialSource;
    readonly clock: Clock;
  }) {
    this.server = parts.server;
    this.proxy = parts.proxy;
    this.context = parts.context;
    this.contextName = parts.context.contextName;
    this.namespace = parts.context.namespace;
    this.warnings = parts.warnings;
    this.#tls = parts.tls;
    this.#source = parts.source;
    this.#clock = parts.clock;
    this.#impersonate = impersonation(parts.context);
  }

  get tls(): TlsOptions {
    return this.#tls;
  }

  async headers(): Promise<RequestHeaders> {
    const authorization = await this.#source.authorization();
    this.#takeCertificate();
    if (authorization !== this.#authorization) {
      this.#authorization = authorization;
      this.#headers = authorization === null ? this.#impersonate : { ...this.#impersonate, authorization };
    }
    return this.#headers;
  }

  async renew(refused: RequestHeaders): Promise<boolean> {
    if ((await this.headers()) !== refused) return true;
    return await this.#source.renew();
  }

  #takeCertificate(): void {
    const pair = this.#source.certificate;
    if (pair === undefined || pair.cert === this.#certificate) return;
    checkClientCertificate(pair.cert, pair.key, `the credential plugin of user "${this.context.user.name}"`, this.#clock.wall());
    this.#certificate = pair.cert;
    this.#tls = { ...this.#tls, cert: pair.cert, key: pair.key };
  }
}

/** Precedence as in client-go: a token (file before value) beats basic auth; plugins come when neither is given. */
function sourceOf(context: KubeContext, tls: TlsOptions, options: CredentialOptions): CredentialSource {
  const { user, cluster } = context;
  if (user.tokenFile !== undefined) return new TokenFileSource(user.tokenFile, options.clock);
  if (user.token) return staticSource(`Bearer ${user.token}`);
  if (user.username) return staticSource(`Basic ${Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64')}`);
  if (user.exec) {
    const exec = readExecConfig(user.exec, user.name);
    return execSource([exec, { cluster, ca: tls.ca, directory: user.directory, env: options.env }], options.clock);
  }
  if (user.authProvider) return new FetchedSource(() => askAuthProvider(context), options.clock);
  return staticSource(null);
}

function impersonation({ user }: KubeContext): RequestHeaders {
  const headers: Record<string, string | string[]> = {};
  if (user.impersonateUser) headers['impersonate-user'] = user.impersonateUser;
  if (user.impersonate?.uid) headers['impersonate-uid'] = user.impersonate.uid;
  if (user.impersonate?.groups?.length) headers['impersonate-group'] = [...user.impersonate.groups];
  for (const [key, values] of Object.entries(user.impersonate?.extra ?? {})) headers[`impersonate-extra-${encodeURIComponent(key)}`] = [...values];
  return headers;
}

function serverUrl({ cluster }: KubeContext): URL {
  const url = URL.parse(cluster.server.includes('://') ? cluster.server : `http://${cluster.server}`);
  if (url !== null && (url.protocol === 'https:' || url.protocol === 'http:')) return url;
  throw new UsageError(`Cluster "${cluster.name}" of the kubeconfig has a server that is not an http or https URL: "${cluster.server}"; correct it`);
}

async function serviceAccount(options: CredentialOptions, tried: readonly string[]): Promise<KubeContext> {
  const directory = options.serviceAccountDir ?? SERVICE_ACCOUNT_DIR;
  const host = options.env['KUBERNETES_SERVICE_HOST'];
  const port = options.env['KUBERNETES_SERVICE_PORT'];
  const tokenFile = join(directory, 'token');
  if (!host || !port || !(await isReadable(tokenFile))) {
    throw new UsageError(
      `No kubeconfig was found (tried ${tried.join(', ')}), and this is not a pod with a service account (tried ${tokenFile}): pass --kubeconfig FILE or set KUBECONFIG`,
    );
  }
  if (options.context !== undefined)
    throw new UsageError(
      `Context "${options.context}" was asked for, but no kubeconfig was found (tried ${tried.join(', ')}) and the pod's service account has no contexts: leave --context out or pass --kubeconfig FILE`,
    );
  return {
    contextName: 'in-cluster',
    namespace: (await readFile(join(directory, 'namespace'), 'utf8').catch(() => '')).trim(),
    cluster: {
      name: 'in-cluster',
      caFile: join(directory, 'ca.crt'),
      server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
      skipTLSVerify: false,
    },
    user: { name: 'service-account', tokenFile, directory },
  };
}

async function isReadable(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
