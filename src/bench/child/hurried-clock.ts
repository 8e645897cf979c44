import { type Clock, systemClock } from '../../kit/clock.ts';

/** The system's clock, `factor` times as fast: what is done on purpose every few minutes comes every few seconds, and costs what it costs. */
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
