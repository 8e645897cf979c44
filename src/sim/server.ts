import type { ChunkSink, Cluster, Discovery, ListQuery, WatchQuery } from '../cluster/cluster.ts';
import { ApiError } from '../model/errors.ts';
import type { ObjectKey } from '../model/key.ts';
import { type Kind, type KindId, kindId, type Scope } from '../model/kind.ts';
import type { VirtualClock } from './clock.ts';
import type { Draw } from './draw.ts';
import { Exchange, type Mark } from './exchange.ts';
import { itemOf, KINDS, NAMESPACES, type ObjectState, type SimKind, WIDGETS, wireOf } from './kinds.ts';
import type { Life } from './life.ts';
import type { Told } from './told.ts';
import type { ChangeEvent, Truth } from './truth.ts';
import { RESET, WatchStream } from './watch-stream.ts';
import type { ApiFault, Weather } from './weather.ts';

const BY_ID = new Map(KINDS.map((kind) => [kind.id, kind]));
/** The server gives less than it is asked for, so that few objects make many pages. */
const LONGEST_PAGE = 40;
const STALE_BY = 12;
/** Lists that go back again and again, or together with that of namespaces, cannot be told from a history that went back. */
const STALE_EVERY_MS = 300_000;
/** As cluster/http.ts gives up, whatever the caller does: without headers, and in the middle of a body. */
const LIST_HEADERS_MS = 65_000;
const WATCH_HEADERS_MS = 30_000;
const BODY_MS = 30_000;

interface Chain {
  readonly kind: SimKind;
  readonly revision: number;
  readonly states: readonly ObjectState[];
  readonly offset: number;
  readonly isLie: boolean;
}

interface Page {
  readonly text: string;
  /** Of the items on it: their states, and where each ends in the text. */
  readonly items: readonly { readonly state: ObjectState; readonly end: number }[];
  readonly isLast: boolean;
}

export interface ServerParts {
  readonly clock: VirtualClock;
  readonly draw: Draw;
  readonly truth: Truth;
  readonly weather: Weather<ApiFault>;
  /** Whether a list that is behind may show an object. */
  readonly isRemembered: (state: ObjectState) => boolean;
  /** The process that writes was told all there is of a kind; or that there is nothing although there is, and it may believe it. */
  readonly onListed: (kind: KindId, was: 'true' | 'a lie') => void;
}

/** One process, as the server meets it. */
interface Client {
  readonly life: Life;
  readonly told: Told;
}

/** The API server: what all processes see of the truth, late and in pieces. */
export class SimServer {
  readonly parts: ServerParts;
  readonly #streams = new Set<WatchStream>();
  #chains = new Map<string, Chain>();
  #tokens = 0;
  /** Requests for lists, ever. */
  lists = 0;
  #staleAtMs = Number.NEGATIVE_INFINITY;
  /** Discovery shows widgets so, whatever is true already. */
  #shown = false;

  constructor(parts: ServerParts) {
    this.parts = parts;
  }

  connect(life: Life, told: Told): Cluster {
    const client: Client = { life, told };
    return {
      address: 'simulated:6443',
      discover: (signal) => this.#discover(life, signal),
      identity: (signal) => this.#identity(life, signal),
      list: (kind, scope, query, sink, signal) => this.#list({ kind, scope, client, query, sink, signal }),
      watch: (kind, scope, query, sink, onOpen, signal) => this.#watch({ kind, scope, client, query, sink, onOpen, signal }),
      get: (kind, key, signal) => this.#get(life, kind, key, signal),
      close: () => Promise.resolve(),
    };
  }

