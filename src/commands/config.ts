import { configJsonSchema } from '../config/json-schema.ts';
import { loadConfig } from '../config/load.ts';
import { printConfig } from '../config/print.ts';
import { compileRules } from '../config/rules.ts';
import { unmatchedRules } from '../config/unmatched.ts';
import { readConfigFile } from '../config/watch-file.ts';
import { UsageError } from '../model/errors.ts';
import { CLUSTER_OPTIONS, type Command, type CommandContext, type Parsed } from './command.ts';
import { discoverOnce } from './connect.ts';

export const config: Command = {
  name: 'config',
  summary: 'Checks, prints or describes the configuration.',
  usage: 'check|print|schema [FILE]',
  description: `
  kubefold config check kubefold.yaml                 exit 0 when it is valid, else 2 with every error at once
  kubefold config check kubefold.yaml --against-cluster  also warns of rules that name kinds the cluster does not have
  kubefold config print kubefold.yaml                 the effective value of every key, with its meaning and default
  kubefold config print                               the defaults
  kubefold config schema                              the JSON Schema, for editors`,
  options: {
    ...CLUSTER_OPTIONS,
    'against-cluster': { type: 'boolean', help: 'Asks the cluster which kinds it has. Default: the file alone is checked.' },
  },
  positionals: { min: 1, max: 2 },
  async run(parsed, context) {
    const [verb, path] = parsed.positionals;
    switch (verb) {
      case 'check':
        if (path === undefined) throw new UsageError('kubefold config check needs a FILE to check: kubefold config check kubefold.yaml');
        return check(path, parsed, context);
      case 'print':
        context.stdout(printConfig(loadConfig({ text: path === undefined ? null : await readConfigFile(path), file: path ?? 'the defaults' })));
        return 0;
      case 'schema':
        context.stdout(configJsonSchema());
        return 0;
      default:
        throw new UsageError(`kubefold config has no "${verb}": use check, print or schema.`);
    }
  },
};

async function check(path: string, parsed: Parsed, context: CommandContext): Promise<number> {
  const loaded = loadConfig({ text: await readConfigFile(path), file: path });
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
