import type { Cluster, ListQuery, WatchQuery } from '../cluster/cluster.ts';
import { type ListEnd, ListReader } from '../json/list-reader.ts';
import type { ChangeType } from '../json/watch-reader.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import type { Random } from '../kit/random.ts';
import { messageOf } from '../model/errors.ts';
import { apiVersionOf, type Kind, type Scope } from '../model/kind.ts';
import type { RawObject } from '../model/raw-object.ts';
import type { Revision } from '../model/revision.ts';
import { type Failure, failureOf } from './failure.ts';
import { START, step } from './machine.ts';
import { writeNote } from './notes.ts';
import { DEFAULT_OPTIONS, type ReflectorOptions } from './options.ts';
import type { ReflectorSink } from './reflector.ts';
import type { Effect, Input, ResyncReason, State } from './state.ts';
import { StreamFeed } from './stream-feed.ts';

export interface Selectors {
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export interface ReflectorParts {
  readonly kind: Kind;
  readonly scope: Scope;
  readonly cluster: Cluster;
  readonly sink: ReflectorSink;
  readonly clock: Clock;
  readonly random: Random;
  /** Its lines should already name the kind. */
  readonly log: Logger;
  /** Read when a list begins and kept until the next one, so that all pages and the watch after them ask for the same. */
  readonly selectors?: Selectors | undefined;
  /** Watch from here and list nothing: the watermark of an earlier run with the same selectors. A 410 leads to a list. */
  readonly resumeFrom?: Revision | null | undefined;
  readonly options?: Partial<ReflectorOptions> | undefined;
  /** A page of a list has come whole. Must not throw. */
  readonly onPage?: ((end: ListEnd) => void) | undefined;
}

export interface Reflector {
  /**
   * Follows the kind until `signal` aborts; then every request and timer is ended before it resolves. Rejects only when
   * the sink threw. May be called once.
   */
  run(signal: AbortSignal): Promise<void>;
  /** Asks for a whole list, now or after the wait that is running. */
  resync(reason: ResyncReason): void;
  /** Another reflector has reached the API server: if this one waits because it was away, the wait ends within a second. */
  reached(): void;
}

/** One list scope of one kind, from the cluster into the sink. SPEC.md has the rules. */
export function createReflector(parts: ReflectorParts): Reflector {
  return new ReflectorShell(parts);
}

/** A request, or the wait for room before it. At most one is alive; the next begins when the one before has settled. */
interface Request {
  readonly controller: AbortController;
  /** From then on nothing it says is heard (RF-S15). */
  isOver: boolean;
  settled: Promise<void>;
}

class ReflectorShell implements Reflector {
  readonly #parts: ReflectorParts;
  readonly #options: ReflectorOptions;
  readonly #log: Logger;
  readonly #type: { readonly kind: string; readonly apiVersion: string };
  readonly #ended = Promise.withResolvers<void>();
  /** Inputs that came while effects were being carried out: those come first. */
  readonly #inbox: Input[] = [];
  #state: State = START;
  #isStepping = false;
  #isRunning = false;
  #request: Request | null = null;
  #selectors: Selectors;
  #cancelTimer: () => void = () => {};
  #crash: { readonly cause: unknown } | null = null;

  constructor(parts: ReflectorParts) {
    this.#parts = parts;
    this.#options = { ...DEFAULT_OPTIONS, ...parts.options };
    this.#selectors = { ...parts.selectors };
    this.#type = { kind: parts.kind.kind, apiVersion: apiVersionOf(parts.kind) };
    const fields = parts.scope === '' ? {} : { scope: parts.scope };
    this.#log = parts.log.child({ component: 'reflector', ...fields });
  }