  /** The streams that the next change reaches. */
  happened(event: ChangeEvent): void {
    const { truth, clock, draw } = this.parts;
    for (const stream of [...this.#streams]) if (stream.kind === event.state.kind) stream.event(event);
    if (truth.isDefined === this.#shown) return;
    // Discovery lags behind, and the watches of a kind that is gone end.
    clock.after(draw.whole(0, 4_000), () => {
      this.#shown = truth.isDefined;
    });
    if (!truth.isDefined) this.streams(WIDGETS.id, (stream) => stream.endsAfterThis('clean'));
  }

  /** Another history from now on: what streams there are say nothing of it. */
  historyChanged(cuts: boolean): void {
    this.#chains = new Map();
    this.#shown = this.parts.truth.isDefined;
    for (const stream of [...this.#streams]) {
      stream.deafen();
      if (cuts) stream.break();
    }
  }

  expireTokens(): void {
    this.#chains = new Map();
  }

  streams(kind: KindId | null, each: (stream: WatchStream) => void): void {
    for (const stream of [...this.#streams]) if (kind === null || stream.kind.id === kind) each(stream);
  }

  /** The first half of every request: on its way, and what may strike it there. `answer` says the rest, with what is left of the fault. */
  #ask(exchange: Pick<Exchange<unknown>, 'after' | 'fail'>, kind: SimKind | null, answer: (fault: ApiFault | null) => void, headersMs = LIST_HEADERS_MS): void {
    const { weather, clock, draw } = this.parts;
    const fault = weather.strike(kind?.id ?? null, clock.nowMs);
    exchange.after(fault === 'slow' ? draw.small(0, 8_000) : draw.small(0, 20), () => {
      const refusal = refusalOf(fault, draw);
      if (refusal !== null) exchange.fail(refusal);
      else if (fault === 'hang') exchange.after(headersMs, () => exchange.fail(timeout('UND_ERR_HEADERS_TIMEOUT')));
      else answer(fault);
    });
  }

  #list(request: { kind: Kind; scope: Scope; client: Client; query: ListQuery; sink: ChunkSink; signal: AbortSignal }): Promise<void> {
    const { client, query, sink, signal } = request;
    this.lists++;
    const { draw } = this.parts;
    const kind = simKindOf(request.kind);
    const exchange = new Exchange<void>(this.parts, client.life, signal);
    this.#ask(exchange, kind, (fault) => {
      if (kind === WIDGETS && !this.parts.truth.isDefined) return exchange.fail(notFound());
      const chain = this.#chainOf({ ...request, kind }, fault);
      if (chain instanceof ApiError) return exchange.fail(chain);
      const { text, items, isLast } = this.#page(chain, query);
      const body = Buffer.from(text, 'latin1');
      const hearsay = client.told.of(kind.id);
      const marks: readonly Mark[] = items.map(({ state: { key, revision }, end }) => ({ end, told: () => hearsay.exists(key, revision) }));
      if (fault === 'cut' || fault === 'stall') {
        const broken = (): void => (fault === 'cut' ? exchange.fail(RESET) : exchange.after(BODY_MS, () => exchange.fail(timeout('UND_ERR_BODY_TIMEOUT'))));
        exchange.send(body.subarray(0, draw.whole(0, body.length - 1)), sink, broken, marks);
        return;
      }
      const end = (): void => {
        // A page of one is a look at the revision.
        if (isLast && query.limit !== 1) this.#listed(client, kind, new Set(chain.states.map(({ key }) => key)), chain.isLie);
        exchange.succeed();
      };
      exchange.send(body, sink, end, marks);
    });
    return exchange.promise;
  }

  /** A complete list was told, up to its end. */
  #listed({ told }: Client, { id }: SimKind, keys: ReadonlySet<ObjectKey>, isLie: boolean): void {
    const isBelievable = told.of(id).listed(keys);
    if (!told.isLeading) return;
    if (!isLie) this.parts.onListed(id, 'true');
    else if (isBelievable) this.parts.onListed(id, 'a lie');
  }

  /** Nothing, where the process surely knows objects: a list that contradicts nothing cannot be doubted. */
  #isLie(fault: ApiFault | null, { told }: Client, { id }: SimKind): boolean {
    if (fault !== 'empty' || told.hasStoodBy || !told.of(id).hasObjects) return false;
    this.parts.weather.struck('empty', id);
    return true;
  }

