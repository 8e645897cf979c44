import { LRUCache } from 'lru-cache';
import { namespaceOf, type ObjectKey } from '../model/key.ts';
import type { KindId } from '../model/kind.ts';
import type { OwnerRef } from '../model/owner.ts';

/** What is known of who controls an owner: nobody, somebody, or that the owner was looked for and is not there. */
export type Link = OwnerRef | null | 'absent';

/** The highest owner as far as known. */
export interface Top {
  readonly ref: OwnerRef;
  /** The owner whose own controller is not known, and could be: `ref` itself. Null when the chain is known to its end. */
  readonly missing: Missing | null;
  /** False when nothing is known but what the object itself says, for its owner is not there or not known: then `ref` takes back nothing that was given. */
  readonly isTold: boolean;
}

export interface Missing {
  readonly ref: OwnerRef;
  /** Of the object below: where its owners are, unless they have no namespace. */
  readonly namespace: string;
}

/** An object that is followed. */
export interface Followed {
  readonly kind: KindId;
  readonly key: ObjectKey;
}

export interface Learned {
  /** What was given for their last write is not true any more. */
  readonly outdated: readonly Followed[];
  /** They were put off for this, and can be told now. */
  readonly ready: readonly Followed[];
  /** These must be looked up before it can be told of all. */
  readonly missing: readonly Missing[];
}

const NOTHING: Learned = { outdated: [], ready: [], missing: [] };

interface Follower extends Followed {
  /** Its own owner; shared with all who name the same. */
  ref: OwnerRef;
  /** What was handed to the last write, or stands in the row; null before the first. */
  given: Pick<OwnerRef, 'kind' | 'name'> | null;
  waits: boolean;
}

interface Named {
  readonly ref: OwnerRef;
  readonly followers: Set<Follower>;
}

/** Sweeping costs a walk over everything that is followed; so much growth pays for it. */
const SWEEP_FROM = 1_000;

/**
 * Who owns whom, from metadata alone: owner uid to that owner's own controller, and the objects (followers) whose highest owner is asked for.
 *
 * Links that a follower's chain needs are kept, at most a chain for each follower; all others are in a bounded memory, for an owner often
 * arrives before what it owns. What is forgotten there is `missing` again when somebody asks, and is looked up: it never gives a wrong answer.
 */
export class Owners {
  readonly #followers = new Map<KindId, Map<ObjectKey, Follower>>();
  /** Owner uid to the followers that name it. */
  readonly #named = new Map<string, Named>();
  /** Owner uid to its controller: those of chains of followers, and the rest. */
  readonly #needed = new Map<string, Link>();
  readonly #idle: LRUCache<string, { readonly link: Link }>;
  /** Owner uid to the uids of needed links that lead to it. */
  readonly #below = new Map<string, Set<string>>();
  readonly #sweepFrom: number;
  #sweepAt: number;

  constructor(options: { readonly mostIdle: number; readonly sweepFrom?: number }) {
    this.#sweepFrom = options.sweepFrom ?? SWEEP_FROM;
    this.#sweepAt = this.#sweepFrom;
    this.#idle = new LRUCache({ max: options.mostIdle });
  }

