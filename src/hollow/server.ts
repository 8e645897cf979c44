import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../kit/clock.ts';
import type { Clock } from '../kit/clock.ts';
import { seededRandom } from '../kit/random.ts';
import type { Random } from '../kit/random.ts';
import { UsageError } from '../model/errors.ts';
import { CONTROL_KEYS } from './control.ts';
import type { ControlBody } from './control.ts';
import type { DiscoverySwitches } from './discovery.ts';
import { Faults } from './faults.ts';
import type { FaultRule } from './faults.ts';
import { mergePatch } from './merge.ts';
import { slabAllocator } from './objects.ts';
import type { ObjectTree, Tree } from './objects.ts';
import { shown } from './render.ts';
import { Routes } from './routes.ts';
import type { Watch } from './watch.ts';
import { World } from './world.ts';
import { Writes } from './writes.ts';
import type { Part, Target } from './writes.ts';

export interface HollowOptions {
  /** Default 0: a free one. */
  readonly port?: number | undefined;
  /** Default 127.0.0.1. */
  readonly host?: string | undefined;
  readonly clock?: Clock | undefined;
  /** For uids, generated names, watch lengths and fault shares. Default: seeded with 1. */
  readonly random?: Random | undefined;
  /** Changes kept per kind; older ones are answered with 410. Default 10,000. */
  readonly history?: number | undefined;
  /** Bytes that the kept changes of one kind may hold beside the current state. Default 256 MiB. */
  readonly historyBytes?: number | undefined;
  /** Default 60. */
  readonly bookmarkSeconds?: number | undefined;
  /** The revision before the first write. Default 0. */
  readonly revision?: number | undefined;
  /** PEM. Plain HTTP when absent. */
  readonly tls?: { readonly cert: string | Buffer; readonly key: string | Buffer; readonly ca?: string | Buffer | undefined } | undefined;
  /** Bearer tokens and the users they stand for; without, everybody may do everything. */
  readonly tokens?: Readonly<Record<string, string>> | undefined;
  /** Kinds (`secrets`, `deployments.apps`) that are answered with 403. */
  readonly forbidden?: readonly string[] | undefined;
  /** Heeds `shardSelector`. Default false: it is ignored silently. */
  readonly splits?: boolean | undefined;
}

/** Starts a simulated API server; resolves when it listens. */
export async function startHollow(options: HollowOptions = {}): Promise<Hollow> {
  const hollow = new Hollow(options);
  await hollow.listen();
  return hollow;
}

/**
 * A running hollow cluster. Kinds are named as in rules: `pods`, `deployments.apps`. Trees handed in are not kept, but must not be
 * changed before the call returns.
 */
export class Hollow {
  readonly world: World;
  /** Rules by which requests go wrong. */
  readonly faults: Faults;
  /** How discovery is served; may be changed at any time. */
  readonly discovery: DiscoverySwitches = { aggregated: true, broken: [] };
  /** Bearer tokens and their users, null when everybody may do everything; may be changed at any time. */
  readonly tokens: Map<string, string> | null;
  /** Kinds that are answered with 403; may be changed at any time. */
  readonly forbidden: Set<string>;
  /** Whether lists and watches heed `shardSelector`, as with the gate ShardedListAndWatch; may be changed at any time. */
  splits: boolean;
  /** What a SubjectAccessReview allows a user of paths that are no resources, as `get /metrics`; users who are not here may do everything. May be changed at any time. */
  readonly readers = new Map<string, readonly string[]>();
  readonly #options: HollowOptions;
  readonly #writes: Writes;
  readonly #watches = new Set<Watch>();
  readonly #frozen = new Set<string>();
  readonly #server: Server;
  #port = 0;

