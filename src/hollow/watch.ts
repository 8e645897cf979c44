import type { View } from './kinds.ts';
import type { Change } from './history.ts';
import type { Version } from './objects.ts';
import type { WatchQuery } from './query.ts';
import { joined, partial, pieceSize, shown } from './render.ts';
import type { Form, Piece } from './render.ts';
import type { Sink } from './sink.ts';
import { FRESH_WAIT_MS } from './list.ts';
import { tooLarge, tooOld } from './status.ts';
import type { Refusal, StatusBody } from './status.ts';
import type { Filter } from './store.ts';
import { table } from './table.ts';
import type { Served, World } from './world.ts';

/** One write to the socket; the next waits until this one has left, so this is all that a slow reader can hold. */
const BATCH_BYTES = 256 * 1024;
/** A bookmark comes so long before the end that was asked for, unless the watch is too short for one (read-contract section 5). */
const BEFORE_END_MS = 2_000;
const SHORTEST_WITH_BOOKMARK_MS = 6_000;

const LINE_END = Buffer.from('}\n');

export interface WatchRequest {
  readonly world: World;
  readonly served: Served;
  readonly view: View;
  readonly query: WatchQuery;
  /** Scope and selectors. */
  readonly filter: Filter | null;
  /** '' or the namespace of the path, for the initial state. */
  readonly namespace: string;
  readonly form: Form;
  readonly includeObject: string;
  readonly sink: Sink;
  readonly bookmarkMs: number;
  /** Whether delivery on open watches is held back just now (a fault). */
  readonly isFrozen: () => boolean;
  /** Called once when the watch is over. */
  readonly onEnd: () => void;
}

type EventType = Change['type'];
const TYPES: readonly EventType[] = ['ADDED', 'MODIFIED', 'DELETED'];

/**
 * One watch. It pulls: a cursor into the kind's history is all it keeps, events are encoded by their store once, and nothing is taken
 * while the socket is full. When the history overtakes the cursor the stream ends cleanly, as a real server ends slow readers.
 *
 *   opening ──► state (ADDED of every object, then the bookmark that ends it) ──► live ──► over
 *          └────────────────────────────────────────────────────────────────────► live
 */
export class Watch {
  readonly #request: WatchRequest;
  #view: View;
  #heads: ReadonlyMap<EventType, Buffer>;
  /** Objects of the initial state not sent yet; null when there are none. */
  #state: { readonly versions: readonly Version[]; next: number; readonly revision: number } | null = null;
  /** The place in the history of the next change to look at. */
  #place = 0;
  /** Changes up to this one are known to the client. */
  #sent = 0;
  #isLive = false;
  #isBlocked = false;
  #isScheduled = false;
  /** What is left is sent, then the stream ends: the kind is gone. */
  #isLast = false;
  #isOver = false;
  #sentColumns = false;
  /** A batch that has left the process; null while it may still be on its way. */
  #spare: Buffer | null = null;
  readonly #cancels: (() => void)[] = [];

  constructor(request: WatchRequest) {
    this.#request = request;
    this.#view = request.view;
    this.#heads = headsOf(request.view);
  }

  /** `pods`, `deployments.apps`. */
  get kind(): string {
    return this.#request.served.id;
  }

  /** Opens the stream. Errors found from here on are ERROR events under HTTP 200 (SV-S5). */
  async start(): Promise<void> {
    const { world, served, query, sink } = this.#request;
    sink.signal.addEventListener('abort', () => this.#release(), { once: true });
    sink.open();
    if (query.isStreamingList && query.revision !== null && query.revision > world.revision) {
      const isReached = await world.reached(query.revision, FRESH_WAIT_MS, sink.signal);
      if (!sink.isOpen) return;
      if (!isReached) return this.fail(tooLarge(query.revision, world.revision));
    }
    // Nothing may come between looking at the state and taking a place in the history (WC-S5): no await from here on.
    const { history } = served.store;
    this.#place = history.next;
    this.#sent = world.revision;
    if (query.sendsState) {
      const { filter, namespace } = this.#request;
      this.#state = { versions: served.store.page({ namespace, after: '', at: null, filter, limit: null }).versions, next: 0, revision: world.revision };
    } else if (query.revision !== null) {
      const place = history.after(query.revision);
      if (place === null) return this.fail(tooOld(query.revision, history.floor));
      this.#place = place;
      this.#sent = query.revision;
    }
    this.#isLive = true;
    this.#cancels.push(served.store.follow(() => this.wake()));
    const look = (): void => this.#followViews();
    served.onViews.add(look);
    this.#cancels.push(() => void served.onViews.delete(look));
    this.#startTimers();
    this.#pump();
  }

  /** Looks for something to send in the next turn: a burst of changes becomes one write. */
  wake(): void {
    if (this.#isScheduled || this.#isOver) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#pump();
    });
  }

