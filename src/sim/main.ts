import { availableParallelism } from 'node:os';
import { exit, stderr, stdout } from 'node:process';
import { parseArgs } from 'node:util';
import { systemClock } from '../kit/clock.ts';
import { messageOf, UsageError } from '../model/errors.ts';
import { runMany } from './many.ts';
import { makePlan } from './plan.ts';
import { changesOf, type SeedResult } from './seeds.ts';
import { shrink } from './shrink.ts';
import { simulate } from './simulation.ts';

const MEAN_CHANGES = 1_000;
const DEFAULT_MUTATIONS = 100_000;

const OPTIONS = {
  seed: { type: 'string' },
  seeds: { type: 'string' },
  mutations: { type: 'string' },
  minutes: { type: 'string' },
  size: { type: 'string' },
  jobs: { type: 'string' },
  full: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const HELP = `Usage: npm run sim -- [options]

Runs the real mirror on a virtual clock, against a simulated cluster, network and storage that fail in every way they can, and holds every
step against the truth. What is simulated and which invariants must hold: src/sim/SPEC.md. Same seed, same run.

  --seed N        replays one seed and prints what happened; when it fails, the smallest plan that still does, and its trace
  --full          with --seed: the whole trace of the whole plan, not made smaller
  --seeds A..B    runs these seeds
  --mutations M   runs seeds until so many changes of objects were made. Default ${DEFAULT_MUTATIONS}.
  --minutes M     runs seeds for so long
  --size N        mean number of changes a seed; a seed is another run with another size. Default ${MEAN_CHANGES}.
  --jobs N        processes at work. Default: one a core, here ${availableParallelism()}.

Exit code 1 when any seed fails, 2 for wrong usage.
`;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  if (values.help) {
    stdout.write(HELP);
    return 0;
  }
  const size = values.size === undefined ? MEAN_CHANGES : whole('size', values.size);
  if (values.seed !== undefined) return await replay(whole('seed', values.seed), size, values);
  return await range(size, values);
}

async function range(size: number, values: Values): Promise<number> {
  const [first, last] = values.seeds === undefined ? [1, Number.POSITIVE_INFINITY] : seedsOf(values.seeds);
  const isBounded = values.seeds !== undefined || values.minutes !== undefined;
  const mutations = values.mutations === undefined ? (isBounded ? Number.POSITIVE_INFINITY : DEFAULT_MUTATIONS) : whole('mutations', values.mutations);
  const endMs = values.minutes === undefined ? Number.POSITIVE_INFINITY : systemClock.now() + whole('minutes', values.minutes) * 60_000;
  const startMs = systemClock.now();
  const failed: SeedResult[] = [];
  const sum = { mutations: 0, writes: 0, virtualMs: 0, seeds: 0 };
  const line = (): string => {
    const seconds = (systemClock.now() - startMs) / 1000;
    const hours = sum.virtualMs / 3_600_000;
    return `${sum.mutations} mutations, ${sum.writes} writes, ${hours.toFixed(0)} simulated hours, ${sum.seeds} seeds, ${failed.length} differences, ${seconds.toFixed(0)} s`;
  };
  await runMany({
    first,
    last,
    jobs: values.jobs === undefined ? availableParallelism() : whole('jobs', values.jobs),
    clock: systemClock,
    changes: size,
    isEnough: () => sum.mutations >= mutations || systemClock.now() >= endMs,
    onResult(result) {
      sum.mutations += result.mutations;
      sum.writes += result.writes;
      sum.virtualMs += result.virtualMs;
      sum.seeds++;
      if (result.failure !== null) {
        failed.push(result);
        stdout.write(`${stderr.isTTY ? '\r\x1b[K' : ''}seed ${result.seed}: ${result.failure}\n`);
      }
      if (stderr.isTTY) stderr.write(`\r\x1b[K${line()}`);
    },
  });
  if (stderr.isTTY) stderr.write('\r\x1b[K');
  const worst = failed.sort((a, b) => a.mutations - b.mutations).find(({ mutations: made }) => made > 0);
  if (worst !== undefined) await replay(worst.seed, size, values);
  stdout.write(`${line()}\n`);
  return failed.length > 0 ? 1 : 0;
}

/** Prints what happens in one seed. Returns the exit code. */
async function replay(seed: number, size: number, { full }: Values): Promise<number> {
  const plan = makePlan(seed, changesOf(seed, size));
  const first = await simulate(plan, { isRecording: full });
  if (first.failure === null || full) {
    stdout.write(first.trace.map((text) => `${text}\n`).join(''));
    stdout.write(`seed ${seed}: ${first.failure ?? 'no difference'}; ${first.mutations} mutations, digest ${first.digest}\n`);
    return first.failure === null ? 0 : 1;
  }
  const small = await shrink(plan, first.failure, first.steps, (left) => {
    if (stderr.isTTY) stderr.write(`\r\x1b[K${left} of ${plan.steps.length} steps are left`);
  });
  if (stderr.isTTY) stderr.write('\r\x1b[K');
  const { trace, failure } = await simulate(small, { isRecording: true });
  stdout.write(`The trace of the smallest plan that still fails (${small.steps.length} of ${plan.steps.length} steps):\n`);
  stdout.write(
    withoutRepetition(trace)
      .map((text) => `${text}\n`)
      .join(''),
  );
  const { steps: _, ...settings } = small;
  stdout.write(`Settings: ${JSON.stringify(settings)}\nSteps:\n${small.steps.map((step) => `  ${JSON.stringify(step)}\n`).join('')}`);
  stdout.write(`In the smallest plan: ${failure ?? 'nothing'}\nIn the whole one: ${first.failure}\n`);
  stdout.write(`Replay: npm run sim -- --seed ${seed}${size === MEAN_CHANGES ? '' : ` --size ${size}`}\n`);
  return 1;
}

/** A scope record that says what the one before it said is not worth a line. */
function withoutRepetition(trace: readonly string[]): readonly string[] {
  const last = new Map<string, string>();
  return trace.filter((text) => {
    const [, kind, says] = / record (\S+) (.*)/.exec(text) ?? [];
    if (kind === undefined || says === undefined) return true;
    const isNew = last.get(kind) !== says;
    last.set(kind, says);
    return isNew;
  });
}

function seedsOf(text: string): readonly [number, number] {
  const [, first, last] = /^(\d+)\.\.(\d+)$/.exec(text) ?? [];
  if (first === undefined || last === undefined || Number(first) > Number(last)) {
    throw new UsageError(`--seeds must be A..B with A <= B, current value is ${text}; for one seed use --seed`);
  }
  return [Number(first), Number(last)];
}

function whole(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new UsageError(`--${option} must be an integer >= 1, current value is ${text}`);
  return value;
}

try {
  const code = await main(process.argv.slice(2));
  // A pipe takes a long trace in pieces, and what it has not taken when the process exits is lost.
  stdout.write('', () => exit(code));
} catch (cause) {
  stderr.write(`sim: ${messageOf(cause)}\n`);
  exit(2);
}