  #chainOf(request: { kind: SimKind; scope: Scope; query: ListQuery; client: Client }, fault: ApiFault | null): Chain | ApiError {
    const { kind, scope, query, client } = request;
    const { truth, draw, clock, isRemembered } = this.parts;
    if (query.continue !== undefined) {
      const chain = this.#chains.get(query.continue);
      if (chain !== undefined && fault !== 'tokens') return chain;
      return new ApiError('The provided continue parameter is too old', { status: 410, reason: 'Expired', continueToken: 'inconsistent' });
    }
    const selects = selectorOf(scope, query.fieldSelector);
    if (this.#isLie(fault, client, kind)) return { kind, revision: truth.revision, states: [], offset: 0, isLie: true };
    const isStale = fault === 'stale' && kind !== NAMESPACES && clock.nowMs - this.#staleAtMs > STALE_EVERY_MS;
    let past = isStale ? truth.of(kind).past(draw.whole(1, STALE_BY)) : null;
    if (past !== null && ![...past.objects.values()].every(isRemembered)) past = null;
    if (past !== null) this.#staleAtMs = clock.nowMs;
    const states = [...(past ?? truth.of(kind)).objects.values()].filter(selects).sort(byKey);
    return { kind, revision: past?.revision ?? truth.revision, states, offset: 0, isLie: false };
  }

  #page({ kind, revision, states, offset }: Chain, query: ListQuery): Page {
    const end = Math.min(states.length, offset + Math.min(query.limit ?? states.length, LONGEST_PAGE, this.parts.draw.whole(3, LONGEST_PAGE)));
    let token = '';
    if (query.limit !== undefined && end < states.length) {
      token = `token-${++this.#tokens}`;
      this.#chains.set(token, { kind, revision, states, offset: end, isLie: false });
    }
    const shown = token === '' ? states.slice(offset) : states.slice(offset, end);
    const items = shown.map(itemOf);
    const metadata = `"metadata":{${token === '' ? '' : `"continue":"${token}",`}"resourceVersion":"${revision}"}`;
    const type = `"kind":"${kind.kind.kind}List"`;
    const before = `{"apiVersion":"${kind.apiVersion}",${kind.isCustom ? '' : `${type},${metadata},`}"items":[`;
    const after = kind.isCustom ? `],${type},${metadata}}\n` : ']}\n';
    let at = before.length;
    const ends = items.map((item) => {
      at += item.length + 1;
      return at - 1;
    });
    return {
      text: before + items.join(',') + after,
      items: shown.map((state, index) => ({ state, end: ends[index] as number })),
      isLast: token === '',
    };
  }

  #watch(request: { kind: Kind; scope: Scope; client: Client; query: WatchQuery; sink: ChunkSink; onOpen: () => void; signal: AbortSignal }): Promise<void> {
    const { draw } = this.parts;
    const kind = simKindOf(request.kind);
    const selects = selectorOf(request.scope, request.query.fieldSelector);
    const { client } = request;
    const stream = new WatchStream({
      ...this.parts,
      ...request,
      life: client.life,
      kind,
      selects,
      onClose: (closed) => this.#streams.delete(closed),
      hearsay: () => client.told.of(kind.id),
      onListed: (keys, isLie) => this.#listed(client, kind, keys, isLie),
    });
    const answer = (fault: ApiFault | null): void => {
      if (kind === WIDGETS && !this.parts.truth.isDefined) return stream.exchange.fail(notFound());
      if (fault === 'gone') return stream.exchange.fail(new ApiError('too old resource version', { status: 410, reason: 'Expired' }));
      this.#streams.add(stream);
      stream.open(request.query.sendInitialEvents === true && this.#isLie(fault, client, kind));
      if (fault === 'goneEvent') stream.expire();
      else if (fault === 'ends') stream.endsAfterThis('clean');
      else if (fault === 'hole') stream.silence();
      else if (fault === 'stall') stream.stall(draw.whole(1_000, 400_000));
      else if (fault === 'cut') stream.exchange.after(draw.small(0, 60_000), () => stream.break());
    };
    this.#ask(stream.exchange, kind, answer, WATCH_HEADERS_MS);
    return stream.exchange.promise;
  }

  #get(life: Life, ofKind: Kind, key: ObjectKey, signal: AbortSignal): Promise<Uint8Array | null> {
    const kind = simKindOf(ofKind);
    const exchange = new Exchange<Uint8Array | null>(this.parts, life, signal);
    this.#ask(exchange, kind, () => {
      const state = this.parts.truth.of(kind).objects.get(key);
      const bytes = state === undefined ? null : Buffer.from(wireOf(state.body), 'latin1');
      exchange.after(this.parts.draw.small(0, 50), () => exchange.succeed(bytes));
    });
    return exchange.promise;
  }

  #discover(life: Life, signal: AbortSignal): Promise<Discovery> {
    const exchange = new Exchange<Discovery>(this.parts, life, signal);
    this.#ask(exchange, null, (fault) => {
      const kinds = KINDS.filter((kind) => kind !== WIDGETS || this.#shown).map(({ kind }) => kind);
      if (fault === null || fault === 'slow') return exchange.succeed({ kinds, broken: [] });
      // An aggregated API that does not answer.
      exchange.succeed({ kinds: kinds.filter((kind) => kind !== WIDGETS.kind), broken: [{ groupVersion: WIDGETS.apiVersion, error: 'simulated' }] });
    });
    return exchange.promise;
  }

  #identity(life: Life, signal: AbortSignal): Promise<string | null> {
    const exchange = new Exchange<string | null>(this.parts, life, signal);
    this.#ask(exchange, null, () => exchange.succeed(this.parts.truth.identity));
    return exchange.promise;
  }
}

