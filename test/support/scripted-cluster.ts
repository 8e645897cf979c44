import type { ChunkSink, Cluster, Discovery, ListQuery, WatchQuery } from '../../src/cluster/cluster.ts';
import type { Clock } from '../../src/kit/clock.ts';
import { ApiError } from '../../src/model/errors.ts';
import type { ObjectKey } from '../../src/model/key.ts';
import { apiVersionOf, type Kind, type Scope } from '../../src/model/kind.ts';
import type { Random } from '../../src/kit/random.ts';
import { compareRevisions } from '../../src/model/revision.ts';

/** What goes wrong with one request. Absent means nothing does. */
export type Fault =
  | {
      readonly do: 'refuse';
      readonly status: number;
      readonly reason?: string;
      readonly causes?: readonly string[];
      readonly retryAfterMs?: number;
      readonly message?: string;
    }
  | { readonly do: 'network'; readonly code: string }
  /** The connection breaks after so many bytes. */
  | { readonly do: 'cut'; readonly afterBytes: number }
  /** Accepted, and then nothing, for ever. `before`: not even headers. */
  | { readonly do: 'hang'; readonly before: boolean }
  /** A stream ends with this ERROR event after what is due at once. */
  | { readonly do: 'error'; readonly status: number; readonly reason?: string }
  /** A stream ends cleanly after what is due at once. */
  | { readonly do: 'end' };

export interface ScriptedRequest {
  readonly verb: 'list' | 'watch';
  readonly query: ListQuery | WatchQuery;
  readonly number: number;
}

interface StoredObject {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly revision: string;
  readonly value: string;
}

interface StoredEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: StoredObject;
  /** Sent without its object. */
  readonly isUnreadable?: boolean;
}

interface Chain {
  readonly revision: string;
  readonly objects: readonly StoredObject[];
}

const CUT = Object.assign(new Error('the connection was reset'), { code: 'ECONNRESET' });

/**
 * One kind on an API server that lives in memory and on a handed-in clock: revisions, a bounded history, pages with
 * snapshots, watches with bookmarks and timeouts, streaming lists, and a script that decides what goes wrong. It also keeps the
 * books that a test wants to see: requests open at the same time, and streams that were never ended.
 */
export class ScriptedCluster implements Cluster {
  readonly address = 'scripted:6443';
  readonly requests: ScriptedRequest[] = [];
  /** Decides the fault of each request. */
  fault: (request: ScriptedRequest) => Fault | null = () => null;
  bookmarks = true;
  streams = true;
  /** Most requests open at once, ever. */
  mostOpen = 0;
  open = 0;
  readonly #kind: Kind;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #objects = new Map<string, StoredObject>();
  #history: StoredEvent[] = [];
  /** Everything that ever happened, for truthAt; never compacted. */
  readonly #log: StoredEvent[] = [];
  #revision: bigint;
  /** Revisions below this are gone. */
  #oldest: bigint;
  #uids = 0;
  #chains = new Map<string, Chain>();
  readonly #watchers = new Set<(event: StoredEvent) => void>();
  readonly #enders = new Set<(cause: Error | null) => void>();

  constructor(options: { readonly kind: Kind; readonly clock: Clock; readonly random: Random; readonly revision?: bigint }) {
    this.#kind = options.kind;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#revision = options.revision ?? 100n;
    this.#oldest = this.#revision;
  }

