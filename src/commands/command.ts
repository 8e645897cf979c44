import { parseArgs } from 'node:util';
import { didYouMean } from '../config/suggest.ts';
import { UsageError } from '../model/errors.ts';

/** One option of a command line: the table gives parsing, checks and help at once. */
export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  readonly multiple?: true;
  /** What stands for the value in the help: `FILE`. */
  readonly value?: string;
  /** One sentence, with the default. */
  readonly help: string;
}

export type OptionTable = Readonly<Record<string, OptionSpec>>;

export interface Parsed {
  readonly positionals: readonly string[];
  /** The value of a string option given at most once. */
  text(name: string): string | undefined;
  /** All values of a repeatable option, or undefined when it was not given. */
  texts(name: string): readonly string[] | undefined;
  flag(name: string): boolean;
  /** A whole number in [min, max], or `fallback` when the option was not given. */
  number(name: string, range: { readonly min: number; readonly max: number }, fallback: number): number;
}

export interface CommandContext {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** Whether progress may be drawn on standard error. */
  readonly isTerminal: boolean;
  /** Asks a person at the terminal for a line; null when nobody sits there. */
  readonly ask: ((question: string) => Promise<string>) | null;
  /** Aborts at the first SIGTERM or SIGINT; the second ends the process. */
  readonly signal: AbortSignal;
}

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What may stand behind the name: `KIND [NAME]`. */
  readonly usage: string;
  /** A paragraph or two, with examples. */
  readonly description: string;
  readonly options: OptionTable;
  /** How many positional arguments it takes. */
  readonly positionals: { readonly min: number; readonly max: number };
  /** Returns the exit code: 0 done, 1 failed, 2 wrong usage, 3 leadership lost. */
  run(parsed: Parsed, context: CommandContext): Promise<number>;
}

/** Options that every command has. */
export const COMMON_OPTIONS: OptionTable = {
  'log-level': { type: 'string', value: 'LEVEL', help: 'Least important line shown: debug, info, warn, error or silent. Default info.' },
  'log-format': { type: 'string', value: 'FORMAT', help: 'pretty or json. Default pretty on a terminal, else json.' },
  help: { type: 'boolean', short: 'h', help: 'Shows this help.' },
};

/** Options of every command that talks to a cluster. */
export const CLUSTER_OPTIONS: OptionTable = {
  kubeconfig: { type: 'string', value: 'FILE', help: "Default: the files of KUBECONFIG, else ~/.kube/config, else the pod's service account." },
  context: { type: 'string', value: 'NAME', help: "The kubeconfig's context. Default: the current one." },
};

export function parseCommandLine(command: Command, args: readonly string[]): Parsed {
  const table: OptionTable = { ...command.options, ...COMMON_OPTIONS };
  const options = Object.fromEntries(
    Object.entries(table).map(([name, { type, short, multiple }]) => [
      name,
      { type, ...(short === undefined ? {} : { short }), ...(multiple === undefined ? {} : { multiple }) },
    ]),
  );
  const { values, positionals } = guarded(command, table, () => parseArgs({ args: [...args], options, allowPositionals: true }));
  const { min, max } = command.positionals;
  if (!values.help && (positionals.length < min || positionals.length > max)) {
    throw new UsageError(
      `kubefold ${command.name} takes ${min === max ? min : `${min} to ${max}`} arguments (${command.usage || 'none'}), found ${positionals.length}. See kubefold ${command.name} --help.`,
    );
  }
  const text = (name: string): string | undefined => {
    const value = values[name];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    positionals,
    text,
    texts(name) {
      const value = values[name];
      return Array.isArray(value) ? value.map(String) : undefined;
    },
    flag: (name) => values[name] === true,
    number(name, range, fallback) {
      const given = text(name);
      if (given === undefined) return fallback;
      const number = Number(given);
      if (!/^[0-9]+$/.test(given) || number < range.min || number > range.max) {
        throw new UsageError(`--${name} must be a whole number from ${range.min} to ${range.max}, found "${given}".`);
      }
      return number;
    },
  };
}

/** Turns the parser's own errors into ours: the option, what was meant, and where the help is. */
function guarded<T>(command: Command, table: OptionTable, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const unknown = /Unknown option '(-{1,2})([^']+)'/.exec(message);
    if (unknown !== null) {
      const near = didYouMean(unknown[2] ?? '', Object.keys(table));
      throw new UsageError(
        `kubefold ${command.name} has no option ${unknown[1]}${unknown[2]}${near === null ? '.' : `; did you mean --${near}?`} See kubefold ${command.name} --help.`,
      );
    }
    throw new UsageError(`${message.split('. ')[0] ?? message}. See kubefold ${command.name} --help.`);
  }
}

export function helpText(command: Command): string {
  const rows = Object.entries({ ...command.options, ...COMMON_OPTIONS }).map(([name, spec]) => {
    const left = `${spec.short === undefined ? '    ' : `-${spec.short}, `}--${name}${spec.value === undefined ? '' : ` ${spec.value}`}`;
    return [left, spec.multiple === undefined ? spec.help : `${spec.help} Repeatable.`] as const;
  });
  const width = Math.max(...rows.map(([left]) => left.length));
  const lines = rows.map(([left, help]) => `  ${left.padEnd(width)}  ${wrap(help, 96 - width).join(`\n${' '.repeat(width + 4)}`)}`);
  const usage = ['kubefold', command.name, command.usage, '[options]'].filter((part) => part !== '').join(' ');
  return `${command.summary}\n\nUsage: ${usage}\n\n${command.description.trim()}\n\nOptions:\n${lines.join('\n')}\n`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last !== '' && last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}
