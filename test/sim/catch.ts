import { argv, stdout } from 'node:process';
import { makePlan } from '../../src/sim/plan.ts';
import { simulate } from '../../src/sim/simulation.ts';

/* Runs seeds from 1 on until one fails, and prints its number and failure; nothing when none of the first `argv[2]` does. */

for (let seed = 1; seed <= Number(argv[2]); seed++) {
  const { failure } = await simulate(makePlan(seed, 400));
  if (failure === null) continue;
  stdout.write(`${seed} ${failure}\n`);
  break;
}
