import type { Random } from './random.ts';

export interface BackoffCurve {
  readonly baseMs: number;
  readonly capMs: number;
  /** Share of the delay added at random: 1 gives [d, 2d) (RF-S16), 0 gives exactly d. */
  readonly jitter: number;
}

/** The delay after `failures` earlier failures in a row: base * 2^failures, capped, jittered. Does not overflow (RL-S2). */
export function backoffDelay(curve: BackoffCurve, failures: number, random: Random): number {
  const plainMs = Math.min(curve.baseMs * 2 ** Math.min(failures, 64), curve.capMs);
  return plainMs * (1 + curve.jitter * random.next());
}
