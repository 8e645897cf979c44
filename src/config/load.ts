import * as v from 'valibot';
import { LineCounter, parseDocument } from 'yaml';
import { UsageError } from '../model/errors.ts';
import { foundText, type KeyPath, locate, type Problem, pathText, report } from './problems.ts';
import { type Config, configSchema, crossChecks } from './schema.ts';
import { splitProblem } from './schema-parts.ts';
import { dropUnknownKeys } from './unknown-keys.ts';

/** What the command line says; each overrides its key of the file. Absent means: not given. */
export type ConfigFlags = {
  readonly storage?: string | undefined;
  readonly clusterName?: string | undefined;
  /** Either the items, or texts with commas. */
  readonly kinds?: readonly string[] | string | undefined;
  readonly namespaces?: readonly string[] | string | undefined;
  readonly listen?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly logLevel?: string | undefined;
  readonly logFormat?: string | undefined;
};

const FLAGS: readonly { readonly flag: keyof ConfigFlags; readonly option: string; readonly path: readonly string[]; readonly list?: true }[] = [
  { flag: 'storage', option: '--storage', path: ['storage', 'url'] },
  { flag: 'clusterName', option: '--cluster-name', path: ['cluster', 'name'] },
  { flag: 'kinds', option: '--kinds', path: ['kinds'], list: true },
  { flag: 'namespaces', option: '--namespace', path: ['namespaces'], list: true },
  { flag: 'listen', option: '--listen', path: ['listen'] },
  { flag: 'tokenFile', option: '--token-file', path: ['auth', 'tokenFile'] },
  { flag: 'logLevel', option: '--log-level', path: ['log', 'level'] },
  { flag: 'logFormat', option: '--log-format', path: ['log', 'format'] },
];

/**
 * The effective configuration of a file's text (null: no file) and the command line, with every default filled in, deeply frozen.
 * `file` is only a name for messages. Throws one UsageError that lists every problem: place, key, rule, value found, way out.
 */
export function loadConfig(source: { readonly text: string | null; readonly file: string; readonly flags?: ConfigFlags }): Config {
  const lines = new LineCounter();
  const document = parseDocument(source.text ?? '', { lineCounter: lines, prettyErrors: false });
  const syntax = [...document.errors, ...document.warnings];
  if (syntax.length > 0) {
    throw report(
      source.file,
      syntax.map((error) => {
        const at = lines.linePos(error.pos[0]);
        return { origin: { line: at.line, column: at.col }, text: `not valid YAML: ${error.message.replaceAll('\n', ' ').replace(/[.:]?$/, '.')}` };
      }),
    );
  }
  const problems: Problem[] = [];
  const { value, options } = withFlags(
    readDocument(() => document.toJS({ maxAliasCount: 100 }), source.file),
    source.flags ?? {},
  );
  const originOf = (path: KeyPath, part: 'key' | 'value'): Problem['origin'] => {
    const option = options.find((known) => known.path.every((key, index) => path[index] === key));
    return option === undefined ? locate(document, lines, path, part) : { option: option.option };
  };
  const known = dropUnknownKeys(configSchema, value, (path, message) => problems.push({ origin: originOf(path, 'key'), text: `${pathText(path)} ${message}` }));
  const parsed = v.safeParse(configSchema, known ?? {}, { abortPipeEarly: true });
  for (const issue of parsed.issues ?? []) {
    const path = (issue.path ?? []).map((item) => item.key as string | number);
    problems.push(problemOf(path, splitProblem(issue.message), issue.input, originOf));
  }
  if (!parsed.success) throw report(source.file, problems);
  const config = deepFreeze(parsed.output);
  for (const { path, message, found } of crossChecks(config)) problems.push(problemOf(path, splitProblem(message), found, originOf));
  if (problems.length > 0) throw report(source.file, problems);
  return config;
}

function problemOf(
  path: KeyPath,
  message: { readonly rule: string; readonly fix: string },
  found: unknown,
  originOf: (path: KeyPath, part: 'key' | 'value') => Problem['origin'],
): Problem {
  if (found === undefined) {
    const fix = path.at(-1) === 'kinds' ? 'Name the kinds the rule is about, for example kinds: [pods].' : message.fix;
    return { origin: originOf(path.slice(0, -1), 'value'), text: `${pathText(path)} must be set. ${fix}` };
  }
  return { origin: originOf(path, 'value'), text: `${pathText(path)} ${message.rule}, found ${foundText(path, found)}. ${message.fix}` };
}

/** Reading out may fail although the syntax is right: aliases that multiply. */
function readDocument(read: () => unknown, file: string): unknown {
  try {
    return read() ?? {};
  } catch {
    throw new UsageError(`${file} cannot be read: its YAML aliases refer to nothing or multiply without end. Write the values out.`);
  }
}

function withFlags(value: unknown, flags: ConfigFlags): { readonly value: unknown; readonly options: typeof FLAGS } {
  const options = FLAGS.filter(({ flag }) => flags[flag] !== undefined);
  if (options.length === 0 || typeof value !== 'object' || value === null || Array.isArray(value)) return { value, options };
  const root: Record<string, unknown> = { ...value };
  for (const { flag, path, list } of options) {
    const given = flags[flag];
    const texts = typeof given === 'string' ? [given] : (given ?? []);
    const setting = list
      ? texts
          .flatMap((text) => text.split(','))
          .map((text) => text.trim())
          .filter((text) => text !== '')
      : given;
    const [outer = '', inner] = path;
    if (inner === undefined) root[outer] = setting;
    else if (root[outer] === undefined || root[outer] === null) root[outer] = { [inner]: setting };
    // A section that is no mapping is a problem of the file and stays visible as one.
    else if (typeof root[outer] === 'object' && !Array.isArray(root[outer])) root[outer] = { ...root[outer], [inner]: setting };
  }
  return { value: root, options };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const child of Object.values(value)) deepFreeze(child);
    Object.freeze(value);
  }
  return value;
}
