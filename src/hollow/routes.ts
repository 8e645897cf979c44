import type { IncomingMessage, ServerResponse } from 'node:http';
import { messageOf, UsageError } from '../model/errors.ts';
import { contentType, objectOf, patchOf, readBody } from './bodies.ts';
import {
  aggregated,
  AGGREGATED_TYPE,
  legacyGroupOf,
  legacyGroups,
  legacyResources,
  legacyVersions,
  openapiDocument,
  openapiIndex,
  VERSION,
  wantsAggregated,
} from './discovery.ts';
import type { DiscoverySwitches } from './discovery.ts';
import type { Effect, Faults, Verb } from './faults.ts';
import { rejection, wrongContent } from './fault-answers.ts';
import { fresh, list } from './list.ts';
import type { ObjectTree, Tree, Version } from './objects.ts';
import { parsePath } from './path.ts';
import type { ApiPath } from './path.ts';
import { both, includeObject, listQuery, revisionOf, scoped, selectorFilter, verbOf, watchQuery } from './query.ts';
import { formOf, objectBytes, partial, shown } from './render.ts';
import { review } from './reviews.ts';
import { shardSelection } from './shard-selector.ts';
import { Sink } from './sink.ts';
import {
  badRequest,
  expired,
  EXPIRED_LIST,
  forbidden,
  notAllowed,
  notFound,
  pageNotFound,
  Refusal,
  refusal,
  tooOld,
  unauthorized,
  unknownResource,
} from './status.ts';
import { table } from './table.ts';
import { Watch } from './watch.ts';
import type { World } from './world.ts';
import type { Target, Writes } from './writes.ts';

export interface RoutesOptions {
  readonly world: World;
  readonly writes: Writes;
  readonly faults: Faults;
  readonly discovery: DiscoverySwitches;
  /** Token to user name; null when everybody may do everything. */
  readonly tokens: ReadonlyMap<string, string> | null;
  /** `pods`: kinds nobody may touch. */
  readonly forbidden: ReadonlySet<string>;
  /** Whether lists and watches heed `shardSelector`. */
  readonly splits: () => boolean;
  readonly readers: ReadonlyMap<string, readonly string[]>;
  readonly bookmarkMs: number;
  readonly watches: Set<Watch>;
  readonly isFrozen: (kind: string) => boolean;
  /** The control route. */
  readonly control: (body: unknown) => Tree;
}

type ObjectPath = Extract<ApiPath, { type: 'object' }>;

interface Call {
  readonly request: IncomingMessage;
  readonly url: URL;
  readonly sink: Sink;
  readonly user: string;
  readonly effects: readonly Effect[];
}

/** Every route of the hollow API server. */
export class Routes {
  readonly #options: RoutesOptions;

  constructor(options: RoutesOptions) {
    this.#options = options;
  }

