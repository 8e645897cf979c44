import { type Clock, systemClock } from '../../kit/clock.ts';

/**
 * The system's clock, `factor` times as fast: waits that a mirror makes on purpose (the audit's rounds, backoff, the watchdog of a silent watch) become
 * that much shorter, while sockets, threads and files stay as they are and cost what they cost.
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
