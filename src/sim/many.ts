import { spawn } from 'node:child_process';
import { execArgv, execPath } from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../kit/clock.ts';
import type { SeedOptions, SeedResult } from './seeds.ts';

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url));
/** A seed takes a second or two; one that takes this long will not end. */
const SEED_WITHIN_MS = 120_000;

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
  const work = async (): Promise<void> => {
    const child = spawn(execPath, [...execArgv, CHILD, JSON.stringify(options)], { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const ended = new Promise<string>((resolve) => child.on('close', (code, signal) => resolve(`ended with ${signal ?? code}`)));
    try {
      while (next <= last && !isEnough()) {
        const seed = next++;
        child.stdin.write(`${seed}\n`);
        const late = Promise.withResolvers<string>();
        const cancel = clock.after(SEED_WITHIN_MS, () => late.resolve(`does not end within ${SEED_WITHIN_MS / 1000} s`));
        const answer = await Promise.race([lines.next(), ended, late.promise]);
        cancel();
        if (typeof answer === 'string' || answer.done === true) {
          const failure = `12: the simulation of seed ${seed} ${typeof answer === 'string' ? answer : await ended}`;
          onResult({ seed, mutations: 0, writes: 0, virtualMs: 0, digest: '', failure });
          return;
        }
        onResult(JSON.parse(answer.value) as SeedResult);
      }
      child.stdin.end();
      await ended;
    } finally {
      child.kill('SIGKILL');
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
}
