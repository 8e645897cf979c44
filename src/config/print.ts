import { stringify } from 'yaml';
import { formatByteSize } from './byte-size.ts';
import { type Config, configSchema } from './schema.ts';
import { redactUrl } from './storage-url.ts';

/** What the printer needs of a valibot schema. */
type SchemaNode = {
  readonly wrapped?: SchemaNode;
  readonly pipe?: readonly (SchemaNode & { readonly type?: string; readonly description?: string })[];
  readonly entries?: Readonly<Record<string, SchemaNode>>;
};

const WIDTH = 100;

/**
 * The effective configuration as a YAML file that could be loaded again: every key with its value, meaning, unit and
 * default. Passwords in the storage URL are shown as `***`.
 */
export function printConfig(config: Config): string {
  const lines: string[] = [];
  printSection(configSchema as unknown as SchemaNode, redacted(config), '', lines);
  return `${lines.join('\n').trim()}\n`;
}

function redacted(config: Config): Config {
  return { ...config, storage: { ...config.storage, url: redactUrl(config.storage.url) } };
}

function printSection(schema: SchemaNode, value: object, indent: string, lines: string[]): void {
  const entries = entriesOf(schema) ?? {};
  const values = value as Readonly<Record<string, unknown>>;
  const keys = [...Object.keys(entries), ...Object.keys(values).filter((key) => !Object.hasOwn(entries, key))];
  for (const key of keys) {
    const entry = entries[key];
    const child = values[key];
    if (indent === '') lines.push('');
    for (const line of wrapped(descriptionOf(entry), WIDTH - indent.length - 2)) lines.push(`${indent}# ${line}`);
    const name = stringify(key).trimEnd();
    if (entry !== undefined && entriesOf(entry) !== undefined && typeof child === 'object' && child !== null) {
      lines.push(`${indent}${name}:`);
      printSection(entry, child, `${indent}  `, lines);
    } else {
      lines.push(
        ...stringify({ [key]: /bytes$/i.test(key) && typeof child === 'number' ? formatByteSize(child) : child }, { lineWidth: 0 })
          .trimEnd()
          .split('\n')
          .map((line) => indent + line),
      );
    }
  }
}

function entriesOf(schema: SchemaNode): Readonly<Record<string, SchemaNode>> | undefined {
  return schema.entries ?? (schema.wrapped === undefined ? undefined : entriesOf(schema.wrapped));
}

/** The outermost description: wrappers say more than what they wrap. */
function descriptionOf(schema: SchemaNode | undefined): string {
  const own = schema?.pipe?.find((item) => item.type === 'description')?.description;
  return own ?? (schema?.wrapped === undefined ? '' : descriptionOf(schema.wrapped));
}

function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return line === '' ? lines : [...lines, line];
}
