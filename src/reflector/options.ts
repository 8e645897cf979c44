import type { BackoffCurve } from '../kit/backoff.ts';

/** What the machine may be told; every time is in milliseconds unless its name says otherwise. */
export interface ReflectorOptions {
  /** How a whole list is fetched first; the other way is its fallback (DECISIONS.md 1). */
  readonly firstList: 'paged' | 'streaming';
  /** Objects on one page (RF-S1). */
  readonly pageSize: number;
  /** Pause after a failure: 0.8 s doubling to 30 s, plus up to 100 % (RF-S16). */
  readonly backoff: BackoffCurve;
  /** A watch that stayed healthy this long forgets earlier failures (RF-S16). */
  readonly healthyMs: number;
  /** A longer Retry-After is cut to this: a proxy's "in an hour" must not freeze the mirror. */
  readonly retryAfterCapMs: number;
  /** Shortest watch asked for; the length is random in [m, 2m]. Below 300 it is ignored (RF-S9). */
  readonly watchMinSeconds: number;
  /** After a clean end the watch is asked again within this time at random: a restarting server ends all watches at once. */
  readonly rewatchJitterMs: number;
  /** When another kind has reached an API server that was away, all that wait for it ask within this time at random. */
  readonly reachedJitterMs: number;
  /** A watch that ended sooner without any event is a failure (RF-S12). */
  readonly shortWatchMs: number;
  /** So many very short watches in a row, and the revision itself is doubted: list. */
  readonly shortWatches: number;
  /** No answer to a watch request for so long: give it up. The server sends its headers at once (SV-S6). */
  readonly openMs: number;
  /**
   * Silence on an open watch of a kind that is known to send bookmarks. They come every 60 s, on idle kinds every 120 s
   * and sometimes later, so one minute of silence means nothing and five do (apiserver-observed 2).
   */
  readonly idleMs: number;
  /** Silence allowed beyond the asked timeoutSeconds, at which the server must have ended the stream (RF-S18). */
  readonly marginMs: number;
  /** Silence inside a page, or before its first byte. The server itself gives a list up after 60 s. */
  readonly pageIdleMs: number;
  /** Silence inside the initial events of a streaming list. */
  readonly streamIdleMs: number;
  /** Complain this often while the initial events have no end (WL-S5). */
  readonly lateBookmarkMs: number;
  /** How often one page may be refused in a row, keeping the pages already read, before the list is given up. */
  readonly pageTries: number;
}

export const DEFAULT_OPTIONS: ReflectorOptions = {
  firstList: 'paged',
  pageSize: 500,
  backoff: { baseMs: 800, capMs: 30_000, jitter: 1 },
  healthyMs: 120_000,
  retryAfterCapMs: 300_000,
  watchMinSeconds: 300,
  rewatchJitterMs: 250,
  reachedJitterMs: 1_000,
  shortWatchMs: 1_000,
  shortWatches: 3,
  openMs: 60_000,
  idleMs: 300_000,
  marginMs: 15_000,
  pageIdleMs: 75_000,
  streamIdleMs: 60_000,
  lateBookmarkMs: 10_000,
  pageTries: 5,
};

/** Uniform in [m, 2m] whole seconds, where m is at least 300 (RF-S9, RF-T20). `random` is in [0, 1). */
export function watchSeconds(watchMinSeconds: number, random: number): number {
  const shortest = Math.max(300, watchMinSeconds);
  return shortest + Math.floor(random * (shortest + 1));
}
