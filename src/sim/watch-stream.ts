import type { ChunkSink, WatchQuery } from '../cluster/cluster.ts';
import type { VirtualClock } from './clock.ts';
import type { Draw } from './draw.ts';
import { Exchange, type Mark } from './exchange.ts';
import type { ObjectKey } from '../model/key.ts';
import { type ObjectState, type SimKind, wireOf } from './kinds.ts';
import type { Life } from './life.ts';
import type { KindHearsay } from './told.ts';
import type { ChangeEvent, Truth } from './truth.ts';

const BOOKMARK_EVERY_MS = 60_000;
export const RESET = Object.assign(new Error('the connection was reset'), { code: 'ECONNRESET' });

/** One change as a line; many streams send it. */
const LINES = new WeakMap<ChangeEvent, Buffer>();

function lineOf(event: ChangeEvent): Buffer {
  let line = LINES.get(event);
  if (line === undefined) {
    line = Buffer.from(`{"type":"${event.type}","object":${wireOf(event.state.body)}}\n`, 'latin1');
    LINES.set(event, line);
  }
  return line;
}

/** What is sent, and what the process has been told by it. */
interface Line {
  readonly bytes: Buffer;
  readonly tell: Mark['told'] | null;
  /** What it says is there; null when it says something else. */
  readonly state: ObjectState | null;
}

export interface StreamParts {
  readonly clock: VirtualClock;
  readonly draw: Draw;
  readonly truth: Truth;
  readonly kind: SimKind;
  readonly life: Life;
  readonly query: WatchQuery;
  readonly sink: ChunkSink;
  readonly onOpen: () => void;
  readonly signal: AbortSignal;
  /** Whether the query lets an object through. */
  readonly selects: (state: ObjectState) => boolean;
  readonly onClose: (stream: WatchStream) => void;
  /** What is told of the kind just now. */
  readonly hearsay: () => KindHearsay;
  /** The initial list has been told, of these keys. */
  readonly onListed: (keys: ReadonlySet<ObjectKey>, isLie: boolean) => void;
}

/** One watch: what waits to be sent, and all that can go wrong with it. */
export class WatchStream {
  readonly kind: SimKind;
  readonly exchange: Exchange<void>;
  readonly #parts: StreamParts;
  #waiting: Line[] = [];
  #isSending = false;
  /** Ends after what waits was sent: cleanly, or broken. */
  #end: 'clean' | 'broken' | null = null;
  /** Sent, recently: a rewinding stream sends it again. */
  #last: Line[] = [];
  /** Nothing is sent any more, and nobody is told. */
  #isSilent = false;
  #isDeaf = false;
  #pauseMs = 0;

  constructor(parts: StreamParts) {
    this.#parts = parts;
    this.kind = parts.kind;
    this.exchange = new Exchange<void>(parts, parts.life, parts.signal, () => parts.onClose(this));
  }

  /** The server accepts, and sends what is due. */
  open(isLie = false): void {
    const { query, onOpen, draw } = this.#parts;
    onOpen();
    if (!this.exchange.isOpen) return;
    this.exchange.after(query.timeoutSeconds * 1000, () => this.endsAfterThis('clean'));
    this.#bookmarkLater(draw.whole(1_000, BOOKMARK_EVERY_MS));
    const from = query.resourceVersion === '' || query.resourceVersion === '0' ? 0 : Number(query.resourceVersion);
    if (query.sendInitialEvents === true) this.#sendInitial(from, isLie);
    else this.#sendSince(from);
  }