  constructor(options: HollowOptions) {
    this.#options = options;
    const random = options.random ?? seededRandom(1);
    const history = { count: options.history ?? 10_000, bytes: options.historyBytes ?? 256 * 1024 * 1024 };
    this.world = new World({ clock: options.clock ?? systemClock, random, history, revision: options.revision ?? 0 });
    this.#writes = new Writes(this.world);
    this.faults = new Faults(random);
    this.tokens = options.tokens === undefined ? null : new Map(Object.entries(options.tokens));
    this.forbidden = new Set(options.forbidden ?? []);
    this.splits = options.splits ?? false;
    const routes = new Routes({
      world: this.world,
      writes: this.#writes,
      faults: this.faults,
      discovery: this.discovery,
      tokens: this.tokens,
      forbidden: this.forbidden,
      splits: () => this.splits,
      readers: this.readers,
      bookmarkMs: (options.bookmarkSeconds ?? 60) * 1_000,
      watches: this.#watches,
      isFrozen: (kind) => this.#frozen.has(kind) || this.#frozen.has('*'),
      control: (body) => this.control(body as ControlBody),
    });
    const listener: RequestListener = (request, response) => void routes.handle(request, response);
    this.#server = options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener);
    // A Go server keeps idle connections for minutes; Node's five seconds would cut clients in the middle of a request.
    this.#server.keepAliveTimeout = 180_000;
    this.#server.requestTimeout = 0;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `${this.#options.tls === undefined ? 'http' : 'https'}://${this.#options.host ?? '127.0.0.1'}:${this.#port}`;
  }

  /** The newest revision. */
  get revision(): number {
    return this.world.revision;
  }

