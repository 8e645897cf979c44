import { systemClock } from '../../src/kit/clock.ts';
import { messageOf } from '../../src/model/errors.ts';

/**
 * Asks again and again until `look` answers something other than undefined, null or false, and returns that. An exception counts as "not yet",
 * and the last one is told when the time is over. Only for tests against programs that cannot tell us when they are done (a real control plane,
 * a child process): a test of our own code waits for an event, or moves a manual clock.
 */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  options: {
    /** Default 30,000. */
    readonly withinMs?: number;
    /** Between two looks; default 100. */
    readonly everyMs?: number;
  } = {},
): Promise<Exclude<T, undefined | null | false>> {
  const { withinMs = 30_000, everyMs = 100 } = options;
  const start = systemClock.now();
  let last = 'nothing yet';
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined && found !== null && found !== false) return found as Exclude<T, undefined | null | false>;
      last = `the last look found ${JSON.stringify(found) ?? 'undefined'}`;
    } catch (cause) {
      last = `the last look failed: ${messageOf(cause)}`;
    }
    if (systemClock.now() - start >= withinMs) throw new Error(`Waited ${withinMs} ms in vain until ${what}; ${last}`);
    await systemClock.sleep(everyMs);
  }
}
