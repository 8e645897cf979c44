/** What the service counts, for tests and benchmarks. */
export interface Stats {
  /** Open now, the most at one moment, and all since the start. */
  readonly connections: number;
  readonly mostConnections: number;
  readonly connectionsEver: number;
  /** Requests in hand now, the most at one moment; from the end of their body to the end of their answer. Watches do not count. */
  readonly requests: number;
  readonly mostRequests: number;
  /** Requests answered or cut, by method. */
  readonly byMethod: Readonly<Record<string, number>>;
  /** Accepted writes, by outcome. */
  readonly byOutcome: Readonly<Record<string, number>>;
  readonly watches: number;
}

/** Counts. The most of something begins anew, at what is, with reset(). */
export class StatsCounter {
  #connections = 0;
  #mostConnections = 0;
  #connectionsEver = 0;
  #requests = 0;
  #mostRequests = 0;
  #byMethod: Record<string, number> = {};
  #byOutcome: Record<string, number> = {};

  connected(): void {
    this.#connections++;
    this.#connectionsEver++;
    this.#mostConnections = Math.max(this.#mostConnections, this.#connections);
  }

  disconnected(): void {
    this.#connections--;
  }

  began(): void {
    this.#requests++;
    this.#mostRequests = Math.max(this.#mostRequests, this.#requests);
  }

  ended(method: string): void {
    this.#requests--;
    this.#byMethod[method] = (this.#byMethod[method] ?? 0) + 1;
  }

  wrote(outcome: string): void {
    this.#byOutcome[outcome] = (this.#byOutcome[outcome] ?? 0) + 1;
  }

  reset(): void {
    this.#mostConnections = this.#connections;
    this.#connectionsEver = this.#connections;
    this.#mostRequests = this.#requests;
    this.#byMethod = {};
    this.#byOutcome = {};
  }

  snapshot(watches: number): Stats {
    return {
      connections: this.#connections,
      mostConnections: this.#mostConnections,
      connectionsEver: this.#connectionsEver,
      requests: this.#requests,
      mostRequests: this.#mostRequests,
      byMethod: { ...this.#byMethod },
      byOutcome: { ...this.#byOutcome },
      watches,
    };
  }
}
