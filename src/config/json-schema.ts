import { toJsonSchema } from '@valibot/to-json-schema';
import { configSchema } from './schema.ts';

/** The JSON Schema of the file, as text, for editors: `# yaml-language-server: $schema=kubefold.schema.json`. Rules between keys are not in it; `config check` knows them. */
export function configJsonSchema(): string {
  const schema = toJsonSchema(configSchema, { typeMode: 'input', errorMode: 'ignore' });
  return `${JSON.stringify({ ...schema, title: 'kubefold configuration' }, null, 2)}\n`;
}