  async run(signal: AbortSignal): Promise<void> {
    if (this.#isRunning) throw new Error('Cannot run the reflector: it runs already or has ended, make a new one');
    this.#isRunning = true;
    const stop = (): void => this.#feed({ type: 'stop' });
    signal.addEventListener('abort', stop, { once: true });
    try {
      if (signal.aborted) stop();
      else this.#feed({ type: 'start', revision: this.#parts.resumeFrom ?? null });
      await this.#ended.promise;
      await this.#request?.settled;
    } finally {
      signal.removeEventListener('abort', stop);
    }
    if (this.#crash !== null) throw this.#crash.cause;
  }

  resync(reason: ResyncReason): void {
    this.#feed({ type: 'resync', reason });
  }

  reached(): void {
    this.#feed({ type: 'reached' });
  }

  /** One input at a time; its effects are carried out before the next. */
  #feed(input: Input): void {
    this.#inbox.push(input);
    if (this.#isStepping) return;
    this.#isStepping = true;
    try {
      for (let next = this.#inbox.shift(); next !== undefined; next = this.#inbox.shift()) this.#step(next);
    } finally {
      this.#isStepping = false;
    }
  }

  #step(input: Input): void {
    const { clock, random } = this.#parts;
    const context = { now: clock.now(), random: random.next(), options: this.#options };
    const [state, effects] = step(this.#state, input, context);
    const isStopping = state.at === 'stopped' && this.#state.at !== 'stopped';
    this.#state = state;
    for (const effect of effects) this.#guarded(() => this.#perform(effect));
    if (!isStopping) return;
    this.#cancelTimer();
    this.#ended.resolve();
  }

  #perform(effect: Effect): void {
    const { sink, kind, scope } = this.#parts;
    switch (effect.do) {
      case 'awaitRoom':
        // A page waits for room with the selectors its list began with.
        if (this.#state.at === 'listing' && this.#state.page === 1) this.#selectors = { ...this.#parts.selectors };
        this.#open((request) => this.#awaitRoom(request));
        break;
      case 'page':
        this.#open((request) => this.#readPage(request, { ...effect.query, ...this.#selectors }));
        break;
      case 'watch':
        if (this.#state.at === 'streaming') this.#selectors = { ...this.#parts.selectors };
        this.#open((request) => this.#readStream(request, { ...effect.query, ...this.#selectors }));
        break;
      case 'close':
        this.#close();
        break;
      case 'wakeAt':
        this.#arm(effect.at);
        break;
      case 'listBegin':
        sink.listBegin(effect.reason);
        break;
      case 'listEnd':
        sink.listEnd(effect.revision);
        break;
      case 'listAbort':
        sink.listAbort();
        break;
      case 'progress':
        sink.progress(effect.revision);
        break;
      case 'status':
        sink.status(effect.status);
        break;
      case 'note':
        writeNote(this.#log, { kind, scope }, effect.note);
        break;
    }
  }

  #arm(at: number): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#parts.clock.after(Math.max(0, at - this.#parts.clock.now()), () => this.#feed({ type: 'wake' }));
  }

  #open(run: (request: Request) => Promise<void>): void {
    const before = this.#request;
    const request: Request = { controller: new AbortController(), isOver: false, settled: Promise.resolve() };
    this.#request = request;
    request.settled = (async (): Promise<void> => {
      await before?.settled;
      if (!request.isOver) await run(request);
    })();
  }

  #close(): void {
    if (this.#request === null || this.#request.isOver) return;
    this.#request.isOver = true;
    this.#request.controller.abort();
  }

  /** The last word of a request; null when it may not speak any more. */
  #finish(request: Request, input: Input): void {
    if (request.isOver) return;
    request.isOver = true;
    this.#feed(input);
  }

  async #awaitRoom(request: Request): Promise<void> {
    try {
      await this.#parts.sink.room(request.controller.signal);
    } catch (cause) {
      if (!request.isOver) this.#fail(cause);
      return;
    }
    this.#finish(request, { type: 'room' });
  }

  async #readPage(request: Request, query: ListQuery): Promise<void> {
    const { cluster, kind, scope, sink } = this.#parts;
    const reader = new ListReader({
      ...this.#type,
      onItem: (object) => {
        if (request.isOver) return;
        try {
          sink.object(object, 'list');
        } catch (cause) {
          this.#fail(cause);
        }
      },
      onDamaged: (error) => this.#deliver(request, () => sink.damaged(error)),
    });
    let isFirst = true;
    try {
      const read = (chunk: Uint8Array): void => {
        if (request.isOver) return;
        this.#heardNow();
        this.#feed(isFirst ? { type: 'opened' } : { type: 'heard', revision: null, events: 0, bookmark: false });
        isFirst = false;
        reader.push(chunk);
      };
      await cluster.list(kind, scope, query, read, request.controller.signal);
    } catch (cause) {
      this.#finish(request, { type: 'failed', failure: failureOf(cause) });
      return;
    }
    if (request.isOver) return;
    let end: ListEnd;
    try {
      end = reader.end();
      this.#parts.onPage?.(end);
    } catch (cause) {
      this.#finish(request, { type: 'failed', failure: unreadable(cause) });
      return;
    }
    this.#finish(request, { type: 'pageDone', revision: end.revision, continue: end.continue });
  }

  async #readStream(request: Request, query: WatchQuery): Promise<void> {
    const { cluster, kind, scope } = this.#parts;
    const stream = this.#streamFeed(request);
    const read = (chunk: Uint8Array): void => {
      if (request.isOver) return;
      this.#heardNow();
      stream.push(chunk);
    };
    const opened = (): void => {
      if (request.isOver) return;
      this.#heardNow();
      this.#feed({ type: 'opened' });
    };
    try {
      await cluster.watch(kind, scope, query, read, opened, request.controller.signal);
      stream.end();
    } catch (cause) {
      this.#finish(request, { type: 'failed', failure: failureOf(cause) });
      return;
    }
    this.#finish(request, { type: 'ended' });
  }

  #streamFeed(request: Request): StreamFeed {
    return new StreamFeed({
      ...this.#type,
      isOver: () => request.isOver,
      onEvent: (type, object) => {
        // No closure here: this runs for every event.
        try {
          this.#event(type, object);
        } catch (cause) {
          this.#fail(cause);
        }
      },
      onDamaged: (error) => this.#guarded(() => this.#parts.sink.damaged(error)),
      feed: (input) => this.#feed(input),
    });
  }

  #event(type: ChangeType, object: RawObject): void {
    const { sink } = this.#parts;
    if (type === 'DELETED') sink.deleted(object);
    else sink.object(object, this.#state.at === 'streaming' ? 'list' : 'watch');
  }

  #deliver(request: Request, give: () => void): void {
    if (!request.isOver) this.#guarded(give);
  }

  #heardNow(): void {
    this.#guarded(() => this.#parts.sink.heard());
  }

  /** The sink does not throw; when it does, that is a bug of ours, to be seen by the owner and not retried as a broken connection (RF-S7). */
  #guarded(give: () => void): void {
    try {
      give();
    } catch (cause) {
      this.#fail(cause);
    }
  }

  #fail(cause: unknown): void {
    this.#crash ??= { cause };
    this.#feed({ type: 'stop' });
  }
}

function unreadable(cause: unknown): Failure {
  return { kind: 'malformed', message: messageOf(cause) };
}
