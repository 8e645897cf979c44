import { type Clock, systemClock } from '../../src/kit/clock.ts';

/**
 * The system's clock, `factor` times as fast: waits of seconds that a mirror makes on purpose (backoff, the watchdog of a silent
 * watch, the second look at a kind that is gone) become milliseconds, while sockets, threads and files stay as they are.
 */
export function hurriedClock(factor: number): Clock {
  const startMs = systemClock.now();
  const startWallMs = systemClock.wall();
  const elapsedMs = (): number => (systemClock.now() - startMs) * factor;
  return {
    now: () => startMs + elapsedMs(),
    wall: () => Math.round(startWallMs + elapsedMs()),
    after: (ms, run) => systemClock.after(ms / factor, run),
    sleep: (ms, signal) => systemClock.sleep(ms / factor, signal),
  };
}
