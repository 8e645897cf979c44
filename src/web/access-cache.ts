import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';

/** Who a token stands for, as TokenReview says it and SubjectAccessReview wants it. */
export interface Reader {
  readonly user: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** What is asked for: the method in lower case, and the path without its query. */
export interface Wish {
  readonly verb: string;
  readonly path: string;
}

/** The one-way name of a token: all that is kept of it. */
export type TokenHash = string & { readonly brand: 'TokenHash' };

export interface AccessLimits {
  /** For how long a yes is believed: a token that was revoked, or a right that was taken away, ends after so long at the latest. Milliseconds. */
  readonly allowedMs: number;
  /** For how long a no is believed: so long must somebody wait who has been given the right. Milliseconds. */
  readonly refusedMs: number;
  /** Readers, strangers and decisions that are kept, each. */
  readonly entries: number;
  /** Tokens never accepted before that the API server is asked about in a second: strangers must not become its load. */
  readonly strangersPerSecond: number;
}

/** Half a minute is one scrape, or two: two reviews for each. */
export const ACCESS_LIMITS: AccessLimits = { allowedMs: 30_000, refusedMs: 5_000, entries: 1_000, strangersPerSecond: 20 };

interface Known {
  readonly reader: Reader;
  readonly until: number;
}

interface Decision {
  readonly allowed: boolean;
  readonly until: number;
}

/** The hash by which a token is remembered. */
export function hashOf(token: string): TokenHash {
  return createHash('sha256').update(token).digest('base64url') as TokenHash;
}

/**
 * What the API server has said of tokens and of what their users may do, for as long as it is believed. Times are those at which it was asked, in
 * milliseconds of any clock that does not go back. A yes to a request never outlives the yes to its token.
 */
export class AccessCache {
  readonly #limits: AccessLimits;
  /** Kept past their time: whoever was let in before is no stranger. */
  readonly #readers: LRUCache<TokenHash, Known>;
  /** Until when a token is not asked about again. Apart from readers, so that strangers cannot push them out. */
  readonly #strangers: LRUCache<TokenHash, number>;
  readonly #decisions: LRUCache<string, Decision>;
  #secondEnds = 0;
  #strangersInSecond = 0;

  constructor(limits: AccessLimits) {
    const { entries: max } = limits;
    this.#limits = limits;
    this.#readers = new LRUCache({ max });
    this.#strangers = new LRUCache({ max });
    this.#decisions = new LRUCache({ max });
  }

  /** Who the token stands for; null for nobody, undefined when that has to be asked. */
  reader(token: TokenHash, now: number): Reader | null | undefined {
    const known = this.#readers.get(token);
    if (known !== undefined && known.until > now) return known.reader;
    return (this.#strangers.get(token) ?? 0) > now ? null : undefined;
  }

  /** Whether the API server may be asked about the token now. Counts the question when the token was never accepted. */
  mayAsk(token: TokenHash, now: number): boolean {
    if (this.#readers.peek(token) !== undefined) return true;
    if (now >= this.#secondEnds) {
      this.#secondEnds = now + 1_000;
      this.#strangersInSecond = 0;
    }
    if (this.#strangersInSecond >= this.#limits.strangersPerSecond) return false;
    this.#strangersInSecond += 1;
    return true;
  }

  /** Whether the token's user may do it; undefined when that has to be asked. */
  allows(token: TokenHash, wish: Wish, now: number): boolean | undefined {
    const decision = this.#decisions.get(keyOf(token, wish));
    return decision !== undefined && decision.until > now ? decision.allowed : undefined;
  }

  /** A TokenReview that was asked for at `askedAt` said so; null: the token stands for nobody. */
  learnReader(token: TokenHash, reader: Reader | null, askedAt: number): void {
    const { allowedMs, refusedMs } = this.#limits;
    if (reader !== null) {
      this.#readers.set(token, { reader, until: askedAt + allowedMs });
      return;
    }
    this.#readers.delete(token);
    this.#strangers.set(token, askedAt + refusedMs);
  }

  /** A SubjectAccessReview that was asked for at `askedAt` said so of a reader that is known. */
  learnDecision(token: TokenHash, wish: Wish, allowed: boolean, askedAt: number): void {
    const { allowedMs, refusedMs } = this.#limits;
    const believed = askedAt + (allowed ? allowedMs : refusedMs);
    this.#decisions.set(keyOf(token, wish), { allowed, until: Math.min(believed, this.#readers.peek(token)?.until ?? askedAt) });
  }
}

/** Hashes have no space, and neither have verbs. */
function keyOf(token: TokenHash, { verb, path }: Wish): string {
  return `${token} ${verb} ${path}`;
}