  event(event: ChangeEvent): void {
    if (this.#isDeaf || !this.#parts.selects(event.state)) return;
    const { type, state } = event;
    const { hearsay } = this.#parts;
    if (type === 'DELETED') this.#push(lineOf(event), (isSure) => hearsay().deleted(state.key, state.revision, isSure));
    else this.#push(lineOf(event), () => hearsay().exists(state.key, state.revision), state);
  }

  /** Accepted, and silent for ever. */
  silence(): void {
    this.#isSilent = true;
  }

  /** Changes are not heard of any more, because the server behind it looks at another history. */
  deafen(): void {
    this.#isDeaf = true;
  }

  stall(ms: number): void {
    this.#pauseMs = ms;
  }

  break(): void {
    const { draw } = this.#parts;
    const lines = this.#waiting.splice(0);
    const bytes = bytesOf(lines);
    if (bytes.length === 0 || this.#isSending || this.#isSilent) return this.exchange.fail(RESET);
    // The last line is cut anywhere.
    this.#isSending = true;
    this.exchange.send(bytes.subarray(0, draw.whole(0, bytes.length)), this.#parts.sink, () => this.exchange.fail(RESET), marksOf(lines));
  }

  endsAfterThis(how: 'clean' | 'broken'): void {
    this.#end ??= how;
    this.#arm();
  }

  expire(): void {
    this.#push(statusLine(410, 'Expired', 'too old resource version'));
    this.endsAfterThis('clean');
  }

  /** A deletion whose object cannot be read (kubernetes#76624). */
  loseDelete(): void {
    this.#push(Buffer.from('{"type":"DELETED","object":null}\n'));
  }

  /** Nothing that is gone: between its repeated addition and its repeated deletion nobody could know. */
  rewind(): void {
    const { truth, kind } = this.#parts;
    for (const { bytes, tell, state } of [...this.#last]) if (state === null || truth.isAlive(kind, state.key, state.uid)) this.#push(bytes, tell, state);
  }

  bookmark(): void {
    const { truth } = this.#parts;
    if (this.#isDeaf) return;
    this.#push(bookmarkLine(this.kind, truth.revision, false));
  }

  #sendInitial(from: number, isLie: boolean): void {
    const { truth, kind, selects, hearsay, onListed } = this.#parts;
    if (from > truth.revision) {
      this.#push(statusLine(504, 'Timeout', 'Too large resource version'));
      return this.endsAfterThis('clean');
    }
    const states = isLie ? [] : [...truth.of(kind).objects.values()].filter(selects);
    for (const state of states) {
      this.#push(Buffer.from(`{"type":"ADDED","object":${wireOf(state.body)}}\n`, 'latin1'), () => hearsay().exists(state.key, state.revision), state);
    }
    let isTold = false;
    this.#push(bookmarkLine(kind, truth.revision, true), () => {
      if (!isTold) onListed(new Set(states.map(({ key }) => key)), isLie);
      isTold = true;
    });
  }

  #sendSince(from: number): void {
    const { truth, kind } = this.#parts;
    const { log, oldest } = truth.of(kind);
    if (from < oldest) return this.expire();
    // A revision of the future: silence, until the history gets there.
    if (from > truth.revision) return this.deafen();
    for (let index = truth.of(kind).after(from); index < log.length; index++) this.event(log[index] as ChangeEvent);
  }

  #bookmarkLater(ms: number): void {
    this.exchange.after(ms, () => {
      this.bookmark();
      this.#bookmarkLater(BOOKMARK_EVERY_MS);
    });
  }

  #push(bytes: Buffer, tell: Mark['told'] | null = null, state: ObjectState | null = null): void {
    if (this.#end !== null) return;
    this.#waiting.push({ bytes, tell, state });
    this.#arm();
  }

  #arm(): void {
    if (this.#isSending) return;
    this.#isSending = true;
    const { draw } = this.#parts;
    this.exchange.after(draw.small(0, 30) + this.#pauseMs, () => this.#flush());
    this.#pauseMs = 0;
  }

  #flush(): void {
    if (this.#isSilent) return;
    const lines = this.#waiting.splice(0);
    this.#last = lines.slice(-4);
    if (lines.length === 0) return this.#sent();
    this.exchange.send(bytesOf(lines), this.#parts.sink, () => this.#sent(), marksOf(lines));
  }

  #sent(): void {
    this.#isSending = false;
    if (this.#waiting.length > 0) this.#arm();
    else if (this.#end === 'clean') this.exchange.succeed();
    else if (this.#end === 'broken') this.exchange.fail(RESET);
  }
}

function bytesOf(lines: readonly Line[]): Buffer {
  return lines.length === 1 ? (lines[0] as Line).bytes : Buffer.concat(lines.map(({ bytes }) => bytes));
}

function marksOf(lines: readonly Line[]): readonly Mark[] {
  let end = 0;
  return lines.flatMap(({ bytes, tell }) => {
    end += bytes.length;
    return tell === null ? [] : [{ end, told: tell }];
  });
}

function bookmarkLine({ kind, apiVersion }: SimKind, revision: number, isInitialEnd: boolean): Buffer {
  const annotations = isInitialEnd ? ',"annotations":{"k8s.io/initial-events-end":"true"}' : '';
  return Buffer.from(
    `{"type":"BOOKMARK","object":{"kind":"${kind.kind}","apiVersion":"${apiVersion}","metadata":{"resourceVersion":"${revision}"${annotations}}}}\n`,
  );
}

function statusLine(code: number, reason: string, message: string): Buffer {
  const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code };
  return Buffer.from(`${JSON.stringify({ type: 'ERROR', object: status })}\n`);
}
