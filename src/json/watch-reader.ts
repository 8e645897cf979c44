import type { RawObject } from '../model/raw-object.ts';
import { isRevision, type Revision } from '../model/revision.ts';
import { JsonError } from './error.ts';
import { ObjectScanner, type TypeMeta } from './scanner.ts';
import { type ApiStatus, membersOf, readStatus, textOf } from './status.ts';
import { LONGEST_BYTES, Tail } from './tail.ts';
import { asBuffer, viewOf, Words } from './text.ts';
import { fail, INCOMPLETE, skipColon, skipKey, skipSpace, skipValue } from './walk.ts';

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED';

export interface WatchReaderOptions extends TypeMeta {
  /** One change (SV-S7); the object is valid during the call only. */
  readonly onEvent: (type: ChangeType, object: RawObject) => void;
  /** Everything up to `revision` was sent. `initialEventsEnd` ends the list part of a streaming list (SV-S10). */
  readonly onBookmark: (revision: Revision, initialEventsEnd: boolean) => void;
  /** An ERROR event (SV-S5). The server ends the stream after it. */
  readonly onError: (status: ApiStatus) => void;
  /**
   * A line that is not valid JSON, is no event, or whose object cannot be mirrored. The stream goes on with the next (RF-S14).
   * `type` is what the line was, as far as it said so before it broke: a DELETED that cannot be read must not be lost.
   */
  readonly onDamaged: (error: Error, type: ChangeType | null) => void;
  /** The longest line in bytes: bounds the memory. Default 16 MiB. */
  readonly maxLineBytes?: number | undefined;
  /**
   * How far the object of a change is walked: to its end (the default), or no further than `metadata`; then the object says with `isChecked`
   * whether it was. A burst on one object is folded into one write, so checking what is written costs less than checking what is read.
   */
  readonly walk?: 'whole' | 'metadata' | undefined;
}

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const NOTHING = Buffer.alloc(0);
const NO_DATA = viewOf(NOTHING);

const TYPES = ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'] as const;
type EventType = (typeof TYPES)[number];

const TYPE_WORDS = new Words(...TYPES);
const KEYS = new Words('type', 'object');
const NAME_OF_LINE = 'a watch line';
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

/**
 * Reads a watch stream in chunks: one event a line (SV-S6), `type` and `object` in any order. A line inside one chunk is read where
 * it stands; only a line over several chunks is copied together, and only its object is walked, once.
 *
 * Throws JsonError when a line passes the bound, and what a callback throws; the reader is of no use afterwards.
 */
export class WatchReader {
  readonly #options: WatchReaderOptions;
  readonly #scanner: ObjectScanner;
  readonly #maxLineBytes: number;
  readonly #walksAll: boolean;
  readonly #tail = new Tail();
  /** What was read last, and the view of it: one for all lines of a chunk, for it costs 50 ns. */
  #given: Buffer = NOTHING;
  #data: DataView = NO_DATA;
  /** Of the line that was read last: its `type`, null when it is not one of ours, and where the value of `object` is. */
  #type: EventType | null = null;
  #objectAt = INCOMPLETE;
  #objectEnd = INCOMPLETE;

  constructor(options: WatchReaderOptions) {
    this.#options = options;
    this.#scanner = new ObjectScanner(options);
    this.#maxLineBytes = options.maxLineBytes ?? LONGEST_BYTES;
    this.#walksAll = options.walk !== 'metadata';
  }

  /** Takes in the next piece of the stream; calls back for every line that it completes before it returns. */
  push(chunk: Uint8Array): void {
    const bytes = asBuffer(chunk);
    const tail = this.#tail;
    let at = 0;
    let newline = bytes.indexOf(NEWLINE);
    if (tail.length > 0) {
      at = newline === -1 ? bytes.length : newline + 1;
      tail.append(bytes, 0, at);
      this.#checkLength(tail.length);
      if (newline === -1) return;
      this.#line(tail.bytes, 0, tail.length - 1);
      tail.drop(tail.length);
      newline = bytes.indexOf(NEWLINE, at);
    }
    for (; newline !== -1; newline = bytes.indexOf(NEWLINE, at)) {
      this.#checkLength(newline + 1 - at);
      this.#line(bytes, at, newline);
      at = newline + 1;
    }
    this.#checkLength(bytes.length - at);
    tail.append(bytes, at, bytes.length);
    this.#release();
  }

  /**
   * The stream ended cleanly. A last line without its newline counts when it is whole (an object ends itself); else the stream is
   * `truncated`: nothing is lost by it, for the revision has not passed it.
   */
  end(): 'complete' | 'truncated' {
    const tail = this.#tail;
    const length = tail.length;
    const isWhole = this.#isWhole(tail.bytes, length);
    if (isWhole) this.#line(tail.bytes, 0, length);
    tail.drop(length);
    this.#release();
    return isWhole ? 'complete' : 'truncated';
  }

