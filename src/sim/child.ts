import { argv, stdin, stdout } from 'node:process';
import { createInterface } from 'node:readline';
import { runSeed, type SeedOptions } from './seeds.ts';

/* One of the processes that share the seeds: reads a seed a line, and answers each with a line of its result. Ends with its input. */

const options = JSON.parse(argv[2] ?? '{}') as SeedOptions;

for await (const line of createInterface({ input: stdin })) {
  stdout.write(`${JSON.stringify(await runSeed(Number(line), options))}\n`);
}
