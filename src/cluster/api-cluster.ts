import { StringDecoder } from 'node:string_decoder';
import type { Clock } from '../kit/clock.ts';
import { Semaphore } from '../kit/semaphore.ts';
import type { RateLimit } from '../limit/limit.ts';
import { nameOf, objectKey, type ObjectKey } from '../model/key.ts';
import type { Kind, Scope } from '../model/kind.ts';
import type { AccessReviews, ChunkSink, Cluster, Discovery, EventSink, LeaseDirectory, LeasePlace, LeaseStore, ListQuery, WatchQuery } from './cluster.ts';
import type { Credentials } from './credentials.ts';
import { discover } from './discovery.ts';
import { HttpClient, type HttpRequest } from './http.ts';
import { collectionPath, listQuery, objectPath, watchQuery } from './paths.ts';
import { RefusedError } from './response-handler.ts';

export interface ClusterOptions {
  readonly credentials: Credentials;
  readonly clock: Clock;
  /** For the User-Agent. */
  readonly version: string;
  /** Requests a second (`limits.apiserver.perSecond`): a list page, a get or the opening of a watch is one permit. */
  readonly rate?: RateLimit | undefined;
  /** Lists and gets at the same time (`limits.apiserver.concurrency`); open watches do not count. Default 8. */
  readonly slots?: Semaphore | undefined;
  /**
   * Asks for gzipped lists. Default false: measured 0.48 CPU s per 100 MB here against 0.25, and the server pays too;
   * for slow links, where 100 MB become about 5.
   */
  readonly compressLists?: boolean | undefined;
}

const DEFAULT_SLOTS = 8;
const JSON_TYPE = 'application/json';

/** The real cluster behind an API server. Opens nothing until the first call. */
export function createCluster(options: ClusterOptions): Cluster & LeaseStore & LeaseDirectory & EventSink & AccessReviews {
  return new ApiCluster(options);
}

const LEASES: Kind = {
  group: 'coordination.k8s.io',
  version: 'v1',
  resource: 'leases',
  kind: 'Lease',
  namespaced: true,
  singular: 'lease',
  shortNames: [],
  categories: [],
};
/** The server ends the watch by itself after so long. */
const LEASE_WATCH_SECONDS = 600;

class ApiCluster implements Cluster, LeaseStore, LeaseDirectory, EventSink, AccessReviews {
  readonly address: string;
  readonly #http: HttpClient;
  readonly #rate: RateLimit | null;
  readonly #slots: Semaphore;
  readonly #compressLists: boolean;

  constructor(options: ClusterOptions) {
    this.address = options.credentials.server.host;
    this.#http = new HttpClient(options);
    this.#rate = options.rate ?? null;
    this.#slots = options.slots ?? new Semaphore(DEFAULT_SLOTS);
    this.#compressLists = options.compressLists === true;
  }

  discover(signal: AbortSignal): Promise<Discovery> {
    return unwrapped(discover(async (path, accept): Promise<unknown> => JSON.parse((await this.#read({ path, accept, signal })).toString('utf8'))));
  }

  list(kind: Kind, scope: Scope, query: ListQuery, sink: ChunkSink, signal: AbortSignal): Promise<void> {
    const request: HttpRequest = { path: collectionPath(kind, scope) + listQuery(query), accept: JSON_TYPE, signal, compress: this.#compressLists };
    return unwrapped(
      this.#slots.run(async () => {
        await this.#rate?.acquire(1, 'background', signal);
        await this.#http.stream(request, sink);
      }, signal),
    );
  }

  async watch(kind: Kind, scope: Scope, query: WatchQuery, sink: ChunkSink, onOpen: () => void, signal: AbortSignal): Promise<void> {
    await this.#rate?.acquire(1, 'live', signal);
    await unwrapped(this.#http.stream({ path: collectionPath(kind, scope) + watchQuery(query), accept: JSON_TYPE, signal, isWatch: true, onOpen }, sink));
  }

  async get(kind: Kind, key: ObjectKey, signal: AbortSignal): Promise<Uint8Array | null> {
    try {
      return await this.#slots.run(async () => {
        await this.#rate?.acquire(1, 'background', signal);
        return await this.#http.body({ path: objectPath(kind, key), accept: JSON_TYPE, signal });
      }, signal);
    } catch (cause) {
      if (!(cause instanceof RefusedError)) throw cause;
      // Only a 404 of this very object says that it is gone; one of the resource or the path says nothing about it.
      if (cause.refusal.missingObject === nameOf(key)) return null;
      throw cause.refusal.error;
    }
  }

  async identity(signal: AbortSignal): Promise<string | null> {
    try {
      const body = await this.#read({ path: '/api/v1/namespaces/kube-system', accept: JSON_TYPE, signal });
      const uid = (JSON.parse(body.toString('utf8')) as { readonly metadata?: { readonly uid?: unknown } }).metadata?.uid;
      return typeof uid === 'string' && uid !== '' ? uid : null;
    } catch (cause) {
      if (!(cause instanceof RefusedError)) throw cause;
      const { error } = cause.refusal;
      if (error.status === 403 || error.status === 404) return null;
      throw error;
    }
  }

  getLease(place: LeasePlace, signal: AbortSignal): Promise<unknown> {
    return this.#lease({ path: leasePath(place), accept: JSON_TYPE, signal }).catch((cause: unknown) => {
      if (cause instanceof RefusedError && cause.refusal.missingObject === place.name) return null;
      throw cause instanceof RefusedError ? cause.refusal.error : cause;
    });
  }

