import { type Document, isMap, isNode, isSeq, type LineCounter, type Node } from 'yaml';
import { UsageError } from '../model/errors.ts';
import { redactUrl } from './storage-url.ts';

export type KeyPath = readonly (string | number)[];

/** One thing wrong, and where it was said: in the file, on the command line, or nowhere in particular. */
export type Problem = {
  readonly origin: { readonly line: number; readonly column: number } | { readonly option: string } | null;
  readonly text: string;
};

/** All problems in one error, in the order of the file; those of the command line come last. */
export function report(file: string, problems: readonly Problem[]): UsageError {
  const rank = ({ origin }: Problem): readonly [number, number] =>
    origin === null ? [0, 0] : 'line' in origin ? [origin.line, origin.column] : [Number.MAX_SAFE_INTEGER, 0];
  const sorted = problems.toSorted((a, b) => rank(a)[0] - rank(b)[0] || rank(a)[1] - rank(b)[1]);
  const lines = sorted.map(({ origin, text }) => {
    const place = origin === null ? file : 'line' in origin ? `${file}:${origin.line}:${origin.column}` : origin.option;
    return `  ${place}: ${text}`;
  });
  const distinct = [...new Set(lines)];
  return new UsageError(`The configuration cannot be used: ${distinct.length} problem${distinct.length === 1 ? '' : 's'}.\n${distinct.join('\n')}`);
}

/** `resources[0].mask[1]`, `workers["deployments.apps"]`; `the configuration` for the whole. */
export function pathText(path: KeyPath): string {
  let text = '';
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`;
    else if (!/^[A-Za-z0-9_-]+$/.test(key)) text += `[${JSON.stringify(key)}]`;
    else text += text === '' ? key : `.${key}`;
  }
  return text === '' ? 'the configuration' : text;
}

const LONGEST_QUOTE = 100;

/** The value found, short, on one line, and without the password of a URL. */
export function foundText(path: KeyPath, value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'symbol') return value.description ?? '';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value !== 'string') return String(value);
  const shown = path[0] === 'storage' || value.includes('://') ? redactUrl(value) : value;
  return JSON.stringify(shown.length > LONGEST_QUOTE ? `${shown.slice(0, LONGEST_QUOTE)}…` : shown);
}

/** Where in the file a key or its value stands; the innermost part that exists when the rest does not. */
export function locate(document: Document.Parsed, lines: LineCounter, path: KeyPath, part: 'key' | 'value'): Problem['origin'] {
  let node: unknown = document.contents;
  let found: Node | null = isNode(node) ? node : null;
  for (const [depth, key] of path.entries()) {
    let next: unknown;
    if (isMap(node)) {
      const pair = node.items.find((item) => isNode(item.key) && String(item.key) === String(key));
      if (pair === undefined) break;
      const wantsKey = depth === path.length - 1 && (part === 'key' || !isNode(pair.value));
      next = pair.value;
      found = wantsKey ? (pair.key as Node) : isNode(pair.value) ? pair.value : found;
    } else if (isSeq(node)) {
      next = node.items[Number(key)];
      if (isNode(next)) found = next;
    } else break;
    node = next;
  }
  if (!found?.range) return null;
  const at = lines.linePos(found.range[0]);
  return at.line === 0 ? null : { line: at.line, column: at.col };
}
