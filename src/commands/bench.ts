import { accessSync, constants, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { compareStrategies } from '../lab/compare.ts';
import { LOAD_NAMES, loadOf } from '../lab/load/loads.ts';
import { STORAGE_NAMES } from '../lab/plan.ts';
import { comparisonPage } from '../lab/report/page.ts';
import { comparisonText } from '../lab/report/text.ts';
import { checkSizing, type SizingCheck } from '../lab/sizing-check.ts';
import { adviseSize, type Sizing, type SizingQuestion } from '../lab/sizing.ts';
import { sizingText } from '../lab/report/sizing-text.ts';
import { STRATEGY_NAMES } from '../lab/strategy/strategies.ts';
import { messageOf, UsageError } from '../model/errors.ts';
import type { Command, CommandContext, OptionTable, Parsed } from './command.ts';
import { LiveLine } from './live-line.ts';

const NAMED_LOADS = LOAD_NAMES.filter((name) => !name.startsWith('ladder-'));

const STRATEGIES_OPTIONS: OptionTable = {
  load: { type: 'string', multiple: true, value: 'NAME', help: 'Of strategies: a load from the list above, instead of all.' },
  strategy: { type: 'string', multiple: true, value: 'NAME', help: 'Of strategies: a contestant from the list above, instead of all.' },
  storage: { type: 'string', multiple: true, value: 'NAME', help: `Of strategies: ${STORAGE_NAMES.join(', ')}. Default all three.` },
  rounds: { type: 'string', value: 'N', help: 'Of strategies: how often the contestants take turns, each time with the next seed. Default 2.' },
  seed: { type: 'string', value: 'N', help: 'Of strategies: seed of the first round. Default 1.' },
  writers: { type: 'string', value: 'N', help: 'Of strategies: writes at once, except of serial and folding-defaults. Default 30.' },
  quick: { type: 'boolean', help: 'Of strategies: few loads, short bursts, one round. Shows that all of it works.' },
  report: { type: 'string', value: 'FILE', help: 'Of strategies: writes one HTML page that needs no network.' },
};
const SIZING_OPTIONS: OptionTable = {
  objects: { type: 'string', value: 'N', help: 'Of sizing: objects that are mirrored.' },
  'changes-per-second': { type: 'string', value: 'R', help: 'Of sizing: changes a second, over all of them.' },
  'object-bytes': { type: 'string', value: 'N', help: 'Of sizing: size of an object as JSON. Default 4096.' },
  concurrency: { type: 'string', value: 'N', help: 'Of sizing: says what comes of so many writes at once, instead of advising.' },
  check: { type: 'boolean', help: 'Of sizing: runs the laboratory with these numbers on a virtual clock, and shows both.' },
};
const SHARED_OPTIONS: OptionTable = {
  'storage-ms': { type: 'string', value: 'L', help: 'How long one write takes. Of strategies: default 87, and 90 where published so. Of sizing: required.' },
  json: { type: 'string', value: 'FILE', help: 'Writes all figures as JSON.' },
};

export const bench: Command = {
  name: 'bench',
  summary: 'Compares queue strategies on the same loads, and advises workers and memory.',
  usage: 'strategies | sizing',
  description: `
strategies runs every way of bringing changes to storage under every load, on every storage, with the same seeds:
long runs on a virtual clock (in memory, behind latency), short ones in real time (the HTTP service of bcs-k8s-watch
in a thread, SQLite in a file). It shows what each costs, how long it is behind, and which rows end wrong. In real
time bursts are cut to a second, and a run is given up 1.2 s later; loads with trouble in them have their own length.

sizing says how many workers and how much memory a cluster needs, how old the copy will be, and by which formula.

  kubefold bench strategies --report report.html       all of it, in less than ten minutes on two cores
  kubefold bench strategies --quick                    a look, in less than a minute
  kubefold bench strategies --load hot-object --load ladder-800 --strategy partitioned --strategy folding
  kubefold bench sizing --objects 100000 --changes-per-second 2000 --storage-ms 20

Strategies:
${wrapped(STRATEGY_NAMES)}
Loads, with ladder-RATE for a burst of 10 s at any rate:
${wrapped(NAMED_LOADS)}`,
  options: { ...STRATEGIES_OPTIONS, ...SIZING_OPTIONS, ...SHARED_OPTIONS },
  positionals: { min: 1, max: 1 },
  async run(parsed, context) {
    const [verb] = parsed.positionals;
    switch (verb) {
      case 'strategies':
        refuseOthers(parsed, verb, SIZING_OPTIONS, 'sizing');
        return await strategies(parsed, context);
      case 'sizing':
        refuseOthers(parsed, verb, STRATEGIES_OPTIONS, 'strategies');
        return await sizing(parsed, context);
      default:
        throw new UsageError(`kubefold bench has no "${verb}": use strategies or sizing. Benchmarks of the parts are npm run bench -- NAME.`);
    }
  },
};

async function strategies(parsed: Parsed, context: CommandContext): Promise<number> {
  const quick = parsed.flag('quick');
  const loads = parsed.texts('load');
  // A name that there is not is refused before anything runs.
  for (const name of loads ?? []) loadOf(name);
  const { json, report } = { json: writable(parsed, 'json'), report: writable(parsed, 'report') };
  const storageMs = parsed.text('storage-ms') === undefined ? undefined : parsed.number('storage-ms', { min: 1, max: 60_000 }, 1);
  const writers = parsed.text('writers') === undefined ? undefined : parsed.number('writers', { min: 1, max: 10_000 }, 1);
  const live = context.isTerminal ? new LiveLine(context.stderr, () => process.stderr.columns ?? 100) : null;
  const comparison = await compareStrategies({
    ...{ loads, strategies: parsed.texts('strategy'), storages: parsed.texts('storage'), quick },
    rounds: parsed.number('rounds', { min: 1, max: 100 }, quick ? 1 : 2),
    seed: parsed.number('seed', { min: 0, max: 2 ** 32 - 101 }, 1),
    latencyMs: storageMs,
    consumers: writers,
    command: commandLine(parsed, 'strategies', { ...STRATEGIES_OPTIONS, ...SHARED_OPTIONS }),
    signal: context.signal,
    onProgress: (text) => live?.show(text),
  }).finally(() => live?.end());
  context.stdout(comparisonText(comparison));
  if (json !== undefined) write('json', json, `${JSON.stringify(comparison)}\n`);
  if (report !== undefined) {
    write('report', report, comparisonPage(comparison));
    context.stdout(`The report is in ${report}\n`);
  }
  return comparison.isComplete ? 0 : 1;
}

async function sizing(parsed: Parsed, context: CommandContext): Promise<number> {
  const required = (name: string, max: number): number => {
    if (parsed.text(name) === undefined)
      throw new UsageError(`kubefold bench sizing needs --${name}. For example --objects 100000 --changes-per-second 2000 --storage-ms 20.`);
    return parsed.number(name, { min: 1, max }, 1);
  };
  const question: SizingQuestion = {
    objects: required('objects', 10_000_000),
    changesPerSecond: required('changes-per-second', 1_000_000),
    storageMs: required('storage-ms', 600_000),
    objectBytes: parsed.number('object-bytes', { min: 1, max: 16 * 2 ** 20 }, 4_096),
    concurrency: parsed.text('concurrency') === undefined ? undefined : parsed.number('concurrency', { min: 1, max: 100_000 }, 1),
  };
  const json = writable(parsed, 'json');
  const advice = adviseSize(question);
  const check = parsed.flag('check') ? await checkSizing(question, advice) : null;
  context.stdout(sizingText(question, advice, check));
  if (json !== undefined) write('json', json, `${JSON.stringify({ question, advice, check } satisfies SizingJson, null, 2)}\n`);
  return 0;
}

/** What `bench sizing --json` writes. */
interface SizingJson {
  readonly question: SizingQuestion;
  readonly advice: Sizing;
  readonly check: SizingCheck | null;
}

function refuseOthers(parsed: Parsed, verb: string, options: OptionTable, owner: string): void {
  for (const name of Object.keys(options))
    if (given(parsed, name, options) !== undefined)
      throw new UsageError(`--${name} is an option of kubefold bench ${owner}, not of ${verb}. See kubefold bench --help.`);
}

/** The words of an option as they were given; undefined when it was not. */
function given(parsed: Parsed, name: string, options: OptionTable): readonly string[] | undefined {
  const spec = options[name];
  if (spec?.type === 'boolean') return parsed.flag(name) ? [`--${name}`] : undefined;
  const values = spec?.multiple === true ? parsed.texts(name) : parsed.text(name)?.split('\n', 1);
  return values?.flatMap((value) => [`--${name}`, value]);
}

/** What was asked for, so that a report can be made again. */
function commandLine(parsed: Parsed, verb: string, options: OptionTable): string {
  const words = Object.keys(options).flatMap((name) => given(parsed, name, options) ?? []);
  return ['kubefold', 'bench', verb, ...words.map((word) => (/^[\w./:=,@+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))].join(' ');
}

/** The file of an option, if it was given and can be written: better to know that before ten minutes of runs than after. */
function writable(parsed: Parsed, option: string): string | undefined {
  const file = parsed.text(option);
  if (file === undefined) return undefined;
  try {
    if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) throw new Error('it is a directory');
    accessSync(dirname(file), constants.W_OK);
  } catch (cause) {
    throw new UsageError(`--${option} ${file} cannot be written: ${messageOf(cause)}. Name a file in a folder that exists and that you may write to.`);
  }
  return file;
}

function write(option: string, file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (cause) {
    throw new Error(`--${option} ${file} could not be written: ${messageOf(cause)}`);
  }
}

function wrapped(names: readonly string[]): string {
  return names
    .join(', ')
    .replace(/(.{1,110})(?: |$)/g, '  $1\n')
    .trimEnd();
}
