import { rawNumber } from './exact-json.ts';

/**
 * One step of a path: a named field, every element of a list, one element of a list, or every value of a mapping (or list).
 */
export type PathStep =
  | { readonly type: 'field'; readonly name: string }
  | { readonly type: 'elements' }
  | { readonly type: 'element'; readonly index: number }
  | { readonly type: 'any' };

export type ObjectPath = { readonly text: string; readonly steps: readonly PathStep[] };

const FIELD = /[A-Za-z0-9_$-]+/y;
const QUOTED = /\["((?:[^"\\]|\\["\\])*)"\]|\['((?:[^'\\]|\\['\\])*)'\]/y;
const INDEX = /\[([0-9]{1,9})\]/y;

/**
 * Reads `spec.containers[*].env[*].value`, `metadata.annotations["a.b/c"]`, `data.*`, `spec.ports[0]`.
 * Throws an Error that says what was expected, where (counted from 1), and how such a path looks.
 */
export function parsePath(text: string): ObjectPath {
  const steps: PathStep[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found !== null) at = pattern.lastIndex;
    return found;
  };
  const refuse = (expected: string): never => {
    const seen = at < text.length ? `found ${JSON.stringify(text[at])}` : 'the text ends';
    throw new Error(`expected ${expected} at position ${at + 1}, ${seen}; a path looks like spec.containers[*].env[*].value`);
  };
  while (at < text.length || steps.length === 0) {
    const first = steps.length === 0;
    if (text[at] === '[') {
      if (text.startsWith('[*]', at)) {
        if (first) refuse('the name of a field');
        at += 3;
        steps.push({ type: 'elements' });
        continue;
      }
      const quoted = take(QUOTED);
      const index = quoted === null ? take(INDEX) : null;
      if (quoted !== null) steps.push({ type: 'field', name: (quoted[1] ?? quoted[2] ?? '').replace(/\\(.)/g, '$1') });
      else if (index !== null && !first) steps.push({ type: 'element', index: Number(index[1]) });
      else refuse('[*], [0] or ["name"]');
      continue;
    }
    if (!first) {
      if (text[at] !== '.') refuse('"." or "["');
      at++;
    }
    if (text[at] === '*') {
      at++;
      steps.push({ type: 'any' });
      continue;
    }
    const field = take(FIELD);
    if (field === null) refuse('the name of a field');
    else steps.push({ type: 'field', name: field[0] });
  }
  return { text, steps };
}

/** What identifies an object or orders its versions; a mask over it would break the mirror. */
const PROTECTED: readonly (readonly string[])[] = [
  ['apiVersion'],
  ['kind'],
  ['metadata', 'name'],
  ['metadata', 'namespace'],
  ['metadata', 'uid'],
  ['metadata', 'resourceVersion'],
];

/** The identifying field that a mask with this path would hide, or null. */
export function protectedPart(path: ObjectPath): string | null {
  for (const field of PROTECTED) {
    const covers =
      path.steps.length <= field.length && path.steps.every((step, index) => (step.type === 'field' ? step.name === field[index] : step.type === 'any'));
    if (covers) return field.join('.');
  }
  return null;
}

/** A mapping or list of a parsed object. A number kept as text (exact-json.ts) is neither. */
type Container = Record<string, unknown> | unknown[];

function isContainer(value: unknown): value is Container {
  return typeof value === 'object' && value !== null && rawNumber(value) === undefined;
}

/**
 * Calls `visit` with every place the path leads to, innermost container and key; what the path does not find is left
 * alone. A field name that meets a list is looked for in each of its elements: a forgotten `[*]` must not leave a mask without effect.
 */
export function forEachMatch(root: unknown, path: ObjectPath, visit: (container: Container, key: string | number) => void): void {
  walk(root, path.steps, 0, visit);
}

function walk(value: unknown, steps: readonly PathStep[], depth: number, visit: (container: Container, key: string | number) => void): void {
  const step = steps[depth];
  if (step === undefined || !isContainer(value)) return;
  const last = depth === steps.length - 1;
  const enter = (container: Container, key: string | number, child: unknown): void => (last ? visit(container, key) : walk(child, steps, depth + 1, visit));
  if (Array.isArray(value)) {
    if (step.type === 'field') {
      for (const element of value) walk(element, steps, depth, visit);
    } else if (step.type === 'element') {
      if (step.index < value.length) enter(value, step.index, value[step.index]);
    } else {
      for (let index = 0; index < value.length; index++) enter(value, index, value[index]);
    }
    return;
  }
  if (step.type === 'field') {
    if (Object.hasOwn(value, step.name)) enter(value, step.name, value[step.name]);
  } else if (step.type === 'any') {
    for (const key of Object.keys(value)) enter(value, key, value[key]);
  }
}

/** Writes one place. `__proto__` may be a key of a JSON object: plain assignment would change the prototype instead. */
export function setAt(container: Container, key: string | number, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(container, key, { value, writable: true, enumerable: true, configurable: true });
  else (container as Record<string | number, unknown>)[key] = value;
}

/** The value at a plain dotted path (`spec.nodeName`), as field selectors name it; undefined when absent or inside a list. */
export function readPath(root: unknown, dotted: string): unknown {
  let value = root;
  for (const name of dotted.split('.')) {
    if (!isContainer(value) || Array.isArray(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}
