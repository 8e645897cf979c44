import type { AccessReviews } from '../cluster/cluster.ts';
import { bearerOf, carriesBearer, readBearer } from '../kit/bearer.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import { within } from '../kit/within.ts';
import { ApiError, messageOf, UsageError } from '../model/errors.ts';
import { ACCESS_LIMITS, AccessCache, type AccessLimits, hashOf, type Reader, type TokenHash, type Wish } from './access-cache.ts';

/** How long the API server may take for an answer before the reader is sent away. */
const REVIEW_MS = 5_000;
const FORBIDDEN = 403;

export interface AccessOptions {
  /** One token that may do everything; null: there is none. */
  readonly tokenFile: string | null;
  /** Who is asked about all other tokens; null: nobody. */
  readonly reviews: AccessReviews | null;
  readonly clock: Clock;
  readonly log: Logger;
  /** Default ACCESS_LIMITS. */
  readonly limits?: AccessLimits | undefined;
}

/** What somebody hears who may not have what was asked for. */
export interface Denial {
  readonly code: 401 | 403 | 503;
  /** A line. */
  readonly text: string;
}

const NO_TOKEN: Denial = { code: 401, text: 'a bearer token is needed here\n' };
const WRONG_TOKEN: Denial = { code: 401, text: 'the API server does not know this bearer token, or no longer\n' };
const NOT_NOW: Denial = {
  code: 503,
  text: 'whether this bearer token may do this cannot be checked now, because the API server cannot be asked; nobody is let in unchecked, try again in a moment\n',
};
const TOO_MANY: Denial = { code: 503, text: 'too many unknown bearer tokens are being checked now, try again in a moment\n' };

/**
 * Who may ask for what: whoever shows the token of the file for everything, others for what the roles of the mirrored cluster say of the path and the method, as
 * nonResourceURLs and verbs. Requests with the same token share one review; what cannot be reviewed is refused.
 */
export class Access {
  readonly #options: AccessOptions;
  readonly #cache: AccessCache;
  readonly #reviewing = new Map<string, Promise<unknown>>();
  readonly #ended = new AbortController();
  #isFailing = false;

  /** Throws UsageError when the file is named and has no token. */
  constructor(options: AccessOptions) {
    const { tokenFile, limits = ACCESS_LIMITS } = options;
    if (tokenFile !== null && readBearer(tokenFile) === null)
      throw new UsageError(`auth.tokenFile ${tokenFile} cannot be read or is empty: put one bearer token into it.`);
    this.#options = options;
    this.#cache = new AccessCache(limits);
  }

  /** Null when the request may be answered. Does not reject. */
  async refusal(authorization: string | undefined, wish: Wish): Promise<Denial | null> {
    const { tokenFile, reviews, clock, log } = this.#options;
    if (tokenFile !== null && carriesBearer(authorization, readBearer(tokenFile))) return null;
    const token = bearerOf(authorization);
    if (token === null || reviews === null) return NO_TOKEN;
    const hash = hashOf(token);
    try {
      let reader = this.#cache.reader(hash, clock.now());
      if (reader === undefined) {
        if (!this.#reviewing.has(hash) && !this.#cache.mayAsk(hash, clock.now())) return TOO_MANY;
        reader = await this.#shared(hash, () => this.#readerOf(reviews, token, hash));
      }
      if (reader === null) return WRONG_TOKEN;
      const known = reader;
      const allowed =
        this.#cache.allows(hash, wish, clock.now()) ?? (await this.#shared(`${hash} ${wish.verb} ${wish.path}`, () => this.#mayDo(reviews, known, hash, wish)));
      if (allowed) return null;
      log.debug('a reader was refused', { user: known.user, verb: wish.verb, path: wish.path });
      return forbidden(known, wish);
    } catch (cause) {
      // A server between may quote what it was sent.
      this.#tell(cause instanceof ApiError && cause.status === FORBIDDEN ? 'rights' : 'away', messageOf(cause).replaceAll(token, '***'));
      return NOT_NOW;
    }
  }

  /** Ends what is under way: those who wait are refused. */
  close(): void {
    this.#ended.abort(new Error('the HTTP surface has ended'));
  }

  async #readerOf(reviews: AccessReviews, token: string, hash: TokenHash): Promise<Reader | null> {
    const askedAt = this.#options.clock.now();
    const reader = readerIn(await this.#bounded((signal) => reviews.reviewToken(token, signal)));
    this.#cache.learnReader(hash, reader, askedAt);
    return reader;
  }

  async #mayDo(reviews: AccessReviews, { user, uid, groups, extra }: Reader, hash: TokenHash, { verb, path }: Wish): Promise<boolean> {
    const askedAt = this.#options.clock.now();
    const spec = { user, uid, groups, extra, nonResourceAttributes: { verb, path } };
    const status = mapping(await this.#bounded((signal) => reviews.reviewAccess(spec, signal)));
    const allowed = status['allowed'] === true && status['denied'] !== true;
    this.#cache.learnDecision(hash, { verb, path }, allowed, askedAt);
    return allowed;
  }

  async #bounded<T>(ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const answer = await within(this.#options.clock, REVIEW_MS, this.#ended.signal, ask);
    this.#tell(null);
    return answer;
  }

  /** One review for all who ask for it at the same time; none of them can end it by going away. */
  #shared<T>(key: string, review: () => Promise<T>): Promise<T> {
    const running = this.#reviewing.get(key) as Promise<T> | undefined;
    if (running !== undefined) return running;
    const begun = review().finally(() => this.#reviewing.delete(key));
    this.#reviewing.set(key, begun);
    return begun;
  }

  /** Once for a failure and once for its end, however many ask meanwhile. */
  #tell(failure: 'rights' | 'away' | null, error?: string): void {
    const { log } = this.#options;
    const isFailing = failure !== null;
    if (isFailing === this.#isFailing || this.#ended.signal.aborted) return;
    this.#isFailing = isFailing;
    if (failure === null) log.info('bearer tokens can be checked again');
    else if (failure === 'away') log.warn('bearer tokens cannot be checked, so nobody new is let in to the HTTP surface', { error });
    else log.warn('bearer tokens cannot be checked: this program lacks the rights that kubefold rbac prints for auth.tokenReview', { error });
  }
}

function forbidden({ user }: Reader, { verb, path }: Wish): Denial {
  return { code: 403, text: `${user} may not ${verb} ${path}: it takes a ClusterRole with nonResourceURLs: ["${path}"] and verbs: ["${verb}"]\n` };
}

/** The status of a TokenReview; null unless it says whose token it is. */
function readerIn(answer: unknown): Reader | null {
  const status = mapping(answer);
  const { username, uid, groups, extra } = mapping(status['user']);
  if (status['authenticated'] !== true || typeof username !== 'string' || username === '') return null;
  return {
    user: username,
    uid: typeof uid === 'string' ? uid : '',
    groups: texts(groups),
    extra: Object.fromEntries(Object.entries(mapping(extra)).map(([key, values]) => [key, texts(values)])),
  };
}

function mapping(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
