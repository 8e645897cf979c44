import { isOldConfig } from '../config/bcs/import.ts';
import { configJsonSchema } from '../config/json-schema.ts';
import { loadConfig } from '../config/load.ts';
import { printConfig } from '../config/print.ts';
import { compileRules } from '../config/rules.ts';
import { unmatchedRules } from '../config/unmatched.ts';
import { readConfigFile } from '../config/watch-file.ts';
import { UsageError } from '../model/errors.ts';
import { importFiles } from './bcs-files.ts';
import { CLUSTER_OPTIONS, type Command, type CommandContext, type Parsed } from './command.ts';
import { discoverOnce } from './connect.ts';

export const config: Command = {
  name: 'config',
  summary: 'Checks, prints, describes or converts the configuration.',
  usage: 'check|print|schema|import-bcs [FILE [FILTER]]',
  description: `
  kubefold config check kubefold.yaml                 exit 0 when it is valid, else 2 with every error at once
  kubefold config check kubefold.yaml --against-cluster  also warns of rules that name kinds the cluster does not have
  kubefold config print kubefold.yaml                 the effective value of every key, with its meaning and default
  kubefold config print                               the defaults
  kubefold config schema                              the JSON Schema, for editors
  kubefold config import-bcs bcs-k8s-watch.json filter.json > kubefold.yaml
                                                      converts the files of bcs-k8s-watch; standard error says what differs`,
  options: {
    ...CLUSTER_OPTIONS,
    'against-cluster': { type: 'boolean', help: 'Asks the cluster which kinds it has. Default: the file alone is checked.' },
  },
  positionals: { min: 1, max: 3 },
  async run(parsed, context) {
    const [verb, path, filter] = parsed.positionals;
    if (filter !== undefined && verb !== 'import-bcs') throw new UsageError(`kubefold config ${verb} takes one FILE, found also ${JSON.stringify(filter)}.`);
    switch (verb) {
      case 'check':
        if (path === undefined) throw new UsageError('kubefold config check needs a FILE to check: kubefold config check kubefold.yaml');
        return check(path, parsed, context);
      case 'import-bcs':
        if (path === undefined)
          throw new UsageError('kubefold config import-bcs needs the files of bcs-k8s-watch: kubefold config import-bcs bcs-k8s-watch.json filter.json');
        return convert(path, filter, context);
      case 'print':
        context.stdout(printConfig(loadConfig({ text: path === undefined ? null : await readOwn(path), file: path ?? 'the defaults' })));
        return 0;
      case 'schema':
        context.stdout(configJsonSchema());
        return 0;
      default:
        throw new UsageError(`kubefold config has no "${verb}": use check, print, schema or import-bcs.`);
    }
  },
};

/** The text of a file of ours. */
async function readOwn(path: string): Promise<string> {
  const text = await readConfigFile(path);
  if (isOldConfig(text)) throw new UsageError(`${path} is a configuration of bcs-k8s-watch. Convert it: kubefold config import-bcs ${path} filter.json`);
  return text;
}

async function convert(path: string, filter: string | undefined, context: CommandContext): Promise<number> {
  const { yaml, notes } = await importFiles(path, filter);
  loadConfig({ text: yaml, file: `${path}, converted` });
  context.stdout(yaml);
  for (const { key, type, text } of notes) context.stderr(`${type === 'lost' ? 'not carried over' : 'not quite the same'}: ${key}: ${text}\n`);
  return 0;
}

async function check(path: string, parsed: Parsed, context: CommandContext): Promise<number> {
  const loaded = loadConfig({ text: await readOwn(path), file: path });
  let warnings = 0;
  if (parsed.flag('against-cluster')) {
    const { kinds } = await discoverOnce(parsed, context);
    for (const { message } of unmatchedRules(kinds, compileRules(loaded))) {
      warnings++;
      context.stderr(`warning: ${message}\n`);
    }
  }
  context.stdout(`${path} is valid${warnings === 0 ? '' : `, with ${warnings} warnings`}\n`);
  return 0;
}
