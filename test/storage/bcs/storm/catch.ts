import { argv, stdout } from 'node:process';
import { storm } from './storm.ts';

/* One storm, of the seed `argv[2]` and `argv[3]` minutes; prints what went wrong, a line each. */

const { failures } = await storm(Number(argv[2]), Number(argv[3]));
for (const failure of failures) stdout.write(`${failure}\n`);