  get size(): { readonly needed: number; readonly idle: number; readonly followers: number } {
    let followers = 0;
    for (const ofKind of this.#followers.values()) followers += ofKind.size;
    return { needed: this.#needed.size, idle: this.#idle.size, followers };
  }

  /**
   * An object whose highest owner is asked for was seen; `ref` is its own owner. Whatever was given for an object of another owner says nothing.
   * Returns whether the owner is another than was known.
   */
  follow(kind: KindId, key: ObjectKey, ref: OwnerRef | null): boolean {
    const known = this.#followers.get(kind)?.get(key);
    if (known?.ref.uid === ref?.uid) return false;
    if (known !== undefined) this.#unname(known);
    if (ref === null) this.#followers.get(kind)?.delete(key);
    else this.#name({ kind, key, ref, given: null, waits: false });
    return known !== undefined;
  }

  leave(kind: KindId, key: ObjectKey): void {
    this.follow(kind, key, null);
  }

  /** Nobody asks about this kind any more. */
  drop(kind: KindId): void {
    for (const follower of this.#followers.get(kind)?.values() ?? []) this.#unname(follower);
    this.#followers.delete(kind);
  }

  /**
   * A row of an object says who its owner was and what was given for it. What was seen or given in this process is newer; so of an object that has changed
   * since (not `isCurrent`) nobody learns an owner here. Returns what is known now; null when it was not news.
   */
  fill(
    { kind, key, isCurrent }: Followed & { readonly isCurrent: boolean },
    ref: OwnerRef,
    given: NonNullable<Follower['given']>,
  ): (Top & { readonly isOutdated: boolean }) | null {
    let follower = this.#followers.get(kind)?.get(key);
    if (follower === undefined) {
      if (!isCurrent) return null;
      follower = this.#name({ kind, key, ref, given, waits: false });
    } else if (follower.given !== null || follower.ref.uid !== ref.uid) return null;
    follower.given = given;
    const top = this.#topOf(follower);
    return { ...top, isOutdated: isOutdated(follower, top) };
  }

  /** What is known; null for an object without an owner, or one that is not followed. */
  top(kind: KindId, key: ObjectKey): Top | null {
    const follower = this.#followers.get(kind)?.get(key);
    return follower === undefined ? null : this.#topOf(follower);
  }

  /** For the write that follows: what is handed out here is compared with what is true later. */
  give(kind: KindId, key: ObjectKey): Pick<OwnerRef, 'kind' | 'name'> | null {
    const follower = this.#followers.get(kind)?.get(key);
    if (follower === undefined) return null;
    const top = this.#topOf(follower);
    follower.waits = false;
    if (top.isTold || follower.given === null || follower.given.kind === '') follower.given = top.ref;
    return follower.given;
  }

  /** Its write was put off until more is known. */
  wait(kind: KindId, key: ObjectKey): void {
    const follower = this.#followers.get(kind)?.get(key);
    if (follower !== undefined) follower.waits = true;
  }

  /** Whether something else is known to be true now than was given. */
  isOutdated(kind: KindId, key: ObjectKey): boolean {
    const follower = this.#followers.get(kind)?.get(key);
    if (follower === undefined) return false;
    const top = this.#topOf(follower);
    return top.missing === null && isOutdated(follower, top);
  }

  /**
   * An owner was delivered or looked up. Returns the followers that were given something else than what is true now, those that waited for it, and the
   * owners that must be looked up before that can be told of the others. `remember`: also when nobody needs it yet.
   */
  learn(uid: string, link: Link, remember = true): Learned {
    if (!this.isNeeded(uid)) {
      if (remember) this.#idle.set(uid, { link });
      return NOTHING;
    }
    const before = this.#needed.get(uid);
    // A look that found nothing disproves nothing that was seen.
    if (before !== undefined && (link === 'absent' || isSame(before, link))) return NOTHING;
    if (isRef(before)) take(this.#below, before.uid, uid);
    this.#link(uid, link);
    if (this.#needed.size > this.#sweepAt) this.#sweep();
    return this.#learned(uid);
  }

  /** It will not be known soon: those that wait for it, or were given what is not true any more so far as is known. */
  release(uid: string): readonly Followed[] {
    const waiting = [...this.#above(uid)].filter((follower) => follower.waits || isOutdated(follower, this.#topOf(follower)));
    for (const follower of waiting) follower.waits = false;
    return waiting;
  }

  /** Whether a follower's chain goes through this owner. */
  isNeeded(uid: string): boolean {
    return this.#needed.has(uid) || this.#named.has(uid) || this.#below.has(uid);
  }

  /** Whether it is known who controls it. */
  isKnown(uid: string): boolean {
    return this.#needed.has(uid) || this.#idle.has(uid);
  }

  #name(follower: Follower): Follower {
    const { ref } = follower;
    const named = this.#named.get(ref.uid) ?? { ref, followers: new Set() };
    follower.ref = named.ref;
    named.followers.add(follower);
    this.#named.set(ref.uid, named);
    const ofKind = this.#followers.get(follower.kind) ?? new Map<ObjectKey, Follower>();
    ofKind.set(follower.key, follower);
    this.#followers.set(follower.kind, ofKind);
    this.#need(ref.uid);
    return follower;
  }

  #unname(follower: Follower): void {
    const named = this.#named.get(follower.ref.uid);
    if (named?.followers.delete(follower) && named.followers.size === 0) this.#named.delete(follower.ref.uid);
  }

  #topOf(follower: Follower): Top {
    let { ref } = follower;
    const seen = new Set<string>();
    for (;;) {
      seen.add(ref.uid);
      const link = this.#linkOf(ref.uid);
      const isTold = seen.size > 1 || (link !== undefined && link !== 'absent');
      if (link === undefined) return { ref, missing: { ref, namespace: namespaceOf(follower.key) }, isTold };
      // A ring is nobody's: it ends where it would begin again.
      if (!isRef(link) || seen.has(link.uid)) return { ref, missing: null, isTold };
      ref = link;
    }
  }

  #linkOf(uid: string): Link | undefined {
    const needed = this.#needed.get(uid);
    return needed === undefined ? this.#idle.get(uid)?.link : needed;
  }

  #link(uid: string, link: Link): void {
    this.#needed.set(uid, link);
    if (!isRef(link)) return;
    put(this.#below, link.uid, uid);
    this.#need(link.uid);
  }

  /** Somebody's chain goes through here from now on. */
  #need(uid: string): void {
    const idle = this.#idle.get(uid);
    if (this.#needed.has(uid) || idle === undefined) return;
    this.#idle.delete(uid);
    this.#link(uid, idle.link);
  }

  #learned(uid: string): Learned {
    const outdated: Followed[] = [];
    const ready: Followed[] = [];
    const missing = new Map<string, Missing>();
    for (const follower of this.#above(uid)) {
      if (!follower.waits && follower.given === null) continue;
      const top = this.#topOf(follower);
      if (top.missing !== null) missing.set(top.missing.ref.uid, top.missing);
      else if (follower.waits) {
        follower.waits = false;
        ready.push(follower);
      } else if (isOutdated(follower, top)) outdated.push(follower);
    }
    return { outdated, ready, missing: [...missing.values()] };
  }

  /** Every follower whose chain goes through this owner. */
  *#above(uid: string): Generator<Follower> {
    const seen = new Set<string>();
    const open = [uid];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      yield* this.#named.get(next)?.followers ?? [];
      open.push(...(this.#below.get(next) ?? []));
    }
  }

  /** What no follower needs any more becomes idle. */
  #sweep(): void {
    const marked = new Set<string>();
    for (const first of this.#named.keys()) {
      for (let uid: string | undefined = first; uid !== undefined && !marked.has(uid); ) {
        marked.add(uid);
        const link: Link | undefined = this.#needed.get(uid);
        uid = isRef(link) ? link.uid : undefined;
      }
    }
    for (const [uid, link] of this.#needed) {
      if (marked.has(uid)) continue;
      this.#needed.delete(uid);
      if (isRef(link)) take(this.#below, link.uid, uid);
      this.#idle.set(uid, { link });
    }
    this.#sweepAt = Math.max(this.#sweepFrom, this.#needed.size * 2);
  }
}

function isRef(link: Link | undefined): link is OwnerRef {
  return typeof link === 'object' && link !== null;
}

function isSame(a: Link, b: Link): boolean {
  return isRef(a) && isRef(b) ? a.uid === b.uid : a === b;
}

function isOutdated({ given }: Follower, { ref, isTold }: Top): boolean {
  if (given === null) return false;
  return (isTold || given.kind === '') && (given.kind !== ref.kind || given.name !== ref.name);
}

function put(map: Map<string, Set<string>>, key: string, value: string): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, new Set([value]));
  else values.add(value);
}

function take(map: Map<string, Set<string>>, key: string, value: string): void {
  const values = map.get(key);
  if (values?.delete(value) && values.size === 0) map.delete(key);
}