  /** Chunks are the socket's own memory. */
  #release(): void {
    this.#given = NOTHING;
    this.#data = NO_DATA;
    this.#scanner.release();
  }

  #checkLength(length: number): void {
    if (length <= this.#maxLineBytes) return;
    throw new JsonError({ offset: this.#maxLineBytes, expected: `the end of the line within ${this.#maxLineBytes} bytes`, found: 'more', where: NAME_OF_LINE });
  }

  /** A line that breaks the grammar counts as whole: more of it would not mend it. */
  #isWhole(bytes: Buffer, end: number): boolean {
    const data = viewOf(bytes);
    try {
      return skipSpace(data, 0, end) >= end || skipValue(data, 0, end) !== INCOMPLETE;
    } catch {
      return true;
    }
  }

  #line(bytes: Buffer, from: number, to: number): void {
    const { onEvent, onError, onDamaged } = this.#options;
    const scanner = this.#scanner;
    try {
      if (!this.#parse(bytes, from, to)) return;
    } catch (cause) {
      if (!(cause instanceof JsonError)) throw cause;
      onDamaged(cause.within(NAME_OF_LINE, -from), isChange(this.#type) ? this.#type : null);
      return;
    }
    switch (this.#type) {
      case 'ADDED':
      case 'MODIFIED':
      case 'DELETED':
        if (scanner.problem === null) onEvent(this.#type, scanner);
        else onDamaged(scanner.damage(), this.#type);
        break;
      case 'BOOKMARK':
        this.#bookmark(membersOf(this.#parsedObject(bytes)));
        break;
      case 'ERROR':
        onError(readStatus(this.#parsedObject(bytes)));
        break;
      case null:
        onDamaged(new Error(`Cannot read a watch line of kind ${this.#options.kind}: it has no event type that is known`), null);
        break;
    }
  }

  #bookmark(object: Readonly<Record<string, unknown>>): void {
    const metadata = membersOf(object.metadata);
    const revision = textOf(metadata.resourceVersion);
    if (isRevision(revision)) this.#options.onBookmark(revision, membersOf(metadata.annotations)[INITIAL_EVENTS_END] === 'true');
    else
      this.#options.onDamaged(
        new Error(`Cannot read a bookmark of kind ${this.#options.kind}: metadata.resourceVersion is not a positive decimal number`),
        null,
      );
  }

  #parsedObject(bytes: Buffer): unknown {
    return JSON.parse(bytes.toString('utf8', this.#objectAt, this.#objectEnd));
  }

  /** Walks one line to its end. After it the object of a change is in the scanner. False for a blank line. */
  #parse(bytes: Buffer, from: number, to: number): boolean {
    if (bytes !== this.#given) {
      this.#given = bytes;
      this.#data = viewOf(bytes);
    }
    const data = this.#data;
    this.#type = null;
    this.#objectAt = INCOMPLETE;
    let scannedAt = INCOMPLETE;
    let i = skipSpace(data, from, to);
    if (i >= to) return false;
    if (data.getUint8(i) !== OPEN_BRACE) fail(data, i, 'a watch event');
    i = skipSpace(data, i + 1, to);
    for (;;) {
      const keyAt = i;
      const keyEnd = skipKey(data, i, to);
      const at = keyEnd === INCOMPLETE ? INCOMPLETE : skipColon(data, keyEnd, to);
      if (at === INCOMPLETE) throw cutShort(to);
      const which = KEYS.indexOf(bytes, keyAt, keyEnd);
      if (which === 1 && isChange(this.#type)) {
        const objectEnd = this.#walksAll ? INCOMPLETE : lastObjectEnd(data, at, to);
        i = objectEnd === INCOMPLETE ? this.#scanner.scan(bytes, at, to) : this.#scanner.scanLine(bytes, at, objectEnd);
        scannedAt = at;
      } else {
        i = skipValue(data, at, to);
      }
      if (i === INCOMPLETE) throw cutShort(to);
      if (which === 0) this.#type = data.getUint8(at) === QUOTE ? (TYPES[TYPE_WORDS.indexOf(bytes, at, i)] ?? null) : null;
      if (which === 1) {
        this.#objectAt = at;
        this.#objectEnd = i;
      }
      i = skipSpace(data, i, to);
      if (i >= to) throw cutShort(to);
      if (data.getUint8(i) === CLOSE_BRACE) break;
      if (data.getUint8(i) !== COMMA) fail(data, i, '"," or "}"');
      i = skipSpace(data, i + 1, to);
    }
    i = skipSpace(data, i + 1, to);
    if (i < to) fail(data, i, 'the end of the line');
    if (this.#objectAt === INCOMPLETE) throw new JsonError({ offset: to, expected: '"object"', found: 'an event without it' });
    if (isChange(this.#type) && scannedAt !== this.#objectAt) this.#scanner.scan(bytes, this.#objectAt, this.#objectEnd);
    return true;
  }
}

function isChange(type: EventType | null): type is ChangeType {
  return type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED';
}

/** The end of the object that the line's own closing brace follows, or INCOMPLETE when no object stands last in the line. */
function lastObjectEnd(data: DataView, from: number, to: number): number {
  let end = to;
  for (let braces = 0; end > from; end--) {
    const c = data.getUint8(end - 1);
    if (c === CLOSE_BRACE) {
      if (braces++ === 1) return end;
    } else if (c !== 0x20 && c !== 0x0d && c !== 0x09) return INCOMPLETE;
  }
  return INCOMPLETE;
}

function cutShort(offset: number): JsonError {
  return new JsonError({ offset, expected: 'more of the event', found: 'the end of the line' });
}
