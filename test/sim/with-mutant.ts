import { env } from 'node:process';
import { breakSource } from '../support/break-source.ts';
import { MUTANTS } from './mutants.ts';

/* `node --import` of this file breaks what KUBEFOLD_MUTANT names, in memory, for this process and its children. */

const mutant = MUTANTS.find(({ name }) => name === env['KUBEFOLD_MUTANT']);
if (mutant === undefined) throw new Error(`KUBEFOLD_MUTANT must be the name of a mutant of test/sim/mutants.ts, current value is ${env['KUBEFOLD_MUTANT']}`);
breakSource(mutant);
