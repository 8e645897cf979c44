import { isTree } from './tree.ts';

/**
 * The simple JSONPath of a CRD's printer columns: `.spec.x`, `.metadata.labels.a\.b`, `.status.list[0].x`, `['a.b']`, `[*]` and
 * `.status.conditions[?(@.type=="Ready")].status`, with or without `{}` and `$`. Pure.
 */
export interface JsonPath {
  /** The first value found, undefined when there is none. */
  first(value: unknown): unknown;
}

type Step =
  | { readonly type: 'key'; readonly key: string }
  | { readonly type: 'index'; readonly index: number }
  | { readonly type: 'all' }
  | { readonly type: 'where'; readonly path: readonly Step[]; readonly operator: '==' | '!='; readonly value: unknown };

/** Null for a path that this reader does not know; the column is then empty, which kubectl prints as well for what it cannot find. */
export function parseJsonPath(text: string): JsonPath | null {
  const inner = text
    .trim()
    .replace(/^\{(.*)\}$/s, '$1')
    .replace(/^\$/, '');
  const steps = parseSteps(inner);
  return steps === null ? null : { first: (value) => walk([value], steps)[0] };
}

const KEY = /^\.?((?:\\.|[^.[\]\\])+)/;
const INDEX = /^\[(-?[0-9]{1,9})\]/;
const QUOTED = /^\[(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\]/;
const ALL = /^(?:\[\*\]|\.\*)/;
const WHERE = /^\[\?\(\s*@((?:\.(?:\\.|[^.[\]\\=!<>\s)])+)*)\s*(==|!=)\s*(?:'([^']*)'|"([^"]*)"|([A-Za-z0-9.+-]+))\s*\)\]/;

function parseSteps(text: string): readonly Step[] | null {
  const steps: Step[] = [];
  let rest = text;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    const found = pattern.exec(rest);
    if (found !== null) rest = rest.slice(found[0].length);
    return found;
  };
  while (rest !== '' && rest !== '.') {
    let found = take(ALL);
    if (found !== null) {
      steps.push({ type: 'all' });
      continue;
    }
    found = take(INDEX);
    if (found !== null) {
      steps.push({ type: 'index', index: Number(found[1]) });
      continue;
    }
    found = take(QUOTED);
    if (found !== null) {
      steps.push({ type: 'key', key: unescaped(found[1] ?? found[2] ?? '') });
      continue;
    }
    found = take(WHERE);
    if (found !== null) {
      const path = parseSteps(found[1] ?? '');
      if (path === null) return null;
      const word = found[5];
      const value = word === undefined ? (found[3] ?? found[4] ?? '') : literal(word);
      steps.push({ type: 'where', path, operator: found[2] === '!=' ? '!=' : '==', value });
      continue;
    }
    found = take(KEY);
    if (found === null) return null;
    steps.push({ type: 'key', key: unescaped(found[1] ?? '') });
  }
  return steps;
}

function literal(word: string): unknown {
  if (word === 'true' || word === 'false') return word === 'true';
  const number = Number(word);
  return Number.isNaN(number) ? word : number;
}

const unescaped = (text: string): string => text.replace(/\\(.)/g, '$1');

function walk(values: readonly unknown[], steps: readonly Step[]): readonly unknown[] {
  let found = values;
  for (const step of steps) found = found.flatMap((value) => stepInto(value, step));
  return found;
}

function stepInto(value: unknown, step: Step): readonly unknown[] {
  switch (step.type) {
    case 'key':
      return isTree(value) && Object.hasOwn(value, step.key) ? [value[step.key]] : [];
    case 'index': {
      const item: unknown = Array.isArray(value) ? value.at(step.index) : undefined;
      return item === undefined ? [] : [item];
    }
    case 'all':
      return itemsOf(value);
    case 'where':
      return itemsOf(value).filter((item) => {
        const [side] = walk([item], step.path);
        return side !== undefined && (side === step.value) === (step.operator === '==');
      });
    default:
      return step satisfies never;
  }
}

function itemsOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return isTree(value) ? Object.values(value) : [];
}