  createLease({ namespace }: LeasePlace, lease: object, signal: AbortSignal): Promise<unknown> {
    return unwrapped(this.#lease({ path: collectionPath(LEASES, namespace), accept: JSON_TYPE, signal, method: 'POST', body: JSON.stringify(lease) }));
  }

  updateLease(place: LeasePlace, lease: object, signal: AbortSignal): Promise<unknown> {
    return unwrapped(this.#lease({ path: leasePath(place), accept: JSON_TYPE, signal, method: 'PUT', body: JSON.stringify(lease) }));
  }

  watchLease({ namespace, name }: LeasePlace, onChange: () => void, signal: AbortSignal): Promise<void> {
    const query = watchQuery({ resourceVersion: '', timeoutSeconds: LEASE_WATCH_SECONDS, fieldSelector: `metadata.name=${name}` });
    return unwrapped(this.#http.stream({ path: collectionPath(LEASES, namespace) + query, accept: JSON_TYPE, signal, isWatch: true }, onChange));
  }

  listLeases(namespace: string, labelSelector: string, signal: AbortSignal): Promise<unknown> {
    return unwrapped(this.#lease({ path: collectionPath(LEASES, namespace) + listQuery({ labelSelector }), accept: JSON_TYPE, signal }));
  }

  watchLeases(namespace: string, labelSelector: string, onEvent: (event: unknown) => void, signal: AbortSignal): Promise<void> {
    const query = watchQuery({ resourceVersion: '', timeoutSeconds: LEASE_WATCH_SECONDS, labelSelector });
    const sink = eachLine((line) => onEvent(JSON.parse(line)));
    return unwrapped(this.#http.stream({ path: collectionPath(LEASES, namespace) + query, accept: JSON_TYPE, signal, isWatch: true }, sink));
  }

  async deleteLease(place: LeasePlace, seen: { readonly uid: string; readonly resourceVersion: string }, signal: AbortSignal): Promise<void> {
    const body = JSON.stringify({ apiVersion: 'v1', kind: 'DeleteOptions', preconditions: seen });
    await unwrapped(this.#lease({ path: leasePath(place), accept: JSON_TYPE, signal, method: 'DELETE', body }));
  }

  async postEvent(namespace: string, event: object, signal: AbortSignal): Promise<void> {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`;
    await unwrapped(this.#http.body({ path, accept: JSON_TYPE, signal, method: 'POST', body: JSON.stringify(event) }));
  }

  reviewToken(token: string, signal: AbortSignal): Promise<unknown> {
    return this.#review('authentication.k8s.io/v1', 'TokenReview', { token }, signal);
  }

  reviewAccess(spec: object, signal: AbortSignal): Promise<unknown> {
    return this.#review('authorization.k8s.io/v1', 'SubjectAccessReview', spec, signal);
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  async #lease(request: HttpRequest): Promise<unknown> {
    return JSON.parse((await this.#http.body(request)).toString('utf8'));
  }

  async #review(apiVersion: string, kind: string, spec: object, signal: AbortSignal): Promise<unknown> {
    const path = `/apis/${apiVersion}/${kind.toLowerCase()}s`;
    const answer = await unwrapped(this.#http.body({ path, accept: JSON_TYPE, signal, method: 'POST', body: JSON.stringify({ apiVersion, kind, spec }) }));
    try {
      return (JSON.parse(answer.toString('utf8')) as { readonly status?: unknown }).status;
    } catch {
      // The parser would quote the answer, which holds the token.
      throw new Error(`the answer to a ${kind} is no JSON`);
    }
  }

  #read(request: HttpRequest): Promise<Buffer> {
    return this.#slots.run(async () => {
      await this.#rate?.acquire(1, 'live', request.signal);
      return await this.#http.body(request);
    }, request.signal);
  }
}

function leasePath({ namespace, name }: LeasePlace): string {
  return objectPath(LEASES, objectKey(namespace, name));
}

/** Hands on every line of a stream of small lines, without its end. */
function eachLine(onLine: (line: string) => void): ChunkSink {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  return (chunk) => {
    const lines = (rest + decoder.write(Buffer.from(chunk))).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') onLine(line);
  };
}

/** Outside of this room a refusal is its ApiError. */
async function unwrapped<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw cause instanceof RefusedError ? cause.refusal.error : cause;
  }
}
