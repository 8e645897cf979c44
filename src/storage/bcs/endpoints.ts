/** So many requests in a row that were cut or timed out, with none answered between: the endpoint is left alone for a while. */
const BROKEN_AFTER = 3;
const FIRST_REST_MS = 1_000;
const LONGEST_REST_MS = 30_000;

interface Health {
  /** Failures since the last answer. */
  failures: number;
  /** Rests since the last answer. */
  rests: number;
  /** Not to be asked before; a probe is let through then. */
  restsUntil: number;
  /** By Retry-After: nobody at all is to ask before. */
  pausedUntil: number;
  isProbing: boolean;
}

/**
 * Which endpoint to ask, told how each request went. The first one that is healthy: so all writers of a key talk to the same, and after a failover the
 * first is taken again as soon as a probe of it, one request after a rest that doubles, is answered.
 */
export class Endpoints {
  readonly #all: readonly Health[];

  constructor(count: number) {
    this.#all = Array.from({ length: count }, () => ({ failures: 0, rests: 0, restsUntil: 0, pausedUntil: 0, isProbing: false }));
  }

  /** The endpoint for the next request, except those just tried for it; null when every other one has asked to be left alone, or all were tried. */
  choose(now: number, tried: ReadonlySet<number>): number | null {
    let soonest: number | null = null;
    for (const [index, health] of this.#all.entries()) {
      if (tried.has(index) || health.pausedUntil > now) continue;
      if (health.rests === 0) return index;
      if (health.restsUntil <= now && !health.isProbing) {
        health.isProbing = true;
        return index;
      }
      // When none is healthy, whoever asks decides how often: the circuit breaker has its own backoff.
      if (soonest === null || health.restsUntil < (this.#all[soonest]?.restsUntil ?? 0)) soonest = index;
    }
    return soonest;
  }

  /** When the first endpoint may be asked again that has asked to be left alone; null when one of them may be asked now. */
  pausedUntil(now: number): number | null {
    const until = Math.min(...this.#all.map((health) => health.pausedUntil));
    return until > now ? until : null;
  }

  /** It answered, whatever it said. */
  answered(index: number): void {
    const health = this.#of(index);
    health.failures = 0;
    health.rests = 0;
    health.isProbing = false;
  }

  /** `unreachable`: no connection could be made. `broken`: the request was cut, or not answered in time. */
  failed(index: number, now: number, how: 'unreachable' | 'broken'): void {
    const health = this.#of(index);
    health.isProbing = false;
    health.failures++;
    if (how === 'broken' && health.failures < BROKEN_AFTER && health.rests === 0) return;
    // Many requests fail together: they are one reason to rest, not many.
    if (health.restsUntil > now) return;
    health.restsUntil = now + Math.min(FIRST_REST_MS * 2 ** Math.min(health.rests, 16), LONGEST_REST_MS);
    health.rests++;
  }

  /** It asked to be left alone (Retry-After). */
  pause(index: number, until: number): void {
    const health = this.#of(index);
    health.pausedUntil = Math.max(health.pausedUntil, until);
  }

  #of(index: number): Health {
    const health = this.#all[index];
    if (health === undefined) throw new RangeError(`There is no endpoint ${index}, there are ${this.#all.length}`);
    return health;
  }
}
