import { Worker } from 'node:worker_threads';
import type { Clock } from '../../kit/clock.ts';
import { messageOf } from '../../model/errors.ts';
import { kindId } from '../../model/kind.ts';
import { type ObjectKey, objectKey } from '../../model/key.ts';
import { type Outcome, WRITTEN } from '../../model/outcome.ts';
import { aroundStorage } from '../../storage/around.ts';
import { connect } from '../../storage/bcs/connection.ts';
import { documentBody } from '../../storage/bcs/documents.ts';
import { documentPath } from '../../storage/bcs/routes.ts';
import type { BcsService } from '../../storage/bcs/service.ts';
import { openStorage } from '../../storage/open.ts';
import type { Storage, Write } from '../../storage/storage.ts';
import { putOf } from '../bodies.ts';
import type { Books, State } from '../books.ts';
import type { Commit, FromService, ToService } from '../child/service.ts';
import { LOAD_KINDS } from '../load/kinds.ts';
import { keyOf, nameOf, NOTHING_STORED, type Target } from './target.ts';

const CLUSTER = 'laboratory';
/** The sources run as they are, and as compiled JavaScript: the thread's file has the same suffix as this one. */
const THREAD = new URL(`../child/service${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
const KIND_BY_TYPE = new Map(LOAD_KINDS.map((kind) => [kind.kind, kind]));
/** Documents that are preloaded at a time. */
const PRELOAD_WIDTH = 64;

export interface HttpTargetOptions {
  readonly clock: Clock;
  readonly books: Books;
  readonly now: () => number;
  readonly latencyMs: number;
  readonly jitter: number;
}

/**
 * The HTTP service of bcs-k8s-watch with latency, in a thread of its own. Written by the product's engine, which compares revisions before it sends, or plainly,
 * one request for each write, as the old program does it (but over connections that stay open).
 */
export async function createHttpTarget({ clock, books, now, latencyMs, jitter }: HttpTargetOptions): Promise<Target> {
  const thread = new ServiceThread((commit) => tell(commit));
  const url = await thread.ready;
  /** Revisions of deletions that were handed in, by name: the service logs of a deletion only what it deleted. */
  const deletions = new Map<string, string[]>();
  let isPreloading = false;
  const tell = ({ method, key, uid, revision, at }: Commit): void => {
    if (isPreloading) return;
    const [, namespace = '', type = '', name = ''] = key.split('/');
    const kind = KIND_BY_TYPE.get(type);
    if (kind === undefined) return;
    const called = nameOf(kind, objectKey(namespace, name));
    const atMs = at - performance.timeOrigin - clock.now() + now();
    if (method === 'DELETE') books.written(called, null, deletions.get(called)?.shift() ?? null, atMs);
    else if (uid !== null && revision !== null) books.written(called, { uid, revision }, revision, atMs);
  };
  const open: { close(): Promise<void> }[] = [];
  const engineOf = async (): Promise<Storage> => {
    const engine = openStorage(`bcs+${url}`, { cluster: CLUSTER, clock });
    await engine.open();
    engine.learn?.(LOAD_KINDS);
    open.push(engine);
    return engine;
  };
  const service = await connect({
    origins: [url],
    prefix: '',
    timeoutMs: 30_000,
    tls: { caFile: null, certFile: null, keyFile: null },
    tokenFile: null,
    clock,
  });
  open.push(service);
  return {
    async storage(writer) {
      const inner = writer === 'product' ? await engineOf() : plainStorage(service);
      // What the engine looks up once at its start is no part of a run.
      if (writer === 'product') for (const kind of LOAD_KINDS) for await (const _rows of inner.index(kindId(kind), ''));
      await thread.ask({ type: 'latency', ms: latencyMs * (1 - jitter), jitterMs: 2 * jitter * latencyMs });
      return aroundStorage(inner, async (writes, scopes) => {
        for (const write of writes) if (write.type === 'delete' && write.revision !== null) pushTo(deletions, nameOf(write.kind, write.key), write.revision);
        const outcomes = await inner.write(writes, scopes);
        for (const [index, write] of writes.entries()) {
          const kind = outcomes[index]?.kind;
          if (kind === 'stale') books.refuse(now());
          // Nothing was sent, or nothing came of it: no deletion of that revision will be told.
          if (kind !== 'written' && write.type === 'delete') removeFrom(deletions.get(nameOf(write.kind, write.key)), write.revision);
        }
        return outcomes;
      });
    },
    async preload(found) {
      isPreloading = true;
      for (let at = 0; at < found.length; at += PRELOAD_WIDTH) {
        await Promise.all(found.slice(at, at + PRELOAD_WIDTH).map((change) => send(service, putOf(change))));
      }
      await thread.ask({ type: 'flush' });
      isPreloading = false;
    },
    async rows() {
      await thread.ask({ type: 'latency', ms: 0, jitterMs: 0 });
      await thread.ask({ type: 'flush' });
      const engine = await engineOf();
      const rows = new Map<string, State>();
      for (const kind of LOAD_KINDS) {
        for await (const page of engine.index(kindId(kind), '')) for (const { key, uid, revision } of page) rows.set(nameOf(kind, key), { uid, revision });
      }
      return rows;
    },
    async close() {
      for (const one of open) await one.close();
      await thread.close();
    },
  };
}

/** One request a write, and what comes last counts. */
function plainStorage(service: BcsService): Storage {
  return {
    ...NOTHING_STORED,
    name: 'http',
    cannot: { conditional: 'http: the service takes whatever comes last' },
    batchLimit: 1,
    write: (writes) => Promise.all(writes.map((write) => send(service, write))),
  };
}

async function send(service: BcsService, write: Write): Promise<Outcome> {
  const path = documentPath(CLUSTER, { type: write.kind.kind, namespaced: write.kind.namespaced }, keyOf(write) satisfies ObjectKey);
  const verdict = await service.ask(
    write.type === 'put' ? { method: 'PUT', path, body: documentBody(write.body) } : { method: 'DELETE', path, body: undefined },
  );
  return verdict.is === 'done' || verdict.is === 'absent' ? WRITTEN : { kind: 'retry', error: verdict.error };
}

function pushTo(lists: Map<string, string[]>, name: string, item: string): void {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [item]);
  else list.push(item);
}

function removeFrom(list: string[] | undefined, item: string | null): void {
  const at = list === undefined || item === null ? -1 : list.indexOf(item);
  if (at !== -1) list?.splice(at, 1);
}

/** The thread, asked one thing at a time. */
class ServiceThread {
  /** Its address. */
  readonly ready: Promise<string>;
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  #answered: ((what: ToService['type']) => void) | null = null;
  #failed: ((cause: Error) => void) | null = null;

  constructor(onCommit: (commit: Commit) => void) {
    this.#worker = new Worker(THREAD, { execArgv: [], name: 'http storage' });
    this.#ended = new Promise((resolve) => this.#worker.once('exit', () => resolve()));
    this.ready = new Promise((resolve, reject) => {
      this.#worker.on('error', (cause) => {
        const error = new Error(`Cannot run the storage service: ${messageOf(cause)}`);
        reject(error);
        this.#failed?.(error);
      });
      this.#worker.on('message', (message: FromService) => {
        if (message.type === 'ready') resolve(message.url);
        else if (message.type === 'commits') for (const commit of message.commits) onCommit(commit);
        else this.#answered?.(message.what);
      });
    });
  }

  async ask(message: ToService): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#answered = (what) => {
        if (what === message.type) resolve();
      };
      this.#failed = reject;
      this.#worker.postMessage(message);
    });
    this.#answered = null;
    this.#failed = null;
  }

  async close(): Promise<void> {
    await this.ask({ type: 'close' });
    await this.#ended;
  }
}
