import type { RawObject } from '../model/raw-object.ts';
import { isRevision, type Revision } from '../model/revision.ts';
import { JsonError } from './error.ts';
import { ObjectScanner, type TypeMeta } from './scanner.ts';
import { membersOf, textOf } from './status.ts';
import { LONGEST_BYTES, Tail } from './tail.ts';
import { asBuffer, decodeString, viewOf, Words } from './text.ts';
import { fail, INCOMPLETE, skipColon, skipKey, skipSpace, skipValue } from './walk.ts';

export interface ListReaderOptions extends TypeMeta {
  /** One item; valid during the call only. */
  readonly onItem: (object: RawObject) => void;
  /** An item that is sound JSON and cannot be mirrored (no metadata, another kind, not an object). The list goes on (RF-S14). */
  readonly onDamaged: (error: Error) => void;
  /** The longest item, or other member of the list, in bytes: bounds the memory. Default 16 MiB. */
  readonly maxBytes?: number | undefined;
  /** Chunks are gathered until there are so many bytes, then read at once. Default 64 KiB. */
  readonly gatherBytes?: number | undefined;
}

/**
 * Nobody waits for one item of a list. A real server sends chunks of 1.9 KB on average and items of several times that, so reading at every
 * chunk walks nearly every item twice: 20,000 pods of 6.7 KB cost 430 ms that way and 260 ms gathered, the copy included.
 */
const GATHER_BYTES = 64 * 1024;

/** What a list says of itself; of the first page, `revision` is the revision of the whole list (RF-S6). */
export interface ListEnd {
  readonly revision: Revision;
  /** Null on the last page. */
  readonly continue: string | null;
  /** Items that are still to come, as far as the server says. */
  readonly remaining: number | null;
  /** The shard selector by which the server chose the items; null when it chose by none, whatever it was asked. */
  readonly shardInfo: string | null;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const LETTER_N = 0x6e;

const KEYS = new Words('kind', 'metadata', 'items');
const NOTHING = Buffer.alloc(0);
const NO_DATA = viewOf(NOTHING);
const NAME_OF_BODY = 'a list';

/** What comes next in the body. */
type Awaited = 'list' | 'member or end' | 'member' | 'comma or end' | 'item or close' | 'item' | 'comma or close' | 'nothing';

/**
 * Reads the body of a list in chunks, and hands out the items of each stretch that was gathered; keeps only what is unfinished. Members
 * may come in any order: custom resources have `items` before `metadata`, so the revision is known only at the end.
 *
 * Every step either consumes something whole or leaves all of it for later. An unfinished item is tried again when twice as much of
 * it is there, or at the end, so that walking an object of n bytes in small chunks costs O(n).
 *
 * A body that is not a list (Table, Status; RF-S7), breaks the grammar, or ends early throws JsonError; the reader is of no
 * use afterwards, as after an error that a callback threw.
 */
export class ListReader {
  readonly #options: ListReaderOptions;
  readonly #scanner: ObjectScanner;
  readonly #maxBytes: number;
  readonly #gatherBytes: number;
  readonly #tail = new Tail();
  /** Below this length the tail cannot be worth another try. */
  #retryAt: number;
  /** Bytes of the body before what is being read: offsets in errors count from the start of the body. */
  #before = 0;

  /** What is being read, during a read only. */
  #bytes: Buffer = NOTHING;
  #data: DataView = NO_DATA;
  #end = 0;

  #awaited: Awaited = 'list';
  #hasItems = false;
  #metadata: Readonly<Record<string, unknown>> = {};

  constructor(options: ListReaderOptions) {
    this.#options = options;
    this.#scanner = new ObjectScanner(options);
    this.#maxBytes = options.maxBytes ?? LONGEST_BYTES;
    this.#gatherBytes = options.gatherBytes ?? GATHER_BYTES;
    this.#retryAt = this.#gatherBytes;
  }

