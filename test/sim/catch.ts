import process, { argv, exit, stdout } from 'node:process';
import { messageOf } from '../../src/model/errors.ts';
import { makePlan } from '../../src/sim/plan.ts';
import { simulate } from '../../src/sim/simulation.ts';

/* Runs seeds from 1 on until one fails, and prints its number and failure; nothing when none of the first `argv[2]` does. */

let current = 0;
// A mutant may break the process itself.
process.on('unhandledRejection', (cause) => stdout.write(`${current} 8: the process ended: ${messageOf(cause)}\n`, () => exit(0)));

for (let seed = 1; seed <= Number(argv[2]); seed++) {
  current = seed;
  const { failure } = await simulate(makePlan(seed, 400));
  if (failure === null) continue;
  stdout.write(`${seed} ${failure}\n`);
  break;
}
