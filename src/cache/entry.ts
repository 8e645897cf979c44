import type { Body } from '../model/body.ts';
import type { Revision } from '../model/revision.ts';
import type { Position } from './positions.ts';

/** Shared, because an empty array per object would cost more than most of the entry. */
export const NONE: readonly string[] = [];

const GONE = 1;
const REFUSED = 2;
const CONTESTED = 4;
const HELD = 8;
const REWRITE = 16;
const REGRESSED = 32;

/**
 * What is known of one key. Written by the cache alone; others see it as KnownObject.
 * Kept small: one such object, three short strings and a Map slot are all that a quiet object costs. What is read of it at a change must be
 * fetched from memory in a large cluster, so small is fast, too.
 */
export class Entry {
  uid: string;
  /** Of the newest state seen; of the deletion when `gone`. */
  revision: Revision;
  /** The newest state's JSON while it waits to be written. Null when durable, in a worker's hands, or let go for lack of room. */
  body: Body | null = null;
  /** The number of the list that saw it last; behind the current one at listEnd means absent. */
  mark: number;
  /** The uid whose row storage holds, null when it holds none. */
  storedUid: string | null = null;
  /** Uids that writes of unknown outcome may have stored since the last one whose outcome is known. A delete must reach any of them. */
  maybeUids: readonly string[] = NONE;
  /** Everything up to this revision needs no write any more: it is durable, or differs from the row only by what a rule ignores. */
  settled: Revision | null = null;
  /** Hash of what rules call content, only for kinds with ignoreChanges. */
  content: string | null = null;
  /** The oldest change of this key that nobody has taken; null when clean. */
  pending: Position | null = null;
  /** When it was written last, by the monotonic clock; only kept for kinds with minIntervalSeconds, null for others: a number with a fraction costs 16 bytes more. */
  writtenAt: number | null = null;
  /** The marks below, a bit for each: as fields of their own they would be a third of the entry. */
  #marks = 0;

  constructor(uid: string, revision: Revision, mark: number) {
    this.uid = uid;
    this.revision = revision;
    this.mark = mark;
  }

  /** Deleted in the cluster, and perhaps not yet in storage. */
  get gone(): boolean {
    return this.#has(GONE);
  }

  set gone(is: boolean) {
    this.#set(GONE, is);
  }

  /** Storage refused this very state for good, and recorded that: it waits, without its body, for a change of the object or for a person. */
  get refused(): boolean {
    return this.#has(REFUSED);
  }

  set refused(is: boolean) {
    this.#set(REFUSED, is);
  }

  /** Storage refused this very state as older than what it knows: it waits, without its body, until somebody has looked which of both is right. */
  get contested(): boolean {
    return this.#has(CONTESTED);
  }

  set contested(is: boolean) {
    this.#set(CONTESTED, is);
  }

  /** Gone from the cluster, and its row stays until somebody confirms that it may go. */
  get held(): boolean {
    return this.#has(HELD);
  }

  set held(is: boolean) {
    this.#set(HELD, is);
  }

  /** What is stored of the object changed though the object did not (a mask): the same revision is written again. */
  get rewrite(): boolean {
    return this.#has(REWRITE);
  }

  set rewrite(is: boolean) {
    this.#set(REWRITE, is);
  }

  /** The row is of a history that does not exist any more, or damaged: the next write replaces it whatever it is. */
  get regressed(): boolean {
    return this.#has(REGRESSED);
  }

  set regressed(is: boolean) {
    this.#set(REGRESSED, is);
  }

  #has(mark: number): boolean {
    return (this.#marks & mark) !== 0;
  }

  #set(mark: number, is: boolean): void {
    this.#marks = is ? this.#marks | mark : this.#marks & ~mark;
  }
}

/** An entry as those see it who must not change it. */
export type KnownObject = Readonly<Entry>;