  /** Answers one request; never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://hollow');
    const path = parsePath(url.pathname);
    const effects = url.pathname.startsWith('/hollow/') ? [] : this.#options.faults.hit(this.#faulted(request, url, path));
    const sink = new Sink({ request, response, effects });
    try {
      if (effects.some((effect) => effect.type === 'hang')) return;
      for (const effect of effects) if (effect.type === 'slow') await this.#options.world.clock.sleep(effect.ms, sink.signal);
      if (!sink.isOpen) return;
      const user = this.#authenticate(request);
      await this.#route({ request, url, sink, user, effects }, path);
    } catch (cause) {
      answerFailure(sink, response, cause);
    }
  }

  #faulted(request: IncomingMessage, url: URL, path: ApiPath): { readonly verb: Verb; readonly kind: string; readonly continued: boolean } {
    if (path.type !== 'object') return { verb: 'discovery', kind: '', continued: false };
    const served = this.#options.world.view(path.group, path.version, path.resource)?.served;
    const kind = served?.id ?? (path.group === '' ? path.resource : `${path.resource}.${path.group}`);
    return { verb: verbOf(request.method, path.name, url.searchParams) ?? 'get', kind, continued: url.searchParams.has('continue') };
  }

  #authenticate(request: IncomingMessage): string {
    const { tokens } = this.#options;
    if (tokens === null) return 'system:admin';
    const header = request.headers.authorization;
    if (header === undefined) return ANONYMOUS;
    const user = tokens.get(header.replace(/^Bearer\s+/i, ''));
    if (user === undefined) throw unauthorized();
    return user;
  }

  async #route(call: Call, path: ApiPath): Promise<void> {
    const { sink, effects } = call;
    for (const effect of effects) if (effect.type === 'reject') throw rejection(effect);
    if (path.type === 'object') return this.#api(call, path);
    if (path.type === 'other') return this.#other(call, path.path);
    // Discovery is open to every authenticated user, and to nobody else.
    if (call.user === ANONYMOUS) throw forbiddenPath(call.url.pathname);
    if (call.request.method !== 'GET') throw notAllowed();
    if (effects.some((effect) => effect.type === 'stall')) return sink.open();
    const { world, discovery } = this.#options;
    switch (path.type) {
      case 'versions':
      case 'groups': {
        const core = path.type === 'versions';
        if (discovery.aggregated && wantsAggregated(call.request.headers.accept)) return answerAggregated(call, aggregated(world, core, discovery.broken));
        return sink.send({ body: line(core ? legacyVersions(call.request.headers.host ?? '') : legacyGroups(world, discovery.broken)) });
      }
      case 'group':
        return sink.send({ body: line(legacyGroupOf(world, path.group, discovery.broken) ?? refuse(pageNotFound())) });
      case 'resources':
        this.#refuseBroken(path);
        return sink.send({ body: line(legacyResources(world, path.group, path.version) ?? refuse(pageNotFound())) });
      default:
        path satisfies never;
    }
  }

  #refuseBroken({ group, version }: { readonly group: string; readonly version: string }): void {
    if (!this.#options.discovery.broken.includes(`${group}/${version}`)) return;
    throw refusal({ code: 503, reason: 'ServiceUnavailable', message: 'the server is currently unable to handle the request', details: {} });
  }

  async #other({ request, sink, user }: Call, path: string): Promise<void> {
    const { world } = this.#options;
    if (path === '/hollow/faults' && request.method === 'POST') {
      if (!/^(::1|(::ffff:)?127\.)/.test(request.socket.remoteAddress ?? '')) throw forbiddenPath(path);
      return sink.send({ body: line(this.#options.control((await readBody(request)) ?? {})) });
    }
    if (/^\/(healthz|livez|readyz)(\/|$)/.test(path)) return sink.send({ type: 'text/plain; charset=utf-8', body: 'ok' });
    if (/^\/version\/?$/.test(path)) return sink.send({ body: `${JSON.stringify(VERSION, null, 2)}\n` });
    if (user === ANONYMOUS) throw forbiddenPath(path);
    if (path === '/openapi/v3') return sink.send({ type: 'text/plain; charset=utf-8', body: line(openapiIndex(world)) });
    const document = /^\/openapi\/v3\/(?:api|apis\/([^/]+))\/([^/]+)$/.exec(path);
    const stub = document === null ? null : openapiDocument(world, document[1] ?? '', document[2] ?? '');
    if (stub === null) throw pageNotFound();
    sink.send({ body: line(stub) });
  }

  async #api(call: Call, path: ObjectPath): Promise<void> {
    const { world } = this.#options;
    const { request, url, sink, user, effects } = call;
    this.#refuseBroken(path);
    if (request.method === 'POST') {
      const answer = review(path, () => readBody(request), this.#options);
      if (answer !== null) return sink.send({ code: 201, body: line(await answer) });
    }
    const verb = verbOf(request.method, path.name, url.searchParams);
    if (verb === null) throw notAllowed();
    const found = world.view(path.group, path.version, path.resource);
    const kind = { group: path.group, resource: path.resource };
    const isForbidden = effects.some((effect) => effect.type === 'forbid') || this.#options.forbidden.has(found?.served.id ?? path.resource);
    if (user === ANONYMOUS || isForbidden) throw forbidden({ user, verb, kind, namespace: path.namespace, name: path.name ?? undefined });
    if (found === undefined)
      throw [...world.kinds()].some((served) => served.views.some((view) => view.group === path.group && view.version === path.version && !view.stored.custom))
        ? unknownResource()
        : pageNotFound();
    const { stored } = found.view;
    if (path.namespace !== '' && !stored.namespaced) throw unknownResource();
    if (path.name !== null && stored.namespaced && path.namespace === '') throw unknownResource();
    if (path.subresource !== null && !(path.subresource === 'status' && stored.hasStatus)) throw unknownResource();
    for (const effect of effects) {
      if (effect.type === 'expired' && effect.form === 'http') throw expired(EXPIRED_LIST);
      if (effect.type === 'stall') return sink.open();
      if (effect.type === 'wrong-content') return wrongContent(sink, effect.form);
    }
    if (verb === 'watch') return this.#watch(call, path, found);
    if (verb === 'list') {
      const shard = this.#options.splits() ? shardSelection(url.searchParams) : null;
      return list({
        world,
        ...found,
        namespace: path.namespace,
        query: listQuery(url.searchParams),
        filter: both(selectorFilter(url.searchParams, found.view), shard?.filter ?? null),
        shardInfo: shard?.text,
        form: formOf(request.headers.accept, 'list'),
        includeObject: includeObject(url.searchParams),
        sink,
      });
    }
    await this.#one(call, path, found, verb);
  }

  async #watch({ request, url, sink, effects }: Call, path: ObjectPath, target: Target): Promise<void> {
    const { world, watches, bookmarkMs, isFrozen } = this.#options;
    const form = formOf(request.headers.accept, 'watch');
    const query = watchQuery(url.searchParams);
    const shard = this.#options.splits() ? shardSelection(url.searchParams) : null;
    const filter = scoped(both(selectorFilter(url.searchParams, target.view), shard?.filter ?? null), path.namespace);
    const watch: Watch = new Watch({
      world,
      ...target,
      query,
      filter,
      namespace: path.namespace,
      form,
      includeObject: includeObject(url.searchParams),
      sink,
      bookmarkMs,
      isFrozen: () => isFrozen(target.served.id),
      onEnd: () => void watches.delete(watch),
    });
    watches.add(watch);
    if (effects.some((effect) => effect.type === 'expired')) {
      sink.open();
      return watch.fail(tooOld(query.revision ?? 0, world.revision));
    }
    await watch.start();
  }

  /** Everything that concerns one object. */
  async #one(call: Call, path: ObjectPath, target: Target, verb: Verb): Promise<void> {
    const { world, writes } = this.#options;
    const { request, url } = call;
    const { served, view } = target;
    const { stored } = view;
    const key = stored.namespaced ? `${path.namespace}/${path.name}` : (path.name ?? '');
    const part = path.subresource === 'status' ? 'status' : 'main';
    if (verb === 'get') {
      await fresh(world, revisionOf(url.searchParams), call.sink.signal);
      return this.#answer(call, target, served.store.get(key) ?? refuse(notFound(kindOf(path), path.name ?? '')));
    }
    if (url.searchParams.getAll('dryRun').length > 0) throw badRequest('the hollow cluster has no dry run');
    if (verb === 'delete') {
      const body = (await readBody(request)) as { readonly preconditions?: { readonly uid?: string } } | undefined;
      if (path.name === null) return this.#deleteMany(call, path, target);
      const { version, isGone } = writes.delete(target, key, body?.preconditions?.uid);
      if (!isGone) return this.#answer(call, target, version);
      const { uid } = shown(version, view).metadata ?? {};
      const details = { name: path.name, ...(path.group === '' ? {} : { group: path.group }), kind: path.resource, uid };
      return call.sink.send({ body: line({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details }) });
    }
    const tree = await readBody(request);
    if (verb === 'create') {
      if (path.name !== null) throw notAllowed();
      const object = objectOf(tree, view.kind);
      const namespace = stored.namespaced ? path.namespace || (object.metadata?.namespace ?? '') : '';
      if (stored.namespaced && world.kind('namespaces')?.store.get(namespace) === undefined) throw notFound({ group: '', resource: 'namespaces' }, namespace);
      if (stored.hasStatus) delete object.status;
      return this.#answer(call, target, writes.create(target, object, namespace), 201);
    }
    if (verb === 'update') return this.#answer(call, target, writes.update(target, key, objectOf(tree, view.kind), part));
    const change = patchOf(request, tree);
    const isApply = contentType(request) === 'application/apply-patch+yaml';
    if (isApply && served.store.get(key) === undefined)
      return this.#answer(call, target, writes.create(target, objectOf(tree, view.kind), path.namespace), 201);
    this.#answer(call, target, writes.patch(target, key, change, part));
  }

  #deleteMany({ sink, url }: Call, path: ObjectPath, target: Target): void {
    const filter = selectorFilter(url.searchParams, target.view);
    const { versions } = target.served.store.page({ namespace: path.namespace, after: '', at: null, filter, limit: null });
    for (const { key } of versions) this.#options.writes.delete(target, key);
    sink.send({ body: line({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details: { kind: path.resource } }) });
  }

  #answer({ request, url, sink }: Call, { view }: Target, version: Version, code = 200): void {
    const form = formOf(request.headers.accept, 'get');
    if (form === 'object') {
      sink.send({ code, body: Buffer.concat([objectBytes(version, view), LINE_END]) });
      return;
    }
    const tree = shown(version, view);
    const wallMs = this.#options.world.clock.wall();
    const metadata = { resourceVersion: String(version.revision) };
    const body =
      form === 'partial' ? partial(tree) : table({ view, trees: [tree], metadata, includeObject: includeObject(url.searchParams), wallMs, withColumns: true });
    sink.send({ code, body: line(body) });
  }
}