  /** Takes in the next piece of the body; calls back before it returns. */
  push(chunk: Uint8Array): void {
    const bytes = asBuffer(chunk);
    const tail = this.#tail;
    if (tail.length === 0 && bytes.length >= this.#gatherBytes) {
      const used = this.#read(bytes, bytes.length);
      tail.append(bytes, used, bytes.length);
    } else {
      tail.append(bytes, 0, bytes.length);
      if (tail.length < this.#retryAt && tail.length <= this.#maxBytes) return;
      tail.drop(this.#read(tail.bytes, tail.length));
    }
    this.#retryAt = Math.max(tail.length * 2, this.#gatherBytes);
    if (tail.length > this.#maxBytes) throw this.#error(0, this.#boundText(), 'more');
  }

  /** The body is complete. Throws when it was cut short, was not a list, or has no revision. */
  end(): ListEnd {
    const tail = this.#tail;
    tail.drop(this.#read(tail.bytes, tail.length));
    if (this.#awaited !== 'nothing') throw this.#error(tail.length, this.#awaited === 'list' ? 'a list' : 'more of the list', 'the end of the body');
    if (!this.#hasItems) throw this.#error(0, 'a list with "items"', 'an object without them');
    const revision = textOf(this.#metadata.resourceVersion);
    if (!isRevision(revision)) throw this.#error(0, 'a list with a metadata.resourceVersion', 'a list that cannot be watched from');
    const remaining = this.#metadata.remainingItemCount;
    return {
      revision,
      continue: textOf(this.#metadata.continue) || null,
      remaining: typeof remaining === 'number' ? remaining : null,
      shardInfo: textOf(membersOf(this.#metadata.shardInfo).selector) || null,
    };
  }

  #error(offset: number, expected: string, found: string): JsonError {
    return new JsonError({ offset: this.#before + offset, expected, found, where: NAME_OF_BODY });
  }

  /** Reads as far as there is something whole. Returns how many bytes are done with. */
  #read(bytes: Buffer, end: number): number {
    this.#bytes = bytes;
    this.#data = viewOf(bytes);
    this.#end = end;
    let at = 0;
    try {
      for (let next = this.#step(at); next !== INCOMPLETE; next = this.#step(at)) at = next;
    } catch (cause) {
      throw cause instanceof JsonError ? cause.within(NAME_OF_BODY, this.#before) : cause;
    }
    this.#scanner.release();
    this.#bytes = NOTHING;
    this.#data = NO_DATA;
    this.#before += at;
    return at;
  }

  #step(at: number): number {
    const data = this.#data;
    const i = skipSpace(data, at, this.#end);
    if (i >= this.#end) return this.#awaited === 'nothing' && i > at ? i : INCOMPLETE;
    const c = data.getUint8(i);
    switch (this.#awaited) {
      case 'list':
        if (c !== OPEN_BRACE) fail(data, i, 'a list');
        this.#awaited = 'member or end';
        return i + 1;
      case 'member or end':
        return c === CLOSE_BRACE ? this.#close(i) : this.#member(i);
      case 'member':
        return this.#member(i);
      case 'comma or end':
        if (c === CLOSE_BRACE) return this.#close(i);
        if (c !== COMMA) fail(data, i, '"," or "}"');
        this.#awaited = 'member';
        return i + 1;
      case 'item or close':
        return c === CLOSE_BRACKET ? this.#closeItems(i) : this.#item(i);
      case 'item':
        return this.#item(i);
      case 'comma or close':
        if (c === CLOSE_BRACKET) return this.#closeItems(i);
        if (c !== COMMA) fail(data, i, '"," or "]"');
        this.#awaited = 'item';
        return i + 1;
      case 'nothing':
        return fail(data, i, 'nothing after the list');
    }
  }

  #close(at: number): number {
    this.#awaited = 'nothing';
    return at + 1;
  }

  #closeItems(at: number): number {
    this.#awaited = 'comma or end';
    return at + 1;
  }

  /** One member of the list but for the items, of which only the opening bracket is taken. */
  #member(keyAt: number): number {
    const data = this.#data;
    const keyEnd = skipKey(data, keyAt, this.#end);
    if (keyEnd === INCOMPLETE) return INCOMPLETE;
    const at = skipColon(data, keyEnd, this.#end);
    if (at === INCOMPLETE) return INCOMPLETE;
    const which = KEYS.indexOf(this.#bytes, keyAt, keyEnd);
    const isItems = which === 2;
    // What was handed out cannot be taken back, so here the last value cannot win.
    if (isItems && this.#hasItems) throw new JsonError({ offset: keyAt, expected: 'one "items"', found: 'a second one' });
    if (isItems && data.getUint8(at) === OPEN_BRACKET) {
      this.#hasItems = true;
      this.#awaited = 'item or close';
      return at + 1;
    }
    if (isItems && data.getUint8(at) !== LETTER_N) fail(data, at, '"items" to be an array');
    const to = this.#whole(at, skipValue(data, at, this.#end));
    if (to === INCOMPLETE) return INCOMPLETE;
    if (isItems) this.#hasItems = true;
    else if (which === 0) this.#checkKind(at, to);
    else if (which === 1) this.#metadata = membersOf(JSON.parse(this.#bytes.toString('utf8', at, to)));
    this.#awaited = 'comma or end';
    return to;
  }

  #checkKind(at: number, to: number): void {
    if (this.#data.getUint8(at) !== QUOTE) return;
    const kind = decodeString(this.#bytes, at, to);
    if (kind === 'Table' || kind === 'Status') throw new JsonError({ offset: at, expected: `a list of ${this.#options.kind}`, found: `a ${kind}` });
  }

  #item(at: number): number {
    const data = this.#data;
    const scanner = this.#scanner;
    const isObject = data.getUint8(at) === OPEN_BRACE;
    const to = this.#whole(at, isObject ? scanner.scan(this.#bytes, at, this.#end) : skipValue(data, at, this.#end));
    if (to === INCOMPLETE) return INCOMPLETE;
    this.#awaited = 'comma or close';
    if (!isObject) this.#options.onDamaged(new Error(`Cannot read an item of a list of ${this.#options.kind}: it is not an object`));
    else if (scanner.problem === null) this.#options.onItem(scanner);
    else this.#options.onDamaged(scanner.damage());
    return to;
  }

  /** The bound holds however the body was cut into chunks. */
  #whole(at: number, to: number): number {
    if (to - at > this.#maxBytes) throw new JsonError({ offset: at, expected: this.#boundText(), found: `${to - at}` });
    return to;
  }

  #boundText(): string {
    return `at most ${this.#maxBytes} bytes for one item or member`;
  }
}
