import type { Clock } from './clock.ts';

/** Runs something that takes a signal, which aborts with `signal` or after `ms`, whichever is first. */
export async function within<T>(clock: Clock, ms: number, signal: AbortSignal, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const bound = new AbortController();
  const cancel = clock.after(ms, () => bound.abort(new Error(`no answer within ${ms / 1000} s`)));
  try {
    return await run(AbortSignal.any([signal, bound.signal]));
  } finally {
    cancel();
  }
}

/** Waits for `work`, but not longer than until `signal` aborts. */
export async function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  // The promise is looked at in any case, so that a failure after the abort is nobody's unhandled rejection.
  await new Promise<void>((resolve, reject) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
    work.then(resolve, reject);
  });
}

/** Resolves when `signal` aborts, or now when it has. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => onAbort(signal, resolve));
}

/** Runs something when `signal` aborts, or now when it has. */
export function onAbort(signal: AbortSignal | undefined, run: () => void): void {
  if (signal?.aborted === true) run();
  else signal?.addEventListener('abort', run, { once: true });
}