  get revision(): string {
    return String(this.#revision);
  }

  /** `namespace/name` to `uid@revision`: the truth. */
  get truth(): ReadonlyMap<string, string> {
    return new Map([...this.#objects].map(([key, object]) => [key, `${object.uid}@${object.revision}`] as const));
  }

  /** The truth as it was at a revision: `namespace/name` to revision, and the keys that were gone by then. Meaningless across a wipe. */
  truthAt(revision: string): ReadonlyMap<string, string | null> {
    const state = new Map<string, string | null>();
    for (const { type, object } of this.#log) {
      if (compareRevisions(object.revision, revision) > 0) break;
      state.set(`${object.namespace}/${object.name}`, type === 'DELETED' ? null : object.revision);
    }
    return state;
  }

  put(name: string, value = ''): void {
    const key = `default/${name}`;
    const old = this.#objects.get(key);
    const object = { namespace: 'default', name, uid: old?.uid ?? `uid-${++this.#uids}`, revision: this.#next(), value };
    this.#objects.set(key, object);
    this.#happen({ type: old === undefined ? 'ADDED' : 'MODIFIED', object });
  }

  /** Gone, and the watch says so without saying what (kubernetes#76624). */
  removeUnreadably(name: string): void {
    this.remove(name, { isUnreadable: true });
  }

  remove(name: string, how: { readonly isUnreadable: boolean } = { isUnreadable: false }): void {
    const key = `default/${name}`;
    const old = this.#objects.get(key);
    if (old === undefined) return;
    this.#objects.delete(key);
    this.#happen({ type: 'DELETED', object: { ...old, revision: this.#next() }, ...how });
  }

  /** Another kind was written: the revision moves and nothing else. */
  tick(): void {
    this.#next();
  }

  /** Forgets the history: later watches from before get 410. */
  compact(): void {
    this.#oldest = this.#revision;
    this.#history = [];
  }

  /** Continue tokens given so far are worthless. */
  expireTokens(): void {
    this.#chains = new Map();
  }

  /** All watches end cleanly, as on a shutdown. */
  endWatches(): void {
    for (const end of [...this.#enders]) end(null);
  }

  /** All watches break. */
  cutWatches(): void {
    for (const end of [...this.#enders]) end(CUT);
  }

  /** Another etcd: new objects, new uids, a lower revision; running watches stay open and silent. */
  wipe(): void {
    this.#objects.clear();
    this.#history = [];
    this.#revision = 10n;
    this.#oldest = 10n;
    this.#chains = new Map();
    this.#watchers.clear();
  }

  /** Bytes straight into every open watch. */
  inject(line: string): void {
    for (const send of [...this.#raw]) send(line);
  }
  readonly #raw = new Set<(line: string) => void>();

  async list(_kind: Kind, _scope: Scope, query: ListQuery, sink: ChunkSink, signal: AbortSignal): Promise<void> {
    const fault = this.#ask('list', query);
    return this.#during(signal, async (end) => {
      if (fault?.do === 'hang' && fault.before) return end.forever;
      refuse(fault);
      const chain = this.#chain(query);
      const [revision, offset] = chain === null ? [this.revision, 0] : chain.at;
      const objects = chain === null ? this.#sorted() : chain.objects;
      const limit = query.limit ?? objects.length;
      const page = objects.slice(offset, offset + limit);
      const isLast = offset + page.length >= objects.length;
      let token = '';
      if (!isLast) {
        token = `${revision}:${offset + page.length}:${this.requests.length}`;
        this.#chains.set(token, { revision, objects });
      }
      const metadata = { ...(isLast ? {} : { continue: token }), resourceVersion: revision };
      const body = `${JSON.stringify({ kind: `${this.#kind.kind}List`, apiVersion: apiVersionOf(this.#kind), metadata, items: page.map((object) => this.#json(object, false)) })}\n`;
      await this.#send(body, sink, end, fault);
      if (fault?.do === 'hang') return end.forever;
    });
  }

  async watch(_kind: Kind, _scope: Scope, query: WatchQuery, sink: ChunkSink, onOpen: () => void, signal: AbortSignal): Promise<void> {
    const fault = this.#ask('watch', query);
    return this.#during(signal, async (end) => {
      if (fault?.do === 'hang' && fault.before) return end.forever;
      refuse(fault);
      if (query.sendInitialEvents === true && !this.streams) throw new ApiError('sendInitialEvents is forbidden', { status: 422, reason: 'Invalid' });
      onOpen();
      if (fault?.do === 'hang') return end.forever;
      await this.#follow(query, sink, fault, end);
    });
  }

  async discover(): Promise<Discovery> {
    return { kinds: [this.#kind], broken: [] };
  }

  async get(_kind: Kind, key: ObjectKey): Promise<Uint8Array | null> {
    const object = this.#objects.get(key);
    return object === undefined ? null : Buffer.from(JSON.stringify(this.#json(object, true)));
  }

  async identity(): Promise<string | null> {
    return null;
  }

  async close(): Promise<void> {}

  async #follow(query: WatchQuery, sink: ChunkSink, fault: Fault | null, end: Ending): Promise<void> {
    const queue: string[] = [];
    let wakeUp: () => void = () => {};
    let isEnding = false;
    const push = (line: string): void => {
      queue.push(line);
      wakeUp();
    };
    const add = (event: StoredEvent): void => push(this.#line(event.type, event.isUnreadable === true ? null : this.#json(event.object, true)));
    const from = query.resourceVersion === '' || query.resourceVersion === '0' ? null : query.resourceVersion;
    if (query.sendInitialEvents === true) {
      if (from !== null && compareRevisions(from, this.revision) > 0) {
        push(this.#error(504, 'Timeout', 'Too large resource version'));
        isEnding = true;
      } else {
        for (const object of this.#sorted()) push(this.#line('ADDED', this.#json(object, true)));
        push(this.#bookmark({ 'k8s.io/initial-events-end': 'true' }));
      }
    } else if (from !== null && BigInt(from) < this.#oldest) {
      push(this.#error(410, 'Expired', `too old resource version: ${from} (${this.#oldest})`));
      isEnding = true;
    } else if (from !== null) {
      for (const event of this.#history) if (compareRevisions(event.object.revision, from) > 0) add(event);
    }
    if (fault?.do === 'error') {
      push(this.#error(fault.status, fault.reason ?? '', 'scripted'));
      isEnding = true;
    }
    if (fault?.do === 'end') isEnding = true;
    const watcher = isEnding ? (): void => {} : add;
    this.#watchers.add(watcher);
    this.#raw.add(push);
    const cancels = [
      this.#clock.after(query.timeoutSeconds * 1000, () => end.end(null)),
      ...(this.bookmarks ? [this.#every(60_000, () => this.#watchers.has(watcher) && push(this.#bookmark({})))] : []),
    ];
    try {
      for (;;) {
        while (queue.length > 0) await this.#send(queue.splice(0).join(''), sink, end, fault);
        if (isEnding) return;
        const done = await Promise.race([end.ended, new Promise<'more'>((resolve) => (wakeUp = () => resolve('more')))]);
        if (done !== 'more') return;
      }
    } finally {
      for (const cancel of cancels) cancel();
      this.#watchers.delete(watcher);
      this.#raw.delete(push);
    }
  }

  #every(ms: number, run: () => void): () => void {
    let cancel = (): void => {};
    const arm = (): void => {
      cancel = this.#clock.after(ms, () => {
        run();
        arm();
      });
    };
    arm();
    return () => cancel();
  }

  /** Keeps count of open requests, rejects on abort, and lets a request be ended from outside. */
  async #during(signal: AbortSignal, run: (end: Ending) => Promise<void>): Promise<void> {
    signal.throwIfAborted();
    const ending = Promise.withResolvers<'ended'>();
    const isOver = { now: false };
    const end = (cause: Error | null): void => (cause === null ? ending.resolve('ended') : ending.reject(cause));
    const aborted = (): void => ending.reject(signal.reason);
    signal.addEventListener('abort', aborted, { once: true });
    ending.promise.catch(() => {});
    this.open++;
    this.mostOpen = Math.max(this.mostOpen, this.open);
    this.#enders.add(end);
    try {
      await Promise.resolve();
      const broken = new Promise<never>((_resolve, reject) => void ending.promise.catch(reject));
      const forever = ending.promise.then((): never => {
        throw CUT;
      });
      for (const promise of [broken, forever]) promise.catch(() => {});
      await Promise.race([run({ end, ended: ending.promise, forever, isOver }), broken]);
    } finally {
      isOver.now = true;
      this.open--;
      this.#enders.delete(end);
      signal.removeEventListener('abort', aborted);
    }
  }

  async #send(text: string, sink: ChunkSink, end: Ending, fault: Fault | null): Promise<void> {
    let bytes: Uint8Array = Buffer.from(text);
    const isCut = fault?.do === 'cut';
    if (isCut) bytes = bytes.subarray(0, fault.afterBytes);
    for (let at = 0; at < bytes.length; ) {
      const size = 1 + Math.floor(this.#random.next() ** 3 * 4000);
      // The chunk is the socket's own buffer: a reader that keeps it reads rubbish afterwards.
      const chunk = Buffer.from(bytes.subarray(at, at + size));
      sink(chunk);
      chunk.fill(0x21);
      at += size;
      await Promise.resolve();
      if (end.isOver.now) throw CUT;
    }
    if (isCut) throw CUT;
  }

  #ask(verb: 'list' | 'watch', query: ListQuery | WatchQuery): Fault | null {
    const request = { verb, query, number: this.requests.length };
    this.requests.push(request);
    return this.fault(request);
  }

  #chain(query: ListQuery): { readonly at: readonly [string, number]; readonly objects: readonly StoredObject[] } | null {
    if (query.continue === undefined) return null;
    const chain = this.#chains.get(query.continue);
    if (chain === undefined) throw new ApiError('The provided continue parameter is too old', { status: 410, reason: 'Expired' });
    return { at: [chain.revision, Number(query.continue.split(':')[1])], objects: chain.objects };
  }

  #sorted(): readonly StoredObject[] {
    return [...this.#objects.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  #happen(event: StoredEvent): void {
    this.#history.push(event);
    this.#log.push(event);
    for (const send of [...this.#watchers]) send(event);
  }

  #next(): string {
    this.#revision++;
    return this.revision;
  }

  #json(object: StoredObject, isTyped: boolean): Record<string, unknown> {
    return {
      ...(isTyped ? { kind: this.#kind.kind, apiVersion: apiVersionOf(this.#kind) } : {}),
      metadata: { name: object.name, namespace: object.namespace, uid: object.uid, resourceVersion: object.revision, managedFields: [{ manager: 'scripted' }] },
      data: { value: object.value },
    };
  }

  #line(type: string, object: Record<string, unknown> | null): string {
    return `${JSON.stringify({ type, object })}\n`;
  }

  #bookmark(annotations: Record<string, string>): string {
    return this.#line('BOOKMARK', { kind: this.#kind.kind, apiVersion: apiVersionOf(this.#kind), metadata: { resourceVersion: this.revision, annotations } });
  }

  #error(code: number, reason: string, message: string): string {
    return this.#line('ERROR', { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code });
  }
}

interface Ending {
  readonly end: (cause: Error | null) => void;
  readonly ended: Promise<'ended'>;
  readonly forever: Promise<never>;
  /** The request was settled: nothing more may be sent. */
  readonly isOver: { readonly now: boolean };
}

function refuse(fault: Fault | null): void {
  if (fault?.do === 'network') throw Object.assign(new Error(`connect ${fault.code}`), { code: fault.code });
  if (fault?.do !== 'refuse') return;
  const { status, reason = '', causes = [], retryAfterMs = null, message = `scripted ${status}` } = fault;
  throw new ApiError(message, { status, reason, causes, retryAfterMs });
}
