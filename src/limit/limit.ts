/** A rate budget in permits a second, changed live. A job is a batch or a list page, never a single event (design.md section 2). */
export interface RateLimit {
  /** Resolves when `permits` may be spent. A higher priority goes first. Rejects when `signal` aborts. */
  acquire(permits: number, priority: 'live' | 'background', signal: AbortSignal): Promise<void>;
  /** null takes the limit away. */
  update(perSecond: number | null): void;
}