function refusalOf(fault: ApiFault | null, draw: Draw): Error | null {
  switch (fault) {
    case 'busy':
      return new ApiError('too many requests', { status: 429, reason: 'TooManyRequests' });
    case 'throttled':
      return new ApiError('too many requests', { status: 429, reason: 'TooManyRequests', retryAfterMs: 1_000 * draw.small(1, 60) });
    case 'forbidden':
      return new ApiError('forbidden', { status: 403, reason: 'Forbidden' });
    case 'broken':
      return new ApiError('etcdserver: leader changed', { status: 500, reason: 'InternalError' });
    case 'unavailable':
      return new ApiError('the server is shutting down', { status: 503, reason: 'ServiceUnavailable' });
    case 'away':
      return Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    default:
      return null;
  }
}

function timeout(code: string): Error {
  return Object.assign(new Error('no answer in time'), { code });
}

function notFound(): ApiError {
  return new ApiError('the server could not find the requested resource', { status: 404, reason: 'NotFound' });
}

function simKindOf(kind: Kind): SimKind {
  const found = BY_ID.get(kindId(kind));
  if (found === undefined) throw new Error(`Cannot simulate a request for ${kindId(kind)}: src/sim/kinds.ts has no such kind`);
  return found;
}

/** What the server evaluates itself. Only by namespace, which never changes, so that no object ever begins or ceases to match. */
function selectorOf(scope: Scope, fields: string | undefined): (state: ObjectState) => boolean {
  if (fields === undefined || fields === '') return ({ namespace }) => scope === '' || namespace === scope;
  const terms = fields.split(',').map((term) => /^metadata\.namespace(!?=)(.+)$/.exec(term));
  return ({ namespace }) =>
    (scope === '' || namespace === scope) &&
    terms.every((term) => {
      if (term === null) throw new Error(`Cannot simulate the field selector "${fields}": only metadata.namespace is known`);
      return (term[1] === '=') === (namespace === term[2]);
    });
}

function byKey(a: ObjectState, b: ObjectState): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