const ANONYMOUS = 'system:anonymous';
const LINE_END = Buffer.from('\n');

const kindOf = ({ group, resource }: ObjectPath): { readonly group: string; readonly resource: string } => ({ group, resource });

function line(tree: Tree | ObjectTree): string {
  return `${JSON.stringify(tree)}\n`;
}

function refuse(why: Refusal): never {
  throw why;
}

function forbiddenPath(path: string): Refusal {
  return refusal({ code: 403, reason: 'Forbidden', message: `forbidden: User "${ANONYMOUS}" cannot get path "${path}"`, details: {} });
}

function answerAggregated({ request, sink }: Call, document: { readonly text: string; readonly etag: string }): void {
  const headers = { ETag: document.etag, Vary: 'Accept', 'Cache-Control': 'public' };
  if (request.headers['if-none-match'] === document.etag) sink.send({ code: 304, type: AGGREGATED_TYPE, body: '', headers });
  else sink.send({ type: AGGREGATED_TYPE, body: document.text, headers });
}

function answerFailure(sink: Sink, response: ServerResponse, cause: unknown): void {
  if (!sink.isOpen) return;
  // Half an answer cannot be taken back: cut it, so that the client does not take it for whole.
  if (response.headersSent) {
    sink.reset();
    return;
  }
  const why =
    cause instanceof Refusal
      ? cause
      : cause instanceof UsageError
        ? badRequest(cause.message)
        : refusal({ code: 500, reason: 'InternalError', message: `Internal error occurred: ${messageOf(cause)}` });
  const headers = why.retryAfterSeconds === null ? {} : { 'Retry-After': String(why.retryAfterSeconds) };
  if (typeof why.body === 'string') sink.send({ code: why.code, type: 'text/plain; charset=utf-8', body: why.body, headers });
  else sink.send({ code: why.code, body: `${JSON.stringify(why.body)}\n`, headers });
}