  /** An ERROR event, then a clean end. */
  fail(refusal: Refusal): void {
    const status: StatusBody | string = refusal.body;
    this.#request.sink.write(Buffer.from(`${JSON.stringify({ type: 'ERROR', object: status })}\n`));
    this.end();
  }

  /** A clean end, at once. */
  end(): void {
    if (this.#isOver) return;
    this.#request.sink.end();
    this.#release();
  }

  /** Cuts the connection. */
  cut(): void {
    this.#release();
    this.#request.sink.reset();
  }

  #release(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#state = null;
    for (const cancel of this.#cancels.splice(0)) cancel();
    this.#request.onEnd();
  }

  #pump(): void {
    const { sink, served, isFrozen } = this.#request;
    while (this.#isLive && !this.#isOver && !this.#isBlocked && !isFrozen()) {
      if (this.#place < served.store.history.first) {
        this.end();
        return;
      }
      const pieces: Piece[] = [];
      const bytes = this.#state === null ? this.#takeChanges(pieces) : this.#takeState(pieces);
      if (bytes === 0 && this.#state === null) {
        if (this.#isLast && this.#place === served.store.history.next) this.end();
        return;
      }
      if (bytes === 0) continue;
      const out: Buffer = joined(pieces, bytes, this.#spare);
      this.#spare = null;
      if (!sink.write(out)) {
        this.#isBlocked = true;
        // Through wake(), so that one fast reader of a large state does not keep the loop from everybody else.
        sink.onDrain(() => {
          this.#isBlocked = false;
          // It has left, so the next large batch may have its memory.
          if (bytes >= BATCH_BYTES) this.#spare = out;
          this.wake();
        });
      }
    }
  }

  /** Fills `pieces` from the initial state; returns their bytes. */
  #takeState(pieces: Piece[]): number {
    const state = this.#state;
    let bytes = 0;
    if (state === null) return bytes;
    while (bytes < BATCH_BYTES && state.next < state.versions.length) {
      const version = state.versions[state.next] as Version;
      state.next += 1;
      bytes += this.#add(pieces, 'ADDED', version, version.revision);
    }
    if (state.next === state.versions.length) {
      this.#state = null;
      if (this.#request.query.endsState) {
        const end = this.#bookmarkLine(state.revision, true);
        pieces.push({ bytes: end });
        bytes += end.length;
      }
    }
    return bytes;
  }

  /** Fills `pieces` with changes behind the cursor that concern this watch; returns their bytes. */
  #takeChanges(pieces: Piece[]): number {
    const { history } = this.#request.served.store;
    const { filter } = this.#request;
    let bytes = 0;
    while (bytes < BATCH_BYTES && this.#place < history.next) {
      const { type, version, previous, revision } = history.at(this.#place);
      this.#place += 1;
      // A watch from a revision of the future waits for it (read-contract section 5).
      if (revision <= this.#sent) continue;
      this.#sent = revision;
      if (filter === null) {
        bytes += this.#add(pieces, type, version, revision);
        continue;
      }
      const matched = previous !== null && filter(previous);
      const matches = type !== 'DELETED' && filter(version);
      // WC-S11: leaving the selector is a DELETED with the old object and the new revision.
      if (matched && !matches) bytes += this.#add(pieces, 'DELETED', previous, revision);
      else if (matches) bytes += this.#add(pieces, matched ? 'MODIFIED' : 'ADDED', version, revision);
    }
    return bytes;
  }

  #add(pieces: Piece[], type: EventType, version: Version, revision: number): number {
    const piece = this.#line(type, version, revision);
    pieces.push(piece);
    return pieceSize(piece);
  }

  #line(type: EventType, version: Version, revision: number): Piece {
    const view = this.#view;
    const { form, world, includeObject } = this.#request;
    if (form === 'object' && view.convert === null) {
      return { before: this.#heads.get(type) as Buffer, version, revision: String(revision), behind: LINE_END };
    }
    const tree = shown(version, view, revision);
    let object: unknown = tree;
    if (form === 'partial') object = partial(tree);
    if (form === 'table') {
      object = table({
        view,
        trees: [tree],
        metadata: { resourceVersion: String(revision) },
        includeObject,
        wallMs: world.clock.wall(),
        withColumns: !this.#sentColumns,
      });
      this.#sentColumns = true;
    }
    return { bytes: Buffer.from(`${JSON.stringify({ type, object })}\n`) };
  }

  /** Tells the client how far it is, when it has been sent everything. */
  #bookmark(): void {
    const { world, served, sink, query } = this.#request;
    const isCurrent = this.#isLive && this.#state === null && !this.#isBlocked && this.#place === served.store.history.next;
    // Never below what the client asked for or got (WC-S13).
    if (this.#isOver || !isCurrent || world.revision < this.#sent || world.revision < (query.revision ?? 0)) return;
    if (this.#request.isFrozen()) return;
    sink.write(this.#bookmarkLine(world.revision, false));
  }

  #bookmarkLine(revision: number, endsState: boolean): Buffer {
    const { form, includeObject, world } = this.#request;
    const view = this.#view;
    const metadata = { resourceVersion: String(revision), ...(endsState ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}) };
    if (form === 'object') {
      const kind = JSON.stringify(view.kind);
      const apiVersion = JSON.stringify(view.apiVersion);
      const sorted = { ...(endsState ? { annotations: metadata.annotations } : {}), resourceVersion: metadata.resourceVersion };
      const object = view.stored.custom
        ? `{"apiVersion":${apiVersion},"kind":${kind},"metadata":${JSON.stringify(sorted)}}`
        : `{"kind":${kind},"apiVersion":${apiVersion},"metadata":${JSON.stringify(metadata)}${view.emptyShape}}`;
      return Buffer.from(`{"type":"BOOKMARK","object":${object}}\n`);
    }
    const tree = { kind: view.kind, apiVersion: view.apiVersion, metadata };
    const object =
      form === 'partial'
        ? partial(tree)
        : table({ view, trees: [tree], metadata: { resourceVersion: String(revision) }, includeObject, wallMs: world.clock.wall(), withColumns: false });
    return Buffer.from(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`);
  }

  #startTimers(): void {
    const { world, query, bookmarkMs } = this.#request;
    const { clock } = world;
    const timeoutMs = query.timeoutSeconds === null ? (1_800 + world.random.next() * 1_800) * 1_000 : query.timeoutSeconds * 1_000;
    this.#cancels.push(clock.after(timeoutMs, () => this.end()));
    if (!query.bookmarks || !this.#view.stored.bookmarks) return;
    let cancel = (): void => {};
    const arm = (): void => {
      cancel = clock.after(bookmarkMs, () => {
        this.#bookmark();
        if (!this.#isOver) arm();
      });
    };
    arm();
    this.#cancels.push(() => cancel());
    if (timeoutMs >= SHORTEST_WITH_BOOKMARK_MS) this.#cancels.push(clock.after(timeoutMs - BEFORE_END_MS, () => this.#bookmark()));
  }

  /** The CRD changed: this version may be served differently now, or not at all. */
  #followViews(): void {
    const { world, served } = this.#request;
    const { group, version, stored } = this.#view;
    const now = world.view(group, version, stored.resource);
    if (now === undefined || now.served !== served) this.#isLast = true;
    else if (now.view !== this.#view) {
      this.#view = now.view;
      this.#heads = headsOf(now.view);
    }
    this.wake();
  }
}

function headsOf(view: View): ReadonlyMap<EventType, Buffer> {
  return new Map(TYPES.map((type) => [type, Buffer.concat([Buffer.from(`{"type":"${type}","object":`), view.prefix])]));
}