  /** Open watches, of one kind or of all. */
  watches(kind?: string): number {
    return [...this.#watches].filter((watch) => kind === undefined || watch.kind === kind).length;
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#options.port ?? 0, this.#options.host ?? '127.0.0.1', () => {
        this.#server.off('error', reject);
        this.#port = (this.#server.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  /** Ends every connection at once, as SIGKILL would. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const watch of [...this.#watches]) watch.end();
    this.#server.closeAllConnections();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A kubeconfig for this server, as JSON (which is YAML too). `token`: one of the options' tokens; default: the first. */
  kubeconfig(token: string | undefined = Object.keys(this.#options.tokens ?? {})[0]): string {
    const { tls } = this.#options;
    const ca = tls === undefined ? undefined : Buffer.from(tls.ca ?? tls.cert).toString('base64');
    return `${JSON.stringify(
      {
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'hollow',
        clusters: [{ name: 'hollow', cluster: { server: this.url, ...(ca === undefined ? {} : { 'certificate-authority-data': ca }) } }],
        users: [{ name: 'hollow', user: token === undefined ? {} : { token } }],
        contexts: [{ name: 'hollow', context: { cluster: 'hollow', user: 'hollow' } }],
      },
      null,
      2,
    )}\n`;
  }

  /** Stores a new object (status included) and returns it as stored. Throws Refusal, as all writes do. */
  create(kind: string, tree: ObjectTree): ObjectTree {
    const target = this.#target(kind);
    return shown(this.#writes.create(target, tree, tree.metadata?.namespace ?? ''), target.view);
  }

  /** As create, for many objects that will mostly stay, and without an answer: 20,000 pods of 4 KB a second, making them included. */
  seed(kind: string, trees: Iterable<ObjectTree>): void {
    const target = this.#target(kind);
    const allocate = slabAllocator();
    for (const tree of trees) this.#writes.create(target, tree, tree.metadata?.namespace ?? '', allocate);
  }

  /** Replaces an object; `part` says which half of it. A resourceVersion in `tree` must be the current one. */
  update(kind: string, tree: ObjectTree, part: Part = 'main'): ObjectTree {
    const target = this.#target(kind);
    const { namespace = '', name = '' } = tree.metadata ?? {};
    return shown(this.#writes.update(target, keyOf(target, namespace, name), tree, part), target.view);
  }

  /** Applies a JSON merge patch. `key` is `namespace/name`, or `name`. */
  patch(kind: string, key: string, patch: Tree, part: Part = 'main'): ObjectTree {
    const target = this.#target(kind);
    return shown(
      this.#writes.patch(target, key, (tree) => mergePatch(tree, patch) as ObjectTree, part),
      target.view,
    );
  }

  /** Gives an object another status: the fast road of load generators. */
  setStatus(kind: string, key: string, status: Tree): void {
    this.#writes.setStatus(this.#target(kind), key, status);
  }

  /** Deletes an object, or marks it while it has finalizers. */
  delete(kind: string, key: string): void {
    this.#writes.delete(this.#target(kind), key);
  }

  get(kind: string, key: string): ObjectTree | undefined {
    const { served, view } = this.#target(kind);
    const version = served.store.get(key);
    return version === undefined ? undefined : shown(version, view);
  }

  /** All objects of a kind in key order. */
  list(kind: string, namespace = ''): readonly ObjectTree[] {
    const { served, view } = this.#target(kind);
    return served.store.page({ namespace, after: '', at: null, filter: null, limit: null }).versions.map((version) => shown(version, view));
  }

  /** Keys of a kind in order: cheap. */
  keys(kind: string): readonly string[] {
    return [...this.#target(kind).served.store.keys()];
  }

  /** How many objects a kind has. */
  count(kind: string): number {
    return this.#target(kind).served.store.size;
  }

  /** Ends open watches: by a reset, or by a clean end. */
  cutWatches(how: 'reset' | 'end', kind?: string): void {
    for (const watch of [...this.#watches]) {
      if (kind !== undefined && watch.kind !== kind) continue;
      if (how === 'reset') watch.cut();
      else watch.end();
    }
  }

  /** Open and new watches of a kind ('*': of all) send nothing until thaw(). */
  freeze(kind = '*'): void {
    this.#frozen.add(kind);
  }

  thaw(): void {
    this.#frozen.clear();
    for (const watch of this.#watches) watch.wake();
  }

  /** Forgets the history up to now. */
  compact(kind?: string): void {
    this.world.compact(kind);
  }

  /** Cuts every connection and starts with an empty history; see World.restart for `wipe` and `revision`. The port stays. */
  restart(options: { readonly wipe?: boolean; readonly revision?: number } = {}): void {
    this.cutWatches('reset');
    this.#server.closeAllConnections();
    this.world.restart({ wipe: options.wipe ?? false, revision: options.revision });
  }

  /** What `POST /hollow/faults` does. */
  control(body: ControlBody): Tree {
    for (const key of Object.keys(body)) {
      if (!CONTROL_KEYS.has(key)) throw new UsageError(`Unknown switch ${JSON.stringify(key)}: use some of ${[...CONTROL_KEYS].join(', ')}`);
    }
    if (body.clear === true) {
      this.faults.clear();
      this.forbidden.clear();
      this.discovery.aggregated = true;
      this.discovery.broken = [];
      this.thaw();
    }
    for (const rule of body.add ?? ([] as readonly FaultRule[])) this.faults.add(rule);
    for (const kind of body.forbid ?? []) this.forbidden.add(kind);
    if (body.discovery?.aggregated !== undefined) this.discovery.aggregated = body.discovery.aggregated;
    if (body.discovery?.broken !== undefined) this.discovery.broken = body.discovery.broken;
    if (body.freeze !== undefined) this.freeze(body.freeze);
    if (body.compact !== undefined) this.compact(body.compact.kind);
    if (body.cutWatches !== undefined) this.cutWatches(body.cutWatches.how, body.cutWatches.kind);
    // After the answer left, or it would be cut as well.
    if (body.restart !== undefined) setImmediate(() => this.restart(body.restart));
    return { rules: this.faults.list(), forbidden: [...this.forbidden], discovery: this.discovery, watches: this.#watches.size, revision: this.revision };
  }

  #target(kind: string): Target {
    const served = this.world.kind(kind);
    const view = served?.views[0];
    if (served === undefined || view === undefined)
      throw new UsageError(`The hollow cluster has no kind ${JSON.stringify(kind)}: it has ${[...this.world.kinds()].map(({ id }) => id).join(', ')}`);
    // In-process callers speak the stored version, whatever versions are served.
    return { served, view: served.views.find((one) => one.convert === null) ?? view };
  }
}

function keyOf({ view }: Target, namespace: string, name: string): string {
  return view.stored.namespaced ? `${namespace === '' ? 'default' : namespace}/${name}` : name;
}
