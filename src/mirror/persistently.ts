import { type BackoffCurve, backoffDelay } from '../kit/backoff.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/log.ts';
import type { Random } from '../kit/random.ts';
import { UsageError } from '../model/errors.ts';

const CURVE: BackoffCurve = { baseMs: 800, capMs: 30_000, jitter: 1 };

/** Tries until it succeeds; `onFailure` returns what to log. Rejects when `signal` aborts, and with what nobody but a person can mend (UsageError). */
export async function persistently(
  parts: { readonly clock: Clock; readonly random: Random; readonly log: Logger; readonly address: string; readonly onFailure: (cause: unknown) => string },
  signal: AbortSignal,
  attempt: () => Promise<void>,
): Promise<void> {
  const { clock, random, log, address, onFailure } = parts;
  for (let failures = 0; ; failures++) {
    try {
      return await attempt();
    } catch (cause) {
      signal.throwIfAborted();
      // What is wrong with credentials on this machine, nobody else will mend.
      if (cause instanceof UsageError) throw cause;
      const error = onFailure(cause);
      const retryMs = Math.round(backoffDelay(CURVE, failures, random));
      log[failures < 3 ? 'warn' : 'error']('waiting for the API server', { address, error, retryMs });
      await clock.sleep(retryMs, signal);
      signal.throwIfAborted();
    }
  }
}
