import { Worker } from 'node:worker_threads';
import { messageOf } from '../model/errors.ts';
import type { FromRunner, SentRun } from './child/runner.ts';
import type { PlannedRun } from './plan.ts';
import type { StrategyResult } from './result.ts';
import type { Progress } from './run.ts';

/** The sources run as they are, and as compiled JavaScript: the thread's file has the same suffix as this one. */
const THREAD = new URL(`./child/runner${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
/** A thread takes half a second until its code is fast, so it is not begun for less. */
const RUNS_OF_A_THREAD = 3;
/** The largest run takes half a GB of memory. */
const MOST_THREADS = 4;

/** How many threads so many runs on the virtual clock deserve on so many cores; 0 when they are better run where we are. */
export function threadsFor(runs: number, cores: number): number {
  const threads = Math.min(cores, MOST_THREADS, Math.floor(runs / RUNS_OF_A_THREAD));
  return threads < 2 ? 0 : threads;
}

/**
 * Carries out runs on the virtual clock in threads, side by side: their figures are those of their own clock, so neighbours change none of them, and CPU and memory
 * are counted thread by thread. Begins them in order; what is under way when `signal` ends it is still carried out. Results are in the order of `runs`, those
 * that were never begun left out. Rejects when a thread fails.
 */
export async function runSideBySide(
  runs: readonly PlannedRun[],
  options: {
    readonly threads: number;
    readonly signal: AbortSignal;
    /** Told of a run when it begins; what it answers is told how far the run is. */
    readonly onBegin: (run: PlannedRun) => (progress: Progress) => void;
  },
): Promise<readonly StrategyResult[]> {
  const { threads, signal, onBegin } = options;
  const results: (StrategyResult | undefined)[] = runs.map(() => undefined);
  let next = 0;
  const work = async (): Promise<void> => {
    const runner = new Runner();
    try {
      for (let index = next++; index < runs.length && !signal.aborted; index = next++) {
        const run = runs[index] as PlannedRun;
        results[index] = await runner.carryOut(run, onBegin(run));
      }
    } catch (cause) {
      // The others end with what they have in hand.
      next = runs.length;
      throw cause;
    } finally {
      await runner.end();
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: threads }, work));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return results.filter((result) => result !== undefined);
}

/** One thread, given one run at a time. */
class Runner {
  readonly #worker = new Worker(THREAD, { execArgv: [], name: 'runs of the laboratory' });
  #heard: (message: FromRunner) => void = () => {};
  #failed: (cause: unknown) => void = () => {};

  constructor() {
    this.#worker.on('message', (message: FromRunner) => this.#heard(message));
    this.#worker.on('error', (cause) => this.#failed(cause));
  }

  async carryOut({ strategy, latencyMs, consumers, limitMs, load }: PlannedRun, onProgress: (progress: Progress) => void): Promise<StrategyResult> {
    const { name, seed, durationMs } = load;
    return await new Promise((resolve, reject) => {
      this.#heard = (message) => {
        if (message.type === 'done') resolve(message.result);
        else onProgress(message.progress);
      };
      this.#failed = (cause) => reject(new Error(`The run of ${strategy} under ${name} with seed ${seed} failed: ${messageOf(cause)}`, { cause }));
      this.#worker.postMessage({ strategy, latencyMs, consumers, limitMs, load: { name, seed, durationMs } } satisfies SentRun);
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}
