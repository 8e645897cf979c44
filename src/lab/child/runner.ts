import { parentPort } from 'node:worker_threads';
import { collectGarbage } from '../../kit/heap.ts';
import { systemClock } from '../../kit/clock.ts';
import { loadOf } from '../load/loads.ts';
import type { PlannedRun } from '../plan.ts';
import type { StrategyResult } from '../result.ts';
import { type Progress, runStrategy } from '../run.ts';

/** A run on the virtual clock as it is sent to a thread: a load by what it is made of. */
export type SentRun = Pick<PlannedRun, 'strategy' | 'latencyMs' | 'consumers' | 'limitMs'> & {
  readonly load: { readonly name: string; readonly seed: number; readonly durationMs: number };
};
export type FromRunner = { readonly type: 'progress'; readonly progress: Progress } | { readonly type: 'done'; readonly result: StrategyResult };

/** A person reads it. */
const SAY_EVERY_MS = 100;

// A thread that carries out runs on the virtual clock, one after the other as they are sent. What a run throws ends the thread.
const port = parentPort;
if (port === null) throw new Error('This file is the code of a thread');
const say = (message: FromRunner): void => port.postMessage(message);
port.on('message', async ({ load: { name, ...options }, ...run }: SentRun) => {
  let saidAt = Number.NEGATIVE_INFINITY;
  const onProgress = (progress: Progress): void => {
    const now = systemClock.now();
    if (now - saidAt < SAY_EVERY_MS) return;
    saidAt = now;
    say({ type: 'progress', progress });
  };
  collectGarbage();
  say({ type: 'done', result: await runStrategy({ ...run, load: loadOf(name, options), target: 'memory', clock: 'virtual', onProgress }) });
});
