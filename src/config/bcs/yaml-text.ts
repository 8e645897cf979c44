import { stringify } from 'yaml';

/** A key of the YAML file with what is said about it. */
export interface Entry {
  readonly comment: string;
  readonly key: string;
  readonly value: unknown;
}

/** A list whose items have comments of their own. */
export interface CommentedItems {
  readonly comment: string;
  readonly key: string;
  readonly items: readonly { readonly comment: string; readonly value: Readonly<Record<string, unknown>> }[];
}

const WIDTH = 120;

/** Comment lines of a text, at `indent`. */
export function commentLines(text: string, indent = '', first = '# ', next = '# '): readonly string[] {
  const lines: string[] = [];
  let line = '';
  // A comment must not hold control characters; quoted values are JSON and have none.
  for (const word of text.replace(/[^\x20-\x7e\u00a0-\ud7ff\ue000-\ufefe\u{10000}-\u{10ffff}]/gu, '?').split(' ')) {
    if (line !== '' && indent.length + first.length + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  if (line !== '') lines.push(line);
  return lines.map((one, index) => `${indent}${index === 0 ? first : next}${one}`);
}

export function entryLines({ comment, key, value }: Entry, indent = ''): readonly string[] {
  return [...commentLines(comment, indent), ...valueLines(key, value, indent)];
}

export function itemsLines({ comment, key, items }: CommentedItems): readonly string[] {
  const lines = [...commentLines(comment), `${key}:`];
  for (const item of items) {
    lines.push(...commentLines(item.comment, '  '));
    const body = Object.entries(item.value).flatMap(([name, value]) => valueLines(name, value, ''));
    lines.push(...body.map((line, index) => `${index === 0 ? '  - ' : '    '}${line}`));
  }
  return lines;
}

/** On one line when it fits, else a line for each element. */
function valueLines(key: string, value: unknown, indent: string): readonly string[] {
  const options = { lineWidth: 0 } as const;
  const flat = stringify({ [key]: value }, { ...options, collectionStyle: 'flow', flowCollectionPadding: false }).trim();
  const isContainer = typeof value === 'object' && value !== null;
  const short = isContainer ? `${stringify(key, options).trim()}: ${stringify(value, { ...options, collectionStyle: 'flow' }).trim()}` : flat.slice(1, -1);
  const text = isContainer && short.length + indent.length > WIDTH ? stringify({ [key]: value }, options).trimEnd() : short;
  return text.split('\n').map((line) => indent + line);
}
