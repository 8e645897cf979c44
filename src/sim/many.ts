import { spawn } from 'node:child_process';
import { execArgv, execPath } from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../kit/clock.ts';
import type { SeedOptions, SeedResult } from './seeds.ts';

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url));
/** A seed takes a second or two; one that takes this long will not end. */
const SEED_WITHIN_MS = 120_000;
/**
 * Then a process has a successor. A simulated process that was killed cleans nothing up, as a real one does not, and where its signals wait for one another Node
 * keeps all of them: about 4.5 MB a seed stay, and 950 seeds ended a process at its 4 GB.
 */
const SEEDS_PER_PROCESS = 200;

export interface ManyOptions extends SeedOptions {
  readonly first: number;
  /** The last seed; Infinity goes on until `isEnough`. */
  readonly last: number;
  readonly jobs: number;
  readonly clock: Clock;
  /** Asked before every seed. */
  readonly isEnough: () => boolean;
  readonly onResult: (result: SeedResult) => void;
}

/** Hands seeds in their order to processes of their own, one at a time to each. */
export async function runMany({ first, last, jobs, clock, isEnough, onResult, changes }: ManyOptions): Promise<void> {
  let next = first;
  const options: SeedOptions = { changes };
  /** False when a seed has ended its process, or has not ended. */
  const turn = async (): Promise<boolean> => {
    const child = spawn(execPath, [...execArgv, CHILD, JSON.stringify(options)], { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const ended = new Promise<string>((resolve) => child.on('close', (code, signal) => resolve(`ended with ${signal ?? code}`)));
    try {
      for (let done = 0; done < SEEDS_PER_PROCESS && next <= last && !isEnough(); done++) {
        const seed = next++;
        child.stdin.write(`${seed}\n`);
        const late = Promise.withResolvers<string>();
        const cancel = clock.after(SEED_WITHIN_MS, () => late.resolve(`does not end within ${SEED_WITHIN_MS / 1000} s`));
        const answer = await Promise.race([lines.next(), ended, late.promise]);
        cancel();
        if (typeof answer === 'string' || answer.done === true) {
          const failure = `12: the simulation of seed ${seed} ${typeof answer === 'string' ? answer : await ended}`;
          onResult({ seed, mutations: 0, writes: 0, virtualMs: 0, digest: '', failure });
          return false;
        }
        onResult(JSON.parse(answer.value) as SeedResult);
      }
      child.stdin.end();
      await ended;
      return true;
    } finally {
      child.kill('SIGKILL');
    }
  };
  const work = async (): Promise<void> => {
    while (next <= last && !isEnough()) if (!(await turn())) return;
  };
  await Promise.all(Array.from({ length: jobs }, work));
}
